"""UDP datagrams and TCP segments of a capture file: pcap and pcapng, over the link layers of calls.

pcap: draft-ietf-opsawg-pcap. pcapng: draft-ietf-opsawg-pcapng. A datagram that was cut when it was captured
is counted and left out; IPv4 fragments are put together where all of them are there.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from memcon.intake.refusals import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

NS = 1_000_000_000
MOST_PACKET = 1 << 20
MOST_FRAGMENTS = 4096
_ETHERNET, _RAW, _RAW_BSD, _NULL, _LOOP, _SLL, _SLL2, _IPV4, _IPV6 = 1, 101, 12, 0, 108, 113, 276, 228, 229
_MICRO, _NANO = b"\xa1\xb2\xc3\xd4", b"\xa1\xb2\x3c\x4d"
_SECTION, _INTERFACE, _PACKET, _SIMPLE = 0x0A0D0D0A, 1, 6, 3
_TCP, _UDP = 6, 17


@dataclass(frozen=True, slots=True)
class Datagram:
    """A UDP payload: `wall` in ns since 1970, addresses as their bytes (4 or 16)."""

    wall: int
    source: bytes
    source_port: int
    target: bytes
    target_port: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Segment:
    """A TCP segment: `flags` are the last eight of its header, `payload` may be empty."""

    wall: int
    source: bytes
    source_port: int
    target: bytes
    target_port: int
    sequence: int
    flags: int
    payload: bytes


@dataclass(slots=True)
class Capture:
    """Reads datagrams and segments; what could not be read is counted. `broken` says where the file ends."""

    packets: int = 0
    cut: int = 0
    other: int = 0
    broken: str = ""
    _fragments: dict[tuple[bytes, bytes, int], dict[int, tuple[bytes, bool]]] = field(default_factory=dict)

    def packets_of(self, file: BinaryIO) -> Iterator[Datagram | Segment]:
        """Each whole datagram and segment, in the file's order; RefusedError for an unknown link layer."""
        magic = file.read(4)
        frames = self._pcapng(file) if magic == b"\x0a\x0d\x0d\x0a" else self._pcap(file, magic)
        for wall, link, frame, length in frames:
            self.packets += 1
            if len(frame) < length:
                self.cut += 1
                continue
            found = self._ip(wall, _network(link, frame))
            if found is None:
                self.other += 1
            else:
                yield found

    def _pcap(self, file: BinaryIO, magic: bytes) -> Iterator[tuple[int, int, bytes, int]]:
        order = ">" if magic in (_MICRO, _NANO) else "<"
        unit = 1 if magic in (_NANO, _NANO[::-1]) else 1000
        head = file.read(20)
        if len(head) < 20:
            self.broken = "its header is cut"
            return
        link = struct.unpack(f"{order}16xI", head)[0] & 0xFFFF
        at = 24
        while row := file.read(16):
            if len(row) < 16:
                self.broken = f"the packet at byte {at} is cut"
                return
            seconds, part, size, length = struct.unpack(f"{order}IIII", row)
            if size > MOST_PACKET:
                self.broken = f"the packet at byte {at} says that it has {size:,} bytes"
                return
            frame = file.read(size)
            if len(frame) < size:
                self.broken = f"the packet at byte {at} is cut"
                return
            at += 16 + size
            yield seconds * NS + part * unit, link, frame, length

    def _pcapng(self, file: BinaryIO) -> Iterator[tuple[int, int, bytes, int]]:
        file.seek(0)
        order = "<"
        interfaces: list[tuple[int, int]] = []
        at = 0
        while head := file.read(8):
            if len(head) < 8:
                self.broken = f"the block at byte {at} is cut"
                return
            if head[:4] == b"\x0a\x0d\x0d\x0a":
                mark = file.read(4)
                file.seek(-4, 1)
                order, interfaces = (">" if mark == b"\x1a\x2b\x3c\x4d" else "<"), []
            kind, total = struct.unpack(f"{order}II", head)
            if total < 12 or total % 4 or total > MOST_PACKET + 64:
                self.broken = f"the block at byte {at} says that it has {total:,} bytes"
                return
            body = file.read(total - 8)
            if len(body) < total - 8:
                self.broken = f"the block at byte {at} is cut"
                return
            at += total
            if kind == _INTERFACE:
                interfaces.append(_interface(order, body))
            elif kind == _PACKET and len(body) >= 24:
                number, high, low, size, length = struct.unpack(f"{order}IIIII", body[:20])
                if number < len(interfaces):
                    link, unit = interfaces[number]
                    yield ((high << 32) | low) * NS // unit, link, body[20 : 20 + size], length
            elif kind == _SIMPLE and interfaces:
                length = struct.unpack(f"{order}I", body[:4])[0]
                yield 0, interfaces[0][0], body[4 : 4 + length], length

    def _ip(self, wall: int, packet: bytes) -> Datagram | Segment | None:
        if len(packet) < 20:
            return None
        version = packet[0] >> 4
        if version == 4:
            return self._ipv4(wall, packet)
        if version == 6 and len(packet) >= 48:
            size = int.from_bytes(packet[4:6], "big")
            return _inside(wall, packet[6], packet[8:24], packet[24:40], packet[40 : 40 + size])
        return None

    def _ipv4(self, wall: int, packet: bytes) -> Datagram | Segment | None:
        size, total = (packet[0] & 15) * 4, int.from_bytes(packet[2:4], "big")
        protocol = packet[9]
        if protocol not in (_TCP, _UDP) or size < 20 or total > len(packet):
            return None
        source, target, content = packet[12:16], packet[16:20], packet[size:total]
        flags = int.from_bytes(packet[6:8], "big")
        more, offset = bool(flags & 0x2000), (flags & 0x1FFF) * 8
        if not more and not offset:
            return _inside(wall, protocol, source, target, content)
        key = source, target, protocol << 16 | int.from_bytes(packet[4:6], "big")
        parts = self._fragments.setdefault(key, {})
        parts[offset] = content, more
        whole = _joined(parts)
        if whole is not None:
            del self._fragments[key]
            return _inside(wall, protocol, source, target, whole)
        if len(self._fragments) > MOST_FRAGMENTS:
            del self._fragments[next(iter(self._fragments))]
        return None


