"""RTCP compounds."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.conftest import outcome

from memcon.errors import FormatError
from memcon.wire.rtcp import (
    Bye,
    Other,
    ReceiverReport,
    Report,
    SenderReport,
    SourceDescription,
    last_sender_report,
    parse,
)

BLOCK = struct.pack(">IIIIII", 9, 0x40FFFFFE, 70000, 12, 1, 2)


def packet(kind: int, count: int, body: bytes, *, padding: int = 0) -> bytes:
    """One packet of a compound."""
    if padding:
        body += bytes(padding - 1) + bytes([padding])
    return struct.pack(">BBH", 0x80 | (0x20 if padding else 0) | count, kind, len(body) // 4) + body


SENDER = packet(
    200, 1, struct.pack(">IQIII", 7, (2_208_988_800 + 5) << 32 | 1 << 31, 160, 1000, 160000) + BLOCK
)


def test_a_compound() -> None:
    sdes = packet(202, 2, b"\0\0\0\x07\x01\x03a@b\x09\x01x\0\0\0\0" + b"\0\0\0\x08\x02\x01N\0")
    bye = packet(203, 1, b"\0\0\0\x07\x03end")
    items = parse(SENDER + packet(201, 1, b"\0\0\0\x08" + BLOCK) + sdes + packet(205, 1, b"abcd") + bye)
    report = Report(9, 0x40, -2, 70000, 12, 1, 2)
    sender = SenderReport(7, (2_208_988_805 << 32) + (1 << 31), 160, 1000, 160000, (report,))
    assert items == (
        sender,
        ReceiverReport(8, (report,)),
        SourceDescription(((7, "CNAME", "a@b"), (7, "9", "x"), (8, "NAME", "N"))),
        Other(205, 1, b"abcd"),
        Bye((7,), "end"),
    )
    assert sender.ntp_ns == 5_500_000_000
    assert last_sender_report(items) == sender
    assert last_sender_report(items[1:]) is None


def test_padding_and_no_reason() -> None:
    assert parse(packet(203, 1, b"\0\0\0\x07", padding=4)) == (Bye((7,), ""),)
    assert parse(packet(201, 0, b"\0\0\0\x07")) == (ReceiverReport(7, ()),)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\xc8",
        b"\x40" + SENDER[1:],
        SENDER[:20],
        b"\x80\x00" + SENDER[2:],
        packet(200, 2, SENDER[4:]),
        packet(201, 0, b""),
        packet(203, 3, b"\0\0\0\x07"),
        packet(202, 1, b"\0\0\0\x07\x01\x09ab"),
        packet(202, 1, b"\0\0\0\x07abc\x01"),
        packet(202, 1, b""),
        packet(203, 0, b"", padding=4)[:-1] + b"\x09",
        packet(203, 0, b"", padding=4)[:-1] + b"\x00",
        packet(203, 1, b"\0\0\0\x07", padding=4) + SENDER,
        b"\xa0\xcb\x00\x00",
    ],
)
def test_malformed(data: bytes) -> None:
    with pytest.raises(FormatError, match="RTCP packet"):
        parse(data)


@given(st.binary(max_size=200))
def test_nothing_but_format_errors(data: bytes) -> None:
    assert outcome(parse, data) in ("", "RTCP packet")


@given(st.integers(0, len(SENDER) - 1), st.integers(0, 255))
def test_a_changed_byte(at: int, value: int) -> None:
    data = bytearray(SENDER)
    data[at] = value
    assert outcome(parse, bytes(data)) in ("", "RTCP packet")
