"""Sockets read while a take-over goes on: when, how much, and that they are left as they were."""

from __future__ import annotations

import resource
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
from tests.capture.kit import HOST, Lines

from memcon.capture import early
from memcon.capture.early import WAITS_NS, EarlyReading
from memcon.capture.handover import Handover, Held, Kind, encode
from memcon.capture.log import Log
from memcon.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterator


class Bench:
    """Two pairs of sockets that a supervisor holds, and one of SIP."""

    def __init__(self) -> None:
        self.clock, self.lines = SystemClock(), Lines()
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(5)]
        for sock in self.sockets:
            sock.bind((HOST, 0))
        a, b, c, d, sip = (sock.fileno() for sock in self.sockets)
        self.held = {"media:1": Held((a, b)), "media:3": Held((c, d)), "udp://h:5060": Held((sip,))}
        self.sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def send(self, place: int, *packets: bytes) -> None:
        for packet in packets:
            self.sender.sendto(packet, self.sockets[place].getsockname())

    def waiting(self, place: int) -> list[bytes]:
        """What lies in a socket."""
        found = []
        while True:
            try:
                found.append(self.sockets[place].recv(100, socket.MSG_DONTWAIT))
            except BlockingIOError:
                return found

    def reading(self, silent_ns: int) -> EarlyReading:
        since = self.clock.monotonic_ns() - silent_ns
        return EarlyReading(self.held, since, self.clock, Log(self.clock, self.lines))

    def close(self) -> None:
        for sock in (*self.sockets, self.sender):
            sock.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """One for each sweep that was kept."""
    counted, copied = threading.Semaphore(0), early._copied

    def count(sweep: Any) -> Any:
        counted.release()
        return copied(sweep)

    monkeypatch.setattr(early, "_copied", count)
    return counted


def test_what_the_sockets_of_media_hold_is_read(bench: Bench, copies: threading.Semaphore) -> None:
    bench.send(0, b"one", b"two")
    bench.send(3, b"three")
    bench.send(4, b"OPTIONS")
    reading = bench.reading(WAITS_NS)
    reading.start()
    assert copies.acquire(timeout=60)
    bench.send(0, b"four")
    assert copies.acquire(timeout=60)
    sweeps = reading.stop()
    rows = [(int(fd), int(size)) for it in sweeps for fd, size in zip(it.stream, it.length, strict=True)]
    first, last = bench.sockets[0].fileno(), bench.sockets[3].fileno()
    assert sorted(rows) == sorted([(first, 3), (first, 3), (first, 4), (last, 5)])
    assert b"".join(it.data.tobytes() for it in sweeps).endswith(b"four")
    assert bench.lines.events("read early")[0]["packets"] == 4
    bench.send(0, b"five")
    assert bench.waiting(0) == [b"five"], "the sockets are left as they were"
    assert bench.waiting(4) == [b"OPTIONS"]


def test_nothing_is_read_before_it_must_be(bench: Bench) -> None:
    bench.send(0, b"one")
    reading = bench.reading(-60 * 10**9)
    reading.start()
    assert reading.stop() == []
    assert bench.waiting(0) == [b"one"]
    assert not bench.lines.events()


def test_so_much_is_kept_and_the_rest_waits(
    bench: Bench, copies: threading.Semaphore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(early, "MOST_BYTES", 3)
    bench.send(0, b"one")
    reading = bench.reading(WAITS_NS)
    reading.start()
    assert copies.acquire(timeout=60)
    reading.join()
    bench.send(0, b"two")
    assert [it.data.tobytes() for it in reading.stop()] == [b"one"]
    assert bench.waiting(0) == [b"two"]


def test_descriptors_are_left_for_the_calls(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (early.DESCRIPTORS_LEFT, 0))
    bench.send(0, b"one")
    reading = bench.reading(WAITS_NS)
    reading.start()
    assert reading.stop() == []
    assert bench.waiting(0) == [b"one"]


def test_what_goes_wrong_is_told_and_nothing_more(bench: Bench) -> None:
    bench.held["media:5"] = Held((1 << 20,))
    reading = bench.reading(WAITS_NS)
    reading.start()
    reading.join()
    assert reading.stop() == []
    assert bench.lines.events("not read early")


def test_without_sockets_there_is_nothing_to_do(bench: Bench) -> None:
    bench.held.clear()
    reading = bench.reading(WAITS_NS)
    reading.start()
    reading.join()
    assert reading.stop() == []


@pytest.mark.parametrize(("note", "since"), [(b"", None), (b"12345", 12345), (b"x", None)])
def test_a_capture_is_told_since_when_there_is_none(note: bytes, since: int | None) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        ours.send(encode(Kind.END, note=note))
        handover = Handover(theirs)
        assert handover.take() == {}
        assert handover.silent_since == since
