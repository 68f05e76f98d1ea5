"""The dossiers of a home, wired: store, sealing and index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.accounts.desk import AccountsDesk
from memcon.errors import MemconError
from memcon.record.entry import hash_of
from memcon.record.slottree import NOTE_MAGIC, decode_note_leaf, decode_slot_records
from memcon.seal.notes import submit_note
from memcon.store import durable
from memcon.store.dossiers import DossierStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from memcon.catalogue.catalogue import Catalogue
    from memcon.clock import Clock
    from memcon.store.paths import Home


def open_desk(home: Home, clock: Clock, catalogue: Catalogue) -> AccountsDesk:
    """The desk of this home. What is written there is sealed by the next beat of a running `memcon serve`."""
    store = DossierStore(home, clock, lambda type_, digest: submit_note(home, type_, digest))
    return AccountsDesk(store, catalogue.dossiers)


def notes_of(home: Home) -> Iterator[Mapping[str, int | str]]:
    """Every NOTE of the slot records on the disk, as the catalogue indexes them."""
    for path in sorted(home.slots.glob("*/*.mcl")):
        records, _ = decode_slot_records(durable.read_bytes(path), torn_ok=True)
        for record in records:
            for leaf in record.leaves.values():
                if leaf.startswith(NOTE_MAGIC):
                    note = decode_note_leaf(leaf)
                    yield {
                        "hash": note.object_hash.hex(),
                        "number": note.number,
                        "type": note.type,
                        "slot": note.slot,
                        "index": note.index,
                    }


def unsealed(desk: AccountsDesk) -> list[tuple[str, int]]:
    """(dossier, number) of every entry that no known NOTE is over. Reads each file, and takes none apart:
    this is done at every start, over all dossiers."""
    hashes = [
        (id_, n, hash_of(data)) for id_ in desk.store.ids() for n, data in enumerate(desk.store.files(id_), 1)
    ]
    sealed = desk.index.sealed([one for _, _, one in hashes])
    return [(id_, n) for id_, n, one in hashes if one not in sealed]


def hand_in_again(desk: AccountsDesk, home: Home) -> int:
    """Submit entries that no NOTE is known for: a crash between writing and handing in loses nothing."""
    left: dict[str, list[int]] = {}
    for id_, n in unsealed(desk):
        left.setdefault(id_, []).append(n)
    for id_, numbers in left.items():
        kept = desk.store.read(id_)
        for n in numbers:
            submit_note(home, kept[n - 1].entry.note_type, bytes.fromhex(kept[n - 1].hash))
    return sum(map(len, left.values()))


def catch_up(desk: AccountsDesk, home: Home) -> list[str]:
    """After a start: index dossiers that changed while nobody indexed, learn of NOTEs the feed did not
    tell, and hand in what was never handed in. What could not be read is returned in words."""
    problems = desk.index_all(only_changed=True)
    try:
        if unsealed(desk):
            desk.index.put_notes(notes_of(home))
            hand_in_again(desk, home)
    except MemconError as error:
        problems.append(str(error))
    return problems


def check_dossier(desk: AccountsDesk, dossier: str) -> tuple[list[str], list[str]]:
    """(what was checked, what was found): the chain, every file, and a NOTE for every entry."""
    found: list[str] = []
    kept = desk.store.read(dossier)
    sealed = desk.index.sealed([one.hash for one in kept])
    read = desk.read(dossier)
    files = {s.sha256 for s in read.sources.values()} | {s.text for s in read.sources.values() if s.text}
    for digest in sorted(files):
        desk.store.get(dossier, digest)
    open_ = [one.entry.n for one in kept if one.hash not in sealed]
    checked = [
        f"{len(kept)} of {len(kept)} entries follow from one another",
        f"{len(files)} of {len(files)} files are what their entries say",
        f"{len(kept) - len(open_)} of {len(kept)} entries are sealed in the log",
    ]
    if open_:
        names = ", ".join(str(n) for n in open_[:10])
        found.append(
            f"entry {names} is not sealed yet" if len(open_) == 1 else f"entries {names} are not sealed yet"
        )
    return checked, found
