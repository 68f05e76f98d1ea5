"""Sequence numbers: what was received, lost, doubled, late or restarted (RFC 3550 appendix A.1).

`SequenceTracker` follows one source packet by packet. `consecutive_runs` looks at a whole batch
and finds the stretches in which nothing happened, which is nearly all of them; a tracker takes
those in one step.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MODULUS = 1 << 16
MAX_DROPOUT = 3000
"""A jump forward of fewer packets is loss, of more a restart (A.1): one minute at 50 packets a second."""
MAX_MISORDER = 100
"""A step back of fewer packets is late arrival (A.1)."""


class Arrival(Enum):
    """What a packet was."""

    NEXT = auto()
    GAP = auto()
    LATE = auto()
    DUPLICATE = auto()
    STRAY = auto()
    RESTART = auto()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a packet belongs: `epoch` counts restarts, `extended` is the sequence number without wrap-around
    within its epoch. Of a STRAY it is a guess: the next packet tells whether it began a new epoch."""

    arrival: Arrival
    epoch: int
    extended: int


class SequenceTracker:
    """The sequence numbers of one source (SSRC), in order of arrival.

    Unlike A.1 there is no probation: a recorder keeps the first packet. A lone jump is a STRAY until
    its successor arrives; then both are a new epoch, and the loss between is unknown, not counted.
    """

    def __init__(self) -> None:
        self.received = 0
        """Packets taken, duplicates and strays included."""
        self.duplicates = 0
        self.reordered = 0
        self.strays = 0
        self.epoch = 0
        self._base: int | None = None
        self._highest = 0
        self._bad: int | None = None
        self._missing: list[tuple[int, int]] = []
        self._lost_before = 0
        self._expected_before = 0

    @property
    def expected(self) -> int:
        """Packets from the lowest to the highest number of every epoch."""
        current = 0 if self._base is None else self._highest - self._base + 1
        return self._expected_before + current

    @property
    def lost(self) -> int:
        """Packets expected and not (yet) received."""
        return self._lost_before + sum(last - first + 1 for first, last in self._missing)

    @property
    def restarts(self) -> int:
        """How often the numbering began anew."""
        return self.epoch

    @property
    def highest(self) -> int | None:
        """The highest extended number of the epoch, None before the first packet."""
        return None if self._base is None else self._highest

    def lost_ranges(self) -> list[tuple[int, int]]:
        """The missing extended numbers of this epoch, (first, last) inclusive, ascending."""
        return list(self._missing)

    def settle(self, before: int) -> list[tuple[int, int]]:
        """Give up on numbers below `before` (extended): returns those ranges, which stay counted as lost."""
        settled: list[tuple[int, int]] = []
        while self._missing and self._missing[0][0] < before:
            first, last = self._missing.pop(0)
            if last >= before:
                self._missing.insert(0, (before, last))
                last = before - 1
            settled.append((first, last))
            self._lost_before += last - first + 1
        return settled

    def add(self, sequence: int) -> Place:
        """Take the next packet to arrive, by its 16-bit number."""
        self.received += 1
        if self._base is None:
            self._base = self._highest = sequence
            return self._place(Arrival.NEXT, sequence)
        step = (sequence - self._highest) % MODULUS
        if step == 0:
            self.duplicates += 1
            return self._place(Arrival.DUPLICATE, self._highest)
        if step < MAX_DROPOUT:
            return self._forward(step)
        if step > MODULUS - MAX_MISORDER:
            return self._backward(self._highest - (MODULUS - step))
        return self._jump(sequence, step)

    def add_run(self, first: int, count: int) -> Place | None:
        """Take `count` consecutive packets beginning with `first` in one step.

        None, with nothing taken, unless they just continue (or begin) the numbering: then add them
        one by one. The place is that of the first; the others follow it.
        """
        if self._base is None:
            self._base, self._highest = first, first - 1
        elif (first - self._highest) % MODULUS != 1:
            return None
        self._bad = None
        self.received += count
        self._highest += count
        return self._place(Arrival.NEXT, self._highest - count + 1)

    def _place(self, arrival: Arrival, extended: int) -> Place:
        return Place(arrival, self.epoch, extended)

    def _forward(self, step: int) -> Place:
        self._bad = None
        if step > 1:
            self._missing.append((self._highest + 1, self._highest + step - 1))
        self._highest += step
        return self._place(Arrival.NEXT if step == 1 else Arrival.GAP, self._highest)

    def _backward(self, extended: int) -> Place:
        self._bad = None
        base = self._base if self._base is not None else extended
        if extended < base:
            # a late start: the first packet to arrive was not the first sent
            if extended + 1 < base:
                self._missing.insert(0, (extended + 1, base - 1))
            self._base = extended
        elif not self._fill(extended):
            self.duplicates += 1
            return self._place(Arrival.DUPLICATE, extended)
        self.reordered += 1
        return self._place(Arrival.LATE, extended)

    def _fill(self, extended: int) -> bool:
        """Take a number out of the missing ones; False if it was not missing."""
        i = bisect.bisect_right(self._missing, (extended, MODULUS << 32)) - 1
        if i < 0 or self._missing[i][1] < extended:
            return False
        first, last = self._missing.pop(i)
        rest = [(first, extended - 1), (extended + 1, last)]
        self._missing[i:i] = [(a, b) for a, b in rest if a <= b]
        return True

    def _jump(self, sequence: int, step: int) -> Place:
        if self._bad != sequence:
            self._bad = (sequence + 1) % MODULUS
            self.strays += 1
            return self._place(Arrival.STRAY, self._highest + step)
        # two in a row: the sender began anew; the packet before this one was the first of it
        self.strays -= 1
        self._expected_before = self.expected
        self._lost_before = self.lost
        self._missing = []
        self.epoch += 1
        self._bad = None
        self._base, self._highest = (sequence - 1) % MODULUS, (sequence - 1) % MODULUS + 1
        return self._place(Arrival.RESTART, self._highest)


