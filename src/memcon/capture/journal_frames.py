"""Frames of the journal in the making, in memory that is used again (FORMATS §12).

A second of a thousand calls is twenty megabytes. What is collected for a frame lies in one piece of memory
that stays; an encrypted frame takes a piece of its own until a sync has covered it, and gives it back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from memcon.record import journal as frames

if TYPE_CHECKING:
    from collections.abc import Sequence

SMALL: Final = 1 << 16
"""Bytes up to which a frame is not worth keeping the memory of."""
GRAIN: Final = 1 << 18
SPARE: Final = 32 << 20
"""Bytes of given-back memory that are kept: a second of a full machine."""


class Collected:
    """What the next frame will hold, back to back."""

    def __init__(self) -> None:
        self._data = bytearray(GRAIN)
        self.size = 0

    def add(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Copy pieces to the end; views may be of any item size, and lie back to back."""
        octets = [memoryview(piece).cast("B") for piece in pieces if memoryview(piece).nbytes]
        end = self.size + sum(map(len, octets))
        if end > len(self._data):
            self._data = self._data.ljust(2 * end)
        target, at = memoryview(self._data), self.size
        for piece in octets:
            target[at : at + len(piece)] = piece
            at += len(piece)
        self.size = end

    def take(self) -> memoryview:
        """All of it, to be used before the next `add`."""
        size, self.size = self.size, 0
        return memoryview(self._data)[:size]


class FrameMaker:
    """Encrypts frames of one instance under its journal key, and keeps memory for them."""

    def __init__(self, instance: bytes, key: bytes) -> None:
        self._instance = instance
        self._aead = AESGCM(key)
        self._free: list[bytearray] = []

    def make(self, number: int, plaintext: memoryview) -> memoryview:
        """Frame `number`. Its memory is the caller's until `give_back`."""
        length = len(plaintext) + frames.GCM_TAG
        head = frames.frame_head(length, number)
        frame = self._room(frames.FRAME_HEAD + length)
        frame[: frames.FRAME_HEAD] = head
        nonce = frames.frame_nonce(number)
        self._aead.encrypt_into(nonce, plaintext, self._instance + head, frame[frames.FRAME_HEAD :])
        return frame

    def _room(self, size: int) -> memoryview:
        if size <= SMALL:
            return memoryview(bytearray(size))
        for place, piece in enumerate(self._free):
            if len(piece) >= size:
                return memoryview(self._free.pop(place))[:size]
        if self._free:  # all too small by now
            self._free.pop()
        return memoryview(bytearray(-(-size // GRAIN) * GRAIN))[:size]

    def give_back(self, frame: memoryview) -> None:
        """A frame that nobody needs any more."""
        piece = frame.obj
        if not isinstance(piece, bytearray) or len(piece) <= SMALL:
            return
        if sum(map(len, self._free)) + len(piece) <= SPARE:
            self._free.append(piece)
