"""The window of each beat, from the files of a log."""

from __future__ import annotations

import pytest
from tests.verify.test_sync import Files
from tests.verify.watched import Watched
from tests.verify.witnesses import quick_check

from memcon.errors import FormatError
from memcon.record import evidence
from memcon.record.beat import State
from memcon.record.hashing import sha256
from memcon.tlog.policy import Policy
from memcon.verify.attest import Answer
from memcon.verify.findings import Report
from memcon.verify.window import Window, windows


def look(watched: Watched, first: int, last: int, source: Files | None = None) -> tuple[list[Window], Report]:
    report = Report("log", "log")
    policy = Policy.parse(watched.policy())
    return windows(source or Files(watched), policy, first, last, report, quick_check), report


def test_between_the_age_of_its_note_and_the_time_of_its_quorum() -> None:
    watched = Watched().beats(1, 9)
    found, report = look(watched, 3, 5)
    assert found == [
        Window(n, watched.genesis + n, watched.at(n), watched.at(n + 1), Answer.ATTESTED) for n in (3, 4, 5)
    ]
    assert not report.counts


def test_without_witnesses_there_is_no_window() -> None:
    watched = Watched()
    watched.extra.clear()
    watched.newest = (bytes(32), 0)
    watched.leaf(1)
    found, _ = look(watched, 0, 1)
    assert [(w.not_before, w.not_after) for w in found] == [(None, None)] * 2


def test_notes_of_another_tree_and_missing_ones_count_for_nothing() -> None:
    watched = Watched().beats(1, 4)
    twin = Watched().beats(1, 1)
    twin.beat(2, State.DEGRADED)
    path = evidence.hashed_path("note", twin.newest[0])
    watched.extra[path] = twin.extra[path]
    for digest in (twin.newest[0], sha256(b"gone")):
        watched.append(evidence.index_path(watched.at(3)), evidence.Entry(3, watched.at(3), digest).encode())
    watched.leaf(5, note_hash=sha256(b"gone too"))
    found, report = look(watched, 2, 5)
    assert found[0].not_after == watched.at(3)
    assert found[3].not_before is None
    assert set(report.counts) == {"log-fork", "note-missing"}


def test_what_is_no_log() -> None:
    source = Files(Watched())
    del source.files["checkpoint"]
    with pytest.raises(FormatError, match="no checkpoint"):
        look(Watched(), 0, 0, source)
    watched = Watched()
    source = Files(watched)
    for path in [p for p in source.files if p.startswith("statement/")]:
        del source.files[path]
    with pytest.raises(FormatError):
        look(watched, 0, 0, source)
    first = watched.world.entries[0]
    off = watched.off(1)
    watched.world.entries[0] = first[:192] + off + first[224:]
    with pytest.raises(FormatError, match="no genesis statement"):
        look(watched, 0, 0)
