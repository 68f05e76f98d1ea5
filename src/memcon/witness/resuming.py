"""What a witness knows of its own past when it starts, and why it may refuse to go on.

A witness that has forgotten what it cosigned would cosign a second history as readily as the first one:

    no ledger beside the keys        refused; `--begin-anew` goes on from nothing, and the front page says
                                     so for good, with the time
    a ledger that was altered        refused: the newest note of each log must be what these keys signed
    a ledger behind the mirror       what the mirror holds under this witness's own signature is taken into
                                     the ledger before anything is answered; of one size with another root:
                                     refused, both notes are kept as a conflict

A home restored whole from a copy looks like an honest one from inside: see THREAT-MODEL.
"""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING

from memcon.clock import utc
from memcon.errors import FormatError, UsageError
from memcon.record.evidence import COSIGNED, Conflict
from memcon.store import durable
from memcon.store.tiles import CHECKPOINT
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.note import Note
from memcon.witness.archive import Archive
from memcon.witness.keys import QuickVerifier
from memcon.witness.ledger import begin_ledger, has_ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from memcon.clock import Clock
    from memcon.errors import MemconError
    from memcon.tlog.note import Signature
    from memcon.witness.keys import Cosigner
    from memcon.witness.ledger import Ledger
    from memcon.witness.settings import Settings

BEGUN_ANEW = "begun-anew"
_LOST = "Make a new witness, with keys of its own, and tell the people whose policies name this one"


def ready_ledger(settings: Settings, clock: Clock, *, begin_anew: bool) -> None:
    """See that there is a ledger. Raises UsageError where it is gone, or is there and should be begun."""
    there = has_ledger(settings.ledger)
    if begin_anew and there:
        raise UsageError(f"there is a ledger in {settings.ledger}", cure="Serve without --begin-anew")
    if there:
        return
    if not begin_anew:
        raise UsageError(
            f"the ledger is gone from {settings.ledger}: this witness no longer knows what it cosigned, and "
            "could cosign a second history",
            cure=f"Put the ledger back. Or: {_LOST[0].lower()}{_LOST[1:]}. Or, if nobody relies on it yet, "
            "--begin-anew: its front page will say so for good",
        )
    with durable.AppendFile(settings.home / BEGUN_ANEW) as file:
        file.write(f"{utc(clock.wall_ns())}\n".encode())
        file.sync()
    begin_ledger(settings.ledger)


def begun_anew(settings: Settings) -> list[str]:
    """When its ledger was begun anew, UTC."""
    return (durable.read_if_there(settings.home / BEGUN_ANEW) or b"").decode("ascii", "replace").split()


def resume(settings: Settings, cosigner: Cosigner, ledger: Ledger, say: Callable[[str], object]) -> None:
    """Check the ledger's state, and take in what the mirrors have of this witness beyond it.

    Raises FormatError where the state is not what these keys signed, or contradicts a mirror.
    """
    keys = [QuickVerifier(key) for key in cosigner.vkeys]
    for origin, seen in ledger.latest.items():
        if len(_own(seen.note(), keys)) != len(seen.own):
            text = f"the newest note of {origin} is not what this witness signed"
            raise FormatError("ledger", text, where=str(settings.ledger), cure=_LOST)
    if not settings.mirror:
        return
    for log in settings.policy().logs:
        for note in _mirrored(settings, log.key.name, keys):
            _take_in(settings, ledger, note, say)


def _own(note: Note, keys: Iterable[QuickVerifier]) -> list[Signature]:
    """The signatures of a note that are this witness's and hold."""
    known = {(key.name, key.key_id): key for key in keys}
    return [
        s
        for s in note.signatures
        if (s.name, s.key_id) in known and known[s.name, s.key_id].verify(note.text, s.blob)
    ]


def _mirrored(settings: Settings, origin: str, keys: list[QuickVerifier]) -> Iterator[Note]:
    """The newest notes of a log's mirror that this witness has signed."""
    for name in (CHECKPOINT, COSIGNED):
        try:
            data = durable.read_if_there(settings.mirror_of(origin) / name)
            note = None if data is None else Note.parse(data)
        except FormatError:  # whatever damaged it: it is no word of this witness
            continue
        if note is not None and _own(note, keys):
            yield note


def _take_in(settings: Settings, ledger: Ledger, note: Note, say: Callable[[str], object]) -> None:
    checkpoint = Checkpoint.parse(note.text)
    seen = ledger.latest.get(checkpoint.origin)
    size, root = (seen.checkpoint.size, seen.checkpoint.root) if seen is not None else (0, b"")
    if checkpoint.size < size or (checkpoint.size == size and checkpoint.root == root):
        return
    if checkpoint.size == size and seen is not None:
        Archive(settings.mirror_of(checkpoint.origin)).add_conflict(Conflict("fork", note, seen.note()))
        text = f"two trees of {size:,} leaves of {checkpoint.origin} are signed: one stands in the mirror"
        raise FormatError("ledger", text, where=str(settings.ledger), cure=_LOST)
    done: queue.SimpleQueue[MemconError | None] = queue.SimpleQueue()
    ledger.append(note, done.put)
    problem = done.get()
    if problem is not None:
        raise problem
    say(
        f"{checkpoint.origin}: the ledger had {size:,} leaves, the mirror has {checkpoint.size:,} under this "
        "witness's own signature: taken in. The ledger was lost in part, or put back from a copy"
    )
