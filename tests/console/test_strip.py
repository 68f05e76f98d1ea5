"""The strip: what is drawn is what came, nothing else, and the counts add up."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.clock import NS
from memcon.console import strip
from memcon.console.deps import DAMAGED, HEARD, HELD, NOTHING, UNSEALED, Beat
from memcon.console.words import NBSP

PERIOD = 10 * NS
ALL: tuple[strip.SlotState, ...] = (
    "recording",
    "degraded",
    "partly off",
    "declared off",
    "silent",
    "no claim",
)


def beat(slot: int, state: int = 1, index: int | None = None) -> Beat:
    return Beat(slot if index is None else index, slot, state, 0, 0, None)


def states(beats: list[Beat], now_slot: int, *, first: int = 90, genesis: int | None = 50) -> list[str]:
    return list(
        strip.slot_states(beats, first, now_ns=now_slot * PERIOD, period_ns=PERIOD, genesis_slot=genesis)
    )


def drawing(markup: str) -> ET.Element:
    return ET.fromstring(str(markup))  # noqa: S314 - our own markup


def paths(markup: str, css: str) -> str:
    return "".join(one.get("d", "") for one in drawing(markup) if one.get("class") == css)


def test_a_beat_that_did_not_come_is_silent_and_nothing_is_drawn() -> None:
    found = states([beat(s) for s in range(90, 100) if s != 94], 100)
    assert found == ["recording"] * 4 + ["silent"] + ["recording"] * 5
    picture = strip.beats_strip(["recording", "silent", "recording"], "13:20")
    assert "M3 0" not in paths(picture, "tick")
    assert paths(picture, "base") == "M0 22.5h3M6 22.5h3"
    assert paths(picture, "flag").count("M") == 1


def test_the_newest_slots_are_not_called_silent_before_their_beat_is_overdue() -> None:
    assert states([beat(s) for s in range(90, 98)], 100)[-3:] == ["recording", "no claim", "no claim"]
    assert states([beat(s) for s in range(90, 97)], 100)[-3:] == ["silent", "no claim", "no claim"]


def test_nothing_is_claimed_before_the_log_began() -> None:
    beats = [beat(93, state=4, index=0), beat(94, index=1), beat(95, index=2)]
    assert states(beats, 96, genesis=93) == ["no claim"] * 4 + ["recording"] * 2
    assert states([], 96, genesis=None) == ["no claim"] * 6


def test_off_lasts_until_a_beat_says_otherwise() -> None:
    beats = [beat(90), beat(91, state=4), beat(94), beat(95, state=2), beat(96, state=3)]
    assert states(beats, 97) == [
        "recording",
        *["declared off"] * 3,
        "recording",
        "degraded",
        "partly off",
    ]
    assert states([beat(80, state=4), beat(99)], 100)[:2] == ["declared off"] * 2
    assert states([beat(80, state=4), beat(81), beat(99)], 100)[:2] == ["silent"] * 2


def test_adjacent_silent_runs_share_a_flag_and_off_is_one_box() -> None:
    picture = strip.beats_strip((*ALL[4:5] * 2, "recording", "silent", *ALL[3:4] * 4), "x")
    assert paths(picture, "flag").count("M") == 2
    boxes = [one for one in drawing(picture) if one.get("class") == "off"]
    assert [one.get("width") for one in boxes] == ["10"]


def test_degraded_is_the_low_half_and_partly_off_is_broken() -> None:
    assert paths(strip.beats_strip(["degraded"], "x"), "tick") == "M0 11h2v11h-2z"
    assert paths(strip.beats_strip(["partly off"], "x"), "tick") == "M0 0h2v5h-2zM0 17h2v5h-2z"
    assert paths(strip.beats_strip(["no claim"], "x"), "base-none") == "M0 22.5h3"


@given(st.lists(st.sampled_from(ALL), min_size=1, max_size=120))
def test_counts_add_up_and_the_picture_is_well_formed(some: list[strip.SlotState]) -> None:
    told = strip.counts_by_state(some).replace(",", "")
    total, _, rest = told.partition(":")
    assert int(total.split(NBSP)[0]) == sum(int(n) for n in re.findall(r"\d+", rest)) == len(some)
    picture = drawing(strip.beats_strip(some, "13:20", cells=60))
    assert picture.get("viewBox", "").startswith(f"0 0 {3 * max(60, len(some))} ")
    assert picture.get("aria-label", "").startswith("13:20: ")


def test_a_segment_in_words() -> None:
    assert strip.described(["recording"] * 3) == "recording throughout"
    assert strip.described(["no claim"]) == "no claim: before the log began, or not yet"
    assert (
        strip.described(["recording", "silent", "silent"]) == f"1{NBSP}slot recording and 2{NBSP}slots silent"
    )
    assert strip.described([]) == "no slots"
    assert 'aria-label="recording throughout"' in strip.beats_strip(["recording"], "")


def test_a_label_cannot_break_out_of_its_attribute() -> None:
    picture = strip.svg(1, 1, "", '"><script>')
    assert "<script" not in picture
    assert drawing(picture).get("aria-label") == '"><script>'


@given(st.binary(min_size=0, max_size=400).map(lambda raw: bytes(b % 6 for b in raw)))
def test_the_parts_of_a_call_leave_nothing_out(seal: bytes) -> None:
    parts = strip.parts_of(seal, 30)
    assert b"".join(parts) == seal
    assert len(parts) == min(30, len(seal))
    assert all(parts)
    drawing(strip.register_strip(seal, "partly"))


def test_one_lost_second_in_a_day_is_seen() -> None:
    seal = bytearray([HEARD] * 86_400)
    seal[43_200] = NOTHING
    ticks = paths(strip.register_strip(bytes(seal), "partly"), "tick")
    assert "M45 0h2v4h-2zM45 10h2v4h-2z" in ticks
    assert ticks.count("v14") == 29


@pytest.mark.parametrize(
    ("code", "ticks"),
    [
        (HEARD, "M0 0h2v14h-2z"),
        (DAMAGED, "M0 0h2v7h-2z"),
        (HELD, "M0 10h2v4h-2z"),
        (NOTHING, ""),
        (UNSEALED, ""),
    ],
)
def test_a_tick_of_the_register(code: int, ticks: str) -> None:
    assert paths(strip.register_strip(bytes([code]), "partly"), "tick") == ticks


def test_the_register_strip_of_live_and_empty_calls() -> None:
    live = strip.register_strip(bytes([HEARD] * 500), "live")
    assert paths(live, "tick").count("M") == 27
    assert paths(live, "base-none") == "M85 14.5H90"
    assert "still going on" in live
    none = strip.register_strip(b"", "none")
    assert paths(none, "bracket")
    assert "no packet came" in none


def test_the_register_strip_in_words() -> None:
    seal = bytes([HEARD] * 10 + [HELD] * 2 + [DAMAGED] + [NOTHING] * 3)
    label = drawing(strip.register_strip(seal, "partly")).get("aria-label", "").replace(NBSP, " ")
    assert label == "sealed, 3 seconds empty, 1 second with one lane missing and 2 seconds on hold"
    assert "every second sealed" in strip.register_strip(bytes([HEARD] * 9), "recorded")


def test_the_worst_of_nothing_is_no_seal() -> None:
    assert strip.worst(b"") == UNSEALED
    assert strip.worst(bytes([HEARD, HELD, DAMAGED])) == DAMAGED
