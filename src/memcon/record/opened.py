"""What a bundle shows of a call: items opened by their salts, or left as commitments (FORMATS §14)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.record.beat import SIZE as BEAT_SIZE
from memcon.record.call import OPENING_BYE, OPENING_PARTIES
from memcon.record.hashing import text_field
from memcon.record.layout import Layout
from memcon.record.reader import Reader
from memcon.record.segment import check_order, check_place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MEDIA_MAGIC = b"mcopenm\x01"
EVENTS_MAGIC = b"mcopene\x01"
STREAMS_MAGIC = b"mcopens\x01"
OPENINGS_MAGIC = b"mcopeno\x01"
CONFIG_MAGIC = b"mcopenc\x01"
BEATS_MAGIC = b"mcbeats\x01"
_FILE = Layout("bundle file", ">8sQ")
_WITHHELD = Layout("withheld item", ">B32s")
_SHOWN = Layout("opened item", ">B32sI")
_BLOCK = Layout("media.mcb", ">HBB")
_SEGMENT = Layout("media.mcb", ">II32sI")
_EVENT = Layout("events.mcb", ">II32s")
_ENTRY = Layout("streams.mcb", ">I")
_OPENING = Layout("openings.mcb", ">B")
_BEAT = Layout("beats.mcb", ">Q256sB")
_PROOF = Layout("beats.mcb", ">32s")


@dataclass(frozen=True, slots=True)
class Opened:
    """An item that is shown (`salt`, `data`) or withheld (`commitment` alone)."""

    data: bytes | memoryview | None
    salt: bytes = b""
    commitment: bytes = b""

    def encode(self) -> bytes:
        """The item from its `open` byte on. Raises LocalError for a salt or commitment of another width."""
        if self.data is None:
            return _WITHHELD.pack(0, self.commitment)
        return _SHOWN.pack(1, self.salt, len(self.data)) + self.data


def _read_opened(r: Reader) -> Opened:
    if not r.flag("open"):
        return Opened(None, commitment=r.take(32, "commitment"))
    salt = r.take(32, "salt")
    return Opened(r.view(r.u32("length"), "data"), salt)


@dataclass(frozen=True, slots=True)
class OpenedBlock:
    """A block of a bundle: its place in the segment, and the block or its commitment."""

    stream: int
    position: int
    kind: int
    item: Opened


@dataclass(frozen=True, slots=True)
class OpenedSegment:
    """A segment of a bundle: its blocks, and what is needed of its ciphertext."""

    number: int
    ct_length: int
    ct_hash: bytes
    blocks: Sequence[OpenedBlock]


def encode_media(call: int, segments: Iterable[OpenedSegment]) -> Iterator[bytes]:
    """`media.mcb`, in pieces."""
    yield _FILE.pack(MEDIA_MAGIC, call)
    for s in segments:
        yield _SEGMENT.pack(s.number, s.ct_length, s.ct_hash, len(s.blocks))
        for b in s.blocks:
            yield _BLOCK.pack(b.stream, b.position, b.kind) + b.item.encode()


def _read_block(r: Reader) -> OpenedBlock:
    at = r.at
    stream, position, kind = r.u16("stream"), r.u8("position"), r.u8("kind")
    check_place(position, kind, r.what, at + 2)
    return OpenedBlock(stream, position, kind, _read_opened(r))


def read_media(data: bytes | memoryview) -> tuple[int, Iterator[OpenedSegment]]:
    """The call number, and the segments one by one. Raises FormatError."""
    r = Reader(data, "media.mcb")
    r.magic(MEDIA_MAGIC)
    call = r.u64("call number")

    def segments() -> Iterator[OpenedSegment]:
        while r.left:
            number, ct_length, ct_hash = r.u32("segment"), r.u32("ciphertext length"), r.take(32, "hash")
            blocks = [_read_block(r) for _ in range(r.u32("count"))]
            check_order([(b.stream, b.position, b.kind, None) for b in blocks])
            yield OpenedSegment(number, ct_length, ct_hash, blocks)

    return call, segments()


@dataclass(frozen=True, slots=True)
class OpenedEvent:
    """An event of a bundle, and what is needed of its ciphertext."""

    number: int
    ct_length: int
    ct_hash: bytes
    item: Opened


def encode_events(call: int, events: Iterable[OpenedEvent]) -> bytes:
    """`events.mcb`."""
    parts = [_FILE.pack(EVENTS_MAGIC, call)]
    parts += [_EVENT.pack(e.number, e.ct_length, e.ct_hash) + e.item.encode() for e in events]
    return b"".join(parts)


def read_events(data: bytes | memoryview) -> tuple[int, list[OpenedEvent]]:
    """The call number, and the events in file order. Raises FormatError."""
    r = Reader(data, "events.mcb")
    r.magic(EVENTS_MAGIC)
    call = r.u64("call number")
    events = []
    while r.left:
        number, ct_length, ct_hash = r.u32("event"), r.u32("ciphertext length"), r.take(32, "hash")
        events.append(OpenedEvent(number, ct_length, ct_hash, _read_opened(r)))
    return call, events


def encode_streams(call: int, entries: Sequence[Opened]) -> bytes:
    """`streams.mcb`: the stream table, entry numbers dense from 0."""
    parts = [_FILE.pack(STREAMS_MAGIC, call)]
    parts += [_ENTRY.pack(n) + entry.encode() for n, entry in enumerate(entries)]
    return b"".join(parts)


def read_streams(data: bytes | memoryview) -> tuple[int, list[tuple[int, Opened]]]:
    """The call number, and the entries with their numbers, dense from 0. Raises FormatError."""
    r = Reader(data, "streams.mcb")
    r.magic(STREAMS_MAGIC)
    call = r.u64("call number")
    entries: list[tuple[int, Opened]] = []
    while r.left:
        at, number = r.at, r.u32("entry")
        if number != len(entries):
            raise FormatError(r.what, f"entry {number} where {len(entries)} was due", where=at)
        entries.append((number, _read_opened(r)))
    return call, entries


def encode_openings(call: int, openings: Iterable[tuple[int, Opened]]) -> bytes:
    """`openings.mcb`; `openings` ascend by their number (FORMATS §4)."""
    parts = [_FILE.pack(OPENINGS_MAGIC, call)]
    parts += [_OPENING.pack(which) + item.encode() for which, item in openings]
    return b"".join(parts)


def read_openings(data: bytes | memoryview) -> tuple[int, list[tuple[int, Opened]]]:
    """The call number, and the openings, ascending: none stands twice. Raises FormatError."""
    r = Reader(data, "openings.mcb")
    r.magic(OPENINGS_MAGIC)
    call = r.u64("call number")
    openings: list[tuple[int, Opened]] = []
    last = OPENING_PARTIES - 1
    while r.left:
        at, which = r.at, r.u8("which")
        if not last < which <= OPENING_BYE:
            raise FormatError(r.what, f"opening {which} is unknown or out of order", where=at)
        openings.append((which, _read_opened(r)))
        last = which
    return call, openings


def encode_config(parts: Iterable[tuple[str, Opened]]) -> bytes:
    """`config.mcb`; `parts` ascend by name."""
    out = [CONFIG_MAGIC]
    for name, item in parts:
        out += (text_field(name, "configuration part name", "ascii"), item.encode())
    return b"".join(out)


def read_config(data: bytes | memoryview) -> list[tuple[bytes, Opened]]:
    """The parts, ascending by name: none stands twice. Raises FormatError.

    Names are bytes: the verifier compares them with those it knows.
    """
    r = Reader(data, "config.mcb")
    r.magic(CONFIG_MAGIC)
    parts: list[tuple[bytes, Opened]] = []
    last = b""
    while r.left:
        at = r.at
        name = r.take(r.u8("name length"), "name")
        if name <= last:
            raise FormatError(r.what, "a part is out of order", where=at)
        parts.append((name, _read_opened(r)))
        last = name
    return parts


@dataclass(frozen=True, slots=True)
class ProvenBeat:
    """A public leaf with its inclusion proof into the tree of the checkpoint beside it."""

    index: int
    leaf: bytes
    proof: tuple[bytes, ...]


def encode_beats(tree_size: int, beats: Iterable[ProvenBeat]) -> bytes:
    """`beats.mcb`."""
    parts = [_FILE.pack(BEATS_MAGIC, tree_size)]
    for b in beats:
        parts += (_BEAT.pack(b.index, b.leaf, len(b.proof)), *(_PROOF.pack(h) for h in b.proof))
    return b"".join(parts)


def read_beats(data: bytes | memoryview) -> tuple[int, list[ProvenBeat]]:
    """The tree size the proofs lead to, and the beats. Raises FormatError."""
    r = Reader(data, "beats.mcb")
    r.magic(BEATS_MAGIC)
    size = r.u64("tree size")
    beats = []
    while r.left:
        index, leaf = r.u64("index"), r.take(BEAT_SIZE, "leaf")
        proof = tuple([r.take(32, "proof") for _ in range(r.u8("proof length"))])
        beats.append(ProvenBeat(index, leaf, proof))
    return size, beats
