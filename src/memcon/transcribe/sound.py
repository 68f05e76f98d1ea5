"""A channel's samples as the recogniser is given them: 16 kHz, lost packets bridged.

Only what is *recognised* is touched here. The audio that is kept, played and released is not, and the
transcript says where something was lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np

from memcon.transcribe.frames import RATE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from memcon.transcribe.frames import Samples

LONGEST_BRIDGE_MS = 120
"""What is lost for longer is left silent: nobody can guess a syllable."""
_CONTEXT_MS = 40
_PITCH_MS = (2.5, 15.0)


def at_rate(samples: NDArray[np.int16], rate: int) -> Samples:
    """int16 mono at `rate` Hz as float32 at 16 kHz."""
    if rate == RATE or not len(samples):
        return samples.astype(np.float32) / np.float32(32768)
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None, :]), format="s16", layout="mono")
    frame.sample_rate = rate
    parts = [part.to_ndarray()[0] for part in (*resampler.resample(frame), *resampler.resample(None))]
    wanted = len(samples) * RATE // rate
    made = np.concatenate(parts)[:wanted].astype(np.float32)
    return np.pad(made, (0, wanted - len(made)))


def concealed(samples: NDArray[np.int16], rate: int, lost: Sequence[tuple[int, int]]) -> NDArray[np.int16]:
    """The samples with each lost span (ms) filled from both sides: the last pitch period before it and the
    first after it, repeated and faded into one another (as G.711 Appendix I does from one side)."""
    if not lost:
        return samples
    out = samples.astype(np.float32)
    for start_ms, end_ms in lost:
        start, end = start_ms * rate // 1000, min(end_ms * rate // 1000, len(out))
        if start < end <= len(out):
            out[start:end] = _filled(out, start, end, rate)
    return np.clip(np.rint(out), -32768, 32767).astype(np.int16)


def _filled(out: Samples, start: int, end: int, rate: int) -> Samples:
    count, context = end - start, _CONTEXT_MS * rate // 1000
    left = _extended(out[max(0, start - context) : start], count, rate)
    right = _extended(out[end : end + context][::-1], count, rate)[::-1]
    ramp = np.linspace(0, 1, count + 2, dtype=np.float32)[1:-1]
    if count * 1000 > LONGEST_BRIDGE_MS * rate:
        fade = np.clip(1 - np.arange(count) * 1000 / (rate * LONGEST_BRIDGE_MS / 2), 0, 1).astype(np.float32)
        return left * fade + right * fade[::-1]
    return left * (1 - ramp) + right * ramp


def _extended(before: Samples, count: int, rate: int) -> Samples:
    """`count` samples that go on from `before` by repeating its last pitch period."""
    low, high = (int(ms * rate / 1000) for ms in _PITCH_MS)
    if len(before) < 2 * high:
        return np.zeros(count, dtype=np.float32)
    tail = before[-high:]
    scores = [
        float(np.dot(tail, before[len(before) - high - lag : len(before) - lag])) for lag in range(low, high)
    ]
    lag = low + int(np.argmax(scores))
    return np.resize(before[-lag:], count)
