"""A dossier as values: what its entries, read in their order, say.

Every value keeps the number of the entry it stands in: that is its address and its citation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memcon.record import edtf

if TYPE_CHECKING:
    from memcon.store.dossiers import Kept


@dataclass(frozen=True, slots=True)
class Participant:
    """A person on the call; `country` is ISO 3166 alpha-2, or empty."""

    side: str
    name: str
    office: str
    country: str


@dataclass(frozen=True, slots=True)
class Head:
    """Who, when, by what way. `call` is the number of the recorded call, None where there is none."""

    title: str
    participants: tuple[Participant, ...]
    start: str
    channel: str
    call: int | None
    note: str
    example: bool

    @property
    def date(self) -> edtf.Edtf | None:
        """When it began, None where nothing is known of it."""
        return edtf.parse(self.start) if self.start else None

    def of_side(self, side: str) -> tuple[Participant, ...]:
        return tuple(p for p in self.participants if p.side == side)


@dataclass(frozen=True, slots=True)
class Duration:
    """How long the call lasted by somebody's account; seconds."""

    n: int
    text: str
    low: int | None
    high: int | None
    who: str
    channel: str
    source: int | None


@dataclass(frozen=True, slots=True)
class RecordKnown:
    """A class of record, and what is known of it."""

    n: int
    class_: str
    state: str
    side: str
    text: str
    source: int | None


@dataclass(frozen=True, slots=True)
class Source:
    """A source as it was taken in. `text` names the file of the text that spans count in."""

    n: int
    by: str
    at: str
    sha256: str
    size: int
    media_type: str
    name: str
    text: str | None
    reader: str
    remarks: tuple[str, ...]
    title: str
    address: str
    publisher: str
    author: str
    issued: str
    seen: str
    language: str
    translation_of: int | None
    version_of: int | None
    licence: str
    completeness: str
    side: str
    readout: bool
    note: str

    @property
    def label(self) -> str:
        """What a reader calls it."""
        return self.publisher or self.title or self.author or self.name or f"source {self.n}"


@dataclass(frozen=True, slots=True)
class MarkedPoint:
    """A point as a named person marked it: stands in place of what was computed in its span."""

    n: int
    by: str
    at: str
    source: int
    start: int
    end: int
    kind: str
    topics: tuple[str, ...]
    raised_by: str
    why: str


@dataclass(frozen=True, slots=True)
class Overrule:
    """A named person's word on a topic, in place of the computed one."""

    n: int
    by: str
    at: str
    topic: str
    status: str
    why: str


@dataclass(frozen=True, slots=True)
class Link:
    """Two points that a person joined or parted: (source, start) each."""

    n: int
    by: str
    at: str
    first: tuple[int, int]
    second: tuple[int, int]
    linked: bool
    why: str


@dataclass(frozen=True, slots=True)
class Grade:
    """Admiralty code of an appearance: `reliability` of the source, A to F, `credibility` of the words."""

    n: int
    by: str
    at: str
    appearance: int
    reliability: str
    credibility: str
    why: str


@dataclass(frozen=True, slots=True)
class Overtaken:
    """An appearance that was true when made and is no longer."""

    n: int
    by: str
    appearance: int
    when: str
    why: str
    source: int | None


@dataclass(frozen=True, slots=True)
class Appearance:
    """A claim where it was made. `origin`: a person says that these words began here."""

    n: int
    by: str
    claim: int
    who: str
    where: str
    when: str
    as_of: str
    stance: str
    words: str
    source: int | None
    start: int | None
    end: int | None
    origin: bool
    conjecture: bool
    count: int
    note: str


@dataclass(frozen=True, slots=True)
class Derivation:
    """`to` comes from, takes back or looks into `from_`."""

    n: int
    by: str
    from_: int
    to: int
    kind: str
    note: str


@dataclass(frozen=True, slots=True)
class Claim:
    """Something said to be so. Its truth is nobody's to enter here."""

    n: int
    by: str
    at: str
    text: str
    about: str
    note: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided on a proposed attribution."""

    n: int
    by: str
    source: int
    start: int
    end: int
    accepted: bool
    appearance: int | None
    why: str


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """An entry that a named person took back. It stays in the files."""

    n: int
    by: str
    at: str
    entry: int
    why: str


@dataclass(slots=True)
class Dossier:
    """One dossier, read whole. `others` are entries of kinds that this room does not know."""

    id: str
    head: Head
    kept: list[Kept]
    durations: list[Duration] = field(default_factory=list)
    records: list[RecordKnown] = field(default_factory=list)
    sources: dict[int, Source] = field(default_factory=dict)
    points: list[MarkedPoint] = field(default_factory=list)
    overrules: list[Overrule] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    claims: dict[int, Claim] = field(default_factory=dict)
    appearances: dict[int, Appearance] = field(default_factory=dict)
    derivations: list[Derivation] = field(default_factory=list)
    grades: list[Grade] = field(default_factory=list)
    overtaken: list[Overtaken] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    withdrawals: dict[int, Withdrawal] = field(default_factory=dict)
    others: list[Kept] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The title as given, or made of the participants."""
        return self.head.title or title_of(self.head)

    @property
    def version(self) -> int:
        """How many entries it has: a citation names it."""
        return len(self.kept)

    def readouts(self) -> list[Source]:
        """The newest version of each side's readout, by side, then by number."""
        older = {s.version_of for s in self.sources.values() if s.version_of is not None}
        found = [s for s in self.sources.values() if s.readout and s.side and s.n not in older]
        return sorted(found, key=lambda s: (s.side, s.translation_of is not None, s.n))


def title_of(head: Head) -> str:
    """`Donald J. Trump and Vladimir Putin, by telephone, 28 January 2017` without a title of its own."""
    names = [p.name for p in head.participants]
    who = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 2 else names) or "Unknown parties"
    way = {"in person": ", in person", "unknown": ""}.get(head.channel, f", by {head.channel}")
    return f"{who}{way}{f', {head.start}' if head.start else ''}"
