"""A history is brought up to date from a log or a mirror.

What is new is read, evidence first and the checkpoint after it, so that growth in between never looks
withheld; then the entries, whose tree must have the checkpoint's root; on the way each cosigned
checkpoint's root is compared with the tree at its size. Every leaf, signature and hash is read once;
a long history is read in weeks, each settled before the next, so that memory stays small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.record import beat as beats
from memcon.record import evidence
from memcon.record import statement as statements
from memcon.record.beat import Kind
from memcon.record.hashing import ZERO32, sha256
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.merkle import leaf_hash
from memcon.tlog.note import Note
from memcon.tlog.tiles import TileError, TileReader
from memcon.verify.attest import Demand, Leaf, Terms
from memcon.verify.cosigned import Found, Reader, check_signature
from memcon.verify.findings import Report
from memcon.verify.history import History, Said, Stale, Unserved
from memcon.verify.keys import Trust, read_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from memcon.record.beat import Beat
    from memcon.tlog.policy import Policy
    from memcon.verify.cosigned import Check, Say
    from memcon.verify.sources import Source

    Progress = Callable[[int, int], None]

DAYS = 7
"""Read at once."""
SERVED_LATER = ("note-missing", "statement-missing")
"""Findings that may come to an end: what is served by then is read, and the history anew."""


def _remembering(h: History, say: Say) -> Say:
    """What tells a finding and keeps it in the history: the file it is about is not read again."""

    def tell(code: str, where: str, text: str) -> None:
        h.note(code, where, text)
        say(code, where, text)

    return tell


class Sync:
    """One reading of a source. Raises FormatError where what is served is no log that can be judged."""

    def __init__(
        self,
        source: Source,
        policy: Policy,
        report: Report,
        now: int,
        *,
        demand: Demand | None = None,
        check: Check = check_signature,
        progress: Progress | None = None,
    ) -> None:
        self._source = source
        self._policy = policy
        self._report = report
        self._now = now
        self._demand = demand
        self._check = check
        self._progress = progress
        self._trust = Trust(tuple(log.key for log in policy.logs))

    def run(self, known: History | None = None) -> History:
        """Bring a history up to date, or begin one; `known` itself is left as it is."""
        if known is not None:
            try:
                self._same_findings(known)
                return self._extend(known.copy(), DAYS)
            except Stale:
                self._report.forget()
        try:
            return self._extend(self._begin(), DAYS)
        except Stale:  # in one go, nothing is settled before everything is read
            self._report.forget()
            return self._extend(self._begin(), None)

    def _same_findings(self, known: History) -> None:
        """Tell what was found before; Stale where something that was missing is served by now."""
        for code, where, text in known.found:
            self._report.add(code, where, text)
            if code == "note-future" or (code in SERVED_LATER and self._is_served(where)):
                raise Stale

    def _is_served(self, path: str) -> bool:
        data, promised = self._source.fetch(path), evidence.hash_in(path)
        return data is not None and sha256(data) == promised

    def _checkpoint(self) -> tuple[bytes, Checkpoint]:
        """The checkpoint that is served, signed by a key of the policy."""
        data = self._source.fetch("checkpoint")
        seen = Report(self._report.target, "log")
        signed = read_checkpoint(seen, data, self._trust)
        if data is None or signed is None:
            raise FormatError("log", "there is no checkpoint that can be read", where=self._report.target)
        if not seen.checked or "checkpoint-signature" in seen.counts:
            raise FormatError(
                "checkpoint",
                f"is of {signed.checkpoint.origin!r} and not signed by a log that the policy names",
                cure="Ask someone you trust for the log's key, and put it into the policy: log <vkey>",
            )
        return data, signed.checkpoint

    def _begin(self) -> History:
        _, checkpoint = self._checkpoint()
        if not checkpoint.size:
            raise FormatError("log", "has no leaf", where="leaf 0")
        first = beats.decode(next(TileReader(self._source.fetch, checkpoint.size).entries(0, 1)))
        data = self._source.fetch(f"statement/{first.statement.hex()}")
        if data is None or sha256(data) != first.statement:
            raise FormatError("log", "the statement that leaf 0 names is not served", where="leaf 0")
        said = statements.decode(data)
        if not isinstance(said, statements.Genesis) or first.kind is not Kind.GENESIS:
            raise FormatError("log", "leaf 0 is no genesis", where="leaf 0")
        if (said.origin, said.period_ms) != (checkpoint.origin, first.period_ms):
            raise FormatError("log", "leaf 0 and its statement do not fit the log", where="leaf 0")
        return History(checkpoint.origin, Terms.of(said, self._demand), first.slot)

    def _extend(self, h: History, days: int | None) -> History:
        say = _remembering(h, self._report.add)
        reader = Reader(self._source, h.origin, self._policy, say, self._report.add, self._check)
        now = self._now + evidence.DAY  # a witness's clock may be ahead of ours
        since = h.settled_to // 1000 or h.genesis * h.terms.period_ms // 1000
        known, before = h.size, h.tree.root()
        forks: list[tuple[str, str, str]] = []
        while True:
            until = now if days is None else min(now, since + days * evidence.DAY)
            reading = _Reading(self._source, say, h, reader, self.signed_by_log, forks, now, self._progress)
            reading.gather(since, until, last=until == now)
            data, checkpoint = self._checkpoint()  # after the evidence: growth in between is not withheld
            if checkpoint.origin != h.origin:
                raise FormatError("checkpoint", f"is of {checkpoint.origin!r}, not of {h.origin!r}")
            if checkpoint.size < known:
                text = f"{checkpoint.size} leaves are served, {known} were before"
                self._report.add("log-shrunk", "checkpoint", text)
                checkpoint = Checkpoint(h.origin, h.size, h.tree.root())
                data = h.checkpoint
            reading.read(checkpoint, last=until == now)
            h.settle(self._policy)
            if until == now:
                break
            since = until
        if h.tree.root() != checkpoint.root:
            self._other_tree(h, known, before, checkpoint)
        for fork in forks:  # the leaves they were compared with are the log's own
            say(*fork)
        h.checkpoint = data
        return h

    def _other_tree(self, h: History, known: int, before: bytes, checkpoint: Checkpoint) -> None:
        """The leaves that were read do not lead to the checkpoint's root: say why, and give up."""
        self._report.add("checkpoint-root", "log", f"the leaves lead to {h.tree.root().hex()}")
        tiles = TileReader(self._source.fetch, checkpoint.size)
        if not tiles.begins(known, before, checkpoint.root):
            problem = f"it is not the log whose first {known} leaves were read before"
            self._report.add("log-fork", f"size {checkpoint.size}", problem)
            raise FormatError("log", problem, where="checkpoint", code="log-fork")
        problem = "its leaves do not lead to the root that it signed"
        raise FormatError("log", problem, where="checkpoint", code="checkpoint-root")

    def signed_by_log(self, note: bytes, origin: str) -> bool:
        """Whether a key of the policy for this origin has signed the note."""
        keys = {(key.name, key.key_id): key for key in self._trust.keys if key.name == origin}
        read = Note.parse(note)
        return any(
            self._check(keys[s.name, s.key_id], read.text, s.blob)
            for s in read.signatures
            if (s.name, s.key_id) in keys
        )


