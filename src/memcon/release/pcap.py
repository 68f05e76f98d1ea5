"""A call as a capture file: RTP and RTCP as they arrived, SIP as it was exchanged.

Nanosecond pcap (magic a1b23c4d), link type RAW (101): each packet begins with its IP header, IPv4 or
IPv6 as the addresses are. The UDP payload of every media packet is the sealed packet byte for byte; the
headers around it are made here:

- source: the address the recorder saw and sealed (`source` events); 0.0.0.0 port 0 where none was;
- destination: the recorder's host as the SIP messages name it, and the stream table's port;
- time: the arrival, by the recorder's wall clock at the call's start plus the monotonic time since;
- identification 0, TTL 64, correct checksums.

SIP over TCP or TLS is shown as one UDP datagram a message: a capture of the real connection does not
exist, and inventing sequence numbers would say otherwise. Its Via header still names the transport. What
does not fit a datagram is left out, and told.
"""

from __future__ import annotations

import heapq
import ipaddress
import struct
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from memcon.record.segment import KIND_WIRE, decode_block
from memcon.release.timeline import NS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from memcon.record.canonical import Json
    from memcon.record.segment import Event
    from memcon.release.media import OpenCall, OpenSegment

Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"
Timed: TypeAlias = "tuple[int, bytes]"

MAGIC_NS = 0xA1B23C4D
LINKTYPE_RAW = 101
MAX_UDP = 65_507
_FILE = struct.Struct("<IHHiIII")
_PACKET = struct.Struct("<IIII")
_UNKNOWN = ipaddress.IPv4Address(0)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An IP address and a UDP port; 0.0.0.0 port 0 stands for unknown."""

    address: Address = _UNKNOWN
    port: int = 0

    @classmethod
    def parse(cls, text: object, port: object = None) -> Endpoint:
        """From `host:port`, `[host]:port`, or a host and a port; what is no address is unknown."""
        host = str(text)
        if port is None:
            host, _, tail = host.rpartition(":")
            port = int(tail) if tail.isdecimal() else 0
        try:
            address = ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            return cls()
        return cls(address, port if isinstance(port, int) and 0 <= port < 65_536 else 0)


def write_pcap(call: OpenCall, notes: list[str] | None = None) -> Iterator[bytes]:
    """The capture file, in pieces; `notes` gains what was left out. Raises FormatError naming the second."""
    notes = [] if notes is None else notes
    record = call.record()
    start = call.first().start_wall
    events = list(call.events())
    yield _FILE.pack(MAGIC_NS, 2, 4, 0, 0, 262_144, LINKTYPE_RAW)
    for since, datagram in heapq.merge(
        _media(call, record, events), _signalling(events, notes), key=lambda item: item[0]
    ):
        seconds, ns = divmod(start + since, NS)
        yield _PACKET.pack(seconds & 0xFFFFFFFF, ns, len(datagram), len(datagram)) + datagram


class _Sources:
    """Who sent a stream, by time: the `source` events of a call."""

    def __init__(self, events: list[Event]) -> None:
        self._times: dict[int, list[int]] = {}
        self._ends: dict[int, list[Endpoint]] = {}
        for event in events:
            if event.facts["type"] == "source" and isinstance(event.facts.get("stream"), int):
                stream = event.facts["stream"]
                self._times.setdefault(stream, []).append(event.since)
                end = Endpoint.parse(event.facts.get("address"), event.facts.get("port", 0))
                self._ends.setdefault(stream, []).append(end)

    def at(self, stream: int, since: int) -> Endpoint:
        """The last one known at `since`, or the first, for packets that came before it was noted."""
        ends = self._ends.get(stream)
        if not ends:
            return Endpoint()
        return ends[max(0, bisect_right(self._times[stream], since) - 1)]


def _media(call: OpenCall, record: Mapping[str, Json], events: list[Event]) -> Iterator[Timed]:
    sources = _Sources(events)
    host = _recorder(events)
    ports = {e["stream"]: int(e.get("port") or 0) for e in record["streams"]}
    for segment in call.segments():
        for since, stream, packet in _in_order(segment):
            source = sources.at(stream, since)
            target = Endpoint(_same_family(host.address, source.address), ports.get(stream, 0))
            yield since, udp(source, target, packet)


def _in_order(segment: OpenSegment) -> list[tuple[int, int, bytes]]:
    """(since, stream, packet) of one second by arrival; within a stream the sealed order is kept."""
    keyed: list[tuple[int, int, int, int, bytes]] = []
    latest: dict[int, int] = {}
    for raw in segment.blocks:
        if raw.kind == KIND_WIRE:
            continue  # hashes of what stands, opened, in another block
        block = decode_block(raw.data)
        for since, packet in zip(block.arrivals, block.packets, strict=True):
            latest[raw.stream] = max(latest.get(raw.stream, 0), since)
            keyed.append((latest[raw.stream], raw.stream, len(keyed), since, bytes(packet)))
    return [(since, stream, packet) for _, stream, _, since, packet in sorted(keyed)]


def _signalling(events: list[Event], notes: list[str]) -> Iterator[Timed]:
    left_out = reframed = 0
    for event in events:
        if event.facts["type"] != "sip" or not event.raw:
            continue
        if len(event.raw) > MAX_UDP:
            left_out += 1
            continue
        reframed += str(event.facts.get("transport", "udp")).lower() != "udp"
        local, remote = Endpoint.parse(event.facts.get("local")), Endpoint.parse(event.facts.get("remote"))
        incoming = event.facts.get("direction") != "out"
        source, target = (remote, local) if incoming else (local, remote)
        target = Endpoint(_same_family(target.address, source.address), target.port)
        yield event.since, udp(source, target, event.raw)
    if reframed:
        notes.append(f"{reframed} SIP messages over TCP or TLS are shown as one UDP datagram each")
    if left_out:
        notes.append(f"{left_out} SIP messages are longer than a datagram and left out")


def _recorder(events: list[Event]) -> Endpoint:
    """The recorder's own address, as the first SIP message has it."""
    ends = (Endpoint.parse(e.facts.get("local")) for e in events if e.facts["type"] == "sip")
    return next((end for end in ends if end.address != _UNKNOWN), Endpoint())


def _same_family(address: Address, other: Address) -> Address:
    """`address`, or the unspecified one of the other's family: one packet has one version."""
    if address.version == other.version:
        return address
    return ipaddress.IPv6Address(0) if other.version == 6 else _UNKNOWN


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp(source: Endpoint, target: Endpoint, payload: bytes) -> bytes:
    """An IP packet with one UDP datagram (RFC 768, RFC 791, RFC 8200)."""
    length = 8 + len(payload)
    from_, to = source.address.packed, target.address.packed
    head = struct.pack(">HHHH", source.port, target.port, length, 0)
    pseudo = from_ + to + struct.pack(">HH" if source.address.version == 4 else ">II", *_rest(source, length))
    check = _checksum(pseudo + head + payload) or 0xFFFF  # 0 would mean: none computed
    datagram = head[:6] + struct.pack(">H", check) + payload
    if source.address.version == 6:
        return struct.pack(">IHBB", 0x60000000, length, 17, 64) + from_ + to + datagram
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + length, 0, 0x4000, 64, 17, 0) + from_ + to
    return ip[:10] + struct.pack(">H", _checksum(ip)) + ip[12:] + datagram


def _rest(source: Endpoint, length: int) -> tuple[int, int]:
    """What the pseudo-header holds after the addresses: protocol and length, in the version's order."""
    return (17, length) if source.address.version == 4 else (length, 17)
