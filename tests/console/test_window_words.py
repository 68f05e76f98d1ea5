"""The windows of a call's beats in words."""

from __future__ import annotations

from dataclasses import replace

from memcon.console.window_words import sealed_between
from memcon.verify.attest import Answer
from memcon.verify.window import Window

GOOD = [Window(n, n, 100 + n, 110 + n, Answer.ATTESTED) for n in range(3)]
UNDATED = Window(3, 3, None, None, Answer.UNKNOWN)


def test_between_the_first_and_the_last_that_witnesses_dated() -> None:
    (line,) = sealed_between(GOOD)
    assert "sealed between 1970-01-01T00:01:40Z and 1970-01-01T00:01:52Z, each beat within 10 s" in line


def test_beats_without_a_window_are_counted() -> None:
    assert sealed_between([*GOOD, UNDATED])[1] == "1 of 4 beats have no window yet"


def test_an_authority_that_dates_them_too() -> None:
    stamped = [replace(GOOD[0], stamped=86_400), replace(GOOD[1], stamped=172_800)]
    assert sealed_between(stamped)[-1] == "not after 1970-01-03T00:00:00Z by a time-stamping authority too"


def test_beats_that_name_a_drand_round() -> None:
    dated = [replace(GOOD[0], drand=90), GOOD[1]]
    assert "1 beat not before their drand round either, the first of 1970-01-01T00:01:30Z" in sealed_between(
        dated
    )


def test_without_any_it_is_the_operators_clock() -> None:
    for sealed in ([], [UNDATED]):
        (line,) = sealed_between(sealed)
        assert "by the operator's clock only" in line
