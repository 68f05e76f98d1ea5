"""One state of affairs, or two."""

from __future__ import annotations

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
    assert found == Break(BEGIN + 400, early, late)


@pytest.mark.parametrize(
    "weights",
    [
        sums(5, 5),
        sums(18, 2),  # nine times as much
        sums(0, 0),
        np.where(np.arange(1000) == 500, 100_000, 1),  # one terrible day
        sums(30, 2, at=LEAST // 2),
    ],
)
def test_one_state_of_affairs_has_no_break(weights: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    assert level_break(DAYS, weights.astype(np.int64), BEGIN, BEGIN + 1000) is None


def test_a_short_file_is_one() -> None:
    assert level_break(DAYS, sums(30, 2, at=170), BEGIN, BEGIN + 2 * LEAST - 1) is None


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
