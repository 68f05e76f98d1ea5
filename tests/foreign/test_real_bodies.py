"""Every saved body of a real recording client is answered by a running recorder, recorded and shown.

The sender here is a socket and a few lines of text: it shares nothing with the recorder's own client.
"""

from __future__ import annotations

import itertools
import re
import socket
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from tests.foreign.conftest import DATA, boundary_of, real_body

if TYPE_CHECKING:
    from types import TracebackType

    from tests.foreign.conftest import Recorder

pytestmark = pytest.mark.foreign

LABELS: dict[str, list[str]] = {
    "acme-siprec-offer.txt": ["16777227", "16777228"],
    "broadworks-offer-2.txt": ["10", "20"],
    "broadworks-offer.txt": ["1"],
    "cisco-siprec-offer.txt": ["1", "2"],
    "connectel-offer.txt": ["1", "2"],
    "connectel-offer2.txt": ["1", "2"],
    "connectel-offer3.txt": ["1", "2"],
    "inactive-sdp-offer.txt": ["1", "2"],
    "procomm-siprec-offer.txt": ["a_leg", "b_leg"],
    "sonus-siprec-offer.txt": ["1", "2"],
}
PAUSED = {"inactive-sdp-offer.txt"}
NUMBERS = itertools.count(1)  # calls of this module's recorder are numbered in the order they are placed
PACKETS = 5


class Sender:
    """One call from one socket, by text alone."""

    def __init__(self, recorder: Recorder, protocol: str) -> None:
        kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
        self._socket = socket.socket(socket.AF_INET, kind)
        self._socket.settimeout(60)
        self._socket.connect(("127.0.0.1", recorder.sip_port))
        self._protocol = protocol
        self._port = self._socket.getsockname()[1]
        self._held = b""
        self.number = next(NUMBERS)
        self.call_id = f"real-{protocol}-{self.number}@sbc.example"
        self._to = f"<sip:memcon@127.0.0.1:{recorder.sip_port}>"
        self._cseq = 0

    def __enter__(self) -> Sender:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def request(self, method: str, content: str = "", body: bytes = b"") -> bytes:
        """A request of this call; ACK has its INVITE's number."""
        self._cseq += method != "ACK"
        branch = f"z9hG4bK-{self.number}-{self._cseq}-{method}"
        lines = [
            f"{method} sip:memcon@127.0.0.1 SIP/2.0",
            f"Via: SIP/2.0/{self._protocol.upper()} 127.0.0.1:{self._port};rport;branch={branch}",
            f"From: <sip:sbc@sbc.example>;tag=t{self.number}",
            f"To: {self._to}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {self._cseq} {method}",
            f"Contact: <sip:sbc@127.0.0.1:{self._port}>;+sip.src",
            "Max-Forwards: 70",
        ]
        lines += [f"Content-Type: {content}"] if content else []
        lines += [f"Content-Length: {len(body)}", "", ""]
        return "\r\n".join(lines).encode() + body

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def answer(self) -> tuple[int, str]:
        """Status and text of the next final answer."""
        while True:
            status, text = self._message()
            if status >= 200:
                return status, text

    def _message(self) -> tuple[int, str]:
        while True:
            head, blank, rest = self._held.partition(b"\r\n\r\n")
            size = re.search(rb"(?im)^content-length: *(\d+)", head)
            if blank and size is not None and len(rest) >= int(size[1]):
                self._held = rest[int(size[1]) :]
                text = (head + blank + rest[: int(size[1])]).decode()
                return int(text.split(" ", 2)[1]), text
            self._held += self._socket.recv(65_535)

    def invite(self, content: str, body: bytes) -> str:
        """The 200 to an INVITE, acknowledged."""
        self.invited = self.request("INVITE", content, body)
        self.send(self.invited)
        status, text = self.answer()
        assert status == 200, text
        to = re.search(r"(?m)^To: (.*)\r$", text)
        assert to is not None
        self._to = to[1]
        self.send(self.request("ACK"))
        return text

    def bye(self) -> None:
        self.send(self.request("BYE"))
        status, text = self.answer()
        assert status == 200, text


def content_type(body: bytes) -> str:
    boundary = boundary_of(body)
    return f"multipart/mixed;boundary={boundary}" if boundary else "application/sdp"


def media(text: str) -> list[tuple[int, str, str]]:
    """Port, direction and label of each m-line, in order."""
    found = []
    for section in re.split(r"(?m)^m=", text)[1:]:
        port = int(section.split()[1])
        direction = re.search(r"(?m)^a=(sendrecv|sendonly|recvonly|inactive)", section)
        label = re.search(r"(?m)^a=label:(\S+)", section)
        found.append((port, direction[1] if direction else "", label[1] if label else ""))
    return found


