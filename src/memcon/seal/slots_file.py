"""What each slot held, on the disk (FORMATS §13), and what is known again from it after a start.

A slot record is written and synced before its beat goes into the log: the log never holds a beat
whose leaves are lost. A record whose beat never came (a crash between the two) is cut off.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memcon.clock import utc
from memcon.errors import FormatError
from memcon.record import call, slottree
from memcon.store import durable
from memcon.store.durable import AppendFile

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.record.slottree import SlotLeaf, SlotRecord
    from memcon.store.paths import Home

SUFFIX = ".mcl"
_HANDLE = slice(200, 232)  # in a first leaf
_DAY = 10  # 2026-11-24


@dataclass(slots=True)
class Known:
    """What the log holds already, from the slot records on the disk.

    `records`: slots to be made again from the journal, in order. `numbers`: call handle -> number.
    `ended`: numbers of calls whose last leaf is in the log. `open`: number -> lane and leaf of calls
    in the last record that have not ended. `last`: the newest slot leaf.
    """

    records: deque[SlotRecord] = field(default_factory=deque)
    numbers: dict[bytes, int] = field(default_factory=dict)
    firsts: dict[int, bytes] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)
    open: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    last: SlotLeaf | None = None


def call_head(leaf: bytes) -> tuple[int, int]:
    """(form, call number) of a call leaf."""
    return leaf[8], int.from_bytes(leaf[16:24], "big")


def calls_in(leaves: dict[int, bytes]) -> dict[int, tuple[int, bytes]]:
    """Call number -> (lane, leaf) in one slot."""
    return {call_head(leaf)[1]: (lane, leaf) for lane, leaf in leaves.items() if leaf.startswith(call.MAGIC)}


class SlotsFile:
    """Appends slot records, one file per day and instance."""

    def __init__(self, home: Home) -> None:
        self._root = home.slots
        self._file: AppendFile | None = None

    def append(self, start_ns: int, instance: bytes, record: bytes) -> None:
        """Write one record durably; `start_ns` is the slot's start."""
        path = self._root / utc(start_ns)[:_DAY] / f"{instance.hex()}{SUFFIX}"
        if self._file is None or self._file.path != path:
            self.close()
            durable.make_dirs(path.parent)
            self._file = AppendFile(path)
            if self._file.size == 0:
                self._file.write(slottree.SLOTS_MAGIC)
        self._file.write(record)
        self._file.sync()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def load(self, size: int, since_ns: int) -> Known:
        """What is known of a log of `size` beats: all slots from `since_ns` on, and the last one.

        Cuts torn records and those whose beat is not in the log. Raises FormatError where the last
        beat's record is missing (without it, call numbers could not go on densely).
        """
        known = Known()
        records: dict[int, SlotRecord] = {}
        since_day = utc(max(0, since_ns))[:_DAY]
        for day in sorted(self._days(), reverse=True):
            if day.name < since_day and (size - 1 in records or size <= 1):
                break
            for path in sorted(day.glob(f"*{SUFFIX}")):
                records |= {r.index: r for r in self._read(path, size)}
        if size > 1 and size - 1 not in records:
            raise FormatError(
                "slots",
                f"the record of beat {size - 1} is not there",
                where=str(self._root),
                cure="restore the slots directory from the vault's slot objects",
            )
        for _, record in sorted(records.items()):
            _take(known, record)
        return known

    def _days(self) -> list[Path]:
        if not self._root.is_dir():
            return []
        return [p for p in self._root.iterdir() if p.is_dir() and len(p.name) == _DAY]

    def _read(self, path: Path, size: int) -> list[SlotRecord]:
        data = durable.read_bytes(path)
        if len(data) < len(slottree.SLOTS_MAGIC):
            durable.remove_file(path)
            return []
        records, end = slottree.decode_slot_records(data, torn_ok=True)
        kept = [r for r in records if r.index < size]
        if len(kept) < len(records):
            # records stand in the order of their index: what is beyond the log is a tail
            end = len(slottree.SLOTS_MAGIC) + sum(
                len(slottree.encode_slot_record(r.index, r.slot, r.leaves)) for r in kept
            )
        if end < len(data):
            with AppendFile(path) as file:
                file.truncate(end)
        return kept


def _take(known: Known, record: SlotRecord) -> None:
    known.records.append(record)
    known.last = slottree.decode_slot_leaf(record.leaves[0])
    known.open = {}
    for number, (lane, leaf) in calls_in(record.leaves).items():
        form, _ = call_head(leaf)
        if form & call.FORM_FIRST:
            known.numbers[leaf[_HANDLE]] = number
            known.firsts[number] = leaf
        if form & call.FORM_LAST:
            known.ended.add(number)
        else:
            known.open[number] = (lane, leaf)
