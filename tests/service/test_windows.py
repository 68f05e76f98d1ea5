"""The windows of a recorded call by the witnesses of its log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.running import copy
from tests.verify.witnesses import cosigned, policy_text

from memcon.record import beat as beats
from memcon.seal.keys import load_keys
from memcon.service.windows import CallWindows, windows_of
from memcon.store.tiles import LogStore
from memcon.witness.archive import Archive

if TYPE_CHECKING:
    from pathlib import Path


def test_they_come_with_the_witnesses_and_are_kept_when_they_cannot_change(tmp_path: Path) -> None:
    home, config = copy(tmp_path / "home")
    made = CallWindows(home)
    assert made.of(0, 1) == windows_of(home, 0, 1) == []
    store = LogStore(home.log)
    (home.log / "policy").write_bytes(
        policy_text([str(key) for key in load_keys(home.keys).vkeys(config.origin)])
    )
    last = beats.decode(next(store.entries(store.checkpoint().size - 1, store.checkpoint().size)))
    time = last.slot_end_ns() // 1_000_000_000
    note = cosigned(store.fetch("checkpoint") or b"", {"w1": time, "w2": time + 1})
    Archive(home.log).add_note(note, store.checkpoint().size, time + 1)
    assert [one.not_after for one in made.of(0, 1)] == [time + 1] * 2
    assert made.of(0, 1) is not made.of(0, 1)  # not before: nobody says, so it may still change
