"""Calls taken in from files: one OCFL object each, numbered densely, each naming the one before.

**Order.** Under the lock: the last statement is read; the object is written whole and moved into place by
one rename, so that it stands or does not; then its hash is handed in to be sealed. Killed before the rename
nothing was taken in; killed after it, `hand_in` finds that no NOTE is known and hands it in again. The
number is the next one that has no object, so none is ever left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memcon.clock import utc
from memcon.errors import FormatError, UsageError
from memcon.record import intake as taken
from memcon.record.entry import NO_ENTRY
from memcon.record.hashing import sha256
from memcon.record.intake import Intake, TakenFile
from memcon.store import durable
from memcon.vault.inventory import User
from memcon.vault.keeper import prefix_of
from memcon.vault.ocfl import StorageRoot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from memcon.clock import Clock
    from memcon.store.paths import Home

    Sealing = Callable[[int, bytes], object]

STAGING = "memcon-intake-staging"
"""Beside that of calls: the recorder's own sweep never takes away what is being taken in."""


def intake_id(origin: str, n: int) -> str:
    """The object id of a call taken in by the log `origin`."""
    return f"{prefix_of(origin)}:intake:{n}"


class IntakeShelf:
    """Every call taken in of one home. `seal` is told (NOTE type, hash) of each that was taken in."""

    def __init__(self, home: Home, origin: str, clock: Clock, seal: Sealing) -> None:
        self._home = home
        self._origin = origin
        self._clock = clock
        self._seal = seal
        self._user = User("memcon", prefix_of(origin))
        self._last = 0

    def _root(self) -> StorageRoot:
        return StorageRoot(self._home.vault, staging=STAGING)

    def last(self) -> int:
        """The highest number; 0 where nothing was taken in."""
        root, n = self._root(), self._last
        while root.has(intake_id(self._origin, n + 1)):
            n += 1
        self._last = n
        return n

    def statement(self, n: int) -> bytes:
        """The bytes of a statement, checked against the inventory. UsageError where there is none."""
        id_ = intake_id(self._origin, n)
        if n < 1 or not self._root().has(id_):
            raise UsageError(f"there is no call T{n}", cure="memcon calls lists what was taken in")
        return self._root().read(id_, taken.NAME)

    def read(self, n: int) -> Intake:
        """A statement; FormatError where it is damaged."""
        return taken.decode(self.statement(n))

    def files(self, n: int) -> dict[str, Path]:
        """{path in the object: file}."""
        self.statement(n)
        return self._root().files(intake_id(self._origin, n))

    def sweep(self) -> None:
        """Remove what a crash left half written; does nothing while somebody takes in."""
        with self._locked():
            durable.remove_tree(self._home.vault / "extensions" / STAGING)

    def add(
        self,
        by: str,
        name: str,
        files: Sequence[tuple[TakenFile, Path]],
        stated: Mapping[str, Any],
        found: Mapping[str, Any],
        *,
        still_new: Callable[[], int | None] = lambda: None,
    ) -> tuple[Intake, str]:
        """Take in: the statement and its hash (hex). `files` stand elsewhere and are copied.

        `still_new` is asked under the lock: the number of a call taken in meanwhile that has the same bytes,
        which is a UsageError. FormatError where the statement cannot be made of this.
        """
        with self._locked():
            twin = still_new()
            if twin is not None:
                raise UsageError(f"the same bytes were taken in as T{twin} meanwhile")
            n = self.last() + 1
            previous = taken.hash_of(self.statement(n - 1)) if n > 1 else NO_ENTRY
            now = utc(self._clock.wall_ns())
            made = Intake(
                n, previous, by, now, name, tuple(file for file, _ in files), dict(stated), dict(found)
            )
            data = made.encode()
            content: dict[str, Path | bytes] = {file.path: path for file, path in files}
            content[taken.NAME] = data
            root = StorageRoot.create(self._home.vault, staging=STAGING)
            message = "Taken in from a file; nothing before that is proved"
            root.add_object(
                intake_id(self._origin, n), content, message=message, user=self._user, created=now
            )
            self._last = n
        self._seal(taken.NOTE_INTAKE, sha256(data))
        return made, taken.hash_of(data)

    def hand_in(self, n: int) -> None:
        """Ask for the seal of a statement again."""
        self._seal(taken.NOTE_INTAKE, sha256(self.statement(n)))

    def check(self, n: int) -> None:
        """FormatError where a file of the object is not what it was."""
        problems = self._root().check(intake_id(self._origin, n))
        if problems:
            raise FormatError(f"T{n}: {problems[0].path}", problems[0].text, cure="Restore it from a copy")

    def _locked(self) -> AbstractContextManager[None]:
        path = self._home.intake_work / ".lock"
        durable.make_dirs(path.parent)
        return durable.locked(path)
