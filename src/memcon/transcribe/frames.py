"""What each 10 ms of a channel sound like: how loud, and whether one steady tone makes most of it.

Numbers alone decide nothing here; `endpoint` does. Works in blocks, so that an hour costs no more memory
than a minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Samples: TypeAlias = "NDArray[np.float32]"
"""Mono at `RATE`, full scale 1."""
RATE = 16_000
STEP_MS = 10
STEP = RATE * STEP_MS // 1000
SPAN = 512
"""Samples a frame looks at: 32 ms."""
SILENT_DB = -90.0
_BLOCK = 4096
_BAND = slice(4, 111)
"""Bins of 31 Hz from 125 to 3440 Hz: what every channel carries."""
_FEW = 5
_MOST = 0.9
"""A frame is tonal where the five strongest bins hold nine tenths of its power: two tones at most."""


@dataclass(frozen=True, slots=True)
class Frames:
    """One value per 10 ms: `level` in dB of full scale, float32, at least `SILENT_DB`; `pitch`, the strongest
    bin where the frame is tonal, else -1, int16."""

    level: NDArray[np.float32]
    pitch: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.level)


def none() -> Frames:
    """The frames of no sound at all."""
    return Frames(np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.int16))


def longer(frames: Frames, samples: Samples) -> Frames:
    """The frames of a channel of which `frames` were there before it grew to `samples`: the last two, which
    looked beyond what there was, and those that have come since are made anew."""
    keep = max(0, len(frames) - 2)
    before = max(0, keep - SPAN // STEP - 1)
    new = analyse(samples[before * STEP :])
    return Frames(
        np.concatenate((frames.level[:keep], new.level[keep - before :])),
        np.concatenate((frames.pitch[:keep], new.pitch[keep - before :])),
    )


def analyse(samples: Samples) -> Frames:
    """The frames of a channel, one for every 10 ms begun, each looking around the middle of its step."""
    count = -(-len(samples) // STEP)
    level = np.full(count, SILENT_DB, dtype=np.float32)
    pitch = np.full(count, -1, dtype=np.int16)
    if not count:
        return Frames(level, pitch)
    window = np.hanning(SPAN).astype(np.float32)
    padded = np.pad(samples, ((SPAN - STEP) // 2, SPAN))
    rows = np.lib.stride_tricks.sliding_window_view(padded, SPAN)[::STEP][:count]
    for at in range(0, count, _BLOCK):
        power = np.abs(np.fft.rfft(rows[at : at + _BLOCK] * window, axis=1)[:, _BAND]) ** 2
        total = power.sum(axis=1)
        here = slice(at, at + len(power))
        # A full-scale sine has total (SPAN / 4)^2 * 1.5 under this window; the constant matters to nobody.
        level[here] = np.maximum(10 * np.log10(total / (SPAN * SPAN / 8) + 1e-12), SILENT_DB)
        few = np.partition(power, -_FEW, axis=1)[:, -_FEW:].sum(axis=1)
        tonal = (few > _MOST * total) & (total > 0)
        pitch[here] = np.where(tonal, power.argmax(axis=1), -1)
    return Frames(level, pitch)
