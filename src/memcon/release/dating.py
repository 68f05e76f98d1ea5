"""The cosigned notes that date a call's beats, from what the log serves (FORMATS §14, `notes.mcb`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.clock import NS
from memcon.errors import FormatError
from memcon.record import evidence
from memcon.record.beat import decode
from memcon.record.dating import DatingNote
from memcon.record.hashing import ZERO32
from memcon.record.opened import read_beats
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.note import Note
from memcon.tlog.tiles import TileReader

if TYPE_CHECKING:
    from collections.abc import Callable

    Fetch = Callable[[str], bytes | None]


def dating_notes(beats_file: bytes, size: int, fetch: Fetch) -> list[DatingNote]:
    """The notes that the beats name, and those whose trees hold them; none where no witness cosigns.

    A note that is not served, or is none of this log, is left out: its beats have no window then.
    """
    beats = [decode(one.leaf) for one in read_beats(beats_file)[1] if one.index]
    digests = dict.fromkeys(beat.note_hash for beat in beats if beat.note_hash != ZERO32)
    if beats:
        since, until = beats[0].slot_start_ns() // NS, beats[-1].slot_end_ns() // NS
        digests |= dict.fromkeys(evidence.dating(fetch, since, until, beats[0].index, beats[-1].index))
    found = []
    for digest in digests:
        data = fetch(evidence.hashed_path("note", digest))
        try:
            if data is not None:
                found.append(DatingNote(data, _proof(data, size, fetch)))
        except FormatError:
            continue
    return found


def _proof(note: bytes, size: int, fetch: Fetch) -> tuple[bytes, ...]:
    other = Checkpoint.parse(Note.parse(note).text).size
    return tuple(TileReader(fetch, max(size, other)).consistency_proof(min(size, other)))
