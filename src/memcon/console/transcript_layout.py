"""A transcript as lines of a page: utterances in their order, side by side where they were said together.

Pure. A *turn* is one row: an utterance, or several of different lanes that overlap. A stretch without
words (lost, hold, tone) stands at its true place: inside an utterance that goes on after it, else as a row of
its own, once where every lane has it. Turns are grouped by the minute they begin in: a page of a long call is
drawn, and grows, by minutes.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from memcon.record.transcript import Lane, Stretch, Utterance, Word

MINUTE_MS = 60_000
TOGETHER_MS = 500
"""Utterances of two lanes that overlap by this much stand side by side."""
SHORT_LOSS_MS = 200
"""Losses shorter than this are counted, not drawn: at 5 % loss there is one in every second word."""
UNSURE = 500
"""A word of a lesser confidence (thousandths) is shown as unsure: facts of the packaged model."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One utterance of lane `place` (from 0), the `n`-th of it; `gaps` are the stretches inside it."""

    place: int
    n: int
    lane: Lane
    said: Utterance
    gaps: tuple[Stretch, ...] = ()

    @property
    def speaker(self) -> str:
        """Who spoke, as far as anybody says; empty: unknown."""
        return self.said.speaker or self.lane.speaker

    @property
    def language(self) -> str:
        """BCP 47, `und` where nobody found it."""
        return self.said.language or self.lane.language


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch without words as a row of its own; `lanes` names them, empty where it is every lane."""

    stretch: Stretch
    lanes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Turn:
    """One row: pieces that stand side by side, or a gap."""

    start: int
    pieces: tuple[Piece, ...] = ()
    gap: Gap | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """The turns that begin in one minute of the call."""

    minute: int
    turns: tuple[Turn, ...]


def blocks(lanes: Sequence[Lane], first: int = 0, last: int | None = None) -> list[Block]:
    """The minutes from `first` to `last` (the last that holds anything), none left out."""
    by_minute: dict[int, list[Turn]] = {}
    for turn in turns(lanes):
        by_minute.setdefault(turn.start // MINUTE_MS, []).append(turn)
    end = max(by_minute, default=-1) if last is None else last
    return [Block(minute, tuple(by_minute.get(minute, ()))) for minute in range(first, end + 1)]


def turns(lanes: Sequence[Lane]) -> list[Turn]:
    """Every row, by its start."""
    inside, alone = _gaps(lanes)
    pieces = [
        Piece(place, n, lane, said, tuple(inside.get((place, n), ())))
        for place, lane in enumerate(lanes)
        for n, said in enumerate(lane.utterances)
    ]
    pieces.sort(key=lambda piece: (piece.said.start, piece.place))
    rows = [*_side_by_side(pieces), *(Turn(gap.stretch.start, gap=gap) for gap in alone)]
    return sorted(rows, key=lambda turn: (turn.start, turn.gap is None))


def _side_by_side(pieces: Sequence[Piece]) -> Iterator[Turn]:
    """A piece joins the row before it where it overlaps its first and its lane stands not there yet."""
    row: list[Piece] = []
    for piece in pieces:
        if row:
            overlap = min(row[0].said.end, piece.said.end) - piece.said.start
            if overlap >= TOGETHER_MS and all(piece.place != other.place for other in row):
                row.append(piece)
                continue
            yield Turn(row[0].said.start, tuple(row))
        row = [piece]
    if row:
        yield Turn(row[0].said.start, tuple(row))


def short_losses(lanes: Sequence[Lane]) -> tuple[int, int]:
    """(how many, how long together in ms) losses there are that are too short to be drawn."""
    found = [s.end - s.start for lane in lanes for s in lane.stretches if not _drawn(s)]
    return len(found), sum(found)


def _drawn(stretch: Stretch) -> bool:
    return stretch.what != "lost" or stretch.end - stretch.start >= SHORT_LOSS_MS


def _gaps(lanes: Sequence[Lane]) -> tuple[dict[tuple[int, int], list[Stretch]], list[Gap]]:
    """Stretches inside utterances, by (lane's place, utterance's place), and those that stand alone."""
    inside: dict[tuple[int, int], list[Stretch]] = {}
    alone: dict[tuple[int, int, str], tuple[Stretch, list[str]]] = {}
    for place, lane in enumerate(lanes):
        starts = [said.start for said in lane.utterances]
        for stretch in filter(_drawn, lane.stretches):
            n = _around(lane.utterances, starts, stretch)
            if n is None:
                key = stretch.start // 1000, stretch.end // 1000, stretch.what
                alone.setdefault(key, (stretch, []))[1].append(lane.name)
            else:
                inside.setdefault((place, n), []).append(stretch)
    gaps = [
        Gap(stretch, () if len(names) == len(lanes) > 1 else tuple(names))
        for stretch, names in alone.values()
    ]
    return inside, gaps


def _around(utterances: Sequence[Utterance], starts: Sequence[int], stretch: Stretch) -> int | None:
    """The utterance that goes on after the stretch: it has words on both sides of it."""
    n = bisect_right(starts, stretch.start) - 1
    words = utterances[n].words if n >= 0 else ()
    return n if words and words[0].start < stretch.start <= words[-1].start else None


def runs(piece: Piece) -> Iterator[tuple[tuple[str, ...], list[Word]] | Stretch]:
    """The words of a piece in runs of the same marks, with its gaps between them."""
    gaps = sorted(piece.gaps, key=lambda gap: gap.start)
    run: list[Word] = []
    for word in piece.said.words:
        while gaps and gaps[0].start <= word.start:
            if run:
                yield run[0].marks, run
            run = []
            yield gaps.pop(0)
        if run and (run[0].marks != word.marks or not word.text or not run[0].text):
            yield run[0].marks, run
            run = []
        run.append(word)
    if run:
        yield run[0].marks, run
    yield from gaps
