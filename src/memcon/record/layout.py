"""Fixed-width layouts, written and read with the widths checked.

`struct` alone pads or cuts a byte string of the wrong width without a word; in a format that is
hashed and signed this must be a defect that shows at once.
"""

from __future__ import annotations

import re
import struct
from typing import Any, TypeAlias

from memcon.errors import FormatError, LocalError

Problem: TypeAlias = tuple[str, int] | None
"""What is wrong with a value and the byte where it stands, or None."""


class Layout:
    """A big-endian struct of `what`; `form` uses the letters B H I Q, `16s` and `5x`."""

    __slots__ = ("_struct", "_widths", "size", "unpack", "what")

    def __init__(self, what: str, form: str) -> None:
        self.what = what
        self._struct = struct.Struct(form)
        self.size = self._struct.size
        self.unpack = self._struct.unpack
        letters = [(count, letter) for count, letter in re.findall(r"(\d*)([sxBHIQ])", form) if letter != "x"]
        self._widths = [(i, int(count)) for i, (count, letter) in enumerate(letters) if letter == "s"]

    def pack(self, *values: int | bytes) -> bytes:
        """The bytes; raises LocalError for an integer out of range or a byte string of another width."""
        for i, width in self._widths:
            value = values[i]
            if isinstance(value, int) or len(value) != width:
                raise LocalError(f"{self.what}: field {i} is not {width} bytes wide")
        try:
            return self._struct.pack(*values)
        except struct.error as error:
            raise LocalError(f"{self.what}: {error}") from error


def refuse_to_write(what: str, problem: Problem) -> None:
    """Raise LocalError if our own value could not be read back."""
    if problem is not None:
        raise LocalError(f"{what} at byte {problem[1]}: {problem[0]}")


def refuse_to_read(what: str, problem: Problem) -> None:
    """Raise FormatError if a value that was read breaks a rule of its format."""
    if problem is not None:
        raise FormatError(what, problem[0], where=problem[1])


def brief(value: Any) -> str:  # noqa: ANN401 - whatever a peer's JSON held
    """`value` as it may stand in an error: printable and short, however much a peer sent."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
