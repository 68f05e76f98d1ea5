"""A source as it came, and the text read from it: nothing is thrown away, whatever cannot be read.

What a reader could not make out is a remark at the source, never an error: the bytes are kept.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from typing import Any

from memcon.errors import UsageError

MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Reading:
    """One source out of what was taken in. `text` None: none could be read; `remarks` say why."""

    data: bytes
    media_type: str
    text: str | None
    reader: str
    remarks: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)


def read_source(data: bytes, name: str, media_type: str = "") -> list[Reading]:
    """Everything the bytes hold. UsageError for what is empty or too large to be a source."""
    if not data:
        raise UsageError("the source is empty")
    if len(data) > MOST_BYTES:
        raise UsageError(f"the source has {len(data):,} bytes; at most {MOST_BYTES:,} are taken in")
    if b"\x00" in data[:4096] and not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        kind = media_type or "application/octet-stream"
        return [Reading(data, kind, None, "", ("No text could be read from it",))]
    text, remarks = decode_text(data)
    return [Reading(data, media_type or "text/plain", text, "text/1", remarks)]


def decode_text(data: bytes) -> tuple[str, tuple[str, ...]]:
    """Bytes as text, line ends as LF; a remark where the encoding had to be guessed."""
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
        pass
    text = data.decode("cp1252", "replace")
    return _plain(text), ("Not UTF-8; read as Windows-1252",)


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "\ufffd")
