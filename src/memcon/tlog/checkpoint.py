"""Checkpoints: the text of a log's signed note (C2SP tlog-checkpoint v1.0.0).

    origin                       one line, not empty
    size                         decimal, no leading zeros, at most 2^63 - 1
    root                         base64 of 32 bytes
    extension lines              any number, not empty

memcon never writes extension lines (nobody can audit them, and ML-DSA cosignatures do not cover
them) but keeps those of others. An empty log has size 0 and root SHA-256(""); whether the root
fits the size is a question for `merkle`, not for the parser.
"""

from __future__ import annotations

from dataclasses import dataclass

from memcon.errors import FormatError
from memcon.tlog.encoding import (
    MAX_INTEGER,
    from_decimal,
    hash_from_base64,
    is_clean,
    lines_of,
    text_of,
    to_base64,
)


class CheckpointError(FormatError):
    """A text that is no checkpoint."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's tree head: origin, number of leaves, 32-byte root, extension lines."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MAX_INTEGER:
            raise CheckpointError("checkpoint", f"no tree has size {self.size}", where="size")
        if len(self.root) != 32:
            raise CheckpointError("checkpoint", f"a root has 32 bytes, not {len(self.root)}", where="root")
        for name, line in (("origin", self.origin), *(("extension line", line) for line in self.extensions)):
            if not line or not is_clean(line):
                raise CheckpointError("checkpoint", "empty line or control character", where=name)

    @classmethod
    def parse(cls, text: bytes) -> Checkpoint:
        """Read a note's text; raises `CheckpointError`. What is read serialises to the same bytes."""
        what = "checkpoint"
        lines = lines_of(text_of(text, what, error=CheckpointError), what, error=CheckpointError)
        if len(lines) < 3:
            raise CheckpointError(what, f"{len(lines)} lines, not origin, size and root", where="end")
        origin, size, root, *extensions = lines
        return cls(
            origin,
            from_decimal(size, what, "size", error=CheckpointError),
            hash_from_base64(root, what, "root", error=CheckpointError),
            tuple(extensions),
        )

    def to_bytes(self) -> bytes:
        """The text to be signed."""
        lines = (self.origin, str(self.size), to_base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines).encode()
