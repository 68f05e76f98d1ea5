"""The text of a web page. Nothing of a page is ever run, fetched or shown: only its words are taken.

With the extra `web`, trafilatura finds the article; without it, or where it finds nothing, all visible
text is read with lxml.
"""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from lxml import etree
from lxml import html as lxml_html

from memcon.accounts.readings import Reading, decode_text, shortened
from memcon.errors import FormatError
from memcon.record import edtf

if TYPE_CHECKING:
    from collections.abc import Callable

_HIDDEN = frozenset(
    {"script", "style", "template", "noscript", "iframe", "object", "svg", "head", "select", "button"}
)
_APART = frozenset({"nav", "footer", "aside", "form"})
_BLOCKS = frozenset(
    (
        "p",
        "div",
        "li",
        "ul",
        "ol",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "br",
        "tr",
        "section",
        "article",
        "blockquote",
    )
)
MOST_DEPTH = 200


def read_html(data: bytes, kind: str, charset: str = "") -> Reading:
    """A page as a source. `charset`: what the server said of its encoding, where the page says none."""
    tree, remarks = _parsed(data, charset)
    if tree is None:
        return Reading(data, kind, None, "", (*remarks, "No text could be read from it: no HTML"))
    facts = page_facts(tree)
    article = _trafilatura(data)
    if article:
        return Reading(data, kind, article, "trafilatura", remarks, facts)
    text = visible_text(tree)
    if not text:
        return Reading(data, kind, None, "", (*remarks, "No visible text stands in it"), facts)
    return Reading(data, kind, text, "lxml/1", (*remarks, "All visible text of the page was read"), facts)


def _parsed(data: bytes, charset: str) -> tuple[Any, tuple[str, ...]]:
    """The tree by the page's own encoding, or as text that was decoded with a guess."""
    declared = b"charset" in data[:2048].lower()
    source: bytes | str = data
    remarks: tuple[str, ...] = ()
    if not declared:
        source, remarks = decode_text(data, charset)
    parser = lxml_html.HTMLParser(no_network=True, remove_comments=True, huge_tree=False)
    try:
        return lxml_html.document_fromstring(source, parser=parser), remarks
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        if isinstance(source, bytes):
            text, remarks = decode_text(data, charset)
            try:
                return lxml_html.document_fromstring(text.encode("utf-8"), parser=parser), remarks
            except (etree.ParserError, etree.XMLSyntaxError, ValueError):
                pass
        return None, remarks


def page_facts(tree: Any) -> dict[str, Any]:  # noqa: ANN401  # an lxml element
    """Title, author, publisher, date and language as the page states them: the page's own word."""
    facts: dict[str, Any] = {}
    title = tree.findtext(".//title")
    if title:
        facts["title"] = shortened(title)
    names = {
        "author": ("author", "article:author"),
        "publisher": ("og:site_name", "application-name"),
        "issued": ("article:published_time", "date", "dc.date", "datepublished"),
    }
    stated = {
        str(meta.get("name") or meta.get("property") or meta.get("itemprop") or "").lower(): str(
            meta.get("content") or ""
        )
        for meta in tree.iter("meta")
    }
    for field, keys in names.items():
        value = next((shortened(stated[key]) for key in keys if stated.get(key)), "")
        if value and field == "issued":
            value = as_date(value)
        if value:
            facts[field] = value
    language = tree.get("lang") or ""
    if language:
        facts["language"] = shortened(language, 20)
    return facts


def as_date(text: str) -> str:
    """A date as EDTF: what cannot be read as one is left out."""
    for length in (25, 20, 19, 10):
        try:
            return edtf.parse(text[:length].replace(" ", "T") if length > 10 else text[:length]).text
        except FormatError:
            continue
    return ""


def visible_text(tree: Any) -> str:  # noqa: ANN401  # an lxml element
    """All words a reader of the page sees, blocks apart; without its navigation."""
    lines: list[str] = [""]

    def add(text: str | None) -> None:
        if text:
            lines[-1] += text

    def walk(element: Any, depth: int) -> None:  # noqa: ANN401
        if not isinstance(element.tag, str) or element.tag in _HIDDEN or element.tag in _APART:
            return
        block = element.tag in _BLOCKS
        if block:
            lines.append("")
        add(element.text)
        if depth < MOST_DEPTH:
            for child in element:
                walk(child, depth + 1)
                add(child.tail)
        else:
            add(" ".join(element.itertext()))
        if block:
            lines.append("")

    walk(tree, 0)
    return "\n\n".join(line for line in (" ".join(part.split()) for part in lines) if line)


def _trafilatura(data: bytes) -> str:
    if find_spec("trafilatura") is None or find_spec("lxml_html_clean") is None:
        return ""
    import trafilatura  # an extra, and slow to load: only when a page is read

    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # what it could not read, we say
    extract: Callable[..., str | None] = trafilatura.extract
    try:
        return (extract(data, include_comments=False, favor_recall=True) or "").strip()
    except (ValueError, TypeError, AttributeError, etree.LxmlError, RecursionError):
        return ""  # a page it cannot read is read as plain visible text
