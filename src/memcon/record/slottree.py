"""The private tree of one slot: fixed depth, fillers that only the slot key can make (FORMATS §3)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.errors import FormatError, LocalError
from memcon.record.hashing import derive, hmac_pads, salted, tag
from memcon.record.layout import Layout, Problem, refuse_to_read, refuse_to_write
from memcon.record.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

DEPTH = 16
LANES = 1 << DEPTH
PATH_SIZE = DEPTH * 32

_LANE_FIELDS = Layout("lane", ">I")
_FILLER_FIELDS = Layout("filler", ">BI")
_LANE = tag("lane")
_LANE_SALT = tag("salt/lane")
_FILLER = tag("filler")


def lane_node(lane: int, salt: bytes, leaf: bytes) -> bytes:
    """The node of a used lane, 32 bytes."""
    return salted(_LANE + _LANE_FIELDS.pack(lane), salt, leaf)


def filler(slot_key: bytes, level: int, position: int) -> bytes:
    """The node that stands for an unused subtree: to anyone without the slot key it looks used."""
    return derive(slot_key, "filler", _FILLER_FIELDS.pack(level, position))


def _inner(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class SlotTree:
    """The tree over `leaves` (lane -> leaf bytes) under one slot key.

    Every node beside a used one is made once and kept: roots and all paths of 2,000 lanes are wanted
    in each beat.
    """

    def __init__(self, slot_key: bytes, leaves: Mapping[int, bytes]) -> None:
        if any(not 0 <= lane < LANES for lane in leaves):
            raise FormatError("slot tree", "a lane outside the tree")
        inner, outer = hmac_pads(slot_key)
        self._salts = _salts(inner, outer, leaves)
        level = {lane: lane_node(lane, self._salts[lane], leaf) for lane, leaf in leaves.items()}
        self._levels = [level]
        for depth in range(DEPTH):
            level = _level_above(inner + _FILLER + bytes([depth]), outer, level)
            self._levels.append(level)
        self._root = level[0] if level else filler(slot_key, DEPTH, 0)

    @property
    def root(self) -> bytes:
        """The root, 32 bytes; not yet wrapped."""
        return self._root

    def salt(self, lane: int) -> bytes:
        """The salt of a used lane; LocalError for another."""
        if lane not in self._salts:
            raise LocalError(f"lane {lane} of this slot is not used")
        return self._salts[lane]

    def path(self, lane: int) -> bytes:
        """The 16 siblings of a used `lane`, from level 0 upward, 512 bytes; LocalError for another."""
        if lane not in self._salts:
            raise LocalError(f"lane {lane} of this slot is not used")
        return b"".join([nodes[(lane >> i) ^ 1] for i, nodes in enumerate(self._levels[:DEPTH])])


def _salts(inner: bytes, outer: bytes, lanes: Iterable[int]) -> dict[int, bytes]:
    sha, prefix = hashlib.sha256, inner + _LANE_SALT
    return {lane: sha(outer + sha(prefix + lane.to_bytes(4, "big")).digest()).digest() for lane in lanes}


def _level_above(prefix: bytes, outer: bytes, level: dict[int, bytes]) -> dict[int, bytes]:
    """The used nodes one level up. Puts the fillers beside the used nodes of `level` into it."""
    sha = hashlib.sha256
    for position in list(level):
        if position ^ 1 not in level:
            message = prefix + (position ^ 1).to_bytes(4, "big")
            level[position ^ 1] = sha(outer + sha(message).digest()).digest()
    return {
        position >> 1: sha(b"\x01" + node + level[position | 1]).digest()
        for position, node in level.items()
        if not position & 1
    }


def root_from_path(lane: int, salt: bytes, leaf: bytes, path: bytes) -> bytes:
    """The root that `leaf` in `lane` with these siblings belongs to. Raises FormatError."""
    if len(path) != PATH_SIZE or not 0 <= lane < LANES:
        raise FormatError("lane path", f"lane {lane}, {len(path)} bytes of path")
    node = lane_node(lane, salt, leaf)
    for level in range(DEPTH):
        sibling = path[level * 32 : level * 32 + 32]
        node = _inner(sibling, node) if (lane >> level) & 1 else _inner(node, sibling)
    return node


SLOT_MAGIC = b"mcslot\x00\x01"
SLOT_SIZE = 64
_SLOT = Layout("slot leaf", ">8sQQQQII16s")


@dataclass(frozen=True, slots=True)
class SlotLeaf:
    """What lane 0 says of its slot: how far calls and NOTEs are numbered, how many stand in it."""

    slot: int
    index: int
    next_call: int
    next_note: int
    calls: int
    notes: int

    def encode(self) -> bytes:
        """The leaf, 64 bytes."""
        return _SLOT.pack(
            SLOT_MAGIC,
            self.slot,
            self.index,
            self.next_call,
            self.next_note,
            self.calls,
            self.notes,
            bytes(16),
        )


def decode_slot_leaf(data: bytes) -> SlotLeaf:
    """Read a slot leaf; raises FormatError."""
    r = Reader(data, "slot leaf")
    r.magic(SLOT_MAGIC)
    leaf = SlotLeaf(
        r.u64("slot"), r.u64("index"), r.u64("next call"), r.u64("next note"), r.u32("calls"), r.u32("notes")
    )
    r.zeros(16)
    r.done()
    return leaf


NOTE_MAGIC = b"mcnote\x00\x01"
NOTE_SIZE = 80
_NOTE = Layout("NOTE leaf", ">8sHHIQQQ32s8s")
NOTE_TYPES = {
    1: "configuration",
    2: "source",
    3: "transcript",
    4: "access",
    5: "hold",
    6: "release",
    7: "statement",
    8: "memorandum",
    9: "dossier entry",
    10: "call taken in",
}


@dataclass(frozen=True, slots=True)
class NoteLeaf:
    """Anything sealed that is no call: its type and the hash of its object (FORMATS §5)."""

    type: int
    lane: int
    number: int
    slot: int
    index: int
    object_hash: bytes

    def _problem(self) -> Problem:
        if self.type not in NOTE_TYPES:
            return f"type {self.type} is unknown", 8
        if not 0 < self.lane < LANES:
            return f"lane {self.lane}", 12
        return None

    def encode(self) -> bytes:
        """The leaf, 80 bytes. Raises LocalError for what could not be read back."""
        refuse_to_write("NOTE leaf", self._problem())
        return _NOTE.pack(
            NOTE_MAGIC,
            self.type,
            0,
            self.lane,
            self.number,
            self.slot,
            self.index,
            self.object_hash,
            bytes(8),
        )


def decode_note_leaf(data: bytes) -> NoteLeaf:
    """Read a NOTE leaf; raises FormatError."""
    r = Reader(data, "NOTE leaf")
    r.magic(NOTE_MAGIC)
    type_ = r.u16("type")
    r.zeros(2)
    leaf = NoteLeaf(
        type_, r.u32("lane"), r.u64("number"), r.u64("slot"), r.u64("index"), r.take(32, "object hash")
    )
    r.zeros(8)
    r.done()
    refuse_to_read("NOTE leaf", leaf._problem())
    return leaf


SLOTS_MAGIC = b"mcslots\x01"
_LENGTH = Layout("slot record", ">I")
_RECORD = Layout("slot record", ">QQI")
_LANE_HEAD = Layout("slot record", ">II")


def encode_slot_record(index: int, slot: int, leaves: Mapping[int, bytes]) -> bytes:
    """One slot as `slots/<day>/<instance>.mcl` keeps it (FORMATS §13)."""
    parts = [_RECORD.pack(index, slot, len(leaves))]
    for lane, leaf in sorted(leaves.items()):
        parts += (_LANE_HEAD.pack(lane, len(leaf)), leaf)
    body = b"".join(parts)
    return _LENGTH.pack(len(body) + 32) + body + hashlib.sha256(body).digest()


@dataclass(frozen=True, slots=True)
class SlotRecord:
    """The used lanes of one slot, lane -> leaf, in ascending order."""

    index: int
    slot: int
    leaves: dict[int, bytes]


def decode_slot_records(data: bytes, *, torn_ok: bool = False) -> tuple[Sequence[SlotRecord], int]:
    """All whole slot records of a file and the byte where they end.

    A record that the file's end cuts is a FormatError unless `torn_ok` (a crash leaves one).
    """
    r = Reader(data, "slots file")
    r.magic(SLOTS_MAGIC)
    records: list[SlotRecord] = []
    while r.left:
        start = r.at
        if torn_ok and (r.left < 4 or int.from_bytes(r.data[start : start + 4], "big") > r.left - 4):
            return records, start
        body = Reader(r.view(r.u32("record length"), "record"), f"slot record at byte {start}")
        if body.left < 52:
            raise FormatError("slots file", "a record too short for its head", where=start)
        content = body.data[:-32]
        if hashlib.sha256(content).digest() != body.data[-32:]:
            raise FormatError("slots file", "a record does not match its hash", where=start)
        body.end -= 32
        index, slot, count = body.u64("index"), body.u64("slot"), body.u32("count")
        leaves: dict[int, bytes] = {}
        last = -1
        for _ in range(count):
            lane = body.u32("lane")
            if not last < lane < LANES:
                raise FormatError("slots file", f"lane {lane} out of order or range", where=start)
            leaves[lane] = body.take(body.u32("leaf length"), "leaf")
            last = lane
        body.done()
        records.append(SlotRecord(index, slot, leaves))
    return records, r.at
