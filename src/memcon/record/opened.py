"""What a bundle shows of a call: items opened by their salts, or left as commitments (FORMATS §14)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.record.beat import SIZE as BEAT_SIZE
from memcon.record.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MEDIA_MAGIC = b"mcopenm\x01"
EVENTS_MAGIC = b"mcopene\x01"
STREAMS_MAGIC = b"mcopens\x01"
OPENINGS_MAGIC = b"mcopeno\x01"
CONFIG_MAGIC = b"mcopenc\x01"
BEATS_MAGIC = b"mcbeats\x01"


@dataclass(frozen=True, slots=True)
class Opened:
    """An item that is shown (`salt`, `data`) or withheld (`commitment` alone)."""

    data: bytes | memoryview | None
    salt: bytes = b""
    commitment: bytes = b""

    def encode(self) -> bytes:
        if self.data is None:
            return b"\x00" + self.commitment
        return b"\x01" + self.salt + struct.pack(">I", len(self.data)) + self.data


def _read_opened(r: Reader) -> Opened:
    if not r.flag("open"):
        return Opened(None, commitment=r.take(32, "commitment"))
    salt = r.take(32, "salt")
    return Opened(r.view(r.u32("length"), "data"), salt)


@dataclass(frozen=True, slots=True)
class OpenedBlock:
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
    yield MEDIA_MAGIC + struct.pack(">Q", call)
    for s in segments:
        yield struct.pack(">II", s.number, s.ct_length) + s.ct_hash + struct.pack(">I", len(s.blocks))
        for b in s.blocks:
            yield struct.pack(">HBB", b.stream, b.position, b.kind) + b.item.encode()


def read_media(data: bytes | memoryview) -> tuple[int, Iterator[OpenedSegment]]:
    """The call number, and the segments one by one. Raises FormatError."""
    r = Reader(data, "media.mcb")
    r.magic(MEDIA_MAGIC)
    call = r.u64("call number")

    def segments() -> Iterator[OpenedSegment]:
        while r.left:
            number, ct_length, ct_hash = r.u32("segment"), r.u32("ciphertext length"), r.take(32, "hash")
            blocks = [
                OpenedBlock(r.u16("stream"), r.u8("position"), r.u8("kind"), _read_opened(r))
                for _ in range(r.u32("count"))
            ]
            yield OpenedSegment(number, ct_length, ct_hash, blocks)

    return call, segments()


@dataclass(frozen=True, slots=True)
class OpenedEvent:
    number: int
    ct_length: int
    ct_hash: bytes
    item: Opened


def encode_events(call: int, events: Iterable[OpenedEvent]) -> bytes:
    parts = [EVENTS_MAGIC + struct.pack(">Q", call)]
    parts += [struct.pack(">II", e.number, e.ct_length) + e.ct_hash + e.item.encode() for e in events]
    return b"".join(parts)


def read_events(data: bytes) -> tuple[int, list[OpenedEvent]]:
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
    parts = [STREAMS_MAGIC + struct.pack(">Q", call)]
    parts += [struct.pack(">I", n) + entry.encode() for n, entry in enumerate(entries)]
    return b"".join(parts)


def read_streams(data: bytes) -> tuple[int, list[tuple[int, Opened]]]:
    r = Reader(data, "streams.mcb")
    r.magic(STREAMS_MAGIC)
    call = r.u64("call number")
    entries = []
    while r.left:
        entries.append((r.u32("entry"), _read_opened(r)))
    return call, entries


def encode_openings(call: int, openings: Iterable[tuple[int, Opened]]) -> bytes:
    parts = [OPENINGS_MAGIC + struct.pack(">Q", call)]
    parts += [bytes([which]) + item.encode() for which, item in openings]
    return b"".join(parts)


def read_openings(data: bytes) -> tuple[int, list[tuple[int, Opened]]]:
    r = Reader(data, "openings.mcb")
    r.magic(OPENINGS_MAGIC)
    call = r.u64("call number")
    openings = []
    while r.left:
        openings.append((r.u8("which"), _read_opened(r)))
    return call, openings


def encode_config(parts: Iterable[tuple[str, Opened]]) -> bytes:
    out = [CONFIG_MAGIC]
    for name, item in parts:
        raw = name.encode("ascii")
        out.append(bytes([len(raw)]) + raw + item.encode())
    return b"".join(out)


def read_config(data: bytes) -> list[tuple[bytes, Opened]]:
    """The parts in file order; names as bytes (the verifier compares them with those it knows)."""
    r = Reader(data, "config.mcb")
    r.magic(CONFIG_MAGIC)
    parts = []
    while r.left:
        parts.append((r.take(r.u8("name length"), "name"), _read_opened(r)))
    return parts


@dataclass(frozen=True, slots=True)
class ProvenBeat:
    """A public leaf with its inclusion proof into the tree of the checkpoint beside it."""

    index: int
    leaf: bytes
    proof: tuple[bytes, ...]


def encode_beats(tree_size: int, beats: Iterable[ProvenBeat]) -> bytes:
    parts = [BEATS_MAGIC + struct.pack(">Q", tree_size)]
    parts += [struct.pack(">Q", b.index) + b.leaf + bytes([len(b.proof)]) + b"".join(b.proof) for b in beats]
    return b"".join(parts)


def read_beats(data: bytes) -> tuple[int, list[ProvenBeat]]:
    """The tree size the proofs lead to, and the beats. Raises FormatError."""
    r = Reader(data, "beats.mcb")
    r.magic(BEATS_MAGIC)
    size = r.u64("tree size")
    beats = []
    while r.left:
        index, leaf = r.u64("index"), r.take(BEAT_SIZE, "leaf")
        proof = tuple(r.take(32, "proof") for _ in range(r.u8("proof length")))
        beats.append(ProvenBeat(index, leaf, proof))
    return size, beats
