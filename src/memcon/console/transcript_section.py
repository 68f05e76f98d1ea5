"""The transcript as a part of a call's page: the version that is shown, drawn minute by minute, and the list
of versions.

A version never changes, so what was read and drawn of it is kept while the console runs: the first reader of
a two-hour call waits for it to be read, the next ones do not. Minutes are drawn when somebody looks at them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar

from memcon.console.transcript_html import MOST_COLUMNS, block_html
from memcon.console.transcript_layout import MINUTE_MS, UNSURE, blocks
from memcon.console.transcript_words import (
    FILES,
    ChangeRow,
    FileOfWords,
    Line,
    change_rows,
    lane_notes,
    line_of,
)
from memcon.console.unhurried import Unhurried
from memcon.console.words import at
from memcon.errors import FormatError, UsageError
from memcon.record.transcript_diff import differences
from memcon.store.transcripts import Kept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from markupsafe import Markup

    from memcon.console.deps import ConsoleDeps
    from memcon.console.transcript_deps import TranscriptBook
    from memcon.console.transcript_layout import Block
    from memcon.record.transcript import Lane, Word

KEPT = 16
"""Versions, and differences, that are kept as they were drawn."""
PART_WORDS = 8000
"""More words than this are shown in parts, one after the other: about three quarters of an hour of
two people talking."""
LISTED = 20
"""Versions that a call's page lists; older ones have an address all the same."""
SHOWN_CHANGES = 40

K = TypeVar("K")
V = TypeVar("V")


class Newest(Generic[K, V]):
    """The results of `make` that were asked for last, `most` of them."""

    def __init__(self, make: Callable[[K], V], most: int = KEPT) -> None:
        self._make = make
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V:
        """What `make` gives for the key, made now where it is not kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = self._make(key)
        self.put(key, made)
        return made

    def put(self, key: K, made: V) -> None:
        """Keep what somebody else made."""
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)


class Minute:
    """A minute of the call as it stands on the page, drawn when it is asked for."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self.n = block.minute

    @property
    def words(self) -> int:
        """How many words begin in it."""
        return sum(len(piece.said.words) for turn in self._block.turns for piece in turn.pieces)

    @cached_property
    def html(self) -> Markup:
        """Its rows."""
        return block_html(self._block)

    @cached_property
    def kinds(self) -> frozenset[str]:
        """Which of `unsure`, `hand`, `marked` stand in it."""
        turns = self._block.turns
        return frozenset(_kinds([w for turn in turns for piece in turn.pieces for w in piece.said.words]))


