"""Voices and what their senders put on the wire."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

import pytest

from memcon.client import voice as v
from memcon.clock import NS, ManualClock, SystemClock
from memcon.errors import MachineError
from memcon.wire import rtcp, rtp

if TYPE_CHECKING:
    import socket


def test_the_demo_voices_are_two_of_the_same_length_and_not_silent() -> None:
    one, two = v.demo_voices()
    assert one.name == "Ingrid Solheim"
    assert two.name == "Tomas Keller"
    assert one.seconds == two.seconds == 23.8
    for each in (one, two):
        assert each.payload_type == 8
        assert len(set(each.audio)) > 100


@pytest.mark.parametrize("name", ["", "a", "ab", "abc", "abcd", "sip:someone@office.example", "ä" * 300])
def test_a_sender_report_is_read_back_by_the_recorders_own_reader(name: str) -> None:
    wall = 1_795_495_310_500_000_000
    data = v.sender_report(7, wall, (1 << 32) + 5, 1000, 160_000, name)
    report, description = rtcp.parse(data)
    assert isinstance(report, rtcp.SenderReport)
    assert (report.ssrc, report.rtp_timestamp, report.packets, report.octets) == (7, 5, 1000, 160_000)
    assert abs(report.ntp_ns - wall) <= 1
    assert isinstance(description, rtcp.SourceDescription)
    assert description.items[0][:2] == (7, "CNAME")
    assert description.items[0][2][:127] == name[:127]


def test_ports_come_as_an_even_one_and_the_next() -> None:
    a, b = v.bind_pair("127.0.0.1")
    with a, b:
        assert a.getsockname()[1] % 2 == 0
        assert b.getsockname()[1] == a.getsockname()[1] + 1


def test_a_host_that_is_not_ours_has_no_ports() -> None:
    with pytest.raises(MachineError, match=r"no media port on 192\.0\.2\.1"):
        v.bind_pair("192.0.2.1")


def packets(sock: socket.socket) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(sock.recv(2000))
        except BlockingIOError:
            return found


def drive(sender: v.VoiceSender) -> None:
    while (due := sender.next_due_ns()) is not None:
        time.sleep(max(0.0, (due - time.monotonic_ns()) / 1e9))
        sender.send_due()


def test_after_a_pause_the_voice_goes_on_where_it_was_and_time_has_passed() -> None:
    audio = b"".join(bytes([n]) * 160 for n in range(3)) + b"\x03" * 80  # the last packet is filled up
    sender = v.VoiceSender(SystemClock(), v.Voice("A", "sip:a@x.example", audio), "1", "127.0.0.1")
    ear, control = v.bind_pair("127.0.0.1")
    with ear, control:
        ear.setblocking(False)
        sender.answered("127.0.0.1", ear.getsockname()[1])
        sender.pause()  # nothing to pause yet
        sender.send_due()
        sender.start(2)
        drive(sender)
        sender.pause()
        sender.send_report()
        time.sleep(0.1)
        sender.start(4)
        drive(sender)
        sender.send_report()
        raw = packets(ear)
        reports = [rtcp.last_sender_report(rtcp.parse(p)) for p in packets(control)]
    sender.close()
    heard = [rtp.parse(p) for p in raw]
    assert [p[12] for p in raw] == [0, 1, 2, 3, 0, 1]
    assert raw[3][12:] == b"\x03" * 80 + b"\xd5" * 80
    assert [p.marker for p in heard] == [True, False, True, False, False, False]
    assert [(p.sequence - heard[0].sequence) % 65536 for p in heard] == list(range(6))
    steps = [(b.timestamp - a.timestamp) % (1 << 32) for a, b in itertools.pairwise(heard)]
    assert steps[0] == steps[2] == steps[3] == steps[4] == 160
    assert 800 <= steps[1] <= 8000  # 0.1 s asleep and more, on a busy machine
    assert [r.packets for r in reports if r] == [2, 6]
    report = sender.report()
    assert (report.sent, report.octets, report.rtcp_sent, report.refused) == (6, 960, 2, 0)


def test_a_report_that_cannot_be_sent_is_not_counted() -> None:
    sender = v.VoiceSender(ManualClock(monotonic_ns=NS), v.Voice("A", "sip:a@x", b""), "1", "127.0.0.1")
    sender.answered("192.0.2.1", 0)
    sender.close()
    sender.send_report()
    assert sender.report().rtcp_sent == 0
