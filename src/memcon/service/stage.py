"""A recorder's log and three witnesses on a clock of their own: the stage on which attacks are shown.

The log is made by the same code as a real one, signed with keys of its own; the witnesses are real
ones (`memcon.witness.core`), of whom two of three make a quorum; only time is told, not waited for
(`live.py` has the stage on which it is). Nothing here touches a recorder's home.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from memcon.clock import NS, ManualClock
from memcon.errors import FormatError
from memcon.record.beat import Beat, Kind, State
from memcon.record.hashing import ZERO32, sha256
from memcon.seal.genesis import create_log
from memcon.seal.keys import CheckpointSigner, create_keys, load_keys
from memcon.store.paths import Home
from memcon.store.tiles import LogStore
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.note import Note, Signature
from memcon.tlog.policy import Policy
from memcon.tlog.witness import AddCheckpoint
from memcon.verify.asking import Asker
from memcon.verify.attest import WORDS
from memcon.verify.was_it_on import Question, sentence
from memcon.witness.archive import Archive
from memcon.witness.core import Witness
from memcon.witness.keys import Cosigner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from memcon.clock import Clock
    from memcon.seal.keys import Keys
    from memcon.tlog.note import VerifierKey

ORIGIN = "stage.example/recorder"
BEGIN = 1_767_225_600 * NS  # 2026-01-01T00:00:00Z
NAMES = ("court", "press", "university")


REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a third party was told: the answer's word or `refused`, in a sentence, and finding codes."""

    outcome: str
    told: str
    codes: tuple[str, ...] = ()


