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

from memcon.record.hashing import hmac_pads, segment_key, tag
from memcon.record.segment import BLOCK_MAGIC, BLOCKS_A_SEGMENT, segment_hash

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memcon.seal.segmenter import Stream

_NONCE = bytes(12)
_SALT = tag("salt/block")
_FIELDS = struct.Struct(">IHBB")
_BLOCK_TAG = tag("block")
_BLOCK = struct.Struct(">8sIHBBIIII")
_BLOCKS_TAG = tag("blocks")
_ENTRY = struct.Struct(">HBB32s")
_CONTENT = struct.Struct(">HBBI")
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

    __slots__ = ("_inner", "_key", "_outer")

    def __init__(self, call_key: bytes) -> None:
        self._key = call_key
        inner, self._outer = hmac_pads(call_key)
        self._inner = inner + _SALT

    def seal(self, n: int, streams: Iterable[Stream]) -> SealedSecond:
        """Take the blocks of second `n` out of `streams`, which stand in the order of their numbers."""
        sha256 = hashlib.sha256
        entries: list[bytes] = []
        content: list[bytes] = []
        heard: list[int] = []
        first = n * BLOCKS_A_SEGMENT
        for stream in streams:
            blocks = stream.blocks
            if not blocks:
                continue
            number, kind = stream.number, stream.kind
            for position in range(BLOCKS_A_SEGMENT):
                block = blocks.pop(first + position, None)
                if block is None:
                    continue
                heard.append(number)
                pieces = block.pieces
                lengths = b"".join(pieces[1::3])
                least, greatest = block.range()
                count = len(lengths) >> 1
                head = _BLOCK.pack(BLOCK_MAGIC, n, number, position, kind, count, least, greatest, 0)
                data = b"".join((head, *pieces[::3], lengths, *pieces[2::3]))
                inner = sha256(self._inner + _FIELDS.pack(n, number, position, kind)).digest()
                digest = sha256(_BLOCK_TAG + sha256(self._outer + inner).digest())
                digest.update(data)
                entries.append(_ENTRY.pack(number, position, kind, digest.digest()))
                content += (_CONTENT.pack(number, position, kind, len(data)), data)
        root = sha256(b"".join((_BLOCKS_TAG, _TWO.pack(n, len(entries)), *entries))).digest()
        plain = b"".join((_ONE.pack(len(entries)), *content))
        ciphertext = AESGCM(segment_key(self._key, n, root)).encrypt(_NONCE, plain, None)
        size = len(ciphertext)
        hashed = segment_hash(n, size, root, sha256(ciphertext).digest())
        return SealedSecond(hashed, (_TWO.pack(n, size) + root, ciphertext), frozenset(heard))
