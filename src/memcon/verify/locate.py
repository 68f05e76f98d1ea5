"""Find the one byte that was changed, by the CRC-32 beside it.

A seal covers the seconds of one slot together: when it breaks, it cannot say which second broke it.
The zip container states a CRC-32 of each entry. CRC-32 is linear: if exactly one byte at a distance
of t bytes from the end was changed by XOR with e, then the stated and the present CRC differ by
S^t(TABLE[e]), where S is the step of the register over one zero byte. Walking S backwards over a
stretch therefore names every (place, e) that fits, about one false one in 16 MB of stretch; the caller
settles it with SHA-256. It finds single changed bytes and nothing else, and needs no trust: what it
names is checked.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_POLYNOMIAL = 0xEDB88320


def _table_entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = [_table_entry(byte) for byte in range(256)]
_BYTE_OF = {value: byte for byte, value in enumerate(_TABLE)}
_BY_TOP = {value >> 24: byte for byte, value in enumerate(_TABLE)}
# One step back over a zero byte: the register's top byte tells which table entry was mixed in.
_BACK = [(_TABLE[_BY_TOP[top]], _BY_TOP[top]) for top in range(256)]


def _back(register: int) -> int:
    mixed, low = _BACK[register >> 24]
    return (register ^ mixed) << 8 & 0xFFFFFFFF | low


def _matrix_times(matrix: list[int], register: int) -> int:
    result = 0
    for row in matrix:
        if register & 1:
            result ^= row
        register >>= 1
    return result


def _back_many(register: int, steps: int) -> int:
    """`steps` steps back at once, by squaring the step's matrix over GF(2)."""
    matrix = [_back(1 << bit) for bit in range(32)]
    while steps:
        if steps & 1:
            register = _matrix_times(matrix, register)
        matrix = [_matrix_times(matrix, row) for row in matrix]
        steps >>= 1
    return register


def changed_bytes(data: memoryview, stated_crc: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Every (place, old value) in data[start:end] that alone explains the stated CRC."""
    syndrome = zlib.crc32(data) ^ stated_crc
    if not syndrome:
        return
    end = min(end, len(data))
    register = _back_many(syndrome, len(data) - end)
    for place in range(end - 1, start - 1, -1):
        change = _BYTE_OF.get(register)
        if change is not None:
            yield place, data[place] ^ change
        mixed, low = _BACK[register >> 24]
        register = (register ^ mixed) << 8 & 0xFFFFFFFF | low
