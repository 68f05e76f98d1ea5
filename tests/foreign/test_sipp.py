"""SIPp calls the recorder with real clients' bodies; what tcpdump heard is what is kept, no more, no less.

SIPp 3.6.1 sends RTP to the first m-line of an answer only; so it plays the first stream itself
(`rtp_stream`), and the second goes from a small sender here, to the port that the 200 names in SIPp's
own message log. tcpdump hears both on the wire.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import struct
import subprocess
import time
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

import pytest
from tests.foreign.conftest import boundary_of, free_port, real_body

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.foreign.conftest import Recorder

pytestmark = pytest.mark.foreign

TALK_MS = 3000
TALK_PACKETS = TALK_MS // 20
# Body of a real client: the payload type it offers first, and its labels.
BODIES: dict[str, tuple[int, set[str]]] = {
    "acme-siprec-offer.txt": (0, {"16777227", "16777228"}),
    "broadworks-offer-2.txt": (8, {"10", "20"}),
    "sonus-siprec-offer.txt": (0, {"1", "2"}),
    "procomm-siprec-offer.txt": (8, {"a_leg", "b_leg"}),
}

SCENARIO = """<?xml version="1.0" encoding="us-ascii"?>
<scenario name="session recording client">
 <send retrans="500"><![CDATA[

INVITE sip:memcon@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:sbc@[local_ip]:[local_port]>;tag=sipp-[call_number]
To: <sip:memcon@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:sbc@[local_ip]:[local_port];transport=[transport]>;+sip.src
Max-Forwards: 70
Require: siprec
Content-Type: multipart/mixed;boundary=@BOUNDARY@
Content-Length: [len]

@BODY@
]]></send>
 <recv response="100" optional="true"/>
 <recv response="200" rrs="true"/>
 <send><![CDATA[

ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:sbc@[local_ip]:[local_port]>;tag=sipp-[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
 <nop><action><exec rtp_stream="@AUDIO@,1,@PT@"/></action></nop>
 <pause milliseconds="@PAUSE@"/>
 <send retrans="500"><![CDATA[

BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:sbc@[local_ip]:[local_port]>;tag=sipp-[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
 <recv response="200"/>
</scenario>
"""


class Captured(NamedTuple):
    """A UDP datagram of a capture file: ports and payload."""

    source: int
    target: int
    payload: bytes


def read_pcap(data: bytes) -> Iterator[Captured]:
    """The UDP datagrams over IPv4 of a capture: Ethernet (tcpdump on lo) or bare IP (ours)."""
    magic, link = struct.unpack_from("<I", data)[0], struct.unpack_from("<I", data, 20)[0]
    assert magic in (0xA1B2C3D4, 0xA1B23C4D)
    skip = {1: 14, 101: 0}[link]
    at = 24
    while at < len(data):
        length, whole = struct.unpack_from("<II", data, at + 8)
        assert length == whole  # nothing cut off
        packet = data[at + 16 + skip : at + 16 + length]
        at += 16 + length
        ip = 4 * (packet[0] & 0x0F)
        if packet[0] >> 4 != 4 or packet[9] != 17:
            continue
        source, target, size = struct.unpack_from(">HHH", packet, ip)
        yield Captured(source, target, packet[ip + 8 : ip + size])


class Tcpdump:
    """tcpdump on loopback, for UDP to a range of ports, from `with` to its end."""

    def __init__(self, target: Path, ports: tuple[int, int]) -> None:
        self._target = target
        self._filter = f"udp dst portrange {ports[0]}-{ports[1]}"

    def __enter__(self) -> Tcpdump:
        self._process = subprocess.Popen(
            ["tcpdump", "-i", "lo", "-n", "-U", "-s", "0", "-B", "8192", "-Z", "root",
             "-w", str(self._target), self._filter],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stderr is not None
        said = ""
        while "listening on" not in said:
            line = self._process.stderr.readline()
            if not line:
                self._process.wait()
                pytest.skip(f"tcpdump may not listen on lo here: {said.strip()}")
            said += line
        return self

    def __exit__(self, *exc: object) -> None:
        time.sleep(0.3)  # what was sent is in its buffer
        self._process.send_signal(signal.SIGINT)
        _, said = self._process.communicate(timeout=60)
        assert re.search(r"\b0 packets dropped by kernel", said), said


def needs(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"no `{program}`: apt-get install {'sip-tester' if program == 'sipp' else program}")


def audio(name: str, seconds: float) -> bytes:
    """So much of a voice of the demonstration. It is A-law; sent as mu-law too, which only sounds odd."""
    voice = files("memcon.client") / "voices" / f"{name}.alaw"
    return voice.read_bytes()[: int(8000 * seconds)]


def media_ports(log: Path, process: subprocess.Popen[str]) -> list[int]:
    """The ports of the first 200 with an SDP answer in SIPp's message log."""
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        text = log.read_text(errors="replace") if log.is_file() else ""
        _, ok, rest = text.partition("SIP/2.0 200 OK")
        ports = [int(port) for port in re.findall(r"^m=audio (\d+) ", rest, re.MULTILINE)]
        if ok and len(ports) == 2:
            return ports
        time.sleep(0.02)
    raise AssertionError(f"no answer in SIPp's log; SIPp said {process.poll()}")


def send_second(port: int, payload_type: int) -> list[bytes]:
    """Send the second voice to a port, 20 ms a packet; what was sent."""
    voice, sent = audio("keller", TALK_MS / 1000), []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        due = time.monotonic()
        for number in range(TALK_PACKETS):
            piece = voice[160 * number : 160 * number + 160]
            marker = 0 if number else 0x80
            head = struct.pack(
                ">BBHII", 0x80, payload_type | marker, 65_500 + number & 0xFFFF, 160 * number, 0xBEEF
            )
            sock.sendto(head + piece, ("127.0.0.1", port))
            sent.append(head + piece)
            due += 0.02
            time.sleep(max(0.0, due - time.monotonic()))
    return sent


def run_sipp(directory: Path, recorder: Recorder, body: str, transport: str) -> tuple[list[int], list[bytes]]:
    """One call; the answered ports and what was sent on the second stream."""
    payload_type = BODIES[body][0]
    (directory / "voice.alaw").write_bytes(audio("solheim", TALK_MS / 1000))
    text = real_body(body).decode()
    values = {
        "BOUNDARY": boundary_of(text.encode()), "BODY": text, "AUDIO": "voice.alaw",
        "PT": str(payload_type), "PAUSE": str(TALK_MS + 1000),
    }  # fmt: skip
    scenario = re.sub(r"@(\w+)@", lambda m: values.get(m[1], m[0]), SCENARIO)
    (directory / "scenario.xml").write_text(scenario)
    log = directory / "messages.log"
    with (directory / "sipp.txt").open("w") as output:
        process = subprocess.Popen(
            ["sipp", f"127.0.0.1:{recorder.sip_port}", "-sf", "scenario.xml", "-m", "1", "-l", "1",
             "-t", {"udp": "u1", "tcp": "t1"}[transport], "-i", "127.0.0.1", "-p", str(free_port()),
             "-mi", "127.0.0.1", "-max_socket", "1000", "-nostdin", "-timeout", "40s", "-timeout_error",
             "-trace_msg", "-message_file", str(log), "-trace_err", "-error_file", "errors.log"],
            cwd=directory, stdout=output, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        try:
            ports = media_ports(log, process)
            sent = send_second(ports[1], payload_type)
            code = process.wait(60)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    errors = directory / "errors.log"
    assert code == 0, errors.read_text() if errors.is_file() else (directory / "sipp.txt").read_text()[-2000:]
    return ports, sent


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("body", BODIES)
def test_what_tcpdump_heard_is_what_is_exported(
    tmp_path: Path, recorder: Recorder, body: str, transport: str
) -> None:
    needs("sipp", "tcpdump")
    real_body(body)
    before = len(known_calls(recorder))
    with Tcpdump(tmp_path / "wire.pcap", recorder.media_ports):
        ports, second = run_sipp(tmp_path, recorder, body, transport)
    number = before + 1
    shown = recorder.ended(number)
    heard = list(read_pcap((tmp_path / "wire.pcap").read_bytes()))
    exported = list(read_pcap(recorder.export(number, "pcap")))
    for port in ports:
        on_wire = [packet.payload for packet in heard if packet.target == port]
        kept = [packet.payload for packet in exported if packet.target == port]
        assert len(on_wire) == TALK_PACKETS
        assert kept == on_wire  # in number, in order, byte for byte
        assert {p.source for p in exported if p.target == port} == {
            p.source for p in heard if p.target == port
        }
    assert [p.payload for p in heard if p.target == ports[1]] == second
    assert {packet.target for packet in heard} == set(ports)
    assert {stream["label"] for stream in shown["streams"] if not stream["stream"] % 2} == BODIES[body][1]
    assert shown["received"] == 2 * TALK_PACKETS
    assert shown["ended_by"] == "sender"


def known_calls(recorder: Recorder) -> list[int]:
    """The numbers of the calls that the catalogue has."""
    done = recorder.command("calls", "--json", "--size", "500")
    assert done.returncode == 0, done.stderr
    return [call["number"] for call in json.loads(done.stdout)["calls"]]
