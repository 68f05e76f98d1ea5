"""Sounds made by arithmetic, and an engine that hears a word in every 400 ms of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from memcon.record.transcript import Machine
from memcon.transcribe.engine import Heard, HeardWord
from memcon.transcribe.frames import RATE, analyse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memcon.transcribe.frames import Samples

WORD_MS = 400
LOUD_DB = -50


def quiet(ms: int, level: float = 0.0005) -> Samples:
    """A line on which nobody speaks."""
    noise: Samples = np.random.default_rng(ms).normal(0, level, ms * RATE // 1000).astype(np.float32)
    return noise


def voice(ms: int) -> Samples:
    """Something as loud and as unsteady as speech."""
    t = np.arange(ms * RATE // 1000) / RATE
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * 5 * t)
    noise: Samples = (quiet(ms, 0.1) * swell).astype(np.float32)
    return noise


def tone(ms: int, hz: float = 440) -> Samples:
    """A steady tone."""
    made: Samples = (0.1 * np.sin(2 * np.pi * hz * np.arange(ms * RATE // 1000) / RATE)).astype(np.float32)
    return made


HARMONICS = {"piano": (1, 0.6, 0.4, 0.25, 0.15, 0.1), "organ": (1, 0.5, 0.9, 0.3, 0.6, 0.2, 0.3),
             "strings": (1, 0.8, 0.7, 0.5, 0.4, 0.35, 0.3, 0.2)}  # fmt: skip


def melody(ms: int, instrument: str) -> Samples:
    """A tune in a major scale: notes of 250 ms to 1 s with the instrument's harmonics."""
    chance, parts, left = np.random.default_rng(5), [], ms
    while left > 0:
        length = min(left, 250 * int(chance.choice([1, 2, 4])))
        t = np.arange(length * RATE // 1000) / RATE
        hz = 220 * 2 ** (int(chance.choice([0, 2, 4, 5, 7, 9, 11, 12, 16])) / 12)
        bend = 0.004 * hz / 5.5 * np.sin(2 * np.pi * 5.5 * t) if instrument == "strings" else 0 * t
        harmonics = enumerate(HARMONICS[instrument], 1)
        sound = sum(a * np.sin(k * (2 * np.pi * hz * t + bend)) for k, a in harmonics if k * hz < RATE / 2)
        parts.append(sound * np.exp(-3 * t if instrument == "piano" else 0 * t))
        left -= length
    made: Samples = (0.08 * np.concatenate(parts)).astype(np.float32)
    return made


def line(*parts: Samples) -> Samples:
    """Parts one after the other."""
    return np.concatenate(parts)


def int16(sound: Samples) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """As a channel of a call holds it."""
    return np.clip(np.rint(sound * 32768), -32768, 32767).astype(np.int16)


@dataclass
class FakeEngine:
    """Writes `w1 w2 …` where it is loud; says what it was asked. `doubt`, `sure`: what it says of itself."""

    language: str = "en"
    doubt: int = 0
    sure: int = 900
    texts: dict[tuple[str, ...], list[str]] = field(default_factory=dict)
    asked: list[tuple[int, str | None, tuple[str, ...]]] = field(default_factory=list)

    def machine(self, made: str, hot_words: Sequence[str]) -> Machine:
        return Machine("fake", "1", "fake-model", "r1", "ab" * 32, made, {"hot_words": list(hot_words)})

    def hear(
        self,
        samples: Samples,
        *,
        language: str | None,
        hot_words: Sequence[str] = (),
        translate: bool = False,
        quick: bool = False,
    ) -> Heard:
        self.asked.append((len(samples) * 1000 // RATE, language, tuple(hot_words)))
        loud = np.flatnonzero(analyse(samples).level > LOUD_DB) * 10
        starts = sorted({int(at) // WORD_MS * WORD_MS for at in loud})
        said = self.texts.get(tuple(hot_words))
        words = tuple(
            HeardWord(said[n] if said and n < len(said) else f"w{n + 1}", at, at + WORD_MS - 50, self.sure)
            for n, at in enumerate(starts)
        )
        found = "set" if language else "identified"
        return Heard(words, language or self.language, found, self.doubt, "translated" if translate else "")
