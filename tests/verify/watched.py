"""A log with witnesses, for tests: told slot by slot, written as the files that FORMATS §15 names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.verify import builder as b
from tests.verify.witnesses import WITNESSES, cosigned, policy_text

from memcon.record import evidence
from memcon.record.beat import State
from memcon.record.hashing import ZERO32, sha256
from memcon.record.statement import Off, On
from memcon.tlog.note import Note

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from memcon.record.beat import Beat

ALL = ("w1", "w2", "w3")


@dataclass
class Watched:
    """A log whose checkpoints witnesses cosign; honest unless told otherwise. Times in POSIX seconds."""

    period: int = 10
    world: b.World = field(init=False)
    extra: dict[str, bytes] = field(default_factory=dict)
    newest: tuple[bytes, int] = (ZERO32, 0)
    genesis: int = field(init=False)

    def __post_init__(self) -> None:
        self.world = b.World(mldsa=False, period_ms=self.period * 1000)
        self.genesis = self.world.slot
        self.world.genesis()
        self.cosign(self.at(1))

    def at(self, slot: float) -> int:
        """POSIX seconds of a place, in slots after genesis."""
        return int((self.genesis + slot) * self.period)

    def ms(self, slot: float) -> int:
        return self.at(slot) * 1000

    def append(self, path: str, data: bytes) -> None:
        self.extra[path] = self.extra.get(path, b"") + data

    def cosign(
        self, time: int, names: Iterable[str] = ALL, *, size: int | None = None, listed: bool = True
    ) -> bytes:
        """Witnesses cosign the log as it is now (or of this size); the note is served and listed."""
        note = cosigned(self.world.checkpoint(size), dict.fromkeys(names, time))
        digest = sha256(note)
        self.extra[evidence.hashed_path("note", digest)] = note
        grown = size or len(self.world.entries)
        if listed:
            self.append(evidence.index_path(time), evidence.Entry(grown, time, digest).encode())
        self.newest = digest, grown
        return digest

    def loose(self, time: int, name: str, *, size: int | None = None) -> None:
        """A cosignature that came too late for its note."""
        text = Note.parse(self.world.checkpoint(size)).text
        note = Note(text, (WITNESSES[name].cosign(text, time),))
        self.append(evidence.cosignature_path(time), evidence.encode_cosignatures(note))

    def leaf(self, slot: int, state: State = State.RECORDING, **changes: Any) -> Beat:
        """A leaf that no witness has seen; it names the newest note."""
        self.world.slot = self.genesis + slot
        note, size = self.newest
        leaf: dict[str, Any] = {"state": state, "note_hash": note, "note_size": size}
        return self.world.beat(**(leaf | changes))

    def beat(self, slot: int, state: State = State.RECORDING, **changes: Any) -> None:
        self.leaf(slot, state, **changes)
        self.cosign(self.at(slot + 1))

    def beats(self, first: int, last: int) -> Watched:
        for slot in range(first, last + 1):
            self.beat(slot)
        return self

    def off(
        self, slot: int, by: str = "J. Ruiz", reason: str = "monthly test", lines: tuple[str, ...] = ()
    ) -> bytes:
        """An off statement's hash."""
        said = Off(self.world.origin, self.genesis + slot, by, "by hand", reason, lines)
        return self.world.state(said.encode())

    def on(self, slot: int, by: str = "J. Ruiz") -> bytes:
        return self.world.state(
            On(self.world.origin, self.genesis + slot, by, "by hand", "over", ()).encode()
        )

    def policy(self, names: Iterable[str] = ALL, threshold: int = 2) -> bytes:
        return policy_text(self.world.vkeys(), names, threshold)

    def files(self) -> dict[str, bytes]:
        """What is served."""
        return self.world.files() | self.extra

    def write(self, where: Path) -> Path:
        """Serve it from a directory."""
        b.write_files(where, self.files())
        return where

    def show_twin(self) -> tuple[str, bytes]:
        """Serve and list the note of a twin whose second beat says something else; its path and hash."""
        twin = Watched().beats(1, 1)
        twin.beat(2, State.DEGRADED)
        other = twin.cosign(twin.at(3), ("w1", "w3"))
        path = evidence.hashed_path("note", other)
        self.extra[path] = twin.extra[path]
        self.append(evidence.index_path(twin.at(3)), evidence.Entry(3, twin.at(3), other).encode())
        return path, other
