"""Numbers, times and sentences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.clock import NS
from memcon.console import words

NINE = 1_795_000_000 * NS  # 18 November 2026, 11:06:40 UTC


def plain(text: str) -> str:
    return text.replace(words.NBSP, " ")


def test_days_and_times() -> None:
    assert words.day(NINE) == "18 November 2026"
    assert words.weekday(NINE) == "Wednesday 18 November 2026"
    assert words.short_day(NINE) == "18 Nov 2026"
    assert words.clock_time(NINE) == "11:06:40"
    assert words.iso(NINE) == "2026-11-18T11:06:40Z"
    assert words.iso(-30_610_224_000_000_000_001) == "0999-12-31T23:59:59Z"


@given(st.integers())
def test_no_time_is_too_wild_for_a_page(wall: int) -> None:
    assert len(words.iso(wall)) == 20


def test_a_day_in_an_address_is_read_or_refused() -> None:
    start = words.day_start("2026-11-18")
    assert start is not None
    assert words.iso(start) == "2026-11-18T00:00:00Z"
    assert words.day_start("yesterday") is None
    assert words.day_start("2026-02-30") is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (48, "48 s"), (348, "5 min 48 s"), (3723, "1 h 02 min 03 s"), (-5, "0 s")],
)
def test_lengths(seconds: int, text: str) -> None:
    assert plain(words.length(seconds * NS)) == text


def test_places_in_a_call() -> None:
    assert words.at(261) == "4:21"
    assert words.at(3723) == "1:02:03"


def test_lateness_keeps_its_sign() -> None:
    assert plain(words.lateness(310_000_000)) == "0.31 s"
    assert plain(words.lateness(12 * NS)) == "12 s"
    assert plain(words.lateness(-2 * NS)) == "-2.00 s"


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (999, "999 B"),
        (212_000, "212 kB"),
        (5_900_000, "5.9 MB"),
        (999_600, "1.0 MB"),
        (212_000_000_000, "212 GB"),
        (4_000_000_000_000, "4.0 TB"),
    ],
)
def test_sizes(octets: int, text: str) -> None:
    assert plain(words.size(octets)) == text


def test_counts_and_lists() -> None:
    assert plain(words.count(1, "call")) == "1 call"
    assert plain(words.count(1284, "call")) == "1,284 calls"
    assert plain(words.count(2, "entry", "entries")) == "2 entries"
    assert words.listed([]) == ""
    assert words.listed(["a"]) == "a"
    assert words.listed(["a", "b", "c"]) == "a, b and c"


def test_a_call_without_names_says_so() -> None:
    assert words.between(()) == "Parties not named"
    assert words.between(("Solheim", " ")) == "Solheim and not named"


def test_sentences_end_once() -> None:
    assert words.sentence("3 s lost") == "3 s lost."
    assert words.sentence("was it on?") == "Was it on?"
    assert words.sentence("  ") == ""


def test_a_digest_is_grouped_and_whole() -> None:
    assert words.grouped("c7a903e15b") == "c7a9 03e1 5b"
