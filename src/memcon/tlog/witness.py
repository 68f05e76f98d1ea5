"""What a log and a witness say to each other (C2SP tlog-witness): `add-checkpoint`, byte for byte.

    old <decimal size>
    <base64 of 32 bytes>        0 to 63 lines: the consistency proof from the old size
    <empty line>
    <the checkpoint's note>

The answer is one signature line or more. Its status says the rest:

    200   cosigned                                       400   malformed, or old beyond the new size
    403   no trusted signature, or one that fails        404   a log the witness does not know
    409   old is not the size it cosigned last: the body is that size and a newline
    422   the proof does not hold, or the same size has another root

The text tagged v1.0.0 gives 409 for another root at the same size; the editor's text of 2026, which
this follows, gives 422, so that 409 always carries a size.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from memcon.errors import FormatError
from memcon.tlog.encoding import from_decimal, hash_from_base64, lines_of, text_of, to_base64
from memcon.tlog.note import Note, Signature

MAX_PROOF = 63
MAX_REQUEST = 1 << 17
MAX_SIGNATURES = 16
SIZE_TYPE = "text/x.tlog.size"
WHAT = "add-checkpoint"


class RequestError(FormatError):
    """A request or an answer that does not follow its format."""


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """The old size, the proof from there, and the note with the new checkpoint."""

    old_size: int
    proof: tuple[bytes, ...]
    note: Note

    @classmethod
    def parse(cls, data: bytes) -> AddCheckpoint:
        """Read a request's body; raises `RequestError` or `NoteError`. It serialises to the same bytes."""
        if len(data) > MAX_REQUEST:
            raise RequestError(WHAT, f"longer than {MAX_REQUEST} bytes", where="length")
        head, divider, note = data.partition(b"\n\n")
        if not divider:
            raise RequestError(WHAT, "no empty line before the checkpoint", where="checkpoint")
        old, *proof = text_of(head, WHAT, error=RequestError).split("\n")
        if not old.startswith("old "):
            raise RequestError(WHAT, "no old size", where="line 1")
        if len(proof) > MAX_PROOF:
            raise RequestError(WHAT, f"{len(proof)} lines of proof, not up to {MAX_PROOF}", where="proof")
        size = from_decimal(old.removeprefix("old "), WHAT, "line 1", error=RequestError)
        hashes = (
            hash_from_base64(line, WHAT, f"line {n}", error=RequestError) for n, line in enumerate(proof, 2)
        )
        return cls(size, tuple(hashes), Note.parse(note))

    def to_bytes(self) -> bytes:
        """The request's body."""
        lines = (f"old {self.old_size}", *map(to_base64, self.proof))
        return "\n".join(lines).encode() + b"\n\n" + self.note.to_bytes()


def read_answer(data: bytes) -> tuple[Signature, ...]:
    """The signature lines of a 200; raises `RequestError` or `NoteError`. Who made them is not judged."""
    lines = lines_of(text_of(data, WHAT, error=RequestError), WHAT, error=RequestError)
    if len(lines) > MAX_SIGNATURES:
        raise RequestError(WHAT, f"{len(lines)} signatures in the answer", where="answer")
    return tuple(Signature.from_line(line, f"line {n}") for n, line in enumerate(lines, 1))


def read_size(data: bytes) -> int:
    """The size in the body of a 409; raises `RequestError`."""
    text = text_of(data, WHAT, error=RequestError)
    return from_decimal(text.removesuffix("\n"), WHAT, "size", error=RequestError)


def monitoring_path(origin: str) -> str:
    """Where a witness serves the newest checkpoint of a log that it has cosigned."""
    return f"{sha256(origin.encode()).hexdigest()}/checkpoint"