def _interface(order: str, body: bytes) -> tuple[int, int]:
    """(link type, ticks a second) of an interface description block."""
    link, unit, at = struct.unpack(f"{order}H", body[:2])[0], 1_000_000, 8
    while at + 4 <= len(body) - 4:
        code, size = struct.unpack(f"{order}HH", body[at : at + 4])
        if code == 9 and size == 1:  # if_tsresol
            value = body[at + 4]
            unit = 2 ** min(value & 0x7F, 62) if value & 0x80 else 10 ** min(value, 18)
        at += 4 + size + (-size) % 4
        if code == 0:
            break
    return link, unit


def _network(link: int, frame: bytes) -> bytes:
    """The IP packet in a frame; empty where there is none."""
    if link in (_RAW, _RAW_BSD, 14, _IPV4, _IPV6):
        return frame
    if link in (_NULL, _LOOP):
        return frame[4:]
    if link == _SLL:
        return frame[16:] if frame[14:16] in (b"\x08\x00", b"\x86\xdd") else b""
    if link == _SLL2:
        return frame[20:] if frame[:2] in (b"\x08\x00", b"\x86\xdd") else b""
    if link != _ETHERNET:
        raise RefusedError("ingest-pcap", f"its link type {link} is not known here")
    at = 12
    while frame[at : at + 2] in (b"\x81\x00", b"\x88\xa8"):  # VLAN tags
        at += 4
    return frame[at + 2 :] if frame[at : at + 2] in (b"\x08\x00", b"\x86\xdd") else b""


def _inside(wall: int, protocol: int, source: bytes, target: bytes, data: bytes) -> Datagram | Segment | None:
    """What an IP packet carries; None for what is neither, or cut."""
    if protocol == _UDP and len(data) >= 8:
        from_port, to_port, size = struct.unpack(">HHH", data[:6])
        whole = 8 <= size <= len(data)
        return Datagram(wall, source, from_port, target, to_port, data[8:size]) if whole else None
    if protocol == _TCP and len(data) >= 20:
        from_port, to_port, number, offset, flags = struct.unpack(">HHI4xBB", data[:14])
        head = (offset >> 4) * 4
        whole = 20 <= head <= len(data)
        return (
            Segment(wall, source, from_port, target, to_port, number, flags, data[head:]) if whole else None
        )
    return None


def _joined(parts: dict[int, tuple[bytes, bool]]) -> bytes | None:
    """The content of fragments by their offsets, None while one is missing."""
    whole = bytearray()
    while True:
        part = parts.get(len(whole))
        if part is None or (part[1] and not part[0]):
            return None
        whole += part[0]
        if not part[1]:
            return bytes(whole)
