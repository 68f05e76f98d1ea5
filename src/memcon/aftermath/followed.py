"""What followed a call, as values: events with the accounts of them, acts with their readings, studies.

Nothing is merged: an event has no figure of its own, only those that somebody gave.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from memcon.aftermath.bodies import FIELDS, FIGURES, complete
from memcon.errors import UsageError
from memcon.record import edtf

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping


class Written(Protocol):
    """An entry of a dossier (`memcon.record.entry.Entry`)."""

    @property
    def n(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def by(self) -> str: ...
    @property
    def at(self) -> str: ...
    @property
    def body(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Account:
    """What somebody says of an event. `figures` are those given, by their names in FIGURES.

    `original` is who said it first, `article` where it was read; `calls_it` is set for a reading.
    """

    n: int
    by: str
    event: int
    who: str
    says: str
    when: str
    figures: Mapping[str, int]
    original: str
    article: str
    source: int | None
    start: int | None
    end: int | None
    note: str
    calls_it: str = ""

    @property
    def words(self) -> str:
        """What is shown in bold: its figures, else what it calls the thing, else what it says."""
        return figure_words(self.figures) or self.calls_it or self.says or "No figure given"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, or an official act. `set` and `row` lead to the row it was taken from."""

    n: int
    by: str
    at: str
    title: str
    when: str
    nature: str
    place: str
    latitude: str
    longitude: str
    cameo: str
    what: str
    set: str
    row: int | None
    note: str
    accounts: tuple[Account, ...] = ()
    readings: tuple[Account, ...] = ()

    @property
    def date(self) -> edtf.Edtf:
        """When, with its doubt."""
        return edtf.parse(self.when)


@dataclass(frozen=True, slots=True)
class Asked:
    """A hypothesis written down, sealed when its entry was."""

    n: int
    by: str
    at: str
    text: str
    events: str
    calls: str
    windows: str
    chosen: str
    note: str


@dataclass(frozen=True, slots=True)
class KeptStudy:
    """A coincidence study as it was carried out and kept."""

    n: int
    by: str
    at: str
    answer: Mapping[str, Any]
    facts: Mapping[str, Any]
    picture: Mapping[str, Any] | None
    note: str


@dataclass(slots=True)
class Followed:
    """All that a dossier says of what came before and after."""

    events: dict[int, Event] = field(default_factory=dict)
    hypotheses: dict[int, Asked] = field(default_factory=dict)
    studies: list[KeptStudy] = field(default_factory=list)


def read_followed(entries: Iterable[Written]) -> Followed:
    """From the entries of a dossier that count, in their order; those of other rooms are passed over.

    Raises FormatError for an entry that is none of its kind. An account of an event that was withdrawn is
    left out with it.
    """
    found = Followed()
    accounts: dict[int, list[Account]] = {}
    readings: dict[int, list[Account]] = {}
    for entry in entries:
        if entry.kind not in FIELDS:
            continue
        body = complete(entry.kind, entry.body)
        if entry.kind == "event":
            found.events[entry.n] = Event(entry.n, entry.by, entry.at, **body)
        elif entry.kind in ("account", "reading"):
            into = accounts if entry.kind == "account" else readings
            into.setdefault(body["event"], []).append(_account(entry, body))
        elif entry.kind == "hypothesis":
            found.hypotheses[entry.n] = Asked(entry.n, entry.by, entry.at, **body)
        else:
            found.studies.append(KeptStudy(entry.n, entry.by, entry.at, **body))
    for n, event in found.events.items():
        found.events[n] = _with(event, accounts.get(n, []), readings.get(n, []))
    return found


def _account(entry: Written, body: dict[str, Any]) -> Account:
    figures = {name: body.pop(name) for name in FIGURES if body.get(name) is not None}
    rest = {name: value for name, value in body.items() if name not in FIGURES}
    rest.setdefault("says", "")
    return Account(entry.n, entry.by, figures=figures, **rest)


def _with(event: Event, accounts: list[Account], readings: list[Account]) -> Event:
    own = {name: getattr(event, name) for name in ("n", "by", "at", *FIELDS["event"])}
    return Event(**own, accounts=tuple(accounts), readings=tuple(readings))


def check(kind: str, body: Mapping[str, Any], found: Followed, sources: Collection[int]) -> dict[str, Any]:
    """A body that may be written: complete, and what it names is there. FormatError, UsageError."""
    if kind not in FIELDS:
        raise UsageError(
            f"{kind!r} is no kind of entry about what followed", cure=f"Kinds: {', '.join(FIELDS)}"
        )
    full = complete(kind, body)
    if "event" in full and full["event"] not in found.events:
        raise UsageError(
            f"entry {full['event']} is no event of this dossier",
            cure="Write the event first; memcon events show lists them with their numbers",
        )
    source = full.get("source")
    if source is not None and source not in sources:
        raise UsageError(
            f"entry {source} is no source of this dossier",
            cure="Take the source in first: memcon dossier add",
        )
    return full


def figure_words(figures: Mapping[str, int]) -> str:
    """`5 killed, 14 wounded`, `0 to 10 killed (best 0)`: as given, nothing added up."""
    parts = []
    for of in ("killed", "wounded"):
        low, best, high = (figures.get(f"{of}_{which}") for which in ("low", "best", "high"))
        text = _range(low, best, high)
        if text:
            number, _, rest = text.partition(" (")
            parts.append(f"{number} {of}" + (f" ({rest}" if rest else ""))
    return ", ".join(parts)


def _range(low: int | None, best: int | None, high: int | None) -> str:
    known = [n for n in (low, best, high) if n is not None]
    if not known:
        return ""
    if len(set(known)) == 1:
        if best is None and low is not None and high is None:
            return f"at least {low:,}"
        if best is None and low is None:
            return f"at most {known[0]:,}"
        return f"{known[0]:,}"
    span = f"{known[0]:,} to {known[-1]:,}"
    return span if best is None else f"{span} (best {best:,})"
