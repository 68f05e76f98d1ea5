"""SIP over TCP in a capture: put in order, cut into messages, and never more held than may be."""

from __future__ import annotations

import ipaddress
import itertools
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.intake.test_packets import A, B, invite, pcap, probe, sdp, stream

from memcon.intake import sip_streams
from memcon.intake.capture_file import Segment
from memcon.intake.sip_streams import SipStreams

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence
    from pathlib import Path

SYN, ACK, FIN = 2, 16, 1
FIRST = 2**32 - 100
"""The numbers of a flow begin again at 0 soon."""


def tcp(source: str, target: str, number: int, payload: bytes, flags: int = ACK, ports: int = 5060) -> bytes:
    """An IP packet with a segment, whose header has an option."""
    segment = (
        struct.pack(">HHIIBBHHH", ports, 5060, number % 2**32, 0, 6 << 4, flags, 1000, 0, 0)
        + bytes(4)
        + payload
    )
    a, b = ipaddress.ip_address(source).packed, ipaddress.ip_address(target).packed
    if len(a) == 16:
        return struct.pack(">IHBB", 6 << 28, len(segment), 6, 64) + a + b + segment
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 1, 0, 64, 6, 0) + a + b + segment


def cut(data: bytes, sizes: Sequence[int]) -> list[tuple[int, bytes]]:
    """(offset, piece) by turns of these sizes."""
    found: list[tuple[int, bytes]] = []
    at = 0
    for size in itertools.cycle(sizes):
        if at >= len(data):
            return found
        found.append((at, data[at : at + size]))
        at += size
    return found


def connection(source: str, target: str, data: bytes, sizes: Sequence[int] = (500,)) -> list[bytes]:
    """The packets of one direction, from its SYN to its FIN."""
    pieces = [tcp(source, target, FIRST + 1 + at, piece) for at, piece in cut(data, sizes)]
    return [
        tcp(source, target, FIRST, b"", SYN),
        *pieces,
        tcp(source, target, FIRST + 1 + len(data), b"", FIN | ACK),
    ]


def segment(number: int, payload: bytes, flags: int = ACK, port: int = 5060) -> Segment:
    return Segment(0, b"\1" * 4, port, b"\2" * 4, 5060, number % 2**32, flags, payload)


def message(n: int = 0) -> bytes:
    return invite(sdp(A, 4000 + n))


def test_a_call_set_up_over_tcp(tmp_path: Path) -> None:
    asked, answered = invite(sdp(A, 4000)), invite(sdp(B, 4002), answer=True)
    for one, two in ((A, B), ("fd00::1", "fd00::2")):
        packets = [(0.001 * n, it) for n, it in enumerate(connection(one, two, asked, (100, 1, 700)))]
        packets += [(0.1 + 0.001 * n, it) for n, it in enumerate(connection(two, one, answered))]
        voices = stream() + stream(B, A, ssrc=9, port=4002, level=0x80)
        packets += sorted(((1 + at, it) for at, it in voices), key=lambda row: row[0])
        told = probe(tmp_path, pcap(packets))
        assert {party["name"] for party in told["parties"]} == {"A. Holt", "rahn"}
        assert told["ids"] == ["c1@a"]
        events = [event["text"] for event in told["facts"]["events"]]
        assert events == ["INVITE sip:bob@example.org SIP/2.0", "SIP/2.0 200 OK"]


@settings(max_examples=60)
@given(
    sizes=st.lists(st.integers(1, 600), min_size=1, max_size=5),
    chance=st.randoms(use_true_random=False),
    start=st.sampled_from([0, FIRST, 2**32 - 700]),
)
def test_order_repetition_and_cuts_change_nothing(
    sizes: list[int], chance: random.Random, start: int
) -> None:
    data = b"\r\n\r\n" + message(1) + b"\r\n\r\n" + message(2) + message(3)
    pieces = cut(data, sizes)
    for _ in range(3):  # some come twice, some longer, and neighbours change places
        at, piece = chance.choice(pieces)
        pieces.insert(chance.randrange(len(pieces)), (at, data[at : at + 2 * len(piece)]))
    chance.shuffle(pieces)
    streams = SipStreams()
    found = streams.feed(segment(start - 1, b"", SYN))
    for at, piece in pieces:
        found += streams.feed(segment(start + at, piece))
    assert found == [message(1), message(2), message(3)]


def test_from_the_middle_of_a_connection() -> None:
    streams = SipStreams()
    assert streams.feed(segment(7, b"v=0\r\nthe end of something\r\n")) == []
    assert streams.feed(segment(50, message())) == [message()]
    assert streams.feed(segment(50 + len(message()), message(1))) == [message(1)]


def test_a_first_segment_with_its_syn() -> None:
    assert SipStreams().feed(segment(7, message(), SYN)) == [message()]


@pytest.mark.parametrize("begins", [b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n"])
def test_what_is_no_sip_is_left_alone(begins: bytes) -> None:
    streams = SipStreams()
    assert streams.feed(segment(0, b"", SYN)) == []
    assert streams.feed(segment(1, begins + message())) == []
    assert streams._flows == {}


def test_what_never_comes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sip_streams, "MOST_AHEAD", 3000)
    streams, whole = SipStreams(), message()
    assert streams.feed(segment(0, b"", SYN)) == []
    assert streams.feed(segment(1, whole[:50])) == []
    at, found = 100, list[bytes]()
    for _ in range(20):  # bytes 51 to 99 are missing
        found += streams.feed(segment(at, whole))
        at += len(whole)
    assert 10 < len(found) < 20
    assert set(found) == {whole}
    assert streams.feed(segment(at + 7, bytes(3001))) == [], "where no message begins"
    assert streams.feed(segment(at + 9000, whole)) == [whole]


def test_no_more_connections_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sip_streams, "MOST_FLOWS", 3)
    streams, whole = SipStreams(), message()
    for port in range(1, 5):
        streams.feed(segment(1, whole[:100], port=port))
    found = [streams.feed(segment(101, whole[100:], port=port)) for port in range(1, 5)]
    assert found == [[], [whole], [whole], [whole]]


def test_the_end_of_a_connection_is_the_end() -> None:
    streams, whole = SipStreams(), message()
    assert streams.feed(segment(1, whole, ACK | FIN)) == [whole]
    assert streams._flows == {}
    assert streams.feed(segment(1, b"", FIN)) == []
