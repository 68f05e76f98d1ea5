from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from memcon.aftermath.frame import Frame, Segment
from memcon.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable


def test_holes_are_no_time() -> None:
    frame = Frame.of(0, 20).without([(5, 8), (18, 30)])
    assert [(s.start, s.end) for s in frame.segments] == [(0, 5), (8, 18)]
    assert frame.length == 15
    held = frame.holds(np.array([-1, 0, 4, 5, 7, 8, 17, 18])).tolist()
    assert held == [False, True, True, False, False, True, True, False]
    assert frame.ticks_before(np.array([-3, 0, 4, 6, 8, 10, 40])).tolist() == [0, 0, 4, 5, 5, 7, 15]


def test_regimes_of_one_name_are_one_stratum() -> None:
    frame = Frame.of(0, 30).regimes([(0, "war"), (10, "truce"), (20, "war")])
    war, truce = frame.strata
    assert (war.length, truce.length) == (20, 10)
    assert war.times(np.array([0, 9, 10, 19])).tolist() == [0, 9, 20, 29]
    assert war.positions(np.array([0, 9, 20, 29])).tolist() == [0, 9, 10, 19]
    assert [part.tolist() for part in frame.by_stratum(np.array([3, 12, 25]))] == [[3, 15], [2]]
    assert frame.one_regime().strata[0].length == 30
    assert Frame.of(0, 30).regimes([(10, "truce")]).segments[0] == Segment(0, 10, "before")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Frame.of(5, 5),
        lambda: Frame.of(0, 5).without([(0, 9)]),
        lambda: Frame((Segment(0, 9), Segment(4, 12))),
    ],
)
def test_what_is_no_span_is_refused(make: Callable[[], Frame]) -> None:
    with pytest.raises(UsageError, match="span"):
        make()
