"""Music is told from voices, flagged, and not transcribed, live or afterwards."""

from __future__ import annotations

import numpy as np
import pytest
from tests.transcribe.sounds import FakeEngine, int16, line, melody, quiet, tone, voice

from memcon.transcribe.frames import RATE
from memcon.transcribe.lane import Channel, Wishes, transcribe_lane
from memcon.transcribe.live import LiveLane
from memcon.transcribe.music import is_music, seconds_of_music, stillness


@pytest.mark.parametrize("instrument", ["piano", "organ", "strings"])
def test_tunes_are_music(instrument: str) -> None:
    found = seconds_of_music(melody(8000, instrument))
    assert sum(found) >= 7


def test_voices_noise_and_silence_are_not() -> None:
    for sound in (voice(6000), quiet(6000), np.zeros(6 * RATE, dtype=np.float32)):
        assert not any(seconds_of_music(sound))
    assert stillness(voice(20)) == stillness(np.zeros(RATE, dtype=np.float32)) == 0.0
    assert not is_music(melody(1000, "organ"))  # too short to tell


def test_a_glide_is_no_note() -> None:
    t = np.arange(4 * RATE) / RATE
    phase = 2 * np.pi * (150 * t + 10 * np.sin(2 * np.pi * 0.7 * t))
    sound = sum(np.sin(k * phase) / k for k in range(1, 20)).astype(np.float32) * np.float32(0.1)
    assert stillness(sound) < 0.4


def test_hold_music_is_flagged_and_not_transcribed() -> None:
    sound = line(
        quiet(1000), voice(2000), quiet(1000), melody(9000, "piano"), quiet(1000), voice(2000), quiet(900)
    )
    engine = FakeEngine()
    lane = transcribe_lane(Channel("A", int16(sound), RATE, language="en"), engine, Wishes())
    (stretch,) = [one for one in lane.stretches if one.what == "music"]
    assert abs(stretch.start - 4000) <= 1000
    assert abs(stretch.end - 13_000) <= 1000
    assert [(round(u.start, -3), round(u.end, -3)) for u in lane.utterances] == [
        (1000, 3000),
        (14_000, 16_000),
    ]


def test_music_without_a_pause_is_flagged_and_a_tone_stays_a_tone() -> None:
    lane = transcribe_lane(
        Channel("A", int16(line(melody(12_000, "organ"), quiet(2000), tone(4000))), RATE),
        FakeEngine(),
        Wishes(),
    )
    assert lane.words() == []
    assert [one.what for one in lane.stretches] == ["music", "tone"]


def test_music_has_no_live_words() -> None:
    lane, engine = LiveLane("en"), FakeEngine()
    sound = line(quiet(1000), melody(6000, "piano"), quiet(3000))
    for at in range(0, len(sound), RATE):
        lane.append(sound[at : at + RATE])
        while (due := lane.due()) is not None:
            lane.hear(due, engine, Wishes())
    assert lane.utterances == []
    assert engine.asked == []
