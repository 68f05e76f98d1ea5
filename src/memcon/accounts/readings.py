"""What reading a source gives, and bytes as text."""

from __future__ import annotations

import codecs
import unicodedata
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Reading:
    """One source out of what was taken in. `text` None: none could be read; `remarks` say why.

    `facts` are fields of a source entry that the bytes give of themselves. `holds_others`: an archive or a
    feed, kept whole beside the sources that it gave.
    """

    data: bytes
    media_type: str
    text: str | None
    reader: str
    remarks: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    holds_others: bool = False


def decode_text(data: bytes, charset: str = "") -> tuple[str, tuple[str, ...]]:
    """Bytes as text, line ends as LF; a remark where the encoding had to be guessed.

    `charset` is somebody's word for it: it holds where the bytes are no UTF-8 and can be read by it.
    """
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            return _plain(data.decode(encoding, "replace")), ()
    try:
        return _plain(data.decode("utf-8")), ()
    except UnicodeDecodeError:
        stated = _codec(charset)
        if stated:
            try:
                return _plain(data.decode(stated)), ()
            except (UnicodeDecodeError, LookupError):
                pass
        encoding, said = _guess(data)
    return _plain(data.decode(encoding, "replace")), (f"Not UTF-8; read as {said}",)


def _codec(name: str) -> str:
    """Python's name of a text encoding; empty for what is none."""
    try:
        found = codecs.lookup(name) if name else None
    except (LookupError, ValueError):
        return ""
    return found.name if found is not None and found._is_text_encoding else ""


def _guess(data: bytes) -> tuple[str, str]:
    """Windows-1251 where that gives words in Cyrillic, else Windows-1252."""
    letters = [c for c in data[:20_000].decode("cp1251", "replace") if c.isalpha() and not c.isascii()]
    small = sum("а" <= c <= "я" for c in letters)
    if letters and small > 0.6 * len(letters):
        return "cp1251", "Windows-1251"
    return "cp1252", "Windows-1252"


def shortened(text: str, most: int = 500) -> str:
    """A field of a source entry out of what a page or file says: one line, no control characters."""
    clean = "".join(" " if unicodedata.category(c) == "Cc" else c for c in text)
    return " ".join(clean.split())[:most]


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "\ufffd")
