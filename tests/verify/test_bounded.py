"""Web servers that answer what is no HTTP, stop half-way, or send a byte now and then."""

from __future__ import annotations

import io
import socket
import threading
import time
import urllib.error
from typing import TYPE_CHECKING

import pytest
from tests.running import closed_port

from memcon.errors import MachineError
from memcon.verify import bounded
from memcon.verify.sources import Web
from memcon.witness.client import Connection, WitnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n"


def drip(conn: socket.socket, first: bytes, piece: bytes = b"x") -> None:
    conn.sendall(first)
    while True:  # until the other side has gone
        conn.sendall(piece)
        time.sleep(0.05)


def flood(conn: socket.socket) -> None:
    while True:
        conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 500)


HOSTILE: dict[str, Callable[[socket.socket], object]] = {
    "no HTTP": lambda c: c.sendall(b"\0\xff garbage\r\n\r\n"),
    "half an answer": lambda c: c.sendall(HEAD + b"half"),
    "nothing": lambda _: None,
    "no length": lambda c: c.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"),
    "no body": lambda c: c.sendall(HEAD),
    "endless head": lambda c: c.sendall(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 1000),
    "dripping body": lambda c: drip(c, HEAD),
    "dripping head": lambda c: drip(c, b"HTTP/1.1 200 OK\r\na: "),
    "continues": flood,
}


@pytest.fixture(params=HOSTILE)
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server on loopback that answers every question in one hostile way."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer(conn: socket.socket) -> None:
            with conn:
                try:
                    conn.recv(65536)
                    HOSTILE[request.param](conn)
                except OSError:
                    pass

        def accept() -> None:
            while True:
                try:
                    conn, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(conn,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def test_a_hostile_server_is_an_error_with_words_and_an_end(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "MAX_ANSWER", 1 << 20)
    with pytest.raises(MachineError, match=r"checkpoint cannot be read: ."):
        Web(url, 0.5).fetch("checkpoint")
    with pytest.raises(WitnessError, match=r"no answer from 127\.0\.0\.1:[0-9]+: ."):
        Connection(url, 0.5).ask("GET", "checkpoint")


@pytest.mark.parametrize("silent", [None, 30.0])
def test_an_answer_is_read_as_it_comes_and_no_time_out_is_left_behind(silent: float | None) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(silent)
        theirs.sendall(b"whole")
        theirs.shutdown(socket.SHUT_WR)
        assert io.BufferedReader(bounded._Incoming(ours)).read() == b"whole"
        assert ours.gettimeout() == silent


def test_what_comes_after_its_time_is_too_late() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0.01)
        incoming = bounded._Incoming(ours)
        theirs.sendall(b"late")
        time.sleep(0.02)
        with pytest.raises(TimeoutError, match="too slowly"):
            incoming.readinto(bytearray(4))


def test_over_tls_nobody_there_is_said() -> None:
    with pytest.raises(urllib.error.URLError, match="refused"):
        bounded.opener().open(f"https://127.0.0.1:{closed_port()}/", timeout=5)
