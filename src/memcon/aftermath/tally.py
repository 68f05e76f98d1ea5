"""Counts events before any moment, many moments at once: what every window is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from memcon.aftermath.frame import Ints

DENSE = 1 << 22
"""Up to this many ticks each has its own entry; above it a bucket is searched."""
_BUCKETS = 1 << 24


class Tally:
    """Sorted event times with weights, ready to be counted. Times and weights are int64.

    `merge` makes events of one tick one event (its weights added): what "an event day" is.
    """

    def __init__(self, times: Ints, weights: Ints | None = None, *, merge: bool = False) -> None:
        times = np.asarray(times, np.int64)
        weights = np.ones(len(times), np.int64) if weights is None else np.asarray(weights, np.int64)
        if len(times) > 1 and bool((times[1:] < times[:-1]).any()):
            order = np.argsort(times, kind="stable")
            times, weights = times[order], weights[order]
        if merge and len(times):
            first = np.concatenate([[True], times[1:] != times[:-1]])
            weights = np.add.reduceat(weights, np.flatnonzero(first))
            times = times[first]
        self.times = times
        self.weights = weights
        self.sums = np.concatenate([[0], np.cumsum(weights)]).astype(np.int64)
        self._index()

    def __len__(self) -> int:
        return len(self.times)

    def _index(self) -> None:
        """A bucket of 2^k ticks has the number of events before it; k is 0 for a short span."""
        n = len(self.times)
        self._low = int(self.times[0]) if n else 0
        self._span = int(self.times[-1]) - self._low + 1 if n else 0
        room = DENSE if self._span <= DENSE else min(_BUCKETS, max(1024, 2 * n))
        self._bits = max(0, (self._span - 1).bit_length() - (room - 1).bit_length()) if n else 0
        buckets = (self._span >> self._bits) + 1
        filled = np.bincount((self.times - self._low) >> self._bits, minlength=buckets)
        self._starts = np.concatenate([[0], np.cumsum(filled)]).astype(np.int32 if n < 2**31 else np.int64)

    def before(self, moments: Ints) -> Ints:
        """For each moment, how many events have a smaller time."""
        at = np.clip(moments - self._low, 0, self._span)
        bucket = at >> self._bits
        low: Ints = self._starts[bucket].astype(np.int64)
        if self._bits == 0:
            return low  # a bucket is a tick: nothing to search
        high = self._starts[bucket + 1].astype(np.int64)
        moments = self._low + at
        flat = (low.reshape(-1), high.reshape(-1), moments.reshape(-1))
        open_ = np.flatnonzero(flat[0] < flat[1])
        lo, hi, sought = flat[0][open_], flat[1][open_], flat[2][open_]
        while len(open_):  # all buckets are halved together; those that are decided drop out
            middle = (lo + hi) >> 1
            less = self.times[middle] < sought
            lo = np.where(less, middle + 1, lo)
            hi = np.where(less, hi, middle)
            flat[0][open_] = lo
            going = lo < hi
            open_, lo, hi, sought = open_[going], lo[going], hi[going], sought[going]
        found: Ints = flat[0].reshape(moments.shape)
        return found
