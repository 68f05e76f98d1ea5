"""Which quorum-cosigned note a beat names: the newest that is no older than B before the slot's start.

The submitting process (`witness.submit`) leaves word of the newest such note in the run directory;
nothing here speaks to a witness. The first beat after a start waits for a fresh note, one period at
most, so that an honest restart is not *early*; no other beat waits, whatever the witnesses do.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.clock import NS
from memcon.record.hashing import ZERO32
from memcon.store.durable import read_if_there, write_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from memcon.clock import Clock

LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class NewestNote:
    """Word of a note: H of it, its tree size, its age time by the policy (POSIX seconds)."""

    digest: bytes
    size: int
    time: int

    def leave(self, path: Path) -> None:
        """Leave word at `path`: for the processes of this boot."""
        said = {"note": self.digest.hex(), "size": self.size, "time": self.time}
        write_file(path, json.dumps(said).encode(), durable=False)


def read_newest(path: Path) -> NewestNote | None:
    """The word left at `path`; None where there is none, or none that can be read."""
    try:
        said = json.loads(read_if_there(path) or b"null")
        note = NewestNote(bytes.fromhex(said["note"]), int(said["size"]), int(said["time"]))
    except (ValueError, TypeError, KeyError):
        return None
    return note if len(note.digest) == 32 and note.size > 0 else None


@dataclass(frozen=True, slots=True)
class NewestRound:
    """Word of drand's newest round: its number and H of its signature; nothing: 0 and 32 zero bytes."""

    number: int = 0
    digest: bytes = ZERO32

    def leave(self, path: Path) -> None:
        """Leave word at `path`: for the processes of this boot."""
        said = {"round": self.number, "hash": self.digest.hex()}
        write_file(path, json.dumps(said).encode(), durable=False)


def read_round(path: Path) -> NewestRound:
    """The word left at `path`; nothing where there is none, or none that can be read."""
    try:
        said = json.loads(read_if_there(path) or b"null")
        found = NewestRound(int(said["round"]), bytes.fromhex(said["hash"]))
    except (ValueError, TypeError, KeyError):
        return NewestRound()
    return found if len(found.digest) == 32 and found.number > 0 else NewestRound()


class Freshness:
    """Chooses the note for each slot. `b` in periods; `pause` waits that many seconds."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        period_ns: int,
        b: int,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._path = path
        self._clock = clock
        self._period = period_ns
        self._b = b
        self._pause = pause
        self._waited = False

    def note_for(self, slot: int, index: int, *, wait: bool = True) -> tuple[bytes, int]:
        """What the beat of a slot names: hash and size, or zeros where no note is fresh."""
        found = self._fresh(slot, index)
        if wait and not self._waited:
            self._waited = True
            until = self._clock.monotonic_ns() + self._period
            while found is None and self._clock.monotonic_ns() < until:
                self._pause(LOOK_SECONDS)
                found = self._fresh(slot, index)
        return (ZERO32, 0) if found is None else (found.digest, found.size)

    def _fresh(self, slot: int, index: int) -> NewestNote | None:
        note = read_newest(self._path)
        if note is None or note.size > index or note.time * NS < (slot - self._b) * self._period:
            return None
        return note
