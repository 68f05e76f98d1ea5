"""A recorder's log and three witnesses on a clock of their own: the stage on which attacks are shown.

The log is made by the same code as a real one, signed with keys of its own; the witnesses are real
ones (`memcon.witness.core`), of whom two of three make a quorum; only time is told, not waited for.
Nothing here touches a recorder's home.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.clock import NS, ManualClock
from memcon.record.beat import Beat, Kind, State
from memcon.record.hashing import ZERO32, sha256
from memcon.seal.genesis import create_log
from memcon.seal.keys import CheckpointSigner, create_keys
from memcon.store.paths import Home
from memcon.store.tiles import LogStore
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.note import Note, Signature
from memcon.tlog.policy import Policy
from memcon.tlog.witness import AddCheckpoint
from memcon.verify.asking import Asker
from memcon.verify.was_it_on import Question, Reply
from memcon.witness.archive import Archive
from memcon.witness.core import Witness
from memcon.witness.keys import Cosigner

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from memcon.seal.keys import Keys

ORIGIN = "stage.example/recorder"
PERIOD = 10
BEGIN = 1_767_225_600 * NS  # 2026-01-01T00:00:00Z
NAMES = ("court", "press", "university")


class Stage:
    """One log, its witnesses, and whoever plays the operator. Slots are counted from `BEGIN`."""

    def __init__(
        self, root: Path, *, origin: str = ORIGIN, like: Stage | None = None, begun_ns: int = BEGIN
    ) -> None:
        """`like`: another whose keys, clock and witnesses this one shares; `begun_ns`: of its genesis."""
        self.root = root
        self.home = Home(root)
        self.clock: ManualClock = like.clock if like is not None else ManualClock(BEGIN)
        self.keys: Keys = like.keys if like is not None else create_keys(self.home.keys)
        self.origin = origin
        create_log(self.home, self.keys, origin, begun_ns, period_ms=PERIOD * 1000)
        self.store = LogStore(self.home.log)
        self.sign = CheckpointSigner(self.keys, origin)
        self.store.open(self.sign)
        self.zero = BEGIN // (PERIOD * NS)
        self.archive = Archive(self.home.log)
        self.instance = sha256(b"instance")[:16]
        self.newest: tuple[bytes, int] = (ZERO32, 0)
        self.witnesses: dict[str, Witness] = like.witnesses if like is not None else self._witnesses()
        cosigners = {name: Cosigner(f"{name}.example", sha256(name.encode())) for name in NAMES}
        lines = [f"log {key}" for key in self.sign.vkeys]
        lines += [f"witness {name} {cosigner.vkeys[0]}" for name, cosigner in cosigners.items()]
        lines += [f"group all-three 2 {' '.join(NAMES)}", "quorum all-three", ""]
        self.policy = "\n".join(lines).encode()
        self._judge = Policy.parse(self.policy)

    def _witnesses(self) -> dict[str, Witness]:
        return {
            name: Witness(Cosigner(f"{name}.example", sha256(name.encode())), self.sign.vkeys, self.clock)
            for name in NAMES
        }

    def roll_back(self, name: str, wall_ns: int) -> None:
        """A witness forgets what it has seen, and from now on it is always the same time to it."""
        cosigner = Cosigner(f"{name}.example", sha256(name.encode()))
        self.witnesses[name] = Witness(cosigner, self.sign.vkeys, ManualClock(wall_ns))

    # ------------------------------------------------------------------ time

    def now(self) -> float:
        """Slots since `BEGIN`."""
        return self.clock.wall_ns() / (PERIOD * NS) - self.zero

    def wait_until(self, slot: float) -> None:
        """Let time pass up to a slot's beginning."""
        self.clock.advance(max(0, int((slot - self.now()) * PERIOD * NS)))

    # ------------------------------------------------------------------ the operator

    def leaf(self, slot: int, state: State = State.RECORDING, *, period_ms: int = PERIOD * 1000) -> None:
        """Append a beat to the log, whatever the operator likes; nobody is shown it."""
        note, size = self.newest
        made = Beat(
            Kind.BEAT, state, period_ms, self.store.size, self.zero + slot, self.instance,
            sha256(b"slot %d" % slot), bytes(32), note_hash=note, note_size=size,
        )  # fmt: skip
        self.store.publish(self.origin, [made.encode()], self.sign)

    def leaves(self, first: int, last: int, state: State = State.RECORDING) -> None:
        """Append beats of the slots `first` to `last` at once."""
        for slot in range(first, last + 1):
            self.leaf(slot, state)

    def submit(self, names: Iterable[str] = NAMES) -> int:
        """Show the newest checkpoint to witnesses now; how many cosigned. A quorum's note is archived."""
        signed = Note.parse(self.store.fetch("checkpoint") or b"")
        checkpoint = Checkpoint.parse(signed.text)
        reader = self.store.reader()
        lines: list[Signature] = []
        for name in names:
            seen = self.witnesses[name].latest.get(self.origin)
            size = 0 if seen is None else seen.checkpoint.size
            proof = tuple(reader.consistency_proof(size)) if size <= checkpoint.size else ()
            answer = self.witnesses[name].decide(AddCheckpoint(size, proof, signed).to_bytes())
            if answer.status == 200:
                text = answer.body.decode().splitlines()
                lines += [Signature.from_line(line, name) for line in text]
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

    # ------------------------------------------------------------------ anybody

    def ask(self, first: int, last: int, where: Path | None = None) -> Reply:
        """What a third party is told of the slots `first` to `last`, from the files alone."""
        start = (self.zero + first) * PERIOD * 1000
        end = (self.zero + last + 1) * PERIOD * 1000
        asker = Asker(str(where or self.home.log), self.policy)
        return asker.ask(Question(start, end), now=self.clock.wall_ns() // NS)
