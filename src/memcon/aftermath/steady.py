"""Whether a file of events tells of one state of affairs: a war and the years after it are two.

A call may only be compared with days that were like its own. Circular shifts need that too: a placement
that moves the calls of quiet years into a war counts the war's dead as chance.

The test is the textbook's for one change of a mean at an unknown time: the largest Wald statistic over all
days but the first and last 15 % (Andrews 1993), with a variance that allows for days that resemble the days
before them (Newey and West 1987). Nothing in it was set for a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from memcon.aftermath.frame import Ints

    Floats: TypeAlias = np.ndarray[tuple[int], np.dtype[np.float64]]

TRIM = 0.15
"""The share of days at either end where no break is looked for: the customary one."""
CRITICAL = 12.16
"""At 1 %, for one mean and that share (Andrews 2003, Econometrica 71, table 1)."""
LEAST = 100
"""Days of a file below which nothing is said: the table holds for long series."""


@dataclass(frozen=True, slots=True)
class Break:
    """Where the level changes: `at` is the first day of the second part; sums per day before and from it;
    the statistic, infinite where both parts are without any variation."""

    at: int
    before: float
    after: float
    wald: float


def level_break(days: Ints, weights: Ints, begin: int, end: int) -> Break | None:
    """The one day of [begin, end) that parts two levels best, where the test finds one.

    `days` and `weights` are what happened when.
    """
    length = end - begin
    if length < LEAST:
        return None
    inside = (days >= begin) & (days < end)
    sums = np.bincount(days[inside] - begin, weights=weights[inside], minlength=length)
    run = np.cumsum(sums)
    sizes = np.arange(int(np.ceil(TRIM * length)), int((1 - TRIM) * length) + 1)
    before, after = run[sizes - 1] / sizes, (run[-1] - run[sizes - 1]) / (length - sizes)
    gains = sizes * (length - sizes) / length * (before - after) ** 2
    best = int(np.argmax(gains))
    size, gain = int(sizes[best]), float(gains[best])
    if gain == 0:
        return None
    apart = np.where(np.arange(length) < size, before[best], after[best])
    variance = long_run_variance(sums - apart)
    wald = gain / variance if variance > 0 else float("inf")
    return Break(begin + size, float(before[best]), float(after[best]), wald) if wald > CRITICAL else None


def long_run_variance(residuals: Floats) -> float:
    """Of a series with mean 0 whose neighbours resemble each other: Newey and West (1987), Bartlett weights,
    their rule of 4 (n/100)^(2/9) lags."""
    n = len(residuals)
    lags = int(4 * (n / 100) ** (2 / 9))
    total = float(residuals @ residuals)
    for lag in range(1, lags + 1):
        total += 2 * (1 - lag / (lags + 1)) * float(residuals[lag:] @ residuals[:-lag])
    return total / n
