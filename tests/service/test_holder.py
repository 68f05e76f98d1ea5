"""The supervisor's end: what is held for capture outlives it and is given to the next."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

from memcon.capture.handover import Handover, Held, Kind, encode, send
from memcon.clock import ManualClock, SystemClock
from memcon.service.holder import Channel, Holder

if TYPE_CHECKING:
    from collections.abc import Callable


def soon(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not done():
        assert time.monotonic() < end
        time.sleep(0.005)


def udp() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    return sock


def test_what_one_capture_leaves_the_next_is_given() -> None:
    holder, clock = Holder(), SystemClock()
    first = Channel(clock, "capture", holder)
    first.start()
    capture = Handover(first.theirs)
    assert capture.take() == {}
    with udp() as media, udp() as gone:
        port = media.getsockname()[1]
        capture.keep("media:1", media, note=b"a")
        capture.note("media:1", b"b")
        capture.note("unknown", b"c")
        capture.keep("media:2", gone)
        capture.forget("media:2")
        capture.forget("media:3")
        with udp() as sender:
            sender.sendto(b"while nobody reads", ("127.0.0.1", port))
    second = Channel(clock, "capture", holder)
    second.before = first
    second.start()
    first.theirs.close()  # the first capture has died; what it said before is still heard
    held = Handover(second.theirs).take()
    assert list(held) == ["media:1"]
    assert held["media:1"].note == b"b"
    with socket.socket(fileno=held["media:1"].fds[0]) as again:
        assert again.recv(100) == b"while nobody reads"
    assert len(holder) == 1
    holder.close()
    assert not holder.items()
    second.close()
    second.join(10)
    assert not second.is_alive()


def test_a_defect_of_a_worker_costs_nothing_that_is_held() -> None:
    holder, clock = Holder(), ManualClock()
    channel = Channel(clock, "capture", holder)
    channel.start()
    capture = Handover(channel.theirs)
    capture.take()
    clock.advance(5)
    with udp() as sock:
        send(channel.theirs, b"\xff", (sock.fileno(),))  # no message of ours; its descriptor is closed
        capture.keep("media:1", sock)
    soon(lambda: len(holder) == 1)
    assert channel.heard == clock.monotonic_ns()
    holder.apply(Kind.ALIVE, "", b"", (os.dup(0),))
    channel.close()
    channel.join(10)
    holder.close()


def test_a_worker_without_sockets_gives_signs_of_life() -> None:
    clock = ManualClock()
    channel = Channel(clock, "seal")
    channel.start()
    worker = Handover(channel.theirs)
    clock.advance(7)
    now = clock.monotonic_ns()
    worker.alive()
    soon(lambda: channel.heard == now)
    with udp() as sock:
        worker.keep("x", sock)  # not its business
    channel.close()
    channel.join(10)
    assert not channel.is_alive()


def test_a_channel_that_was_never_used_is_closed() -> None:
    channel = Channel(ManualClock(), "capture", Holder())
    channel.close()
    channel.close()


def test_a_capture_that_dies_while_it_is_given_sockets() -> None:
    holder = Holder()
    with udp() as sock:
        for n in range(3):
            holder.apply(Kind.KEEP, f"media:{n}", bytes(90_000), (os.dup(sock.fileno()),))
    channel = Channel(ManualClock(), "capture", holder)
    channel.start()
    channel.theirs.close()
    channel.join(10)
    assert not channel.is_alive()
    assert len(holder) == 3
    holder.close()
    Held().close()
    assert encode(Kind.END) == b"\x05\0\0"
