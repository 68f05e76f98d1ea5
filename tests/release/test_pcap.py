"""Capture files: the payloads byte for byte, addresses as sealed, checksums that hold."""

from __future__ import annotations

import ipaddress
import shutil
import struct
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.release.synthetic import BYE, INVITE, Call, Recorder, entry, rtp

from memcon.release.media import OpenCall
from memcon.release.pcap import Endpoint, udp, write_pcap

if TYPE_CHECKING:
    from pathlib import Path

NS = 1_000_000_000
SR = b"\x80\xc8\x00\x06" + bytes(24)


def _sum(data: bytes) -> int:
    total: int = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def parse(packet: bytes) -> tuple[str, int, str, int, bytes]:
    """(source, port, destination, port, payload) of an IP packet; its checksums are checked."""
    if packet[0] >> 4 == 4:
        assert _sum(packet[:20]) == 0xFFFF
        assert struct.unpack(">H", packet[2:4])[0] == len(packet)
        ends, rest, pseudo = packet[12:20], packet[20:], struct.pack(">HH", 17, len(packet) - 20)
    else:
        assert struct.unpack(">H", packet[4:6])[0] == len(packet) - 40
        ends, rest, pseudo = packet[8:40], packet[40:], struct.pack(">II", len(packet) - 40, 17)
    assert _sum(ends + pseudo + rest) == 0xFFFF
    source, target, length = struct.unpack(">HHH", rest[:6])
    assert length == len(rest)
    half = len(ends) // 2
    addresses = [str(ipaddress.ip_address(part)) for part in (ends[:half], ends[half:])]
    return addresses[0], source, addresses[1], target, rest[8:]


def read(data: bytes) -> list[tuple[int, bytes]]:
    """(time in ns, packet) of a capture file."""
    assert struct.unpack("<IHHiIII", data[:24]) == (0xA1B23C4D, 2, 4, 0, 0, 262_144, 101)
    found, at = [], 24
    while at < len(data):
        seconds, ns, kept, length = struct.unpack("<IIII", data[at : at + 16])
        assert kept == length
        found.append((seconds * NS + ns, data[at + 16 : at + 16 + kept]))
        at += 16 + kept
    return found


def a_call(**changes: Any) -> Call:
    first = [(n * 20_000_000 + 7, rtp(n, 160 * n, bytes([n & 255]) * 160)) for n in range(200)]
    first[50] = (first[50][0], b"odd \xff")
    second = [(n * 20_000_000 + 9, rtp(n, 160 * n, b"\xff" * 160, ssrc=9)) for n in range(100)]
    second += [(second[-1][0] + 1, second[-1][1])]
    moved: list[tuple[int, dict[str, Any], bytes]] = [
        (7, {"type": "source", "stream": 0, "address": "10.0.0.9", "port": 4000}, b""),
        (2 * NS, {"type": "source", "stream": 0, "address": "10.0.0.8", "port": 4008}, b""),
        (9, {"type": "source", "stream": 2, "address": "2001:db8::1", "port": 5000}, b""),
    ]
    media = {0: first, 1: [(NS, SR)], 2: second}
    entries = [entry(0, 0), entry(1, 1), entry(2, 2)]
    return Call(media=media, entries=entries, events=changes.pop("events", moved), **changes)


def captured(tmp_path: Path, call: Call) -> tuple[bytes, list[str]]:
    work = Recorder(tmp_path).seal(call)
    notes: list[str] = []
    opened = OpenCall.from_files(call.number, call.key, {p.name: p for p in work.iterdir()})
    return b"".join(write_pcap(opened, notes)), notes


def test_payloads_are_what_arrived_in_number_order_and_bytes(tmp_path: Path) -> None:
    call = a_call()
    data, notes = captured(tmp_path, call)
    packets = [(when, *parse(packet)) for when, packet in read(data)]
    for stream in (0, 1, 2):
        got = [
            (when - call.start, payload)
            for when, _, _, _, port, payload in packets
            if port == 20_000 + stream
        ]
        assert got == call.media[stream]
    assert notes == []
    times = [p[0] for p in packets]
    assert times == sorted(times)


