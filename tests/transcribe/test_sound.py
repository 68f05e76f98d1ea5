"""Sound as the recogniser is given it."""

from __future__ import annotations

import numpy as np
import pytest

from memcon.transcribe.frames import RATE
from memcon.transcribe.sound import at_rate, concealed


def sine(seconds: float, rate: int, hz: float = 200) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    wave = 10_000 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)
    made: np.ndarray[tuple[int], np.dtype[np.int16]] = np.rint(wave).astype(np.int16)
    return made


@pytest.mark.parametrize("rate", [8000, 16_000, 48_000])
def test_every_rate_becomes_one(rate: int) -> None:
    sound = at_rate(sine(1, rate), rate)
    assert sound.dtype == np.float32
    assert len(sound) == RATE
    middle = sound[4000:12_000]
    assert 0.29 < np.abs(middle).max() < 0.32
    assert len(at_rate(np.zeros(0, dtype=np.int16), rate)) == 0


def test_a_lost_packet_is_bridged_from_both_sides() -> None:
    whole = sine(1, 8000)
    holed = whole.copy()
    holed[4000:4160] = 0
    bridged = concealed(holed, 8000, ((500, 520),))
    assert np.abs(bridged[4000:4160].astype(int) - whole[4000:4160]).mean() < 1500
    assert np.array_equal(bridged[:4000], holed[:4000])
    assert np.array_equal(bridged[4160:], holed[4160:])


def test_what_is_lost_for_long_fades_and_what_is_whole_is_not_touched() -> None:
    whole = sine(1, 8000)
    holed = whole.copy()
    holed[2000:6000] = 0
    bridged = concealed(holed, 8000, ((250, 750),))
    assert np.abs(bridged[3500:4500]).max() == 0
    assert np.abs(bridged[2000:2200]).max() > 3000
    assert concealed(whole, 8000, ()) is whole


def test_losses_at_the_borders() -> None:
    sound = sine(0.5, 8000)
    assert len(concealed(sound, 8000, ((0, 20), (490, 520), (600, 700)))) == len(sound)
