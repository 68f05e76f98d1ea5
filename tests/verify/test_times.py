"""Times as people give them."""

from __future__ import annotations

import contextlib
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.clock import SystemClock
from memcon.errors import UsageError
from memcon.verify import times

T = 1_795_597_200_000  # 2026-11-25T09:00:00Z


@pytest.mark.parametrize(
    ("text", "zone", "ms"),
    [
        ("2026-11-25T09:00:00Z", "UTC", T),
        ("2026-11-25T10:00:00+01:00", "UTC", T),
        ("2026-11-25 10:00", "Europe/Vienna", T),
        ("2026-11-25T04:00", "America/New_York", T),
        ("2026-11-25", "utc", T - 9 * 3_600_000),
        ("20261125T090000.250Z", "UTC", T + 250),
        ("@1795597200", "Europe/Vienna", T),
        ("@1795597200.5", "UTC", T + 500),
    ],
)
def test_times_in_any_zone(text: str, zone: str, ms: int) -> None:
    assert times.parse(text, times.zone(zone)) == ms


@pytest.mark.parametrize(
    "text",
    [
        "tomorrow",
        "5 ago",
        "9999999 d ago",
        "25:00",
        "",
        "2026-13-01",
        "@",
        "1969-12-31T23:59:59Z",
        "0001-01-01T00:00+23:00",
    ],
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError):
        times.parse(text)


@pytest.mark.parametrize(
    ("text", "zone", "ms"),
    [
        ("now", "UTC", T),
        ("90 min ago", "UTC", T - 5_400_000),
        ("2h ago", "UTC", T - 7_200_000),
        ("today", "UTC", T - 9 * 3_600_000),
        ("today", "America/Los_Angeles", T - 3_600_000),  # where it is one at night
        ("yesterday", "UTC", T - 33 * 3_600_000),
        ("08:30", "UTC", T - 1_800_000),
        ("08:30:05", "Europe/Vienna", T - 5_400_000 + 5000),
    ],
)
def test_times_of_today(text: str, zone: str, ms: int) -> None:
    assert times.parse(text, times.zone(zone), T) == ms


def test_now_is_by_this_machine() -> None:
    before = SystemClock().wall_ns() // 1_000_000
    assert before <= times.parse("now") <= SystemClock().wall_ns() // 1_000_000


@pytest.mark.parametrize("text", ["2026-10-25T02:30", "2026-03-29T02:30"])
def test_a_local_time_that_was_twice_or_never(text: str) -> None:
    with pytest.raises(UsageError, match="twice or never"):
        times.parse(text, times.zone("Europe/Vienna"))
    assert times.parse(f"{text}+01:00", times.zone("Europe/Vienna"))


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc", "Europe"])
def test_zones_that_are_none(name: str) -> None:
    with pytest.raises(UsageError, match="no time zone"):
        times.zone(name)


def test_times_are_shown_with_their_offset() -> None:
    assert times.show(T) == "2026-11-25T09:00:00Z"
    assert times.show(T + 5, UTC) == "2026-11-25T09:00:00.005Z"
    assert times.show(T, times.zone("Europe/Vienna")) == "2026-11-25T10:00:00+01:00"
    assert times.show(1 << 60) == f"{1 << 60} ms after 1970"


@given(st.integers(0, 250_000_000_000_000))
def test_what_is_shown_is_read_back(ms: int) -> None:
    for zone in ("UTC", "Asia/Kathmandu"):
        assert times.parse(times.show(ms, times.zone(zone))) == ms


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_named_as_none(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert times.parse(text) >= 0


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 s"),
        (40_000, "40 s"),
        (125_000, "2 min 5 s"),
        (3_600_000, "1 h"),
        (360_061_000, "4 d 4 h"),
        (5, "5 ms"),
    ],
)
def test_lengths(ms: int, text: str) -> None:
    assert times.length(ms) == text
