"""Versions of transcripts are handed in to be sealed, once more where nobody knows of a NOTE."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from memcon.catalogue.catalogue import Catalogue
from memcon.clock import ManualClock
from memcon.record.transcript import Lane, Machine, Subject, Transcript
from memcon.service.transcripts import hand_in_again, open_book, open_transcripts
from memcon.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

OF = Subject("call", "1", "ab" * 32, 1000, "cd" * 32)
DRAFT = Transcript(OF, "memcon", (Lane("A"),), Machine("fake", "1", "tiny", "", ""))


def test_what_no_note_is_known_for_is_handed_in_again(tmp_path: Path) -> None:
    home = Home(tmp_path)
    store = open_transcripts(home, ManualClock())
    first, second = store.append(DRAFT), store.append(DRAFT)
    waiting = [home.notes / f"3-{kept.hash}" for kept in (first, second)]
    assert all(path.exists() for path in waiting)
    for path in waiting:
        path.unlink()
    catalogue = Catalogue(home.catalogue)
    catalogue.dossiers.put_notes([{"hash": first.hash, "number": 1, "type": 3, "slot": 5, "index": 2}])
    assert hand_in_again(store, catalogue, home) == 1
    assert [path.exists() for path in waiting] == [False, True]
    book = open_book(home, ManualClock(), catalogue)
    assert [*book.sealed([first.hash, second.hash])] == [first.hash]
    assert book.store.current_version("call-1") == 2
    assert book.live(1) == ()
    home.live_transcripts.mkdir(parents=True)
    text = home.live_transcripts / "1.json"
    text.write_bytes(replace(DRAFT, at="2026-11-28T08:00:00Z").encode())
    assert book.live(1) == DRAFT.lanes
    assert isinstance(book.installed, bool)
    catalogue.close()
