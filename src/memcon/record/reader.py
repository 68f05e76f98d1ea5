"""A bounded cursor over bytes: every read names what it was reading when the bytes ran out."""

from __future__ import annotations

import struct

from memcon.errors import FormatError

_U16 = struct.Struct(">H")
_U32 = struct.Struct(">I")
_U64 = struct.Struct(">Q")


class Reader:
    """Reads big-endian fields from `data`; raises FormatError naming `what` and the byte."""

    __slots__ = ("at", "data", "end", "what")

    def __init__(self, data: bytes | memoryview, what: str) -> None:
        self.data = memoryview(data)
        self.what = what
        self.at = 0
        self.end = len(self.data)

    def _need(self, n: int, field: str) -> int:
        at = self.at
        if n > self.end - at:
            raise FormatError(self.what, f"{field} needs {n} bytes, {self.end - at} are left", where=at)
        self.at = at + n
        return at

    def view(self, n: int, field: str) -> memoryview:
        """The next `n` bytes as a view."""
        at = self._need(n, field)
        return self.data[at : at + n]

    def take(self, n: int, field: str) -> bytes:
        """The next `n` bytes as a copy."""
        return bytes(self.view(n, field))

    def u8(self, field: str) -> int:
        return self.data[self._need(1, field)]

    def u16(self, field: str) -> int:
        return int(_U16.unpack_from(self.data, self._need(2, field))[0])

    def u32(self, field: str) -> int:
        return int(_U32.unpack_from(self.data, self._need(4, field))[0])

    def u64(self, field: str) -> int:
        return int(_U64.unpack_from(self.data, self._need(8, field))[0])

    def magic(self, expected: bytes) -> None:
        """Refuse anything but `expected` here."""
        at = self.at
        if self.view(len(expected), "magic") != expected:
            raise FormatError(self.what, f"does not begin with {expected!r}", where=at)

    def zeros(self, n: int) -> None:
        """Refuse reserved bytes that are not zero."""
        at = self.at
        if any(self.view(n, "reserved bytes")):
            raise FormatError(self.what, "reserved bytes are not zero", where=at)

    def flag(self, field: str) -> bool:
        """A byte that is 0 or 1."""
        at = self.at
        value = self.u8(field)
        if value > 1:
            raise FormatError(self.what, f"{field} is {value}, neither 0 nor 1", where=at)
        return value == 1

    def done(self) -> None:
        """Refuse anything that is left."""
        if self.at != self.end:
            raise FormatError(self.what, f"{self.end - self.at} bytes too many", where=self.at)

    @property
    def left(self) -> int:
        return self.end - self.at
