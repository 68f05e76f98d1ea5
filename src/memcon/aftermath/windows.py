"""Coincidences of two series (Donges, Schleussner, Siegmund and Donner 2016, Eur. Phys. J. ST 225).

A are events, B are calls. With lag tau and window dT, an event at a and a call at b coincide when
a - tau - b is in [0, dT], both edges in it; in [-dT, dT] for a symmetric window. In terms of a call:
the event falls in [b + tau, b + tau + dT]. What lies after the span's end is not known, so that a window
that reaches beyond it holds what the span holds; the same is true of every shifted call.

- precursor: how many events have a call in their window (r_p = K / N_A);
- trigger: how many calls have an event in their window (r_t = K / N_B);
- total: the weights (deaths, or 1 an event) in the windows of all calls, added up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from memcon.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memcon.aftermath.frame import Ints
    from memcon.aftermath.tally import Tally

Statistic = Literal["precursor", "trigger", "total"]
STATISTICS: tuple[Statistic, ...] = ("precursor", "trigger", "total")


@dataclass(frozen=True, slots=True)
class Window:
    """`width` is dT and `lag` is tau, in ticks."""

    width: int
    lag: int = 0
    symmetric: bool = False

    def __post_init__(self) -> None:
        if self.width < 0 or self.lag < 0:
            raise UsageError(
                f"a window of {self.width} with a lag of {self.lag} ticks",
                cure="Give a window and a lag that are not negative",
            )

    @property
    def first(self) -> int:
        """The window's first tick, counted from the call."""
        return self.lag - self.width if self.symmetric else self.lag

    @property
    def after(self) -> int:
        """The tick after the window's last, counted from the call."""
        return self.lag + self.width + 1


def counted(events: Tally, calls: Ints, windows: Sequence[Window]) -> Ints:
    """Counts for each row of call times (sorted within the row): shape (rows, windows, 3 statistics)."""
    out = np.empty((len(calls), len(windows), len(STATISTICS)), np.int64)
    seen: dict[int, Ints] = {}
    for w, window in enumerate(windows):
        begin = _before(events, calls, window.first, seen)
        end = _before(events, calls, window.after, seen)
        covered = end.copy()
        # windows of neighbours overlap: an event that has two calls before it has coincided once
        np.minimum(covered[:, :-1], begin[:, 1:], out=covered[:, :-1])
        out[:, w, 0] = (covered - begin).sum(axis=1)
        out[:, w, 1] = (end > begin).sum(axis=1)
        out[:, w, 2] = (events.sums[end] - events.sums[begin]).sum(axis=1)
    return out


def _before(events: Tally, calls: Ints, shift: int, seen: dict[int, Ints]) -> Ints:
    """`events.before(calls + shift)`, once for windows that share an edge."""
    if shift not in seen:
        seen[shift] = events.before(calls + shift)
    return seen[shift]
