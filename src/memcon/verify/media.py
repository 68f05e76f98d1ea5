"""The seconds of a call: blocks, commitments, segment hashes (FORMATS §6, §7 and §14).

One pass over `media.mcb`. This is the only code here that is written for speed: it sees every
packet of the call, so it reads fields with prepared structs straight from the buffer.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from hashlib import sha256
from struct import Struct
from typing import TYPE_CHECKING, Any

from memcon.record.hashing import tag
from memcon.record.opened import MEDIA_MAGIC
from memcon.record.segment import (
    BLOCK_HEAD,
    BLOCK_MAGIC,
    BLOCK_NS,
    BLOCKS_A_SEGMENT,
    KIND_RTP,
    KIND_WIRE,
    KINDS,
    NS,
    segment_hash,
)
from memcon.verify.findings import MAX_PER_CODE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from memcon.verify.container import Buffer

_FILE = Struct(">8sQ")
FILE_HEAD = _FILE.size
_SEGMENT = Struct(">II32sI")
_LISTED = Struct(">HBBB")
_U32 = Struct(">I")
_BLOCK = Struct(">8sIHBBIIII")
_ENTRY = Struct(">HBB32s")
_BLOCK_TAG = tag("block")
_BLOCKS_TAG = tag("blocks")
_HEAD_OF_ROOT = Struct(">II")
_RTP = Struct(">HxxI")
# Which first 16 bits make an RTP packet: version 2, and a second byte that RFC 5761 section 4 does not
# keep for RTCP on the same port.
_IS_RTP = bytes(head >> 14 == 2 and not 192 <= head & 0xFF <= 223 for head in range(1 << 16))
_RTP_HEADER = 12
_SMALL = 64
_MOST_SHAPES = 1024
# Usual blocks, packets of one length, by their size: how many packets, the whole block as one struct
# (head, arrivals, lengths, and of each packet its first two bytes and its timestamp), the lengths.
_SHAPES: dict[int, tuple[int, Struct, bytes]] = {}
_HEADS: dict[tuple[int, ...], bool] = {}

Problem = tuple[str, str, int, "int | None"]
"""code, text, second, stream."""


class _TornError(Exception):
    """The bytes end, or stop making sense, at `at`."""

    def __init__(self, problem: str, at: int) -> None:
        super().__init__(problem)
        self.problem = problem
        self.at = at


@dataclass(slots=True)
class Scan:
    """What a pass over the media found. `offsets[n]` is where second n begins; the last is the end.

    `streams[n]` are the streams that have a block in second n: {stream: packets, or -1 if one of its
    blocks is withheld}.
    """

    call: int = -1
    hashes: list[bytes] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    streams: list[dict[tuple[int, int], int]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    more: dict[str, int] = field(default_factory=dict)
    torn: tuple[str, int] | None = None
    shown: int = 0
    withheld: int = 0
    packets: int = 0
    late: int = 0
    latest: int = 0
    """Of the packets read late, the longest time in ns from arrival to the block they stand in."""

    def note(self, problem: Problem) -> None:
        """Keep a problem; past `MAX_PER_CODE` of one code it is only counted."""
        seen = self.more.get(problem[0], -MAX_PER_CODE)
        self.more[problem[0]] = seen + 1
        if seen < 0:
            self.problems.append(problem)

    def second_at(self, place: int) -> int | None:
        """The second whose bytes hold `place`, or None for the file's head."""
        second = bisect_right(self.offsets, place) - 1
        return None if second < 0 else min(second, len(self.hashes))


