"""Drand rounds that beats name: by the real quicknet signature of the vectors, and by changed ones."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
from tests.verify import builder as b
from tests.verify.test_sync import Files
from tests.verify.watched import Watched
from tests.verify.witnesses import quick_check

from memcon.record.drand import Round
from memcon.record.hashing import sha256
from memcon.tlog.policy import Policy
from memcon.verify import rounds, verify_log
from memcon.verify.findings import Report
from memcon.verify.window import windows

if TYPE_CHECKING:
    from pathlib import Path

QUICKNET = Round(
    657413,
    bytes.fromhex(
        "b713718a38ae728dfd477991af2822e08d2f305e47718cef9f7848ce4050e7be41076862b98fad56e91a6b85b89cd97b"
    ),
)
"""A round of the public chain; data/tlog/drand of the test data has it too."""
FALSE = Round(657414, QUICKNET.signature)


needs_the_library = pytest.mark.skipif(
    find_spec("drand_verify") is None, reason="drand-verify has no wheel for this Python"
)


def named(*those: Round, served: tuple[Round, ...] = (QUICKNET, FALSE)) -> Watched:
    """A log whose leaf n + 1 names the nth round."""
    watched = Watched()
    for n, one in enumerate(those, 1):
        watched.leaf(n, drand_round=one.number, drand_hash=sha256(one.signature))
    if served:
        watched.extra[QUICKNET.path] = b"".join(one.encode() for one in served)
    return watched


def look(watched: Watched, last: int) -> tuple[list[int | None], Report]:
    report = Report("log", "log")
    found = windows(Files(watched), Policy.parse(watched.policy()), 1, last, report, quick_check)
    return [one.drand for one in found], report


@needs_the_library
def test_a_round_that_holds_is_a_not_before() -> None:
    times, report = look(named(QUICKNET, QUICKNET), 2)
    assert times == [QUICKNET.time] * 2
    assert not report.counts
    assert "2 of 2 drand rounds that beats name hold" in report.checked[-1]


@needs_the_library
def test_rounds_that_do_not_hold_or_are_not_served_are_findings() -> None:
    other = Round(QUICKNET.number, b"\1" * 48)
    times, report = look(named(FALSE, other, QUICKNET), 3)
    assert times == [None, None, QUICKNET.time]
    assert report.counts == {"drand-form": 2}
    assert look(named(QUICKNET, served=()), 1)[1].counts == {"drand-form": 1}


def test_without_the_library_it_is_said_that_they_were_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "LIBRARY", "drand_verify_that_is_not_there")
    times, report = look(named(QUICKNET), 1)
    assert times == [None]
    assert report.not_checked == ["1 drand round that beats name: drand-verify is not installed"]


@needs_the_library
def test_a_whole_log_is_checked_with_its_rounds(tmp_path: Path) -> None:
    world = b.begun()
    world.beat(drand_round=QUICKNET.number, drand_hash=sha256(QUICKNET.signature))
    files = {**world.files(), QUICKNET.path: QUICKNET.encode()}
    report = verify_log(str(b.write_files(tmp_path, files)))
    assert not report.counts
    assert any("1 of 1 drand round" in line for line in report.checked)
