"""The bundle of a dossier of this home: from its files, the slot records and the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.errors import UsageError
from memcon.record.hashing import slot_key
from memcon.record.slottree import decode_slot_records
from memcon.release.bundle import policy_text
from memcon.release.dossier import Written, make_dossier_bundle
from memcon.seal.keys import load_keys
from memcon.service.dossiers import notes_of
from memcon.store.durable import read_bytes
from memcon.store.tiles import LogStore

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from memcon.accounts.desk import AccountsDesk
    from memcon.record.slottree import SlotRecord
    from memcon.store.paths import Home


def dossier_bundle(
    desk: AccountsDesk, home: Home, origin: str, dossier: str, *, without: Collection[int] = ()
) -> bytes:
    """A dossier as one file that a stranger checks offline; sources `without` are withheld.

    UsageError for a source that is not there, FormatError where a file is not what was sealed.
    """
    found = desk.read(dossier)
    for n in without:
        if n not in found.sources:
            raise UsageError(f"dossier {dossier} has no source {n}")
    files: dict[str, bytes] = {}
    for kept in found.kept:  # what was withdrawn stays in the files, and so in the bundle
        if kept.entry.kind == "source" and kept.entry.n not in without:
            for digest in (kept.entry.body["sha256"], kept.entry.body["text"]):
                if digest is not None:
                    files[digest] = desk.store.get(dossier, digest)
    keys = load_keys(home.keys)
    written = [
        Written(kept.entry, data) for kept, data in zip(found.kept, desk.store.files(dossier), strict=True)
    ]
    desk.index.put_notes(notes_of(home))
    sealed = desk.index.sealed([kept.hash for kept in found.kept])
    wanted = {note.index for note in sealed.values()}
    policy = policy_text([str(key) for key in keys.vkeys(origin)])
    return make_dossier_bundle(
        written, files, slots_of(home, keys.structure, wanted), LogStore(home.log).fetch, policy
    )


def slots_of(home: Home, structure: bytes, wanted: Collection[int]) -> Iterator[tuple[SlotRecord, bytes]]:
    """The slot records of these beats with their slot keys."""
    for path in sorted(home.slots.glob("*/*.mcl")):
        records, _ = decode_slot_records(read_bytes(path), torn_ok=True)
        for record in records:
            if record.index in wanted:
                yield record, slot_key(structure, record.index, record.slot)
