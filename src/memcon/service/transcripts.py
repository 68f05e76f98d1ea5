"""The transcripts of a home, wired: store and sealing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.record.transcript import NOTE_TRANSCRIPT
from memcon.seal.notes import submit_note
from memcon.store.transcripts import TranscriptStore

if TYPE_CHECKING:
    from memcon.catalogue.catalogue import Catalogue
    from memcon.clock import Clock
    from memcon.store.paths import Home


def open_transcripts(home: Home, clock: Clock) -> TranscriptStore:
    """The transcripts of this home. A version is sealed by the next beat of a running `memcon serve`."""
    return TranscriptStore(home, clock, lambda type_, digest: submit_note(home, type_, digest))


def hand_in_again(store: TranscriptStore, catalogue: Catalogue, home: Home) -> int:
    """Submit versions that no NOTE is known for: a crash between writing and handing in loses nothing."""
    count = 0
    for key in store.subjects():
        hashes = store.hashes(key)
        sealed = catalogue.dossiers.sealed(hashes)
        for digest in hashes:
            if digest not in sealed:
                submit_note(home, NOTE_TRANSCRIPT, bytes.fromhex(digest))
                count += 1
    return count