def scan(data: Buffer, progress: Callable[[int, int], None] | None = None) -> Scan:
    """Read all seconds, compute their hashes, and note whatever contradicts itself. Never raises."""
    view, result = memoryview(data), Scan()
    if len(view) < _FILE.size:
        result.torn = "shorter than its head", 0
        return result
    magic, result.call = _FILE.unpack_from(view)
    if magic != MEDIA_MAGIC:
        result.torn = f"does not begin with {MEDIA_MAGIC!r}", 0
    at, end = _FILE.size, len(view)
    while at < end:
        result.offsets.append(at)
        try:
            at = _second(result, view, at, end)
        except _TornError as torn:
            result.torn = torn.problem, torn.at
            break
        if progress is not None and not len(result.hashes) % 64:
            progress(at, end)
    result.offsets.append(at)
    return result


def _second(result: Scan, view: memoryview, at: int, end: int) -> int:
    """Read one second at `at`, add its hash; the place after it."""
    n = len(result.hashes)
    if end - at < _SEGMENT.size:
        raise _TornError("ends within the head of a second", at)
    number, ct_length, ct_hash, blocks = _SEGMENT.unpack_from(view, at)
    if number != n:
        result.note(("media-number", f"is numbered {number}", n, None))
    at += _SEGMENT.size
    streams: dict[tuple[int, int], int] = {}
    parts = [_BLOCKS_TAG, _HEAD_OF_ROOT.pack(n, blocks)]
    before = (-1, 0, 0)
    for _ in range(blocks):
        if end - at < 37:
            raise _TornError("ends within a block's entry", at)
        stream, position, kind, is_open = _LISTED.unpack_from(view, at)
        here = stream, position, kind
        if here <= before:
            result.note(("media-order", f"position {position} is out of order", n, stream))
        before = here
        if is_open == 1:
            start = at + 41
            if start > end:
                raise _TornError("ends within a block's entry", at)
            stop = start + _U32.unpack_from(view, at + 37)[0]
            if stop > end:
                raise _TornError("a block's length leads past the end", at + 37)
            block = view[start:stop]
            commitment = sha256(b"".join((_BLOCK_TAG, view[at + 5 : at + 37], block))).digest()
            packets = _block(result, n, here, block)
            key = stream, kind
            seen = streams.get(key, 0)
            streams[key] = -1 if seen < 0 else seen + packets
            result.shown += 1
            at = stop
        elif is_open == 0:
            commitment = bytes(view[at + 5 : at + 37])
            streams[stream, kind] = -1
            result.withheld += 1
            at += 37
        else:
            raise _TornError("a block is neither shown nor withheld", at + 4)
        parts.append(_ENTRY.pack(stream, position, kind, commitment))
    root = sha256(b"".join(parts)).digest()
    result.hashes.append(segment_hash(n, ct_length, root, ct_hash))
    result.streams.append(streams)
    return at


def _block(result: Scan, second: int, here: tuple[int, int, int], block: memoryview) -> int:
    """Check a shown block against its place and itself; its number of packets.

    Here stands the usual block in which all is well; `_any_block` looks at every other.
    """
    shape = _SHAPES.get(len(block))
    if shape is not None:
        n, together, lengths = shape
        values = together.unpack_from(block)
        at = 9 + n
        if values[:6] == (BLOCK_MAGIC, second, *here, n) and values[at] == lengths and not values[8]:
            arrivals, stamps = values[9:at], values[at + 2 :: 2]
            least, greatest = values[6:8]
            begin = second * NS + here[1] * BLOCK_NS
            if (
                min(arrivals) >= begin
                and max(arrivals) < begin + BLOCK_NS
                and min(stamps) == least
                and max(stamps) == greatest
                and greatest - least < 1 << 31
                and here[2] == KIND_RTP
                and here[1] < BLOCKS_A_SEGMENT
                and _all_rtp(values[at + 1 :: 2])
            ):
                result.packets += n
                return n
    return _any_block(result, second, here, block)


