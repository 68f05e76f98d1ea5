"""RTP headers, one packet at a time and many at once (RFC 3550 §5.1, §5.3.1, RFC 5761 §4).

```
 0                   1                   2                   3
 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|V=2|P|X|  CC   |M|     PT      |       sequence number         |
|                           timestamp                           |
|           synchronization source (SSRC) identifier            |
|            contributing sources, CC times                     |
|  X: profile word, length in words   |  that many words        |
```
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from memcon.errors import FormatError, LocalError
from memcon.wire.codec import STATIC, Codec, codec_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = [
    "HEADER",
    "STATIC",
    "Codec",
    "Packet",
    "build",
    "codec_for",
    "is_rtcp",
    "packetise",
    "parse",
    "parse_headers",
]

FIXED = 12
"""Bytes of the header without sources and extension."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet's header; the payload is `packet[payload_offset :][:payload_length]`, in bytes."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    csrcs: tuple[int, ...]
    payload_offset: int
    payload_length: int


def is_rtcp(packet: bytes) -> bool:
    """Whether a packet is RTCP: its type stands where RTP has marker and payload type (RFC 5761 §4)."""
    return len(packet) > 1 and 192 <= packet[1] <= 223


def parse(packet: bytes) -> Packet:
    """Read one packet strictly. Raises FormatError for what is not RTP version 2 of a possible length."""
    if len(packet) < FIXED:
        raise FormatError("RTP packet", f"{len(packet)} bytes, a header has {FIXED}", where=len(packet))
    first, second, sequence, timestamp, ssrc = struct.unpack_from(">BBHII", packet)
    if first >> 6 != 2:
        raise FormatError("RTP packet", f"version {first >> 6}, not 2", where=0)
    if is_rtcp(packet):
        raise FormatError("RTP packet", f"packet type {second} is RTCP", where=1)
    count = first & 0x0F
    offset = FIXED + 4 * count
    if len(packet) < offset:
        raise FormatError("RTP packet", f"{count} contributing sources do not fit", where=FIXED)
    csrcs = struct.unpack_from(f">{count}I", packet, FIXED)
    if first & 0x10:
        if len(packet) < offset + 4:
            raise FormatError("RTP packet", "the header extension is cut off", where=offset)
        words = struct.unpack_from(">H", packet, offset + 2)[0]
        offset += 4 + 4 * words
        if len(packet) < offset:
            raise FormatError("RTP packet", f"a header extension of {words} words does not fit", where=offset)
    padding = packet[-1] if first & 0x20 else 0
    if first & 0x20 and not 0 < padding <= len(packet) - offset:
        raise FormatError("RTP packet", f"{padding} bytes of padding do not fit", where=len(packet) - 1)
    length = len(packet) - offset - padding
    return Packet(second & 0x7F, bool(second & 0x80), sequence, timestamp, ssrc, csrcs, offset, length)


