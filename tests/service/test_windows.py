"""The windows of a recorded call by the witnesses of its log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.running import copy
from tests.verify.witnesses import cosigned, policy_text

from memcon.clock import ManualClock
from memcon.record import beat as beats
from memcon.seal.keys import load_keys
from memcon.service import windows as service_windows
from memcon.service.windows import YOUNG_NS, CallWindows, windows_of
from memcon.store.tiles import LogStore
from memcon.verify.attest import Answer
from memcon.verify.window import Window
from memcon.witness.archive import Archive

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_they_come_with_the_witnesses_and_are_kept_while_they_are_young(tmp_path: Path) -> None:
    home, config = copy(tmp_path / "home")
    clock = ManualClock()
    made = CallWindows(home, clock)
    assert made.of(0, 1) == windows_of(home, 0, 1) == []
    store = LogStore(home.log)
    (home.log / "policy").write_bytes(
        policy_text([str(key) for key in load_keys(home.keys).vkeys(config.origin)])
    )
    last = beats.decode(next(store.entries(store.checkpoint().size - 1, store.checkpoint().size)))
    time = last.slot_end_ns() // 1_000_000_000
    note = cosigned(store.fetch("checkpoint") or b"", {"w1": time, "w2": time + 1})
    Archive(home.log).add_note(note, store.checkpoint().size, time + 1)
    assert made.of(0, 1) == []
    clock.advance(YOUNG_NS)
    found = made.of(0, 1)
    assert [one.not_after for one in found] == [time + 1] * 2
    assert made.of(0, 1) is found


def test_what_cannot_change_is_worked_out_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, _ = copy(tmp_path / "home")
    clock, asked = ManualClock(), []
    kept = CallWindows(home, clock)

    def dated(_home: object, first: int, last: int, _roots: object) -> list[Window]:
        asked.append(first)
        return [Window(n, n, 1, 2 if first == 0 else None, Answer.ATTESTED) for n in range(first, last + 1)]

    monkeypatch.setattr(service_windows, "windows_of", dated)
    for first in (0, 1):
        for _ in range(2):
            kept.of(first, first + 1)
            clock.advance(YOUNG_NS)
    assert asked == [0, 1, 1]
    monkeypatch.setattr(service_windows, "SETTLED", -2)  # the log has gone on for long enough
    for _ in range(2):
        kept.of(1, 2)
        clock.advance(YOUNG_NS)
    assert asked == [0, 1, 1, 1]
    monkeypatch.setattr(service_windows, "KEPT_CALLS", 1)
    kept.of(2, 2)
    kept.of(0, 1)
    assert asked == [0, 1, 1, 1, 2, 0]
