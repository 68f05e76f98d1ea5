"""Strict base64 and decimals, as all C2SP text formats write them.

One value has one spelling: what decodes here encodes back to the same characters, so a changed
character can never hide in padding bits, leading zeros or signs.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

from memcon.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_INTEGER = 2**63 - 1
"""The largest size, index and timestamp accepted: the other implementations hold them in an int64."""

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f]")
_UNCLEAN = re.compile("[\x00-\x1f\ud800-\udfff]")


class PublicKeyError(FormatError):
    """A public key that cannot be used: wrong length, encoding, type, or a weak point."""


def to_base64(data: bytes) -> str:
    """Standard base64 with padding (RFC 4648 section 4)."""
    return base64.b64encode(data).decode("ascii")


def from_base64(text: str, what: str, where: int | str, *, error: type[FormatError] = FormatError) -> bytes:
    """The bytes of canonical standard base64; raises `error` on anything else."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise error(what, "not base64", where=where) from None
    if to_base64(data) != text:
        raise error(what, "base64 is not canonical", where=where)
    return data


def hash_from_base64(
    text: str, what: str, where: int | str, *, error: type[FormatError] = FormatError
) -> bytes:
    """A 32-byte hash in base64."""
    data = from_base64(text, what, where, error=error)
    if len(data) != 32:
        raise error(what, f"a hash has 32 bytes, this one {len(data)}", where=where)
    return data


def from_decimal(text: str, what: str, where: int | str, *, error: type[FormatError] = FormatError) -> int:
    """An ASCII decimal without sign or leading zeros, 0 to 2^63 - 1."""
    if _DECIMAL.fullmatch(text) is None or int(text) > MAX_INTEGER:
        raise error(what, "not a decimal between 0 and 2^63 - 1 without leading zeros", where=where)
    return int(text)


def is_clean(line: str) -> bool:
    """Whether a line can stand in a note: no control character, newline included, and no lone surrogate."""
    return _UNCLEAN.search(line) is None


def text_of(data: bytes, what: str, *, error: type[FormatError] = FormatError) -> str:
    """UTF-8 without ASCII control characters other than newline (signed-note, Format)."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise error(what, "not UTF-8", where=problem.start) from None
    control = _CONTROL.search(data)
    if control is not None:
        raise error(what, "control character", where=control.start())
    return text


def lines_of(text: str, what: str, *, error: type[FormatError] = FormatError) -> Sequence[str]:
    """The lines of a text in which every line ends in a newline."""
    if not text.endswith("\n"):
        raise error(what, "the last line does not end in a newline", where="end")
    return text[:-1].split("\n")
