"""A packet capture as a call: its RTP streams as lanes, and what its SIP says of who speaks in which.

A stream is everything from one address and port to another with one SSRC. What is RTP is told by the
packets themselves (version, and sequence numbers that follow one another), since a capture may have no SIP;
where it has, its descriptions name codecs and parties. Encrypted streams are kept, and not read.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from memcon import __version__
from memcon.clock import utc
from memcon.errors import FormatError
from memcon.intake.capture_file import NS, Capture, Datagram, Segment
from memcon.intake.found import Found, Lane
from memcon.intake.refusals import RefusedError
from memcon.intake.sip_streams import SipStreams, looks_like_sip
from memcon.wire import multipart, sdp, sip, siprec
from memcon.wire.codec import codec_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from memcon.intake.limits import Limits
    from memcon.intake.sniff import Kind
    from memcon.wire.address import Address
    from memcon.wire.codec import Codec

MS = 1_000_000
FEWEST = 5
"""Packets that make a stream; three where a description names its port."""
FEWEST_NAMED = 3
MOST_STREAMS = 1 << 16
MOST_EVENTS = 500
READER = f"memcon {__version__}"
Endpoint = tuple[bytes, int]


@dataclass(slots=True)
class RtpStream:
    """Packets of one stream in order of capture: wall ns, and the packets."""

    source: Endpoint
    target: Endpoint
    ssrc: int
    arrivals: list[int] = field(default_factory=list)
    packets: list[bytes] = field(default_factory=list)

    def follows(self) -> bool:
        """Whether its sequence numbers go on as RTP's do: most of them within 100 of the one before."""
        numbers = [int.from_bytes(packet[2:4], "big") for packet in self.packets]
        near = sum(0 <= (b - a) % 65536 <= 100 for a, b in pairwise(numbers))
        return near >= 0.7 * (len(numbers) - 1)


@dataclass(slots=True)
class Offered:
    """A media line of a description: whose side it is, where it receives, and what it may carry."""

    call: str
    party: str
    codecs: Mapping[int, Codec]
    encrypted: bool


@dataclass(slots=True)
class Analysed:
    """A capture that was read. `codecs` and `party` are those of the stream at the same place."""

    capture: Capture
    start: int
    streams: list[RtpStream]
    codecs: list[dict[int, Codec]]
    encrypted: list[bool]
    found: Found


