"""The span that was observed, in whole ticks (days or seconds), with its holes and its regimes.

A tick that was not observed is in no segment: nothing can be said about it, so no call is ever moved
there and it does not count in the length. Segments of the same label are one stratum, laid end to
end; a call moved at chance stays in its stratum.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from memcon.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Ints: TypeAlias = NDArray[np.int64]
Unit = Literal["day", "second"]
WHOLE = ""
"""The label of the only stratum where no regimes are given."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Observed ticks from `start` up to and without `end`."""

    start: int
    end: int
    label: str = WHOLE


@dataclass(frozen=True)
class Stratum:
    """One regime: its segments laid end to end, and which calls fall in it."""

    starts: Ints
    offsets: Ints
    length: int

    def times(self, positions: Ints) -> Ints:
        """Where positions (0 to length - 1) of the laid-out stratum stand in time."""
        at = np.searchsorted(self.offsets, positions, side="right") - 1
        return self.starts[at] + (positions - self.offsets[at])

    def positions(self, times: Ints) -> Ints:
        """The reverse of `times`, for times that are in the stratum."""
        at = np.searchsorted(self.starts, times, side="right") - 1
        return self.offsets[at] + (times - self.starts[at])


@dataclass(frozen=True)
class Frame:
    """Segments in order of time, none overlapping. `unit` is what a tick is."""

    segments: tuple[Segment, ...]
    unit: Unit = "day"

    def __post_init__(self) -> None:
        if not self.segments:
            raise UsageError("the span holds no time", cure="Give a span that ends after it begins")
        last: int | None = None
        for segment in self.segments:
            if segment.end <= segment.start:
                raise UsageError("the span holds no time", cure="Give a span that ends after it begins")
            if last is not None and segment.start < last:
                raise UsageError("two parts of the span overlap", cure="Give regimes and holes that do not")
            last = segment.end

    @classmethod
    def of(cls, start: int, end: int, unit: Unit = "day") -> Frame:
        """One unbroken span, `end` not in it."""
        return cls((Segment(start, end),), unit)

    def without(self, holes: Iterable[tuple[int, int]]) -> Frame:
        """The same span less some stretches (start, end not in it)."""
        kept = list(self.segments)
        for start, end in holes:
            kept = [
                piece
                for s in kept
                for piece in (
                    Segment(s.start, min(s.end, start), s.label),
                    Segment(max(s.start, end), s.end, s.label),
                )
                if piece.start < piece.end
            ]
        return Frame(tuple(kept), self.unit)

    def regimes(self, bounds: Sequence[tuple[int, str]]) -> Frame:
        """The same span cut where a regime begins: (first tick, label), labels may come back."""
        cuts = sorted(bounds)
        cut: list[Segment] = []
        for segment in self.segments:
            edges = [t for t, _ in cuts if segment.start < t < segment.end]
            for start, end in zip([segment.start, *edges], [*edges, segment.end], strict=True):
                label = next((name for t, name in reversed(cuts) if t <= start), "before")
                cut.append(Segment(start, end, label))
        return Frame(tuple(cut), self.unit)

    def one_regime(self) -> Frame:
        """The same span with its regimes forgotten."""
        if all(s.label == WHOLE for s in self.segments):
            return self
        return Frame(tuple(Segment(s.start, s.end) for s in self.segments), self.unit)

    @cached_property
    def length(self) -> int:
        """Observed ticks."""
        return sum(s.end - s.start for s in self.segments)

    @cached_property
    def strata(self) -> tuple[Stratum, ...]:
        """The regimes, in order of first appearance."""
        made = []
        for label in dict.fromkeys(s.label for s in self.segments):
            own = [s for s in self.segments if s.label == label]
            lengths = [s.end - s.start for s in own]
            offsets = np.cumsum([0, *lengths[:-1]], dtype=np.int64)
            made.append(Stratum(np.array([s.start for s in own], np.int64), offsets, sum(lengths)))
        return tuple(made)

    @cached_property
    def _edges(self) -> tuple[Ints, Ints, Ints]:
        starts = np.array([s.start for s in self.segments], np.int64)
        ends = np.array([s.end for s in self.segments], np.int64)
        before = np.concatenate([[0], np.cumsum(ends - starts)]).astype(np.int64)
        return starts, ends, before

    def segment_of(self, times: Ints) -> Ints:
        """Which segment each time is in, -1 for none."""
        starts, ends, _ = self._edges
        at = np.searchsorted(starts, times, side="right") - 1
        inside = (at >= 0) & (times < ends[np.maximum(at, 0)])
        return np.where(inside, at, -1).astype(np.int64)

    def holds(self, times: Ints) -> NDArray[np.bool_]:
        """Which of the times were observed."""
        return np.asarray(self.segment_of(times) >= 0)

    def ticks_before(self, times: Ints) -> Ints:
        """How many observed ticks come before each time."""
        starts, ends, before = self._edges
        at = np.searchsorted(starts, times, side="right") - 1
        inside = np.minimum(times, ends[np.maximum(at, 0)]) - starts[np.maximum(at, 0)]
        return np.where(at < 0, 0, before[np.maximum(at, 0)] + inside).astype(np.int64)

    def by_stratum(self, times: Ints) -> list[Ints]:
        """The times that fall in each stratum, as positions in it."""
        label_of = [s.label for s in self.segments]
        names = list(dict.fromkeys(label_of))
        number = np.array([names.index(label) for label in label_of], np.int64)
        mine = number[self.segment_of(times)]
        return [stratum.positions(times[mine == i]) for i, stratum in enumerate(self.strata)]
