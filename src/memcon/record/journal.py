"""The journal's file header, frames and records (FORMATS §12). Encryption is the caller's."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.errors import FormatError, LocalError
from memcon.record import canonical
from memcon.record.hashing import derive
from memcon.record.layout import Layout
from memcon.record.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAGIC = b"mcjrnl\x00\x01"
HEADER_SIZE = 64
_HEADER = Layout("journal header", ">8s16sQQQ8sI4s")
_PASS = Layout("journal header", ">QQ")
FRAME_MAGIC = b"MCFR"
FRAME_HEAD = 16
_FRAME = Layout("journal frame", ">4sIQ")
_NONCE = Layout("journal frame", ">IQ")
_RECORD = Layout("journal record", ">IB3x")
_MEDIA = Layout("journal media", ">QQII")
_TICK = Layout("journal tick", ">QQQ")
_LENGTH = Layout("journal control", ">I")
GCM_TAG = 16
MAX_FRAME = 64 << 20  # a sweep is a few MiB; a larger length is a torn or hostile head

TYPE_MEDIA = 1
TYPE_CONTROL = 2
TYPE_TICK = 3
TYPE_STOP = 4


@dataclass(frozen=True, slots=True)
class JournalHeader:
    """The head of a journal file: `instance` 16 bytes, `wall` ns, `key_id` 8 bytes; `trims`: how often it was
    written again without what no open call needs."""

    instance: bytes
    file_number: int
    first_frame: int
    wall: int
    key_id: bytes
    trims: int = 0

    def encode(self) -> bytes:
        return _HEADER.pack(
            MAGIC,
            self.instance,
            self.file_number,
            self.first_frame,
            self.wall,
            self.key_id,
            self.trims,
            bytes(4),
        )

    def frame_key(self, journal_key: bytes) -> bytes:
        """The key of this file's frames: their numbers are their nonces, so each trim needs another."""
        if not self.trims:
            return journal_key
        return derive(journal_key, "journal-trim", _PASS.pack(self.file_number, self.trims))


def decode_header(data: bytes) -> JournalHeader:
    """Read a journal file's first 64 bytes; raises FormatError."""
    r = Reader(data, "journal header")
    r.magic(MAGIC)
    header = JournalHeader(
        r.take(16, "instance"),
        r.u64("file number"),
        r.u64("first frame"),
        r.u64("wall"),
        r.take(8, "key id"),
        r.u32("trims"),
    )
    r.zeros(4)
    r.done()
    return header


def frame_head(ct_length: int, number: int) -> bytes:
    """The 16 bytes before a frame's ciphertext; also, after the instance, its associated data.

    Raises LocalError for a length that `decode_frame_head` would take for a torn one.
    """
    if not GCM_TAG <= ct_length <= MAX_FRAME:
        raise LocalError(f"a journal frame of {ct_length} bytes")
    return _FRAME.pack(FRAME_MAGIC, ct_length, number)


def frame_nonce(number: int) -> bytes:
    """The GCM nonce of a frame, 12 bytes."""
    return _NONCE.pack(0, number)


def decode_frame_head(data: bytes) -> tuple[int, int]:
    """(ciphertext length, frame number); raises FormatError."""
    r = Reader(data, "journal frame")
    r.magic(FRAME_MAGIC)
    length, number = r.u32("length"), r.u64("number")
    if not GCM_TAG <= length <= MAX_FRAME:
        raise FormatError("journal frame", f"a ciphertext of {length} bytes", where=4)
    r.done()
    return length, number


def encode_record(type_: int, *body: bytes | memoryview) -> list[bytes | memoryview]:
    """One record as a list of pieces to be joined; views may be of any item size."""
    return [_RECORD.pack(sum(memoryview(b).nbytes for b in body), type_), *body]


def media_head(wall: int, mono: int, count: int) -> bytes:
    """The head of a media record's body; stream handles, arrivals, lengths and packets follow."""
    return _MEDIA.pack(wall, mono, count, 0)


def encode_tick(wall: int, mono: int, watermark: int) -> bytes:
    """The body of a tick record."""
    return _TICK.pack(wall, mono, watermark)


def encode_control(facts: dict[str, canonical.Json], attachments: Sequence[bytes] = ()) -> bytes:
    """The body of a control record. Raises LocalError for facts without a type."""
    if not isinstance(facts.get("type"), str):
        raise LocalError("a control record without a type")
    text = canonical.dumps(facts, "journal control")
    parts = [_LENGTH.pack(len(text)), text, _LENGTH.pack(len(attachments))]
    for item in attachments:
        parts += (_LENGTH.pack(len(item)), item)
    return b"".join(parts)


@dataclass(frozen=True, slots=True)
class Media:
    """A sweep's packets. `streams`, `arrivals`, `lengths`: big-endian u32, u64, u16 arrays as bytes."""

    wall: int
    mono: int
    count: int
    streams: memoryview
    arrivals: memoryview
    lengths: memoryview
    packets: memoryview


@dataclass(frozen=True, slots=True)
class Control:
    """What capture learned or did; `facts` has a `type` (docs/ARCHITECTURE.md lists them)."""

    facts: dict[str, canonical.Json]
    attachments: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """All that arrived before `watermark` (wall, ns) is in this or an earlier frame."""

    wall: int
    mono: int
    watermark: int


@dataclass(frozen=True, slots=True)
class Stop:
    """The clean end of an instance: by whom and why."""

    facts: dict[str, canonical.Json]


def _facts(data: bytes, what: str) -> dict[str, canonical.Json]:
    facts = canonical.loads(data, what)
    if not isinstance(facts, dict):
        raise FormatError(what, "is no object")
    return facts


def _read_media(r: Reader) -> Media:
    wall, mono, count = r.u64("wall"), r.u64("mono"), r.u32("count")
    r.zeros(4)
    streams, arrivals = r.view(4 * count, "streams"), r.view(8 * count, "arrivals")
    lengths = r.view(2 * count, "lengths")
    packets = r.view(sum(struct.unpack(f">{count}H", lengths)), "packets")
    r.done()
    return Media(wall, mono, count, streams, arrivals, lengths, packets)


def _read_control(r: Reader) -> Control:
    facts = _facts(r.take(r.u32("JSON length"), "JSON"), "journal control")
    if not isinstance(facts.get("type"), str):
        raise FormatError("journal control", "has no type", where="type")
    attachments = tuple([r.take(r.u32("length"), "attachment") for _ in range(r.u32("attachments"))])
    r.done()
    return Control(facts, attachments)


def _read_tick(r: Reader) -> Tick:
    tick = Tick(r.u64("wall"), r.u64("mono"), r.u64("watermark"))
    r.done()
    return tick


def decode_records(plaintext: bytes | memoryview) -> Iterator[Media | Control | Tick | Stop]:
    """The records of one decrypted frame. Raises FormatError."""
    r = Reader(plaintext, "journal frame")
    while r.left:
        at = r.at
        length, type_ = r.u32("length"), r.u8("type")
        r.zeros(3)
        body = Reader(r.view(length, "body"), "journal record")
        if type_ == TYPE_MEDIA:
            yield _read_media(body)
        elif type_ == TYPE_CONTROL:
            yield _read_control(body)
        elif type_ == TYPE_TICK:
            yield _read_tick(body)
        elif type_ == TYPE_STOP:
            yield Stop(_facts(body.take(body.left, "JSON"), "journal stop"))
        else:
            raise FormatError("journal record", f"type {type_} is unknown", where=at + 4)
