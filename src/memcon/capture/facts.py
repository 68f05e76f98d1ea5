"""What the journal says of a call: the wire's values turned into canonical JSON (ARCHITECTURE)."""

from __future__ import annotations

import fnmatch
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memcon.wire.calls import EXPIRED, GONE, NO_ACK
from memcon.wire.vendors import is_dummy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memcon.wire.events import Call, CallStream, Transport
    from memcon.wire.recording import Participant

CAUSE_BYE, CAUSE_STOPPED, CAUSE_NO_ACK, CAUSE_TIMEOUT, CAUSE_FAILED = 1, 3, 4, 5, 6
WHO_SENDER, WHO_RECORDER, WHO_OPERATOR = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Handles:
    """The media handles of one m-line's two sockets."""

    rtp: int
    rtcp: int


def endpoint(address: tuple[str, int]) -> str:
    """`host:port`, the host in brackets where it is IPv6."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def stamp(wall: int, mono: int) -> dict[str, str]:
    """Both clocks as decimal text: they exceed what canonical JSON numbers hold."""
    return {"wall": str(wall), "mono": str(mono)}


def transport_facts(transport: Transport) -> dict[str, str]:
    return {
        "transport": transport.protocol,
        "local": endpoint(transport.local),
        "remote": endpoint(transport.remote),
    }


def _senders(call: Call, stream: CallStream) -> tuple[Participant, ...]:
    """Who speaks in a stream now: several where the client mixes them."""
    if call.metadata is None:
        return ()
    return call.metadata.participants_of(stream.label or "", stream.index)


def stream_facts(call: Call, stream: CallStream, handles: Handles) -> dict[str, Any]:
    """One m-line as `call` and `streams` records name it."""
    senders = _senders(call, stream)
    # a mixed stream is nobody's: naming one of its voices would put words into the wrong mouth
    participant = senders[0].id if len(senders) == 1 else None
    return {
        "stream": 2 * stream.index,
        "handle": handles.rtp,
        "rtcp_handle": handles.rtcp,
        "mline": stream.index,
        "label": stream.label or "",
        "port": stream.port,
        "codecs": [
            {"pt": c.payload_type, "name": c.name, "rate": c.clock_rate, "channels": c.channels}
            for c in stream.codecs
        ],
        "direction": stream.direction,
        "participant": "from" if call.kind == "direct" else participant,
        # to the sealing process, and no further: it opens SRTP, and shows the suite alone
        **({"key_line": stream.key_line} if stream.key_line else {}),
    }


def parties(call: Call) -> list[dict[str, str]]:
    """The parties in order of appearance; of a direct line, the two ends of the SIP call."""
    if call.kind == "direct":
        label = call.streams[0].label or "" if call.streams else ""
        ends = (("from", call.from_, label, "caller"), ("to", call.to, "", "called"))
        return [
            {"id": i, "name": end.display or "", "aor": end.uri_text, "label": label, "role": role}
            for i, end, label, role in ends
        ]
    if call.metadata is None:
        return []
    labels: dict[str, str] = {}
    for stream in call.streams:
        for sender in _senders(call, stream):
            labels.setdefault(sender.id, stream.label or "")
    found = []
    for person in call.metadata.participants:
        current = person.names[-1] if person.names else None
        found.append(
            {
                "id": person.id,
                "name": current.name.strip() if current else "",
                "aor": current.aor if current else "",
                "label": labels.get(person.id, ""),
                "role": "placeholder" if current and is_dummy(current.aor) else "",
            }
        )
    return found


def source_ids(call: Call) -> dict[str, Any]:
    """Every name the sender gave this call: what links it to records kept elsewhere."""
    sessions = call.metadata.sessions if call.metadata else ()
    return {
        "call_id": call.dialog.call_id,
        "from_tag": call.dialog.remote_tag,
        "from": call.from_.uri_text,
        "to": call.to.uri_text,
        "request_uri": call.request_uri,
        "session_ids": list(call.session_ids),
        "group_ids": list(call.group_ids),
        "sip_session_ids": [i for s in sessions for i in s.sip_session_ids],
        "links": list(call.links),
    }


def metadata_facts(call: Call) -> dict[str, Any]:
    """The facts of a `metadata` event: what was read, and what was odd."""
    recording = call.metadata
    return {
        "type": "metadata",
        "datamode": recording.datamode if recording else "unreadable",
        "participants": parties(call),
        "links": list(call.links),
        "oddities": [*call.oddities, *(recording.oddities if recording else ())],
    }


def line_of(call: Call, lines: Sequence[tuple[str, str]]) -> str:
    """The first line (name, pattern) that a URI of the call fits; "" when none does."""
    uris = [call.request_uri, call.to.uri_text, call.from_.uri_text]
    if call.metadata:
        uris += [name.aor for p in call.metadata.participants for name in p.names]
    for name, pattern in lines:
        if any(fnmatch.fnmatchcase(uri.lower(), pattern.lower()) for uri in uris):
            return name
    return ""


def source_facts(stream: int, sockaddr: bytes) -> dict[str, Any]:
    """A `source` event from a raw sockaddr_in or sockaddr_in6."""
    family = struct.unpack_from("=H", sockaddr)[0]
    port = struct.unpack_from(">H", sockaddr, 2)[0]
    if family == socket.AF_INET6:
        address = socket.inet_ntop(socket.AF_INET6, sockaddr[8:24])
    else:
        address = socket.inet_ntop(socket.AF_INET, sockaddr[4:8])
    return {"type": "source", "stream": stream, "address": address, "port": port}


def end_numbers(cause: str, by: str, *, stopping: bool) -> tuple[int, int]:
    """FORMATS §4's numbers of a call's end: (cause, who)."""
    if by == "peer":
        return CAUSE_BYE, WHO_SENDER
    if stopping:
        return CAUSE_STOPPED, WHO_OPERATOR
    if cause == NO_ACK:
        return CAUSE_NO_ACK, WHO_RECORDER
    if cause == GONE:
        return CAUSE_FAILED, WHO_RECORDER
    if cause == EXPIRED:
        return CAUSE_TIMEOUT, WHO_RECORDER
    return CAUSE_STOPPED, WHO_RECORDER


def changed(before: Mapping[int, dict[str, Any]], now: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The stream facts that are new or differ from `before` (by m-line)."""
    return [facts for facts in now if before.get(facts["mline"]) != facts]
