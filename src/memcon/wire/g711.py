"""G.711: mu-law and A-law to and from 16-bit linear samples, by tables (ITU-T G.711)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A code word is a sign bit, a segment of 3 bits (each twice as coarse as the one below) and a step of 4
# bits; mu-law is sent with all bits inverted, A-law with every second one.


def _ulaw_values() -> NDArray[np.int16]:
    codes = ~np.arange(256, dtype=np.uint8)
    segment = (codes >> 4 & 7).astype(np.int32)
    step = (codes & 15).astype(np.int32)
    # decision values of table 2a/b, in units of a 14-bit scale, times 4 to fill 16 bits
    size = (((step << 3) + 0x84) << segment) - 0x84
    return np.where(codes & 0x80, -size, size).astype(np.int16)


def _alaw_values() -> NDArray[np.int16]:
    codes = np.arange(256, dtype=np.uint8) ^ np.uint8(0x55)
    segment = (codes >> 4 & 7).astype(np.int32)
    step = (codes & 15).astype(np.int32)
    # table 1a/b, 13-bit scale times 8; segments 0 and 1 have the same step
    size = np.where(segment == 0, (step << 4) + 8, ((step << 4) + 0x108) << np.maximum(segment - 1, 0))
    return np.where(codes & 0x80, size, -size).astype(np.int16)


ULAW = _ulaw_values()
"""int16[256]: the sample of each mu-law code."""
ALAW = _alaw_values()
"""int16[256]: the sample of each A-law code."""


def _encoder(values: NDArray[np.int16]) -> NDArray[np.uint8]:
    """uint8[65536], by sample + 32768: the code of the nearest value; half-way, the one farther from zero."""
    order = np.argsort(values, kind="stable")
    ascending = values[order].astype(np.int64)
    middles = ascending[:-1] + ascending[1:]  # twice the half-way points
    samples = np.arange(-32768, 32768, dtype=np.int64) * 2
    upward = np.searchsorted(middles, samples, side="right")
    downward = np.searchsorted(middles, samples, side="left")
    return order[np.where(samples >= 0, upward, downward)].astype(np.uint8)


_ULAW_CODES = _encoder(ULAW)
_ULAW_CODES[32768] = 0xFF  # zero has two codes; silence is sent as positive zero
_ALAW_CODES = _encoder(ALAW)


def ulaw_decode(payload: bytes) -> NDArray[np.int16]:
    """Samples of mu-law bytes, one each."""
    return ULAW[np.frombuffer(payload, np.uint8)]


def alaw_decode(payload: bytes) -> NDArray[np.int16]:
    """Samples of A-law bytes, one each."""
    return ALAW[np.frombuffer(payload, np.uint8)]


def ulaw_encode(samples: NDArray[np.int16]) -> bytes:
    """mu-law bytes of int16 samples."""
    return _ULAW_CODES[samples.astype(np.int32) + 32768].tobytes()


def alaw_encode(samples: NDArray[np.int16]) -> bytes:
    """A-law bytes of int16 samples."""
    return _ALAW_CODES[samples.astype(np.int32) + 32768].tobytes()
