"""Counting against the definition, event by event and call by call."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.aftermath.tally import Tally
from memcon.aftermath.windows import Window, counted
from memcon.errors import UsageError

times = st.lists(st.integers(0, 80), min_size=1, max_size=25)
windows = st.builds(Window, st.integers(0, 9), st.integers(0, 9), st.booleans())


def coincide(a: int, b: int, w: Window) -> bool:
    return (-w.width if w.symmetric else 0) <= a - w.lag - b <= w.width


@given(times, times, st.lists(windows, min_size=1, max_size=3, unique=True))
def test_counts_are_those_of_the_definition(events: list[int], calls: list[int], asked: list[Window]) -> None:
    weights = [i % 4 for i in range(len(events))]
    found = counted(Tally(np.array(events), np.array(weights)), np.array([sorted(calls)]), asked)[0]
    for window, (precursor, trigger, total) in zip(asked, found.tolist(), strict=True):
        assert precursor == sum(any(coincide(a, b, window) for b in calls) for a in events)
        assert trigger == sum(any(coincide(a, b, window) for a in events) for b in calls)
        assert total == sum(
            w for a, w in zip(events, weights, strict=True) for b in calls if coincide(a, b, window)
        )


@pytest.mark.parametrize(("width", "lag"), [(-1, 0), (0, -1)])
def test_a_window_that_runs_backwards_is_refused(width: int, lag: int) -> None:
    with pytest.raises(UsageError, match="not negative"):
        Window(width, lag)
