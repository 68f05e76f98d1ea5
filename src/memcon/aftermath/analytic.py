"""What chance gives if both series were Poisson processes: the binomial law of Donges et al. 2016.

It is stated for comparison and with a warning: where both series cluster it calls too much remarkable.
The tail is P(K >= k), with K = N in it, from integer counts.
"""

from __future__ import annotations

import math

from memcon.errors import LocalError

TINY = 5e-324
"""The smallest double: a probability too small for one is this, never 0."""


def at_least(k: int, n: int, p: float) -> float:
    """P(K >= k) for K ~ Binomial(n, p), to about 12 digits; 1 where k <= 0, never 0."""
    if not 0 <= k <= n or not 0.0 <= p <= 1.0:
        raise LocalError(f"no binomial tail at {k} of {n} with probability {p}")
    if k == 0 or p >= 1.0:
        return 1.0
    if p <= 0.0:
        return TINY
    if k > (n + 1) * p:
        return max(TINY, min(1.0, _upward(k, n, p)))
    return max(TINY, min(1.0, 1.0 - _downward(k - 1, n, p)))


def _mass(k: int, n: int, p: float) -> float:
    """P(K = k), by logarithms."""
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(ways + k * math.log(p) + (n - k) * math.log1p(-p))


def _upward(k: int, n: int, p: float) -> float:
    """Sum of the masses from k to n, k above the mode: terms only fall."""
    term = total = _mass(k, n, p)
    odds = p / (1.0 - p)
    for j in range(k, n):
        term *= (n - j) / (j + 1) * odds
        total += term
        if term < total * 1e-17:
            break
    return total


def _downward(k: int, n: int, p: float) -> float:
    """Sum of the masses from 0 to k, k not above the mode."""
    term = total = _mass(k, n, p)
    odds = (1.0 - p) / p
    for j in range(k, 0, -1):
        term *= j / (n - j + 1) * odds
        total += term
        if term < total * 1e-17:
            break
    return total


def window_chance(window: int, lag: int, span: int, *, discrete: bool, symmetric: bool) -> float:
    """q: how likely one event of a Poisson process falls in one window.

    `window` is Donges' dT, in ticks. Discrete time counts both edges: dT + 1 ticks.
    """
    edge = 1 if discrete else 0
    if symmetric:
        return min(1.0, (2 * window + edge) / span)
    room = span - lag
    return min(1.0, (window + edge) / room) if room > 0 else 1.0


def poisson_p(hits: int, own: int, others: int, q: float) -> float:
    """P(at least `hits` of `own` events have one of `others` in their window)."""
    if own == 0:
        return 1.0
    p = 1.0 if q >= 1.0 and others else -math.expm1(others * math.log1p(-q)) if others else 0.0
    return at_least(hits, own, p)
