"""Silence certificates: at time T nobody who counts had seen the log beyond N leaves (FORMATS §16).

    memcon/silence/v1
    statement <base64 of the genesis statement>
    leaf 0 <base64>           and its audit path, a hash a line
    <empty line>
    leaf <N - 1> <base64>     and its audit path
    <empty line>
    <the note, byte for byte>

This module reads and writes; whether a certificate holds is for `verify.silence` to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.record import beat, statement
from memcon.record.hashing import sha256
from memcon.record.statement import Genesis
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.encoding import from_base64, from_decimal, hash_from_base64, text_of, to_base64
from memcon.tlog.merkle import leaf_hash, verify_inclusion
from memcon.tlog.note import Note

if TYPE_CHECKING:
    from memcon.record.beat import Beat

HEADER = "memcon/silence/v1"
MAX_SIZE = 1 << 18
MAX_HASHES = 63
WHAT = "silence certificate"


@dataclass(frozen=True, slots=True)
class ProvenLeaf:
    """A public leaf, where it stands, and its audit path."""

    index: int
    leaf: bytes
    path: tuple[bytes, ...]

    def lines(self) -> list[str]:
        return [f"leaf {self.index} {to_base64(self.leaf)}", *map(to_base64, self.path)]


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate as read: the genesis statement's bytes, both leaves, the note."""

    statement: bytes
    first: ProvenLeaf
    last: ProvenLeaf
    note: Note

    def encode(self) -> bytes:
        head = [HEADER, f"statement {to_base64(self.statement)}", *self.first.lines()]
        parts = ("\n".join(head), "\n".join(self.last.lines()))
        return "\n\n".join(parts).encode() + b"\n\n" + self.note.to_bytes()

    @classmethod
    def parse(cls, data: bytes) -> Certificate:
        """Read a certificate; raises FormatError. What is read encodes to the same bytes."""
        if len(data) > MAX_SIZE:
            raise FormatError(WHAT, f"longer than {MAX_SIZE} bytes", where="length")
        parts = data.split(b"\n\n", 2)
        if len(parts) != 3:
            raise FormatError(WHAT, "not two leaves and a note, divided by empty lines")
        head, last = (text_of(part, WHAT).split("\n") for part in parts[:2])
        if head[0] != HEADER:
            raise FormatError(WHAT, f"does not begin with {HEADER}", where="line 1")
        if len(head) < 3 or not head[1].startswith("statement "):
            raise FormatError(WHAT, "no genesis statement", where="line 2")
        said = from_base64(head[1].removeprefix("statement "), WHAT, "line 2")
        return cls(said, _leaf(head, 2), _leaf(last, 0, len(head) + 1), Note.parse(parts[2]))


def _leaf(lines: list[str], at: int, before: int = 0) -> ProvenLeaf:
    """The leaf at line `at` and the hashes after it; `before` lines stand before these in the file."""
    where = f"line {before + at + 1}"
    words = lines[at].split(" ")
    if len(words) != 3 or words[0] != "leaf":
        raise FormatError(WHAT, "no leaf", where=where)
    hashes = lines[at + 1 :]
    if len(hashes) > MAX_HASHES:
        raise FormatError(WHAT, f"{len(hashes)} hashes in an audit path", where=where)
    path = [hash_from_base64(text, WHAT, f"line {before + at + n}") for n, text in enumerate(hashes, 2)]
    return ProvenLeaf(from_decimal(words[1], WHAT, where), from_base64(words[2], WHAT, where), tuple(path))


@dataclass(frozen=True, slots=True)
class Contents:
    """What a certificate states, its parts fitting together; signatures are not judged here."""

    checkpoint: Checkpoint
    genesis: Genesis
    last: Beat

    @property
    def grace_ns(self) -> int:
        """G, in ns."""
        return self.genesis.g * self.genesis.period_ms * 1_000_000

    def covered(self, time: int) -> tuple[int, int] | None:
        """The first and last slot that silence at `time` (POSIX seconds) covers, None for none."""
        period = self.genesis.period_ms * 1_000_000
        # (s + 1) * period + G < T
        through = (time * 1_000_000_000 - self.grace_ns - 1) // period - 1
        return (self.last.slot + 1, through) if through > self.last.slot else None


def contents(certificate: Certificate) -> Contents:
    """Read the parts and check that they belong together; raises FormatError (ProofError for a path)."""
    checkpoint = Checkpoint.parse(certificate.note.text)
    for name, part, index in (
        ("first leaf", certificate.first, 0),
        ("last leaf", certificate.last, checkpoint.size - 1),
    ):
        if part.index != index:
            raise FormatError(WHAT, f"is leaf {part.index}, not {index}", where=name)
        verify_inclusion(leaf_hash(part.leaf), index, checkpoint.size, part.path, checkpoint.root)
    first, last = beat.decode(certificate.first.leaf), beat.decode(certificate.last.leaf)
    said = statement.decode(certificate.statement)
    if sha256(certificate.statement) != first.statement:
        raise FormatError(WHAT, "is not the one that leaf 0 names", where="statement")
    if not isinstance(said, Genesis) or said.origin != checkpoint.origin:
        raise FormatError(WHAT, f"is no genesis statement of {checkpoint.origin!r}", where="statement")
    if not first.period_ms == last.period_ms == said.period_ms:
        raise FormatError(WHAT, "the leaves have another period than the statement", where="period")
    return Contents(checkpoint, said, last)
