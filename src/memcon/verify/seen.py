"""Checkpoints of a log that somebody kept: the log shown now must still contain them (RFC 6962 §2.1).

A log that was rewritten and signed again agrees with itself. What convicts it is a checkpoint from
before, kept by anybody: the first so many leaves of the log must lead to its root.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from memcon.errors import FormatError
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.merkle import Frontier
from memcon.tlog.note import Note
from memcon.verify.keys import verifier
from memcon.verify.words import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from memcon.verify.findings import Report
    from memcon.verify.keys import Trust


class Seen(NamedTuple):
    """A checkpoint kept from before; `where` says by whom or in what."""

    where: str
    origin: str
    size: int
    root: bytes


Kept: TypeAlias = "Seen | tuple[str, bytes]"
"""A checkpoint that was judged elsewhere, or the name and bytes of one that was not."""


def read_seen(report: Report, kept: Iterable[Kept], trusted: Trust) -> list[Seen]:
    """The kept checkpoints that can be held against a log."""
    read = [one if isinstance(one, Seen) else _read(report, *one, trusted) for one in kept]
    return [one for one in read if one is not None]


def _read(report: Report, where: str, data: bytes, trusted: Trust) -> Seen | None:
    """Read a kept checkpoint; one that no given key signed is no evidence, and a finding."""
    try:
        note = Note.parse(data)
        checkpoint = Checkpoint.parse(note.text)
    except FormatError as error:
        report.add("checkpoint-form", where, str(error))
        return None
    signed = any(
        verifier(key).verify(note.text, signature.blob)
        for key in trusted.keys
        for signature in note.signatures
        if (signature.name, signature.key_id) == (key.name, key.key_id)
    )
    if trusted.keys and not signed:
        report.add("checkpoint-signature", where, "no given key has signed it: it is no evidence")
        return None
    return Seen(where, checkpoint.origin, checkpoint.size, checkpoint.root)


def check_seen(report: Report, kept: Sequence[Seen], origin: str, size: int, hashes: Sequence[bytes]) -> None:
    """Hold kept checkpoints against a log of `size` leaves, of which `hashes` are the first leaf hashes."""
    roots = prefix_roots(hashes, {one.size for one in kept})
    good = 0
    for one in kept:
        problem = _problem(one, origin, size, roots)
        if problem:
            report.add("checkpoint-fork", one.where, problem)
        else:
            good += 1
    if kept:
        checkpoints = count(len(kept), "checkpoint")
        report.checked.append(f"{good} of {checkpoints} kept from before are of this log's own past")
    else:
        report.not_checked.append(
            "Older checkpoints: none was given to hold this log against (--seen), so a log rewritten since "
            "would not show"
        )


def _problem(one: Seen, origin: str, size: int, roots: dict[int, bytes]) -> str | None:
    if one.origin != origin:
        return f"is of {one.origin!r}, this log is {origin!r}"
    if one.size > size:
        return f"of {one.size:,} leaves; this log has {size:,}: leaves were taken away, or are withheld"
    if roots.get(one.size) != one.root:
        return f"the first {one.size:,} leaves of this log do not lead to its root: there are two logs"
    return None


def prefix_roots(hashes: Sequence[bytes], sizes: set[int]) -> dict[int, bytes]:
    """The tree heads over the first so many leaf hashes, for each of `sizes` that is there, in one pass."""
    tree = Frontier()
    roots = {0: tree.root()}
    for n, leaf in enumerate(hashes, 1):
        tree.append(leaf)
        if n in sizes:
            roots[n] = tree.root()
    return roots
