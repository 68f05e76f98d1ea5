"""One second of one call sealed: its content committed, block by block, and encrypted, written for speed.

The bytes are those of `memcon.record.segment` and `memcon.record.hashing` (FORMATS §1, §6, §7); only
what is the same for all blocks of a call is computed once, and nothing is checked that `waiting`
cannot get wrong. The tests read every segment back through `memcon.record`.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from memcon.record.hashing import hmac_pads, tag
from memcon.seal.waiting import ENTRY

if TYPE_CHECKING:
    from memcon.seal.waiting import Content

_NONCE = bytes(12)
_SALT = tag("salt/block")
_KEY = tag("key/segment")
_BLOCK = hashlib.sha256(tag("block"))
_BLOCKS_TAG = tag("blocks")
_SEGMENT_TAG = tag("segment")
_TWO = struct.Struct(">II")
_ONE = struct.Struct(">I")
_NAME = 4
"""Stream, position, kind: how an entry begins, and all that the plaintext root has of it."""
_FIELDS, _FIELDS_END = ENTRY + 8, ENTRY + 16
"""Segment, stream, position, kind in the block's head: as its salt is derived from them."""


@dataclass(frozen=True, slots=True)
class SealedSecond:
    """A segment: its hash, and its bytes in `media.mcs` as pieces."""

    hash: bytes
    pieces: tuple[bytes, ...]


class SecondSealer:
    """Seals the seconds of one call under its key."""

    __slots__ = ("_inner", "_outer", "_salts")

    def __init__(self, call_key: bytes) -> None:
        inner, outer = hmac_pads(call_key)
        self._inner, self._outer = hashlib.sha256(inner), hashlib.sha256(outer)
        self._salts = hashlib.sha256(inner + _SALT)

    def seal(self, n: int, content: Content) -> SealedSecond:
        """The second `n`, whose content has its blocks in order."""
        plain, cuts = content.plain, content.cuts
        entries: list[bytes | memoryview] = [_BLOCKS_TAG, _ONE.pack(n), _ONE.pack(len(cuts))]
        sha256, salts, outers, blocks = hashlib.sha256, self._salts, self._outer, _BLOCK
        for start, end in pairwise((*cuts, len(plain))):
            salt = salts.copy()
            salt.update(plain[start + _FIELDS : start + _FIELDS_END])
            outer = outers.copy()
            outer.update(salt.digest())
            digest = blocks.copy()
            digest.update(outer.digest())
            digest.update(plain[start + ENTRY : end])
            entries += (plain[start : start + _NAME], digest.digest())
        root = sha256(b"".join(entries)).digest()
        key = AESGCM(self._mac(_KEY + _ONE.pack(n) + root))
        ciphertext = key.encrypt(_NONCE, plain, None)
        head = _TWO.pack(n, len(ciphertext)) + root
        hashed = sha256(_SEGMENT_TAG + head + sha256(ciphertext).digest()).digest()
        return SealedSecond(hashed, (head, ciphertext))

    def _mac(self, message: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()
