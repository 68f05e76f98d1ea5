"""A recording server with counted ports and ids and a clock in hand, and the messages to feed it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from memcon.errors import FormatError
from memcon.wire import events as ev
from memcon.wire.sip import Message, parse
from memcon.wire.srs import RecordingServer, ServerConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DATA = Path(os.environ.get("MEMCON_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data") / "siprec"
BODIES = DATA / "drachtio-bodies"

UDP = ev.Transport("udp", ("10.0.0.9", 5060), ("10.0.0.1", 5060))
TCP = ev.Transport("tcp", ("10.0.0.9", 5060), ("10.0.0.1", 40123), "tcp-1")
SECOND = 1_000_000_000

OFFER = b"""v=0\r
o=src 1 1 IN IP4 10.0.0.1\r
s=-\r
c=IN IP4 10.0.0.1\r
t=0 0\r
m=audio 20000 RTP/AVP 0 101\r
a=rtpmap:0 PCMU/8000\r
a=rtpmap:101 telephone-event/8000\r
a=fmtp:101 0-15\r
a=label:1\r
a=sendonly\r
m=audio 20002 RTP/AVP 8\r
a=rtpmap:8 PCMA/8000\r
a=label:2\r
a=sendonly\r
"""

METADATA = b"""<?xml version="1.0" encoding="UTF-8"?>
<recording xmlns="urn:ietf:params:xml:ns:recording:1"><datamode>complete</datamode>
<group group_id="g1"/><session session_id="s1"><group-ref>g1</group-ref></session>
<participant participant_id="p1"><nameID aor="sip:ann@example.org"><name>Ann</name></nameID></participant>
<participant participant_id="p2"><nameID aor="sip:bob@example.org"><name>Bob</name></nameID></participant>
<stream stream_id="m1" session_id="s1"><label>1</label></stream>
<stream stream_id="m2" session_id="s1"><label>2</label></stream>
<participantstreamassoc participant_id="p1"><send>m1</send><recv>m2</recv></participantstreamassoc>
<participantstreamassoc participant_id="p2"><send>m2</send><recv>m1</recv></participantstreamassoc>
</recording>
"""

HOLD = b"""<recording xmlns="urn:ietf:params:xml:ns:recording:1"><datamode>partial</datamode>
<participantstreamassoc participant_id="p1"/></recording>"""


def real_body(name: str) -> bytes:
    """A saved body, or a skip that says what is missing."""
    path = BODIES / name
    if not path.is_file():
        pytest.skip(f"real SIPREC bodies are not there: {path.name} (set MEMCON_TEST_DATA)")
    return path.read_bytes()


def content_type_of(body: bytes) -> str:
    """The Content-Type that a saved body must have had: its boundary stands in it."""
    found = re.search(rb"(?m)^--(\S+?)\s*$", body)
    return f"multipart/mixed;boundary={found.group(1).decode()}" if found else "application/sdp"


def multipart(*parts: tuple[str, bytes], boundary: str = "b1") -> tuple[str, bytes]:
    """Content-Type and bytes of a multipart body."""
    out = b"".join(
        f"--{boundary}\r\nContent-Type: {kind}\r\n\r\n".encode() + body + b"\r\n" for kind, body in parts
    )
    return f"multipart/mixed;boundary={boundary}", out + f"--{boundary}--\r\n".encode()


SIPREC = multipart(("application/sdp", OFFER), ("application/rs-metadata+xml", METADATA))


def request(
    method: str = "INVITE",
    *,
    cseq: int = 1,
    to_tag: str = "",
    branch: str = "",
    call_id: str = "call-1",
    from_tag: str = "src1",
    uri: str = "sip:srs@10.0.0.9",
    content: str = "",
    body: bytes = b"",
    more: Sequence[str] = (),
    via: str = "SIP/2.0/UDP 10.0.0.1:5060",
) -> bytes:
    """A request as a recording client would send it."""
    tag = f";tag={to_tag}" if to_tag else ""
    cseq_method = method
    lines = [
        f"{method} {uri} SIP/2.0",
        f"Via: {via};branch={branch or f'z9hG4bK{method}{cseq}'}",
        f"From: <sip:src@10.0.0.1>;tag={from_tag}",
        f"To: <sip:srs@10.0.0.9>{tag}",
        f"Call-ID: {call_id}",
        f"CSeq: {cseq} {cseq_method}",
        "Contact: <sip:src@10.0.0.1:5060>;+sip.src",
        "Max-Forwards: 70",
        *more,
        *([f"Content-Type: {content}"] if content else []),
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def invite(**fields: object) -> bytes:
    """An INVITE with description and metadata unless `content` and `body` say otherwise."""
    fields.setdefault("content", SIPREC[0])
    fields.setdefault("body", SIPREC[1])
    return request("INVITE", **fields)  # type: ignore[arg-type]  # passed through by name


E = TypeVar("E")
T = TypeVar("T")


def outcome(read: Callable[[T], object], data: T) -> str:
    """What a reader refuses, by `FormatError.what`; "" when it reads the data. Any other error passes."""
    try:
        read(data)
    except FormatError as error:
        return error.what
    return ""


@dataclass
class Bench:
    """A server whose ports and ids count up and whose clock stands until moved."""

    ports_left: int = 100
    config: ServerConfig | None = None
    now: int = 1000 * SECOND
    out: list[ev.Output] = field(default_factory=list)
    allocated: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ids = 0
        self.server = RecordingServer(self, self._new_id, config=self.config, receipt=self._receipt)

    def _new_id(self) -> str:
        self._ids += 1
        return f"id{self._ids}"

    def _receipt(self, call: ev.Call) -> list[tuple[str, str]]:
        return [("Memcon-Receipt", f"for {call.dialog.call_id}")]

    def allocate(self, dialog: ev.DialogId, count: int) -> Sequence[int] | None:
        if count > self.ports_left:
            return None
        self.ports_left -= count
        ports = [40000 + 2 * (len(self.allocated) + i) for i in range(count)]
        self.allocated += ports
        return ports

    def feed(self, data: bytes, transport: ev.Transport = UDP) -> list[ev.Output]:
        """Give the server a message; its outputs are kept in `out`."""
        self.out = self.server.receive(data, transport, self.now)
        return self.out

    def wait(self, ns: int) -> list[ev.Output]:
        """Let time pass and the timers run at their deadlines."""
        until = self.now + ns
        self.out = []
        while (deadline := self.server.next_deadline()) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            self.out += self.server.timer(self.now)
        self.now = until
        return self.out

    def sent(self) -> list[Message]:
        """The messages put on the wire by the last step."""
        return [parse(o.data) for o in self.out if isinstance(o, ev.Send)]

    def statuses(self) -> list[int]:
        """Their status codes; 0 for a request."""
        return [message.status for message in self.sent()]

    def events(self, kind: type[E]) -> list[E]:
        """The events of one kind from the last step."""
        return [o for o in self.out if isinstance(o, kind)]

    def take_call(self, *, ack: bool = True, transport: ev.Transport = UDP, **fields: object) -> ev.Call:
        """Have a call taken and acknowledged; the call as it stood at the start."""
        via = "SIP/2.0/TCP 10.0.0.1:5060" if transport.reliable else "SIP/2.0/UDP 10.0.0.1:5060"
        self.feed(invite(via=via, **fields), transport)
        (started,) = self.events(ev.CallStarted)
        if ack:
            self.feed(
                request("ACK", to_tag=started.call.dialog.local_tag, branch="z9hG4bKack", via=via), transport
            )
        return started.call


@pytest.fixture
def bench() -> Bench:
    return Bench()
