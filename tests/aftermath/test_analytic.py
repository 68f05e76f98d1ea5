from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.aftermath.analytic import TINY, at_least, poisson_p, window_chance
from memcon.errors import LocalError


def exactly(k: int, n: int, p: Fraction) -> Fraction:
    return sum((math.comb(n, j) * p**j * (1 - p) ** (n - j) for j in range(k, n + 1)), Fraction())


@given(st.integers(0, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.integers(0, 100))
def test_the_tail_is_the_sum_of_the_masses(kn: tuple[int, int], hundredths: int) -> None:
    k, n = kn
    p = Fraction(hundredths, 100)
    assert at_least(k, n, hundredths / 100) == pytest.approx(max(float(exactly(k, n, p)), TINY), rel=1e-9)


def test_a_perfect_rate_has_its_own_mass() -> None:
    # pyunicorn 1.0.0 sums up to N - 1 and gives 0 here
    assert at_least(5, 5, 0.5) == pytest.approx(0.5**5)


def test_p_is_never_0() -> None:
    assert at_least(1000, 1000, 1e-9) == TINY > 0
    assert at_least(1, 5, 0.0) == TINY
    assert poisson_p(3, 3, 1, 1e-300) > 0


def test_ten_million_events_are_summed_in_good_time() -> None:
    n, p = 10_000_000, 0.25
    spread = math.sqrt(n * p * (1 - p))
    middle = at_least(2_500_000, n, p)
    assert 0.499 < middle < 0.501
    assert at_least(2_500_000 + round(3 * spread), n, p) == pytest.approx(0.00135, rel=0.01)
    assert at_least(2_500_000 - round(3 * spread), n, p) == pytest.approx(1 - 0.00135, rel=1e-4)


def test_a_window_without_width_still_has_its_tick_in_discrete_time() -> None:
    # pyunicorn 1.0.0 has q = 0 here, hence p = 0 for any coincidence
    assert window_chance(0, 0, 20, discrete=True, symmetric=False) == 1 / 20
    assert window_chance(0, 1, 20, discrete=True, symmetric=False) == 1 / 19
    assert window_chance(3, 0, 20, discrete=True, symmetric=True) == 7 / 20
    assert window_chance(3, 5, 20, discrete=False, symmetric=False) == 3 / 15
    assert window_chance(3, 5, 20, discrete=False, symmetric=True) == 6 / 20
    assert window_chance(30, 25, 20, discrete=True, symmetric=False) == 1.0


def test_nothing_to_coincide_with() -> None:
    assert poisson_p(0, 0, 5, 0.1) == 1.0
    assert poisson_p(0, 5, 0, 0.1) == 1.0
    assert poisson_p(2, 5, 3, 1.0) == 1.0


@pytest.mark.parametrize(("k", "n", "p"), [(-1, 3, 0.5), (4, 3, 0.5), (1, 3, 1.5)])
def test_what_is_no_binomial_is_refused(k: int, n: int, p: float) -> None:
    with pytest.raises(LocalError, match="binomial"):
        at_least(k, n, p)
