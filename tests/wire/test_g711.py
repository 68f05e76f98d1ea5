"""G.711 tables against the recommendation's corner values and themselves."""

from __future__ import annotations

import numpy as np
import pytest

from memcon.wire.g711 import ALAW, ULAW, alaw_decode, alaw_encode, ulaw_decode, ulaw_encode


def test_corner_values() -> None:
    """G.711 tables 1 and 2: the outermost and innermost values of each law, on a 16-bit scale."""
    assert [int(ULAW[c]) for c in (0x80, 0x00, 0xFF, 0x7F, 0xFE, 0x7E)] == [32124, -32124, 0, 0, 8, -8]
    assert [int(ALAW[c]) for c in (0xAA, 0x2A, 0xD5, 0x55, 0xD4, 0x54)] == [32256, -32256, 8, -8, 24, -24]


@pytest.mark.parametrize("law", ["ulaw", "alaw"])
def test_every_code_survives_a_round(law: str) -> None:
    decode, encode = (ulaw_decode, ulaw_encode) if law == "ulaw" else (alaw_decode, alaw_encode)
    codes = bytes(range(256))
    back = encode(decode(codes))
    differing = [c for c, b in zip(codes, back, strict=True) if c != b]
    assert differing == ([0x7F] if law == "ulaw" else [])  # mu-law's negative zero


@pytest.mark.parametrize("law", ["ulaw", "alaw"])
def test_the_nearest_value_is_taken(law: str) -> None:
    values, encode, decode = (
        (ULAW, ulaw_encode, ulaw_decode) if law == "ulaw" else (ALAW, alaw_encode, alaw_decode)
    )
    samples = np.arange(-32768, 32768, 7).astype(np.int16)
    error = np.abs(decode(encode(samples)).astype(np.int64) - samples)
    best = np.abs(values.astype(np.int64)[None, :] - samples[:, None]).min(axis=1)
    assert (error == best).all()
