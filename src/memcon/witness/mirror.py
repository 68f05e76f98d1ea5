"""A mirror of one log: leaves, statements, notes, cosignatures, certificates, each checked before it is kept.

Nothing of the source is believed: entries by the consistency of their tree with the log's signed
checkpoint, statements and notes by their hash, notes and cosignatures by the policy's keys. What does
not hold is not kept, and told; a log that shrinks or forks is kept as a conflict, with both notes.
The mirror's directory has the layout of the log's (FORMATS §15), so whoever reads the one reads the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.clock import NS
from memcon.errors import FormatError, MachineError, MemconError, RemoteError
from memcon.record import beat, evidence
from memcon.record.evidence import Conflict
from memcon.record.hashing import ZERO32, sha256
from memcon.record.silence import Certificate
from memcon.store.copy import LogCopy
from memcon.store.durable import make_dirs, read_if_there, write_file
from memcon.store.tiles import CHECKPOINT, PUBLIC, PUBLIC_DIR
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.cosignature import Cosignature
from memcon.tlog.merkle import verify_consistency
from memcon.tlog.note import Note, verify
from memcon.tlog.policy import MAX_POLICY_SIZE
from memcon.tlog.tiles import TileReader
from memcon.verify.silence import verify_silence
from memcon.witness.archive import Archive
from memcon.witness.keys import QuickVerifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from memcon.clock import Clock
    from memcon.tlog.note import Signature
    from memcon.tlog.policy import Policy
    from memcon.verify.sources import Source
    from memcon.witness.client import WitnessClient

CHUNK = 8192
"""Leaves appended at once: 2 MB of a memcon log, 32 tiles of hashes."""
LOOK_NS = 2 * NS
INDEX_NS = 30 * NS
"""Between two readings of a day's index and of what seldom grows; the newest note is read with each leaf."""
MOST_SECONDS = 2.5
MOST_NOTES = 2000
"""Notes taken in one step, so that a long history does not keep the leaves waiting."""
MOST_STAMPS = 100
MAX_ROUNDS = 2 << 20
"""Bytes of a day's drand rounds: one every three seconds has 56."""
MAX_STAMP = 64 << 10
"""Bytes of a time stamp with its certificates: they have some 1 to 8 kB."""
MOST_ABSENT = 16
"""Files that are not served asked for in one step; the others' turn comes in the next ones."""


