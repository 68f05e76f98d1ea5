"""The one changed byte, found by the CRC-32 beside it."""

from __future__ import annotations

import zlib

from hypothesis import given
from hypothesis import strategies as st
from tests.verify import builder as b

from memcon.verify.locate import changed_bytes


@given(
    size=st.integers(1, 5000),
    place=st.integers(0, 4999),
    change=st.integers(1, 255),
    window=st.tuples(st.integers(0, 300), st.integers(1, 300)),
)
def test_a_changed_byte_is_found_wherever_it_is(
    size: int, place: int, change: int, window: tuple[int, int]
) -> None:
    place %= size
    data = bytearray(b.pseudo("data", size))
    crc, old = zlib.crc32(data), data[place]
    data[place] ^= change
    start, end = max(0, place - window[0]), place + window[1]
    assert list(changed_bytes(memoryview(data), crc, start, end)) == [(place, old)]


def test_nothing_is_found_where_nothing_was_changed_or_more_than_one_byte() -> None:
    data = bytearray(b.pseudo("data", 3000))
    crc = zlib.crc32(data)
    assert not list(changed_bytes(memoryview(data), crc, 0, 3000))
    data[5] ^= 1
    data[2000] ^= 1
    assert not list(changed_bytes(memoryview(data), crc, 0, 3000))
    assert not list(changed_bytes(memoryview(data), crc, 3000, 3000))
