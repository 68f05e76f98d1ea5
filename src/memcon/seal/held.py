"""After a reboot: the keys that the run directory has lost, opened again by a custodian.

The journal key of each instance is wrapped to the custodians beside its journal, as call keys are beside
their calls. Who has a custodian's private seed can therefore give the run directory both back, and what
was journalled before the reboot is sealed by the same code as ever. Until then the calls that were open
are *held*: each has its leaf in every beat, which says that nothing new is known (`held_leaf`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.record import call
from memcon.record.config import hash_root
from memcon.record.hashing import sha256, tag
from memcon.record.slottree import decode_slot_records
from memcon.seal import custody
from memcon.seal.keys import read_secret
from memcon.seal.slots_file import calls_in
from memcon.store import durable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from memcon.seal.custody import Custodian
    from memcon.store.journal_reader import InstanceJournal
    from memcon.store.paths import Home

_WRAPS = re.compile(r"([0-9a-f]{32})\.wraps\.json")


@dataclass(frozen=True, slots=True)
class Unlocked:
    """What was given back: instances of capture in hex, call numbers; and what no seed at hand opens."""

    journals: tuple[str, ...]
    calls: tuple[int, ...]
    locked: tuple[str, ...]


def journal_handle(instance: bytes) -> bytes:
    """What the wraps of an instance's journal key are bound to, in the place of a call's handle."""
    return sha256(tag("journal") + instance)


def keep_wraps(home: Home, instance: bytes, key: bytes, custodians: Sequence[Custodian]) -> None:
    """Wrap an instance's journal key to the custodians, durably, once."""
    path = home.journal_wraps(instance)
    if not path.exists():
        durable.write_file(path, custody.wrap(key, journal_handle(instance), custodians))


def unlock(home: Home, seed: bytes) -> Unlocked:
    """Write every key that this custodian's seed opens and the run directory lacks.

    Raises MachineError where the disk refuses; wraps that are damaged or another's stay locked.
    """
    durable.make_dirs(home.run)
    journals, calls, locked = list[str](), list[int](), list[str]()
    for instance, wraps in _locked_journals(home):
        key = _open(wraps, journal_handle(instance), seed)
        if key is None:
            locked.append(f"journal {instance.hex()}")
        else:
            durable.write_file(home.journal_key(instance), key)
            journals.append(instance.hex())
    handles = _handles(home, _locked_calls(home))
    for number, handle in handles.items():
        key = _open(durable.read_bytes(home.work_open / str(number) / "wraps.json"), handle, seed)
        if key is None:
            locked.append(f"call {number}")
        else:
            durable.write_file(home.call_key(number), key)
            calls.append(number)
    return Unlocked(tuple(journals), tuple(calls), tuple(locked))


def unlock_here(home: Home) -> None:
    """At a start: what the embedded custodian opens, where its key is on this machine."""
    if home.local_custodian.exists():
        unlock(home, read_secret(home.local_custodian))


def ask_again(home: Home) -> None:
    """Tell the sealing process that keys have come."""
    durable.write_file(home.unlocked, b"", durable=False)


def asked_again(home: Home) -> bool:
    """Whether keys have come since this was last asked."""
    there = home.unlocked.exists()
    if there:
        durable.remove_file(home.unlocked)
    return there


def _locked_journals(home: Home) -> Iterator[tuple[bytes, bytes]]:
    for path in sorted(home.journal.glob("*.wraps.json")):
        match = _WRAPS.fullmatch(path.name)
        if match and not home.journal_key(bytes.fromhex(match[1])).exists():
            yield bytes.fromhex(match[1]), durable.read_bytes(path)


def _locked_calls(home: Home) -> set[int]:
    """Open calls with wraps and without a key."""
    found = (p.parent.name for p in home.work_open.glob("*/wraps.json"))
    return {int(name) for name in found if name.isdecimal() and not home.call_key(int(name)).exists()}


def _handles(home: Home, numbers: set[int]) -> dict[int, bytes]:
    """The handles of calls, from their first leaves in the slot records; newest days first."""
    found: dict[int, bytes] = {}
    for path in sorted(home.slots.glob("*/*.mcl"), reverse=True):
        if found.keys() >= numbers:
            break
        found |= _handles_in(path, numbers)
    return found


def _handles_in(path: Path, numbers: set[int]) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    records, _ = decode_slot_records(durable.read_bytes(path), torn_ok=True)
    for record in records:
        for number, (_, leaf) in calls_in(record.leaves).items():
            first = call.decode(leaf).first if number in numbers else None
            if first is not None:
                found[number] = first.handle
    return found


def _open(wraps: bytes, handle: bytes, seed: bytes) -> bytes | None:
    try:
        ids = custody.decode_wraps(wraps)
    except FormatError:
        return None
    for id_ in ids:
        try:
            return custody.unwrap(wraps, handle, id_, seed)
        except FormatError:
            continue  # another custodian's
    return None


def held_leaf(previous: bytes, slot: int, index: int, flags: int) -> bytes:
    """The leaf of a call whose keys are gone, from the one before alone: nothing new is known."""
    before = call.decode(previous)
    return replace(
        before,
        slot=slot,
        index=index,
        chain=call.chain_hash(previous),
        first_segment=before.first_segment + before.segments,
        segments=0,
        segment_root=hash_root([]),
        first_event=before.first_event + before.events,
        events=0,
        event_root=hash_root([]),
        streams=tuple(replace(stream, empty=bytes(16)) for stream in before.streams),
        first=None,
        last=None,
        flags=flags,
    ).encode()


class Held:
    """The calls of the log that no journal has given again, and the wraps of the journals that are read.

    `certain`: all journals have been read once; until then each call may be given yet.
    """

    def __init__(self, home: Home, known: dict[int, tuple[int, bytes]]) -> None:
        self._home = home
        self._calls = dict(known)
        self._wrapped: set[bytes] = set()
        self.certain = False

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Calls that can only be sealed further when a custodian has unlocked what a reboot took."""
        return tuple(sorted(self._calls)) if self.certain else ()

    def given(self, number: int) -> None:
        """A journal has given this call: it is sealed in the ordinary way."""
        self._calls.pop(number, None)

    def leaves(self, slot: int, index: int, flags: int) -> dict[int, bytes]:
        """Their leaves for a slot, by lane; late by definition."""
        for number, (lane, previous) in self._calls.items():
            self._calls[number] = lane, held_leaf(previous, slot, index, flags | call.FLAG_LATE)
        return dict(self._calls.values())

    def keep_wraps(self, instances: Sequence[InstanceJournal], custodians: Sequence[Custodian]) -> None:
        """Each instance's key is wrapped to the custodians while it is there: a reboot takes it."""
        for journal in instances:
            if journal.key is not None and journal.instance not in self._wrapped:
                key = durable.read_bytes(self._home.journal_key(journal.instance))
                keep_wraps(self._home, journal.instance, key, custodians)
                self._wrapped.add(journal.instance)
