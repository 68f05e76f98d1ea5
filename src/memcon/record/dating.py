"""`notes.mcb` of a bundle: the cosigned notes that date its beats (FORMATS §14)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.record.layout import Layout
from memcon.record.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME = "notes.mcb"
MAGIC = b"mcnotes\x01"
_FILE = Layout(NAME, ">8sQ")
_LENGTH = Layout(NAME, ">I")
_COUNT = Layout(NAME, ">B")


@dataclass(frozen=True, slots=True)
class DatingNote:
    """A note, and the proof between its tree and the checkpoint's, the smaller a beginning of the larger."""

    note: bytes
    proof: tuple[bytes, ...]


def encode_notes(tree_size: int, notes: Iterable[DatingNote]) -> bytes:
    """`notes.mcb`."""
    parts = [_FILE.pack(MAGIC, tree_size)]
    for one in notes:
        parts += (_LENGTH.pack(len(one.note)), one.note, _COUNT.pack(len(one.proof)), *one.proof)
    return b"".join(parts)


def read_notes(data: bytes | memoryview) -> tuple[int, list[DatingNote]]:
    """The size of the checkpoint's tree, and the notes. Raises FormatError."""
    r = Reader(data, NAME)
    r.magic(MAGIC)
    size = r.u64("tree size")
    notes = []
    while r.left:
        note = r.take(r.u32("note length"), "note")
        notes.append(DatingNote(note, tuple([r.take(32, "proof") for _ in range(r.u8("proof length"))])))
    return size, notes
