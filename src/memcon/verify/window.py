"""The window of a beat: when it cannot have been made before, and when a quorum had seen it.

What was sealed by a beat was sealed between the age of the note that the beat names and the quorum's
time over a checkpoint that holds it, whatever the operator's clock said. The speech may be older.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.record import beat as beats
from memcon.record import evidence
from memcon.record import statement as statements
from memcon.record.hashing import ZERO32
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.note import Note
from memcon.tlog.tiles import TileReader
from memcon.verify.attest import Evidence, Judge, Leaf, Terms
from memcon.verify.cosigned import Reader, check_signature
from memcon.verify.rounds import read_rounds
from memcon.verify.stamped import Stamps, not_after

if TYPE_CHECKING:
    from memcon.tlog.policy import Policy
    from memcon.verify.attest import Answer, Cosigned
    from memcon.verify.cosigned import Check
    from memcon.verify.findings import Report
    from memcon.verify.sources import Source


@dataclass(frozen=True, slots=True)
class Window:
    """POSIX seconds; None where no witness of the policy says so."""

    index: int
    slot: int
    not_before: int | None
    not_after: int | None
    answer: Answer
    stamped: int | None = None
    """Not after, by a time-stamping authority."""
    drand: int | None = None
    """Not before, by the drand round that it names."""


def windows(
    source: Source,
    policy: Policy,
    first: int,
    last: int,
    report: Report,
    check: Check = check_signature,
    *,
    roots: bytes | None = None,
) -> list[Window]:
    """The windows of the leaves `first` to `last`, by the evidence that the log serves.

    `roots`: PEM, those of time-stamping authorities whose word counts.

    Raises FormatError where that is no log; what is wrong with single notes goes into the report.
    """
    signed = source.fetch("checkpoint")
    if signed is None:
        raise FormatError("log", "there is no checkpoint", where="checkpoint")
    checkpoint = Checkpoint.parse(Note.parse(signed).text)
    tiles = TileReader(source.fetch, checkpoint.size)
    reader = Reader(source, checkpoint.origin, policy, report.add, check=check)
    terms = _terms(source, tiles)
    read = [beats.decode(entry) for entry in tiles.entries(first, last + 1)]
    notes: dict[bytes, Cosigned] = {}
    for beat in read:
        if beat.note_hash != ZERO32 and beat.note_hash not in notes:
            found = reader.note(beat.note_hash)
            if found is not None:
                notes[beat.note_hash] = found.cosigned
    since = terms.start(read[0].slot) // 1000
    until = terms.deadline(read[-1].slot) // 1000
    seen = []
    for digest in evidence.dating(source.fetch, since, until, first, last):
        found = reader.note(digest)
        if found is None:
            continue
        size = found.checkpoint.size
        if size > checkpoint.size:  # what a larger one holds is not looked into
            continue
        if tiles.begins(size, found.checkpoint.root, checkpoint.root):
            seen.append(found.cosigned)
        else:
            report.add("log-fork", f"size {size}", "is no beginning of this log")
    leaves = [
        Leaf(b.index, b.slot, b.kind, b.state, note=b"" if b.note_hash == ZERO32 else b.note_hash)
        for b in read
    ]
    judged = Judge(Evidence(terms, policy, checkpoint.size, leaves, notes, seen)).leaves()
    stamps = Stamps(source, report, roots).read(checkpoint, tiles)
    rounds = read_rounds(source, read, report)
    return [
        Window(
            leaf.index,
            leaf.slot,
            one.note_age,
            one.quorum,
            one.answer,
            not_after(stamps, leaf.index),
            rounds.get(leaf.index),
        )
        for leaf, one in zip(leaves, judged, strict=True)
    ]


def _terms(source: Source, tiles: TileReader) -> Terms:
    genesis = beats.decode(next(tiles.entries(0, 1)))
    said = statements.decode(source.fetch(f"statement/{genesis.statement.hex()}") or b"null")
    if not isinstance(said, statements.Genesis):
        raise FormatError("log", "leaf 0 names no genesis statement", where="leaf 0")
    return Terms.of(said)
