"""An overseer's structure feed against the public log (FORMATS §19): no call left out, none cut, no content.

Each slot's root is computed from the slot key and the leaves in the file: what the beat commits to is
these leaves and nothing else. The rest is arithmetic over them (`slot_walk`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.errors import FormatError, UsageError
from memcon.record import structure
from memcon.record.slottree import SlotRecord
from memcon.verify.findings import Report
from memcon.verify.slot_walk import SlotWalk, read_log

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from memcon.record.structure import SlotStructure
    from memcon.verify.keys import Trust
    from memcon.verify.seen import Kept
    from memcon.verify.slot_walk import LogRead


def structure_files(
    paths: Iterable[Path], suffixes: tuple[str, ...] = (structure.OPENED_SUFFIX,)
) -> list[Path]:
    """The files of a feed in the order of the log, by what stands in them; `paths` may be directories.

    Raises UsageError where there is none.
    """
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path} is not there")
        found = [path]
        if path.is_dir():
            found = [one for one in path.iterdir() if one.suffix in suffixes and one.is_file()]
        if not found:
            raise UsageError(f"{path} has no file that ends in {' or '.join(suffixes)}")
        files += found
    return sorted(files, key=lambda path: (_first_index(path), path.name))


def _first_index(path: Path) -> bytes:
    """Where it begins, sealed or opened: a name is only what somebody has called it."""
    with path.open("rb") as file:
        return file.read(16)[8:]


def read_files(files: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of opened files, one at a time; UsageError for one that is still sealed."""
    for path in files:
        data = path.read_bytes()
        if data.startswith(structure.SEALED_MAGIC):
            raise UsageError(
                f"{path} is sealed to an overseer",
                cure="The overseer opens it with: memcon structure open --overseer-key FILE",
            )
        yield path.name, data


def verify_structure(
    files: Iterable[tuple[str, bytes]],
    log: str | Path,
    trusted: Trust | None = None,
    *,
    seen: Iterable[Kept] = (),
    target: str = "structure",
) -> Report:
    """Check opened structure files, in the order of the log, against the log, which is checked first.

    Raises UsageError if there is no such log, MachineError if it cannot be read.
    """
    report = Report(target, "structure")
    log_read = read_log(report, log, trusted, seen)
    if log_read is None:
        report.headline = "The log has no checkpoint that can be read: nothing was checked."
        return report
    walk = SlotWalk(report, log_read.origin)
    for name, data in files:
        try:
            _file(report, walk, log_read, name, data)
        except FormatError as error:
            report.add("structure-form", name, str(error))
    walk.say(log_read.leaves, "slot", whole=True)
    report.not_checked += [
        "What the calls hold, and who spoke: a structure has no content",
        "Whether a call went past the recorder",
    ]
    return report


def _file(report: Report, walk: SlotWalk, log: LogRead, name: str, data: bytes) -> None:
    head, slots = structure.read(data)
    if head.origin != log.origin:
        report.add("structure-origin", name, f"is of {head.origin!r}, the log is {log.origin!r}")
        return
    for one in slots:
        where = f"{name}, slot {one.slot}, beat {one.index}"
        beat = log.leaves[one.index] if one.index < len(log.leaves) else None
        if beat is None or one.index == 0:
            report.add("structure-beat", where, "the log has no such beat")
            return
        record = _record(report, where, one)
        walk.check_root(record, beat, one.key)
        if walk.last is None or one.index > walk.last:  # else given twice: its root is all there is to say
            walk.take(record, beat)


def _record(report: Report, where: str, slot: SlotStructure) -> SlotRecord:
    leaves = dict(slot.lanes)
    for n, (lane, _) in enumerate(slot.lanes[1:]):
        if lane == slot.lanes[n][0]:
            report.add("slots-lane", f"{where}, lane {lane}", "stands twice")
    return SlotRecord(slot.index, slot.slot, leaves)
