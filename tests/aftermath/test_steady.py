"""One state of affairs, or two."""

from __future__ import annotations

import csv
import os
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from memcon.aftermath.series import Request, Series, study_of
from memcon.aftermath.steady import LEAST, Break, level_break
from memcon.aftermath.study import Hypothesis, Naming, Study

BEGIN = 735_000
DAYS = np.arange(BEGIN, BEGIN + 1000, dtype=np.int64)


def sums(early: int, late: int, at: int = 400) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.where(np.arange(1000) < at, early, late).astype(np.int64)


@pytest.mark.parametrize(("early", "late"), [(30, 2), (2, 30), (0, 1)])
def test_a_war_and_the_years_around_it_are_two(early: int, late: int) -> None:
    found = level_break(DAYS, sums(early, late), BEGIN, BEGIN + 1000)
    assert found == Break(BEGIN + 400, early, late, float("inf"))


@pytest.mark.parametrize(
    "weights",
    [
        sums(5, 5),
        sums(0, 0),
        np.where(np.arange(1000) == 500, 100_000, 1),  # one terrible day is no level
        np.where((np.arange(1000) // 10) % 2 == 0, 9, 1),  # nor are days that resemble each other
    ],
)
def test_one_state_of_affairs_has_no_break(weights: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    assert level_break(DAYS, weights.astype(np.int64), BEGIN, BEGIN + 1000) is None


def test_a_short_file_is_one() -> None:
    assert level_break(DAYS, sums(30, 2, at=50), BEGIN, BEGIN + LEAST - 1) is None
    assert level_break(DAYS, sums(30, 2, at=50), BEGIN, BEGIN + LEAST) is not None


def clusters(seed: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Days of one level, half of them in clusters of a few days."""
    rng = np.random.default_rng(seed)
    rate = np.convolve(rng.exponential(1.0, 1004), np.full(5, 0.2), "valid")
    return rng.poisson(rate).astype(np.int64)


def test_it_seldom_finds_a_break_where_there_is_none() -> None:
    found = sum(level_break(DAYS, clusters(seed), BEGIN, BEGIN + 1000) is not None for seed in range(200))
    assert found <= 10  # 1 % of 200 is 2; more than 10 comes once in 100,000


def test_it_finds_one_of_twice_the_level() -> None:
    late = np.where(np.arange(1000) >= 600, clusters(7), 0)
    found = level_break(DAYS, clusters(3) + late, BEGIN, BEGIN + 1000)
    assert found is not None
    assert abs(found.at - BEGIN - 600) < 60


def test_the_war_in_the_real_file_is_parted_from_the_years_after_it() -> None:
    path = Path(os.environ.get("MEMCON_TEST_DATA", "../shared/data")) / "events"
    if not path.is_dir():
        pytest.skip("the events of the test data are not here (MEMCON_TEST_DATA)")
    with (path / "ucdp_ged_ukraine_2014_2021_compact.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if int(row["date_prec"]) <= 2]
    days = np.array([date.fromisoformat(row["date_start"]).toordinal() for row in rows], np.int64)
    found = level_break(days, np.array([int(r["best"]) for r in rows]), int(days.min()), int(days.max()) + 1)
    assert found is not None
    assert date(2015, 2, 1) < date.fromordinal(found.at) < date(2015, 6, 1)


def asked(call: int | None, span: tuple[int | None, int | None] = (None, None)) -> Study:
    events = Series(DAYS, DAYS, sums(30, 2))
    calls = BEGIN + np.array([100, 500, 600, 700], np.int64)
    request = Request((3,), call=None if call is None else BEGIN + call, span=span, draws=99)
    return study_of(
        events, Series(calls, calls, np.ones(4, np.int64)), request, Hypothesis("", "after"), Naming()
    )


@pytest.mark.parametrize(("call", "first", "last"), [(500, 400, 999), (100, 0, 399), (None, 0, 999)])
def test_a_call_is_compared_with_days_like_its_own(call: int | None, first: int, last: int) -> None:
    study = asked(call)
    assert (study.first, study.last) == (BEGIN + first, BEGIN + last)
    said = [line for line in study.naming.remarks if "another state of affairs" in line]
    assert len(said) == (call is not None)
    if call == 500:
        assert "30.00 a day against 2.00" in said[0]
        assert "of 1,000 days" in said[0]


def test_a_span_that_somebody_chose_is_left_alone() -> None:
    study = asked(500, (BEGIN, None))
    assert (study.first, study.last) == (BEGIN, BEGIN + 999)
