"""The bundle of a call taken in of this home: from its object in the vault, the slot records and the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.record.intake import hash_of
from memcon.release.bundle import policy_text
from memcon.release.intake import make_intake_bundle
from memcon.seal.keys import load_keys
from memcon.service.dossier_bundle import slots_of
from memcon.service.dossiers import notes_of
from memcon.store.durable import read_bytes
from memcon.store.tiles import LogStore

if TYPE_CHECKING:
    from memcon.catalogue.catalogue import Catalogue
    from memcon.store.paths import Home
    from memcon.vault.intakes import IntakeShelf


def intake_bundle(home: Home, origin: str, catalogue: Catalogue, shelf: IntakeShelf, n: int) -> bytes:
    """Call taken in `n` as one file that a stranger checks offline. UsageError where there is none."""
    intake = shelf.read(n)
    files = {name: read_bytes(path) for name, path in shelf.files(n).items()}
    catalogue.dossiers.put_notes(notes_of(home))
    sealed = catalogue.dossiers.sealed([hash_of(intake.encode())])
    keys = load_keys(home.keys)
    slots = slots_of(home, keys.structure, {note.index for note in sealed.values()})
    policy = policy_text([str(key) for key in keys.vkeys(origin)])
    return make_intake_bundle(files, slots, LogStore(home.log).fetch, policy)
