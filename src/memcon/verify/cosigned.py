"""The cosigned checkpoints that a log or mirror serves (FORMATS §15), read and checked by a policy.

What is read here is signed by witnesses of the checker's policy; whether a checkpoint's root is that
of the log in hand is for `sync` to settle. Files of the evidence only grow: `Places` keeps how far each
was read, so that the next time costs what is new.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.record import evidence, silence
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.cosignature import Cosignature
from memcon.tlog.note import Note
from memcon.verify.attest import Cosigned
from memcon.verify.keys import verifier
from memcon.verify.sources import TooLarge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from memcon.tlog.note import Signature, VerifierKey
    from memcon.tlog.policy import Policy, Stamp
    from memcon.verify.sources import Source

    Check = Callable[[VerifierKey, bytes, bytes], bool]
    Say = Callable[[str, str, str], None]

Places = dict[str, int]
"""How many bytes of each file that grows have been read."""


def check_signature(key: VerifierKey, text: bytes, blob: bytes) -> bool:
    """Whether a signature line's bytes are this key's over the text: in plain Python."""
    return verifier(key).verify(text, blob)


MOST_BAD = 1000
"""Entries of one index that lead nowhere, after which the rest of it is left unread."""


@dataclass(frozen=True, slots=True)
class Found:
    """A checkpoint of the log, and the witnesses of the policy that cosigned it.

    `digest` is the hash of the note where it is served by it, and `note` is None then: a month has
    hundreds of thousands of them.
    """

    checkpoint: Checkpoint
    stamps: tuple[Stamp, ...]
    digest: bytes = b""
    note: Note | None = None

    @property
    def cosigned(self) -> Cosigned:
        return Cosigned(self.checkpoint.size, self.stamps)


class NoteJudge:
    """Judges cosigned notes of one origin by one policy. `say` takes (finding code, where, text)."""

    def __init__(self, origin: str, policy: Policy, say: Say, check: Check = check_signature) -> None:
        self._origin = origin
        self._say = say
        self._check = check
        self._witnesses = {(w.key.name, w.key.key_id): (w.name, w.key) for w in policy.witnesses}

    def judge(self, note: Note, where: str) -> Found | None:
        """The cosignatures that count; None for another log's checkpoint, or one not to be believed."""
        try:
            checkpoint = Checkpoint.parse(note.text)
            stamps = [stamp for one in note.signatures if (stamp := self._stamp(note, one)) is not None]
        except FormatError as error:
            self._say("note-form", where, str(error))
            return None
        if checkpoint.origin != self._origin:
            self._say("note-form", where, f"is of {checkpoint.origin!r}, not of {self._origin!r}")
            return None
        return Found(checkpoint, tuple(stamps), note=note)

    def _stamp(self, note: Note, signature: Signature) -> Stamp | None:
        known = self._witnesses.get((signature.name, signature.key_id))
        if known is None:
            return None
        name, key = known
        if not self._check(key, note.text, signature.blob):
            raise FormatError("note", f"the cosignature of {name} does not hold", where=signature.name)
        return name, Cosignature.parse(signature.blob).timestamp


class Reader(NoteJudge):
    """Reads the notes that a source serves, and judges them.

    `now`: tells what is found of files anew at each reading; `say` what is found in them once.
    """

    def __init__(
        self,
        source: Source,
        origin: str,
        policy: Policy,
        say: Say,
        now: Say | None = None,
        check: Check = check_signature,
    ) -> None:
        super().__init__(origin, policy, say, check)
        self._source = source
        self._now = now or say

    def bytes_of(self, found: Found) -> bytes | None:
        """The note as it was signed; None where it is not served any more."""
        if found.note is not None:
            return found.note.to_bytes()
        return self._source.fetch(evidence.hashed_path("note", found.digest))

    def note(self, digest: bytes) -> Found | None:
        """The note with this hash; None where it is not served or not what its name says."""
        path = evidence.hashed_path("note", digest)
        data = self._source.fetch(path)
        if data is None:
            self._say("note-missing", path, "is named and not served")
            return None
        if sha256(data).digest() != digest:
            self._say("note-form", path, f"has hash {sha256(data).hexdigest()}")
            return None
        try:
            found = self.judge(Note.parse(data), path)
        except FormatError as error:
            self._say("note-form", path, str(error))
            return None
        return None if found is None else Found(found.checkpoint, found.stamps, digest)

    def of_day(self, places: Places, time: int) -> Iterator[Found]:
        """The notes and loose cosignatures of a day not read before; `places` is brought up to date."""
        path, bad = evidence.index_path(time), 0
        for entry in self._entries(places, path):
            found = self.note(entry.digest)
            if found is not None:
                yield found
                continue
            bad += 1
            if bad == MOST_BAD:  # whoever lists what is not there must not keep its reader for hours
                self._say(
                    "note-missing", path, f"lists {bad:,} notes that count for nothing: the rest is unread"
                )
                break
        yield from self._loose(places, evidence.cosignature_path(time))

    def _grown(self, places: Places, path: str) -> tuple[bytes, int] | None:
        """A file's bytes and where to go on in it, None where nothing is new."""
        try:
            data, at = self._source.fetch(path), places.get(path, 0)
        except TooLarge as error:  # whoever serves it can make it so: the rest is read without it
            self._now("evidence-large", path, str(error))
            return None
        if len(data or b"") < at:
            has = "is not served" if data is None else f"has {len(data)} bytes"
            self._now("evidence-shrunk", path, f"{has}, it had {at}")
            return None
        if data is None or len(data) == at:
            return None
        return data, at

    def _entries(self, places: Places, path: str) -> Iterator[evidence.Entry]:
        grown = self._grown(places, path)
        if grown is None:
            return
        data, at = grown
        places[path] = len(data) - len(data) % evidence.ENTRY_SIZE
        try:
            yield from evidence.read_entries(data, at)
        except FormatError as error:
            self._say("note-form", path, str(error))

    def _loose(self, places: Places, path: str) -> Iterator[Found]:
        grown = self._grown(places, path)
        if grown is None:
            return
        data, at = grown
        try:
            for note, end in evidence.read_cosignatures(data, at):
                places[path] = end
                found = self.judge(note, path)
                if found is not None:
                    yield found
        except FormatError as error:
            places[path] = len(data)
            self._say("note-form", path, str(error))

    def certificates(self, places: Places) -> Iterator[Found]:
        """The notes of new silence certificates: what they show follows from the cosignatures alone."""
        bad = 0
        for entry in self._entries(places, evidence.SILENCE_INDEX):
            path = evidence.hashed_path("silence", entry.digest)
            data = self._source.fetch(path)
            if data is None:
                self._say("note-missing", path, "is listed and not served")
                bad += 1
                if bad == MOST_BAD:
                    break
                continue
            try:
                note = silence.Certificate.parse(data).note
            except FormatError as error:
                self._say("note-form", path, str(error))
                continue
            found = self.judge(note, path)
            if found is not None:
                yield found
