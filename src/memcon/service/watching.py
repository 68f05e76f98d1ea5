"""The watched folder: what is put there is taken in, once it has stopped growing; the files stay there.

A file that was refused is not tried again while it stays as it is; after a start everything is looked at once
more, and what stands on the shelf already is known by its digest.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from memcon.catalogue.intakes import RefusedFile
from memcon.errors import MachineError
from memcon.intake.desk import Stated
from memcon.intake.refusals import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memcon.clock import Clock
    from memcon.intake.desk import IntakeDesk
    from memcon.service.intakes import Intakes

SETTLED_NS = 5_000_000_000
"""How long a file must not have changed before it is taken in."""
BY = "watched folder"
AT_ONCE = 50
"""Files of one look: the office has other things to do in between."""


@dataclass(slots=True)
class Watched:
    """How far the folder is: files in it, looked at, and the one being read."""

    folder: str
    files: int = 0
    done: int = 0
    current: str = ""
    problem: str = ""


class Watcher:
    """Looks at one folder again and again."""

    def __init__(self, folder: Path, intakes: Intakes, clock: Clock) -> None:
        self._folder = folder
        self._intakes = intakes
        self._clock = clock
        self._desk: IntakeDesk | None = None
        self._settling: dict[str, tuple[int, int, int]] = {}  # path: size, mtime, since when (monotonic)
        self._done: dict[str, tuple[int, int]] = {}
        self.state = Watched(str(folder))

    def look(self) -> int:
        """Take in what has settled; how many files were. MachineError where the folder is not there."""
        try:
            found = {str(path): stat for path, stat in walk(self._folder)}
        except OSError as error:
            self.state.problem = error.strerror or str(error)
            raise MachineError(
                f"looking into {self._folder}: {self.state.problem}", cure="Make the folder of [intake] watch"
            ) from error
        self.state.problem = ""
        self._settling = {path: was for path, was in self._settling.items() if path in found}
        self._done = {path: was for path, was in self._done.items() if path in found}
        self.state.files = len(found)
        taken = 0
        for path, stat in sorted(found.items()):
            if taken >= AT_ONCE:
                break
            size, mtime = stat.st_size, stat.st_mtime_ns
            if self._done.get(path) != (size, mtime) and self._settled(path, size, mtime):
                taken += self._take(path, size, mtime)
        self.state.done, self.state.current = len(self._done), ""
        return taken

    def _settled(self, path: str, size: int, mtime: int) -> bool:
        now = self._clock.monotonic_ns()
        known = self._settling.get(path)
        if known is None or known[:2] != (size, mtime):
            self._settling[path] = size, mtime, now
            return False
        return now - known[2] >= SETTLED_NS

    def _take(self, path: str, size: int, mtime: int) -> int:
        index = self._intakes.index
        self._done[path] = size, mtime
        self._settling.pop(path, None)
        if index.was_refused(path, size, mtime):
            return 0
        self.state.current = Path(path).name
        self._desk = self._desk or self._intakes.desk()
        try:
            taken = self._desk.take(Path(path), BY, Stated())
        except RefusedError as error:
            if error.code == "ingest-changed":  # it is still being written
                del self._done[path]
                return 0
            index.refuse(RefusedFile(path, size, mtime, error.code, error.text, self._clock.wall_ns()))
            return 0
        except MachineError:
            del self._done[path]
            raise
        index.forget_refused(path)
        return 0 if taken.twin else 1


def walk(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Files below a folder with what is known of them; hidden files and links are left out."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.is_symlink():
                continue
            if entry.is_dir():
                yield from walk(folder / entry.name)
            elif entry.is_file():
                yield folder / entry.name, entry.stat()
