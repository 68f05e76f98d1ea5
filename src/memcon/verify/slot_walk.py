"""The structure of a log's slots in order: of slot records or of a structure feed (FORMATS §3, §4).

Each open call has its leaf in every slot, in its one lane, chained to the one before and counting on from
it; calls and NOTEs are numbered without a gap; lane 0 says how many there are. Content is not needed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from memcon.errors import FormatError
from memcon.record import beat as beats
from memcon.record import call as calls
from memcon.record import slottree
from memcon.record.intake import NOTE_INTAKE
from memcon.verify.calls import check_counts
from memcon.verify.clocks import CallClock
from memcon.verify.keys import Trust, read_checkpoint
from memcon.verify.log import LogCheck
from memcon.verify.sources import open_source
from memcon.verify.words import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from memcon.record.beat import Beat
    from memcon.record.call import CallLeaf
    from memcon.record.slottree import SlotRecord
    from memcon.verify.findings import Report
    from memcon.verify.seen import Kept


class LogRead(NamedTuple):
    """A log that was checked: its name, and its beats by index, None where one cannot be read."""

    origin: str
    leaves: list[Beat | None]


def read_log(
    report: Report, log: str | Path, trusted: Trust | None, seen: Iterable[Kept] = ()
) -> LogRead | None:
    """Check the log that slots are held against; None where it has no checkpoint.

    Raises UsageError if there is no such place and MachineError if it cannot be read.
    """
    trusted = trusted or Trust()
    source = open_source(log)
    signed = read_checkpoint(report, source.fetch("checkpoint"), trusted)
    if signed is None:
        return None
    check = LogCheck(report, source, signed, trusted, None, seen)
    check.run()
    return LogRead(
        signed.checkpoint.origin, [None if entry is None else _beat(entry) for entry in check.entries]
    )


def _beat(entry: bytes) -> Beat | None:
    try:
        return beats.decode(entry)
    except FormatError:
        return None  # the log's own check reports it


class _Open(NamedTuple):
    """A call that has not ended: where its latest leaf stood, and its clock where its first was seen."""

    lane: int
    leaf: CallLeaf
    chain: bytes
    clock: CallClock | None


@dataclass(slots=True)
class _Slot:
    """One slot under the walk: whose lanes were held when it began, and what stands in it."""

    record: SlotRecord
    beat: Beat
    held: dict[int, int]
    begun: list[int] = field(default_factory=list)
    notes: list[int] = field(default_factory=list)
    followed: set[int] = field(default_factory=set)
    lanes: dict[int, int] = field(default_factory=dict)

    @property
    def where(self) -> str:
        return f"slot {self.record.slot}, beat {self.record.index}"


@dataclass(slots=True)
class SlotWalk:
    """Takes slots in the order of the log, with the beats they belong to; finds what does not add up."""

    report: Report
    origin: str
    slots: int = 0
    roots: int = 0
    first: int | None = None
    last: int | None = None
    begun: int = 0
    ended: set[int] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)
    """Hashes (hex) that NOTEs of calls taken in name."""
    next_call: int = 1
    next_note: int = 1
    _open: dict[int, _Open] = field(default_factory=dict)
    _handles: dict[bytes, int] = field(default_factory=dict)
    _known: bool = False
    """Whether the slot before this one was seen too, so that what was open is known."""

    @property
    def open(self) -> int:
        """Calls that have not ended."""
        return len(self._open)

    def check_root(self, record: SlotRecord, beat: Beat, slot_key: bytes) -> None:
        """Whether the leaves, and nothing else, make the root in the public beat."""
        root = slottree.SlotTree(slot_key, record.leaves).root
        if (
            beats.wrap_slot_root(self.origin, record.index, record.slot, slottree.DEPTH, root)
            == beat.slot_root
        ):
            self.roots += 1
        else:
            where = f"slot {record.slot}, beat {record.index}"
            self.report.add("slots-root", where, "its leaves lead to another root than its beat has")

    def take(self, record: SlotRecord, beat: Beat) -> None:
        """Check the next slot against those before it."""
        index = record.index
        self._known = index == 1 or (self.last is not None and index == self.last + 1)
        if not self._known:
            self._open.clear()
        if self.last is not None and index > self.last + 1:
            missing = f"{self.last + 1} to {index - 1}"
            self.report.add("slots-missing", f"beats {missing}", "there is no slot record of them")
        self.first = index if self.first is None else self.first
        self.last = index
        self.slots += 1
        self._slot(_Slot(record, beat, {one.lane: number for number, one in self._open.items()}))

    def _slot(self, slot: _Slot) -> None:
        record, where = slot.record, slot.where
        if record.slot != slot.beat.slot:
            self.report.add("slots-leaf", where, f"its beat is of slot {slot.beat.slot}")
        for lane, leaf in record.leaves.items():
            if lane:
                try:
                    self._lane(slot, lane, leaf)
                except FormatError as error:
                    self.report.add("slots-leaf", f"{where}, lane {lane}", str(error))
        here = slot.followed | set(slot.begun)
        if self._known:
            for number in sorted(set(self._open) - here):
                self.report.add("slots-cut", where, f"call {number} is open and has no leaf")
        self._numbers(slot, len(here))

    def _lane(self, slot: _Slot, lane: int, leaf: bytes) -> None:
        where = f"{slot.where}, lane {lane}"
        holder = slot.held.get(lane)
        if leaf[: len(slottree.NOTE_MAGIC)] == slottree.NOTE_MAGIC:
            note = slottree.decode_note_leaf(leaf)
            place = note.index, note.slot, note.lane
            slot.notes.append(note.number)
            if note.type == NOTE_INTAKE:
                self.taken.add(note.object_hash.hex())
            if holder is not None:
                self.report.add("slots-lane", where, f"holds a NOTE, and is the lane of call {holder}")
        else:
            call = calls.decode(leaf)
            place = call.index, call.slot, call.lane
            if holder not in (None, call.number):
                self.report.add(
                    "slots-lane", where, f"holds call {call.number}, and is that of call {holder}"
                )
            if (other := slot.lanes.setdefault(call.number, lane)) != lane:
                self.report.add("slots-lane", where, f"call {call.number} stands in lane {other} too")
            if call.first is not None:
                slot.begun.append(call.number)
            else:
                slot.followed.add(call.number)
            self._call(where, slot.beat, lane, call, leaf)
        if place != (slot.record.index, slot.record.slot, lane):
            self.report.add("slots-leaf", where, "says that it stands in another place")

    def _call(self, where: str, beat: Beat, lane: int, call: CallLeaf, leaf: bytes) -> None:
        """One call's leaf: it follows the one before, and counts on from it."""
        before = self._open.pop(call.number, None)
        where = f"{where}, call {call.number}"
        clock = None if before is None else before.clock
        if call.first is not None:
            before = None
            clock = CallClock(call.first.start_wall)
            self.begun += 1
            other = self._handles.setdefault(call.first.handle, call.number)
            if other != call.number:
                self.report.add("slots-twin", where, f"has the handle of call {other}")
        elif self._known and (before is None or (before.lane, before.chain) != (lane, call.chain)):
            self.report.add("slots-cut", where, "does not follow its leaf in the slot before")
        if call.first is not None or before is not None:
            check_counts(self.report, where, None if before is None else before.leaf, call)
        if clock is not None:
            clock.take(self.report, where, call, beat)
        if call.last is not None:
            self.ended.add(call.number)
        else:
            self._open[call.number] = _Open(lane, call, calls.chain_hash(leaf), clock)

    def _numbers(self, slot: _Slot, here: int) -> None:
        record, where = slot.record, f"{slot.where}, lane 0"
        try:
            says = slottree.decode_slot_leaf(record.leaves.get(0, b""))
        except FormatError as error:
            self.report.add("slots-leaf", where, str(error))
            return
        if (says.slot, says.index) != (record.slot, record.index):
            self.report.add("slots-leaf", where, f"says that it is of slot {says.slot}, beat {says.index}")
        if (says.calls, says.notes) != (here, len(slot.notes)):
            text = f"says {says.calls} calls and {says.notes} NOTEs; there are {here} and {len(slot.notes)}"
            self.report.add("slots-count", where, text)
        if self._known:
            self._dense(slot.where, "call", slot.begun, self.next_call, says.next_call)
            self._dense(slot.where, "NOTE", slot.notes, self.next_note, says.next_note)
        self.next_call, self.next_note = says.next_call, says.next_note

    def _dense(self, where: str, kind: str, new: list[int], due: int, then: int) -> None:
        if sorted(new) != list(range(due, due + len(new))) or then != due + len(new):
            text = f"{kind}s {sorted(new)} are new, {kind} {due} was due, {then} is named as the next"
            self.report.add("slots-number", where, text)

    def say(self, leaves: Sequence[Beat | None], what: str, *, whole: bool) -> None:
        """What was checked, in the report; `whole`: the roots were computed again."""
        report = self.report
        if whole:
            report.checked.append(
                f"{self.roots} of {count(self.slots, what)} lead to the roots in their beats"
            )
        report.checked.append(
            f"{count(self.slots, what)} for {count(max(len(leaves) - 1, 0), 'beat')} were read"
        )
        first, last = (len(leaves), 0) if self.first is None or self.last is None else (self.first, self.last)
        outside = sum(leaf is not None and (n < first or n > last) for n, leaf in enumerate(leaves) if n)
        if outside:
            text = f"{count(outside, 'beat')} of the log, before or after those with {what}s, "
            report.limits.append(f"{text}were not looked into: calls in them would not show")
        report.facts["slots with a record"] = self.slots
        report.facts["calls begun, ended, open at the end"] = [self.begun, len(self.ended), self.open]
        report.facts["NOTEs in all"] = self.next_note - 1
        if report.ok:
            tail = ", and nothing else is in them" if whole else ""
            report.headline = (
                f"Every call in {count(self.slots, 'slot')} has its leaf in each slot of its life{tail}."
            )
        else:
            report.headline = f"The slots and their log have {count(sum(report.counts.values()), 'finding')}."
