"""How calls began: the wraps of their keys, kept for all of them in one place until they are handed over.

A call's wraps are random, and their hash stands in its first leaf: they must be durable before that leaf
is public, and nothing can make them again. One file takes them all, so that however many calls begin in a
slot, one sync before its beat makes them safe; each call's own `wraps.json` is synced at its end.

    file: work/starts/<8 digits>.mcw, entries back to back
    entry: u32 length of the rest, u64 call number, u32 length of the wraps, wraps, custodians, 32 SHA-256
           of everything from the call number on

A torn entry at a file's end is what a crash leaves. A sealer begins a file of its own; a file is removed
when all its calls are handed over.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from memcon.record.hashing import sha256
from memcon.store import durable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SUFFIX = ".mcw"
ENTRIES = 1024
"""Entries a file takes; the next begins then, so that one long call does not keep thousands."""
_LENGTH = struct.Struct(">I")
_HEAD = struct.Struct(">QI")
_HASH = 32


class Starts:
    """The wraps and custodians of open calls. Raises MachineError where the disk refuses."""

    def __init__(self, directory: Path, wanted: Callable[[int], bool]) -> None:
        """`wanted`: whether a call of this number may still be asked for."""
        self._directory = directory
        self._found: dict[int, list[tuple[bytes, bytes]]] = {}
        self._numbers: dict[Path, set[int]] = {}
        self._file: durable.AppendFile | None = None
        self._written = 0
        self._unsynced = False
        self._next = 0
        durable.make_dirs(directory)
        for path in sorted(directory.glob(f"*{SUFFIX}")):
            self._read(path, wanted)

    def _read(self, path: Path, wanted: Callable[[int], bool]) -> None:
        self._next = int(path.stem) + 1 if path.stem.isdecimal() else self._next
        entries = [entry for entry in _entries(durable.read_bytes(path)) if wanted(entry[0])]
        for number, wraps, custodians in entries:
            self._found.setdefault(number, []).append((wraps, custodians))
        self._numbers[path] = {number for number, _, _ in entries}
        self._tidy()

    def add(self, number: int, wraps: bytes, custodians: bytes) -> None:
        """Write down how a call began; durable after `sync`."""
        if self._file is None or self._written >= ENTRIES:
            self._open_next()
        body = _HEAD.pack(number, len(wraps)) + wraps + custodians
        body += sha256(body)
        if self._file is not None:
            self._file.write(_LENGTH.pack(len(body)) + body)
            self._numbers[self._file.path].add(number)
        self._found.setdefault(number, []).append((wraps, custodians))
        self._written += 1
        self._unsynced = True

    def _open_next(self) -> None:
        self.sync()
        self.close()
        path = self._directory / f"{self._next:08d}{SUFFIX}"
        self._file, self._written, self._next = durable.AppendFile(path), 0, self._next + 1
        self._numbers[path] = set()

    def sync(self) -> None:
        """Make all that was added durable."""
        if self._unsynced and self._file is not None:
            self._file.sync()
        self._unsynced = False

    def find(self, number: int, wraps_hash: bytes) -> tuple[bytes, bytes] | None:
        """(wraps, custodians) of a call whose first leaf names that hash; None where they are lost."""
        for wraps, custodians in reversed(self._found.get(number, [])):
            if sha256(wraps) == wraps_hash:
                return wraps, custodians
        return None

    def latest(self) -> Iterator[tuple[int, bytes, bytes]]:
        """(number, wraps, custodians) of each call that is not handed over, as last written."""
        for number, entries in self._found.items():
            yield number, *entries[-1]

    def forget(self, number: int) -> None:
        """A call is handed over, durably."""
        if self._found.pop(number, None) is not None:
            for numbers in self._numbers.values():
                numbers.discard(number)
            self._tidy()

    def _tidy(self) -> None:
        current = self._file.path if self._file else None
        for path in [p for p, numbers in self._numbers.items() if not numbers and p != current]:
            durable.remove_file(path)
            del self._numbers[path]

    def close(self) -> None:
        """Close the file being written; it goes too where no call needs it."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._tidy()


def _entries(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """(number, wraps, custodians) of each whole entry."""
    at = 0
    while len(data) - at >= _LENGTH.size:
        (length,) = _LENGTH.unpack_from(data, at)
        body = data[at + _LENGTH.size : at + _LENGTH.size + length]
        if len(body) < length or length < _HEAD.size + _HASH or sha256(body[:-_HASH]) != body[-_HASH:]:
            return
        number, size = _HEAD.unpack_from(body)
        content = body[_HEAD.size : -_HASH]
        yield number, content[:size], content[size:]
        at += _LENGTH.size + length
