"""The call leaf in its first, middle and last form (FORMATS §4), and a call's leaves file (§13)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.record.hashing import ZERO32, sha256, tag
from memcon.record.layout import Layout, Problem, refuse_to_read, refuse_to_write
from memcon.record.reader import Reader
from memcon.record.segment import KINDS
from memcon.record.slottree import LANES, PATH_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"mccall\x00\x01"
FORM_FIRST = 1
FORM_LAST = 2
FLAG_RECOVERED = 1
FLAG_CLOCK_STEP = 2
FLAG_LATE = 4
MAX_SEGMENTS = 128

OPENING_PARTIES = 1
OPENING_SOURCE_IDS = 2
OPENING_INVITE = 3
OPENING_KEY_LINES = 4
OPENING_BYE = 5

CAUSES = {
    1: "BYE",
    2: "CANCEL",
    3: "recorder stopped",
    4: "no ACK",
    5: "time-out",
    6: "recorder failed",
    7: "media failed",
    8: "replaced",
}
WHO = {0: "unknown", 1: "sender", 2: "recorder", 3: "operator"}

_HEAD = Layout("call leaf", ">8sBBHIQQQ32sII32sII32sII32s8s")
_FIRST = Layout("call leaf, first part", ">32sQQ32s32s32s32s32s32s32s")
_LAST = Layout("call leaf, last part", ">IIBB6s32s32sQQ")
_STREAM = Layout("call leaf, stream entry", ">HB5sQQQQII16s")


@dataclass(frozen=True, slots=True)
class First:
    """What only the first leaf says. Times in ns; the rest 32 bytes each."""

    handle: bytes
    start_wall: int
    start_mono: int
    call_key_hash: bytes
    custodians: bytes
    wraps: bytes
    parties: bytes
    source_ids: bytes
    invite: bytes
    key_lines: bytes


@dataclass(frozen=True, slots=True)
class Last:
    """What only the last leaf says. `end_wall` and `duration` in ns."""

    segments: int
    events: int
    cause: int
    who: int
    call_root: bytes
    bye: bytes
    end_wall: int
    duration: int


@dataclass(frozen=True, slots=True)
class StreamCount:
    """Totals of one stream since the call's start; `empty` is a 16-byte bitmap over the leaf's segments."""

    stream: int
    kind: int
    received: int = 0
    expected: int = 0
    kernel_drops: int = 0
    duplicates: int = 0
    sender_count: int = 0
    reordered: int = 0
    empty: bytes = bytes(16)

    def is_empty(self, offset: int) -> bool:
        """Whether segment `first + offset` had no packet of this stream."""
        return bool(self.empty[offset >> 3] & (0x80 >> (offset & 7)))

    def problem(self, segments: int) -> Problem:
        """What is wrong with this entry in a leaf of so many segments, by the entry's own offsets."""
        if self.kind not in KINDS:
            return f"stream kind {self.kind}", 2
        if int.from_bytes(self.empty, "big") & ((1 << (MAX_SEGMENTS - segments)) - 1):
            return "its bitmap names segments it does not have", 48
        return None


@dataclass(frozen=True, slots=True)
class CallLeaf:
    """One call in one slot."""

    lane: int
    number: int
    slot: int
    index: int
    chain: bytes
    first_segment: int
    segments: int
    segment_root: bytes
    first_event: int
    events: int
    event_root: bytes
    table_entries: int
    table_root: bytes
    streams: tuple[StreamCount, ...]
    first: First | None = None
    last: Last | None = None
    flags: int = 0

    def encode(self) -> bytes:
        """The leaf's bytes, 200 to a few thousand. Raises LocalError for what could not be read back."""
        refuse_to_write("call leaf", self._problem())
        form = (FORM_FIRST if self.first else 0) | (FORM_LAST if self.last else 0)
        parts = [
            _HEAD.pack(
                MAGIC,
                form,
                self.flags,
                len(self.streams),
                self.lane,
                self.number,
                self.slot,
                self.index,
                self.chain,
                self.first_segment,
                self.segments,
                self.segment_root,
                self.first_event,
                self.events,
                self.event_root,
                self.table_entries,
                0,
                self.table_root,
                bytes(8),
            )
        ]
        if self.first:
            f = self.first
            parts.append(
                _FIRST.pack(
                    f.handle,
                    f.start_wall,
                    f.start_mono,
                    f.call_key_hash,
                    f.custodians,
                    f.wraps,
                    f.parties,
                    f.source_ids,
                    f.invite,
                    f.key_lines,
                )
            )
        if self.last:
            e = self.last
            parts.append(
                _LAST.pack(
                    e.segments, e.events, e.cause, e.who, bytes(6), e.call_root, e.bye, e.end_wall, e.duration
                )
            )
        parts += [
            _STREAM.pack(
                s.stream,
                s.kind,
                bytes(5),
                s.received,
                s.expected,
                s.kernel_drops,
                s.duplicates,
                s.sender_count,
                s.reordered,
                s.empty,
            )
            for s in self.streams
        ]
        return b"".join(parts)

    def _problem(self) -> Problem:
        if self.flags & ~(FLAG_RECOVERED | FLAG_CLOCK_STEP | FLAG_LATE):
            return f"flags {self.flags:#04x} are unknown", 9
        if not 0 < self.lane < LANES:
            return f"lane {self.lane}", 12
        if (self.first is not None) != (self.chain == ZERO32):
            return "its chain does not fit its form", 40
        if self.segments > MAX_SEGMENTS:
            return f"covers {self.segments} segments, {MAX_SEGMENTS} at most", 76
        at = _HEAD.size + (_FIRST.size if self.first else 0)
        if self.last and (self.last.cause not in CAUSES or self.last.who not in WHO):
            return f"cause {self.last.cause}, ended by {self.last.who}", at + 8
        at += _LAST.size if self.last else 0
        for i, stream in enumerate(self.streams):
            if (problem := stream.problem(self.segments)) is not None:
                return problem[0], at + i * _STREAM.size + problem[1]
        return None


