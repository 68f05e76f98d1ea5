"""Which cosigned notes a bundle carries."""

from __future__ import annotations

from tests.verify.test_dating import called
from tests.verify.test_sync import Files

from memcon.record import evidence, opened
from memcon.record.hashing import sha256
from memcon.release.dating import dating_notes


def test_those_named_and_those_that_hold_the_beats() -> None:
    watched, made, notes = called()
    beats = opened.encode_beats(made.size, made.beats)
    names = {sha256(one.note) for one in notes}
    assert len(names) == len(notes) == len(made.call.places) + 1
    source = Files(watched)
    gone = evidence.hashed_path("note", sha256(notes[1].note))
    source.files[gone] = b"no note"
    assert len(dating_notes(beats, made.size, source.fetch)) == len(notes) - 1
    del source.files[gone]
    assert len(dating_notes(beats, made.size, source.fetch)) == len(notes) - 1


def test_none_without_witnesses_or_beats() -> None:
    watched, made, _ = called()
    bare = watched.world.files()
    assert dating_notes(opened.encode_beats(made.size, made.beats), made.size, bare.get) == []
    assert dating_notes(opened.encode_beats(made.size, made.beats[:1]), made.size, bare.get) == []
