"""Slot records against the log's beats (FORMATS §3 and §13): the structure of every slot, no content.

With the structure key each slot's root is computed again, so that nothing hides behind a filler. With
or without it, every open call must have its leaf in every slot, chained to the one before, and calls
and NOTEs must be numbered without a gap: a call cannot be left out quietly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from memcon.errors import FormatError, UsageError
from memcon.record import beat as beats
from memcon.record import call as calls
from memcon.record import slottree
from memcon.record.hashing import slot_key
from memcon.record.slottree import SLOTS_MAGIC, SlotRecord
from memcon.verify.calls import check_counts
from memcon.verify.clocks import CallClock
from memcon.verify.findings import Report
from memcon.verify.keys import Trust, read_checkpoint
from memcon.verify.log import LogCheck
from memcon.verify.sources import open_source
from memcon.verify.words import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from memcon.record.beat import Beat
    from memcon.record.call import CallLeaf
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
) -> Report:
    """Check slot record files (or directories of them) against a log, which is checked first.

    `seen` are checkpoints kept from before; the numbers of the calls that ended are put into `ended`.

    Raises UsageError if there is no such place, OSError or MachineError if one cannot be read.
    """
    if structure_key is not None and len(structure_key) != KEY_SIZE:
        raise UsageError(f"a structure key has {KEY_SIZE} bytes, this one {len(structure_key)}")
    trusted = trusted or Trust()
    files = _files(paths)
    report = Report(", ".join(str(path) for path in paths), "slots")
    source = open_source(log)
    signed = read_checkpoint(report, source.fetch("checkpoint"), trusted)
    if signed is None:
        report.headline = "The log has no checkpoint that can be read: no slot record was checked."
        return report
    check = LogCheck(report, source, signed, trusted, None, seen)
    check.run()
    leaves = [None if entry is None else _beat(entry) for entry in check.entries]
    found: list[tuple[str, SlotRecord]] = []
    for file in files:
        found += [(file.stem, record) for record in read_records(report, file.name, file.read_bytes())]
    run = _Run(report, signed.checkpoint.origin, structure_key)
    run.check(_choose(report, found, leaves), leaves)
    if ended is not None:
        ended |= run.ended
    return report


def _files(paths: Iterable[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path} is not there")
        files += sorted(path.rglob(f"*{SLOT_FILES}")) if path.is_dir() else [path]
    return files


def _beat(entry: bytes) -> Beat | None:
    try:
        return beats.decode(entry)
    except FormatError:
        return None  # the log's own check reports it


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


class _Open(NamedTuple):
    """A call that has not ended: where its latest leaf stood, and its clock where its first was seen."""

    lane: int
    leaf: CallLeaf
    chain: bytes
    clock: CallClock | None


@dataclass(slots=True)
class _Run:
    """Walks the records in the order of the log."""

    report: Report
    origin: str
    key: bytes | None
    open: dict[int, _Open] = field(default_factory=dict)
    handles: dict[bytes, int] = field(default_factory=dict)
    known: bool = False
    next_call: int = 1
    next_note: int = 1
    begun: int = 0
    ended: set[int] = field(default_factory=set)
    roots: int = 0

    def check(self, records: Chosen, leaves: Sequence[Beat | None]) -> None:
        """Check all records and say so."""
        before: int | None = None
        for index, (record, beat) in records.items():
            self.known = (before is not None and index == before + 1) or index == 1
            if not self.known:
                self.open.clear()
            if before is not None and index > before + 1:
                missing = f"{before + 1} to {index - 1}"
                self.report.add("slots-missing", f"beats {missing}", "there is no slot record of them")
            self._slot(record, beat)
            before = index
        self._say(records, leaves)

    def _slot(self, record: SlotRecord, beat: Beat) -> None:
        where = f"slot {record.slot}, beat {record.index}"
        if record.slot != beat.slot:
            self.report.add("slots-leaf", where, f"its beat is of slot {beat.slot}")
        if self.key is not None:
            key = slot_key(self.key, record.index, record.slot)
            root = slottree.SlotTree(key, record.leaves).root
            made = beats.wrap_slot_root(self.origin, record.index, record.slot, slottree.DEPTH, root)
            self.roots += made == beat.slot_root
            if made != beat.slot_root:
                self.report.add("slots-root", where, "its leaves lead to another root than its beat has")
        begun: list[int] = []
        notes: list[int] = []
        followed: set[int] = set()
        for lane, leaf in record.leaves.items():
            if lane:
                try:
                    self._lane(record, beat, lane, leaf, begun, notes, followed)
                except FormatError as error:
                    self.report.add("slots-leaf", f"{where}, lane {lane}", str(error))
        if self.known:
            for number in sorted(set(self.open) - followed - set(begun)):
                self.report.add("slots-cut", where, f"call {number} is open and has no leaf")
        self._numbers(record, where, begun, notes, len(followed | set(begun)))

    def _lane(
        self,
        record: SlotRecord,
        beat: Beat,
        lane: int,
        leaf: bytes,
        begun: list[int],
        notes: list[int],
        followed: set[int],
    ) -> None:
        where = f"slot {record.slot}, beat {record.index}, lane {lane}"
        if leaf[: len(slottree.NOTE_MAGIC)] == slottree.NOTE_MAGIC:
            note = slottree.decode_note_leaf(leaf)
            place = note.index, note.slot, note.lane
            notes.append(note.number)
        else:
            call = calls.decode(leaf)
            place = call.index, call.slot, call.lane
            (begun.append if call.first is not None else followed.add)(call.number)
            self._call(where, beat, lane, call, leaf)
        if place != (record.index, record.slot, lane):
            self.report.add("slots-leaf", where, "says that it stands in another place")

    def _call(self, where: str, beat: Beat, lane: int, call: CallLeaf, leaf: bytes) -> None:
        """One call's leaf: it follows the one before, and counts on from it."""
        before = self.open.pop(call.number, None)
        where = f"{where}, call {call.number}"
        clock = None if before is None else before.clock
        if call.first is not None:
            before = None
            clock = CallClock(call.first.start_wall)
            self.begun += 1
            other = self.handles.setdefault(call.first.handle, call.number)
            if other != call.number:
                self.report.add("slots-twin", where, f"has the handle of call {other}")
        elif self.known and (before is None or (before.lane, before.chain) != (lane, call.chain)):
            self.report.add("slots-cut", where, "does not follow its leaf in the slot before")
        if call.first is not None or before is not None:
            check_counts(self.report, where, None if before is None else before.leaf, call)
        if clock is not None:
            clock.take(self.report, where, call, beat)
        if call.last is not None:
            self.ended.add(call.number)
        else:
            self.open[call.number] = _Open(lane, call, calls.chain_hash(leaf), clock)

    def _numbers(self, record: SlotRecord, where: str, begun: list[int], notes: list[int], held: int) -> None:
        try:
            says = slottree.decode_slot_leaf(record.leaves.get(0, b""))
        except FormatError as error:
            self.report.add("slots-leaf", f"{where}, lane 0", str(error))
            return
        if (says.slot, says.index, says.calls, says.notes) != (record.slot, record.index, held, len(notes)):
            text = f"says {says.calls} calls and {says.notes} NOTEs of slot {says.slot}"
            self.report.add("slots-leaf", f"{where}, lane 0", f"{text}; there are {held} and {len(notes)}")
        for kind, numbers, start, end in (
            ("call", begun, self.next_call, says.next_call),
            ("NOTE", notes, self.next_note, says.next_note),
        ):
            if self.known and (
                sorted(numbers) != list(range(start, start + len(numbers))) or end != start + len(numbers)
            ):
                text = (
                    f"{kind}s {sorted(numbers)} are new, {kind} {start} was due, {end} is named as the next"
                )
                self.report.add("slots-number", where, text)
        self.next_call, self.next_note = says.next_call, says.next_note

    def _say(self, records: Chosen, leaves: Sequence[Beat | None]) -> None:
        report = self.report
        total = len(records)
        if self.key is None:
            report.limits.append(
                "No structure key was given: that slots hold only what their records say is not checked"
            )
        else:
            report.checked.append(
                f"{self.roots} of {count(total, 'slot record')} lead to the roots in their beats"
            )
        report.checked.append(
            f"{count(total, 'slot record')} for {count(max(len(leaves) - 1, 0), 'beat')} were read"
        )
        lacking = [n for n, leaf in enumerate(leaves) if n and leaf is not None and n not in records]
        outside = [n for n in lacking if not records or n < min(records) or n > max(records)]
        if outside:
            text = f"{count(len(outside), 'beat')} of the log, before or after those with slot records, "
            report.limits.append(f"{text}were not looked into: calls in them would not show")
        report.facts["slots with a record"] = total
        report.facts["calls begun, ended, open at the end"] = [self.begun, len(self.ended), len(self.open)]
        report.facts["NOTEs in all"] = self.next_note - 1
        if report.ok:
            tail = "" if self.key is None else ", and nothing else is in them"
            report.headline = (
                f"Every call in {count(total, 'slot')} has its leaf in each slot of its life{tail}."
            )
        else:
            report.headline = f"The slots and their log have {count(sum(report.counts.values()), 'finding')}."
