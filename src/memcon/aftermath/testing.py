"""The test: what the calls show beside what they show when moved at chance.

p = (1 + as extreme) / (1 + draws): the calls as they stand are one of the placements, so that p is never 0.
Several windows and statistics are one family: each is put on one scale by the mean and spread of all
placements, and the largest of a placement is compared with each of ours (Westfall and Young), over the
same placements. What that gives is the chance that any of the family looks so extreme.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from memcon.aftermath.analytic import poisson_p, window_chance
from memcon.aftermath.chance import every_shift, placements
from memcon.aftermath.windows import STATISTICS, Statistic, Window, counted
from memcon.errors import UsageError

if TYPE_CHECKING:
    from memcon.aftermath.chance import Null
    from memcon.aftermath.frame import Frame, Ints
    from memcon.aftermath.tally import Tally

Direction = Literal["more", "fewer", "either"]
Floats: TypeAlias = NDArray[np.float64]
_SAME = 1e-9


@dataclass(frozen=True, slots=True)
class Question:
    """What is tested. The first window is the one an answer speaks of."""

    windows: tuple[Window, ...]
    statistics: tuple[Statistic, ...] = STATISTICS
    null: Null = "circular"
    direction: Direction = "more"
    draws: int = 9999
    seed: int = 1
    block: int = 0

    def __post_init__(self) -> None:
        if not self.windows or not self.statistics:
            raise UsageError("no window, or nothing to count", cure="Name a window and a statistic at least")
        if len(set(self.windows)) < len(self.windows):
            raise UsageError("one window is named twice", cure="Name each window once")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One window and statistic. `of` is N_A or N_B; `chance` the mean of all placements, on the scale of
    `value`; `poisson` the analytic p, None for totals and for directions it does not know."""

    window: Window
    statistic: Statistic
    value: int
    of: int
    chance: float
    p: float
    p_family: float
    poisson: float | None

    @property
    def rate(self) -> float:
        """Share of events or calls with a coincidence; mean weight per call for a total."""
        return self.value / self.of if self.of else 0.0


@dataclass(frozen=True, slots=True)
class Tested:
    """All outcomes, in the order windows by statistics, and how they were made.

    `placed` holds what chance gave for the first window and the first statistic asked: for a picture.
    """

    outcomes: tuple[Outcome, ...]
    events: int
    calls: int
    length: int
    draws: int
    exact: bool
    placed: Ints

    def of(self, window: Window, statistic: Statistic) -> Outcome:
        """One of the outcomes."""
        return next(o for o in self.outcomes if o.window == window and o.statistic == statistic)


def examine(events: Tally, calls: Ints, frame: Frame, question: Question) -> Tested:
    """Test the calls against the events. Both must lie in the frame: UsageError where one does not."""
    calls = np.sort(np.asarray(calls, np.int64))
    _check(events, calls, frame)
    columns = [STATISTICS.index(s) for s in question.statistics]
    q = question
    ours = counted(events, calls[None, :], q.windows)[0][:, columns]
    drawn = [
        counted(events, rows, q.windows)[:, :, columns]
        for rows in placements(q.null, frame, calls, q.draws, q.seed, q.block)
    ]
    chance = np.concatenate(drawn)
    p, family = _compared(ours, chance, q.direction)
    means = (chance.sum(axis=0) + ours) / (len(chance) + 1)
    outcomes = []
    for w, window in enumerate(q.windows):
        for s, statistic in enumerate(q.statistics):
            of = len(events) if statistic == "precursor" else len(calls)
            outcomes.append(
                Outcome(
                    window,
                    statistic,
                    int(ours[w, s]),
                    of,
                    float(means[w, s]),
                    float(p[w, s]),
                    float(family[w, s]),
                    _analytic(window, statistic, int(ours[w, s]), events, calls, frame, q.direction),
                )
            )
    exact = every_shift(q.null, frame, q.draws)
    return Tested(tuple(outcomes), len(events), len(calls), frame.length, len(chance), exact, chance[:, 0, 0])


def _check(events: Tally, calls: Ints, frame: Frame) -> None:
    for what, times in (("call", calls), ("event", events.times)):
        outside = int((~frame.holds(times)).sum())
        if outside:
            raise UsageError(
                f"{outside:,} {what}s lie outside the span", cure="Leave them out, or give a longer span"
            )
    if not len(calls):
        raise UsageError("no call lies in the span", cure="Give another span, or other calls")


def _compared(ours: Ints, chance: Ints, direction: Direction) -> tuple[Floats, Floats]:
    """(p of each, p of each within the family), shape of `ours`."""
    n = len(chance)
    everything = np.concatenate([ours[None].astype(np.float64), chance.astype(np.float64)])
    spread = everything.std(axis=0)
    off = everything - everything.mean(axis=0)
    scaled = np.divide(off, spread, out=np.zeros_like(off), where=spread > 0)
    if direction == "fewer":
        scaled = -scaled
    elif direction == "either":
        scaled = np.abs(scaled)
    mine, theirs = scaled[0], scaled[1:]
    p = (1 + (theirs >= mine - _SAME).sum(axis=0)) / (1 + n)
    greatest = theirs.reshape(n, -1).max(axis=1)
    family = (1 + (greatest[:, None, None] >= mine - _SAME).sum(axis=0)) / (1 + n)
    return p, family


def _analytic(
    window: Window,
    statistic: Statistic,
    hits: int,
    events: Tally,
    calls: Ints,
    frame: Frame,
    direction: Direction,
) -> float | None:
    if statistic == "total" or direction != "more":
        return None
    q = window_chance(
        window.width,
        window.lag,
        frame.length,
        discrete=frame.unit == "day",
        symmetric=window.symmetric,
    )
    own, others = (len(events), len(calls)) if statistic == "precursor" else (len(calls), len(events))
    return poisson_p(hits, own, others, q)


def gap_variation(times: Ints) -> float | None:
    """Spread of the gaps between neighbours over their mean: 1 for a Poisson process, more if clustered.

    None for fewer than three times.
    """
    if len(times) < 3:
        return None
    gaps = np.diff(np.sort(times)).astype(np.float64)
    mean = float(gaps.mean())
    return float(gaps.std() / mean) if mean else None
