"""Where somebody speaks, and what is no voice."""

from __future__ import annotations

import numpy as np
import pytest
from tests.transcribe.sounds import line, quiet, tone, voice

from memcon.transcribe.endpoint import LONGEST_MS, Piece, Stretch, joined, pieces
from memcon.transcribe.frames import SILENT_DB, analyse, longer, none


def near(found: list[Piece], wanted: list[tuple[int, int]], ms: int = 40) -> bool:
    """Whether the pieces are these, some ms more or less."""
    spans = [(p.start, p.end) for p in found]
    return len(spans) == len(wanted) and all(
        abs(a - c) <= ms and abs(b - d) <= ms for (a, b), (c, d) in zip(spans, wanted, strict=True)
    )


def test_voices_are_found_where_they_are() -> None:
    sound = line(quiet(1000), voice(800), quiet(900), voice(1500), quiet(700))
    assert near(pieces(analyse(sound)), [(1000, 1800), (2700, 4200)])


def test_a_short_pause_is_part_of_a_word_and_a_click_is_none() -> None:
    sound = line(quiet(1000), voice(500), quiet(150), voice(500), quiet(1000), voice(30), quiet(1000))
    assert near(pieces(analyse(sound)), [(1000, 2150)])


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros(16_000 * 60, dtype=np.float32),
        quiet(60_000, 0.01),
        quiet(60_000, 0.0001),
        np.zeros(0, dtype=np.float32),
        np.zeros(5, dtype=np.float32),
    ],
    ids=["digital silence", "noisy line", "still line", "nothing", "less than a frame"],
)
def test_nobody_speaks(sound: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
    assert pieces(analyse(sound)) == []


def test_tones_are_no_voices() -> None:
    dial = tone(4000, 350) + tone(4000)
    sound = line(quiet(1000), tone(1000), quiet(2000), voice(1000), quiet(1000), dial)
    found = pieces(analyse(sound))
    assert [p.tone for p in found] == [True, False, True]
    only = pieces(analyse(tone(5000)))
    assert [p.tone for p in only] == [True]
    assert only[0].end - only[0].start > 4800


def test_a_line_that_sends_nothing_between_words() -> None:
    still = np.zeros(16_000 * 2, dtype=np.float32)
    sound = line(still, voice(1000), still, voice(600) * np.float32(0.1), still)
    assert near(pieces(analyse(sound)), [(2000, 3000), (5000, 5600)], ms=120)


def test_levels_are_decibels_of_full_scale() -> None:
    levels = analyse(line(tone(500) * np.float32(10), np.zeros(8000, dtype=np.float32))).level
    assert -8 < levels[20] < 2
    assert levels[-10] == SILENT_DB


def test_voices_are_joined_over_short_pauses() -> None:
    found = [Piece(0, 1000), Piece(1500, 3000), Piece(4500, 5000)]
    assert joined(found, pause=1500) == [Stretch(tuple(found[:2])), Stretch((found[2],))]
    assert [s.start for s in joined(found, pause=300)] == [0, 1500, 4500]
    beside = [Piece(0, 1000), Piece(1200, 2000, tone=True), Piece(2100, 3000)]
    assert len(joined(beside)) == 3


def test_what_is_too_long_is_cut_at_its_longest_late_pause() -> None:
    found = [
        Piece(0, 9000),
        Piece(10_200, 18_000),
        Piece(18_300, 20_000),
        Piece(21_000, 26_000),
        Piece(26_200, 30_000),
    ]
    parts = joined(found)
    assert [(s.start, s.end) for s in parts] == [(0, 20_000), (21_000, 30_000)]
    assert all(s.end - s.start <= LONGEST_MS for s in joined([Piece(0, 100_000), Piece(100_100, 101_000)]))
    assert [s.end for s in joined([Piece(0, 100_000, tone=True)])] == [100_000]
    late = joined([Piece(0, 27_000), Piece(27_100, 29_000)])
    assert [(s.start, s.end) for s in late] == [(0, 27_000), (27_100, 29_000)]


def test_frames_of_what_grows_are_those_of_the_whole() -> None:
    sound = line(quiet(700), voice(900), tone(800), quiet(635))
    grown, at = none(), 0
    for step in (10, 990, 400, 1000, 635):
        at += step * 16
        grown = longer(grown, sound[:at])
    whole = analyse(sound)
    assert np.allclose(grown.level, whole.level, atol=0.01)
    assert np.array_equal(grown.pitch, whole.pitch)
