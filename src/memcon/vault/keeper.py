"""From `work/done` to the vault: one OCFL object per call, one per day of slots.

**Order for a call.** Wait until the log's checkpoint covers the call's last leaf; write the object, with
the call's beats and their inclusion proofs into that checkpoint; only when the object stands is the work
directory removed. Killed anywhere, the next run meets either no object (and makes it) or the object and
what is left of the work directory (and compares, then removes).

A vault that cannot be written does not stop anything: calls go to the fallback storage root, where they
are whole objects too, and every later run tries to bring them home.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from datetime import date
from typing import TYPE_CHECKING

from memcon.clock import utc
from memcon.errors import FormatError, MachineError, MemconError, UsageError
from memcon.record.call import decode as decode_leaf
from memcon.record.call import read_leaves
from memcon.record.opened import ProvenBeat, encode_beats
from memcon.store import durable
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.note import Note
from memcon.tlog.tiles import TileReader
from memcon.vault.inventory import User
from memcon.vault.ocfl import StorageRoot

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from memcon.clock import Clock
    from memcon.store.paths import Home

AT_ONCE = 4
"""Calls stored at once: the disk takes their syncs together."""
WORK_FILES = ("media.mcs", "events.mce", "leaves.mcl", "record.mcr", "wraps.json", "custodians.json")
"""What a work directory holds at its end (ARCHITECTURE)."""


def call_id(origin: str, number: int) -> str:
    """The object id of a call of the log `origin`."""
    return f"{prefix_of(origin)}:call:{number}"


def slots_id(origin: str, day: str) -> str:
    """The object id of one day's slot records, `day` as YYYY-MM-DD."""
    return f"{prefix_of(origin)}:slots:{day}"


def prefix_of(origin: str) -> str:
    """What the ids of all objects of the log `origin` begin with."""
    return f"urn:memcon:{hashlib.sha256(origin.encode()).hexdigest()[:16]}"


@dataclass(slots=True)
class Outcome:
    """What one run did: numbers of calls kept, waiting for the log, in the fallback; ids brought home."""

    kept: list[int] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    fallback: list[int] = field(default_factory=list)
    brought_home: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        """Take what another run did into this one."""
        for own in fields(self):
            getattr(self, own.name).extend(getattr(other, own.name))