class Stage:
    """One log, its witnesses, and whoever plays the operator. Slots are counted from `begun`.

    `period` in seconds, `g` in periods. What a stage on which time is waited for does otherwise stands in
    the methods `wait_until`, `roll_back`, `show`, `mirrored`, `read_from`, `ask` and `_cosign`.
    """

    period = 10
    g = 2
    clock: Clock
    keys: Keys
    begun: int

    def __init__(
        self, root: Path, *, origin: str = ORIGIN, like: Stage | None = None, begun_ns: int | None = None
    ) -> None:
        """`like`: another whose keys, clock and witnesses this one shares; `begun_ns`: of its genesis."""
        self.root = root
        self.home = Home(root)
        self.like = like
        self.origin = origin
        self.keys = like.keys if like is not None else self._own_keys()
        self.sign = CheckpointSigner(self.keys, origin)
        self.clock = like.clock if like is not None else self._own_clock()
        self.begun = like.begun if like is not None else self.clock.wall_ns() // self._period_ns
        since = self.begun * self._period_ns if begun_ns is None else begun_ns
        create_log(self.home, self.keys, origin, since, period_ms=self.period * 1000, g=self.g)
        self.store = LogStore(self.home.log)
        self.store.open(self.sign)
        self.archive = Archive(self.home.log)
        self.instance = sha256(b"instance")[:16]
        self.newest: tuple[bytes, int] = (ZERO32, 0)
        self._set_up_witnesses()
        lines = [f"log {key}" for key in self.sign.vkeys]
        lines += [f"witness {name} {key}" for name, key in self._witness_keys().items()]
        lines += [f"group all-three 2 {' '.join(NAMES)}", "quorum all-three", ""]
        self.policy = "\n".join(lines).encode()
        self._judge = Policy.parse(self.policy)

    @property
    def _period_ns(self) -> int:
        return self.period * NS

    def _own_keys(self) -> Keys:
        if not self.home.keys.exists():
            create_keys(self.home.keys)
        return load_keys(self.home.keys)

    # ------------------------------------------------------------------ time and witnesses, told

    def _own_clock(self) -> Clock:
        return ManualClock(BEGIN)

    def _set_up_witnesses(self) -> None:
        self._witnesses: dict[str, Witness] = (
            self.like._witnesses if self.like is not None else {name: self._witness(name) for name in NAMES}
        )

    def _witness(self, name: str, clock: Clock | None = None) -> Witness:
        return Witness(cosigner_of(name), self.sign.vkeys, clock or self.clock)

    def _witness_keys(self) -> dict[str, VerifierKey]:
        return {name: cosigner_of(name).vkeys[0] for name in NAMES}

    def wait_until(self, slot: float) -> None:
        """Let time pass up to a slot's beginning."""
        if isinstance(self.clock, ManualClock):
            self.clock.advance(max(0, int((slot - self.now()) * self._period_ns)))

    def roll_back(self, name: str, wall_ns: int | None = None) -> None:
        """A witness forgets what it has seen; given a time, from now on it is always that time to it."""
        self._witnesses[name] = self._witness(name, None if wall_ns is None else ManualClock(wall_ns))

    def _cosign(self, name: str, signed: Note, checkpoint: Checkpoint) -> list[Signature]:
        """Have one witness cosign; nothing where it refuses."""
        seen = self._witnesses[name].latest.get(self.origin)
        size = 0 if seen is None else seen.checkpoint.size
        proof = tuple(self.store.reader().consistency_proof(size)) if size <= checkpoint.size else ()
        answer = self._witnesses[name].decide(AddCheckpoint(size, proof, signed).to_bytes())
        lines = answer.body.decode().splitlines() if answer.status == 200 else []
        return [Signature.from_line(line, name) for line in lines]

    def show(self, *, served: bool) -> None:
        """Serve the log to whoever asks, or do not: here nobody asks before it is over."""

    def mirrored(self) -> Path:
        """Somebody takes a copy of what the log serves now; where it is."""
        shutil.copytree(self.home.log, self.root / "mirror")
        return self.root / "mirror"

    def read_from(self) -> Path:
        """Whose files a third party reads who asks at the end."""
        return self.home.log

    # ------------------------------------------------------------------ the operator

    def now(self) -> float:
        """Slots since `begun`."""
        return self.clock.wall_ns() / self._period_ns - self.begun

    def leaves(
        self, first: int, last: int, state: State = State.RECORDING, *, period_ms: int | None = None
    ) -> None:
        """Append beats of the slots `first` to `last` at once, whatever they say; no witness is asked."""
        note, size = self.newest
        made = [
            Beat(
                Kind.BEAT, state, period_ms or self.period * 1000, self.store.size + slot - first,
                self.begun + slot, self.instance, sha256(b"slot %d" % slot), bytes(32),
                note_hash=note, note_size=size,
            ).encode()
            for slot in range(first, last + 1)
        ]  # fmt: skip
        self.store.publish(self.origin, made, self.sign)

    def leaf(self, slot: int, state: State = State.RECORDING, *, period_ms: int | None = None) -> None:
        """Append one beat; no witness is asked."""
        self.leaves(slot, slot, state, period_ms=period_ms)

    def submit(self, names: Iterable[str] = NAMES) -> int:
        """Show the newest checkpoint to witnesses now; how many cosigned. A quorum's note is archived."""
        signed = Note.parse(self.store.fetch("checkpoint") or b"")
        checkpoint = Checkpoint.parse(signed.text)
        lines = [line for name in names for line in self._cosign(name, signed, checkpoint)]
        if lines:
            note = signed.add(*lines)
            time = self._judge.evaluate(note).quorum_time
            if time is not None:
                digest = self.archive.add_note(note.to_bytes(), checkpoint.size, time)
                self.newest = digest, checkpoint.size
            else:
                self.archive.add_cosignatures(Note(signed.text, tuple(lines)), self.clock.wall_ns() // NS)
        return len(lines)

    def beat(self, slot: int) -> None:
        """An honest slot: its beat at its end, shown to all witnesses at once."""
        self.wait_until(slot + 1)
        self.leaf(slot)
        self.submit()

    def begin(self, slots: int) -> int:
        """Start as an honest recorder does, and record so many slots; the last of them."""
        self.wait_until(1)
        self.submit()
        for slot in range(1, slots + 1):
            self.beat(slot)
        return slots

    def go_back(self, snapshot: Path) -> None:
        """Put a copy of the log's directory in its place."""
        shutil.rmtree(self.home.log)
        shutil.copytree(snapshot, self.home.log)
        self.store.open(self.sign)

    # ------------------------------------------------------------------ anybody

    def stretch(self, first: int, last: int) -> Question:
        """The question about the slots `first` to `last`."""
        return Question(*(slot * self.period * 1000 for slot in (self.begun + first, self.begun + last + 1)))

    def ask(self, first: int, last: int, where: Path | None = None) -> Shown:
        """What a third party is told of the slots `first` to `last`, from the files alone."""
        asker = Asker(str(where or self.read_from()), self.policy)
        try:
            reply = asker.ask(self.stretch(first, last), now=self.clock.wall_ns() // NS)
        except FormatError as error:
            return Shown(REFUSED, str(error))
        return Shown(WORDS[reply.answer], sentence(reply, UTC), tuple(sorted(reply.report.counts)))


def cosigner_of(name: str) -> Cosigner:
    """A witness whose time is told; its key is no secret."""
    return Cosigner(f"{name}.example", sha256(name.encode()))


class Scene:
    """The place of one attack: makes its stages, each in a directory of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def play(self, attack: Callable[[Scene], Shown]) -> Shown:
        """Play an attack here."""
        return attack(self)

    def stage(
        self,
        name: str = "one",
        *,
        origin: str | None = None,
        like: Stage | None = None,
        begun_ns: int | None = None,
    ) -> Stage:
        """`origin`: of another log than the one that the policy is about."""
        return Stage(self.root / name, origin=origin or ORIGIN, like=like, begun_ns=begun_ns)
