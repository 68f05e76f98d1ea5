"""When a bundle's beats were sealed, by its cosigned notes and the reader's own witnesses (FORMATS §14)."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.record import dating
from memcon.record.beat import Kind
from memcon.record.hashing import ZERO32
from memcon.tlog.merkle import verify_consistency
from memcon.tlog.note import Note
from memcon.verify.attest import WORDS, Evidence, Judge, Leaf, Terms
from memcon.verify.cosigned import NoteJudge
from memcon.verify.words import count, utc

if TYPE_CHECKING:
    from memcon.record.statement import Genesis
    from memcon.tlog.checkpoint import Checkpoint
    from memcon.tlog.policy import Policy
    from memcon.verify.attest import Cosigned, Judged
    from memcon.verify.calls import ProvenBeats
    from memcon.verify.findings import Report

NS = 1_000_000_000
UNDATED = "operator's clock only"
WITNESSED = "witnesses' clocks"


def date_seconds(
    report: Report,
    data: bytes | None,
    beats: ProvenBeats,
    genesis: Genesis | None,
    checkpoint: Checkpoint | None,
    policy: Policy | None,
) -> None:
    """Put each span's window into the report's seconds; what is wrong with a note is a finding."""
    for span in report.seconds:
        span.update(not_before=None, not_after=None, answer=None)
    if data is None or checkpoint is None:
        return
    try:
        size, notes = dating.read_notes(data)
    except FormatError as error:
        report.add("note-form", dating.NAME, str(error))
        return
    if size != checkpoint.size:
        report.add("note-form", dating.NAME, f"is of a tree of {size} leaves, not {checkpoint.size}")
    elif policy is not None and genesis is not None:
        _say(report, _judge(report, notes, beats, genesis, checkpoint, policy))


def _judge(
    report: Report,
    notes: list[dating.DatingNote],
    beats: ProvenBeats,
    genesis: Genesis,
    checkpoint: Checkpoint,
    policy: Policy,
) -> dict[int, Judged]:
    judge = NoteJudge(checkpoint.origin, policy, report.add)
    named: dict[bytes, Cosigned] = {}
    for n, one in enumerate(notes):
        where = f"{dating.NAME}, note {n}"
        try:
            found = judge.judge(Note.parse(one.note), where)
            if found is None:
                continue
            _between(found.checkpoint, checkpoint, one.proof)
        except FormatError as error:
            report.add("note-form", where, str(error))
            continue
        named[sha256(one.note).digest()] = found.cosigned
    leaves = [
        Leaf(b.index, b.slot, b.kind, b.state, note=b"" if b.note_hash == ZERO32 else b.note_hash)
        for n, b in sorted(beats.by_index.items())
        if n in beats.proved and b.kind is not Kind.GENESIS
    ]
    size = max([checkpoint.size, *(one.size for one in named.values())])
    judged = Judge(Evidence(Terms.of(genesis), policy, size, leaves, named, list(named.values()))).leaves()
    return {leaf.index: one for leaf, one in zip(leaves, judged, strict=True)}


def _between(one: Checkpoint, other: Checkpoint, proof: tuple[bytes, ...]) -> None:
    small, large = sorted((one, other), key=lambda checkpoint: checkpoint.size)
    verify_consistency(small.size, large.size, list(proof), small.root, large.root)


def _say(report: Report, judged: dict[int, Judged]) -> None:
    dated = 0
    for span in report.seconds:
        one = judged.get(span["beat"])
        if one is None:
            continue
        span["not_before"] = None if one.note_age is None else utc(one.note_age * NS)
        span["not_after"] = None if one.quorum is None else utc(one.quorum * NS)
        span["answer"] = WORDS[one.answer]
        if one.note_age is not None and one.quorum is not None:
            span["clock"] = WITNESSED
            dated += 1
    unseen = sum(span["not_after"] is None for span in report.seconds)
    if unseen or not report.seconds:
        text = f"{count(unseen, 'span')} of seconds lie in no tree that a quorum has cosigned"
        report.add("checkpoint-quorum", dating.NAME, text)
    report.checked.append(
        f"{dated} of {count(len(report.seconds), 'span')} of seconds have a window by your witnesses"
    )
