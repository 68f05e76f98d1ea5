"""One second of one call sealed: the blocks of its streams into a segment, written for speed.

The bytes are those of `memcon.record.segment` and `memcon.record.hashing` (FORMATS §1, §6, §7); only
what is the same for all blocks of a call is computed once, and nothing is checked that the segmenter
cannot get wrong. The tests read every segment back through `memcon.record`.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from memcon.record.hashing import hmac_pads, tag
from memcon.record.segment import BLOCK_HEAD, BLOCK_MAGIC, BLOCKS_A_SEGMENT
from memcon.seal.segmenter import timestamps

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memcon.seal.segmenter import Stream

_NONCE = bytes(12)
_SALT = tag("salt/block")
_KEY = tag("key/segment")
_BLOCK_TAG = tag("block")
_HEADS = struct.Struct(">HBBI8sIHBBIIII")
"""A block's head in the content, then its own."""
_ENTRY = slice(0, 4)
"""Stream, position, kind: as an entry of the plaintext root has them."""
_BLOCK = slice(_HEADS.size - BLOCK_HEAD, None)
_FIELDS = slice(16, 24)
"""Segment, stream, position, kind: as the block's salt is derived from them."""
_BLOCKS_TAG = tag("blocks")
_SEGMENT_TAG = tag("segment")
_TWO = struct.Struct(">II")
_ONE = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class SealedSecond:
    """A segment: its hash, its bytes in `media.mcs` as pieces, the numbers of the streams heard in it."""

    hash: bytes
    pieces: tuple[bytes, ...]
    heard: frozenset[int]


class SecondSealer:
    """Seals the seconds of one call under its key."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, call_key: bytes) -> None:
        self._inner, self._outer = hmac_pads(call_key)

    def seal(self, n: int, streams: Iterable[Stream]) -> SealedSecond:
        """Take the blocks of second `n` out of `streams`, which stand in the order of their numbers."""
        entries: list[bytes] = []
        content: list[bytes] = []
        heard: set[int] = set()
        sha256, pack, outer, inner = hashlib.sha256, _HEADS.pack, self._outer, self._inner + _SALT
        first = n * BLOCKS_A_SEGMENT
        for stream in streams:
            blocks, number, kind = stream.blocks, stream.number, stream.kind
            for position in range(BLOCKS_A_SEGMENT if blocks else 0):
                block = blocks.pop(first + position, None)
                if block is None:
                    continue
                arrivals, lengths, packets, firsts, lasts = zip(*block)  # noqa: B905 - twice as quick
                count = sum(map(len, arrivals)) >> 3
                size = BLOCK_HEAD + 10 * count + sum(map(len, packets))
                low, high = timestamps(firsts, lasts)
                head = pack(
                    number, position, kind, size, BLOCK_MAGIC, n, number, position, kind, count, low, high, 0
                )
                data = b"".join((head, *arrivals, *lengths, *packets))
                salt = sha256(outer + sha256(inner + head[_FIELDS]).digest()).digest()
                digest = sha256(_BLOCK_TAG + salt)
                digest.update(data[_BLOCK])
                entries += (head[_ENTRY], digest.digest())
                content.append(data)
                heard.add(number)
        number_of = _ONE.pack(len(content))
        root = sha256(b"".join((_BLOCKS_TAG, _ONE.pack(n), number_of, *entries))).digest()
        return self._encrypt(n, root, b"".join((number_of, *content)), frozenset(heard))

    def _encrypt(self, n: int, root: bytes, plain: bytes, heard: frozenset[int]) -> SealedSecond:
        sha256 = hashlib.sha256
        inner = sha256(self._inner + _KEY + _ONE.pack(n) + root).digest()
        ciphertext = AESGCM(sha256(self._outer + inner).digest()).encrypt(_NONCE, plain, None)
        head = _TWO.pack(n, len(ciphertext)) + root
        hashed = sha256(_SEGMENT_TAG + head + sha256(ciphertext).digest()).digest()
        return SealedSecond(hashed, (head, ciphertext), heard)
