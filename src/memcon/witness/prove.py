"""Silence certificates, made by anybody: the log's last checkpoint, cosigned anew at its old size.

No key of the log is needed. A witness that has cosigned more answers with its size; its own signed
checkpoint then shows growth that the log withholds, and one of the same size with another root shows
a fork. Both are kept as conflicts with the two signed notes.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memcon.clock import NS, SystemClock
from memcon.errors import FormatError, MemconError, RemoteError
from memcon.record import beat, silence
from memcon.record.evidence import Conflict
from memcon.record.silence import Certificate, ProvenLeaf
from memcon.tlog.note import Note, SignatureError
from memcon.tlog.tiles import TileReader
from memcon.witness.client import Outcome, WitnessClient
from memcon.witness.submit import by_address

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memcon.tlog.policy import Policy, Verdict
    from memcon.verify.sources import Source

SECONDS = 5.0
TRIES = 3
MOST_NS = 10 * NS
"""Of one attempt: a witness may send a byte now and then, and keeps nobody waiting with it."""
GRACE_NS = 1 * NS
"""How long the others are waited for once those have answered without whom there is no quorum."""
TOO_LATE = "has not answered in time"


@dataclass(slots=True)
class Proved:
    """What came of it. `certificate` is None where too few answered or the log is not overdue.

    `time` is T (POSIX seconds), `covered` the first and last slot; `problems` what witnesses said
    instead of cosigning, by address.
    """

    origin: str
    size: int
    period_ms: int
    certificate: bytes | None = None
    time: int | None = None
    covered: tuple[int, int] | None = None
    conflicts: list[Conflict] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    stamps: list[tuple[str, int]] = field(default_factory=list)


def prove(source: Source, policy: Policy, seconds: float = SECONDS) -> Proved:
    """Ask the policy's witnesses, and make the certificate if a blocking set of them cosigns.

    A log that grows in between is asked again, three times in all. Raises FormatError for a log that
    cannot be read or is not of the policy, MachineError where it cannot be fetched.
    """
    clients = [WitnessClient(url, keys, seconds) for url, _, keys in by_address(policy)]
    late: dict[str, str] = {}
    try:
        for _ in range(TRIES):
            attempt = _Attempt(source, policy)
            proved, grew = attempt.run(clients)
            late |= {client.url: TOO_LATE for client in attempt.late}
            clients = [client for client in clients if client not in attempt.late]
            if not grew:
                break
        proved.problems |= late
        return proved
    finally:
        for client in clients:  # those that are late are still spoken to: their threads end by themselves
            client.close()


class _Attempt:
    """One reading of the log's checkpoint, and what the witnesses say of it."""

    def __init__(self, source: Source, policy: Policy) -> None:
        self._source = source
        self._policy = policy
        note, verdict = self._checkpoint()
        keys = {(key.name, key.key_id) for key in verdict.log_keys}
        self._note = Note(note.text, tuple(s for s in note.signatures if (s.name, s.key_id) in keys))
        self._checkpoint_ = verdict.checkpoint
        if not self._checkpoint_.size:
            raise FormatError("log", "has no leaf: its silence has no beginning")
        self._reader = TileReader(source.fetch, self._checkpoint_.size)
        self.late: list[WitnessClient] = []

    def _checkpoint(self) -> tuple[Note, Verdict]:
        data = self._source.fetch("checkpoint")
        if data is None:
            raise FormatError("log", "has no checkpoint", where="checkpoint")
        note = Note.parse(data)
        return note, self._policy.evaluate(note)

    def run(self, clients: list[WitnessClient]) -> tuple[Proved, bool]:
        """What came of it, and whether the log has grown in the meantime."""
        certificate = self._leaves()
        parts = silence.contents(certificate)
        proved = Proved(parts.checkpoint.origin, parts.checkpoint.size, parts.genesis.period_ms)
        outcomes = self._submit_all(clients)
        signatures = [s for outcome in outcomes for s in outcome.signatures]
        for client, outcome in zip(clients, outcomes, strict=True):
            if outcome.problem:
                proved.problems[client.url] = outcome.problem
        if any(o.ahead is not None for o in outcomes) and self._grown():
            return proved, True
        for client, outcome in zip(clients, outcomes, strict=True):
            if outcome.ahead is not None or outcome.status == 422:
                self._convict(proved, client)
        if signatures:
            note = self._note.add(*signatures)
            proved.stamps = list(self._policy.evaluate(note).stamps)
            proved.time = self._policy.blocking_time(proved.stamps)
        if proved.time is not None and not proved.conflicts:
            proved.covered = parts.covered(proved.time)
            if proved.covered is not None:
                made = Certificate(certificate.statement, certificate.first, certificate.last, note)
                proved.certificate = made.encode()
        return proved, False

    def _submit_all(self, clients: list[WitnessClient]) -> list[Outcome]:
        """What each says, asked side by side; whoever is late stands in `late`."""
        came: queue.SimpleQueue[tuple[int, Outcome | MemconError]] = queue.SimpleQueue()

        def submit(n: int, client: WitnessClient) -> None:
            try:
                came.put((n, client.submit(self._note, self._checkpoint_, self._reader.consistency_proof)))
            except MemconError as error:  # of the log's own files
                came.put((n, error))
            if client in self.late:  # nobody else will
                client.close()

        for n, client in enumerate(clients):
            threading.Thread(target=submit, args=(n, client), daemon=True).start()
        found: dict[int, Outcome] = {}
        clock = SystemClock()
        until = clock.monotonic_ns() + MOST_NS
        while len(found) < len(clients):
            try:
                n, outcome = came.get(timeout=max(0, until - clock.monotonic_ns()) / NS)
            except queue.Empty:
                break
            if isinstance(outcome, MemconError):
                raise outcome
            found[n] = outcome
            if self._are_enough(found.values()):
                until = min(until, clock.monotonic_ns() + GRACE_NS)
        self.late = [client for n, client in enumerate(clients) if n not in found]
        return [found.get(n, Outcome(problem=TOO_LATE)) for n in range(len(clients))]

    def _are_enough(self, outcomes: Iterable[Outcome]) -> bool:
        signatures = [s for outcome in outcomes for s in outcome.signatures]
        if not signatures:
            return False
        stamps = self._policy.evaluate(self._note.add(*signatures)).stamps
        return self._policy.blocking_time(stamps) is not None

    def _grown(self) -> bool:
        return self._checkpoint()[1].checkpoint.size > self._checkpoint_.size

    def _leaves(self) -> Certificate:
        """The certificate as it will be, without its cosignatures."""
        last = self._checkpoint_.size - 1
        first = self._proven(0)
        said = self._source.fetch(f"statement/{beat.decode(first.leaf).statement.hex()}")
        if said is None:
            raise FormatError("log", "does not serve the statement that its first leaf names")
        return Certificate(said, first, self._proven(last), self._note)

    def _proven(self, index: int) -> ProvenLeaf:
        leaf = next(self._reader.entries(index, index + 1))
        return ProvenLeaf(index, leaf, tuple(self._reader.inclusion_proof(index)))

    def _convict(self, proved: Proved, client: WitnessClient) -> None:
        """Get the witness's own signed word for what it answered; an answer alone is hearsay."""
        try:
            theirs = client.latest(proved.origin)
            verdict = None if theirs is None else self._policy.evaluate(theirs)
        except (RemoteError, SignatureError) as error:
            proved.problems[client.url] += f"; and {error}"
            return
        if theirs is None or verdict is None:
            return
        ours, other = self._checkpoint_, verdict.checkpoint
        if other.size == ours.size and other.root != ours.root:
            proved.conflicts.append(Conflict("fork", theirs, self._note))
        elif other.size > ours.size:
            proved.conflicts.append(Conflict("withheld", theirs, self._note))
