"""RTCP: what senders and receivers say of a stream (RFC 3550 §6, RFC 5761)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from memcon.errors import FormatError

SR, RR, SDES, BYE = 200, 201, 202, 203
SDES_NAMES = {1: "CNAME", 2: "NAME", 3: "EMAIL", 4: "PHONE", 5: "LOC", 6: "TOOL", 7: "NOTE", 8: "PRIV"}


@dataclass(frozen=True, slots=True)
class Report:
    """What a receiver says of one source.

    `fraction_lost` in 1/256 since its last report, `lost` in all (may be negative), `jitter` in timestamp
    units, `last_sr` the middle 32 bits of an NTP time, `delay` in 1/65536 s.
    """

    ssrc: int
    fraction_lost: int
    lost: int
    highest: int
    jitter: int
    last_sr: int
    delay: int


@dataclass(frozen=True, slots=True)
class SenderReport:
    """What a sender says of itself: `ntp` is an NTP time of 64 bits, `packets` and `octets` count in all."""

    ssrc: int
    ntp: int
    rtp_timestamp: int
    packets: int
    octets: int
    reports: tuple[Report, ...]

    @property
    def ntp_ns(self) -> int:
        """The sender's clock in ns since 1970; before 1970 negative."""
        return ((self.ntp >> 32) - 2_208_988_800) * 1_000_000_000 + (
            (self.ntp & 0xFFFFFFFF) * 1_000_000_000 >> 32
        )


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """A report of one who does not send."""

    ssrc: int
    reports: tuple[Report, ...]


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """Names of sources: (ssrc, item name, text) in order."""

    items: tuple[tuple[int, str, str], ...]


@dataclass(frozen=True, slots=True)
class Bye:
    """Sources that leave, and why if they say."""

    ssrcs: tuple[int, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Other:
    """A packet of another type (feedback, application): type, count field and body as it came."""

    packet_type: int
    count: int
    body: bytes


Item = SenderReport | ReceiverReport | SourceDescription | Bye | Other


def parse(packet: bytes) -> tuple[Item, ...]:
    """Read a compound packet. Raises FormatError for a wrong version, type or length.

    Compounds that do not begin with a report are accepted (RFC 5506).
    """
    # 0                   1                   2                   3
    # |V=2|P|  count  |      type     |  length in words minus one  | body ...
    items: list[Item] = []
    at = 0
    while at < len(packet):
        if len(packet) - at < 4:
            raise FormatError("RTCP packet", "a header is cut off", where=at)
        first, kind, words = struct.unpack_from(">BBH", packet, at)
        end = at + 4 * (words + 1)
        if first >> 6 != 2:
            raise FormatError("RTCP packet", f"version {first >> 6}, not 2", where=at)
        if not 192 <= kind <= 223:
            raise FormatError("RTCP packet", f"type {kind} is not RTCP", where=at + 1)
        if end > len(packet):
            raise FormatError(
                "RTCP packet", f"{end - at} bytes announced, {len(packet) - at} left", where=at + 2
            )
        body = packet[at + 4 : end]
        if first & 0x20:
            # padding, in the last packet only; its last byte counts it
            if end != len(packet) or not body or not 0 < body[-1] <= len(body):
                raise FormatError("RTCP packet", "padding that does not fit", where=end - 1)
            body = body[: len(body) - body[-1]]
        items.append(_item(kind, first & 0x1F, body, at + 4))
        at = end
    if not items:
        raise FormatError("RTCP packet", "it is empty", where=0)
    return tuple(items)


def _item(kind: int, count: int, body: bytes, at: int) -> Item:
    if kind == SR:
        _need(body, 24 + 24 * count, at)
        ssrc, ntp, stamp, packets, octets = struct.unpack_from(">IQIII", body)
        return SenderReport(ssrc, ntp, stamp, packets, octets, _reports(body, 24, count))
    if kind == RR:
        _need(body, 4 + 24 * count, at)
        return ReceiverReport(struct.unpack_from(">I", body)[0], _reports(body, 4, count))
    if kind == SDES:
        return SourceDescription(tuple(_chunks(body, count, at)))
    if kind == BYE:
        _need(body, 4 * count, at)
        rest = body[4 * count :]
        reason = rest[1 : 1 + rest[0]].decode("utf-8", "backslashreplace") if rest else ""
        return Bye(struct.unpack_from(f">{count}I", body), reason)
    return Other(kind, count, body)


def _need(body: bytes, size: int, at: int) -> None:
    if len(body) < size:
        raise FormatError("RTCP packet", f"{size} bytes needed, {len(body)} there", where=at)


def _reports(body: bytes, at: int, count: int) -> tuple[Report, ...]:
    reports = []
    for i in range(count):
        ssrc, loss, highest, jitter, last, delay = struct.unpack_from(">IIIIII", body, at + 24 * i)
        lost = loss & 0xFFFFFF
        signed = lost - 0x1000000 if lost >= 0x800000 else lost
        reports.append(Report(ssrc, loss >> 24, signed, highest, jitter, last, delay))
    return tuple(reports)


def _chunks(body: bytes, count: int, at: int) -> list[tuple[int, str, str]]:
    # chunk = SSRC *( type length text ) 1*4( 0 ), to a 32-bit boundary
    items: list[tuple[int, str, str]] = []
    i = 0
    for _ in range(count):
        _need(body, i + 4, at)
        ssrc = struct.unpack_from(">I", body, i)[0]
        i += 4
        while i < len(body) and body[i]:
            if i + 2 > len(body) or i + 2 + body[i + 1] > len(body):
                raise FormatError("RTCP packet", "a description item is cut off", where=at + i)
            text = body[i + 2 : i + 2 + body[i + 1]].decode("utf-8", "backslashreplace")
            items.append((ssrc, SDES_NAMES.get(body[i], str(body[i])), text))
            i += 2 + body[i + 1]
        i = (i // 4 + 1) * 4
    return items


def last_sender_report(items: tuple[Item, ...]) -> SenderReport | None:
    """The last sender report of a compound: `packets` is what the sender says it sent, modulo 2**32."""
    return next((item for item in reversed(items) if isinstance(item, SenderReport)), None)
