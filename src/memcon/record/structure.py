"""The structure of consecutive slots, for an overseer: every used lane, no content (FORMATS §19).

Opened, a file holds the slot keys and the leaves, so that anyone can compute the roots in the public
beats from it. On its way it is sealed to one overseer; the sealing itself is done elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.record.hashing import sha256, tag, text_field
from memcon.record.layout import Layout
from memcon.record.reader import Reader
from memcon.record.slottree import LANES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAGIC = b"mcstruc\x01"
SEALED_MAGIC = b"mcseald\x01"
OPENED_SUFFIX, SEALED_SUFFIX = ".mct", ".mctx"
LEAST_SIZE = 1 << 16
KEY_ID_SIZE = 8
_WHAT, _SEALED = "structure", "sealed structure"
_HEAD = Layout(_WHAT, ">8sQQ")
_LENGTH = Layout(_WHAT, ">I")
_SLOT = Layout(_WHAT, ">QQ32sI")
_LANE = Layout(_WHAT, ">II")


@dataclass(frozen=True, slots=True)
class Head:
    """Which beats of which log: the indexes `first` to `last`."""

    origin: str
    first: int
    last: int

    @property
    def stem(self) -> str:
        """The file's name without its ending: names sort in the order of the log."""
        return f"{self.first:012d}-{self.last:012d}"

    def encode(self, magic: bytes = MAGIC) -> bytes:
        """The head's bytes; FormatError for an origin over 255 bytes."""
        return _HEAD.pack(magic, self.first, self.last) + text_field(self.origin, "structure origin")


@dataclass(frozen=True, slots=True)
class SlotStructure:
    """One slot: its key, and its used lanes as they stand. A lane may wrongly stand twice."""

    index: int
    slot: int
    key: bytes
    lanes: tuple[tuple[int, bytes], ...]

    def encode(self) -> bytes:
        """The slot as it stands in the file."""
        parts = [_SLOT.pack(self.index, self.slot, self.key, len(self.lanes))]
        for lane, leaf in self.lanes:
            parts += (_LANE.pack(lane, len(leaf)), leaf)
        body = b"".join(parts)
        return _LENGTH.pack(len(body)) + body


def encode(head: Head, slots: Iterable[bytes]) -> bytes:
    """An opened file of encoded slots, filled up so that its length tells little."""
    data = head.encode() + b"".join(slots)
    return data.ljust(_filled(len(data)), b"\0")


def _filled(size: int) -> int:
    return max(LEAST_SIZE, 1 << (size - 1).bit_length())


def _read_head(r: Reader, magic: bytes) -> Head:
    r.magic(magic)
    first, last = r.u64("first index"), r.u64("last index")
    if last < first:
        raise FormatError(r.what, f"from index {first} to {last}", where=16)
    try:
        origin = r.take(r.u8("length of origin"), "origin").decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(r.what, "the origin is no UTF-8", where=25) from error
    return Head(origin, first, last)


def read(data: bytes | memoryview) -> tuple[Head, Iterator[SlotStructure]]:
    """Head and slots of an opened file; FormatError, from the iterator too, for what is none."""
    r = Reader(data, _WHAT)
    head = _read_head(r, MAGIC)
    return head, _slots(r, head)


def _slots(r: Reader, head: Head) -> Iterator[SlotStructure]:
    for index in range(head.first, head.last + 1):
        at = r.at
        body = Reader(r.view(r.u32("slot length"), "slot"), f"{_WHAT}, slot at byte {at}")
        if body.u64("index") != index:
            raise FormatError(_WHAT, f"index {index} was due", where=at + 4)
        slot, key = body.u64("slot"), body.take(32, "slot key")
        lanes: list[tuple[int, bytes]] = []
        for _ in range(body.u32("count")):
            lane = body.u32("lane")
            if not (lanes[-1][0] if lanes else 0) <= lane < LANES:
                raise FormatError(_WHAT, f"lane {lane} out of order or range", where=at)
            lanes.append((lane, body.take(body.u32("leaf length"), "leaf")))
        body.done()
        yield SlotStructure(index, slot, key, tuple(lanes))
    if len(r.data) != _filled(r.at):
        raise FormatError(_WHAT, f"{len(r.data)} bytes, filled up to {_filled(r.at)} were due", where=r.at)
    r.zeros(r.left)


def overseer_id(public_key: bytes) -> bytes:
    """By which an overseer finds what is sealed to them, 8 bytes."""
    return sha256(tag("overseer") + public_key)[:KEY_ID_SIZE]


def sealed_head(head: Head, public_key: bytes) -> bytes:
    """What stands before the ciphertext, in clear."""
    return head.encode(SEALED_MAGIC) + overseer_id(public_key)


def sealed_info(head: bytes) -> bytes:
    """The HPKE info of a file with this head."""
    return tag("structure") + head


def read_sealed(data: bytes) -> tuple[Head, bytes, int]:
    """Head, the overseer's id, and the byte where the ciphertext begins. Raises FormatError."""
    r = Reader(data, _SEALED)
    head = _read_head(r, SEALED_MAGIC)
    return head, r.take(KEY_ID_SIZE, "overseer"), r.at
