"""Dossiers on the disk: append-only entries, and the sources byte for byte (FORMATS §18).

    dossiers/<date>-<n>/entries/<number, 6 digits>-<kind>.json
    dossiers/<date>-<n>/files/<SHA-256>            a source as it came, or the text read from it

Nothing here is ever replaced. Several processes may write: each entry is appended under the dossier's lock.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memcon.clock import utc
from memcon.errors import FormatError, UsageError
from memcon.record.entry import NO_ENTRY, Entry, check_id, decode, hash_of, read_chain
from memcon.record.hashing import sha256
from memcon.store import durable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from memcon.clock import Clock
    from memcon.store.paths import Home

    Sealing = Callable[[int, bytes], object]

_DIRECTORY = re.compile(r"(\d{4}(?:-\d{2}(?:-\d{2})?)?|undated)-([1-9]\d{0,5})")
_NAME = re.compile(r"(\d{6})-([a-z-]+)\.json")
_HASH = re.compile(r"[0-9a-f]{64}")
_DATE = re.compile(r"\d{4}(?:-\d{2}(?:-\d{2})?)?|undated")
MOST_ENTRIES = 999_999


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry and the hash that its NOTE seals, hex."""

    entry: Entry
    hash: str


class DossierStore:
    """Every dossier of a home. `seal` is told (NOTE type, hash) of each entry that was written."""

    def __init__(self, home: Home, clock: Clock, seal: Sealing) -> None:
        self._root = home.dossiers
        self._clock = clock
        self._seal = seal

    def ids(self) -> list[str]:
        """The ids of all dossiers, oldest date first."""
        if not self._root.is_dir():
            return []
        with durable.machine_errors(self._root, "listing"):
            names = [p.name for p in self._root.iterdir()]
        found = [m for m in map(_DIRECTORY.fullmatch, names) if m]
        return [f"{m[1]}/{m[2]}" for m in sorted(found, key=lambda m: (m[1], int(m[2])))]

    def create(self, date: str, by: str, body: dict[str, Any]) -> Kept:
        """A new dossier of a day (`2017-01-28`, `2017`, `undated`): its first entry, of kind `dossier`."""
        if not _DATE.fullmatch(date):
            raise FormatError("dossier id", f"{date!r} is no day, month or year")
        Entry(f"{date}/1", 1, NO_ENTRY, "dossier", by, utc(self._clock.wall_ns()), body).encode()
        durable.make_dirs(self._root)
        for n in range(1, 1_000_000):
            path = self._root / f"{date}-{n}"
            try:
                path.mkdir(mode=0o700)
            except FileExistsError:
                continue
            except OSError:
                with durable.machine_errors(path, "creating the directory"):
                    raise
            durable.fsync_dir(self._root)
            return self.append(f"{date}/{n}", "dossier", by, body)
        raise UsageError(f"there are 999,999 dossiers of {date}")

    def append(self, dossier: str, kind: str, by: str, body: dict[str, Any]) -> Kept:
        """Write one entry at the end of a dossier, durably, and hand it in to be sealed."""
        folder = self._folder(dossier) / "entries"
        with durable.locked(folder.parent / ".lock"):
            durable.make_dirs(folder)
            names = self._names(folder)
            if len(names) >= MOST_ENTRIES:
                raise UsageError(f"dossier {dossier} is full", cure="Begin another one")
            previous = hash_of(durable.read_bytes(folder / names[-1])) if names else NO_ENTRY
            now = utc(self._clock.wall_ns())
            made = Entry(dossier, len(names) + 1, previous, kind, by, now, body)
            data = made.encode()
            durable.write_file(folder / f"{made.n:06d}-{kind}.json", data)
        self._seal(made.note_type, sha256(data))
        return Kept(made, hash_of(data))

    def read(self, dossier: str) -> list[Kept]:
        """All entries in their order, the chain checked. UsageError where there is no such dossier."""
        files = self.files(dossier)
        read = read_chain(dossier, files)
        return [Kept(entry, hash_of(data)) for entry, data in zip(read, files, strict=True)]

    def files(self, dossier: str) -> list[bytes]:
        """The bytes of all entries in their order."""
        folder = self._folder(dossier) / "entries"
        return [durable.read_bytes(folder / name) for name in self._names(folder)]

    def last(self, dossier: str) -> int:
        """How many entries there are, without reading them."""
        return len(self._names(self._folder(dossier) / "entries"))

    def put(self, dossier: str, data: bytes) -> str:
        """Keep bytes under their SHA-256, which is returned in hex; twice is once."""
        folder = self._folder(dossier) / "files"
        durable.make_dirs(folder)
        name = sha256(data).hex()
        if durable.read_if_there(folder / name) != data:
            durable.write_file(folder / name, data)
        return name

    def get(self, dossier: str, digest: str) -> bytes:
        """Bytes by their SHA-256, checked. FormatError where they are not those."""
        where = f"dossier {dossier}, file {digest[:64]}"
        cure = "Restore it from a copy of the dossier"
        data = None
        if _HASH.fullmatch(digest):
            data = durable.read_if_there(self._folder(dossier) / "files" / digest)
        if data is None:
            raise FormatError("dossier", "a file that an entry names is not there", where=where, cure=cure)
        if sha256(data).hex() != digest:
            raise FormatError("dossier", "a file is not what was sealed", where=where, cure=cure)
        return data

    def seal_again(self) -> int:
        """Hand every entry in again: for a log whose NOTEs are not known to have been taken."""
        count = 0
        for dossier in self.ids():
            for data in self.files(dossier):
                self._seal(decode(data).note_type, sha256(data))
                count += 1
        return count

    def _folder(self, dossier: str) -> Path:
        path = self._root / check_id(dossier).replace("/", "-")
        if not path.is_dir():
            raise UsageError(f"there is no dossier {dossier}", cure="memcon dossier list names them all")
        return path

    @staticmethod
    def _names(folder: Path) -> list[str]:
        if not folder.is_dir():
            return []
        return sorted(p.name for p in folder.iterdir() if _NAME.fullmatch(p.name))