def chain_hash(leaf: bytes) -> bytes:
    """What the next leaf of the call carries as its chain."""
    return sha256(tag("callleaf") + leaf)


def _read_first(r: Reader) -> First:
    return First(*_FIRST.unpack(r.view(_FIRST.size, "first part")))


def _read_last(r: Reader) -> Last:
    at = r.at
    segments, events, cause, who, rest, root, bye, end, duration = _LAST.unpack(
        r.view(_LAST.size, "last part")
    )
    if any(rest):
        raise FormatError("call leaf", "reserved bytes are not zero", where=at + 10)
    return Last(segments, events, cause, who, root, bye, end, duration)


def _read_stream(r: Reader) -> StreamCount:
    at = r.at
    stream, kind, rest, *totals = _STREAM.unpack(r.view(_STREAM.size, "stream entry"))
    if any(rest):
        raise FormatError("call leaf", "reserved bytes are not zero", where=at + 3)
    return StreamCount(stream, kind, *totals)


def decode(data: bytes) -> CallLeaf:
    """Read a call leaf; raises FormatError naming the byte."""
    r = Reader(data, "call leaf")
    (
        magic,
        form,
        flags,
        count,
        lane,
        number,
        slot,
        index,
        chain,
        first_segment,
        segments,
        segment_root,
        first_event,
        events,
        event_root,
        entries,
        zero,
        table_root,
        rest,
    ) = _HEAD.unpack(r.view(_HEAD.size, "head"))
    if magic != MAGIC:
        raise FormatError("call leaf", "does not begin with the magic", where=0)
    if form & ~(FORM_FIRST | FORM_LAST):
        raise FormatError("call leaf", f"form {form} is unknown", where=8)
    if zero or any(rest):
        raise FormatError("call leaf", "reserved bytes are not zero", where=156 if zero else 192)
    first = _read_first(r) if form & FORM_FIRST else None
    last = _read_last(r) if form & FORM_LAST else None
    streams = tuple([_read_stream(r) for _ in range(count)])
    r.done()
    leaf = CallLeaf(
        lane,
        number,
        slot,
        index,
        chain,
        first_segment,
        segments,
        segment_root,
        first_event,
        events,
        event_root,
        entries,
        table_root,
        streams,
        first,
        last,
        flags,
    )
    refuse_to_read("call leaf", leaf._problem())
    return leaf


LEAVES_MAGIC = b"mcleavs\x01"
_LEAVES = Layout("leaves.mcl", ">8sQ")
_LENGTH = Layout("leaves.mcl", ">I")
_PLACE = Layout("leaves.mcl", ">QQI32s512s")


@dataclass(frozen=True, slots=True)
class PlacedLeaf:
    """A call leaf with its place: the beat that holds it and the path to the slot root."""

    leaf: bytes
    index: int
    slot: int
    lane: int
    salt: bytes
    path: bytes

    def encode(self) -> bytes:
        """The leaf as it stands in `leaves.mcl`."""
        place = _PLACE.pack(self.index, self.slot, self.lane, self.salt, self.path)
        return _LENGTH.pack(len(self.leaf)) + self.leaf + place


def encode_leaves_head(call: int) -> bytes:
    """The first 16 bytes of `leaves.mcl`."""
    return _LEAVES.pack(LEAVES_MAGIC, call)


def read_leaves(data: bytes, call: int | None = None) -> Iterator[PlacedLeaf]:
    """Walk `leaves.mcl`. Raises FormatError; says nothing of chain or path (the verifier does)."""
    r = Reader(data, "leaves.mcl")
    r.magic(LEAVES_MAGIC)
    number = r.u64("call number")
    if call is not None and number != call:
        raise FormatError("leaves.mcl", f"belongs to call {number}, not {call}", where=8)
    while r.left:
        yield PlacedLeaf(
            r.take(r.u32("leaf length"), "leaf"),
            r.u64("index"),
            r.u64("slot"),
            r.u32("lane"),
            r.take(32, "lane salt"),
            r.take(PATH_SIZE, "path"),
        )
