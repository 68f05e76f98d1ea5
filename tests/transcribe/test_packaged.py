"""The packaged model itself, where the speech extra is installed."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest

from memcon.record.transcript import text_of
from memcon.transcribe.frames import RATE
from memcon.transcribe.lane import Channel, Wishes, transcribe_lane
from memcon.transcribe.models import PINNED, installed
from memcon.wire.g711 import ALAW

pytestmark = pytest.mark.skipif(
    not installed(), reason="the speech extra is not installed (scripts/setup --speech)"
)


def test_the_demonstration_is_heard_and_silence_is_not() -> None:
    from memcon.transcribe.whisper import load_engine

    engine = load_engine("tiny.en")
    assert engine.machine("whole", ()).model_digest == PINNED["tiny.en"]
    data = (resources.files("memcon.client") / "voices" / "solheim.alaw").read_bytes()
    lane = transcribe_lane(Channel("A", ALAW[np.frombuffer(data, np.uint8)], 8000), engine, Wishes())
    words = text_of(lane.words()).casefold()
    assert "good morning" in words
    assert "thank you" in words
    assert lane.found == "model"
    assert all(a.start <= b.start for a, b in zip(lane.words(), lane.words()[1:], strict=False))
    assert transcribe_lane(Channel("B", np.zeros(RATE * 20, np.int16), RATE), engine, Wishes()).words() == []
