"""A call taken in as a bundle that a stranger can check (FORMATS §21): the file, its statement, the proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.record.beat import decode as decode_beat
from memcon.record.bundle import STATEMENT_PREFIX
from memcon.record.dossier_bundle import SEALED, encode_sealed
from memcon.record.hashing import ZERO32, sha256
from memcon.record.intake import NAME, decode
from memcon.record.intake_bundle import write_bundle
from memcon.record.opened import encode_beats
from memcon.record.slottree import decode_note_leaf
from memcon.release.dossier import fetched, how_to_check, proven_beats, sealed_notes
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.note import Note

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from memcon.record.slottree import SlotRecord
    from memcon.release.dossier import Fetch


def make_intake_bundle(
    files: Mapping[str, bytes], slots: Iterable[tuple[SlotRecord, bytes]], fetch: Fetch, policy: bytes
) -> bytes:
    """The bundle. `files` of the object in the vault by name, the statement among them; `slots` with their
    slot keys, in any order; `fetch` reads the log by path.

    UsageError where the log serves no checkpoint or not a statement that a beat names.
    """
    note = fetched(fetch, "checkpoint")
    checkpoint = Checkpoint.parse(Note.parse(note).text)
    intake = decode(files[NAME])
    notes = dict(sealed_notes(slots, {sha256(files[NAME])}, checkpoint.size))
    beats = proven_beats(fetch, checkpoint.size, {decode_note_leaf(one.leaf).index for one in notes.values()})
    made = {
        "README.txt": readme(checkpoint.origin, intake.n, intake.name),
        "checkpoint": note,
        "policy": policy,
        "beats.mcb": encode_beats(checkpoint.size, beats),
        SEALED: encode_sealed(notes[n] for n in sorted(notes)),
        **files,
    }
    for named in sorted({decode_beat(beat.leaf).statement for beat in beats} - {ZERO32}):
        path = f"{STATEMENT_PREFIX}{named.hex()}"
        made[path] = fetched(fetch, path)
    return write_bundle(checkpoint.origin, intake.n, made)


def readme(origin: str, n: int, name: str) -> bytes:
    """The text for whoever opens the bundle first."""
    shown = name.encode("ascii", "backslashreplace").decode()
    return f"""This is call T{n:03d} of the recorder "{origin}": a file that was taken in, "{shown}",
what whoever took it in said of it, and the proof of when it stood there.

{how_to_check("intake")}
What is inside
    manifest.json  every file's length and SHA-256
    checkpoint     the signed state of the public log that the proofs lead to
    beats.mcb      the log's first entry and the one that seals the statement, with proofs
    {SEALED}     what that entry says of the statement, with its path
    {NAME}    the statement: whose file, its SHA-256, who said what of the call, what a program read
    original       the file, byte for byte
    media/         recordings that it names, named by their SHA-256
    statement/     public statements that the log entries name

What a successful check proves begins at the intake: these bytes stood there when the log entry was made.
It does not prove that they were recorded, when, by whom, of whom, or whole.

The formats are described in docs/FORMATS.md of memcon, byte for byte.
""".encode()
