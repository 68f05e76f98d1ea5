"""A call's vault files opened with its key: segments, blocks, packets, events, the record.

Opening authenticates (AES-GCM) and recomputes every commitment from the plaintext: what comes out is
what was committed to in these files. Whether *these* are the files the log knows is the verifier's
question, not this module's.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from memcon.errors import FormatError
from memcon.record import canonical, hashing
from memcon.record.call import decode as decode_leaf
from memcon.record.call import read_leaves
from memcon.record.reader import Reader
from memcon.record.segment import (
    EVENTS_MAGIC,
    MEDIA_MAGIC,
    RECORD_MAGIC,
    Block,
    Event,
    Sealed,
    block_commitment,
    decode_block,
    decode_event,
    event_commitment,
    plaintext_root,
    read_content,
    read_sealed,
    record_commitment,
)
from memcon.store import durable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from memcon.record.call import CallLeaf, Last, PlacedLeaf

_NONCE = bytes(12)  # each key is used for one plaintext only (FORMATS §1)


@dataclass(frozen=True, slots=True)
class RawBlock:
    """One block as it was committed: its place and its bytes."""

    segment: int
    stream: int
    position: int
    kind: int
    data: memoryview


@dataclass(frozen=True, slots=True)
class OpenSegment:
    """One second of a call, opened. `sealed` is what the file holds of it."""

    sealed: Sealed
    blocks: tuple[RawBlock, ...]

    @property
    def number(self) -> int:
        return self.sealed.number


class OpenCall:
    """A call's files with its key. `read(name)` gives a file's bytes, `media.mcs` and the like.

    Every method raises FormatError, naming the file and the second (or event), for bytes that the
    key does not open or that do not follow their format, and MachineError for a file that cannot be read.
    """

    def __init__(self, number: int, call_key: bytes, read: Callable[[str], bytes]) -> None:
        self.number = number
        self.key = call_key
        self.read = read
        if not hmac.compare_digest(self.first().first_key_hash, hashing.call_key_hash(call_key)):
            raise FormatError(
                f"call {number}",
                "the key is another call's",
                where="call key",
                cure="Unwrap the key of this call's wraps.json",
            )

    @classmethod
    def from_files(cls, number: int, call_key: bytes, files: Mapping[str, Path]) -> OpenCall:
        """From paths by logical name, as the vault or a work directory has them."""

        def read(name: str) -> bytes:
            if name not in files:
                raise FormatError(f"call {number}", "this file is missing", where=name)
            return durable.read_bytes(files[name])

        return cls(number, call_key, read)

    def first(self) -> FirstLeaf:
        """What the call's first leaf says."""
        for placed in self.leaves():
            leaf = decode_leaf(placed.leaf)
            if leaf.first is None:
                break
            return FirstLeaf(leaf, leaf.first.handle, leaf.first.call_key_hash, leaf.first.start_wall)
        raise FormatError("leaves.mcl", "does not begin with the call's first leaf", where=16)

    def last(self) -> Last:
        """What the call's last leaf says."""
        found = None
        for placed in self.leaves():
            found = decode_leaf(placed.leaf).last
        if found is None:
            cure = "Wait until the call is sealed"
            raise FormatError("leaves.mcl", "the call's last leaf is missing", cure=cure)
        return found

    def leaves(self) -> Iterator[PlacedLeaf]:
        """The call's leaves in order, with their places."""
        return read_leaves(self.read("leaves.mcl"), self.number)

    def segments(self) -> Iterator[OpenSegment]:
        """Every second of the call, in order."""
        for sealed in read_sealed(self.read("media.mcs"), MEDIA_MAGIC, self.number):
            yield open_segment(self.key, sealed)

    def blocks(self) -> Iterator[Block]:
        """Every block of the call, decoded, by second, stream and position."""
        for segment in self.segments():
            for raw in segment.blocks:
                block = decode_block(raw.data)
                place = (block.segment, block.stream, block.position, block.kind)
                if place != (raw.segment, raw.stream, raw.position, raw.kind):
                    raise FormatError(
                        "media.mcs", "a block stands at another's place", where=f"second {segment.number}"
                    )
                yield block

    def sealed_events(self) -> Iterator[tuple[Sealed, bytes]]:
        """Every event as stored, with its plaintext bytes."""
        for sealed in read_sealed(self.read("events.mce"), EVENTS_MAGIC, self.number):
            where = f"event {sealed.number}"
            key = hashing.event_key(self.key, sealed.number, sealed.root)
            data = _decrypt(key, sealed.ciphertext, "events.mce", where)
            if event_commitment(hashing.event_salt(self.key, sealed.number), data) != sealed.root:
                raise FormatError("events.mce", "the event is not the one committed to", where=where)
            yield sealed, data

    def events(self) -> Iterator[Event]:
        """Every event, decoded."""
        for _, data in self.sealed_events():
            yield decode_event(data)

    def record(self) -> dict[str, canonical.Json]:
        """The call in words: `record.mcr` opened."""
        return open_record(self.read("record.mcr"), self.key)


@dataclass(frozen=True, slots=True)
class FirstLeaf:
    """The first leaf and what is read from it most: handle, H(call key), start in ns (wall)."""

    leaf: CallLeaf
    handle: bytes
    first_key_hash: bytes
    start_wall: int


def open_segment(call_key: bytes, sealed: Sealed) -> OpenSegment:
    """One second opened with the call's key, its commitments made again; raises FormatError."""
    n, where = sealed.number, f"second {sealed.number}"
    key = hashing.segment_key(call_key, n, sealed.root)
    content = read_content(_decrypt(key, sealed.ciphertext, "media.mcs", where))
    entries = [
        (s, p, k, block_commitment(hashing.block_salt(call_key, n, s, p, k), data))
        for s, p, k, data in content
    ]
    if plaintext_root(n, entries) != sealed.root:
        raise FormatError("media.mcs", "the blocks are not those committed to", where=where)
    return OpenSegment(sealed, tuple(RawBlock(n, s, p, k, data) for s, p, k, data in content))


def open_record(data: bytes, call_key: bytes) -> dict[str, canonical.Json]:
    """Read `record.mcr` with the call's key; raises FormatError."""
    r = Reader(data, "record.mcr")
    r.magic(RECORD_MAGIC)
    commitment = r.take(32, "commitment")
    plain = _decrypt(
        hashing.record_key(call_key, commitment), r.view(r.left, "ciphertext"), "record.mcr", "byte 40"
    )
    if record_commitment(hashing.record_salt(call_key), plain) != commitment:
        raise FormatError("record.mcr", "the record is not the one committed to", where=8)
    value = canonical.loads(plain, "record.mcr")
    if not isinstance(value, dict):
        raise FormatError("record.mcr", "is no object")
    return value


def _decrypt(key: bytes, data: memoryview, what: str, where: str) -> bytes:
    try:
        return AESGCM(key).decrypt(_NONCE, data, None)
    except InvalidTag as error:
        raise FormatError(
            what, "does not open with this call's key: it was altered, or the key is another's", where=where
        ) from error
