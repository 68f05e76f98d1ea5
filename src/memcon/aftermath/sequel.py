"""How rare was what followed: one call's window among all windows of that length in the span.

Every observed tick is taken once as the moment of a call; a window that reaches beyond the span's end
holds what the span holds. This says how often so much follows *any* moment, and nothing about why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from memcon.aftermath.frame import Frame, Ints
    from memcon.aftermath.tally import Tally
    from memcon.aftermath.windows import Window


@dataclass(frozen=True)
class Sequel:
    """`value` fell in the window of the call; on `as_many` of `ticks` at least as much did.

    These ticks are not independent: windows overlap. `stretches` counts those that stand apart by more
    than a window. `values` and `often` are the whole distribution: how many ticks were followed by each
    value.
    """

    window: Window
    value: int
    as_many: int
    ticks: int
    stretches: int
    values: Ints
    often: Ints

    @property
    def share(self) -> float:
        """Share of ticks followed by at least as much; never 0, the call's own is among them."""
        return self.as_many / self.ticks


def sequel(events: Tally, call: int, frame: Frame, window: Window) -> Sequel:
    """The window of `call` (a tick of the frame) beside all others: exact, at each change of the sum."""
    starts, levels = _levels(events, frame, window)
    ends = np.append(starts[1:], frame.segments[-1].end)
    ticks = frame.ticks_before(ends) - frame.ticks_before(starts)
    seen = ticks > 0
    starts, ends, levels, ticks = starts[seen], ends[seen], levels[seen], ticks[seen]
    around = events.before(np.array([call + window.first, call + window.after], np.int64))
    value = int(events.sums[around[1]] - events.sums[around[0]])
    hot = levels >= value
    values, where = np.unique(levels, return_inverse=True)
    often = np.bincount(where, weights=ticks).astype(np.int64)
    return Sequel(
        window,
        value,
        int(ticks[hot].sum()),
        frame.length,
        _stretches(starts[hot], ends[hot], window.after - window.first),
        values,
        often,
    )


def _levels(events: Tally, frame: Frame, window: Window) -> tuple[Ints, Ints]:
    """Moments where what a window holds changes, from the span's start, and what it holds from there."""
    first = frame.segments[0].start
    enters = events.times - (window.after - 1)  # a call at this moment has the event as its last tick
    leaves = events.times - window.first + 1
    moments = np.unique(np.concatenate([[first], enters, leaves]))
    moments = moments[(moments >= first) & (moments < frame.segments[-1].end)]
    held = events.sums[events.before(moments + window.after)]
    return moments, held - events.sums[events.before(moments + window.first)]


def _stretches(starts: Ints, ends: Ints, apart: int) -> int:
    """Runs of moments with less than a window between them count once."""
    return int((starts[1:] - ends[:-1] >= apart).sum()) + 1 if len(starts) else 0
