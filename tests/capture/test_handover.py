"""What lies between capture and its supervisor: messages, descriptors, what finds no room."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.capture import handover as handover_module
from memcon.capture.handover import Handover, Held, Kind, decode, encode, receive, send
from memcon.errors import FormatError, MachineError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield ours, theirs


def udp() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    return sock


@given(st.sampled_from(Kind), st.text(max_size=40), st.binary(max_size=200))
def test_a_message_reads_as_it_was_written(kind: Kind, name: str, note: bytes) -> None:
    with contextlib.suppress(UnicodeEncodeError):
        assert decode(encode(kind, name, note)) == (kind, name, note)


@given(st.binary(max_size=64))
def test_other_bytes_raise_what_is_ours(data: bytes) -> None:
    with contextlib.suppress(FormatError):
        decode(data)


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x09\0\0", b"\x01\0\x05abc", b"\x01\0\x01\xff"])
def test_messages_that_are_none(data: bytes) -> None:
    with pytest.raises(FormatError):
        decode(data)


def test_a_socket_goes_over_and_back(pair: tuple[socket.socket, socket.socket]) -> None:
    supervisor, capture = pair
    with udp() as rtp, udp() as rtcp:
        Handover(capture).keep("media:1", rtp, rtcp, note=b"x")
        port = rtp.getsockname()[1]
    data, fds = receive(supervisor)
    assert decode(data) == (Kind.KEEP, "media:1", b"x")
    assert not any(os.get_inheritable(fd) for fd in fds)
    send(supervisor, data, fds, wait=True)
    send(supervisor, encode(Kind.END), wait=True)
    held = Handover(capture).take()
    Held(fds).close()
    with socket.socket(fileno=held["media:1"].fds[0]) as again:
        assert again.getsockname()[1] == port  # bound all the time
    os.close(held["media:1"].fds[1])
    Held(held["media:1"].fds).close()  # closed already: no error


def test_without_a_supervisor_nothing_is_held() -> None:
    alone = Handover()
    with udp() as sock:
        alone.keep("x", sock)
    alone.note("x", b"")
    alone.forget("x")
    alone.alive()
    alone.wait()
    assert alone.take() == {}
    assert not alone.gone()


def test_a_supervisor_that_is_gone(pair: tuple[socket.socket, socket.socket]) -> None:
    supervisor, capture = pair
    handover = Handover(capture)
    capture.setblocking(False)
    assert not handover.gone()
    supervisor.close()
    handover.wait()
    assert handover.gone()
    handover.alive()  # nobody hears it; nothing is raised
    with pytest.raises(MachineError, match="supervisor is gone"):
        handover.take()
    capture.close()
    assert handover.gone()


def test_a_supervisor_that_says_nothing_ends_the_start(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover_module, "TAKE_SECONDS", 0.01)
    with pytest.raises(MachineError, match="does not hand over"):
        Handover(pair[1]).take()


def test_what_finds_no_room_waits_in_order(pair: tuple[socket.socket, socket.socket]) -> None:
    supervisor, capture = pair
    handover = Handover(capture)
    count = 0
    while not handover._waiting:
        handover.note("n", struct.pack(">I", count).ljust(20_000))
        count += 1
    with udp() as sock:
        handover.keep("media:1", sock)  # closed here before it is sent
        port = sock.getsockname()[1]
    handover.forget("media:2")
    said: list[tuple[Kind, str, bytes]] = []
    while handover._waiting:
        data, _ = receive(supervisor)
        said.append(decode(data))
        handover.alive()
    supervisor.setblocking(False)
    fds: tuple[int, ...] = ()
    with contextlib.suppress(BlockingIOError):
        while True:
            data, got = receive(supervisor)
            fds += got
            said.append(decode(data))
    notes = [struct.unpack(">I", note[:4])[0] for kind, _, note in said if kind is Kind.NOTE]
    assert notes == [*range(count)]
    assert [(kind, name) for kind, name, _ in said if kind in (Kind.KEEP, Kind.FORGET)] == [
        (Kind.KEEP, "media:1"),
        (Kind.FORGET, "media:2"),
    ]
    with socket.socket(fileno=fds[0]) as kept:
        assert kept.getsockname()[1] == port
