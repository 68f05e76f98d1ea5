"""The test against published numbers, and against what peers get wrong."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest

from memcon.aftermath.frame import Frame
from memcon.aftermath.tally import Tally
from memcon.aftermath.testing import Direction, Outcome, Question, examine, gap_variation
from memcon.aftermath.windows import Window
from memcon.errors import UsageError

if TYPE_CHECKING:
    from memcon.aftermath.frame import Ints

# CoinCalc 2.0's own example series and what it prints for them
A = np.array([i for i, c in enumerate("01001000100100001000") if c == "1"])
B = np.array([i for i, c in enumerate("10010001000001010000") if c == "1"])
TOY = [
    # width, lag, symmetric, precursor rate, trigger rate, p, p
    (0, 0, False, 0, 0, "1.0000000000", "1.0000000000"),
    (0, 1, False, 0.8, 0.8, "0.0127589229", "0.0127589229"),
    (1, 0, False, 0.8, 0.8, "0.0945476171", "0.0945476171"),
    (1, 1, False, 0.8, 0.8, "0.1090600611", "0.1090600611"),
    (2, 0, False, 0.8, 0.8, "0.2657386118", "0.2657386118"),
    (2, 1, False, 0.8, 1, "0.2976079349", "0.0636906304"),
    (1, 0, True, 0.8, 0.8, "0.2657386118", "0.2657386118"),
    (2, 0, True, 1, 1, "0.2580806157", "0.2580806157"),
    (0, 1, True, 0.8, 0.8, "0.0107246672", "0.0107246672"),
    (2, 1, True, 0.8, 1, "0.6595760679", "0.2580806157"),
]
# its example of flowering and April temperature: years 1 to 60, five of them unknown
FLOWERS, WARM = np.array([9, 11, 18, 55, 57, 59]), np.array([11, 16, 43, 50, 57, 59])
EXAMPLE = [
    (0, False, 0.5, 0.5, 0.01777557479, 0.01777557479),
    (1, False, 0.5, 0.5, 0.0980008545, 0.0980008545),
    (2, False, 2 / 3, 2 / 3, 0.0597359464, 0.0597359464),
    (2, True, 1.0, 2 / 3, 0.006824721571, 0.231860035814),
]


def rates(events: Ints, calls: Ints, frame: Frame, window: Window) -> tuple[Outcome, Outcome]:
    asked = Question((window,), ("precursor", "trigger"), draws=5)
    precursor, trigger = examine(Tally(events), calls, frame, asked).outcomes
    return precursor, trigger


@pytest.mark.parametrize(("width", "lag", "symmetric", "r_p", "r_t", "p_p", "p_t"), TOY)
def test_coincalc_toy_series(
    width: int, lag: int, symmetric: bool, r_p: float, r_t: float, p_p: str, p_t: str
) -> None:
    precursor, trigger = rates(A, B, Frame.of(0, 20), Window(width, lag, symmetric))
    assert (precursor.rate, trigger.rate) == (r_p, r_t)
    assert f"{precursor.poisson:.10f}" == p_p
    assert f"{trigger.poisson:.10f}" == p_t


@pytest.mark.parametrize(("width", "symmetric", "r_p", "r_t", "p_p", "p_t"), EXAMPLE)
def test_coincalc_example_with_unknown_years(
    width: int, symmetric: bool, r_p: float, r_t: float, p_p: float, p_t: float
) -> None:
    frame = Frame.of(1, 61).without([(1, 6)])
    precursor, trigger = rates(FLOWERS, WARM, frame, Window(width, 0, symmetric))
    assert precursor.rate == pytest.approx(r_p)
    assert trigger.rate == pytest.approx(r_t)
    assert precursor.poisson == pytest.approx(p_p, rel=1e-8)
    assert trigger.poisson == pytest.approx(p_t, rel=1e-8)


def test_as_many_counts_as_extreme() -> None:
    # CoinCalc's surrogate p is P(S > K), fourteen times too small here, and 0 at a perfect rate
    def hits(calls: tuple[int, ...]) -> int:
        return sum(any(0 <= a - b <= 1 for b in calls) for a in A.tolist())

    everywhere = [hits(calls) for calls in combinations(range(20), 5)]
    exact = sum(h >= 4 for h in everywhere) / len(everywhere)
    more = sum(h > 4 for h in everywhere) / len(everywhere)
    asked = Question((Window(1),), ("precursor",), "poisson", draws=4000)
    p = examine(Tally(A), B, Frame.of(0, 20), asked).outcomes[0].p
    assert p == pytest.approx(exact, abs=4 * (exact / 4000) ** 0.5)
    assert p > 5 * more


def test_p_is_exact_over_every_shift_and_never_0() -> None:
    frame, events = Frame.of(0, 100), Tally(np.array([10, 40, 77]))
    asked = Question((Window(0, 1),), ("trigger",))
    found = examine(events, np.array([9, 39, 76]), frame, asked)
    assert found.exact
    assert found.draws == 99
    assert found.outcomes[0].p == 1 / 100
    assert found.outcomes[0].p_family == 1 / 100


def test_a_family_is_never_less_careful_than_its_members() -> None:
    rng = np.random.default_rng(2)
    events = Tally(np.unique(rng.integers(0, 1000, 80)))
    asked = Question(tuple(Window(w, 1) for w in (0, 1, 2, 6)))
    found = examine(events, np.unique(rng.integers(0, 1000, 20)), Frame.of(0, 1000), asked)
    assert len(found.outcomes) == 12
    assert all(o.p_family >= o.p for o in found.outcomes)
    assert found.of(Window(2, 1), "total").window == Window(2, 1)


def test_directions() -> None:
    events, calls = Tally(np.arange(0, 50)), np.array([60, 70, 80])
    frame = Frame.of(0, 100)

    def found(direction: Direction) -> Outcome:
        asked = Question((Window(0),), ("trigger",), direction=direction)
        return examine(events, calls, frame, asked).outcomes[0]

    assert found("more").p == 1.0
    assert 0.2 < found("fewer").p < 0.4
    assert found("fewer").poisson is None
    assert found("either").p >= found("fewer").p


def test_what_cannot_be_tested_is_refused() -> None:
    frame, events = Frame.of(0, 100), Tally(np.array([10]))
    asked = Question((Window(0),))
    with pytest.raises(UsageError, match="2 calls lie outside"):
        examine(events, np.array([-1, 5, 100]), frame, asked)
    with pytest.raises(UsageError, match="no call"):
        examine(events, np.zeros(0, np.int64), frame, asked)
    with pytest.raises(UsageError, match="no window"):
        Question(())
    with pytest.raises(UsageError, match="twice"):
        Question((Window(0), Window(0)))


def test_gaps_tell_clusters() -> None:
    assert gap_variation(np.array([1, 2])) is None
    assert gap_variation(np.array([4, 4, 4])) is None
    assert gap_variation(np.arange(0, 90, 3)) == 0.0
    clustered = gap_variation(np.array([0, 1, 2, 100, 101, 102]))
    assert clustered is not None
    assert clustered > 1.5
