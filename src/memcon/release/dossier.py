"""A dossier as a bundle that a stranger can check (FORMATS §18): entries, sources, and their proofs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.errors import UsageError
from memcon.record.beat import decode as decode_beat
from memcon.record.bundle import STATEMENT_PREFIX
from memcon.record.dossier_bundle import (
    FILE_PREFIX,
    SEALED,
    SealedNote,
    encode_sealed,
    entry_name,
    write_bundle,
)
from memcon.record.hashing import ZERO32, sha256
from memcon.record.opened import ProvenBeat, encode_beats
from memcon.record.slottree import SlotTree, decode_note_leaf
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.note import Note
from memcon.tlog.tiles import TileReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from memcon.record.entry import Entry
    from memcon.record.slottree import SlotRecord

    Fetch = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True)
class Written:
    """An entry with its bytes."""

    entry: Entry
    data: bytes


def make_dossier_bundle(
    written: Sequence[Written],
    files: Mapping[str, bytes],
    slots: Iterable[tuple[SlotRecord, bytes]],
    fetch: Fetch,
    policy: bytes,
) -> bytes:
    """The bundle. `files` by SHA-256 in hex, those left out are withheld; `slots` with their slot keys, in
    any order: NOTEs over these entries are taken from them; `fetch` reads the log by path.

    UsageError where the log serves no checkpoint or not a statement that a beat names.
    """
    note = fetched(fetch, "checkpoint")
    checkpoint = Checkpoint.parse(Note.parse(note).text)
    hashes = {sha256(one.data) for one in written}
    notes = dict(sealed_notes(slots, hashes, checkpoint.size))
    beats = proven_beats(fetch, checkpoint.size, {decode_note_leaf(one.leaf).index for one in notes.values()})
    dossier = written[0].entry.dossier
    made = {
        "README.txt": readme(checkpoint.origin, dossier, len(written)),
        "checkpoint": note,
        "policy": policy,
        "beats.mcb": encode_beats(checkpoint.size, beats),
        SEALED: encode_sealed(notes[n] for n in sorted(notes)),
    }
    made |= {entry_name(one.entry.n, one.entry.kind): one.data for one in written}
    made |= {FILE_PREFIX + digest: data for digest, data in files.items()}
    for named in sorted({decode_beat(beat.leaf).statement for beat in beats} - {ZERO32}):
        path = f"{STATEMENT_PREFIX}{named.hex()}"
        made[path] = fetched(fetch, path)
    return write_bundle(checkpoint.origin, dossier, made)


def fetched(fetch: Fetch, path: str) -> bytes:
    """A file of the log; UsageError where it serves none."""
    data = fetch(path)
    if data is None:
        raise UsageError(f"the log does not serve {path}", cure="Restore it from a mirror")
    return data


def sealed_notes(
    slots: Iterable[tuple[SlotRecord, bytes]], hashes: set[bytes], size: int
) -> Iterable[tuple[int, SealedNote]]:
    """The NOTEs over these hashes, by number, with their paths; of one that was sealed twice, the first."""
    found: dict[bytes, int] = {}
    for record, key in slots:
        mine = {
            lane: leaf
            for lane, leaf in record.leaves.items()
            if leaf[:6] == b"mcnote" and leaf[40:72] in hashes
        }
        if not mine or record.index >= size:
            continue
        tree = SlotTree(key, record.leaves)
        for lane, leaf in mine.items():
            note = decode_note_leaf(leaf)
            if found.setdefault(note.object_hash, note.number) == note.number:
                yield note.number, SealedNote(leaf, tree.salt(lane), tree.path(lane))


def proven_beats(fetch: Fetch, size: int, indexes: set[int]) -> list[ProvenBeat]:
    """The genesis leaf and the beats that commit to the NOTEs, with their proofs."""
    reader = TileReader(fetch, size)
    return [
        ProvenBeat(index, next(iter(reader.entries(index, index + 1))), tuple(reader.inclusion_proof(index)))
        for index in sorted(indexes | {0})
    ]


def how_to_check(command: str) -> str:
    """What the README of a bundle says of the verifier, whose `command` reads it."""
    return f"""\
It can be checked by anyone, offline, with Python 3.11 or newer and one file, memcon-verify.pyz:

    python3 memcon-verify.pyz {command} FILE --key "..."

where FILE is this bundle and the key is the log's public key (it begins with the recorder's name).
Ask for the key by another way than the one this file came by. The file "policy" holds the key as the
operator states it; a check against it alone shows that the bundle fits together, not whose it is.
"""


def readme(origin: str, dossier: str, entries: int) -> bytes:
    """The text for whoever opens the bundle first."""
    return f"""This is dossier {dossier} of the recorder "{origin}", as far as entry {entries}:
what was written of one call, who wrote it, and the sources it rests on.

{how_to_check("dossier")}
What is inside
    manifest.json  every file's length and SHA-256
    checkpoint     the signed state of the public log that the proofs lead to
    beats.mcb      the log's first entry and those that seal what was written, with proofs
    {SEALED}     what each of these entries says of this dossier, with its path
    entries/       what was written, one JSON text an entry, each naming the one before
    files/         the sources byte for byte and the texts read from them, named by their SHA-256
    statement/     public statements that the log entries name

A source that is not here is withheld (a licence may forbid to pass it on): its digest stands in its
entry, and the source, shown later, will fit.

What a successful check does not prove: that what somebody wrote or published is so; that the names are
those of who wrote; that nothing was written later, or elsewhere.

The formats are described in docs/FORMATS.md of memcon, byte for byte.
""".encode()
