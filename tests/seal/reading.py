"""Reads what the sealer left, by the record formats alone, and checks it link by link."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from tests.seal.synthetic import ORIGIN

from memcon.record import beat, call, canonical, hashing, segment, slottree
from memcon.record.config import hash_root
from memcon.seal import custody
from memcon.store.tiles import LogStore

if TYPE_CHECKING:
    from tests.seal.synthetic import World

NONCE = bytes(12)


@dataclass
class Read:
    """A sealed call, opened."""

    number: int
    leaves: list[call.CallLeaf]
    raw_leaves: list[bytes]
    blocks: list[segment.Block]
    segment_hashes: list[bytes]
    events: list[segment.Event]
    record: dict[str, Any]
    media: bytes

    def packets(self, stream: int) -> list[tuple[int, bytes]]:
        """(since, packet) of a stream in sealed order."""
        return [
            (at, bytes(p))
            for b in self.blocks
            if b.stream == stream
            for at, p in zip(b.arrivals, b.packets, strict=True)
        ]


def read_call(world: World, number: int) -> Read:
    """Open `work/done/<number>` with the custodian's key and check every commitment on the way."""
    directory = world.home.work_done / str(number)
    files = {p.name: p.read_bytes() for p in directory.iterdir()}
    assert set(files) == {
        "media.mcs", "events.mce", "leaves.mcl", "record.mcr", "wraps.json", "custodians.json"
    }  # fmt: skip
    placed = list(call.read_leaves(files["leaves.mcl"], number))
    leaves = [call.decode(p.leaf) for p in placed]
    first = leaves[0].first
    assert first is not None
    key = custody.unwrap(files["wraps.json"], first.handle, "local", world.seed)
    assert hashing.call_key_hash(key) == first.call_key_hash
    assert hashlib.sha256(files["wraps.json"]).digest() == first.wraps
    assert hashlib.sha256(files["custodians.json"]).digest() == first.custodians
    _check_chain(world, placed, leaves)
    blocks, hashes = _media(files["media.mcs"], number, key)
    events, event_hashes = _events(files["events.mce"], number, key)
    _check_ranges(leaves, hashes, event_hashes)
    record = _record(files["record.mcr"], key)
    return Read(number, leaves, [p.leaf for p in placed], blocks, hashes, events, record, files["media.mcs"])


def _check_chain(world: World, placed: list[call.PlacedLeaf], leaves: list[call.CallLeaf]) -> None:
    store = LogStore(world.home.log)
    entries = list(store.entries(0, store.checkpoint().size))
    previous = b""
    for position, (place, leaf) in enumerate(zip(placed, leaves, strict=True)):
        assert leaf.chain == (call.chain_hash(previous) if previous else hashing.ZERO32)
        assert (leaf.index, leaf.slot, leaf.lane) == (place.index, place.slot, place.lane)
        assert leaf.index == leaves[0].index + position
        previous = place.leaf
        root = slottree.root_from_path(place.lane, place.salt, place.leaf, place.path)
        shown = beat.decode(entries[place.index])
        assert shown.slot_root == beat.wrap_slot_root(ORIGIN, place.index, place.slot, slottree.DEPTH, root)
    assert leaves[0].first is not None
    assert leaves[-1].last is not None
    assert all(leaf.last is None for leaf in leaves[:-1])


def _media(data: bytes, number: int, key: bytes) -> tuple[list[segment.Block], list[bytes]]:
    blocks, hashes = [], []
    for sealed in segment.read_sealed(data, segment.MEDIA_MAGIC, number):
        secret = hashing.segment_key(key, sealed.number, sealed.root)
        content = AESGCM(secret).decrypt(NONCE, bytes(sealed.ciphertext), None)
        entries = []
        for stream, position, kind, block in segment.read_content(content):
            salt = hashing.block_salt(key, sealed.number, stream, position, kind)
            entries.append((stream, position, kind, segment.block_commitment(salt, block)))
            read = segment.decode_block(block)
            assert (read.segment, read.stream, read.position, read.kind) == (
                sealed.number, stream, position, kind
            )  # fmt: skip
            blocks.append(read)
        segment.check_order(entries)
        assert segment.plaintext_root(sealed.number, entries) == sealed.root
        hashes.append(sealed.hash(segment.MEDIA_MAGIC))
    return blocks, hashes


