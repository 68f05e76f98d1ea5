"""A test at 5 % must cry wolf 5 times in 100, also where both series cluster.

This is the short run; the long one, with its table, is bench/calibration.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pytest

from memcon.aftermath.frame import Frame, Ints
from memcon.aftermath.reading import open_events
from memcon.aftermath.series import Selection, read_series
from memcon.aftermath.tally import Tally
from memcon.aftermath.testing import Question, examine
from memcon.aftermath.windows import Statistic, Window

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from memcon.aftermath.chance import Null

Drawn: TypeAlias = "Callable[[np.random.Generator], tuple[Tally, Ints]]"
SPAN, SIMS = 2498, 200
FIRST = 735_658  # 1 March 2015
ALLOWED = 0.05 + 3 * (0.05 * 0.95 / SIMS) ** 0.5


def clustered(rng: np.random.Generator, clusters: int, each: float, width: int) -> Ints:
    """A cluster process: days around chosen days."""
    centres = rng.integers(0, SPAN, clusters)
    days = [c + rng.integers(0, width, 1 + rng.poisson(each)) for c in centres]
    return np.unique(np.concatenate(days) % SPAN)


def share_of_alarms(null: Null, draw: Drawn, width: int, statistic: Statistic) -> float:
    rng, frame, alarms = np.random.default_rng(11), Frame.of(0, SPAN), 0
    for seed in range(SIMS):
        events, calls = draw(rng)
        asked = Question((Window(width - 1, 1),), (statistic,), null, draws=199, seed=seed)
        alarms += examine(events, calls, frame, asked).outcomes[0].p <= 0.05
    return alarms / SIMS


def synthetic(rng: np.random.Generator) -> tuple[Tally, Ints]:
    return Tally(clustered(rng, 60, 6, 20)), clustered(rng, 8, 4, 20)


@pytest.mark.parametrize("statistic", ["trigger", "precursor"])
def test_circular_shifts_hold_their_level_where_both_cluster(statistic: Statistic) -> None:
    assert share_of_alarms("circular", synthetic, 2, statistic) <= ALLOWED


def test_poisson_does_not() -> None:
    assert share_of_alarms("poisson", synthetic, 7, "trigger") > ALLOWED


def test_circular_shifts_hold_their_level_on_real_events(data: Path) -> None:
    with (data / "ucdp_ged_ukraine_2014_2021_compact.csv").open("rb") as stream:
        read = read_series(open_events(stream, "ucdp"), Selection("best"))
    days = read.first - FIRST
    inside = (days >= 0) & (days < SPAN)
    events = Tally(days[inside], read.weights[inside], merge=True)

    def real(rng: np.random.Generator) -> tuple[Tally, Ints]:
        return events, clustered(rng, 5, 3, 20)

    for statistic in ("trigger", "total"):
        assert share_of_alarms("circular", real, 2, statistic) <= ALLOWED
