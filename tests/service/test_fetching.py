"""What a vCon names is fetched only as the configuration allows, and only with its hash."""

from __future__ import annotations

import base64
import hashlib
import http.client
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from memcon.intake.refusals import RefusedError
from memcon.service.fetching import Fetcher, _connection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from urllib.parse import SplitResult

SOUND = b"sound" * 100


def hashed(data: bytes) -> str:
    return f"sha512-{base64.urlsafe_b64encode(hashlib.sha512(data).digest()).decode().rstrip('=')}"


class _Handler(BaseHTTPRequestHandler):
    asked: list[str] = []  # noqa: RUF012 # of the class: one server a test

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path.startswith("/in/moved"):
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1/secret")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(SOUND)))
        self.end_headers()
        self.wfile.write(SOUND)

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    server = HTTPServer(("127.0.0.1", 0), _Handler)
    _Handler.asked = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def connect(parts: SplitResult) -> http.client.HTTPConnection:
        assert parts.hostname == "media.example"
        return http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)

    yield Fetcher(["https://media.example/in/"], 10_000, connect)
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_is_allowed_and_has_its_hash_is_written(fetcher: Fetcher, tmp_path: Path) -> None:
    fetcher.fetch("https://media.example/in/a.wav?x=1", hashed(SOUND), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == SOUND
    assert _Handler.asked == ["/in/a.wav?x=1"]


@pytest.mark.parametrize(
    ("url", "content_hash", "code"),
    [
        ("https://media.example/out/a.wav", hashed(SOUND), "ingest-vcon-reference"),
        ("http://media.example/in/a.wav", hashed(SOUND), "ingest-vcon-reference"),
        ("https://media.example.evil/in/a.wav", hashed(SOUND), "ingest-vcon-reference"),
        ("file:///etc/passwd", hashed(SOUND), "ingest-vcon-reference"),
        ("https://media.example/in/a.wav", "", "ingest-vcon-reference"),
        ("https://media.example/in/a.wav", "md5-x", "ingest-vcon-reference"),
        ("https://media.example/in/moved", hashed(SOUND), "ingest-vcon-reference"),
        ("https://media.example/in/a.wav", hashed(b"other"), "ingest-vcon-hash"),
    ],
)
def test_everything_else_is_refused(
    fetcher: Fetcher, tmp_path: Path, url: str, content_hash: str, code: str
) -> None:
    with pytest.raises(RefusedError) as caught:
        fetcher.fetch(url, content_hash, tmp_path / "a")
    assert caught.value.code == code
    asked = code == "ingest-vcon-hash" or "moved" in url
    assert bool(_Handler.asked) == asked
    assert not (tmp_path / "a").exists() or code != "ingest-vcon-hash"


def test_more_than_is_allowed_is_not_read_to_its_end(fetcher: Fetcher, tmp_path: Path) -> None:
    fetcher._most = 10
    with pytest.raises(RefusedError, match="longer than"):
        fetcher.fetch("https://media.example/in/a.wav", hashed(SOUND), tmp_path / "a")


def test_nothing_configured_is_nothing_fetched(tmp_path: Path) -> None:
    with pytest.raises(RefusedError):
        Fetcher((), 1000).fetch("https://media.example/in/a.wav", hashed(SOUND), tmp_path / "a")


def test_a_host_is_needed() -> None:
    from urllib.parse import urlsplit

    made = _connection(urlsplit("https://media.example/"))
    assert isinstance(made, http.client.HTTPSConnection)
    with pytest.raises(ValueError, match="no host"):
        _connection(urlsplit("https:///x"))
