"""The recorder's side: each checkpoint to all witnesses at once, quorums, the archive of cosigned notes.

A process of its own, which only reads the log: whatever witnesses do, sealing does not wait for it.
One thread speaks to one witness, always about the newest checkpoint; the main thread looks for new
checkpoints, gathers answers, archives a note when its quorum is there, and leaves word of it for the
next beat. At the start the last checkpoint is submitted again, at its old size: its new cosignatures
are what the first beat names. The same happens when a quorum comes back.
"""

from __future__ import annotations

import os
import queue
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from memcon.clock import NS
from memcon.errors import FormatError, MemconError
from memcon.store import durable
from memcon.store.tiles import CHECKPOINT
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.cosignature import Cosignature
from memcon.tlog.note import Note
from memcon.tlog.tiles import TileReader
from memcon.witness.archive import Archive
from memcon.witness.client import SECONDS, Outcome, WitnessClient
from memcon.witness.keys import QuickVerifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from memcon.clock import Clock
    from memcon.tlog.note import Signature
    from memcon.tlog.policy import Policy, Verdict

LOOK_SECONDS = 0.02
GRACE_NS = 300_000_000
"""How long a note with a quorum waits for the other witnesses."""
RETRY_SECONDS = 5.0
KEPT_ROUNDS = 4
"""Checkpoints whose late cosignatures still count."""
LINGER_NS = 4 * NS
"""How long the last checkpoint may take after a stop."""


@dataclass(slots=True, eq=False)
class Round:
    """One checkpoint on its way to the witnesses."""

    note: Note
    checkpoint: Checkpoint
    cosignatures: list[Signature] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)
    quorum_at: int | None = None
    archived: bool = False


@dataclass(slots=True)
class Seen:
    """What a witness said last."""

    names: list[str]
    size: int = 0
    time: int = 0
    problem: str = "not asked yet"


@dataclass(frozen=True, slots=True)
class Newest:
    """A note that was archived: H, tree size, quorum time and age time by the policy (POSIX seconds)."""

    digest: bytes
    size: int
    quorum_time: int
    age_time: int


