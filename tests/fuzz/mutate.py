"""Inputs that are nearly right: a well formed one, changed in a few places. One seed, one row of inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

MOST = 70_000
"""Bytes of one input: a little over the largest message that is read."""
TOKENS: tuple[bytes, ...] = (
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\0", b"\xff", b" ", b"\t", b";", b",", b":", b"=", b'"', b"<", b">",
    b"--", b"{", b"}", b"[", b"]", b"&lt;", b"<!DOCTYPE x [", b"<!ENTITY a 'b'>", b"&a;", b"sip:", b"[::1]",
    b"0.0.0.0", b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:", b"m=audio 1 RTP/SAVP 0\r\n",
    b"Content-Length: 99999999999\r\n", b"-1", b"4294967296", b"18446744073709551616", b"1e309",
    b"\xc3\x28", b"\xed\xa0\x80", "\u2028".encode(), "\u00b2".encode(), "\u0663".encode(),
)  # fmt: skip
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def mutate(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One input made of the seeds."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.choice((1, 1, 2, 3, 5, 9))):
        _change(chance, data, seeds)
    return bytes(data[:MOST])


def _change(chance: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    at = chance.randint(0, len(data))
    size = min(chance.choice((1, 2, 4, 8, 40, 200)), len(data) - at)
    how = chance.randrange(9)
    if how == 0 and at < len(data):
        data[at] ^= 1 << chance.randrange(8)
    elif how == 1:
        data[at : at + 1] = bytes([chance.randrange(256)])
    elif how == 2:
        del data[at : at + size]
    elif how == 3:
        data[at:at] = data[at : at + size] * chance.choice((1, 1, 2, 50))
    elif how == 4:
        data[at:at] = chance.choice(TOKENS)
    elif how == 5:
        data[at : at + size] = chance.choice(TOKENS)
    elif how == 6:
        width = chance.choice((1, 2, 4, 8))
        data[at : at + width] = (chance.choice(NUMBERS) & (1 << 8 * width) - 1).to_bytes(width, "big")
    elif how == 7:
        other = chance.choice(seeds)
        start = chance.randint(0, len(other))
        data[at:] = other[start:]
    else:
        to = chance.randint(0, len(data))
        data[to:to] = data[at : at + size]
