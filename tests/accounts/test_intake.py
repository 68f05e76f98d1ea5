"""Sources taken in: HTML from hell, PDFs, archives, feeds, wrong encodings; the original is always kept."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.accounts.conftest import HEAD

from memcon.accounts import web
from memcon.accounts.intake import completeness_of, headed, read_source, sniff
from memcon.accounts.similar import alike, changes
from memcon.errors import FormatError, MemconError

if TYPE_CHECKING:
    from memcon.accounts.desk import AccountsDesk

PAGE = b"""<!doctype html><html lang="en"><head><title>Call &amp; answer</title>
<meta property="article:published_time" content="2017-01-28T20:05:00Z"><meta name="author" content="A. Press">
<meta property="og:site_name" content="Office"></head><body><nav>Menu</nav>
<script>alert("x")</script><style>p{}</style>
<article><h1>Telephone call</h1><p>The presidents spoke by phone about <b>Syria</b> and trade today.</p>
<p>They agreed to keep in touch, and the talks will go on next week in Geneva as planned.</p>
<img src=x onerror=alert(1)></article><footer>Contact</footer></body></html>"""


def pdf_of(text: str) -> bytes:
    """A PDF of one page, by hand."""
    stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, places = bytearray(b"%PDF-1.4\n"), []
    for n, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (n, body)
    start = len(out)
    out += b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % at for at in places)
    return bytes(out + b"trailer << /Root 1 0 R /Size 6 >>\nstartxref\n%d\n%%%%EOF" % start)


def warc_of(*pages: tuple[str, bytes]) -> bytes:
    """A compressed web archive, by hand (ISO 28500)."""
    out = b""
    for address, body in pages:
        http = b"HTTP/1.0 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + body
        head = (
            f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {address}\r\n"
            f"WARC-Date: 2017-02-01T10:00:00Z\r\nWARC-Record-ID: <urn:uuid:{len(out):032}>\r\n"
            "Content-Type: application/http; msgtype=response\r\n"
            f"Content-Length: {len(http)}\r\n\r\n"
        )
        out += gzip.compress(head.encode() + http + b"\r\n\r\n")
    return out


FEED = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>
<rss version="2.0"><channel><title>Office of the President</title>
<item><title>Call with President Bell</title><link>https://a.example/1</link>
<pubDate>Sat, 28 Jan 2017 20:05:00 +0300</pubDate>
<description>
&lt;p&gt;They spoke of &lt;b&gt;Syria&lt;/b&gt;.&lt;script&gt;x&lt;/script&gt;
&e;&lt;/p&gt;</description></item>
<item><title>Second</title><pubDate>the day before</pubDate></item></channel></rss>"""


@pytest.mark.parametrize("finder", ["trafilatura", "lxml/1"])
def test_a_page_gives_its_words_and_what_it_says_of_itself(
    finder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if finder == "lxml/1":
        monkeypatch.setattr(web, "_trafilatura", lambda _: "")
    (read,) = read_source(PAGE, "page.html")
    assert (read.media_type, read.reader) == ("text/html", finder)
    assert read.data == PAGE
    assert read.text is not None
    assert "spoke by phone about Syria and trade" in read.text
    assert "alert" not in read.text
    assert "Menu" not in read.text
    assert read.facts == {
        "title": "Call & answer", "author": "A. Press", "publisher": "Office",
        "issued": "2017-01-28T20:05:00Z", "language": "en",
    }  # fmt: skip


def test_without_the_extra_all_visible_text_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "find_spec", lambda _: None)
    (read,) = read_source(PAGE, "")
    assert read.reader == "lxml/1"
    assert read.remarks == ("All visible text of the page was read",)


@pytest.mark.parametrize(
    "data",
    [b"<html>", b"<html><body><script>x</script></body></html>", b"<html>" + b"<div>" * 3000 + b"deep",
     b'<html><head><meta charset="no-such-thing"></head><body>x</body></html>', b"<html>\x00\xff<p>&#xD800;"],
    ids=["empty", "script", "deep", "charset", "broken"],
)  # fmt: skip
def test_html_from_hell_is_kept(data: bytes) -> None:
    (read,) = read_source(data, "x.html", "text/html")
    assert read.data == data
    if read.text is not None:
        read.text.encode("utf-8")


@given(
    st.binary(min_size=1, max_size=200), st.sampled_from(["text/html", "application/pdf", "", "text/plain"])
)
def test_whatever_comes_is_kept_and_nothing_else_is_raised(data: bytes, kind: str) -> None:
    for read in read_source(data, "x", kind) if sniff(data, "x") == "text/plain" or kind else []:
        assert read.text is None or read.text.encode("utf-8") is not None


@given(st.binary(min_size=1, max_size=120))
def test_containers_that_are_none_are_named_errors(data: bytes) -> None:
    for kind, head in (("application/warc", b"WARC/1.0\r\n"), ("application/rss+xml", b"<rss")):
        try:
            read_source(head + data, "", kind)
        except MemconError:
            continue


