"""One `add-checkpoint` request: its checks in the specification's order, its status, its cosignature.

The check of the old size and the writing of the new checkpoint are one step for each log: `decide`
takes the new checkpoint for the latest at once, the ledger writes in the order of these decisions,
and no answer leaves before its own record is on the disk. What a failed disk has lost nobody was told.

Time. A cosignature dated T says that nothing larger was seen by T, so times never go back for a log:
within two seconds the last time is said again, beyond that the witness waits for its clock (503).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from memcon.clock import NS
from memcon.errors import FormatError
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.cosignature import CosignatureError
from memcon.tlog.merkle import EMPTY_ROOT, ProofError, verify_consistency
from memcon.tlog.note import Note, SignatureError, verify
from memcon.tlog.witness import SIZE_TYPE, AddCheckpoint
from memcon.witness.keys import QuickVerifier
from memcon.witness.ledger import Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from memcon.clock import Clock
    from memcon.tlog.note import Signature, VerifierKey
    from memcon.witness.keys import Cosigner

TEXT = "text/plain; charset=utf-8"
CLOCK_SLACK = 2
"""Seconds a clock may have gone back before a log is refused."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: status, body, its type; and the record to write first, if any."""

    status: int
    body: bytes
    kind: str = TEXT
    record: Note | None = None
    refused: Note | None = None
    """A checkpoint the log has signed and that does not fit what was cosigned: evidence."""


def refusal(status: int, text: str) -> Answer:
    return Answer(status, f"{text}\n".encode())


class Witness:
    """Decides about checkpoints of the logs whose keys it is given. Not for several threads at once."""

    def __init__(
        self,
        cosigner: Cosigner,
        log_keys: Iterable[VerifierKey],
        clock: Clock,
        latest: Mapping[str, Seen] | None = None,
        *,
        conflict: Callable[[Note, Note], object] | None = None,
    ) -> None:
        self._cosigner = cosigner
        self._clock = clock
        self._conflict = conflict
        self._keys: dict[str, list[QuickVerifier]] = {}
        for key in log_keys:
            self._keys.setdefault(key.name, []).append(QuickVerifier(key))
        self.latest: dict[str, Seen] = dict(latest or {})

    @property
    def origins(self) -> tuple[str, ...]:
        return tuple(self._keys)

    def decide(self, body: bytes) -> Answer:
        """The answer to a request's body; its `record` must be on the disk before it leaves."""
        try:
            request = AddCheckpoint.parse(body)
            checkpoint = Checkpoint.parse(request.note.text)
        except FormatError as error:
            return refusal(400, str(error))
        known = self._keys.get(checkpoint.origin)
        if known is None:
            return refusal(404, "this witness does not know the log")
        try:
            signatures = tuple(signature for signature, _ in verify(request.note, known))
        except SignatureError as error:
            return refusal(403, str(error))
        if request.old_size > checkpoint.size:
            return refusal(400, f"old size {request.old_size} is beyond the checkpoint's {checkpoint.size}")
        seen = self.latest.get(checkpoint.origin)
        size, root = (seen.checkpoint.size, seen.checkpoint.root) if seen else (0, EMPTY_ROOT)
        if request.old_size != size:
            return Answer(409, b"%d\n" % size, SIZE_TYPE)
        try:
            verify_consistency(size, checkpoint.size, request.proof, root, checkpoint.root)
        except ProofError as error:
            refused = Note(request.note.text, signatures)
            if self._conflict and seen and size == checkpoint.size and root != checkpoint.root:
                self._conflict(seen.note(), refused)
            return replace(refusal(422, str(error)), refused=refused)
        return self._cosign(checkpoint, request.note.text, signatures, seen)

    def _cosign(
        self, checkpoint: Checkpoint, text: bytes, signatures: tuple[Signature, ...], seen: Seen | None
    ) -> Answer:
        now = self._clock.wall_ns() // NS
        if seen is not None and now < seen.time:
            if seen.time - now > CLOCK_SLACK:
                return refusal(503, "this witness's clock stands before its last cosignature of the log")
            now = seen.time
        if seen is not None and seen.text == text and seen.time == now:
            return Answer(200, _lines(seen.own))  # the same words in the same second: said already
        try:
            own = self._cosigner.cosign(checkpoint, text, now)
        except CosignatureError as error:
            return refusal(400, str(error))
        refresh = seen is not None and seen.text == text
        new = Seen(checkpoint, text, signatures, own, now)
        self.latest[checkpoint.origin] = new
        return Answer(200, _lines(own), record=Note(text, own) if refresh else new.note())


def _lines(signatures: Iterable[Signature]) -> bytes:
    return b"".join(signature.line() for signature in signatures)