class SourceTracker:
    """All sources of one stream: a sender may change its SSRC, and a stranger may send to the port."""

    def __init__(self, *, max_sources: int = 64) -> None:
        self.sources: dict[int, SequenceTracker] = {}
        self.current: int | None = None
        self.changes = 0
        """How often the SSRC differed from the packet before."""
        self.ignored = 0
        """Packets of sources beyond the limit: recorded, but not followed."""
        self._max = max_sources

    def tracker(self, ssrc: int) -> SequenceTracker | None:
        """The tracker of a source, made if new; None beyond the limit."""
        if self.current is not None and ssrc != self.current:
            self.changes += 1
        self.current = ssrc
        if ssrc not in self.sources and len(self.sources) >= self._max:
            return None
        return self.sources.setdefault(ssrc, SequenceTracker())

    def add(self, ssrc: int, sequence: int) -> Place | None:
        """Take a packet; None if its source is beyond the limit."""
        tracker = self.tracker(ssrc)
        if tracker is None:
            self.ignored += 1
            return None
        return tracker.add(sequence)

    @property
    def received(self) -> int:
        """Packets of all followed sources."""
        return sum(t.received for t in self.sources.values())

    @property
    def expected(self) -> int:
        """Packets expected of all followed sources."""
        return sum(t.expected for t in self.sources.values())

    @property
    def duplicates(self) -> int:
        """Packets that came more than once."""
        return sum(t.duplicates for t in self.sources.values())

    @property
    def lost(self) -> int:
        """Packets expected and not received."""
        return sum(t.lost for t in self.sources.values())


@dataclass(frozen=True, slots=True)
class Runs:
    """The stretches of a batch: `order` (int64[n]) sorts the batch by stream, keeping the order of arrival.

    Run r is `order[start[r] : start[r] + count[r]]`: packets of stream[r] and ssrc[r] whose numbers
    rise by one from first[r]. All other fields are arrays of one entry per run. A stream in which
    nothing happened has exactly one run.
    """

    order: NDArray[np.int64]
    start: NDArray[np.int64]
    count: NDArray[np.int64]
    stream: NDArray[np.int64]
    ssrc: NDArray[np.uint32]
    first: NDArray[np.uint16]

    def __len__(self) -> int:
        return len(self.start)


def consecutive_runs(
    stream: NDArray[np.int64], ssrc: NDArray[np.uint32], sequence: NDArray[np.uint16]
) -> Runs:
    """Cut a batch, in order of arrival and of any streams, into runs of consecutive numbers; shapes (n,)."""
    order = np.argsort(stream, kind="stable").astype(np.int64)
    streams, ssrcs, numbers = stream[order], ssrc[order], sequence[order]
    breaks = np.ones(len(order), np.bool_)
    if len(order) > 1:
        step = numbers[1:] - numbers[:-1]  # uint16, so it wraps as the numbers do
        breaks[1:] = (streams[1:] != streams[:-1]) | (ssrcs[1:] != ssrcs[:-1]) | (step != 1)
    start = np.flatnonzero(breaks).astype(np.int64)
    count = np.diff(np.append(start, len(order)))
    return Runs(order, start, count, streams[start], ssrcs[start], numbers[start])
