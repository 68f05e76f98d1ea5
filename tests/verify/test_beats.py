"""Public leaves in a row: what must be said of being off, and what no slot may hide."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.verify import builder as b

from memcon.record.beat import State
from memcon.record.statement import Off, On
from memcon.verify import Report, trust, verify_bundle, verify_log
from memcon.verify.beats import MAX_LISTED

if TYPE_CHECKING:
    from pathlib import Path

FIRST = b.START // 2
"""The slot of genesis."""


def check(world: b.World, folder: Path) -> Report:
    """The report on a log."""
    return verify_log(str(b.write_files(folder, world.files())), trust(world.vkeys()))


def off(world: b.World, slot: int | None = None) -> bytes:
    """An off statement for the next slot, kept; its hash."""
    said = Off(world.origin, world.slot if slot is None else slot, "J. Ruiz", "by hand", "works", ("all",))
    return world.state(said.encode())


def on(world: b.World) -> bytes:
    """An on statement for the next slot, kept; its hash."""
    return world.state(On(world.origin, world.slot, "J. Ruiz", "by hand", "works over", ("all",)).encode())


def test_slots_between_the_beginning_and_the_first_beat_count(tmp_path: Path) -> None:
    world = b.World(mldsa=False)
    world.genesis()
    world.beat(skip=7)
    facts = check(world, tmp_path).facts
    assert facts["slots without a beat"] == 7
    assert facts["gaps (first and last slot)"] == [[FIRST + 1, FIRST + 7]]


def test_a_bundle_does_not_take_its_leap_from_genesis_for_a_gap() -> None:
    world, call = b.simple()
    assert (
        verify_bundle(b.bundle(world, call).pack(), trust(world.vkeys())).facts["slots without a beat"] == 0
    )


@pytest.mark.parametrize("state", [State.OFF, State.PARTLY_OFF])
def test_off_without_a_statement(tmp_path: Path, state: State) -> None:
    world = b.begun()
    for _ in range(3):
        world.beat(state=state)
    world.beat()
    report = check(world, tmp_path)
    assert report.counts == {"off-undeclared": 1}
    assert report.exit_code == 1
    assert report.findings[0].where == "leaf 2"


def test_partly_off_and_then_off_needs_a_statement_each(tmp_path: Path) -> None:
    world = b.begun()
    world.beat(state=State.PARTLY_OFF, statement=off(world))
    world.beat(state=State.PARTLY_OFF)
    world.beat(state=State.OFF)
    report = check(world, tmp_path)
    assert [finding.where for finding in report.findings] == ["leaf 4"]
    assert set(report.counts) == {"off-undeclared"}


def test_of_two_statements_the_second_serves_for_the_next_turn(tmp_path: Path) -> None:
    world = b.begun()
    world.beat(statement=off(world))
    world.beat(state=State.PARTLY_OFF, statement=off(world))
    world.beat(state=State.OFF)
    assert not check(world, tmp_path).counts


def test_a_statement_holds_until_a_leaf_is_not_off(tmp_path: Path) -> None:
    world = b.begun()
    world.beat(state=State.OFF, statement=off(world))
    world.beat(state=State.OFF)
    report = check(world, tmp_path / "one")
    assert not report.counts
    world.beat()
    world.beat(state=State.OFF)
    assert set(check(world, tmp_path / "two").counts) == {"off-undeclared"}


def test_off_since_the_beginning_is_told_and_no_fault(tmp_path: Path) -> None:
    """A recorder that has not started yet, or only keeps dossiers, is off and never was on."""
    world = b.World(mldsa=False)
    world.genesis()
    world.beat(state=State.OFF)
    world.beat(state=State.OFF)
    world.beat()
    report = check(world, tmp_path)
    assert not report.counts
    assert report.facts["off since the beginning, without a statement (last slot)"] == FIRST + 2


def test_a_turn_that_a_leaf_before_it_announced(tmp_path: Path) -> None:
    """With witnesses an off takes effect some leaves after the one that names it."""
    world = b.begun()
    said = off(world, world.slot + 1)
    world.beat(statement=said)
    world.beat()
    world.beat(state=State.OFF, statement=said)
    world.beat(state=State.OFF, statement=said)
    assert not check(world, tmp_path).counts


def test_a_statement_of_on_does_not_declare_an_off(tmp_path: Path) -> None:
    world = b.begun()
    world.beat(statement=off(world, world.slot + 1))
    world.beat(statement=on(world))
    world.beat(state=State.OFF)
    assert set(check(world, tmp_path).counts) == {"off-undeclared"}


def test_off_and_on_again_within_one_slot(tmp_path: Path) -> None:
    world = b.begun()
    world.beat(statement=off(world))
    world.beat(state=State.OFF, statement=on(world))
    world.beat()
    assert not check(world, tmp_path / "one").counts
    world.beat(state=State.OFF)  # what has served, and been ended, does not serve again
    report = check(world, tmp_path / "two")
    assert report.counts == {"off-undeclared": 1}
    assert report.findings[0].where == "leaf 5"


def test_an_on_does_not_stand_for_the_off_before_it(tmp_path: Path) -> None:
    world = b.begun()
    world.beat()
    world.beat(state=State.OFF, statement=on(world))
    world.beat()
    report = check(world, tmp_path)
    assert report.counts == {"off-undeclared": 1}
    assert report.findings[0].where == "leaf 3"


def test_an_on_named_twice_came_before_the_turn(tmp_path: Path) -> None:
    world = b.begun()
    world.beat(statement=off(world, world.slot + 1))
    said = on(world)
    world.beat(statement=said)
    world.beat(state=State.OFF, statement=said)
    assert check(world, tmp_path).counts == {"off-undeclared": 1}


def test_many_undeclared_offs(tmp_path: Path) -> None:
    world = b.begun()
    on, dark = world.beat(), world.beat(state=State.OFF)
    for n in range(4, 2 * MAX_LISTED + 20):
        kind = on if n % 2 else dark
        world.entries.append(replace(kind, index=n, slot=dark.slot + n - 3).encode())
    report = check(world, tmp_path)
    assert report.counts == {"off-undeclared": MAX_LISTED}


def test_the_beginnings_statement_does_not_declare_an_off(tmp_path: Path) -> None:
    world = b.begun()
    world.beat(state=State.OFF, statement=world.state(next(iter(world.statements.values()))))
    assert set(check(world, tmp_path).counts) == {"statement-fit", "off-undeclared"}


def test_an_old_off_statement_used_again(tmp_path: Path) -> None:
    world = b.begun()
    said = off(world)
    world.beat(state=State.OFF, statement=said)
    world.beat(state=State.OFF, statement=said)  # the same off, said again: nothing wrong
    assert not check(world, tmp_path / "once").counts
    world.beat()
    world.beat(state=State.OFF, statement=said)
    report = check(world, tmp_path / "again")
    assert set(report.counts) == {"statement-fit"}
    assert "had come to its end before leaf 5" in report.findings[0].text


def test_an_off_said_to_have_begun_while_beats_say_recording(tmp_path: Path) -> None:
    world = b.begun()
    world.beat()
    world.beat(state=State.OFF, statement=off(world, world.slot - 2))
    assert set(check(world, tmp_path).counts) == {"statement-fit"}


def test_one_statement_named_by_very_many_leaves(tmp_path: Path) -> None:
    world = b.begun()
    dark = world.beat(state=State.OFF, statement=off(world))
    for n in range(3, MAX_LISTED + 10):
        world.entries.append(replace(dark, index=n, slot=dark.slot + n - 2).encode())
    assert not check(world, tmp_path).counts


def test_recording_by_nobody(tmp_path: Path) -> None:
    world = b.begun()
    world.beat(instance=bytes(16))
    assert set(check(world, tmp_path).counts) == {"beat-instance"}
    world = b.begun()
    world.beat(instance=bytes(16), state=State.DEGRADED)
    assert not check(world, tmp_path / "degraded").counts


def test_an_instance_that_follows_another_within_a_slot(tmp_path: Path) -> None:
    def counts(name: str, *leaves: tuple[bytes, State]) -> set[str]:
        world = b.begun()
        for instance, state in leaves:
            world.beat(instance=instance, state=state)
        return set(check(world, tmp_path / name).counts)

    one, two = bytes([1]) * 16, bytes([2]) * 16
    recording, degraded = State.RECORDING, State.DEGRADED
    assert counts("claimed", (one, degraded), (one, recording), (two, recording)) == {"beat-replaced"}
    for n, (flag, found) in enumerate(((1, True), (2, False), (4, True))):  # the clock step alone excuses it
        world = b.begun()
        world.beat(instance=one, state=degraded)
        world.beat(instance=one, state=recording)
        world.beat(instance=two, state=recording, flags=flag)
        assert ("beat-replaced" in check(world, tmp_path / str(n)).counts) == found
    assert not counts("said", (one, degraded), (one, recording), (two, degraded), (two, recording))
    assert not counts("between", (one, degraded), (one, recording), (bytes(16), degraded), (two, recording))
