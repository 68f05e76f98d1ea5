"""Offline proofs that an entry is in a log (C2SP tlog-proof, December 2025; files `*.tlog-proof`).

c2sp.org/tlog-proof@v1
extra <base64>                   optional; nothing authenticates it
index <decimal>
<base64 of 32 bytes>             0 to 63 lines, from the leaf's sibling up
<empty line>
<the checkpoint's note, byte for byte>
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.tlog.encoding import (
    MAX_INTEGER,
    from_base64,
    from_decimal,
    hash_from_base64,
    text_of,
    to_base64,
)
from memcon.tlog.merkle import leaf_hash, verify_inclusion
from memcon.tlog.note import MAX_NOTE_SIZE, Note

if TYPE_CHECKING:
    from memcon.tlog.policy import Policy, Verdict

HEADER = "c2sp.org/tlog-proof@v1"
MAX_HASHES = 63


class ProofFileError(FormatError):
    """Bytes that are no tlog-proof, or a proof without its quorum."""


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """Entry number `index` is in the tree of the checkpoint in `note`, by the audit path `hashes`.

    `extra` is None where the file has no such line.
    """

    index: int
    hashes: tuple[bytes, ...]
    note: Note
    extra: bytes | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.index <= MAX_INTEGER:
            raise ProofFileError("tlog-proof", f"no index {self.index}", where="index")
        if len(self.hashes) > MAX_HASHES or any(len(one) != 32 for one in self.hashes):
            raise ProofFileError("tlog-proof", "not at most 63 hashes of 32 bytes", where="proof")

    @classmethod
    def parse(cls, data: bytes) -> InclusionProof:
        """Read a proof; raises `ProofFileError` or `NoteError`. What is read serialises to the same bytes."""
        what, error = "tlog-proof", ProofFileError
        if len(data) > 2 * MAX_NOTE_SIZE:
            raise error(what, f"longer than {2 * MAX_NOTE_SIZE} bytes", where="length")
        head, divider, note = data.partition(b"\n\n")
        if not divider:
            raise error(what, "no empty line before the checkpoint", where="checkpoint")
        lines = text_of(head, what, error=error).split("\n")
        if lines[0] != HEADER:
            raise error(what, f"does not begin with {HEADER}", where="line 1")
        at, extra = 1, None
        if lines[1:] and lines[1].startswith("extra "):
            extra = from_base64(lines[1].removeprefix("extra "), what, "line 2", error=error)
            at = 2
        if not lines[at:] or not lines[at].startswith("index "):
            raise error(what, "no index", where=f"line {at + 1}")
        index = from_decimal(lines[at].removeprefix("index "), what, f"line {at + 1}", error=error)
        numbered = enumerate(lines[at + 1 :], at + 2)
        hashes = [hash_from_base64(line, what, f"line {n}", error=error) for n, line in numbered]
        return cls(index, tuple(hashes), Note.parse(note), extra)

    def to_bytes(self) -> bytes:
        """The file's bytes."""
        extra = [] if self.extra is None else [f"extra {to_base64(self.extra)}"]
        lines = [HEADER, *extra, f"index {self.index}", *map(to_base64, self.hashes)]
        return "\n".join(lines).encode() + b"\n\n" + self.note.to_bytes()

    def verify(self, entry: bytes, policy: Policy) -> Verdict:
        """Check that this entry is in a log of the policy, at `index`, under a quorum's cosignatures.

        Raises `SignatureError`, `CheckpointError`, `ProofError`, or `ProofFileError` for a quorum
        that is asked for and not there.
        """
        verdict = policy.evaluate(self.note)
        if policy.quorum is not None and verdict.quorum_time is None:
            raise ProofFileError("tlog-proof", "no quorum has cosigned the checkpoint", where="checkpoint")
        checkpoint = verdict.checkpoint
        verify_inclusion(leaf_hash(entry), self.index, checkpoint.size, self.hashes, checkpoint.root)
        return verdict
