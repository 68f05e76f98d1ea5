"""A channel as a lane: words in their place, and what holds none flagged."""

from __future__ import annotations

from typing import Any

from tests.transcribe.sounds import FakeEngine, int16, line, quiet, tone, voice

from memcon.record.transcript import Stretch, Subject, decode, text_of
from memcon.transcribe.frames import RATE
from memcon.transcribe.lane import Channel, Wishes, transcribe_lane
from memcon.transcribe.whole import transcribe

SOUND = line(
    quiet(1000),
    voice(800),
    quiet(900),
    voice(1200),
    quiet(2500),
    tone(1500),
    quiet(500),
    voice(800),
    quiet(505),
)


def channel(**change: Any) -> Channel:
    return Channel("A", int16(SOUND), RATE, "p1", "Ada", (0,), **change)


def test_words_stand_where_they_were_said() -> None:
    engine = FakeEngine()
    lane = transcribe_lane(channel(language="en"), engine, Wishes())
    assert [(round(u.start, -2), round(u.end, -2)) for u in lane.utterances] == [
        (1000, 1800),
        (2700, 3900),
        (8400, 9200),
    ]
    assert len(engine.asked) == 2  # a pause of 900 ms does not part what is decoded together
    assert all(u.start <= w.start <= w.end <= u.end for u in lane.utterances for w in u.words)
    assert [s.what for s in lane.stretches] == ["tone"]
    assert (lane.speaker, lane.participant, lane.language, lane.found) == ("Ada", "p1", "en", "set")


def test_losses_and_holds_are_shown_and_silence_has_no_words() -> None:
    silent = Channel("A", int16(quiet(5000)), RATE, lost=((1000, 1020), (2000, 2010)), holds=((3000, 4000),))
    engine = FakeEngine()
    lane = transcribe_lane(silent, engine, Wishes())
    assert lane.utterances == ()
    assert engine.asked == []
    assert lane.stretches == (Stretch(1000, 1020, "lost"), Stretch(3000, 4000, "hold"))
    assert (lane.speaker, lane.language, lane.found) == ("", "und", "unknown")


def test_what_the_engine_itself_doubts_is_noise() -> None:
    sound = Channel("A", int16(line(quiet(1000), voice(1500), quiet(2000), voice(300), quiet(700))), RATE)
    lane = transcribe_lane(sound, FakeEngine(doubt=900, sure=200), Wishes())
    assert lane.utterances == ()
    assert [s.what for s in lane.stretches] == ["noise"]
    assert transcribe_lane(sound, FakeEngine(doubt=900, sure=800), Wishes()).utterances


def test_languages_that_are_found_and_a_translation_beside() -> None:
    lane = transcribe_lane(channel(), FakeEngine(language="ru"), Wishes(translate=True))
    assert (lane.language, lane.found) == ("ru", "identified")
    assert {u.language for u in lane.utterances} == {""}
    beside = lane.utterances[0].translations[0]
    assert (beside.language, beside.text, beside.by) == ("en", "translated", "fake-model")


def test_a_call_is_a_draft_that_can_be_kept() -> None:
    of = Subject("call", "7", "ab" * 32, len(SOUND) * 1000 // RATE, "cd" * 32)
    said: list[tuple[int, int]] = []
    two = [channel(), Channel("B", int16(SOUND)[::2], RATE // 2)]
    draft = transcribe(of, two, FakeEngine(), Wishes(("Ada",)), "memcon", lambda *how: said.append(how))
    assert [lane.name for lane in draft.lanes] == ["A", "B"]
    assert text_of(draft.lanes[0].words())
    assert said[-1][0] > said[0][0] > 0
    assert {whole for _, whole in said} == {2 * of.duration}
    kept = draft.__class__(
        **{name: getattr(draft, name) for name in draft.__slots__} | {"at": "2026-11-28T08:00:00Z"}
    )
    assert decode(kept.encode()) == kept
    assert draft.machine is not None
    assert draft.machine.settings == {"hot_words": ["Ada"]}