def _events(data: bytes, number: int, key: bytes) -> tuple[list[segment.Event], list[bytes]]:
    events, hashes = [], []
    for sealed in segment.read_sealed(data, segment.EVENTS_MAGIC, number):
        secret = hashing.event_key(key, sealed.number, sealed.root)
        plain = AESGCM(secret).decrypt(NONCE, bytes(sealed.ciphertext), None)
        assert segment.event_commitment(hashing.event_salt(key, sealed.number), plain) == sealed.root
        events.append(segment.decode_event(plain))
        hashes.append(sealed.hash(segment.EVENTS_MAGIC))
    return events, hashes


def _check_ranges(leaves: list[call.CallLeaf], hashes: list[bytes], event_hashes: list[bytes]) -> None:
    at = event_at = 0
    for leaf in leaves:
        assert (leaf.first_segment, leaf.first_event) == (at, event_at)
        at, event_at = at + leaf.segments, event_at + leaf.events
        assert leaf.segment_root == hash_root(hashes[leaf.first_segment : at])
        assert leaf.event_root == hash_root(event_hashes[leaf.first_event : event_at])
    last = leaves[-1].last
    assert last is not None
    assert (last.segments, last.events) == (at, event_at) == (len(hashes), len(event_hashes))
    assert last.call_root == hash_root(hashes)
    assert last.segments == max(1, -(-last.duration // 1_000_000_000))


def _record(data: bytes, key: bytes) -> dict[str, Any]:
    assert data[:8] == segment.RECORD_MAGIC
    plain = AESGCM(hashing.record_key(key, data[8:40])).decrypt(NONCE, data[40:], None)
    assert segment.record_commitment(hashing.record_salt(key), plain) == data[8:40]
    value = canonical.loads(plain)
    assert isinstance(value, dict)
    return value


def check_slots(world: World) -> dict[int, slottree.SlotRecord]:
    """Every beat's slot root follows from the slot records and the structure key; numbers are dense."""
    records: dict[int, slottree.SlotRecord] = {}
    for path in world.home.slots.glob("*/*.mcl"):
        found, end = slottree.decode_slot_records(path.read_bytes())
        assert end == path.stat().st_size
        for record in found:
            assert record.index not in records
            records[record.index] = record
    beats = world.beats()
    assert sorted(records) == list(range(1, len(beats)))
    calls, notes = 1, 1
    for index, record in sorted(records.items()):
        tree = slottree.SlotTree(hashing.slot_key(world.keys.structure, index, record.slot), record.leaves)
        shown = beats[index]
        assert shown.slot_root == beat.wrap_slot_root(ORIGIN, index, record.slot, slottree.DEPTH, tree.root)
        assert shown.slot == record.slot > beats[index - 1].slot
        head = slottree.decode_slot_leaf(record.leaves[0])
        here = [call.decode(x) for x in record.leaves.values() if x.startswith(call.MAGIC)]
        said = [slottree.decode_note_leaf(x) for x in record.leaves.values() if x.startswith(b"mcnote")]
        assert sorted(c.number for c in here if c.first) == list(
            range(calls, calls + sum(1 for c in here if c.first))
        )
        calls += sum(1 for c in here if c.first)
        assert sorted(n.number for n in said) == list(range(notes, notes + len(said)))
        notes += len(said)
        assert (head.index, head.slot, head.calls, head.notes) == (index, record.slot, len(here), len(said))
        assert (head.next_call, head.next_note) == (calls, notes)
    return records