class Keeper:
    """Fills the vault of one home. One keeper at a time; `find` may be asked by anyone."""

    def __init__(self, home: Home, origin: str, clock: Clock, fallback: Path | None = None) -> None:
        self._home = home
        self._origin = origin
        self._clock = clock
        self._fallback = fallback
        self._user = User("memcon", prefix_of(origin))
        self._days: set[str] = set()

    def sweep(self) -> None:
        """Remove what a crash left half stored; once, by the only process that stores, before it does."""
        for root in self._roots():
            root.sweep()

    def keep_done(self) -> Outcome:
        """Put every call that is ready into the vault; never raises for one call's sake."""
        outcome = Outcome()
        self._bring_home(outcome)
        done = self._home.work_done
        numbers = sorted(int(p.name) for p in done.glob("*") if p.name.isdecimal()) if done.is_dir() else []
        with ThreadPoolExecutor(min(AT_ONCE, max(1, len(numbers))), "keep") as pool:
            for own in pool.map(self._keep_one, numbers):
                outcome.add(own)
        return outcome

    def _keep_one(self, number: int) -> Outcome:
        outcome, work = Outcome(), self._home.work_done / str(number)
        try:
            with durable.machine_errors(work, "keeping"):
                self._keep(number, outcome)
        except MemconError as error:
            outcome.problems.append(f"call {number}: {error}")
        return outcome

    def keep_slots(self, *, stopping: bool = False) -> Outcome:
        """A version of each day's slot records once the day is over, or now when the recorder stops."""
        outcome = Outcome()
        today = utc(self._clock.wall_ns())[:10]
        for directory in sorted(self._home.slots.glob("*/")):
            day = directory.name
            if not _is_day(day) or day in self._days or (day >= today and not stopping):
                continue
            try:
                with durable.machine_errors(directory, "keeping"):
                    self._keep_day(day, directory)
            except MemconError as error:
                outcome.problems.append(f"slots of {day}: {error}")
                continue
            if day < today:
                self._days.add(day)
        return outcome

    def find(self, number: int) -> dict[str, Path]:
        """{file name: path} of a call, in the vault, the fallback or still in `work/done`.

        Raises UsageError when none of them has it.
        """
        object_id = call_id(self._origin, number)
        for root in self._roots():
            if root.has(object_id):
                return root.files(object_id)
        work = self._home.work_done / str(number)
        if work.is_dir():
            return {path.name: path for path in sorted(work.iterdir())}
        raise UsageError(
            f"call {number} is not in the vault", cure="A call gets there after its last beat is in the log"
        )

    def numbers(self) -> list[int]:
        """The numbers of the calls in vault and fallback, in order."""
        prefix = call_id(self._origin, 0)[:-1]
        roots = [root for root in self._roots() if root.path.exists()]
        ids = [id_ for root in roots for id_ in root.object_ids() if id_.startswith(prefix)]
        return sorted({int(id_.removeprefix(prefix)) for id_ in ids})

    def _roots(self) -> list[StorageRoot]:
        paths = [self._home.vault, *([self._fallback] if self._fallback else [])]
        return [StorageRoot(path) for path in paths]

    def _keep(self, number: int, outcome: Outcome) -> None:
        work = self._home.work_done / str(number)
        object_id = call_id(self._origin, number)
        for root in self._roots():
            if root.has(object_id):
                _compare(root, object_id, work)
                durable.remove_tree(work)
                outcome.kept.append(number)
                return
        files = self._files(number, work)
        if files is None:
            outcome.waiting.append(number)
            return
        message = f"Call {number}, sealed"
        if self._store(object_id, files, message, outcome):
            outcome.kept.append(number)
        else:
            outcome.fallback.append(number)
        durable.remove_tree(work)

    def _files(self, number: int, work: Path) -> dict[str, Path | bytes] | None:
        """The object's files, or None while the log does not cover the call's last leaf."""
        missing = [name for name in WORK_FILES if not (work / name).is_file()]
        if missing:
            raise FormatError(str(work), f"lacks {', '.join(missing)}")
        leaves = list(read_leaves(durable.read_bytes(work / "leaves.mcl"), number))
        if not leaves or decode_leaf(leaves[-1].leaf).last is None:
            raise FormatError(str(work / "leaves.mcl"), "does not end in the call's last leaf")
        note = durable.read_bytes(self._home.checkpoint)
        size = Checkpoint.parse(Note.parse(note).text).size
        if size <= leaves[-1].index:
            return None
        beats = self._beats(size, leaves[0].index, leaves[-1].index)
        return {**{name: work / name for name in WORK_FILES}, "beats.mcb": beats, "checkpoint": note}

    def _beats(self, size: int, first: int, last: int) -> bytes:
        reader = TileReader(lambda path: durable.read_if_there(self._home.log / path), size)
        indexes = list(dict.fromkeys([0, *range(first, last + 1)]))
        leaves = [next(reader.entries(0, 1)), *reader.entries(max(first, 1), last + 1)]
        proven = [
            ProvenBeat(index, leaf, tuple(reader.inclusion_proof(index)))
            for index, leaf in zip(indexes, leaves, strict=True)
        ]
        return encode_beats(size, proven)

    def _store(
        self, object_id: str, files: Mapping[str, Path | bytes], message: str, outcome: Outcome
    ) -> bool:
        """Into the vault (True) or else the fallback (False); raises MachineError if neither took it."""
        created = utc(self._clock.wall_ns())
        try:
            root = StorageRoot.create(self._home.vault)
            root.add_object(object_id, files, message=message, user=self._user, created=created)
        except MachineError as error:
            if self._fallback is None:
                raise
            outcome.problems.append(f"{object_id} goes to the fallback: {error}")
            root = StorageRoot.create(self._fallback)
            root.add_object(object_id, files, message=message, user=self._user, created=created)
            return False
        return True

    def _bring_home(self, outcome: Outcome) -> None:
        """Move what a former run left in the fallback into the vault, object by object."""
        if self._fallback is None or not self._fallback.is_dir():
            return
        fallback = StorageRoot(self._fallback)
        for object_id in list(fallback.object_ids()):
            try:
                with durable.machine_errors(self._fallback, "emptying the fallback"):
                    self._move(fallback, object_id)
            except MemconError as error:
                outcome.problems.append(f"{object_id} stays in the fallback: {error}")
                return
            outcome.brought_home.append(object_id)

    def _move(self, fallback: StorageRoot, object_id: str) -> None:
        vault = StorageRoot.create(self._home.vault)
        version = fallback.inventory(object_id).version()
        if not vault.has(object_id):
            files = fallback.files(object_id)
            vault.add_object(
                object_id, files, message=version.message, user=version.user, created=version.created
            )
        if vault.inventory(object_id).version().state != version.state:
            raise FormatError(object_id, "the vault holds other bytes than the fallback")
        fallback.remove_object(object_id)

    def _keep_day(self, day: str, directory: Path) -> None:
        object_id = slots_id(self._origin, day)
        files: dict[str, Path | bytes] = {path.name: path for path in sorted(directory.glob("*.mcl"))}
        root = StorageRoot.create(self._home.vault)
        if not files or (root.has(object_id) and _same_sizes(root.files(object_id), directory)):
            return
        created, message = utc(self._clock.wall_ns()), f"Slots of {day}"
        if root.has(object_id):
            root.add_version(object_id, files, message=message, user=self._user, created=created)
        else:
            root.add_object(object_id, files, message=message, user=self._user, created=created)


def _is_day(name: str) -> bool:
    try:
        return date.fromisoformat(name).isoformat() == name
    except ValueError:
        return False


def _same_sizes(kept: Mapping[str, Path], directory: Path) -> bool:
    """Slot files only grow: equal names and sizes are equal files."""
    here = {path.name: path.stat().st_size for path in directory.glob("*.mcl")}
    return here == {name: path.stat().st_size for name, path in kept.items()}


def _compare(root: StorageRoot, object_id: str, work: Path) -> None:
    """Raise FormatError if a file left in the work directory differs from the object's."""
    state = root.inventory(object_id).version().state
    for path in sorted(work.iterdir()):
        if state.get(path.name) != hashlib.sha512(durable.read_bytes(path)).hexdigest():
            raise FormatError(
                str(path),
                f"differs from the object {object_id} that stands already; both were kept",
                cure="Compare them with memcon verify and remove the wrong one",
            )
