"""Whether a file of events tells of one state of affairs: a war and the years after it are two.

A call may only be compared with days that were like its own. Circular shifts need that too: a placement
that moves the calls of quiet years into a war counts the war's dead as chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from memcon.aftermath.frame import Ints

TIMES = 10
"""How many times as much a day makes another state of affairs: an order of magnitude."""
LEAST = 180
"""Days that a part has at least: a bad week is no state of affairs."""


@dataclass(frozen=True, slots=True)
class Break:
    """Where the level changes: `at` is the first day of the second part; sums per day before and from it."""

    at: int
    before: float
    after: float


def level_break(days: Ints, weights: Ints, begin: int, end: int) -> Break | None:
    """The one day of [begin, end) that parts two levels best (the largest CUSUM).

    `days` and `weights` are what happened when. None unless both parts last `LEAST` days and one has `TIMES`
    as much a day as the other. The worst of a hundred days counts as the next worst: a massacre is no level.
    """
    length = end - begin
    if length < 2 * LEAST:
        return None
    inside = (days >= begin) & (days < end)
    sums = np.bincount(days[inside] - begin, weights=weights[inside], minlength=length)
    run = np.cumsum(np.minimum(sums, np.quantile(sums, 0.99)))
    sizes = np.arange(LEAST, length - LEAST + 1)
    before = run[sizes - 1]
    apart = np.abs(before - run[-1] * sizes / length) / np.sqrt(sizes * (length - sizes))
    size = int(sizes[np.argmax(apart)])
    low, high = sorted(
        means := (float(run[size - 1]) / size, float(run[-1] - run[size - 1]) / (length - size))
    )
    if high == 0 or high < TIMES * low:
        return None
    return Break(begin + size, *means)
