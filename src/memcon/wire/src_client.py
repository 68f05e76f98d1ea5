"""The session recording client's side, sans-IO: for the demonstration, canary calls and load (RFC 7866 §6.1).

`RecordingClient` holds one call: it builds INVITE, re-INVITE, UPDATE and BYE with descriptions and
metadata, reads the answers and sends again over UDP. Its owner does the IO and sends the RTP.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from xml.sax.saxutils import escape, quoteattr

from memcon.errors import FormatError, LocalError
from memcon.wire import multipart, sdp
from memcon.wire.build import build_request, build_response
from memcon.wire.codec import STATIC, Codec
from memcon.wire.events import Send, Transport
from memcon.wire.recording import NAMESPACE
from memcon.wire.sip import Message, parse
from memcon.wire.transaction import T1, T2, TIMEOUT, Timers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BOUNDARY = "memcon-part"


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody who is recorded: ids as the metadata names them, the port its RTP comes from, and where it
    is SRTP the value of the a=crypto line."""

    aor: str
    name: str
    port: int
    label: str
    participant_id: str
    stream_id: str
    crypto: str = ""


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """The call to make: `target` is the recorder's URI; RTP comes from `media_address`."""

    target: str
    transport: Transport
    media_address: str
    parties: tuple[Party, ...]
    codec: Codec = STATIC[0]
    ptime_ms: int = 20
    user: str = "src"
    session_id: str = ""
    group_id: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """A 2xx to a request of ours; `streams` are (address, port, label) per m-line, empty without SDP."""

    method: str
    streams: tuple[tuple[str, int, str | None], ...]
    raw: bytes
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A final answer other than 2xx, or none at all (status 408)."""

    method: str
    status: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The call is over: our BYE was answered or given up, or the recorder sent its own."""

    by: Literal["client", "recorder"]


ClientOutput = Send | Answered | Refused | Ended


@dataclass(slots=True)
class _Pending:
    method: str
    cseq: int
    data: bytes
    interval: int = T1