class _Reading:
    """Some days of evidence, and the leaves that they are about."""

    def __init__(
        self,
        source: Source,
        say: Say,
        h: History,
        reader: Reader,
        signed: Callable[[bytes, str], bool],
        forks: list[tuple[str, str, str]],
        latest: int,
        progress: Progress | None,
    ) -> None:
        self._source = source
        self._say = say
        self._h = h
        self._reader = reader
        self._signed = signed
        self._forks = forks
        self._latest = latest
        self._progress = progress
        self._wanted: dict[int, list[Found]] = {}
        self._old: list[Found] = []
        self._named: list[Found] = []
        self._said = {said.digest: said for said in h.said}

    # ------------------------------------------------------------------ evidence

    def gather(self, since: int, until: int, *, last: bool) -> None:
        """Read the evidence of some days (POSIX seconds), `last`: and the certificates."""
        h = self._h
        for time in evidence.days(since, until):
            for found in self._reader.of_day(h.places, time):
                self._take(found)
        if last:
            for found in self._reader.certificates(h.places):
                self._take(found)
            for one in h.unserved:
                note = Note.parse(one.note)
                self._take(Found(Checkpoint.parse(note.text), one.cosigned.stamps, note=note))
            h.unserved = []

    def _take(self, found: Found) -> None:
        h, size = self._h, found.checkpoint.size
        if self._is_of_the_future(found):
            return
        if found.digest:
            h.notes[found.digest] = found.cosigned
        self._in_time(found)
        if size > h.size:
            self._wanted.setdefault(size, []).append(found)
        else:
            self._old.append(found)

    def _is_of_the_future(self, found: Found) -> bool:
        """Whether a cosignature is dated later than a clock may be ahead of ours: it counts for nothing."""
        late = sorted({name for name, stamp in found.stamps if stamp > self._latest})
        if late:
            text = f"{', '.join(late)} would have cosigned after the present"
            self._say("note-future", f"size {found.checkpoint.size}", text)
        return bool(late)

    def _in_time(self, found: Found) -> None:
        """Stale where it reaches back; a later one only adds a later word, and changes nothing settled."""
        if any(0 < stamp * 1000 <= self._h.settled_to for _, stamp in found.stamps):
            raise Stale

    def _fork(self, found: Found, why: str) -> None:
        """A checkpoint that is none of this log: the log's own signature tells whose fault that is."""
        note, where = self._reader.bytes_of(found), f"size {found.checkpoint.size}"
        if note is not None and self._signed(note, self._h.origin):
            text = f"the log has signed another tree of this size (note {sha256(note).hex()}): {why}"
            self._forks.append(("log-fork", where, text))
        else:
            self._forks.append(("note-form", where, f"is no checkpoint of this log: {why}"))

    # ------------------------------------------------------------------ leaves

    def read(self, checkpoint: Checkpoint, *, last: bool) -> None:
        """Read the leaves that the evidence is about, `last`: all of them."""
        h = self._h
        tiles = TileReader(self._source.fetch, checkpoint.size)
        for found in self._old:
            self._older(found, tiles, checkpoint)
        end = checkpoint.size
        if not last:
            end = min(end, max(self._wanted, default=h.size))
        if end > h.size:
            self._leaves(end, checkpoint)
        for found in self._named:  # evidence like any other, though the index has lost it
            self._in_time(found)
            if found.checkpoint.size > h.size:
                self._wanted.setdefault(found.checkpoint.size, []).append(found)
            else:
                self._older(found, tiles, checkpoint)
        self._keep_unserved()

    def _leaves(self, end: int, checkpoint: Checkpoint) -> None:
        h = self._h
        entries = TileReader(self._source.fetch, checkpoint.size).entries(h.size, end)
        for index, entry in enumerate(entries, h.size):
            h.tail.append(self._leaf(index, beats.decode(entry)))
            h.tree.append(leaf_hash(entry))
            for found in self._wanted.pop(index + 1, ()):
                if found.checkpoint.root == h.tree.root():
                    h.seen.append(found.cosigned)
                else:
                    self._fork(found, "its root is not that of these leaves")
            if self._progress is not None and not index % 4096:
                self._progress(index, checkpoint.size)

    def _older(self, found: Found, tiles: TileReader, checkpoint: Checkpoint) -> None:
        """A checkpoint of a size that was read before: it must be a beginning of the log."""
        one = found.checkpoint
        try:
            fits = tiles.begins(one.size, one.root, checkpoint.root)
        except TileError as error:
            self._say("log-tile", f"size {one.size}", f"{error}: a cosigned checkpoint cannot be compared")
            return
        if fits:
            self._h.seen.append(found.cosigned)
        else:
            self._fork(found, "it is no beginning of this log")

    def _keep_unserved(self) -> None:
        for found in (one for many in self._wanted.values() for one in many):
            note = self._reader.bytes_of(found)
            if note is not None and self._signed(note, self._h.origin):
                self._h.unserved.append(Unserved(found.cosigned, note))

    def _leaf(self, index: int, beat: Beat) -> Leaf:
        h = self._h
        before = h.tail[-1] if h.tail else None
        after = beat.slot > before.slot if before is not None else beat.slot == h.genesis
        if beat.index != index or not after or beat.period_ms != h.terms.period_ms:
            raise FormatError("log", "does not follow from the leaves before", where=f"leaf {index}")
        follows = before is not None and beat.slot == before.slot + 1
        if not follows:
            h.starts.append((beat.slot, index))
        was_beat = before is not None and before.kind is Kind.BEAT
        begins = follows and was_beat and beat.instance != h.instance
        h.instance = beat.instance
        note = b"" if beat.note_hash == ZERO32 else beat.note_hash
        if note and note not in h.notes:  # one that no index lists
            found = self._reader.note(note)
            if found is not None and not self._is_of_the_future(found):
                h.notes[note] = found.cosigned
                self._named.append(found)
        return Leaf(index, beat.slot, beat.kind, beat.state, begins, note, self._names_off(beat))

    def _names_off(self, beat: Beat) -> bool:
        """Whether the leaf names a statement that the whole recorder is off."""
        if beat.statement == ZERO32:
            return False
        if beat.statement not in self._said:
            said = self._statement(beat)
            if said is None:
                return False
            self._h.said.append(said)
            self._said[beat.statement] = said
        read = self._said[beat.statement].statement
        return isinstance(read, statements.Off) and not read.lines

    def _statement(self, beat: Beat) -> Said | None:
        path = f"statement/{beat.statement.hex()}"
        data = self._source.fetch(path)
        if data is None or sha256(data) != beat.statement:
            self._say("statement-missing", path, f"leaf {beat.index} names it")
            return None
        try:
            read = statements.decode(data)
        except FormatError as error:
            self._say("statement-form", path, str(error))
            return None
        if read.origin != self._h.origin:
            self._say("statement-fit", path, f"is of {read.origin!r}")
            return None
        return Said(beat.index, beat.slot, data)
