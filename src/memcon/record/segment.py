"""Blocks, segments, events and stream table entries (FORMATS §6 to §8)."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, TypeAlias

from memcon.errors import FormatError, LocalError
from memcon.record import canonical
from memcon.record.hashing import salted, sha256, tag
from memcon.record.layout import Layout
from memcon.record.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

NS = 1_000_000_000
BLOCK_NS = 200_000_000
BLOCKS_A_SEGMENT = 5
KIND_RTP = 1
KIND_RTCP = 2
KIND_WIRE = 3
"""Of an SRTP stream: what came, as it came. Beside it, kind 1 or 2 has what could be opened."""
KINDS = (KIND_RTP, KIND_RTCP, KIND_WIRE)

BLOCK_MAGIC = b"mcblock\x01"
BLOCK_HEAD = 32
_BLOCK = Layout("block", ">8sIHBBIIII")
_BLOCK_TAG = tag("block")
_BLOCKS_TAG = tag("blocks")
_COUNT = Layout("segment", ">I")
_NUMBERS = Layout("segment", ">II")
_ENTRY = Layout("segment entry", ">HBB32s")
_CONTENT = Layout("segment content", ">HBBI")
_LEAF = Layout("segment or event hash", ">II32s32s")
_SEGMENT_TAG = tag("segment")
_EVENT_TAG = tag("event")
_EVENTLEAF_TAG = tag("eventleaf")
GCM_TAG = 16


def encode_block(
    segment: int,
    stream: int,
    position: int,
    kind: int,
    least: int,
    greatest: int,
    arrivals: bytes,
    lengths: bytes,
    packets: bytes,
) -> bytes:
    """One block. `arrivals` is n big-endian u64 (ns since the call's start), `lengths` n u16.

    Raises LocalError where the arrays do not fit together; that the lengths add up to the packets is
    the caller's to know (this runs five times a second for each stream).
    """
    if not lengths or len(arrivals) != 4 * len(lengths) or len(lengths) & 1:
        raise LocalError(f"a block of {len(arrivals)} bytes of arrivals, {len(lengths)} of lengths")
    head = _BLOCK.pack(BLOCK_MAGIC, segment, stream, position, kind, len(lengths) >> 1, least, greatest, 0)
    return b"".join((head, arrivals, lengths, packets))


@dataclass(frozen=True, slots=True)
class Block:
    """A block read back: times in ns since the call's start, packets as views into the block."""

    segment: int
    stream: int
    position: int
    kind: int
    least: int
    greatest: int
    arrivals: tuple[int, ...]
    packets: tuple[memoryview, ...]


def decode_block(data: bytes | memoryview) -> Block:
    """Read a block whole; raises FormatError."""
    r = Reader(data, "block")
    magic, segment, stream, position, kind, n, least, greatest, zero = _BLOCK.unpack(
        r.view(BLOCK_HEAD, "head")
    )
    if magic != BLOCK_MAGIC:
        raise FormatError("block", "does not begin with the magic", where=0)
    check_place(position, kind, "block", 14)
    if n == 0:
        raise FormatError("block", "has no packet", where=16)
    if kind != KIND_RTP and (least or greatest):
        raise FormatError("block", "RTP timestamps in a block that is not RTP", where=20)
    if zero:
        raise FormatError("block", "reserved bytes are not zero", where=28)
    arrivals = struct.unpack(f">{n}Q", r.view(8 * n, "arrivals"))
    lengths = struct.unpack(f">{n}H", r.view(2 * n, "lengths"))
    body = r.view(sum(lengths), "packets")
    r.done()
    return Block(segment, stream, position, kind, least, greatest, arrivals, _cut(body, lengths))


def _cut(body: memoryview, lengths: Sequence[int]) -> tuple[memoryview, ...]:
    ends = list(accumulate(lengths, initial=0))
    return tuple([body[start:end] for start, end in pairwise(ends)])


def check_place(position: int, kind: int, what: str, where: int) -> None:
    """Raise FormatError unless these are a block's position in its segment and its kind."""
    if position >= BLOCKS_A_SEGMENT or kind not in KINDS:
        raise FormatError(what, f"a block at position {position}, of kind {kind}", where=where)


_SRTP_TAG = tag("srtp")


def wire_entry(packet: bytes | memoryview, *, opened: bool) -> bytes:
    """How a block of kind 3 has a packet: its hash where it was opened, itself where no key opened it."""
    return b"\x01" + sha256(_SRTP_TAG + packet) if opened else b"\x00" + packet


def wire_hashes(packets: memoryview, bounds: Sequence[int]) -> bytes:
    """The entries of opened packets, one after another: packet i is `bounds[i]` to `bounds[i + 1]`."""
    hashed, prefix = hashlib.sha256, _SRTP_TAG
    return b"\x01" + b"\x01".join([hashed(prefix + packets[a:b]).digest() for a, b in pairwise(bounds)])


def read_wire_entry(entry: bytes | memoryview) -> tuple[bytes | None, bytes | None]:
    """(hash of an opened packet, packet that no key opened): one of the two; raises FormatError."""
    if len(entry) == 33 and entry[0] == 1:
        return bytes(entry[1:]), None
    if len(entry) > 0 and entry[0] == 0:
        return None, bytes(entry[1:])
    raise FormatError("block", "an entry of kind 3 that is neither a hash nor a packet")


def block_commitment(salt: bytes, block: bytes | memoryview) -> bytes:
    """Commitment of a block, 32 bytes."""
    return salted(_BLOCK_TAG, salt, block)


Entry: TypeAlias = tuple[int, int, int, bytes]
"""stream, position, kind, commitment: how a segment names a block."""


def plaintext_root(segment: int, entries: Sequence[Entry]) -> bytes:
    """P over the blocks of a segment, in ascending order of (stream, position, kind) or FormatError."""
    check_order(entries)
    parts = [_BLOCKS_TAG, _NUMBERS.pack(segment, len(entries))]
    parts += [_ENTRY.pack(*entry) for entry in entries]
    return sha256(b"".join(parts))


def check_order(entries: Iterable[tuple[int, int, int, object]]) -> None:
    """Raise FormatError unless the entries ascend strictly."""
    last: tuple[int, int, int] = (-1, 0, 0)
    for stream, position, kind, _ in entries:
        if (stream, position, kind) <= last:
            raise FormatError("segment", f"block of stream {stream}, position {position} is out of order")
        last = (stream, position, kind)


def segment_content(blocks: Sequence[tuple[int, int, int, bytes]]) -> bytes:
    """What is encrypted: (stream, position, kind, block) in ascending order."""
    parts = [_COUNT.pack(len(blocks))]
    for stream, position, kind, block in blocks:
        parts += (_CONTENT.pack(stream, position, kind, len(block)), block)
    return b"".join(parts)


def read_content(data: bytes) -> list[tuple[int, int, int, memoryview]]:
    """The blocks of a decrypted segment, ascending; raises FormatError."""
    r = Reader(data, "segment content")
    blocks = []
    for _ in range(r.u32("count")):
        at = r.at
        stream, position, kind = r.u16("stream"), r.u8("position"), r.u8("kind")
        check_place(position, kind, "segment content", at + 2)
        blocks.append((stream, position, kind, r.view(r.u32("block length"), "block")))
    r.done()
    check_order(blocks)
    return blocks


def segment_hash(segment: int, ct_length: int, root: bytes, ct_hash: bytes) -> bytes:
    """The segment hash S, 32 bytes; `ct_length` and `ct_hash` are of the ciphertext with its tag."""
    return sha256(_SEGMENT_TAG + _LEAF.pack(segment, ct_length, root, ct_hash))


def event_hash(number: int, ct_length: int, commitment: bytes, ct_hash: bytes) -> bytes:
    """The event hash, 32 bytes; `ct_length` and `ct_hash` are of the ciphertext with its tag."""
    return sha256(_EVENTLEAF_TAG + _LEAF.pack(number, ct_length, commitment, ct_hash))


def event_commitment(salt: bytes, event: bytes | memoryview) -> bytes:
    """Commitment of an event, 32 bytes."""
    return salted(_EVENT_TAG, salt, event)


EVENT_MAGIC = b"mcevent\x01"
_EVENT = Layout("event", ">8sIIQQ")


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a call. `since` and `wall` in ns; `facts` is canonical JSON with `type`."""

    number: int
    since: int
    wall: int
    facts: dict[str, canonical.Json]
    raw: bytes = b""

    def encode(self) -> bytes:
        """The event's bytes. Raises LocalError for facts without a type."""
        if not isinstance(self.facts.get("type"), str):
            raise LocalError("an event without a type")
        facts = canonical.dumps(self.facts, "event JSON")
        head = _EVENT.pack(EVENT_MAGIC, self.number, len(facts), self.since, self.wall)
        return head + facts + self.raw


def decode_event(data: bytes | memoryview) -> Event:
    """Read an event whole; raises FormatError."""
    r = Reader(data, "event")
    r.magic(EVENT_MAGIC)
    number, length, since, wall = r.u32("number"), r.u32("JSON length"), r.u64("since"), r.u64("wall")
    facts = canonical.loads(r.take(length, "JSON"), "event JSON")
    if not isinstance(facts, dict) or not isinstance(facts.get("type"), str):
        raise FormatError("event", "its JSON is no object with a type", where=32)
    return Event(number, since, wall, facts, r.take(r.left, "raw bytes"))


def stream_hash(entry: int, salt: bytes, data: bytes) -> bytes:
    """Hash of a stream table entry, 32 bytes."""
    return salted(tag("stream") + _COUNT.pack(entry), salt, data)


def opening_commitment(which: int, salt: bytes, data: bytes) -> bytes:
    """Commitment of an opening, 32 bytes; `which` as in FORMATS §4."""
    return salted(tag("opening") + bytes([which]), salt, data)


def record_commitment(salt: bytes, data: bytes) -> bytes:
    """Commitment of a call's record, 32 bytes."""
    return salted(tag("record"), salt, data)


MEDIA_MAGIC = b"mcmedia\x01"
EVENTS_MAGIC = b"mcevnts\x01"
RECORD_MAGIC = b"mcrecrd\x01"
_SEALED = Layout("sealed item", ">II32s")
_HEAD = Layout("sealed file", ">8sQ")
_RECORD = Layout("record.mcr", ">8s32s")


@dataclass(frozen=True, slots=True)
class Sealed:
    """A segment or an event as stored: number, plaintext root or commitment, ciphertext."""

    number: int
    root: bytes
    ciphertext: memoryview

    def encode(self) -> bytes:
        """The item as it stands in its file."""
        return _SEALED.pack(self.number, len(self.ciphertext), self.root) + bytes(self.ciphertext)

    def hash(self, kind: bytes) -> bytes:
        """The segment hash or event hash, by the magic of the file it stands in."""
        make = segment_hash if kind == MEDIA_MAGIC else event_hash
        return make(self.number, len(self.ciphertext), self.root, hashlib.sha256(self.ciphertext).digest())


def encode_sealed_head(magic: bytes, call: int) -> bytes:
    """The first 16 bytes of `media.mcs` or `events.mce`."""
    return _HEAD.pack(magic, call)


def read_sealed(data: bytes | memoryview, magic: bytes, call: int | None = None) -> Iterator[Sealed]:
    """Walk `media.mcs` or `events.mce`; numbers must be dense from 0. Raises FormatError."""
    what = "media.mcs" if magic == MEDIA_MAGIC else "events.mce"
    r = Reader(data, what)
    r.magic(magic)
    number = r.u64("call number")
    if call is not None and number != call:
        raise FormatError(what, f"belongs to call {number}, not {call}", where=8)
    expected = 0
    while r.left:
        at = r.at
        n, length = r.u32("number"), r.u32("ciphertext length")
        if n != expected:
            raise FormatError(what, f"item {n} where {expected} was due", where=at)
        if length < GCM_TAG:
            raise FormatError(what, f"item {n}: a ciphertext of {length} bytes", where=at)
        yield Sealed(n, r.take(32, "root"), r.view(length, "ciphertext"))
        expected += 1


def read_whole(data: bytes | memoryview, expected: int) -> tuple[list[Sealed], int]:
    """The items that stand whole at the beginning of `data`, a part of `media.mcs` or `events.mce` from item
    `expected` on, and how many bytes they take: for a file that is still written. Raises FormatError."""
    found, at, view = [], 0, memoryview(data)
    while len(view) - at >= _SEALED.size:
        n, length, root = _SEALED.unpack(view[at : at + _SEALED.size])
        if n != expected or length < GCM_TAG:
            raise FormatError("media.mcs", f"item {n} of {length} bytes where {expected} was due", where=at)
        end = at + _SEALED.size + length
        if end > len(view):
            break
        found.append(Sealed(n, root, view[at + _SEALED.size : end]))
        at, expected = end, expected + 1
    return found, at


def encode_record_file(commitment: bytes, ciphertext: bytes | memoryview) -> bytes:
    """`record.mcr` of an ended call (FORMATS §13)."""
    return _RECORD.pack(RECORD_MAGIC, commitment) + ciphertext


def decode_record_file(data: bytes | memoryview) -> tuple[bytes, memoryview]:
    """Commitment and ciphertext of `record.mcr`; raises FormatError."""
    r = Reader(data, "record.mcr")
    r.magic(RECORD_MAGIC)
    commitment = r.take(32, "commitment")
    if r.left < GCM_TAG:
        raise FormatError("record.mcr", f"a ciphertext of {r.left} bytes", where=r.at)
    return commitment, r.view(r.left, "ciphertext")
