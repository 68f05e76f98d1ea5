"""A source as it came, and the text read from it: nothing is thrown away, whatever cannot be read.

What a reader could not make out is a remark at the source, never an error: the bytes are kept.
"""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass, field
from typing import Any

from memcon.errors import UsageError

MOST_BYTES = 64 << 20
_HEADER = {"side": "publisher", "licence": "licence", "note": "note", "language": "language"}


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
    facts, body = headed(text)
    return [Reading(data, media_type or "text/plain", body, "text/1", remarks, facts)]


def headed(text: str) -> tuple[dict[str, Any], str]:
    """A text with a JSON object as its first line and an empty one after it: facts, and the text below."""
    first, _, rest = text.partition("\n")
    if not first.startswith("{") or not rest.startswith("\n"):
        return {}, text
    try:
        header = json.loads(first)
    except ValueError:
        return {}, text
    if not isinstance(header, dict):
        return {}, text
    facts: dict[str, Any] = {}
    for key, name in (
        ("side", "publisher"),
        ("licence", "licence"),
        ("note", "note"),
        ("language", "language"),
    ):
        if isinstance(header.get(key), str):
            facts[name] = header[key][:500]
    source = header.get("source")
    if isinstance(source, str):
        address = re.search(r"https?://[^\s;)]+", source)
        facts["address"] = address[0] if address else ""
        facts["note"] = " ".join(filter(None, [facts.get("note", ""), f"Source: {source}"]))
    facts["completeness"] = completeness_of(header.get("completeness"))
    return facts, rest.lstrip("\n")


def completeness_of(said: object) -> str:
    """Complete is only what says so without a reserve."""
    words = str(said or "").casefold()
    if words.startswith(("full but", "near")):
        return "excerpt"
    names = {"assembled": "assembled", "excerpt": "excerpt", "full": "complete", "complete": "complete"}
    for begins, name in names.items():
        if words.startswith(begins):
            return name
    return "unknown"


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
