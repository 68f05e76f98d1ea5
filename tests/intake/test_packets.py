"""Packet captures: streams, parties, gaps; and captures that are broken, foreign or hold no call."""

from __future__ import annotations

import ipaddress
import os
import struct
import wave
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.intake.media import InProcess

from memcon.intake.capture_file import Capture
from memcon.intake.limits import Limits
from memcon.intake.refusals import RefusedError
from memcon.wire import rtp

if TYPE_CHECKING:
    from collections.abc import Sequence

START = 1_700_000_000
A, B = "10.0.0.1", "10.0.0.2"


def udp(source: str, source_port: int, target: str, target_port: int, payload: bytes) -> bytes:
    """An IP packet."""
    segment = struct.pack(">HHHH", source_port, target_port, 8 + len(payload), 0) + payload
    a, b = ipaddress.ip_address(source).packed, ipaddress.ip_address(target).packed
    if len(a) == 16:
        return struct.pack(">IHBB", 6 << 28, len(segment), 17, 64) + a + b + segment
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 1, 0, 64, 17, 0) + a + b + segment


def fragments(packet: bytes, size: int = 1200) -> list[bytes]:
    """An IPv4 packet as its fragments."""
    head, content = packet[:20], packet[20:]
    parts = [content[at : at + size] for at in range(0, len(content), size)]
    made = []
    for n, part in enumerate(parts):
        flags = (0x2000 if n < len(parts) - 1 else 0) | (n * size // 8)
        made.append(head[:2] + struct.pack(">HHH", 20 + len(part), 7, flags) + head[8:] + part)
    return made


def pcap(
    packets: Sequence[tuple[float, bytes]], *, link: int = 101, order: str = "<", nano: bool = False
) -> bytes:
    magic = 0xA1B23C4D if nano else 0xA1B2C3D4
    data = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    for at, packet in packets:
        part = round(at % 1 * (1e9 if nano else 1e6))
        data += struct.pack(f"{order}IIII", START + int(at), part, len(packet), len(packet)) + packet
    return data


def pcapng(packets: Sequence[tuple[float, bytes]], *, order: str = "<") -> bytes:
    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        return (
            struct.pack(f"{order}II", kind, len(body) + 12) + body + struct.pack(f"{order}I", len(body) + 12)
        )

    data = block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))
    resolution = struct.pack(f"{order}HHB3xHH", 9, 1, 9, 0, 0)
    data += block(1, struct.pack(f"{order}HHI", 101, 0, 0) + resolution)
    for at, packet in packets:
        ticks = START * 10**9 + round(at * 1e9)
        head = struct.pack(f"{order}IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(packet), len(packet))
        data += block(6, head + packet)
    return data


def stream(
    source: str = A, target: str = B, *, ssrc: int = 7, count: int = 100, skip: range = range(0),
    level: int = 0x10, port: int = 4000, sequence: int = 65500,
) -> list[tuple[float, bytes]]:  # fmt: skip
    made = []
    for n in range(count):
        if n in skip:
            continue
        packet = rtp.build(bytes([level]) * 160, 0, (sequence + n) % 65536, 160 * n, ssrc)
        made.append((0.02 * n, udp(source, port, target, port + 2, packet)))
    return made


def sdp(address: str, port: int) -> str:
    return (f"v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n")  # fmt: skip


def invite(body: str, *, answer: bool = False) -> bytes:
    first = "SIP/2.0 200 OK" if answer else "INVITE sip:bob@example.org SIP/2.0"
    return (f"{first}\r\nVia: SIP/2.0/UDP {A};branch=z9hG4bK1\r\n"
            f"From: \"A. Holt\" <sip:holt@a.example>;tag=1\r\n"
            f"To: <sip:rahn@b.example>;tag=2\r\nCall-ID: c1@a\r\nCSeq: 1 INVITE\r\n"
            f"Contact: <sip:x@{A}>\r\nContent-Type: application/sdp\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()  # fmt: skip


def probe(tmp_path: Path, data: bytes, **more: Any) -> dict[str, Any]:
    path = tmp_path / "call.pcap"
    path.write_bytes(data)
    limits = more.pop("limits", None)
    return InProcess(limits).ask({"task": "probe packets", "path": str(path), **more}, 60)


def refusal(tmp_path: Path, data: bytes, **more: Any) -> str:
    with pytest.raises(RefusedError) as caught:
        probe(tmp_path, data, **more)
    return caught.value.code


@pytest.mark.parametrize("form", ["micro", "nano", "big", "ng", "ng-big"])
def test_two_voices_without_signalling(tmp_path: Path, form: str) -> None:
    packets = sorted(stream() + stream(B, A, ssrc=9, level=0x80), key=lambda one: one[0])
    data = {
        "micro": lambda: pcap(packets),
        "nano": lambda: pcap(packets, nano=True),
        "big": lambda: pcap(packets, order=">"),
        "ng": lambda: pcapng(packets),
        "ng-big": lambda: pcapng(packets, order=">"),
    }[form]()
    told = probe(tmp_path, data)
    lanes = told["facts"]["lanes"]
    assert [lane["source"]["ssrc"] for lane in lanes] == ["00000007", "00000009"]
    assert [(lane["received"], lane["expected"], lane["codec"]) for lane in lanes] == [(100, 100, "PCMU")] * 2
    assert told["facts"]["duration_ms"] == 2000
    assert told["start"] == "2023-11-14T22:13:20Z"
    assert [bytes.fromhex(one)[0] > 0 for one in told["peaks"]] == [True, True]
    assert told["facts"]["remarks"] == []


@pytest.mark.parametrize("link", [1, 113, 276, 0, 101])
def test_link_layers(tmp_path: Path, link: int) -> None:
    head = {1: bytes(12) + b"\x81\x00\x00\x05\x08\x00", 113: bytes(14) + b"\x08\x00",
            276: b"\x08\x00" + bytes(18), 0: b"\x02\0\0\0", 101: b""}[link]  # fmt: skip
    packets = [(at, head + packet) for at, packet in stream()]
    assert len(probe(tmp_path, pcap(packets, link=link))["facts"]["lanes"]) == 1


def test_an_unknown_link_layer_is_said(tmp_path: Path) -> None:
    assert refusal(tmp_path, pcap(stream(), link=147)) == "ingest-pcap"


def test_ipv6_and_what_is_no_media(tmp_path: Path) -> None:
    others = [(0.5, udp(A, 53, B, 53, b"\x80" + os.urandom(40))) for _ in range(20)]
    told = probe(
        tmp_path, pcap([*stream("2001:db8::1", "2001:db8::2"), *others, (1.0, b"\x45"), (1.0, bytes(40))])
    )
    assert [lane["source"]["from"] for lane in told["facts"]["lanes"]] == ["[2001:db8::1]:4000"]


def test_parties_are_those_of_the_signalling(tmp_path: Path) -> None:
    padded = sdp(A, 4000) + "a=x:" + "y" * 2000 + "\r\n"
    sip = [(0.0, part) for part in fragments(udp(A, 5060, B, 5060, invite(padded)))]
    sip.append((0.1, udp(B, 5060, A, 5060, invite(sdp(B, 4002), answer=True))))
    told = probe(tmp_path, pcap([*sip, *stream(), *stream(B, A, ssrc=9, port=4002)]))
    names = {one["id"]: one["name"] for one in told["parties"]}
    spoken = {lane["source"]["from"].split(":")[0]: names[lane["party"]] for lane in told["facts"]["lanes"]}
    assert spoken == {A: "A. Holt", B: "rahn"}
    assert told["ids"] == ["c1@a"]
    assert told["facts"]["events"][0]["text"].startswith("INVITE")


def test_encrypted_streams_are_kept_and_not_read(tmp_path: Path) -> None:
    body = sdp(A, 4000).replace("RTP/AVP", "RTP/SAVP")
    told = probe(tmp_path, pcap([(0.0, udp(A, 5060, B, 5060, invite(body))), *stream()]))
    assert told["facts"]["lanes"][0]["codec"] == "SRTP, PCMU"
    assert set(bytes.fromhex(told["peaks"][0])) == {0}
    assert told["facts"]["remarks"][0]["text"] == "1 of 1 streams are encrypted (SRTP)"


def test_missing_packets_are_counted_and_placed(tmp_path: Path) -> None:
    lane = probe(tmp_path, pcap(stream(skip=range(30, 50))))["facts"]["lanes"][0]
    assert (lane["received"], lane["expected"]) == (80, 100)
    assert lane["gaps_ms"] == [[600, 1000]]


def test_a_sender_that_starts_anew_has_lost_nothing(tmp_path: Path) -> None:
    again = [(at + 2, packet) for at, packet in stream(sequence=20000)]
    told = probe(tmp_path, pcap(stream() + again + again[:3]))
    lane = told["facts"]["lanes"][0]
    assert (lane["received"], lane["expected"]) == (200, 200)
    assert told["facts"]["remarks"] == []


def test_bad_captures_are_refused_with_a_reason(tmp_path: Path) -> None:
    good = pcap(stream())
    assert refusal(tmp_path, good[:-7]) == "ingest-pcap"
    assert refusal(tmp_path, good[:10]) == "ingest-pcap"
    assert refusal(tmp_path, good[:24] + b"\xff" * 16) == "ingest-pcap"
    assert refusal(tmp_path, pcapng(stream())[:-9]) == "ingest-pcap"
    assert refusal(tmp_path, pcap([])) == "ingest-no-rtp"
    assert refusal(tmp_path, pcap(stream(count=3))) == "ingest-no-rtp"
    assert refusal(tmp_path, pcap(stream() + stream(ssrc=8)), limits=Limits(channels=1)) == "ingest-limit"
    rest = probe(tmp_path, good[:-7], damaged=True)["facts"]
    assert [one["code"] for one in rest["remarks"]] == ["ingest-damaged"]
    assert rest["lanes"][0]["received"] == 99


def test_packets_cut_at_capture_are_left_out_and_counted(tmp_path: Path) -> None:
    data = bytearray(pcap(stream()))
    struct.pack_into("<I", data, 24 + 12, 9999)
    told = probe(tmp_path, bytes(data))
    assert told["facts"]["lanes"][0]["received"] == 99
    assert "cut when they were captured" in told["facts"]["remarks"][-1]["text"]


@pytest.mark.parametrize(("which", "channels"), [(None, 2), (1, 1)])
def test_it_can_be_heard(tmp_path: Path, which: int | None, channels: int) -> None:
    path, to = tmp_path / "call.pcap", tmp_path / "out.wav"
    path.write_bytes(pcap(stream() + stream(B, A, ssrc=9)))
    question = {"task": "render packets", "path": str(path), "which": which, "as": "wav", "to": str(to)}
    InProcess().ask(question, 60)
    with wave.open(str(to)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (channels, 8000, 16000)
        assert np.frombuffer(file.readframes(16000), "<i2").any()


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_after_the_magic_are_read_to_an_end(data: bytes, ng: bool) -> None:
    import io

    head = b"\x0a\x0d\x0d\x0a" if ng else pcap([])[:24]
    try:
        list(Capture().packets_of(io.BytesIO(head + data)))
    except RefusedError as error:
        assert "link type" in str(error)  # noqa: PT017


@pytest.mark.skipif("MEMCON_TEST_DATA" not in os.environ, reason="MEMCON_TEST_DATA names no test data")
def test_a_capture_that_somebody_else_made() -> None:
    path = Path(os.environ["MEMCON_TEST_DATA"]) / "siprec" / "drachtio-sipp" / "g711a.pcap"
    told = InProcess().ask({"task": "probe packets", "path": str(path)}, 60)
    lane = told["facts"]["lanes"][0]
    assert (lane["codec"], lane["received"], lane["expected"]) == ("PCMA", 236, 236)
