"""Which note a beat names, and that only the first beat after a start waits for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from memcon.clock import NS, ManualClock
from memcon.record.hashing import ZERO32
from memcon.seal.freshness import Freshness, NewestNote, read_newest

if TYPE_CHECKING:
    from pathlib import Path

SLOT = 180_000_000
PERIOD = 10 * NS
HASH = bytes([7]) * 32


def test_word_is_read_as_left_and_nonsense_is_none(tmp_path: Path) -> None:
    path = tmp_path / "newest"
    assert read_newest(path) is None
    NewestNote(HASH, 5, 9).leave(path)
    assert read_newest(path) == NewestNote(HASH, 5, 9)
    for text in ("", "[]", "{}", "nonsense", '{"note": "07", "size": 5, "time": 9}', '{"note": 7}'):
        path.write_text(text)
        assert read_newest(path) is None


class Slow:
    """A clock that moves on with every pause, and a note that comes after some of them."""

    def __init__(self, path: Path, *, start: int, comes: int | None = None) -> None:
        self.clock = ManualClock(start)
        self.pauses = 0
        self._path, self._comes = path, comes
        self.freshness = Freshness(path, self.clock, period_ns=PERIOD, b=3, pause=self.pause)

    def pause(self, seconds: float) -> None:
        self.pauses += 1
        self.clock.advance(int(seconds * NS))
        if self.pauses == self._comes:
            NewestNote(HASH, 5, self.clock.wall_ns() // NS).leave(self._path)


@pytest.mark.parametrize(("age", "named"), [(0, True), (30, True), (31, False)])
def test_a_note_may_be_b_periods_older_than_the_slot(tmp_path: Path, age: int, named: bool) -> None:
    NewestNote(HASH, 5, SLOT * 10 - age).leave(tmp_path / "n")
    slow = Slow(tmp_path / "n", start=(SLOT + 1) * PERIOD)
    assert slow.freshness.note_for(SLOT, 5, wait=False) == ((HASH, 5) if named else (ZERO32, 0))


def test_a_note_of_a_larger_log_is_not_named(tmp_path: Path) -> None:
    NewestNote(HASH, 6, SLOT * 10).leave(tmp_path / "n")
    slow = Slow(tmp_path / "n", start=(SLOT + 1) * PERIOD)
    assert slow.freshness.note_for(SLOT, 5, wait=False) == (ZERO32, 0)


def test_the_first_beat_waits_for_a_note(tmp_path: Path) -> None:
    slow = Slow(tmp_path / "n", start=(SLOT + 1) * PERIOD, comes=20)
    assert slow.freshness.note_for(SLOT, 5) == (HASH, 5)
    assert slow.pauses == 20


def test_it_waits_one_period_at_most_and_no_other_waits(tmp_path: Path) -> None:
    slow = Slow(tmp_path / "n", start=(SLOT + 1) * PERIOD)
    assert slow.freshness.note_for(SLOT, 5) == (ZERO32, 0)
    assert slow.clock.wall_ns() == (SLOT + 2) * PERIOD
    pauses = slow.pauses
    assert slow.freshness.note_for(SLOT + 1, 6) == (ZERO32, 0)
    assert slow.pauses == pauses


def test_what_is_late_already_waits_no_longer(tmp_path: Path) -> None:
    slow = Slow(tmp_path / "n", start=(SLOT + 9) * PERIOD, comes=1)
    assert slow.freshness.note_for(SLOT, 5) == (HASH, 5)
    slow = Slow(tmp_path / "m", start=(SLOT + 9) * PERIOD)
    assert slow.freshness.note_for(SLOT, 5) == (ZERO32, 0)
    assert slow.clock.wall_ns() == (SLOT + 10) * PERIOD


def test_a_last_beat_does_not_wait(tmp_path: Path) -> None:
    slow = Slow(tmp_path / "n", start=(SLOT + 1) * PERIOD)
    assert slow.freshness.note_for(SLOT, 5, wait=False) == (ZERO32, 0)
    assert slow.pauses == 0
