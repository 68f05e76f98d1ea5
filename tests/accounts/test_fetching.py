"""Sources from an address: what went and came is kept; a server that lies or leads astray is refused."""

from __future__ import annotations

import io
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from tests.accounts.conftest import HEAD
from tests.accounts.test_intake import FEED, PAGE
from warcio.archiveiterator import ArchiveIterator

from memcon.accounts import fetching
from memcon.accounts.fetching import Fetcher
from memcon.cli.main import main
from memcon.clock import NS, ManualClock
from memcon.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from memcon.accounts.desk import AccountsDesk

Answer = tuple[int, dict[str, str], bytes]
HTML = {"Content-Type": "text/html"}


class Site:
    """A web server of the loop-back: `pages` by path, and what it was asked."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.pages: dict[str, Answer] = {}
        self.asked: list[str] = []


@contextmanager
def serving() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            status, headers, body = made.pages.get(self.path, (404, {}, b"gone"))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if "Content-Length" not in headers and "Transfer-Encoding" not in headers:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Site(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join(30)


@pytest.fixture(scope="module")
def shared() -> Iterator[Site]:
    with serving() as made:
        yield made


@pytest.fixture
def site(shared: Site) -> Site:
    shared.pages.clear()
    shared.asked.clear()
    return shared


def got(address: str) -> bytes:
    return Fetcher(ManualClock(), inside=True).fetch(address)


def records(warc: bytes) -> list[tuple[str, str, bytes]]:
    return [
        (r.rec_type, r.rec_headers.get_header("WARC-Target-URI"), r.content_stream().read())
        for r in ArchiveIterator(io.BytesIO(warc), check_digests="raise")
    ]


def test_request_and_answer_are_kept(site: Site) -> None:
    site.pages["/a?b=c%20d"] = (200, HTML, PAGE)
    warc = got(f"{site.base}/a?b=c%20d")
    assert sorted(records(warc)) == [
        ("request", f"{site.base}/a?b=c%20d", b""),
        ("response", f"{site.base}/a?b=c%20d", PAGE),
    ]
    assert b"GET /a?b=c%20d HTTP/1.1\r\n" in warc
    assert b"Accept-Encoding: identity" in warc
    assert b"WARC-Date: 2027-01-15T08:00:00Z" in warc


def test_redirects_are_kept_and_followed(site: Site) -> None:
    site.pages["/old"] = (301, {"Location": "/new?x=1"}, b"")
    site.pages["/new?x=1"] = (200, HTML, PAGE)
    site.pages["/umlaut"] = (302, {"Location": "/\u00c3\u00a4\r"[:3]}, b"")
    site.pages["/%C3%A4"] = (200, HTML, PAGE)
    assert b"GET /%C3%A4 HTTP/1.1" in got(f"{site.base}/um\nlaut")
    kinds = [(kind, address[len(site.base) :]) for kind, address, _ in records(got(f"{site.base}/old"))]
    assert [k for k in kinds if k[0] == "response"] == [("response", "/old"), ("response", "/new?x=1")]


def test_a_page_becomes_a_source_and_later_a_new_version(site: Site, desk: AccountsDesk) -> None:
    id_ = desk.open("A", HEAD).id
    site.pages["/r"] = (200, HTML, b"<html><p>They spoke of trade and Syria.</p></html>")
    archive, first = desk.add_source(id_, "A", got(f"{site.base}/r"), {"side": "A", "readout": True})
    assert archive.entry.body["remarks"] == ["A web archive: its pages are sources of their own"]
    assert (archive.entry.body["readout"], first.entry.body["readout"]) == (False, True)
    assert first.entry.body["address"] == f"{site.base}/r"
    assert first.entry.body["seen"] == "2027-01-15T08:00:00Z"
    site.pages["/r"] = (200, HTML, b"<html><p>They spoke of trade.</p></html>")
    later = desk.add_source(id_, "A", got(f"{site.base}/r"), {"side": "A", "readout": True})[1]
    assert later.entry.body["version_of"] == first.entry.n
    assert [s.n for s in desk.read(id_).readouts()] == [later.entry.n]


def test_a_feed_gives_its_items_whatever_the_server_calls_it(site: Site, desk: AccountsDesk) -> None:
    id_ = desk.open("A", HEAD).id
    for kind in ("application/rss+xml", "text/xml; charset=utf-8", "application/octet-stream"):
        site.pages["/f"] = (200, {"Content-Type": kind}, FEED.encode())
        made = [k.entry.body for k in desk.add_source(id_, "A", got(f"{site.base}/f"), {})]
        assert [b["media_type"] for b in made[1:]] == ["application/rss+xml"] + 2 * ["application/xml"]
        assert made[1]["address"] == f"{site.base}/f"
        assert made[2]["address"] == "https://a.example/1"
        assert made[2]["seen"] == "2027-01-15T08:00:00Z"
    assert made[1]["version_of"] is not None
    site.pages["/f"] = (200, {"Content-Type": "application/rss+xml"}, b"<rss")
    broken = desk.add_source(id_, "A", got(f"{site.base}/f"), {})
    assert [k.entry.body["text"] for k in broken] == [None, None]  # nothing in it: kept all the same


@pytest.mark.parametrize(
    ("kind", "body", "text", "remarks"),
    [
        ("text/html; charset=KOI8-R", "<p>Привет всем</p>".encode("koi8-r"), "Привет всем", ()),
        ("text/plain; charset=iso-8859-2", "Dzień dobry".encode("iso-8859-2"), "Dzień dobry", ()),
        ("text/plain; charset=utf-8", "Привет, мир".encode("cp1251"), "Привет, мир", ("Windows-1251",)),
        ("text/plain; charset=rot13", "Grüße".encode("cp1252"), "Grüße", ("Windows-1252",)),
        ("text/plain; charset=no-such", "Grüße".encode(), "Grüße", ()),
        ("text/plain", b"<html><body><p>Words</p></body></html>", "Words", ("All visible text",)),
    ],
)
def test_what_the_server_says_of_its_encoding(
    site: Site, desk: AccountsDesk, kind: str, body: bytes, text: str, remarks: tuple[str, ...]
) -> None:
    site.pages["/e"] = (200, {"Content-Type": kind}, body)
    id_ = desk.open("A", HEAD).id
    source = desk.add_source(id_, "A", got(f"{site.base}/e"), {})[1].entry
    assert desk.text(desk.read(id_), source.n) == text
    for remark in remarks:
        assert remark in " ".join(source.body["remarks"]) or source.body["reader"] == "trafilatura"


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ((404, {}, b"x"), "answers 404"),
        ((500, {}, b"x"), "Nothing was taken in"),
        ((200, HTML, b""), "answers with nothing"),
        ((302, {"Location": "/p"}, b""), "leads on and on"),
        ((302, {"Location": "file:///etc/passwd"}, b""), "is no http or https address"),
        ((302, {"Location": "//user:secret@127.0.0.1/"}, b""), "with a name or password"),
        ((200, {"Content-Length": "999"}, b"short"), "cut short|IncompleteRead|missing"),
        ((200, {"Transfer-Encoding": "chunked"}, b"zz\r\nx"), "cannot be fetched"),
    ],
)
def test_what_gives_no_source_is_said(site: Site, answer: Answer, problem: str) -> None:
    site.pages["/p"] = answer
    with pytest.raises(UsageError, match=problem):
        got(f"{site.base}/p")


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("", "is no http or https address"),
        ("ftp://a.example/", "is no http or https address"),
        ("file:///etc/passwd", "is no http or https address"),
        ("http://a b/", "cannot be fetched"),
        ("http://[::1", "cannot be fetched"),
        ("http://127.0.0.1:99999/", "cannot be fetched"),
        ("javascript:alert(1)", "is no http or https address"),
    ],
)
def test_what_is_no_address(address: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        got(address)


def test_nothing_inside_is_asked_unless_somebody_says_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for host in (site.base, site.base.replace("127.0.0.1", "localhost"), "http://169.254.169.254/latest"):
        with pytest.raises(UsageError, match="of this machine or its network"):
            Fetcher().fetch(f"{host}/secret")
    here = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: here)
    with pytest.raises(UsageError, match=r"10\.0\.0\.1"):
        Fetcher().fetch("http://rebound.example/")
    assert site.asked == []


def test_size_and_time_have_limits(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.pages["/p"] = (200, HTML, PAGE * 3)
    monkeypatch.setattr(fetching, "MOST_BYTES", 1000)
    with pytest.raises(UsageError, match="longer than 1,000 bytes"):
        got(f"{site.base}/p")

    class Hurried(ManualClock):
        def monotonic_ns(self) -> int:
            self.advance(61 * NS)
            return super().monotonic_ns()

    monkeypatch.setattr(fetching, "MOST_BYTES", 1 << 20)
    with pytest.raises(UsageError, match="not come whole after 60 s"):
        Fetcher(Hurried(), inside=True).fetch(f"{site.base}/p")


def test_https_asks_for_a_certificate(site: Site) -> None:
    with pytest.raises(UsageError, match="cannot be fetched"):
        got(site.base.replace("http://", "https://"))


def test_by_command(site: Site, tmp_path: Path) -> None:
    site.pages["/r"] = (200, HTML, PAGE)
    home = str(tmp_path / "home")

    def run(*words: str) -> Any:
        return CliRunner().invoke(main, [*words, "--home", home])

    assert run("init", "--no-lines").exit_code == 0
    assert run("dossier", "new", "2017").exit_code == 0
    told = run("dossier", "fetch", "2017/1", f"{site.base}/r", "--inside")
    assert "Source 3:" in told.output
    assert (
        "later version of source 3" in run("dossier", "fetch", "2017/1", f"{site.base}/r", "--inside").output
    )
    assert run("dossier", "fetch", "2017/1", f"{site.base}/r").exit_code == 2
    asked = len(site.asked)
    assert run("dossier", "fetch", "2018/1", f"{site.base}/r", "--inside").exit_code == 2
    assert len(site.asked) == asked
