from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from memcon.aftermath.frame import Frame
from memcon.aftermath.sequel import sequel
from memcon.aftermath.tally import Tally
from memcon.aftermath.windows import Window


@given(
    st.lists(st.tuples(st.integers(0, 59), st.integers(0, 5)), max_size=25),
    st.builds(Window, st.integers(0, 7), st.integers(0, 4), st.booleans()),
    st.integers(0, 19),
)
def test_every_tick_is_counted_once(pairs: list[tuple[int, int]], window: Window, call: int) -> None:
    frame = Frame.of(0, 60).without([(20, 33)])
    events = Tally(np.array([t for t, _ in pairs], np.int64), np.array([w for _, w in pairs], np.int64))

    def held(tick: int) -> int:
        return sum(w for t, w in pairs if tick + window.first <= t < tick + window.after)

    found = sequel(events, call, frame, window)
    ticks = [*range(20), *range(33, 60)]
    assert found.value == held(call)
    assert found.ticks == len(ticks)
    assert found.as_many == sum(held(t) >= held(call) for t in ticks)
    assert dict(zip(found.values.tolist(), found.often.tolist(), strict=True)) == {
        v: sum(held(t) == v for t in ticks) for v in {held(t) for t in ticks}
    }
    assert found.share > 0


def test_days_that_stand_together_are_one_stretch() -> None:
    events = Tally(np.array([10, 11, 50]), np.array([5, 5, 9]))
    found = sequel(events, 9, Frame.of(0, 100), Window(2, 1))
    assert (found.value, found.as_many, found.stretches) == (10, 2, 1)
    assert sequel(events, 10, Frame.of(0, 100), Window(2, 1)).stretches == 2
