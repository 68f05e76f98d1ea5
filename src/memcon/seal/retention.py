"""Which journal files may go: those whose calls are all handed over, oldest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from memcon.store import durable

if TYPE_CHECKING:
    from collections.abc import Collection

    from memcon.store.journal_reader import JournalReader
    from memcon.store.paths import Home

_File: TypeAlias = tuple[bytes, int]


class JournalFiles:
    """Keeps account of which calls have something in which file."""

    def __init__(self, home: Home, reader: JournalReader) -> None:
        self._home = home
        self._reader = reader
        self._calls: dict[_File, set[int]] = {}
        self._now: _File | None = None

    def reading(self, instance: bytes, number: int, open_calls: Collection[int]) -> None:
        """A frame of this file is read; every call that is open may have something in it."""
        if self._now != (instance, number):
            self._now = (instance, number)
            self._calls[self._now] = set(open_calls)

    def opened(self, instance: bytes, number: int) -> None:
        """A call begins in the file being read."""
        if self._now is not None and self._now[0] == instance:
            self._calls[self._now].add(number)

    def sealed(self, number: int) -> None:
        """A call stands in `work/done`, synced."""
        for calls in self._calls.values():
            calls.discard(number)

    def delete_sealed(self) -> None:
        """Remove files without open calls, up to the one being read; the newest of all stays."""
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
                del self._calls[file]
            durable.remove_file(self._home.journal_key(instance.instance))
            durable.remove_file(self._home.journal_wraps(instance.instance))
