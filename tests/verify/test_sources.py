"""Where a log is read from: a directory, a web server on this machine, and what goes wrong with them."""

from __future__ import annotations

import http.server
import threading
from typing import TYPE_CHECKING

import pytest
from tests.verify import builder as b

from memcon.errors import MachineError, UsageError
from memcon.verify import sources, trust, verify_log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves a dictionary; a path may also stand for a status."""

    files: dict[str, bytes | int]

    def do_GET(self) -> None:
        found = self.files.get(self.path.lstrip("/"), 404)
        self.send_response(found if isinstance(found, int) else 200)
        body = b"" if isinstance(found, int) else found
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def served() -> Iterator[tuple[str, dict[str, bytes | int]]]:
    """An address on loopback, and the files behind it."""
    files: dict[str, bytes | int] = {}
    handler = type("Files", (Handler,), {"files": files})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/log", files
        server.shutdown()
        thread.join()


def test_a_log_behind_an_address(served: tuple[str, dict[str, bytes | int]]) -> None:
    url, files = served
    world, _ = b.simple()
    files |= {f"log/{name}": data for name, data in world.files().items()}
    report = verify_log(url, trust(world.vkeys()))
    assert not report.counts
    assert report.exit_code == 0
    size = len(world.entries)
    files[f"log/tile/entries/000.p/{size}"] = 410
    assert "log-missing" in verify_log(url + "/", trust(world.vkeys())).counts


def test_a_server_that_fails_is_no_finding(served: tuple[str, dict[str, bytes | int]]) -> None:
    url, files = served
    files["log/checkpoint"] = 500
    with pytest.raises(MachineError, match="answers 500"):
        verify_log(url)
    with pytest.raises(MachineError, match="cannot be read"):
        verify_log("http://127.0.0.1:1/log")


def test_files_too_large_for_a_log_are_refused(
    served: tuple[str, dict[str, bytes | int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, files = served
    monkeypatch.setattr(sources, "MAX_FILE", 10)
    files["log/checkpoint"] = bytes(11)
    with pytest.raises(MachineError, match="larger than 10"):
        verify_log(url)
    (tmp_path / "checkpoint").write_bytes(bytes(11))
    with pytest.raises(MachineError, match="larger than 10"):
        verify_log(tmp_path)


def test_what_is_no_place_for_a_log(tmp_path: Path) -> None:
    for where in ("ftp://example/log", "file:///etc", str(tmp_path / "nothing"), __file__):
        with pytest.raises(UsageError):
            verify_log(where)


def test_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bytes:
        raise PermissionError(13, "Permission denied")

    world, _ = b.simple()
    b.write_files(tmp_path, world.files())
    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    with pytest.raises(MachineError, match="Permission denied"):
        verify_log(tmp_path)


def test_progress_is_told(tmp_path: Path) -> None:
    world, _ = b.simple()
    b.write_files(tmp_path, world.files())
    told: list[tuple[int, int]] = []
    verify_log(tmp_path, progress=lambda done, total: told.append((done, total)))
    assert told == [(6, 6)]