class RecordingClient:
    """One recording session as its client holds it. Every method returns what to send and what happened."""

    def __init__(self, config: ClientConfig, new_id: Callable[[], str]) -> None:
        self._config = config
        self._new_id = new_id
        self._call_id = f"{new_id()}@{config.transport.local[0]}"
        self._tag = new_id()
        self._to = f"<{config.target}>"
        self._target = config.target
        self._routes: tuple[str, ...] = ()
        self._cseq = 0
        self._version = 0
        self._pending: dict[str, _Pending] = {}
        self._ack = b""
        self._timers = Timers()
        self.state: Literal["new", "inviting", "up", "ended"] = "new"

    @property
    def call_id(self) -> str:
        """The dialog's Call-ID."""
        return self._call_id

    # --- requests ---

    def invite(self, now_ns: int, *, with_sdp: bool = True, with_metadata: bool = True) -> list[ClientOutput]:
        """Begin the recording session."""
        if self.state != "new":
            raise LocalError("the call has begun")
        self.state = "inviting"
        return self._change("INVITE", now_ns, with_sdp, "complete" if with_metadata else None)

    def hold(self, now_ns: int, *, method: str = "INVITE") -> list[ClientOutput]:
        """Pause: all lines a=inactive, nobody sends (a partial document without send and recv)."""
        return self._change(method, now_ns, True, "partial", direction="inactive", sending=False)

    def resume(self, now_ns: int, *, method: str = "INVITE") -> list[ClientOutput]:
        """Go on after a hold."""
        return self._change(method, now_ns, True, "partial")

    def update(
        self, now_ns: int, *, parties: Sequence[Party] | None = None, sdp: bool = False
    ) -> list[ClientOutput]:
        """UPDATE with metadata, and new names where `parties` says so."""
        if parties is not None:
            self._config = dataclasses.replace(self._config, parties=tuple(parties))
        return self._change("UPDATE", now_ns, sdp, "partial")

    def options(self, now_ns: int) -> list[ClientOutput]:
        """Ask whether the recording dialog lives."""
        return self._request("OPTIONS", now_ns, [], "", b"")

    def bye(self, now_ns: int) -> list[ClientOutput]:
        """End the call."""
        return self._request("BYE", now_ns, [], "", b"")

    def _change(
        self, method: str, now_ns: int, with_sdp: bool, datamode: str | None, *,
        direction: sdp.Direction = "sendonly", sending: bool = True,
    ) -> list[ClientOutput]:  # fmt: skip
        parts: list[tuple[str, str, bytes]] = []
        if with_sdp:
            self._version += 1
            parts.append((multipart.SDP, "", self._description(direction)))
        if datamode:
            document = metadata(self._config, datamode, sending=sending)
            parts.append((multipart.METADATA[0], "recording-session", document))
        content, body = _join(parts)
        return self._request(method, now_ns, [("Require", "siprec")], content, body)

    def _description(self, direction: sdp.Direction) -> bytes:
        config = self._config
        lines = [
            sdp.Offer(p.port, p.label, direction, (config.codec,), config.ptime_ms, p.crypto)
            for p in config.parties
        ]
        return sdp.offer(lines, address=config.media_address, session_id=1, version=self._version)

    def _request(
        self, method: str, now_ns: int, fields: list[tuple[str, str]], content: str, body: bytes
    ) -> list[ClientOutput]:
        if method != "INVITE" and self.state != "up":
            raise LocalError(f"no {method} before the call is up")
        self._cseq += 1
        branch = "z9hG4bK" + self._new_id()
        data = self._build(method, branch, self._cseq, fields, content, body)
        self._pending[branch] = _Pending(method, self._cseq, data)
        self._timers.set("give-up", branch, now_ns + TIMEOUT)
        if not self._config.transport.reliable:
            self._timers.set("repeat", branch, now_ns + T1)
        return [Send(data, self._config.transport)]

    def _build(
        self,
        method: str,
        branch: str,
        cseq: int,
        fields: Sequence[tuple[str, str]],
        content: str,
        body: bytes,
    ) -> bytes:
        transport = self._config.transport
        host, port = transport.local
        host = f"[{host}]" if ":" in host else host
        suffix = "" if transport.protocol == "udp" else f";transport={transport.protocol}"
        contact = f"<sip:{self._config.user}@{host}:{port}{suffix}>"
        return build_request(
            method,
            self._target,
            [
                ("Via", f"SIP/2.0/{transport.protocol.upper()} {host}:{port};branch={branch};rport"),
                ("Max-Forwards", "70"),
                *(("Route", route) for route in self._routes),
                ("From", f"{contact};tag={self._tag}"),
                ("To", self._to),
                ("Call-ID", self._call_id),
                ("CSeq", f"{cseq} {method}"),
                ("Contact", f"{contact};+sip.src"),
                *fields,
            ],
            content=content,
            body=body,
        )

    # --- what comes in ---

    def receive(self, data: bytes | Message, now_ns: int) -> list[ClientOutput]:
        """Take a message of the recorder. Raises FormatError for bytes that are none."""
        message = parse(data) if isinstance(data, bytes) else data
        if message.call_id != self._call_id:
            return []
        return self._answer(message) if message.is_request else self._answered(message)

    def _answer(self, message: Message) -> list[ClientOutput]:
        """Serve the recorder's own requests: BYE ends the call, OPTIONS is answered, others are unknown."""
        if message.method == "ACK":
            return []
        status = 200 if message.method in ("BYE", "OPTIONS") else 405
        data = build_response(message.headers, status, source=self._config.transport.remote, to_tag=self._tag)
        out: list[ClientOutput] = [Send(data, self._config.transport)]
        if message.method == "BYE" and self.state != "ended":
            self._end()
            out.append(Ended("recorder"))
        return out

    def _end(self) -> None:
        self.state = "ended"
        for branch in list(self._pending):
            self._close(branch)

    def _answered(self, message: Message) -> list[ClientOutput]:
        branch = message.via.branch or ""
        pending = self._pending.get(branch)
        if pending is None:
            # the 200 to an INVITE again: our ACK was lost (§13.2.2.4)
            again = message.cseq_method == "INVITE" and 200 <= message.status < 300 and self._ack
            return [Send(self._ack, self._config.transport)] if again else []
        if message.status < 200:
            self._timers.cancel("repeat", branch)
            return []
        self._close(branch)
        if pending.method == "INVITE":
            return self._invite_answered(message, pending, branch)
        if pending.method == "BYE":
            self._end()
            return [Ended("client")]
        return [_result(message, pending.method)]

    def _invite_answered(self, message: Message, pending: _Pending, branch: str) -> list[ClientOutput]:
        accepted = message.status < 300
        if accepted:
            self.state = "up"
            self._to = message.headers.get("to") or self._to
            self._routes = tuple(reversed(message.headers.members("record-route")))
            contact = message.contact
            if contact is not None and contact.uri is not None and " " not in contact.uri_text:
                self._target = contact.uri_text
            branch = "z9hG4bK" + self._new_id()
        elif self.state == "inviting":
            self.state = "ended"
        late = accepted and multipart.SDP not in pending.data.decode("utf-8", "replace")
        body = self._description("sendonly") if late else b""
        self._ack = self._build("ACK", branch, pending.cseq, [], multipart.SDP, body)
        return [Send(self._ack, self._config.transport), _result(message, pending.method)]

    def _close(self, branch: str) -> None:
        del self._pending[branch]
        self._timers.cancel("repeat", branch)
        self._timers.cancel("give-up", branch)

    # --- time ---

    def next_deadline(self) -> int | None:
        """When `timer` is to be called next, None if nothing waits."""
        return self._timers.next()

    def timer(self, now_ns: int) -> list[ClientOutput]:
        """Send again what was not answered; give up after 64*T1."""
        out: list[ClientOutput] = []
        while (due := self._timers.due(now_ns)) is not None:
            kind, branch = due
            pending = self._pending[str(branch)]
            if kind == "repeat":
                # timer A of an INVITE doubles without limit, timer E up to T2
                pending.interval *= 2
                if pending.method != "INVITE":
                    pending.interval = min(pending.interval, T2)
                self._timers.set("repeat", branch, now_ns + pending.interval)
                out.append(Send(pending.data, self._config.transport))
                continue
            self._close(str(branch))
            if pending.method == "BYE":
                self._end()
                out.append(Ended("client"))
            else:
                self.state = "ended" if self.state == "inviting" else self.state
                out.append(Refused(pending.method, 408, b""))
        return out