class Signalling:
    """What SIP messages say: parties, and which endpoint is whose."""

    def __init__(self) -> None:
        self.parties: dict[str, dict[str, str]] = {}
        self.offers: dict[Endpoint, Offered] = {}
        self.calls: list[str] = []
        self.events: list[tuple[int, str, str]] = []
        self._sides: dict[tuple[str, str], str] = {}
        self._streams = SipStreams()

    def take_segment(self, one: Segment) -> None:
        """A segment of TCP: whatever messages end with it."""
        for raw in self._streams.feed(one):
            ends = (one.source, one.source_port, one.target, one.target_port)
            self.take(Datagram(one.wall, *ends, raw))

    def take(self, datagram: Datagram) -> bool:
        """One datagram, or a message of a stream; whether it was SIP."""
        if not looks_like_sip(datagram.payload):
            return False
        try:
            message = sip.parse(datagram.payload)
        except FormatError:
            return False
        if message.call_id not in self.calls:
            self.calls.append(message.call_id)
        line = datagram.payload.lstrip(b"\r\n").split(b"\n", 1)[0][:200].decode("utf-8", "replace").strip()
        if len(self.events) < MOST_EVENTS:
            self.events.append((datagram.wall, "sip", line))
        if message.cseq_method == "INVITE":
            caller = self._party(message.call_id, message.from_, "caller")
            called = self._party(message.call_id, message.to, "called")
            answers = not message.is_request
            self._describe(message, called if answers else caller, datagram)
        return True

    def _party(self, call: str, address: Address, role: str) -> str:
        aor = address.uri_text.partition(";")[0]
        key = self._sides.get((call, aor))
        if key is None:
            key = f"sip-{len(self.parties) + 1}"
            self._sides[call, aor] = key
            name = address.display or aor.partition(":")[2].partition("@")[0]
            self.parties[key] = {"id": key, "name": name, "aor": aor, "label": "", "role": role}
        return key

    def _describe(self, message: sip.Message, party: str, datagram: Datagram) -> None:
        bodies = multipart.parse(message.content_type, message.body)
        part = bodies.sdp
        if part is None:
            return
        try:
            description = sdp.parse(part.content())
        except FormatError:
            return
        by_label = self._recorded(bodies) if message.is_request else {}
        for media in description.media:
            if not media.port or media.media != "audio":
                continue
            try:
                address = ipaddress.ip_address(media.address).packed
            except ValueError:
                address = datagram.source
            codecs = {codec.payload_type: codec for codec in media.codecs}
            whose = by_label.get(media.label or "", party)
            encrypted = bool(media.crypto) or "SAVP" in media.protocol
            self.offers[address, media.port] = Offered(message.call_id, whose, codecs, encrypted)

    def _recorded(self, bodies: multipart.Bodies) -> dict[str, str]:
        """Of a recording session (RFC 7866): the party that each label carries, by the metadata."""
        if bodies.metadata is None:
            return {}
        try:
            said = siprec.parse(bodies.metadata.content())
        except FormatError:
            return {}
        found = {}
        for label in said.streams_by_label():
            for participant in said.participants_of(label)[:1]:
                key = f"siprec-{participant.id}"[:100]
                known = participant.names[-1] if participant.names else None
                aor = known.aor if known is not None else ""
                name = (known.name if known is not None else "") or aor or participant.id
                self.parties[key] = {"id": key, "name": name, "aor": aor, "label": label, "role": ""}
                found[label] = key
        return found

    def of(self, stream: RtpStream) -> tuple[str, dict[int, Codec], bool]:
        """(party that speaks, codecs, encrypted) of a stream; empty where nothing is said."""
        sender, receiver = self.offers.get(stream.source), self.offers.get(stream.target)
        codecs = {**(receiver.codecs if receiver else {}), **(sender.codecs if sender else {})}
        encrypted = any(one.encrypted for one in (sender, receiver) if one is not None)
        if sender is not None:
            return sender.party, codecs, encrypted
        if receiver is None:
            return "", codecs, encrypted
        others = {one.party for one in self.offers.values() if one.call == receiver.call} - {receiver.party}
        return (others.pop() if len(others) == 1 else ""), codecs, encrypted


def analyse(path: Path, kind: Kind, limits: Limits, *, damaged: bool) -> Analysed:
    """Read a capture whole; RefusedError where it is broken (unless `damaged`) or holds no RTP."""
    capture, said = Capture(), Signalling()
    streams: dict[tuple[Endpoint, Endpoint, int], RtpStream] = {}
    with path.open("rb") as file:
        for one in capture.packets_of(file):
            if isinstance(one, Segment):
                said.take_segment(one)
            elif not said.take(one) and _may_be_rtp(one.payload):
                source, target = (one.source, one.source_port), (one.target, one.target_port)
                ssrc = int.from_bytes(one.payload[8:12], "big")
                stream = streams.get((source, target, ssrc))
                if stream is None and len(streams) < MOST_STREAMS:
                    stream = streams[source, target, ssrc] = RtpStream(source, target, ssrc)
                if stream is not None:
                    stream.arrivals.append(one.wall)
                    stream.packets.append(one.payload)
    if capture.broken and not damaged:
        raise RefusedError("ingest-pcap", capture.broken)
    chosen = [stream for stream in streams.values() if _is_stream(stream, said)]
    if not chosen:
        raise RefusedError("ingest-no-rtp", f"{capture.packets:,} packets, and no stream of RTP among them")
    if len(chosen) > limits.channels:
        raise RefusedError("ingest-limit", f"it has {len(chosen)} streams, {limits.channels} are allowed")
    start = min(stream.arrivals[0] for stream in chosen)
    chosen.sort(key=lambda stream: (stream.arrivals[0], stream.ssrc))
    return _analysed(capture, said, chosen, start, kind, limits)


def _may_be_rtp(payload: bytes) -> bool:
    return len(payload) >= 12 and payload[0] >> 6 == 2 and not 192 <= payload[1] <= 223


def _is_stream(stream: RtpStream, said: Signalling) -> bool:
    named = stream.source in said.offers or stream.target in said.offers
    return len(stream.packets) >= (FEWEST_NAMED if named else FEWEST) and stream.follows()


