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
_FIELDS = struct.Struct(">IHBB")
_BLOCK_TAG = tag("block")
_HEADS = struct.Struct(">HBBI8sIHBBIIII")
"""A block's head in the content, then the block's own."""
_CONTENT_HEAD = _HEADS.size - BLOCK_HEAD
_BLOCKS_TAG = tag("blocks")
_ENTRY = struct.Struct(">HBB32s")
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

    __slots__ = ("_inner", "_inner_key", "_outer")

    def __init__(self, call_key: bytes) -> None:
        inner, self._outer = hmac_pads(call_key)
        self._inner = inner + _SALT
        self._inner_key = inner + _KEY

    def seal(self, n: int, streams: Iterable[Stream]) -> SealedSecond:
        """Take the blocks of second `n` out of `streams`, which stand in the order of their numbers."""
        found: list[tuple[int, int, int, int]] = []
        content = [b""]
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
                arrivals, lengths, packets, firsts, lasts = zip(*block, strict=True)
                body = b"".join((*arrivals, *lengths, *packets))
                count = sum(map(len, arrivals)) >> 3
                size = BLOCK_HEAD + len(body)
                head = number, position, kind, size, BLOCK_MAGIC, n, number, position, kind, count
                content += (_HEADS.pack(*head, *timestamps(firsts, lasts), 0), body)
                found.append((number, position, kind, size))
        content[0] = _ONE.pack(len(found))
        return self._encrypt(n, b"".join(content), found)

    def _encrypt(self, n: int, plain: bytes, found: list[tuple[int, int, int, int]]) -> SealedSecond:
        """Commit to the blocks in the content, (stream, position, kind, size) each, and encrypt it."""
        sha256, outer = hashlib.sha256, self._outer
        view = memoryview(plain)
        entries = [_BLOCKS_TAG, _TWO.pack(n, len(found))]
        at = _ONE.size
        for number, position, kind, size in found:
            inner = sha256(self._inner + _FIELDS.pack(n, number, position, kind)).digest()
            digest = sha256(_BLOCK_TAG + sha256(outer + inner).digest())
            at += _CONTENT_HEAD + size
            digest.update(view[at - size : at])
            entries.append(_ENTRY.pack(number, position, kind, digest.digest()))
        root = sha256(b"".join(entries)).digest()
        key = sha256(outer + sha256(self._inner_key + _ONE.pack(n) + root).digest()).digest()
        ciphertext = AESGCM(key).encrypt(_NONCE, plain, None)
        head = _TWO.pack(n, len(ciphertext)) + root
        hashed = sha256(_SEGMENT_TAG + head + sha256(ciphertext).digest()).digest()
        return SealedSecond(hashed, (head, ciphertext), frozenset([f[0] for f in found]))
