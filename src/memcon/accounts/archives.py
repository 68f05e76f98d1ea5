"""Containers of sources: web archives (WARC) and feeds (RSS, Atom). Each page or item is a source."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from lxml import etree
from lxml import html as lxml_html

from memcon.accounts.readings import Reading, shortened
from memcon.accounts.web import as_date, visible_text
from memcon.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable

    ReadPage = Callable[[bytes, str, str], list[Reading]]

MOST_ITEMS = 200
MOST_RECORD = 16 << 20


def read_warc(data: bytes, read_page: ReadPage) -> list[Reading]:
    """Every response of an archive, with its address and the time it was seen. FormatError for none."""
    from warcio.archiveiterator import ArchiveIterator  # needed for archives alone
    from warcio.exceptions import ArchiveLoadFailed

    found: list[Reading] = []
    try:
        for record in ArchiveIterator(io.BytesIO(data)):
            if record.rec_type not in ("response", "resource") or len(found) >= MOST_ITEMS:
                continue
            body = record.content_stream().read(MOST_RECORD)
            headers = record.http_headers
            said = str((headers and headers.get_header("Content-Type")) or record.content_type or "")
            if body:
                found += _of_record(record, body, said.lower(), read_page)
    except (ArchiveLoadFailed, ValueError, EOFError, OSError, KeyError, AttributeError, TypeError) as error:
        if not found:
            raise _no_warc(f"{type(error).__name__}: {error}") from error
    if not found:
        raise _no_warc("holds no response")
    return found


def _no_warc(problem: str) -> FormatError:
    return FormatError("web archive", problem[:200], cure="Take in a WARC file, or the page itself")


def _of_record(record: Any, body: bytes, said: str, read_page: ReadPage) -> list[Reading]:  # noqa: ANN401  # warcio has no types
    """A page with its address, or a feed with its items, which have addresses of their own."""
    charset = re.search(r"charset\s*=\s*[\"']?([\w.:-]+)", said)
    found = read_page(body, said.partition(";")[0].strip(), charset[1] if charset else "")
    address = shortened(record.rec_headers.get_header("WARC-Target-URI") or "", 2000)
    seen = as_date(str(record.rec_headers.get_header("WARC-Date") or ""))
    facts = [read.facts | {"seen": seen} for read in found]
    facts[0]["address"] = address
    return [replace(read, facts=told) for read, told in zip(found, facts, strict=True)]


def read_feed(data: bytes) -> list[Reading]:
    """Every item of an RSS or Atom feed: its own XML is kept, its words are the text."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise FormatError("feed", f"no XML: {error}") from error
    if root is None:
        raise FormatError("feed", "no XML")
    items = [e for e in root.iter() if isinstance(e.tag, str) and _name(e) in ("item", "entry")]
    publisher = shortened(_child(root, "title") or _child(_first(root, "channel"), "title"))
    return [_of_item(item, publisher) for item in items[:MOST_ITEMS]]


def _of_item(item: Any, publisher: str) -> Reading:  # noqa: ANN401  # an lxml element
    title = shortened(_child(item, "title"))
    markup = (
        _child(item, "encoded")
        or _child(item, "content")
        or _child(item, "description")
        or _child(item, "summary")
    )
    words = _words(markup)
    date, remarks = _date(
        _child(item, "pubDate")
        or _child(item, "published")
        or _child(item, "updated")
        or _child(item, "date")
    )
    facts = {
        "title": title,
        "publisher": publisher,
        "author": shortened(_child(item, "author") or _child(item, "creator")),
        "address": shortened(_address(item), 2000),
        "issued": date,
        "completeness": "unknown",
    }
    text = "\n\n".join(part for part in (title, words) if part) or None
    raw = etree.tostring(item, encoding="utf-8")
    return Reading(raw, "application/xml", text, "feed/1", remarks, {k: v for k, v in facts.items() if v})


def _name(element: Any) -> str:  # noqa: ANN401  # an lxml element
    return str(element.tag).rpartition("}")[2]


def _first(element: Any, name: str) -> Any:  # noqa: ANN401  # an lxml element or None
    if element is None:
        return None
    return next((e for e in element if isinstance(e.tag, str) and _name(e) == name), None)


def _child(element: Any, name: str) -> str:  # noqa: ANN401  # an lxml element
    found = _first(element, name)
    return "" if found is None else "".join(found.itertext()).strip()


def _address(item: Any) -> str:  # noqa: ANN401  # an lxml element
    link = _first(item, "link")
    return "" if link is None else str(link.get("href") or "".join(link.itertext())).strip()


def _words(markup: str) -> str:
    if "<" not in markup:
        return markup.strip()
    try:
        tree = lxml_html.fromstring(f"<div>{markup}</div>")
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return markup
    return " ".join(visible_text(tree).split())


def _date(text: str) -> tuple[str, tuple[str, ...]]:
    """RFC 5322 or ISO 8601; a date that is neither is a remark, and the item is kept."""
    if not text:
        return "", ()
    try:
        moment = parsedate_to_datetime(text)
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), ()
    except (ValueError, TypeError, IndexError, OverflowError):
        pass
    read = as_date(text)
    return read, () if read else (f"Its date could not be read: {shortened(text, 60)}",)