def _result(message: Message, method: str) -> Answered | Refused:
    if message.status >= 300:
        return Refused(method, message.status, message.raw)
    streams: tuple[tuple[str, int, str | None], ...] = ()
    try:
        if multipart.parse(message.content_type, message.body).sdp is not None:
            answer = sdp.parse(message.body)
            streams = tuple((m.address, m.port, m.label) for m in answer.media)
    except FormatError:
        streams = ()
    headers = tuple((name, value.decode("utf-8", "backslashreplace")) for name, value in message.headers)
    return Answered(method, streams, message.raw, headers)


def _join(parts: Sequence[tuple[str, str, bytes]]) -> tuple[str, bytes]:
    """Content-Type and body of zero, one or more parts."""
    if len(parts) < 2:
        return (parts[0][0], parts[0][2]) if parts else ("", b"")
    out: list[bytes] = []
    for kind, disposition, body in parts:
        out.append(f"--{BOUNDARY}\r\nContent-Type: {kind}\r\n".encode())
        if disposition:
            out.append(f"Content-Disposition: {disposition}\r\n".encode())
        out += [b"\r\n", body, b"\r\n"]
    out.append(f"--{BOUNDARY}--\r\n".encode())
    return f"multipart/mixed;boundary={BOUNDARY}", b"".join(out)


def metadata(config: ClientConfig, datamode: str = "complete", *, sending: bool = True) -> bytes:
    """The metadata of a call: each of `config.parties` sends its stream and hears the others' (RFC 7865)."""
    session, group = config.session_id or "session-1", config.group_id
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<recording xmlns={quoteattr(NAMESPACE)}>"]
    lines.append(f"<datamode>{datamode}</datamode>")
    lines += [f"<group group_id={quoteattr(group)}/>"] if group else []
    reference = f"<group-ref>{escape(group)}</group-ref>" if group else ""
    lines.append(f"<session session_id={quoteattr(session)}>{reference}</session>")
    for party in config.parties:
        lines.append(f"<participant participant_id={quoteattr(party.participant_id)}>")
        lines.append(
            f"<nameID aor={quoteattr(party.aor)}><name>{escape(party.name)}</name></nameID></participant>"
        )
        key = f"participant_id={quoteattr(party.participant_id)}"
        lines.append(f"<participantsessionassoc {key} session_id={quoteattr(session)}/>")
        lines.append(f"<stream stream_id={quoteattr(party.stream_id)} session_id={quoteattr(session)}>")
        lines.append(f"<label>{escape(party.label)}</label></stream>")
        heard = [p.stream_id for p in config.parties if p is not party]
        links = f"<send>{escape(party.stream_id)}</send>" if sending else ""
        links += "".join(f"<recv>{escape(other)}</recv>" for other in heard) if sending else ""
        lines.append(f"<participantstreamassoc {key}>{links}</participantstreamassoc>")
    lines.append("</recording>\n")
    return "\r\n".join(lines).encode()
