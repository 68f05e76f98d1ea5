"""Transcripts on the disk: the versions of each, only ever added (FORMATS §20).

    transcripts/<call-12>/<version, 6 digits>-<machine|corrected>.json

Several processes may write: a version is appended under the lock of its directory. Files are in clear, with
the access rights of the home.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from memcon.clock import utc
from memcon.errors import FormatError, UsageError
from memcon.record.hashing import sha256
from memcon.record.transcript import NO_VERSION, NOTE_TRANSCRIPT, decode, decode_head, hash_of
from memcon.store import durable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from memcon.clock import Clock
    from memcon.record.transcript import Transcript
    from memcon.store.paths import Home

    Sealing = Callable[[int, bytes], object]

_KEY = re.compile(r"(call|intake)-[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NAME = re.compile(r"(\d{6})-(machine|corrected)\.json")
MOST_VERSIONS = 999_999


@dataclass(frozen=True, slots=True)
class Kept:
    """A version and the hash that its NOTE seals, hex."""

    transcript: Transcript
    hash: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A version by its file's name alone: number and kind (machine, corrected)."""

    version: int
    kind: str


class TranscriptStore:
    """Every transcript of a home. `seal` is told (NOTE type, hash) of each version that was written.

    A transcript is asked for by its subject's key, `call-12` (`Subject.key`).
    """

    def __init__(self, home: Home, clock: Clock, seal: Sealing) -> None:
        self._root = home.transcripts
        self._clock = clock
        self._seal = seal

    def subjects(self) -> list[str]:
        """The keys of all that has a transcript: calls by number, then what was taken in."""
        if not self._root.is_dir():
            return []
        with durable.machine_errors(self._root, "listing"):
            names = [p.name for p in self._root.iterdir() if _KEY.fullmatch(p.name)]
        return sorted(names, key=lambda name: (name.split("-")[0], len(name), name))

    def versions(self, key: str) -> list[Listed]:
        """The versions there are, oldest first, without reading them; none where there is no transcript."""
        return [Listed(n, kind) for n, kind, _ in self._files(key)]

    def read(self, key: str, version: int) -> Kept:
        """One version, checked against the one before. UsageError where there is none of that number."""
        files = self._files(key)
        if not 1 <= version <= len(files):
            raise UsageError(_none_such(key, version))
        before = durable.read_bytes(files[version - 2][2]) if version > 1 else None
        return _read(key, files[version - 1][2], version, hash_of(before) if before else NO_VERSION)

    def head(self, key: str, version: int) -> Kept:
        """One version without its lanes, neither they nor the version before it checked: for lists."""
        for n, _, path in self._files(key):
            if n == version:
                data = durable.read_bytes(path)
                return Kept(decode_head(data), hash_of(data))
        raise UsageError(_none_such(key, version))

    def bytes_of(self, key: str, version: int) -> bytes:
        """The bytes of one version, checked: what its NOTE seals. UsageError where there is none."""
        self.read(key, version)
        return durable.read_bytes(self._files(key)[version - 1][2])

    def newest(self, key: str) -> Kept | None:
        """The version written last."""
        files = self._files(key)
        return self.read(key, len(files)) if files else None

    def current(self, key: str) -> Kept | None:
        """What is shown and searched: the newest version of a person, else the newest of all.

        A better model does not undo what somebody has heard and corrected.
        """
        number = self.current_version(key)
        return None if number is None else self.read(key, number)

    def current_version(self, key: str) -> int | None:
        """The number of that version, by the files' names alone."""
        listed = self.versions(key)
        corrected = [one.version for one in listed if one.kind == "corrected"]
        return max(corrected or [one.version for one in listed], default=None)

    def read_all(self, key: str) -> list[Kept]:
        """All versions in their order, the chain checked from its beginning."""
        found: list[Kept] = []
        for n, _, path in self._files(key):
            found.append(_read(key, path, n, found[-1].hash if found else NO_VERSION))
        return found

    def append(self, draft: Transcript, *, after: int | None = None) -> Kept:
        """Write `draft` as the next version, durably, and hand it in to be sealed.

        Its version, previous and time are set here. With `after`, UsageError where that is not the newest
        version any more: somebody else wrote meanwhile.
        """
        folder = self._root / draft.of.key
        check = replace(draft, version=MOST_VERSIONS, previous="f" * 64, at=utc(self._clock.wall_ns()))
        check.encode()  # what cannot be kept leaves no directory behind
        durable.make_dirs(folder)
        with durable.locked(folder / ".lock"):
            files = self._files(draft.of.key)
            if after is not None and after != len(files):
                raise UsageError(
                    f"version {len(files)} was written meanwhile", cure="Load it, and write over that one"
                )
            if len(files) >= MOST_VERSIONS:
                raise UsageError(f"the transcript of {draft.of.key} has {MOST_VERSIONS} versions")
            previous = hash_of(durable.read_bytes(files[-1][2])) if files else NO_VERSION
            made = replace(check, version=len(files) + 1, previous=previous)
            data = made.encode()
            durable.write_file(folder / f"{made.version:06d}-{made.kind}.json", data)
        self._seal(NOTE_TRANSCRIPT, sha256(data))
        return Kept(made, hash_of(data))

    def hashes(self, key: str) -> list[str]:
        """What the NOTEs of all versions seal, oldest first, without reading what they say."""
        return [hash_of(durable.read_bytes(path)) for _, _, path in self._files(key)]

    def _files(self, key: str) -> list[tuple[int, str, Path]]:
        if not _KEY.fullmatch(key):
            raise UsageError(f"{key!r} has no transcript", cure="Name it as call-12")
        folder = self._root / key
        if not folder.is_dir():
            return []
        with durable.machine_errors(folder, "listing"):
            found = [(m, p) for p in folder.iterdir() if (m := _NAME.fullmatch(p.name))]
        files = sorted((int(m[1]), m[2], p) for m, p in found)
        if [n for n, _, _ in files] != list(range(1, len(files) + 1)):
            raise FormatError(
                "transcript",
                "a version is missing",
                where=str(folder),
                cure="Restore it from a copy: versions are never removed",
            )
        return files


def _none_such(key: str, version: int) -> str:
    return f"there is no version {version} of the transcript of {key.replace('-', ' ')}"


def _read(key: str, path: Path, version: int, previous: str) -> Kept:
    data = durable.read_bytes(path)
    found = decode(data)
    if (found.of.key, found.version, found.previous) != (key, version, previous):
        raise FormatError(
            "transcript",
            "does not follow from the version before",
            where=str(path),
            cure="Restore it from a copy: a version was altered or left out",
        )
    return Kept(found, hash_of(data))
