"""The transcripts of a home, wired: store, sealing, and what the pages ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.record.transcript import NOTE_TRANSCRIPT, decode
from memcon.seal.notes import submit_note
from memcon.store.durable import read_if_there
from memcon.store.transcripts import TranscriptStore
from memcon.transcribe.models import installed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memcon.catalogue.catalogue import Catalogue
    from memcon.catalogue.dossiers import SealedNote
    from memcon.clock import Clock
    from memcon.record.transcript import Lane
    from memcon.store.paths import Home


def open_transcripts(home: Home, clock: Clock) -> TranscriptStore:
    """The transcripts of this home. A version is sealed by the next beat of a running `memcon serve`."""
    return TranscriptStore(home, clock, lambda type_, digest: submit_note(home, type_, digest))


@dataclass(frozen=True, slots=True)
class Book:
    """What the console knows of transcripts (`memcon.console.transcript_deps.TranscriptBook`)."""

    store: TranscriptStore
    catalogue: Catalogue
    home: Home

    @property
    def installed(self) -> bool:
        """Whether the speech extra is there; loads nothing."""
        return installed()

    def sealed(self, hashes: Sequence[str]) -> Mapping[str, SealedNote]:
        """Where the NOTEs over versions stand."""
        return self.catalogue.dossiers.sealed(hashes)

    def live(self, number: int) -> Sequence[Lane]:
        """What has been heard so far of a call that goes on: nothing, where no process listens.
        Raises FormatError where the file is damaged."""
        data = read_if_there(self.home.live_transcripts / f"{number}.json")
        return () if data is None else decode(data).lanes


def open_book(home: Home, clock: Clock, catalogue: Catalogue) -> Book:
    """The transcripts of this home for its pages."""
    return Book(open_transcripts(home, clock), catalogue, home)


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