@dataclass(frozen=True, slots=True)
class Drawn:
    """A version, read and drawn."""

    kept: Kept
    minutes: tuple[Minute, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a long transcript: its number from 1, `0:00 to 1:02:00`, its minutes."""

    n: int
    label: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Place:
    """Whose transcript it is: `key` in the store, the address of its page, what can be heard there."""

    key: str
    base: str
    number: int
    live: bool
    audible: bool


@dataclass(frozen=True, slots=True)
class Growing:
    """The words so far of a call that goes on; `damaged`: they cannot be read."""

    minutes: tuple[Minute, ...]
    damaged: bool


@dataclass(frozen=True, slots=True)
class Section:
    """All that the page shows of it. `line` is None where there is no version; `changes` is None while they
    are worked out."""

    place: Place
    installed: bool
    lanes: tuple[tuple[str, str], ...]
    minutes: tuple[Minute, ...]
    columns: int
    line: Line | None = None
    lines: tuple[Line, ...] = ()
    earlier: int = 0
    newer: Line | None = None
    parts: tuple[Part, ...] = ()
    part: int = 1
    over: int | None = None
    changes: tuple[ChangeRow, ...] | None = ()
    notes: tuple[str, ...] = ()
    count: int = 0
    files: tuple[FileOfWords, ...] = ()
    damaged: bool = False
    """Whether what was heard of a call that goes on cannot be read."""
    seen: str = ""
    """The hash of the version that is shown by default: what whoever writes the next one must have seen."""

    @property
    def has(self) -> frozenset[str]:
        """Which of `unsure`, `hand`, `marked` stand in the words: the legend explains no others."""
        return frozenset[str]().union(*(minute.kinds for minute in self.minutes))


class Sections:
    """Makes them, over a book of transcripts."""

    def __init__(self, book: TranscriptBook, files: tuple[FileOfWords, ...] = ()) -> None:
        self.book = book
        self.files = files
        self._drawn = Newest(self._draw)
        self._heads = Newest(self._head, 40 * KEPT)
        self._changes = Newest(self._compare)
        self._unhurried = Unhurried(self._changes.get)

    def of(self, place: Place, version: int | None = None, part: int = 1) -> Section:
        """The section of a page. UsageError where there is no such version."""
        listed = self.book.store.versions(place.key)
        if not listed:
            if version is not None:
                raise UsageError("there is no transcript yet")
            return self._growing(place)
        current = self.book.store.current_version(place.key) or len(listed)
        shown = current if version is None else version
        drawn = self._drawn.get((place.key, shown))
        it = drawn.kept.transcript
        self._heads.put((place.key, shown), Kept(replace(it, lanes=()), drawn.kept.hash))
        lines = self.lines(place.key, shown, len(listed) - LISTED)
        parts = parts_of(drawn.minutes)
        here = next((one for one in parts if one.n == part), parts[0])
        over = it.corrects or (shown - 1 or None)
        changes = self._unhurried.get((place.key, over, shown)) if over else ()
        return Section(
            place=place,
            installed=self.book.installed,
            lanes=names_of(it.lanes),
            minutes=tuple(one for one in drawn.minutes if here.first <= one.n <= here.last),
            columns=columns_of(it.lanes),
            line=next((line for line in lines if line.shown), None) or self._line(place.key, shown, shown),
            lines=tuple(lines),
            earlier=max(0, len(listed) - LISTED),
            newer=next((one for one in lines if one.version > current), None) if shown == current else None,
            parts=tuple(parts),
            part=here.n,
            over=over,
            changes=changes,
            notes=tuple(lane_notes(it.lanes)),
            count=it.count(),
            files=self.files,
            seen=self._heads.get((place.key, current)).hash if shown != current else drawn.kept.hash,
        )

    def kept(self, key: str, version: int) -> Kept:
        """One version, checked. UsageError where there is none."""
        return self._drawn.get((key, version)).kept

    def minutes(self, key: str, version: int) -> tuple[Minute, ...]:
        """All of a version as it stands on a page. UsageError where there is none."""
        return self._drawn.get((key, version)).minutes

    def lines(self, key: str, shown: int, after: int = 0) -> list[Line]:
        """The versions after number `after`, newest first."""
        current = self.book.store.current_version(key) or 0
        heads = [
            self._heads.get((key, one.version))
            for one in reversed(self.book.store.versions(key))
            if one.version > after
        ]
        notes = self.book.sealed([head.hash for head in heads])
        return [line_of(head, notes, shown=shown, current=current) for head in heads]

    def changes(self, key: str, old: int, new: int) -> tuple[ChangeRow, ...]:
        """What changed between two versions, by time."""
        return self._changes.get((key, old, new))

    def live(self, number: int, first: int) -> Growing:
        """What has been heard of a call that goes on, from a minute on."""
        lanes, damaged = self._heard(number)
        return Growing(tuple(_drawn_minutes(lanes, first)), damaged)

    def _heard(self, number: int) -> tuple[Sequence[Lane], bool]:
        """The lanes so far, and whether they cannot be read: a page goes on without them."""
        try:
            return self.book.live(number), False
        except FormatError:
            return (), True

    def _line(self, key: str, version: int, current: int) -> Line:
        head = self._heads.get((key, version))
        return line_of(head, self.book.sealed([head.hash]), shown=version, current=current)

    def _growing(self, place: Place) -> Section:
        lanes, damaged = self._heard(place.number)
        minutes = tuple(_drawn_minutes(lanes))
        return Section(
            place, self.book.installed, names_of(lanes), minutes, columns_of(lanes), damaged=damaged
        )

    def _head(self, key: tuple[str, int]) -> Kept:
        return self.book.store.head(*key)

    def _draw(self, key: tuple[str, int]) -> Drawn:
        kept = self.book.store.read(*key)
        return Drawn(kept, tuple(_drawn_minutes(kept.transcript.lanes)))

    def _compare(self, asked: tuple[str, int, int]) -> tuple[ChangeRow, ...]:
        key, old, new = asked
        one, other = self.kept(key, old).transcript, self.kept(key, new).transcript
        return tuple(change_rows(differences(one, other)))


def sections_of(deps: ConsoleDeps) -> Sections | None:
    """The transcripts of a console; None where it keeps none."""
    if deps.transcripts is None:
        return None
    return Sections(deps.transcripts, FILES if deps.word_files is not None else ())


def _drawn_minutes(lanes: Sequence[Lane], first: int = 0) -> list[Minute]:
    return [Minute(block) for block in blocks(lanes, first)]


def _kinds(words: Sequence[Word]) -> Iterator[str]:
    """What the legend has to explain of these words."""
    if any(word.confidence is not None and word.confidence < UNSURE for word in words):
        yield "unsure"
    if any(word.confidence is None and word.text for word in words):
        yield "hand"
    if any(word.marks for word in words):
        yield "marked"


def names_of(lanes: Sequence[Lane]) -> tuple[tuple[str, str], ...]:
    """Of each lane its letter and who speaks on it."""
    return tuple((lane.name, lane.speaker or "Unknown speaker") for lane in lanes)


def columns_of(lanes: Sequence[Lane]) -> int:
    """How many columns a wide page has: one a lane, or 0 where one column has to do."""
    return len(lanes) if 2 <= len(lanes) <= MOST_COLUMNS else 0


def parts_of(minutes: Sequence[Minute]) -> list[Part]:
    """The parts that a long transcript is shown in, cut between minutes; always one at least."""
    cuts, words = [0], 0
    for minute in minutes:
        if words and words + minute.words > PART_WORDS:
            cuts.append(minute.n)
            words = 0
        words += minute.words
    ends = [*(cut - 1 for cut in cuts[1:]), max((one.n for one in minutes), default=0)]
    return [
        Part(n, f"{at(first * MINUTE_MS // 1000)} to {at((last + 1) * MINUTE_MS // 1000)}", first, last)
        for n, (first, last) in enumerate(zip(cuts, ends, strict=True), 1)
    ]
