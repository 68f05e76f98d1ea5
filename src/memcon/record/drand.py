"""Rounds of drand's quicknet, which a beat may name: not before a round's time (FORMATS §15).

The League of Entropy signs a number every three seconds; nobody knows a signature before its time, fewer
than a threshold of its members apart. Chain `52db9ba7…e971`, scheme bls-unchained-g1-rfc9380.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.record.evidence import day_of
from memcon.record.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator

GENESIS, PERIOD = 1_692_803_367, 3
"""POSIX time of round 1, and seconds between rounds."""
SIGNATURE_SIZE = 48
PUBLIC_KEY = (
    "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451"
    "0d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
)
_ENTRY = Layout("drand file", f">Q{SIGNATURE_SIZE}s")


@dataclass(frozen=True, slots=True)
class Round:
    """One round, and its signature (48 bytes)."""

    number: int
    signature: bytes

    @property
    def time(self) -> int:
        """When it was signed, POSIX seconds."""
        return GENESIS + (self.number - 1) * PERIOD

    @property
    def path(self) -> str:
        """The file that it stands in: rounds of one UTC day."""
        return path_of(self.number)

    def encode(self) -> bytes:
        """Its 56 bytes there."""
        return _ENTRY.pack(self.number, self.signature)


def path_of(number: int) -> str:
    """The file of a round of this number."""
    return f"drand/{day_of(GENESIS + (number - 1) * PERIOD)}"


def read_rounds(data: bytes) -> Iterator[Round]:
    """The rounds of a day's file, in the order in which they were kept; an incomplete last one is ignored."""
    for at in range(0, len(data) - _ENTRY.size + 1, _ENTRY.size):
        yield Round(*_ENTRY.unpack(data[at : at + _ENTRY.size]))