class Mirror:
    """Keeps `root` up to what `source` serves. `own` gives the mirror's own cosignatures of a text."""

    def __init__(
        self,
        root: Path,
        origin: str,
        source: Source,
        policy: Policy,
        clock: Clock,
        *,
        own: Callable[[bytes], tuple[Signature, ...]] = lambda _: (),
        others: Iterable[WitnessClient] = (),
    ) -> None:
        self.origin = origin
        self.root = root
        self._source = source
        self._policy = policy
        self._clock = clock
        self._own = own
        self._others = tuple(others)
        self.archive = Archive(root)
        self._copy = LogCopy(root)
        self.head = self._copy.resume()
        self._wanted: dict[str, str] = {}
        """Path and kind of what our leaves name and we do not hold, in the order in which it is asked for."""
        if self.size:
            self._want(self._copy.entries(max(0, self.size - CHUNK), self.size))
        self._keys = [QuickVerifier(witness.key) for witness in policy.witnesses]
        self._taken: dict[str, int] = {}
        self._heard: dict[str, bytes] = {}
        self._look: float | None = None
        self._next_look = self._next_index = 0
        self.reachable = False
        """Whether the source served a checkpoint at the last step."""
        self.troubles: list[str] = []

    @property
    def size(self) -> int:
        return self.head.size if self.head else 0

    def step(self) -> None:
        """Fetch what is new. Never raises for what the source does: `troubles` says it.

        The checkpoint each time; what lies beside the leaves when there are new ones, and every few
        seconds, for what came without them.
        """
        self.troubles, self.reachable = [], False
        size, now = self.size, self._clock.monotonic_ns()
        answers = self._try(self._leaves)
        if answers and self.reachable:
            answers = self._try(self._named)
        if not answers or not self.reachable or (self.size == size and now < self._next_look):
            return
        self._next_look = now + LOOK_NS
        work = [self._listen, self._newest]
        if now >= self._next_index:
            self._next_index = now + INDEX_NS
            work += [self._notes, self._loose, self._certificates, self._policy_file]
            work += [self._stamps, self._rounds]
        for each in work:
            if not self._try(each):  # of a site that keeps us waiting nothing more is asked: the watch waits
                return

    def _try(self, work: Callable[[], object]) -> bool:
        """Do it; False where the source could not be read."""
        try:
            work()
        except MachineError as error:
            self.troubles.append(str(error))
            return False
        except MemconError as error:
            self.troubles.append(str(error))
        return True

    @property
    def look_seconds(self) -> float:
        """How often the log is worth a look: four times a period, 0.25 s at the least."""
        if self._look is None and self.size:
            try:
                self._look = beat.decode(next(self._copy.entries(0, 1))).period_ms / 4000
            except FormatError:  # a log of another kind
                self._look = MOST_SECONDS
        return min(max(self._look or 0.25, 0.25), MOST_SECONDS)

    # --- leaves ---

    def _leaves(self) -> None:
        note = self._served()
        checkpoint = Checkpoint.parse(note.text)
        self.reachable = True
        if self.head is not None and checkpoint.size <= self.size:
            self._against_ours(note, checkpoint)
            return
        reader = TileReader(self._source.fetch, checkpoint.size)

        def check(size: int, root: bytes) -> None:
            proof = reader.consistency_proof(size) if size < checkpoint.size else []
            verify_consistency(size, checkpoint.size, proof, root, checkpoint.root)

        try:
            while self._copy.size < checkpoint.size:
                start = self._copy.size
                entries = list(reader.entries(start, min(start + CHUNK, checkpoint.size)))
                self._copy.grow(entries, check)
                self._want(entries)
        except FormatError:
            self.head = self._copy.resume()  # forget what was appended beyond the checkpoint
            raise
        self._copy.settle(note.add(*self._own(note.text)).to_bytes())
        self.head = checkpoint

    def _served(self) -> Note:
        """The source's checkpoint with those of its signatures that hold."""
        data = self._source.fetch(CHECKPOINT)
        if data is None:
            raise FormatError("log", "serves no checkpoint", where=self.origin)
        note = Note.parse(data)
        verdict = self._policy.evaluate(note)
        if verdict.checkpoint.origin != self.origin:
            raise FormatError(
                "log", f"serves the checkpoint of {verdict.checkpoint.origin!r}", where=self.origin
            )
        known = {(k.name, k.key_id) for k in verdict.log_keys}
        return Note(note.text, tuple(s for s in note.signatures if (s.name, s.key_id) in known))

    def _against_ours(self, note: Note, checkpoint: Checkpoint) -> None:
        """The source shows no more than we hold: it must be a part of it."""
        ours = Note.parse(read_if_there(self.root / CHECKPOINT) or b"")
        if self._copy.reader().root_at(checkpoint.size) != checkpoint.root:
            if checkpoint.size == self.size:
                self.archive.add_conflict(Conflict("fork", ours, note))
            raise FormatError("log", f"serves another history of {checkpoint.size} leaves", where=self.origin)
        if checkpoint.size < self.size:
            self.archive.add_conflict(Conflict("withheld", ours, note))
            text = f"serves {checkpoint.size} leaves, {self.size} were there before"
            raise FormatError("log", text, where=self.origin)
        kept = {(s.name, s.key_id) for s in ours.signatures}
        own = tuple(s for s in self._own(note.text) if (s.name, s.key_id) not in kept)
        if own:
            self._copy.settle(ours.add(*own).to_bytes())

    def _want(self, entries: Iterable[bytes]) -> None:
        """Remember which statements and notes memcon's leaves name: they are served as long as the leaves."""
        for entry in entries:
            try:
                leaf = beat.decode(entry)
            except FormatError:  # other logs' leaves are only leaves
                continue
            for kind, digest in (("statement", leaf.statement), ("note", leaf.note_hash)):
                path = evidence.hashed_path(kind, digest)
                if digest != ZERO32 and path not in self._wanted and not (self.root / path).exists():
                    self._wanted[path] = kind

    def _named(self) -> None:
        """Fetch what leaves name, at once: the site may go away. What does not come is asked for again."""
        absent = 0
        for path, kind in [*self._wanted.items()][:MOST_NOTES]:
            del self._wanted[path]
            self._wanted[path] = kind  # behind all the others, should it not come
            data = self._hashed(kind, bytes.fromhex(path.rpartition("/")[2]))
            if data is not None:
                del self._wanted[path]
                if kind == "note":
                    self._keep_note(data, 0, newest=False)
            else:
                absent += 1
                if absent == MOST_ABSENT:
                    return

    def _hashed(self, kind: str, digest: bytes) -> bytes | None:
        """A file of the source by its hash, kept; None, and told, where it is not there or not itself."""
        path = evidence.hashed_path(kind, digest)
        data = self._source.fetch(path)
        if data is None or sha256(data) != digest:
            self.troubles.append(f"{path} is not served, or is not what its name says")
            return None
        if kind == "statement":
            self.archive.add_file(kind, data)
        return data

    # --- notes and cosignatures ---

    def _days(self) -> Iterator[int]:
        """A POSIX time in each UTC day from the newest that we hold notes of, at most back to genesis."""
        now = self._clock.wall_ns() // 1_000_000_000
        held = sorted(self.root.glob("note/index-*"))
        first = now
        if self.size:
            begun = beat.decode(next(self._copy.entries(0, 1))).slot_start_ns() // 1_000_000_000
            newest = held[-1].name.removeprefix("index-") if held else ""
            first = next((t for t in range(begun, now, evidence.DAY) if evidence.day_of(t) >= newest), now)
        yield from evidence.days(first, now + evidence.DAY - 1)

    def _newest(self) -> None:
        """The note that the source calls its newest."""
        data = self._source.fetch(evidence.COSIGNED)
        if data is not None and data != read_if_there(self.root / evidence.COSIGNED):
            self._keep_note(data, 0)

    def _notes(self) -> None:
        taken = 0
        for time in self._days():
            path = evidence.index_path(time)
            data = self._source.fetch(path) or b""
            have = {e.digest for e in evidence.read_entries(read_if_there(self.root / path) or b"")}
            for entry in evidence.read_entries(data, self._taken.get(path, 0)):
                if taken >= MOST_NOTES:
                    return
                if entry.digest not in have:
                    self._note(entry)
                    taken += 1
                self._taken[path] = self._taken.get(path, 0) + evidence.ENTRY_SIZE

    def _note(self, entry: evidence.Entry) -> None:
        data = self._hashed("note", entry.digest)
        if data is not None:
            self._keep_note(data, entry.time)

    def _keep_note(self, data: bytes, said: int, *, newest: bool = True) -> None:
        """Keep a cosigned note; `said` is the time that its index gives it, for a quorum we do not know."""
        name = f"note/{sha256(data).hex()}"
        try:
            verdict = self._policy.evaluate(Note.parse(data))
        except FormatError as error:
            self.troubles.append(f"{name}: {error}")
            return
        checkpoint = verdict.checkpoint
        if checkpoint.size <= self.size and self._copy.reader().root_at(checkpoint.size) != checkpoint.root:
            ours = Note.parse(read_if_there(self.root / CHECKPOINT) or b"")
            self.archive.add_file("note", data)
            if checkpoint.size == self.size:
                self.archive.add_conflict(Conflict("fork", Note.parse(data), ours))
            self.troubles.append(f"{name}: of another history")
            return
        time = verdict.quorum_time or said or max((t for _, t in verdict.stamps), default=0)
        self.archive.add_note(data, checkpoint.size, time, newest=newest)

    def _loose(self) -> None:
        """Cosignatures that came late, and whatever else stands there by keys of the policy."""
        now = self._clock.wall_ns() // 1_000_000_000
        for time in (now - evidence.DAY, now):
            path = evidence.cosignature_path(time)
            data = self._source.fetch(path) or b""
            for note, end in evidence.read_cosignatures(data, self._taken.get(path, 0)):
                self._taken[path] = end
                try:
                    self._keep_loose(note)
                except FormatError as error:
                    self.troubles.append(f"{path}: {error}")

    def _keep_loose(self, note: Note) -> None:
        """Keep the cosignatures of a note that hold and that we have not heard before."""
        found = [signature for signature, _ in verify(note, self._keys)]
        checkpoint = Checkpoint.parse(note.text)
        if checkpoint.origin != self.origin:
            raise FormatError("cosignatures", f"of {checkpoint.origin!r}", where=self.origin)
        time = max(Cosignature.parse(s.blob).timestamp for s in found)
        kept = Note(note.text, tuple(found))
        path = self.root / evidence.cosignature_path(time)
        if evidence.encode_cosignatures(kept) not in (read_if_there(path) or b""):
            self.archive.add_cosignatures(kept, time)

    def _listen(self) -> None:
        """What the other witnesses cosigned last, from themselves."""
        for client in self._others:
            try:
                note = client.latest(self.origin)
            except RemoteError as error:
                self.troubles.append(str(error))
                continue
            if note is not None and self._heard.get(client.url) != note.to_bytes():
                self._heard[client.url] = note.to_bytes()
                self._keep_loose(note)

    # --- certificates, policy ---

    def _certificates(self) -> None:
        data = self._source.fetch(evidence.SILENCE_INDEX) or b""
        have = {entry.digest for entry in self.archive.certificates()}
        for entry in evidence.read_entries(data):
            if entry.digest in have:
                continue
            found = self._hashed("silence", entry.digest)
            now = self._clock.wall_ns() // NS
            if found is not None and verify_silence(found, self._policy, entry.digest.hex(), now).ok:
                size = Checkpoint.parse(Certificate.parse(found).note.text).size
                self.archive.add_certificate(found, size, entry.time)

    def _rounds(self) -> None:
        """The drand rounds of a day that ours begins, or does not have: a signature speaks for itself."""
        now = self._clock.wall_ns() // NS
        for time in (now - evidence.DAY, now):
            path = f"drand/{evidence.day_of(time)}"
            data, held = self._source.fetch(path) or b"", read_if_there(self.root / path) or b""
            if len(held) < len(data) <= MAX_ROUNDS and data.startswith(held):
                make_dirs((self.root / path).parent, PUBLIC_DIR)
                write_file(self.root / path, data, PUBLIC)

    def _stamps(self) -> None:
        """Time stamps, by their hash: whom to believe is for those who read them."""
        data = self._source.fetch(evidence.STAMP_INDEX) or b""
        path = self.root / evidence.STAMP_INDEX
        have = {entry.digest for entry in evidence.read_entries(read_if_there(path) or b"")}
        for entry in [e for e in evidence.read_entries(data) if e.digest not in have][:MOST_STAMPS]:
            found = self._hashed("timestamp", entry.digest)
            if found is not None and len(found) <= MAX_STAMP:
                self.archive.add_stamp(found, entry.size, entry.time)

    def _policy_file(self) -> None:
        data = self._source.fetch(evidence.POLICY)
        path = self.root / evidence.POLICY
        if data is not None and len(data) <= MAX_POLICY_SIZE and data != read_if_there(path):
            write_file(path, data, PUBLIC)
