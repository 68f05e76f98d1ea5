"""The windows of a bundle's seconds, offline, by the reader's own witnesses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.verify import builder as b
from tests.verify.test_sync import Files
from tests.verify.watched import Watched

from memcon.record import dating, opened
from memcon.record.bundle import write_bundle
from memcon.record.dating import DatingNote
from memcon.release.dating import dating_notes
from memcon.verify import trust, verify_bundle
from memcon.verify.words import to_text, utc

if TYPE_CHECKING:
    from memcon.verify import Report

NS = 1_000_000_000


def called() -> tuple[Watched, b.Bundle, list[DatingNote]]:
    """A call of three beats in a log with witnesses, its bundle, and the notes that a recorder adds."""
    watched = Watched().beats(1, 2)
    world = watched.world
    world.slot = watched.genesis + 3
    call = b.Call(world, duration=22 * NS, packets=b.speech(22, 0))
    slot = 3
    while not call.done:
        note, size = watched.newest
        world.slot = watched.genesis + slot
        world.beat([call], note_hash=note, note_size=size)
        slot += 1
        watched.cosign(watched.at(slot))
    made = b.bundle(world, call)
    beats = opened.encode_beats(made.size, made.beats)
    return watched, made, dating_notes(beats, made.size, Files(watched).fetch)


def check(watched: Watched, made: b.Bundle, notes: bytes | None, policy: bytes | None = None) -> Report:
    files = made.files() | ({} if notes is None else {dating.NAME: notes})
    data = write_bundle(made.world.origin, made.call.number, files)
    return verify_bundle(data, trust((), policy or watched.policy()))


def test_each_second_has_its_window() -> None:
    watched, made, notes = called()
    report = check(watched, made, dating.encode_notes(made.size, notes))
    assert (report.counts, report.exit_code) == ({}, 0), report.findings
    first = made.call.places[0][1] - watched.genesis
    for n, span in enumerate(report.seconds):
        assert span["not_before"] == utc(watched.at(first + n) * NS)
        assert span["not_after"] == utc(watched.at(first + n + 1) * NS)
        assert (span["clock"], span["answer"]) == ("witnesses' clocks", "attested recording")
    assert "sealed not before" in to_text(report)
    total = len(report.seconds)
    assert total > 1
    assert f"{total} of {total} spans of seconds have a window by your witnesses" in report.checked


def test_without_notes_or_witnesses_of_ones_own_there_is_none() -> None:
    watched, made, notes = called()
    keys = "".join(f"log {key}\n" for key in watched.world.vkeys()).encode() + b"quorum none\n"
    for report in (
        check(watched, made, None),
        check(watched, made, dating.encode_notes(made.size, notes), keys),
        unseen := check(watched, made, dating.encode_notes(made.size, []), None),
    ):
        assert not report.counts.get("note-form")
        assert all(span["not_after"] is None for span in report.seconds)
        assert all(span["clock"] == "operator's clock only" for span in report.seconds)
    assert unseen.counts == {"checkpoint-quorum": 1}


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4])
def test_notes_that_are_damaged_of_another_tree_or_another_size(n: int) -> None:
    watched, made, notes = called()
    twin = Watched().beats(1, 2)
    twin.leaf(4)
    strange = twin.extra[f"note/{twin.cosign(twin.at(5)).hex()}"]
    data = (
        dating.encode_notes(made.size, [DatingNote(b"no note", ())]),
        dating.encode_notes(made.size, [replace(notes[0], proof=(bytes(32),))]),
        dating.encode_notes(made.size, [DatingNote(strange, notes[0].proof)]),
        dating.encode_notes(made.size + 1, notes),
        b"mcnotes",
    )[n]
    report = check(watched, made, data)
    assert report.counts["note-form"] == 1
    assert all(span["not_after"] is None for span in report.seconds)


def test_a_note_of_another_log_counts_for_nothing() -> None:
    watched, made, _ = called()
    other = b.World(mldsa=False, origin="other.example")
    other.genesis()
    report = check(watched, made, dating.encode_notes(made.size, [DatingNote(other.checkpoint(), ())]))
    assert report.counts["note-form"] == 1


def test_a_bundle_whose_checkpoint_cannot_be_read() -> None:
    watched, made, notes = called()
    made.checkpoint = b"nothing"
    report = check(watched, made, dating.encode_notes(made.size, notes))
    assert "checkpoint-form" in report.counts
    assert all(span["not_after"] is None for span in report.seconds)


def test_a_beat_that_is_not_proved_is_not_dated() -> None:
    watched, made, notes = called()
    made.beats[1] = replace(made.beats[1], proof=())
    report = check(watched, made, dating.encode_notes(made.size, notes))
    assert {"beat-proof", "checkpoint-quorum"} <= set(report.counts)
    assert [span["not_after"] is None for span in report.seconds][:2] == [True, False]