def speak(ports: list[int]) -> None:
    """A few packets on each port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for number, port in itertools.product(range(PACKETS), ports):
            head = struct.pack(">BBHII", 0x80, 0, number, 160 * number, port)
            sock.sendto(head + bytes(160), ("127.0.0.1", port))


class Recorded(NamedTuple):
    """A call that was placed: port, direction and label of each answered m-line; what is shown of it."""

    number: int
    lines: list[tuple[int, str, str]]
    shown: dict[str, Any]
    invite: bytes

    @property
    def metadata(self) -> list[dict[str, Any]]:
        """The facts of its metadata events."""
        return [e["facts"] for e in self.shown["events"] if e["facts"]["type"] == "metadata"]


def record(recorder: Recorder, protocol: str, content: str, body: bytes) -> Recorded:
    """Place a call with this body, speak on every line, hang up, and wait until it is sealed."""
    with Sender(recorder, protocol) as sender:
        lines = media(sender.invite(content, body))
        speak([port for port, _, _ in lines])
        sender.bye()
    shown = recorder.ended(sender.number)
    assert shown["source_ids"]["call_id"] == sender.call_id
    return Recorded(sender.number, lines, shown, sender.invited)


def assert_recorded(call: Recorded, labels: list[str]) -> None:
    """Every line was answered under its label, in order, and what was said on it is there."""
    assert [label for _, _, label in call.lines] == labels
    assert len({port for port, _, _ in call.lines}) == len(labels)
    streams = [(s["port"], s["label"], s["received"]) for s in call.shown["streams"]]
    assert streams == [(port, label, PACKETS) for port, _, label in call.lines]


def test_every_complete_multipart_body_has_its_row() -> None:
    real_body("acme-siprec-offer.txt")
    found = {path.name for path in (DATA / "drachtio-bodies").iterdir() if boundary_of(path.read_bytes())}
    assert found == set(LABELS)


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
@pytest.mark.parametrize("name", LABELS)
def test_it_is_answered_line_by_line_and_recorded(recorder: Recorder, name: str, protocol: str) -> None:
    body = real_body(name)
    call = record(recorder, protocol, content_type(body), body)
    assert_recorded(call, LABELS[name])
    expected = "inactive" if name in PAUSED else "recvonly"
    assert {direction for _, direction, _ in call.lines} == {expected}
    assert call.shown["mode"] == "siprec"
    assert [facts["datamode"] for facts in call.metadata] == ["complete"]
    pauses = [e for e in call.shown["events"] if e["facts"]["type"] == "pause"]
    assert len(pauses) == (len(LABELS[name]) if name in PAUSED else 0)


def test_the_saved_headers_of_a_real_invite_are_served_too(recorder: Recorder) -> None:
    path = DATA / "sonus-full-invite" / "sonus_invite_headers_only.txt"
    if not path.is_file():
        pytest.skip(f"{path.name} is not there: set MEMCON_TEST_DATA to the directory that holds siprec/")
    body = real_body("sonus-siprec-offer.txt")
    head = path.read_bytes().rstrip(b"\r\n")
    head = re.sub(rb"(?m)^(Content-Length: +)\d+", rb"\g<1>%d" % len(body), head)
    invite = head + b"\r\n\r\n" + body
    with Sender(recorder, "tcp") as sender:  # by UDP the answer would go to the Via's own port
        sender.send(invite)
        status, text = sender.answer()
        assert status == 200
        assert [label for _, _, label in media(text)] == ["1", "2"]
    # no ACK: the recorder keeps the call and gives it up by itself; another call is not disturbed
    assert recorder.until("the call", lambda: recorder.show(sender.number))["mode"] == "siprec"


SDP = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 9000 RTP/AVP 0\r\na=label:one\r\na=sendonly\r\n"
)


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
@pytest.mark.parametrize("metadata", [b"<recording \xff garbage", b"", b"<?xml version='1.0'?><recording>"])
def test_unreadable_metadata_is_kept_raw_and_the_call_recorded(
    recorder: Recorder, metadata: bytes, protocol: str
) -> None:
    body = (
        b"--x\r\nContent-Type: application/sdp\r\n\r\n" + SDP
        + b"--x\r\nContent-Type: application/rs-metadata+xml\r\n\r\n" + metadata + b"\r\n--x--\r\n"
    )  # fmt: skip
    call = record(recorder, protocol, "multipart/mixed;boundary=x", body)
    assert_recorded(call, ["one"])
    assert any("metadata" in text for text in call.shown["oddities"]), call.shown["oddities"]
    assert call.shown["parties"] == []
    assert call.invite in recorder.export(call.number, "pcap")


def test_a_body_that_is_nothing_is_still_a_call(recorder: Recorder) -> None:
    """Metadata alone: nothing to answer a description to, so the recorder makes the offer, and records."""
    with Sender(recorder, "udp") as sender:
        text = sender.invite("application/rs-metadata+xml", b"<recording")
        assert len(media(text)) >= 1
        speak([port for port, _, _ in media(text)])
        sender.bye()
    shown = recorder.ended(sender.number)
    assert any("metadata" in text for text in shown["oddities"])
    assert [s["received"] for s in shown["streams"]] == [PACKETS] * len(media(text))
