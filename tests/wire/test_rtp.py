"""RTP headers, alone and in batches."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.conftest import outcome

from memcon.errors import FormatError, LocalError
from memcon.wire.rtp import FIXED, HEADER, build, is_rtcp, packetise, parse, parse_headers


def make(
    *, csrcs: int = 0, extension: int | None = None, padding: int = 0, payload: bytes = b"abcd"
) -> bytes:
    """A packet with what the arguments ask for."""
    first = 0x80 | csrcs | (0x10 if extension is not None else 0) | (0x20 if padding else 0)
    data = struct.pack(">BBHII", first, 0x80 | 8, 65535, 4294967295, 77)
    data += b"".join(struct.pack(">I", 100 + i) for i in range(csrcs))
    if extension is not None:
        data += struct.pack(">HH", 0xBEDE, extension) + bytes(4 * extension)
    data += payload
    return data + (bytes(padding - 1) + bytes([padding]) if padding else b"")


def test_a_full_header() -> None:
    data = make(csrcs=2, extension=1, padding=3)
    packet = parse(data)
    assert (packet.payload_type, packet.marker, packet.sequence) == (8, True, 65535)
    assert (packet.timestamp, packet.ssrc, packet.csrcs) == (4294967295, 77, (100, 101))
    assert data[packet.payload_offset :][: packet.payload_length] == b"abcd"


def test_build_reads_back() -> None:
    packet = parse(build(b"xy", 0, 65536 + 5, 2**32 + 7, 9, marker=True))
    assert (packet.sequence, packet.timestamp, packet.marker, packet.payload_length) == (5, 7, True, 2)


def test_packetise() -> None:
    packets = list(packetise(bytes(400), 0, ssrc=1, sequence=65535, timestamp=10))
    heads = [parse(p) for p in packets]
    assert [(h.sequence, h.timestamp, h.marker, h.payload_length) for h in heads] == [
        (65535, 10, True, 160),
        (0, 170, False, 160),
        (1, 330, False, 80),
    ]
    assert len(list(packetise(bytes(640), 11, ssrc=1, ptime_ms=10, clock_rate=16000, bytes_per_tick=2))) == 2
    with pytest.raises(LocalError):
        list(packetise(b"x", 0, ssrc=1, ptime_ms=0))


BROKEN = [
    b"",
    b"\x80",
    bytes(12),
    make()[:11],
    make(csrcs=15)[:20],
    make(extension=0, payload=b"")[:14],
    make(extension=3)[:20],
    make(padding=4, payload=b"")[:-1] + b"\x05",
    make(padding=4, payload=b"")[:-1] + b"\x00",
    b"\x80\xc8" + bytes(26),
]
WHOLE = [
    make(),
    make(csrcs=15),
    make(extension=0),
    make(extension=5, csrcs=1),
    make(padding=1),
    make(payload=b""),
    make(csrcs=1, extension=2, padding=9),
]


@pytest.mark.parametrize("data", BROKEN)
def test_malformed(data: bytes) -> None:
    with pytest.raises(FormatError, match="RTP packet"):
        parse(data)


def test_rtcp_on_the_same_port() -> None:
    assert is_rtcp(b"\x80\xc8")
    assert not is_rtcp(make())
    assert not is_rtcp(b"\x80")


def check_batch(packets: list[bytes]) -> None:
    """A batch says of each packet what `parse` says of it alone."""
    buf = np.frombuffer(b"".join(packets), np.uint8)
    lengths = np.array([len(p) for p in packets], np.uint16)
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)[:-1]]).astype(np.int64)[: len(packets)]
    rows = parse_headers(buf, offsets, lengths)
    assert rows.dtype == HEADER
    for row, packet, offset in zip(rows, packets, offsets, strict=True):
        assert row["rtcp"] == is_rtcp(packet)
        try:
            head = parse(packet)
        except FormatError:
            assert not row["valid"]
            continue
        assert row["valid"]
        for name in ("payload_type", "marker", "sequence", "timestamp", "ssrc", "payload_length"):
            assert row[name] == getattr(head, name), name
        assert row["payload_offset"] == offset + head.payload_offset


def test_batches_decide_as_single_packets_do() -> None:
    check_batch([*WHOLE, *BROKEN, *WHOLE])
    check_batch(WHOLE)
    check_batch([make()] * 3)
    check_batch([b"\x80"])
    check_batch([make(extension=0, payload=b"")[:14]])


@given(
    st.lists(
        st.one_of(
            st.sampled_from(WHOLE + BROKEN),
            st.binary(min_size=1, max_size=40),
            st.binary(max_size=30).map(lambda b: b"\xb1\x00" + b),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_any_batch(packets: list[bytes]) -> None:
    check_batch(packets)


def test_memory_is_reused_and_checked() -> None:
    buf = np.frombuffer(make() * 2, np.uint8)
    size = len(make())
    out = np.zeros(10, HEADER)
    offsets = np.array([0, size], np.int64)
    rows = parse_headers(buf, offsets, np.array([size, size], np.uint16), out)
    assert rows.base is out
    assert rows["valid"].all()
    assert len(parse_headers(buf, offsets[:0], np.zeros(0, np.uint16))) == 0
    with pytest.raises(LocalError, match="outside"):
        parse_headers(buf, offsets, np.array([size, size + 1], np.uint16))
    with pytest.raises(LocalError, match="outside"):
        parse_headers(buf, offsets - 1, np.array([size, size], np.uint16))
    with pytest.raises(LocalError, match="length"):
        parse_headers(buf, offsets, np.array([size], np.uint16))
    assert FIXED == 12


@given(st.binary(max_size=80))
def test_nothing_but_format_errors(data: bytes) -> None:
    refused = outcome(parse, data)
    assert refused in ("", "RTP packet")
    if not refused:
        head = parse(data)
        assert head.payload_offset + head.payload_length <= len(data)