def test_a_pdf() -> None:
    (read,) = read_source(pdf_of("They spoke of Ukraine."), "x.pdf")
    assert read.media_type == "application/pdf"
    assert read.text == "They spoke of Ukraine."
    (scan,) = read_source(pdf_of(""), "x.pdf")
    assert scan.text is None
    assert scan.remarks == ("No text stands in it: a scan, or pictures of words",)
    (broken,) = read_source(b"%PDF-1.4\nnothing", "")
    assert broken.text is None
    assert broken.remarks


def test_an_archive_gives_each_page_with_its_address() -> None:
    data = warc_of(("https://a.example/1", PAGE), ("https://a.example/2", b"<p>Two words</p>"))
    whole, *found = read_source(data, "")
    assert (whole.data, whole.text, whole.holds_others) == (data, None, True)
    assert [r.facts["address"] for r in found] == ["https://a.example/1", "https://a.example/2"]
    assert found[0].facts["seen"] == "2017-02-01T10:00:00Z"
    assert found[0].data == PAGE
    with pytest.raises(FormatError, match="web archive"):
        read_source(gzip.compress(b"no archive"), "")


def test_a_feed_gives_each_item_and_doubts_its_dates() -> None:
    feed, first, second = read_source(FEED.encode(), "feed.xml")
    assert feed.data == FEED.encode()
    assert feed.text is None
    assert first.facts["issued"] == "2017-01-28T17:05:00Z"
    assert first.facts["publisher"] == "Office of the President"
    assert first.facts["address"] == "https://a.example/1"
    assert first.text is not None
    assert first.text.startswith("Call with President Bell\n\nThey spoke of Syria.")
    assert "root:" not in first.text
    assert second.remarks == ("Its date could not be read: the day before",)
    atom = (
        b'<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title><entry><title>E</title>'
        b'<link href="https://a.example/e"/>'
        b"<updated>2017-01-28T20:05:00Z</updated><summary>S</summary>"
        b"</entry></feed>"
    )
    entry = read_source(atom, "")[1]
    assert (entry.text, entry.facts["issued"]) == ("E\n\nS", "2017-01-28T20:05:00Z")
    with pytest.raises(FormatError, match="feed"):
        read_source(b"nothing", "", "application/rss+xml")


@pytest.mark.parametrize(
    ("data", "text", "remark"),
    [
        ("Привет, мир".encode("cp1251"), "Привет, мир", "Not UTF-8; read as Windows-1251"),
        ("Grüße".encode("cp1252"), "Grüße", "Not UTF-8; read as Windows-1252"),
        ("мир".encode("utf-16"), "мир", None),
        (b"\xef\xbb\xbfx\r\ny", "x\ny", None),
    ],
)
def test_encodings(data: bytes, text: str, remark: str | None) -> None:
    (read,) = read_source(data, "x.txt", "text/plain")
    assert read.text == text
    assert read.remarks == ((remark,) if remark else ())


def test_a_line_of_facts_above_a_text() -> None:
    text = '{"side": "Office", "source": "see https://a.example/x; copied", "completeness": "full"}\n\nWords.'
    facts, body = headed(text)
    assert body == "Words."
    assert facts["address"] == "https://a.example/x"
    assert facts["completeness"] == "complete"
    for other in ("{x\n\ny", '{"a": 1}\nno empty line', "plain", "{}"):
        assert headed(other) == ({}, other)
    said = {
        "near full": "excerpt",
        "full but for a line": "excerpt",
        "assembled: x": "assembled",
        "?": "unknown",
    }
    assert {key: completeness_of(key) for key in said} == said


def test_copies_are_known_as_copies() -> None:
    base = "The presidents spoke by phone for an hour on Saturday about Syria and trade and the fight of all"
    longer = base + " while a spokesman later added that nothing at all had been decided about a visit in May"
    found = alike(
        {
            1: base,
            2: base.upper(),
            3: base + " today",
            4: longer,
            5: "Something else entirely was said",
            6: "",
        }
    )
    kinds = {(x.first, x.second): x.kind for x in found}
    assert kinds == {
        (1, 2): "same",
        (1, 3): "near",
        (2, 3): "near",
        (4, 1): "within",
        (4, 2): "within",
        (4, 3): "within",
    }


def test_what_changed_between_two_versions(desk: AccountsDesk) -> None:
    old, new = "They spoke of trade and Syria.", "They spoke of trade, Syria and Iran."
    assert [(c.old, c.new) for c in changes(old, new)] == [
        ("trade", "trade, Syria"),
        ("Syria.", "Iran."),
    ]
    id_ = desk.open("A", HEAD).id
    made = desk.add_source(id_, "A", warc_of(("https://a.example/1", PAGE)), {"side": "A", "name": "x.warc"})
    again = desk.add_source(id_, "A", PAGE + b"<p>More", {"address": "https://a.example/1"})
    assert again[0].entry.body["version_of"] == made[1].entry.n
