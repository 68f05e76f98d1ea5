"""A source as it came, and the text read from it: nothing is thrown away, whatever cannot be read.

What a reader could not make out is a remark at the source, never an error: the bytes are kept.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import Any

from memcon.accounts import archives, pdf, web
from memcon.accounts.readings import Reading, decode_text
from memcon.errors import FormatError, UsageError

MOST_BYTES = 64 << 20
FEEDS = ("application/rss+xml", "application/atom+xml")
_VAGUE = ("", "application/octet-stream", "text/xml", "application/xml", "text/plain")
"""Kinds that a web server says of nearly anything."""


def read_source(data: bytes, name: str, media_type: str = "") -> list[Reading]:
    """Everything the bytes hold: a web archive or a feed gives several. UsageError for what is empty or too
    large to be a source; whatever cannot be read is kept with a remark."""
    if not data:
        raise UsageError("the source is empty")
    if len(data) > MOST_BYTES:
        raise UsageError(f"the source has {len(data):,} bytes; at most {MOST_BYTES:,} are taken in")
    kind = (media_type or sniff(data, name)).partition(";")[0].strip().lower()
    if kind == "application/warc":
        pages = archives.read_warc(data, _read_page)
        remark = "A web archive: its pages are sources of their own"
        return [Reading(data, kind, None, "", (remark,), holds_others=True), *pages]
    return _read_all(data, kind)


def _read_all(data: bytes, kind: str, charset: str = "") -> list[Reading]:
    """What is no archive: a page, a text, or a feed and its items."""
    if kind in FEEDS:
        return [_of_feed(data, kind), *archives.read_feed(data)]
    return [_read_one(data, kind, charset)]


def _read_page(data: bytes, kind: str, charset: str) -> list[Reading]:
    """An answer of a web server, whose word on what it sends is not taken where the bytes say otherwise."""
    seen = sniff(data, "")
    if seen in FEEDS and (kind in FEEDS or kind in _VAGUE):
        try:
            return _read_all(data, seen)
        except FormatError as error:
            return [Reading(data, seen, None, "", (str(error),))]
    return [_read_one(data, seen if kind in _VAGUE else kind, charset)]


def _read_one(data: bytes, kind: str, charset: str = "") -> Reading:
    if kind in ("text/html", "application/xhtml+xml"):
        return web.read_html(data, kind, charset)
    if kind == "application/pdf":
        return pdf.read_pdf(data)
    if kind.startswith(("text/", "application/json")) or kind == "":
        text, remarks = decode_text(data, charset)
        facts, body = headed(text)
        return Reading(data, kind or "text/plain", body, "text/1", remarks, facts)
    return Reading(data, kind, None, "", (f"No text could be read from it: {kind}",))


def _of_feed(data: bytes, kind: str) -> Reading:
    remark = "A feed: its items are sources of their own"
    return Reading(data, kind, None, "", (remark,), holds_others=True)


def sniff(data: bytes, name: str) -> str:
    """What bytes look like, then what their name says."""
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(b"warc/") or data[:2] == b"\x1f\x8b":
        return "application/warc"
    if head.startswith(b"%pdf-"):
        return "application/pdf"
    if b"<rss" in head or b"<rdf:rdf" in head:
        return "application/rss+xml"
    if b"<feed" in head and b"atom" in head:
        return "application/atom+xml"
    if head.startswith((b"<!doctype html", b"<html")) or b"<body" in head or b"<head" in head:
        return "text/html"
    if name.lower().endswith((".html", ".htm", ".xhtml")):
        return "text/html"
    marked = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return "application/octet-stream" if b"\x00" in data[:4096] and not marked else "text/plain"


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
