from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.aftermath import tally as module
from memcon.aftermath.tally import Tally

times = st.lists(st.integers(-1000, 100_000), max_size=60)


@given(times, times)
def test_it_counts_what_is_smaller(events: list[int], moments: list[int]) -> None:
    tally = Tally(np.array(events, np.int64))
    asked = np.array([moments, moments], np.int64)
    expected = np.searchsorted(np.sort(np.array(events, np.int64)), asked, side="left")
    assert (tally.before(asked) == expected).all()


@pytest.mark.parametrize("clustered", [False, True])
def test_it_counts_in_buckets_too(clustered: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DENSE", 16)
    rng = np.random.default_rng(5)
    events = rng.integers(0, 10**9, 5000)
    if clustered:
        events[:4000] = rng.integers(7, 300, 4000)
    tally = Tally(events)
    moments = np.concatenate([rng.integers(-5, 10**9 + 5, 2000), events[:500], events[:500] + 1])
    assert (tally.before(moments) == np.searchsorted(np.sort(events), moments)).all()


def test_events_of_one_tick_are_merged_on_request() -> None:
    tally = Tally(np.array([5, 2, 5, 2, 9]), np.array([1, 2, 3, 4, 5]), merge=True)
    assert tally.times.tolist() == [2, 5, 9]
    assert tally.weights.tolist() == [6, 4, 5]
    assert len(Tally(np.array([5, 2, 5]))) == 3


def test_without_events_nothing_comes_before() -> None:
    assert Tally(np.zeros(0, np.int64)).before(np.array([-3, 0, 9])).tolist() == [0, 0, 0]