def _any_block(result: Scan, second: int, here: tuple[int, int, int], block: memoryview) -> int:
    """`_block` for a block of any shape; the usual shapes are kept for `_block` to read in one go."""
    size = len(block)
    if size < BLOCK_HEAD:
        result.note(("media-block", "is shorter than a block's head", second, here[0]))
        return 0
    head = _BLOCK.unpack_from(block)
    n = head[5]
    body = BLOCK_HEAD + 10 * n
    if body > size or not n:
        result.note(("media-block", f"has no room for {n} packets", second, here[0]))
        return 0
    values = Struct(f">{n}Q{n}H").unpack_from(block, BLOCK_HEAD)
    arrivals, lengths = values[:n], values[n:]
    if body + sum(lengths) != size:
        result.note(("media-block", "its packets do not fill it", second, here[0]))
        return 0
    length = lengths[0]
    if length >= _RTP_HEADER and n <= _SMALL and lengths.count(length) == n and len(_SHAPES) < _MOST_SHAPES:
        packets = f"HxxI{length - 8}x" * n
        _SHAPES[size] = n, Struct(f">8sIHBBIIII{n}Q{2 * n}s{packets}"), length.to_bytes(2, "big") * n
    stamps = _stamps(block, body, lengths) if here[2] == KIND_RTP else ()
    return _checked(result, second, here, head, arrivals, stamps)


def _checked(
    result: Scan,
    second: int,
    here: tuple[int, int, int],
    head: tuple[Any, ...],
    arrivals: tuple[int, ...],
    stamps: Sequence[int],
) -> int:
    """What every block must fulfil, once its fields are read."""
    magic, segment, stream, position, kind, _, least, greatest, zero = head
    if magic != BLOCK_MAGIC or zero or kind not in KINDS:
        result.note(("media-block", "has no head of a block", second, here[0]))
    if (segment, stream, position, kind) != (second, *here) or here[1] >= BLOCKS_A_SEGMENT:
        text = f"says second {segment}, stream {stream}, position {position}, kind {kind}"
        result.note(("media-block", text, second, here[0]))
    if kind != KIND_WIRE:  # there they are counted that could be opened
        result.packets += len(arrivals)
    begin = second * NS + here[1] * BLOCK_NS
    if max(arrivals) >= begin + BLOCK_NS:
        text = f"in the block at {here[1] * 200} ms"
        result.note(("media-arrival", text, second, here[0]))
    if min(arrivals) < begin:
        result.late += sum(arrival < begin for arrival in arrivals)
        result.latest = max(result.latest, begin - min(arrivals))
    if (least, greatest) != (_range(stamps) if stamps else (0, 0)):
        text = f"says {least} to {greatest} in the block at {here[1] * 200} ms"
        result.note(("media-timestamps", text, second, here[0]))
    return len(arrivals)


def _all_rtp(heads: tuple[int, ...]) -> bool:
    """Whether all are first halves of RTP headers; the few combinations that occur are remembered."""
    known = _HEADS.get(heads)
    if known is None:
        known = all(map(_IS_RTP.__getitem__, heads))
        if len(_HEADS) < _MOST_SHAPES:
            _HEADS[heads] = known
    return known


def _stamps(block: memoryview, at: int, lengths: tuple[int, ...]) -> list[int]:
    """The RTP timestamps of the packets that are RTP: whole fixed headers, no RTCP."""
    stamps = []
    for length in lengths:
        if length >= _RTP_HEADER:
            first, stamp = _RTP.unpack_from(block, at)
            if _IS_RTP[first]:
                stamps.append(stamp)
        at += length
    return stamps


def _range(stamps: Sequence[int]) -> tuple[int, int]:
    """Least and greatest by serial arithmetic (RFC 1982), relative to the first."""
    least, greatest = min(stamps), max(stamps)
    if greatest - least < 1 << 31:
        return least, greatest
    first = stamps[0]
    relative = [((stamp - first + (1 << 31)) & 0xFFFFFFFF) - (1 << 31) for stamp in stamps]
    return (first + min(relative)) & 0xFFFFFFFF, (first + max(relative)) & 0xFFFFFFFF