def test_addresses_are_those_sealed_and_change_when_they_changed(tmp_path: Path) -> None:
    call = a_call()
    packets = [(when - call.start, *parse(packet)) for when, packet in read(captured(tmp_path, call)[0])]
    of_first = [p for p in packets if p[4] == 20_000]
    assert {p[1:4] for p in of_first if p[0] < 2 * NS} == {("10.0.0.9", 4000, "10.0.0.1")}
    assert {p[1:4] for p in of_first if p[0] >= 2 * NS} == {("10.0.0.8", 4008, "10.0.0.1")}
    # IPv6 from there, an IPv4 recorder here: the destination is not known in that family.
    assert {p[1:4] for p in packets if p[4] == 20_002} == {("2001:db8::1", 5000, "::")}
    assert {p[1:3] for p in packets if p[4] == 20_001} == {(str(ipaddress.IPv4Address(0)), 0)}


def test_hashes_of_what_was_opened_are_no_packets(tmp_path: Path) -> None:
    call = a_call()
    expected, _ = captured(tmp_path / "plain", call)
    call.media[0x8000] = [(NS, b"\x01" + bytes(32)), (NS, b"\x00junk")]
    call.entries.append(entry(3, 0x8000))
    assert captured(tmp_path / "secure", call)[0] == expected


def test_signalling_is_there_in_both_directions(tmp_path: Path) -> None:
    answer = {
        "type": "sip", "direction": "out", "transport": "tcp",
        "local": "10.0.0.1:5060", "remote": "10.0.0.9:33000",
    }  # fmt: skip
    long = {**answer, "transport": "udp"}
    call = a_call(events=[(NS, answer, b"SIP/2.0 200 OK\r\n\r\n"), (NS, long, bytes(70_000))])
    data, notes = captured(tmp_path, call)
    found = [parse(packet) for _, packet in read(data)]
    sip = [p for p in found if 5060 in (p[1], p[3])]
    assert sip == [
        ("10.0.0.9", 5060, "10.0.0.1", 5060, INVITE),
        ("10.0.0.1", 5060, "10.0.0.9", 33000, b"SIP/2.0 200 OK\r\n\r\n"),
        ("10.0.0.9", 5060, "10.0.0.1", 5060, BYE),
    ]
    assert notes == [
        "1 SIP messages over TCP or TLS are shown as one UDP datagram each",
        "1 SIP messages are longer than a datagram and left out",
    ]


def test_endpoints_from_text() -> None:
    assert Endpoint.parse("[2001:db8::1]:5060") == Endpoint(ipaddress.ip_address("2001:db8::1"), 5060)
    assert Endpoint.parse("10.0.0.1:5060").port == 5060
    assert Endpoint.parse("10.0.0.1", 99_999).port == 0
    assert Endpoint.parse("name.example:5060") == Endpoint()
    assert Endpoint.parse(None) == Endpoint()


@given(st.binary(max_size=300), st.booleans(), st.integers(0, 65_535))
def test_checksums_hold_for_any_payload(payload: bytes, six: bool, port: int) -> None:
    host = ipaddress.ip_address("2001:db8::2" if six else "192.0.2.7")
    packet = udp(Endpoint(host, port), Endpoint(host, 1), payload)
    assert parse(packet) == (str(host), port, str(host), 1, payload)


@pytest.mark.foreign
@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_reads_it_and_finds_nothing_malformed(tmp_path: Path) -> None:
    call = a_call()
    (tmp_path / "c.pcap").write_bytes(captured(tmp_path / "home", call)[0])
    args = ["tshark", "-r", str(tmp_path / "c.pcap"), "-o", "udp.check_checksum:TRUE", "-T", "fields"]
    fields = (
        "frame.time_epoch",
        "udp.dstport",
        "udp.checksum.status",
        "udp.payload",
        "_ws.malformed",
        "sip.Method",
    )
    lines = subprocess.run(
        [*args, *(x for field in fields for x in ("-e", field))], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    rows = [line.split("\t") for line in lines]
    assert {row[2] for row in rows} <= {"1", "Good"}
    assert not any(row[4] for row in rows)
    assert [row[5] for row in rows if row[5]] == ["INVITE", "BYE"]
    for stream, sent in call.media.items():
        assert [bytes.fromhex(row[3]) for row in rows if row[1] == str(20_000 + stream)] == [
            p for _, p in sent
        ]
