"""Slot records against the log's beats (FORMATS §3 and §13): the structure of every slot, no content.

With the structure key each slot's root is computed again, so that nothing hides behind a filler. With
or without it, every open call must have its leaf in every slot, chained to the one before, and calls
and NOTEs must be numbered without a gap: a call cannot be left out quietly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from memcon.errors import FormatError, UsageError
from memcon.record import slottree
from memcon.record.hashing import slot_key
from memcon.record.slottree import SLOTS_MAGIC, SlotRecord
from memcon.verify.findings import Report
from memcon.verify.slot_walk import SlotWalk, read_log

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from memcon.record.beat import Beat
    from memcon.verify.keys import Trust
    from memcon.verify.seen import Kept

SLOT_FILES = ".mcl"
KEY_SIZE = 32
Chosen: TypeAlias = "dict[int, tuple[SlotRecord, Beat]]"
"""By index: the record of a beat, and the beat."""


def read_records(report: Report, name: str, data: bytes) -> list[SlotRecord]:
    """The records of a file, each by itself: one that is damaged does not hide the next."""
    records: list[SlotRecord] = []
    if data[: len(SLOTS_MAGIC)] != SLOTS_MAGIC:
        report.add("slots-form", name, "does not begin as a file of slot records")
    at = len(SLOTS_MAGIC)
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        try:
            records += slottree.decode_slot_records(SLOTS_MAGIC + data[at:end])[0]
        except FormatError as error:
            report.add("slots-form", name, f"the record at byte {at}: {error}")
        at = end
    return records


def verify_slots(
    paths: Iterable[Path],
    log: str | Path,
    trusted: Trust | None = None,
    structure_key: bytes | None = None,
    *,
    seen: Iterable[Kept] = (),
    ended: set[int] | None = None,
    taken: set[str] | None = None,
) -> Report:
    """Check slot record files (or directories of them) against a log, which is checked first.

    `seen` are checkpoints kept from before; the numbers of the calls that ended are put into `ended`, the
    hashes (hex) of calls taken in that were sealed into `taken`.

    Raises UsageError if there is no such place, OSError or MachineError if one cannot be read.
    """
    if structure_key is not None and len(structure_key) != KEY_SIZE:
        raise UsageError(f"a structure key has {KEY_SIZE} bytes, this one {len(structure_key)}")
    files = _files(paths)
    report = Report(", ".join(str(path) for path in paths), "slots")
    read = read_log(report, log, trusted, seen)
    if read is None:
        report.headline = "The log has no checkpoint that can be read: no slot record was checked."
        return report
    found: list[tuple[str, SlotRecord]] = []
    for file in files:
        found += [(file.stem, record) for record in read_records(report, file.name, file.read_bytes())]
    walk = SlotWalk(report, read.origin)
    for record, beat in _choose(report, found, read.leaves).values():
        if structure_key is not None:
            walk.check_root(record, beat, slot_key(structure_key, record.index, record.slot))
        walk.take(record, beat)
    if structure_key is None:
        report.limits.append(
            "No structure key was given: that slots hold only what their records say is not checked"
        )
    walk.say(read.leaves, "slot record", whole=structure_key is not None)
    if ended is not None:
        ended |= walk.ended
    if taken is not None:
        taken |= walk.taken
    return report


def _files(paths: Iterable[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path} is not there")
        files += sorted(path.rglob(f"*{SLOT_FILES}")) if path.is_dir() else [path]
    return files


def _choose(report: Report, found: Sequence[tuple[str, SlotRecord]], leaves: Sequence[Beat | None]) -> Chosen:
    """One record for each beat. A crash may leave a record of which no beat came."""
    chosen: Chosen = {}
    for name, record in found:
        beat = leaves[record.index] if record.index < len(leaves) else None
        where = f"record of index {record.index}, slot {record.slot}"
        if beat is None:
            report.add("slots-stray", where, "the log has no such beat")
        elif record.index not in chosen:
            chosen[record.index] = record, beat
        else:
            keep = name == beat.instance.hex()
            report.add(
                "slots-stray", where, f"a second one; that of {name if keep else 'the other'} was taken"
            )
            if keep:
                chosen[record.index] = record, beat
    return dict(sorted(chosen.items()))
