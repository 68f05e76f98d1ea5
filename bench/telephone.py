"""What a telephone does to speech, for measurements: 200 to 3500 Hz, 8 kHz, mu-law, lost packets.

A filter everybody can run again: a linear-phase FIR (Hamming window), every second sample of 16 kHz, the
ITU-T G.711 tables of `memcon.wire.g711`, and packets of 20 ms lost by a seeded draw.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np

from memcon.wire.g711 import ULAW

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE = 8_000
PACKET_MS = 20
_TAPS = 257
_LOW, _HIGH = 200.0, 3500.0


def telephone(samples: NDArray[np.int16], rate: int) -> NDArray[np.int16]:
    """int16 mono at 16 kHz as it comes out of a telephone, at 8 kHz."""
    assert rate == 2 * RATE, "the filter is written for 16 kHz"
    n = np.arange(_TAPS) - _TAPS // 2
    low, high = (2 * f / rate * np.sinc(2 * f / rate * n) for f in (_LOW, _HIGH))
    filtered = np.convolve(samples.astype(np.float64), (high - low) * np.hamming(_TAPS), mode="same")[::2]
    return through_ulaw(np.clip(np.rint(filtered), -32768, 32767).astype(np.int16))


def through_ulaw(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """The nearest value that mu-law can say, sample by sample."""
    levels = np.sort(ULAW.astype(np.int32))
    at = np.clip(np.searchsorted(levels, samples), 1, len(levels) - 1)
    below, above = levels[at - 1], levels[at]
    nearest: NDArray[np.int16] = np.where(samples - below <= above - samples, below, above).astype(np.int16)
    return nearest


def lost_packets(count_ms: int, share: float, seed: int) -> tuple[tuple[int, int], ...]:
    """Spans in ms of packets lost, each with probability `share`; neighbours are joined."""
    chance = random.Random(seed)
    spans: list[list[int]] = []
    for start in range(0, count_ms - PACKET_MS, PACKET_MS):
        if chance.random() < share:
            if spans and spans[-1][1] == start:
                spans[-1][1] += PACKET_MS
            else:
                spans.append([start, start + PACKET_MS])
    return tuple((a, b) for a, b in spans)


def without(samples: NDArray[np.int16], spans: tuple[tuple[int, int], ...], rate: int) -> NDArray[np.int16]:
    """The samples with silence where packets were lost: what the record holds."""
    out = samples.copy()
    for start, end in spans:
        out[start * rate // 1000 : end * rate // 1000] = 0
    return out