def build(
    payload: bytes, payload_type: int, sequence: int, timestamp: int, ssrc: int, *, marker: bool = False
) -> bytes:
    """One packet without sources or extension; sequence and timestamp are taken modulo their width."""
    second = payload_type | (0x80 if marker else 0)
    return struct.pack(">BBHII", 0x80, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + payload


def packetise(
    payload: bytes,
    payload_type: int,
    *,
    ssrc: int,
    sequence: int = 0,
    timestamp: int = 0,
    ptime_ms: int = 20,
    clock_rate: int = 8000,
    bytes_per_tick: int = 1,
) -> Iterator[bytes]:
    """Cut encoded audio into packets of `ptime_ms`; the first has the marker, the last may be short.

    `bytes_per_tick` is the payload's bytes per RTP timestamp tick: 1 for G.711, 2 for L16 mono.
    """
    ticks = clock_rate * ptime_ms // 1000
    size = ticks * bytes_per_tick
    if size <= 0:
        raise LocalError(f"a packet of {ptime_ms} ms at {clock_rate} Hz holds nothing")
    for number, start in enumerate(range(0, len(payload), size)):
        piece = payload[start : start + size]
        yield build(
            piece, payload_type, sequence + number, timestamp + number * ticks, ssrc, marker=not number
        )


HEADER = np.dtype([
    ("valid", np.bool_), ("rtcp", np.bool_), ("marker", np.bool_), ("payload_type", np.uint8),
    ("sequence", np.uint16), ("payload_length", np.uint16), ("timestamp", np.uint32), ("ssrc", np.uint32),
    ("payload_offset", np.int64),
])  # fmt: skip
"""One row per packet: `payload_offset` counts from the start of the buffer; of a row that is not valid only
`valid` and `rtcp` mean anything."""


def parse_headers(
    buf: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    lengths: NDArray[np.uint16],
    out: NDArray[np.void] | None = None,
) -> NDArray[np.void]:
    """Read n headers at once, deciding as `parse` does: a structured array of dtype HEADER, shape (n,).

    `buf` is uint8[N]; packet i is `buf[offsets[i] : offsets[i] + lengths[i]]`. `out` may be given to
    reuse memory. Raises LocalError when a packet does not lie in the buffer.
    """
    n = len(offsets)
    rows = np.empty(n, HEADER) if out is None else out[:n]
    if len(lengths) != n or len(rows) != n:
        raise LocalError("offsets, lengths and out differ in length")
    if n == 0:
        return rows
    size = lengths.astype(np.int64)
    if int(offsets.min()) < 0 or int((offsets + size).max()) > len(buf):
        raise LocalError("a packet lies outside the buffer")
    long_enough = size >= FIXED
    start = offsets if long_enough.all() else np.where(long_enough, offsets, 0)
    padded = buf if len(buf) >= FIXED else np.concatenate([buf, np.zeros(FIXED, np.uint8)])
    head = padded[start[:, None] + np.arange(FIXED)]
    first, second = head[:, 0], head[:, 1]
    rows["rtcp"] = (size > 1) & _rtcp_types(padded, offsets, size)
    rows["marker"] = second >= 0x80
    rows["payload_type"] = second & 0x7F
    rows["sequence"] = head[:, 2:4].copy().view(">u2")[:, 0]
    rows["timestamp"] = head[:, 4:8].copy().view(">u4")[:, 0]
    rows["ssrc"] = head[:, 8:12].copy().view(">u4")[:, 0]
    valid = long_enough & (first >> 6 == 2) & ~rows["rtcp"]
    at = FIXED + 4 * (first & 0x0F).astype(np.int64)
    valid &= at <= size
    at, valid = _skip_extension(padded, offsets, size, at, valid & ((first & 0x10) != 0), valid)
    padding = np.zeros(n, np.int64)
    has_padding = valid & ((first & 0x20) != 0)
    if has_padding.any():
        which = np.flatnonzero(has_padding)
        padding[which] = padded[offsets[which] + size[which] - 1]
        valid[which] &= (padding[which] > 0) & (padding[which] <= size[which] - at[which])
    rows["valid"] = valid
    rows["payload_offset"] = offsets + at
    rows["payload_length"] = np.where(valid, size - at - padding, 0)
    return rows


def _rtcp_types(
    buf: NDArray[np.uint8], offsets: NDArray[np.int64], size: NDArray[np.int64]
) -> NDArray[np.bool_]:
    types = buf[np.where(size > 1, offsets + 1, 0)]
    return (types >= 192) & (types <= 223)


def _skip_extension(
    buf: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    size: NDArray[np.int64],
    at: NDArray[np.int64],
    extended: NDArray[np.bool_],
    valid: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Move past the header extension where there is one: few packets of a call have it."""
    which: NDArray[Any] = np.flatnonzero(extended)
    if not len(which):
        return at, valid
    fits = at[which] + 4 <= size[which]
    valid[which[~fits]] = False
    which = which[fits]
    where = offsets[which] + at[which]
    words = buf[where + 2].astype(np.int64) * 256 + buf[where + 3]
    at[which] += 4 + 4 * words
    valid[which] &= at[which] <= size[which]
    return at, valid
