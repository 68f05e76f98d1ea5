"""The paced sender, seen from a plain socket on loopback."""

from __future__ import annotations

import errno
import itertools
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from memcon.client.media import MediaSender
from memcon.client.media_batch import sockaddr
from memcon.client.media_late import Faults
from memcon.clock import ManualClock, SystemClock
from memcon.errors import LocalError
from memcon.wire import sdes
from memcon.wire.srtp import Guard
from memcon.wire.srtp_client import Protector, crypto_line

if TYPE_CHECKING:
    from collections.abc import Iterator

TICK = 1_000_000


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as target,
    ):
        target.bind(("127.0.0.1", 0))
        target.settimeout(0)
        yield sender, target


def drain(sock: socket.socket) -> list[bytes]:
    packets = []
    while True:
        try:
            packets.append(sock.recv(65_536))
        except BlockingIOError:
            return packets


def sequence(packet: bytes) -> int:
    return int.from_bytes(packet[2:4], "big")


def step(sender: MediaSender, clock: ManualClock, packets: int) -> None:
    """Let so many packet times pass, slice by slice."""
    for _ in range(packets * 20):
        sender.send_due()
        clock.advance(TICK)


def test_a_packet_has_the_header_of_rfc_3550_and_the_audio_goes_round(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    clock = ManualClock()
    sender = MediaSender(clock, pair[0])
    audio = bytes(range(160)) + bytes([7]) * 40
    handle = sender.add(
        *pair[1].getsockname(),
        ssrc=0xDEADBEEF,
        audio=audio,
        payload_type=0,
        sequence=65_535,
        timestamp=2**32 - 160,
    )
    step(sender, clock, 3)
    packets = drain(pair[1])
    assert [struct.unpack(">BBHII", packet[:12]) for packet in packets] == [
        (0x80, 0x80, 65_535, 2**32 - 160, 0xDEADBEEF),
        (0x80, 0x00, 0, 0, 0xDEADBEEF),
        (0x80, 0x00, 1, 160, 0xDEADBEEF),
    ]
    assert [packet[12:] for packet in packets] == [audio[:160], audio[160:] + b"\xd5" * 120, audio[:160]]
    count = sender.count(handle)
    assert (count.ssrc, count.sent, count.next_sequence, count.next_timestamp) == (0xDEADBEEF, 3, 2, 320)
    assert (sender.totals.sent, sender.totals.octets) == (3, 3 * 172)


def test_streams_come_and_go_without_touching_each_other(pair: tuple[socket.socket, socket.socket]) -> None:
    """With one slice all share a batch, which has to grow, and its last row moves into the gap."""
    clock = ManualClock()
    sender = MediaSender(clock, pair[0], slices=1, payload_bytes=8)
    handles = [sender.add(*pair[1].getsockname(), ssrc=n, audio=bytes([n]) * 8) for n in range(16)]
    sender.send_due()
    handles += [sender.add(*pair[1].getsockname(), ssrc=n, audio=bytes([n]) * 8) for n in range(16, 40)]
    clock.advance(20 * TICK)
    sender.send_due()
    assert len(sender) == 40
    ended = [sender.remove(handles[n]) for n in (0, 39, 5)]
    assert [(each.ssrc, each.sent) for each in ended] == [(0, 2), (39, 1), (5, 2)]
    clock.advance(20 * TICK)
    sender.send_due()
    packets = drain(pair[1])
    by_ssrc: dict[int, list[int]] = {}
    for packet in packets:
        ssrc = int.from_bytes(packet[8:12], "big")
        assert packet[12:] == bytes([ssrc]) * 8
        by_ssrc.setdefault(ssrc, []).append(sequence(packet))
    expected = {n: [0, 1, 2] if n < 16 else [0, 1] for n in range(40)} | {0: [0, 1], 5: [0, 1], 39: [0]}
    assert by_ssrc == expected
    assert sender.count(handles[38]).sent == 2
    with pytest.raises(LocalError, match="no stream"):
        sender.count(handles[5])


def test_loss_repetition_and_reordering_are_counted_as_they_happen(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    clock = ManualClock()
    faults = Faults(np.random.default_rng(3), lose=0.1, repeat=0.1, reorder=0.1)
    sender = MediaSender(clock, pair[0], slices=1, faults=faults)
    handle = sender.add(*pair[1].getsockname(), ssrc=1, sequence=100)
    seen = []
    for _ in range(400):
        sender.send_due()
        clock.advance(20 * TICK)
        seen += [sequence(packet) for packet in drain(pair[1])]
    totals = sender.totals
    assert totals.sent == len(seen) == sender.count(handle).sent
    assert 20 < totals.lost < 70
    assert 20 < totals.repeated < 70
    assert 20 < totals.reordered < 70
    held_now = 400 - totals.lost - len(set(seen))
    assert held_now in (0, 1)
    assert len(seen) - len(set(seen)) == totals.repeated
    backward = sum(later < earlier for earlier, later in itertools.pairwise(seen))
    assert 0 < backward <= totals.reordered
    assert max(abs(got - sorted(seen)[at]) for at, got in enumerate(seen)) <= 2


def test_a_held_back_packet_survives_growth_and_removal(pair: tuple[socket.socket, socket.socket]) -> None:
    clock = ManualClock()
    sender = MediaSender(
        clock, pair[0], slices=1, payload_bytes=4, faults=Faults(np.random.default_rng(1), reorder=1.0)
    )
    handles = [sender.add(*pair[1].getsockname(), ssrc=n, audio=bytes([n]) * 4) for n in range(16)]
    for _ in range(2):  # all are held back, then the first ones leave from the other half
        sender.send_due()
        clock.advance(20 * TICK)
    assert sorted(packet[11] for packet in drain(pair[1])) == list(range(16))
    handles.append(sender.add(*pair[1].getsockname(), ssrc=16, audio=bytes([16]) * 4))
    sender.remove(handles[0])
    sender.send_due()
    packets = drain(pair[1])
    assert sorted((packet[11], sequence(packet), packet[12]) for packet in packets) == [
        (n, 1, n) for n in range(1, 16)
    ]


def test_what_the_kernel_refuses_is_counted_by_reason_and_not_as_sent(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """A broadcast address without SO_BROADCAST is refused with EACCES; the others' packets still leave."""
    clock = ManualClock()
    sender = MediaSender(clock, pair[0], slices=1)
    sender.add(*pair[1].getsockname(), ssrc=1)
    bad = sender.add("255.255.255.255", 9, ssrc=2)
    sender.add(*pair[1].getsockname(), ssrc=3)
    sender.send_due()
    assert [packet[11] for packet in drain(pair[1])] == [1, 3]
    assert sender.refused == {errno.EACCES: 1}
    assert (sender.totals.sent, sender.count(bad).sent) == (2, 0)


def test_ipv6() -> None:
    with (
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as out,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as target,
    ):
        target.bind(("::1", 0))
        target.settimeout(0)
        clock = ManualClock()
        sender = MediaSender(clock, out)
        sender.add("::1", target.getsockname()[1], ssrc=5)
        step(sender, clock, 2)
        assert [sequence(packet) for packet in drain(target)] == [0, 1]
        with pytest.raises(LocalError, match="literal"):
            sender.add("127.0.0.1", 9, ssrc=1)


def test_the_kernels_own_address_layout() -> None:
    assert sockaddr(socket.AF_INET, "192.0.2.1", 5004)[2:8] == bytes([0x13, 0x8C, 192, 0, 2, 1])
    assert len(sockaddr(socket.AF_INET6, "2001:db8::1", 5004)) == 28


def test_pacing_keeps_absolute_time_and_spreads_the_streams(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    sender = MediaSender(SystemClock(), pair[0])
    for n in range(40):
        sender.add(*pair[1].getsockname(), ssrc=n)
    assert {len(piece.handles) for piece in sender._slices} == {4}
    before = time.monotonic()
    sender.run(0.4)
    took = time.monotonic() - before
    assert sender.totals.sent == 40 * 20
    assert took > 0.35


def test_a_late_wake_up_is_caught_up_and_noted(pair: tuple[socket.socket, socket.socket]) -> None:
    clock = ManualClock()
    sender = MediaSender(clock, pair[0])
    sender.add(*pair[1].getsockname(), ssrc=1)
    clock.advance(100 * TICK)
    sender.send_due()
    assert [sequence(packet) for packet in drain(pair[1])] == [0, 1, 2, 3, 4, 5]
    assert sender.totals.late_ticks == 40
    clock.advance(1000 * TICK)
    sender.send_due(end_ns=sender.next_due_ns())
    assert drain(pair[1]) == [], "nothing is due before the end"
    sender.restart()
    sender.send_due()
    assert [sequence(packet) for packet in drain(pair[1])] == [6]


def test_run_stops_when_told(pair: tuple[socket.socket, socket.socket]) -> None:
    sender = MediaSender(SystemClock(), pair[0])
    stop = threading.Event()
    timer = threading.Timer(0.05, stop.set)
    timer.start()
    sender.run(60, stop)
    timer.join()
    assert stop.is_set()


def test_a_sender_that_cannot_be_is_refused(pair: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(LocalError):
        MediaSender(ManualClock(), pair[0], payload_bytes=70_000)


def test_the_ledger_says_which_packets_never_left_and_which_left_twice(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """With every fault at once, whatever the stream's first number, and a refusing kernel in the middle."""
    clock = ManualClock()
    faults = Faults(np.random.default_rng(5), lose=0.1, repeat=0.1, reorder=0.1, jitter_ms=70)
    sender = MediaSender(clock, pair[0], faults=faults)
    here = pair[1].getsockname()
    handles = [sender.add(*here, ssrc=n, sequence=65_400 + n) for n in range(3)]
    seen: list[bytes] = []
    for n in range(200):
        if n == 100:  # from now on there is no way out for the first stream
            piece, row = sender._place(handles[0])
            piece.batch.names[row, 2:4] = 0  # port 0
        step(sender, clock, 1)
        seen += drain(pair[1])
    for n, handle in enumerate(handles):
        count = sender.remove(handle)
        assert (count.packets, count.first_sequence) == (200, 65_400 + n)
        came = [(sequence(p) - count.first_sequence) & 0xFFFF for p in seen if p[11] == n]
        assert sorted(set(range(200)) - set(came)) == list(count.left_out)
        assert sorted(i for i in set(came) if came.count(i) == 2) == list(count.twice)
        assert len(came) == count.sent
    assert sum(sender.refused.values()) > 50


def test_jitter_delays_each_packet_by_up_to_as_much(pair: tuple[socket.socket, socket.socket]) -> None:
    clock = ManualClock()
    sender = MediaSender(clock, pair[0], faults=Faults(np.random.default_rng(5), jitter_ms=50))
    sender.add(*pair[1].getsockname(), ssrc=1)
    delays, order = [], []
    for now in range(4000):
        sender.send_due()
        for packet in drain(pair[1]):
            order.append(sequence(packet))
            delays.append(now - 20 * sequence(packet))
        clock.advance(TICK)
    assert len(order) > 190
    assert 0 <= min(delays) < 10
    assert 40 < max(delays) <= 50
    assert order != sorted(order)


def test_streams_of_srtp_leave_protected(pair: tuple[socket.socket, socket.socket]) -> None:
    clock = ManualClock()
    line = sdes.parse(crypto_line("AES_CM_128_HMAC_SHA1_32", bytes(range(30))))
    protector, guard = Protector(line), Guard(line)
    sender = MediaSender(clock, pair[0], trailer=protector.trailer)
    here = pair[1].getsockname()
    sender.add(*here, ssrc=9, audio=b"a" * 160, sequence=65_534, protect=protector)
    step(sender, clock, 4)
    packets = drain(pair[1])
    assert {len(packet) for packet in packets} == {176}
    opened = guard.open(packets)
    assert [p is not None and (sequence(p), p[12:]) for p in opened] == [
        (n & 0xFFFF, b"a" * 160) for n in range(65_534, 65_538)
    ]
    assert sender.totals.octets == 4 * 176
    with pytest.raises(LocalError, match="SRTP alone"):
        sender.add(*here, ssrc=1)
    with pytest.raises(LocalError, match="RTP has none"):
        MediaSender(clock, pair[0]).add(*here, ssrc=1, protect=protector)