class Submitter:
    """Submits the checkpoints of the log in `root`. `tell` hears of every note that is archived."""

    def __init__(
        self,
        root: Path,
        policy: Policy,
        clock: Clock,
        *,
        period_ns: int,
        tell: Callable[[Newest], object],
        seconds: float = SECONDS,
    ) -> None:
        self._root = root
        self._policy = policy
        self._clock = clock
        self._tell = tell
        self._archive = Archive(root)
        self._grace = min(GRACE_NS, period_ns // 4)
        self._retry = min(RETRY_SECONDS, period_ns / NS)
        self._rounds: list[Round] = []
        self._came: queue.SimpleQueue[tuple[str, Round, Outcome]] = queue.SimpleQueue()
        self._new = threading.Condition()
        self._stopping = False
        self._read = b""
        self.newest: Newest | None = None
        self.trouble = ""
        self.seen: dict[str, Seen] = {}
        self._clients: list[WitnessClient] = []
        for url, names, keys in by_address(policy):
            self.seen[url] = Seen(names)
            self._clients.append(WitnessClient(url, keys, seconds))

    # --- the main thread ---

    def run(self, stop: threading.Event, say: Callable[[], object] = lambda: None) -> None:
        """Submit until `stop`; then the last checkpoint, for 4 s at most. `say` is called once a second."""
        threads = [threading.Thread(target=self._speak, args=(c,), daemon=True) for c in self._clients]
        for thread in threads:
            thread.start()
        asked, next_say = None, 0
        try:
            while True:
                self.step()
                now = self._clock.monotonic_ns()
                if now >= next_say:
                    say()
                    next_say = now + NS
                if stop.is_set():
                    asked = now if asked is None else asked
                    if (self._rounds and self._rounds[-1].archived) or now - asked > LINGER_NS:
                        return
        finally:
            with self._new:
                self._stopping = True
                self._new.notify_all()
            say()

    def step(self) -> None:
        """Look for a new checkpoint, take an answer, archive what is due."""
        try:
            self._look()
            self._take()
            self._settle()
        except MemconError as error:  # the disk, or a log that cannot be read: told, and tried again
            self.trouble = str(error)
        else:
            self.trouble = ""

    def _look(self) -> None:
        data = durable.read_if_there(self._root / CHECKPOINT) or b""
        if data == self._read:
            return
        note = Note.parse(data)
        begun = Round(note, Checkpoint.parse(note.text))
        self._read = data
        with self._new:
            self._rounds = [*self._rounds[1 - KEPT_ROUNDS :], begun]
            self._new.notify_all()

    def _take(self) -> None:
        try:
            url, of, outcome = self._came.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            return
        seen = self.seen[url]
        seen.problem = outcome.problem
        of.answered.add(url)
        if outcome.ahead is not None:
            seen.problem += ": this log was restored from a copy, or two recorders run with its keys"
        if not outcome.signatures:
            return
        seen.size = of.checkpoint.size
        seen.time = max(Cosignature.parse(s.blob).timestamp for s in outcome.signatures)
        if of.archived:
            self._archive.add_cosignatures(Note(of.note.text, outcome.signatures), seen.time)
            return
        of.cosignatures += outcome.signatures
        if of.quorum_at is None and self._verdict(of).quorum_time is not None:
            of.quorum_at = self._clock.monotonic_ns()

    def _verdict(self, of: Round) -> Verdict:
        return self._policy.evaluate(of.note.add(*of.cosignatures))

    def _settle(self) -> None:
        """Archive each note whose quorum is there and for which nobody is waited for any more."""
        now = self._clock.monotonic_ns()
        for of in self._rounds:
            if of.archived or of.quorum_at is None:
                continue
            over = of is not self._rounds[-1] or len(of.answered) == len(self._clients)
            if over or now - of.quorum_at >= self._grace:
                self._keep(of)

    def _keep(self, of: Round) -> None:
        note, verdict = of.note.add(*of.cosignatures), self._verdict(of)
        size, time = of.checkpoint.size, verdict.quorum_time or 0
        newest = self.newest is None or size >= self.newest.size
        digest = self._archive.add_note(note.to_bytes(), size, time, newest=newest)
        of.archived = True
        if newest:
            self.newest = Newest(digest, size, time, self._policy.age_time(verdict.stamps) or 0)
            self._tell(self.newest)

    # --- a witness's thread ---

    def _speak(self, client: WitnessClient) -> None:
        done, pause = None, None
        while True:
            of = self._next(done, pause)
            if of is None:
                client.close()
                return
            outcome = self._submit(client, of)
            done, pause = of, None if outcome.signatures else self._retry
            self._came.put((client.url, of, outcome))

    def _next(self, done: Round | None, pause: float | None) -> Round | None:
        """The next checkpoint to submit: a newer one, or after `pause` seconds the same; None at the end."""
        with self._new:
            self._new.wait_for(lambda: self._stopping or self._current() is not done, pause)
            return None if self._stopping else self._current()

    def _current(self) -> Round | None:
        return self._rounds[-1] if self._rounds else None

    def _submit(self, client: WitnessClient, of: Round) -> Outcome:
        fetch = lambda path: durable.read_if_there(self._root / path)  # noqa: E731
        reader = TileReader(fetch, of.checkpoint.size)
        try:
            return client.submit(of.note, of.checkpoint, reader.consistency_proof)
        except MemconError as error:
            return Outcome(problem=str(error))

    # --- for people ---

    def status(self, b: int, period_ns: int) -> dict[str, Any]:
        """What the status page and `memcon status` show; times in POSIX seconds, 0 for none."""
        now, newest = self._clock.wall_ns(), self.newest
        fresh = newest is not None and now - newest.age_time * NS <= (b + 1) * period_ns
        return {
            "pid": os.getpid(),
            "wall": now,
            "quorum": fresh,
            "size": newest.size if newest else 0,
            "quorum_time": newest.quorum_time if newest else 0,
            "trouble": self.trouble,
            "witnesses": [
                {"url": url, "names": s.names, "size": s.size, "time": s.time, "problem": s.problem}
                for url, s in self.seen.items()
            ],
        }


def by_address(policy: Policy) -> Iterable[tuple[str, list[str], list[QuickVerifier]]]:
    """Witnesses by address: one with two keys is asked once. Raises FormatError for one without address."""
    found: dict[str, tuple[list[str], list[QuickVerifier]]] = {}
    for witness in policy.witnesses:
        if witness.url is None:
            raise FormatError(
                "policy",
                f"witness {witness.name!r} has no address",
                cure="Write it behind the key: witness NAME VKEY https://…",
            )
        names, keys = found.setdefault(witness.url, ([], []))
        names.append(witness.name)
        keys.append(QuickVerifier(witness.key))
    return [(url, names, keys) for url, (names, keys) in found.items()]
