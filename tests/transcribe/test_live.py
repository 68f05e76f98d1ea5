"""A channel that goes on: words soon after they were said, once each, and bettered after a long pause."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.transcribe.sounds import FakeEngine, line, quiet, tone, voice

from memcon.transcribe.frames import RATE
from memcon.transcribe.lane import Wishes
from memcon.transcribe.live import LiveLane

if TYPE_CHECKING:
    from memcon.record.transcript import Utterance
    from memcon.transcribe.frames import Samples


def hear(lane: LiveLane, engine: FakeEngine) -> list[tuple[bool, Utterance]]:
    """All that is due now: (whether it replaces, what was written)."""
    out = []
    while (due := lane.due()) is not None:
        out += [(due.settles, one) for one in lane.hear(due, engine, Wishes())]
    return out


def play(lane: LiveLane, sound: Samples, engine: FakeEngine) -> list[tuple[int, bool, Utterance]]:
    """The sound a second at a time: (seconds heard, whether it replaces, what was written)."""
    found = []
    for n, at in enumerate(range(0, len(sound), RATE), 1):
        lane.append(sound[at : at + RATE])
        found += [(n, settles, one) for settles, one in hear(lane, engine)]
    return found


def test_words_come_in_the_second_after_the_pause() -> None:
    lane, engine = LiveLane("en"), FakeEngine()
    sound = line(quiet(1000), voice(1200), quiet(1800), voice(700), quiet(3300))
    found = play(lane, sound, engine)
    first = [(n, round(u.end, -2)) for n, settles, u in found if not settles]
    better = [(n, round(u.end, -2)) for n, settles, u in found if settles]
    assert first == [(3, 2200), (6, 4700)]
    assert better == [(4, 2200), (7, 4700)]
    assert lane.done > 7000
    assert lane.utterances == [u for _, settles, u in found if settles]


def test_what_was_decoded_on_trust_is_not_decoded_again() -> None:
    lane, engine = LiveLane("en"), FakeEngine()
    play(lane, line(quiet(1000), voice(1600), quiet(400)), engine)
    assert len(engine.asked) == 1
    assert lane.utterances == []
    assert len(play(lane, quiet(1000), engine)) == 1
    assert len(engine.asked) == 1


def test_a_voice_that_goes_on_takes_trust_back() -> None:
    lane, engine = LiveLane("en"), FakeEngine()
    play(lane, line(quiet(1000), voice(1700), quiet(300)), engine)
    found = play(lane, line(voice(1000), quiet(1000)), engine)
    assert [round(u.start, -2) for _, _, u in found] == [1000]
    assert len(engine.asked) == 2


def test_after_a_long_pause_all_is_heard_once_more() -> None:
    lane, engine = LiveLane("en"), FakeEngine()
    sound = line(quiet(1000), voice(1000), quiet(900), voice(1000), quiet(900), voice(800), quiet(3400))
    found = play(lane, sound, engine)
    first = [u for _, settles, u in found if not settles]
    settled = [u for _, settles, u in found if settles]
    assert [round(u.start, -2) for u in first] == [1000, 2900, 4800]
    assert [round(u.start, -2) for u in settled] == [1000, 2900, 4800]
    assert lane.utterances == settled
    lengths = [ms for ms, _, _ in engine.asked]
    assert lengths[-1] > 4500  # in one piece
    assert lane.due() is None


def test_each_word_is_written_once() -> None:
    lane, engine = LiveLane("en"), FakeEngine()
    rng = np.random.default_rng(7)
    parts = [quiet(1500)]
    spoken = [int(ms) for ms in rng.integers(300, 2500, 12)]
    for ms in spoken:
        parts += [voice(ms), quiet(int(rng.integers(300, 1600)))]
    play(lane, line(*parts, quiet(3000)), engine)
    starts = [w.start for u in lane.utterances for w in u.words]
    assert starts == sorted(starts)
    assert sum(spoken) / 400 <= len(starts) <= sum(spoken) / 400 + 2 * len(spoken)
    assert all(a.end <= b.start + 400 for a, b in zip(lane.utterances, lane.utterances[1:], strict=False))


def test_a_voice_without_a_pause_is_cut_and_settled() -> None:
    lane, engine = LiveLane("en"), FakeEngine()
    play(lane, line(quiet(1000), voice(70_000), quiet(3000)), engine)
    assert max(ms for ms, _, _ in engine.asked) <= 29_000
    said = sum(u.end - u.start for u in lane.utterances)
    assert 68_000 < said < 71_000


def test_tones_noise_and_silence_have_no_words_and_are_done_with() -> None:
    lane, engine = LiveLane(), FakeEngine(doubt=900, sure=100)
    assert play(lane, line(quiet(2000), tone(3000), quiet(2000), voice(1500), quiet(2500)), engine) == []
    assert lane.utterances == []
    assert lane.done > 9000
    assert lane.language is None


def test_the_end_of_a_call_ends_what_is_open() -> None:
    lane, engine = LiveLane(), FakeEngine(language="ru")
    play(lane, line(quiet(1000), voice(1000), quiet(900), voice(1100)), engine)
    lane.close()
    found = hear(lane, engine)
    assert [settles for settles, _ in found] == [False, True, True]
    assert lane.language == "ru"
    assert lane.due() is None


@pytest.mark.parametrize("start", [0, 90_000])
def test_old_sound_is_forgotten(start: int) -> None:
    lane, engine = LiveLane("en", start), FakeEngine()
    for _ in range(30):
        play(lane, line(quiet(1000), voice(2000), quiet(3000)), engine)
    assert lane.length == start + 180_000
    assert len(lane._sound) < 20 * RATE
    assert len(lane.utterances) == 30
    assert lane.utterances[0].start >= start
