"""What of the journal may go: files whose calls are all handed over, oldest first; and of older files that
open calls still need, what came for others."""

from __future__ import annotations

import contextlib
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeAlias

from memcon.errors import MemconError
from memcon.seal.trimming import SUFFIX, Needed, Trim
from memcon.store import durable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from memcon.store.journal_reader import InstanceJournal, JournalReader
    from memcon.store.paths import Home

_File: TypeAlias = tuple[bytes, int]

NEWEST = 2
"""Files of an instance that stay as they are: a successor of capture reads in them."""
STEP_BYTES = 4 << 20
"""Read and written again in one go, while nothing else is to do."""
LEAST_BYTES = 1 << 20
"""A file smaller than this is not worth it."""


class JournalFiles:
    """Keeps account of which calls have something in which file."""

    def __init__(self, home: Home, reader: JournalReader) -> None:
        self._home = home
        self._reader = reader
        self._calls: dict[_File, set[int]] = {}
        self._had: dict[_File, int] = {}  # how many calls had something in it, when it was last written
        self._names: dict[bytes, dict[int, tuple[str, frozenset[int]]]] = {}
        """How an instance calls the open calls: by number its key and its media handles."""
        self._now: _File | None = None
        self._trim: Trim | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._finishing: Future[None] | None = None
        self.trimmed = 0
        """Files written again so far."""
        for folder in home.journal_folders:
            if folder.is_dir():
                for path in folder.glob(f"*{SUFFIX}"):  # of one that was killed
                    durable.remove_file(path)

    def reading(self, instance: bytes, number: int, open_calls: Collection[int]) -> None:
        """A frame of this file is read; every call that is open may have something in it."""
        if self._now != (instance, number):
            self._now = (instance, number)
            self._calls[self._now] = set(open_calls)
            self._had[self._now] = len(open_calls)

    def opened(self, instance: bytes, number: int) -> None:
        """A call begins in the file being read."""
        if self._now is not None and self._now[0] == instance and number not in self._calls[self._now]:
            self._calls[self._now].add(number)
            self._had[self._now] += 1

    def named(self, instance: bytes, said: tuple[str, int, Iterable[int]] | None) -> None:
        """In this instance's journal a call has this key, number and media handles."""
        if said is not None:
            key, number, handles = said
            self._names.setdefault(instance, {})[number] = key, frozenset(handles)

    def sealed(self, number: int) -> None:
        """A call stands in `work/done`, synced."""
        for calls in self._calls.values():
            calls.discard(number)
        for names in self._names.values():
            names.pop(number, None)

    def delete_sealed(self) -> None:
        """Remove files without open calls, up to the one being read; the newest of all stays."""
        if self._trim is not None or self._finishing is not None:
            return
        for position, instance in enumerate(self._reader.instances):
            last = position == len(self._reader.instances) - 1
            if instance.key is None:
                continue  # a custodian may unlock it yet
            for number in sorted(instance.files):
                file = (instance.instance, number)
                newest = last and number == max(instance.files)
                if newest or file == self._now or self._calls.get(file, {0}):
                    return
                durable.remove_file(instance.files.pop(number))
                del self._calls[file], self._had[file]
            durable.remove_file(self._home.journal_key(instance.instance))
            durable.remove_file(self._home.journal_wraps(instance.instance))
            self._names.pop(instance.instance, None)

    # --- trimming ---

    def trim(self) -> bool:
        """Write some of a file again of which most calls are handed over; whether there was anything to do.

        Where the disk refuses, or a file is not whole, it stays as it is.
        """
        if self._finishing is not None:
            return self._finished()
        if self._trim is None:
            self._trim = self._begin()
            return self._trim is not None
        trim = self._trim
        try:
            if trim.step(STEP_BYTES):
                self._trim = None
                self._pool = self._pool or ThreadPoolExecutor(1, "trim")
                self._finishing = self._pool.submit(trim.finish)
        except MemconError:
            self._trim = None
            self._leave(trim)
        return True

    def _finished(self) -> bool:
        if self._finishing is None or not self._finishing.done():
            return False
        with contextlib.suppress(MemconError):
            self._finishing.result()
            self.trimmed += 1
        self._finishing = None
        return True

    @staticmethod
    def _leave(trim: Trim) -> None:
        with contextlib.suppress(MemconError):
            trim.abandon()

    def _begin(self) -> Trim | None:
        for instance in self._reader.instances:
            if instance.key is None:
                continue
            for number in sorted(instance.files)[:-NEWEST]:
                file = (instance.instance, number)
                if file == self._now or file not in self._calls:
                    break  # not read yet, nor what follows
                known = self._calls[file] <= self._names.get(instance.instance, {}).keys()
                few = 2 * len(self._calls[file]) <= self._had[file]
                if known and few and self._worth(instance, number):
                    self._had[file] = len(self._calls[file])
                    with contextlib.suppress(MemconError):
                        return Trim(instance.files[number], instance.key, self._needed(file))
        return None

    def _needed(self, file: _File) -> Needed:
        names = self._names.get(file[0], {})
        found = [names[number] for number in self._calls[file] if number in names]
        return Needed([key for key, _ in found], [handle for _, handles in found for handle in handles])

    @staticmethod
    def _worth(instance: InstanceJournal, number: int) -> bool:
        with contextlib.suppress(OSError):
            return instance.files[number].stat().st_size >= LEAST_BYTES
        return False

    def close(self) -> None:
        """Leave what is half written."""
        if self._pool is not None:
            self._pool.shutdown()
        if self._trim is not None:
            self._leave(self._trim)
            self._trim = None