def _analysed(
    capture: Capture, said: Signalling, chosen: Sequence[RtpStream], start: int, kind: Kind, limits: Limits
) -> Analysed:
    found = Found("packets", kind.container, kind.media_type, READER)
    all_codecs, all_encrypted, used = [], [], set()
    end = start
    for stream in chosen:
        party, codecs, encrypted = said.of(stream)
        used.add(party)
        found.lanes.append(_lane(stream, party, codecs, start, encrypted=encrypted, said=said))
        all_codecs.append(codecs)
        all_encrypted.append(encrypted)
        end = max(end, stream.arrivals[-1])
    found.duration = max(20, (end - start) // MS + 20)
    if found.duration > limits.hours * 3_600_000:
        raise RefusedError("ingest-limit", f"it is longer than {limits.hours} hours")
    found.start = utc(start) if start >= NS else ""
    found.parties = [party for key, party in said.parties.items() if key in used or party["role"]]
    found.ids = said.calls[:100]
    found.events = [
        {"at_ms": (wall - start) // MS, "type": type_, "text": text} for wall, type_, text in said.events
    ]
    _remark(found, capture, said, all_encrypted)
    return Analysed(capture, start, list(chosen), all_codecs, all_encrypted, found)


def _lane(
    stream: RtpStream,
    party: str,
    codecs: Mapping[int, Codec],
    start: int,
    *,
    encrypted: bool,
    said: Signalling,
) -> Lane:
    types = [packet[1] & 0x7F for packet in stream.packets]
    most = max(dict.fromkeys(types), key=types.count)
    codec = codecs.get(most) or codec_for(most)
    name = said.parties[party]["name"] if party else ""
    shown = f"{_shown(stream.source)}, SSRC {stream.ssrc:08x}"
    what = f"SRTP, {codec.name or most}" if encrypted else codec.name or f"payload type {most}"
    source = {"ssrc": f"{stream.ssrc:08x}", "from": _shown(stream.source), "to": _shown(stream.target)}
    lane = Lane(name or shown, what, codec.sample_rate, source, party=party)
    lane.begins = (stream.arrivals[0] - start) // MS
    lane.duration = (stream.arrivals[-1] - stream.arrivals[0]) // MS + 20
    lane.received, lane.expected, lane.gaps = _account(stream, start)
    return lane


def _shown(endpoint: Endpoint) -> str:
    address = ipaddress.ip_address(endpoint[0])
    return f"[{address}]:{endpoint[1]}" if address.version == 6 else f"{address}:{endpoint[1]}"


def _account(stream: RtpStream, start: int) -> tuple[int, int, list[list[int]]]:
    """(packets received once, expected by sequence numbers, gaps in ms), as RFC 3550 §A.3 counts."""
    received = expected = 0
    gaps: list[list[int]] = []
    seen: dict[int, int] = {}
    last = first = int.from_bytes(stream.packets[0][2:4], "big")
    for arrival, packet in zip(stream.arrivals, stream.packets, strict=True):
        number = int.from_bytes(packet[2:4], "big")
        step = (number - last + 32768) % 65536 - 32768
        if abs(step) > 3000:
            received, expected = received + len(seen), expected + max(seen) - first + 1
            seen, first, last = {}, number, number
            step = 0
        here = last + step
        seen.setdefault(here, arrival)
        last = max(last, here)
        first = min(first, here)
    numbers = sorted(seen)
    for low, high in pairwise(numbers):
        if high - low > 1:
            gaps.append([(seen[low] - start) // MS + 20, max(0, (seen[high] - start) // MS)])
    return received + len(seen), expected + max(seen) - first + 1, [gap for gap in gaps if gap[1] > gap[0]]


def _remark(found: Found, capture: Capture, said: Signalling, encrypted: Sequence[bool]) -> None:
    lost = sum(lane.expected - lane.received for lane in found.lanes)
    if lost:
        total = sum(lane.expected for lane in found.lanes)
        found.remark("ingest-loss", f"{lost:,} of {total:,} packets are missing in the capture")
    if capture.broken:
        found.remark("ingest-damaged", f"the capture is cut: {capture.broken}")
    if capture.cut:
        found.remark("ingest-loss", f"{capture.cut:,} packets were cut when they were captured, and left out")
    if any(encrypted):
        found.remark("ingest-left-out", f"{sum(encrypted)} of {len(encrypted)} streams are encrypted (SRTP)")
    if len(said.calls) > 1:
        found.remark(
            "ingest-left-out", f"it holds {len(said.calls)} SIP dialogs: all their streams are lanes here"
        )
