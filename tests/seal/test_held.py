"""A reboot takes the run directory; a custodian gives the keys back, now or much later."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from tests.seal.reading import check_slots, read_call
from tests.seal.synthetic import PERIOD_MS, World

from memcon.clock import NS
from memcon.record import call
from memcon.record.slottree import decode_slot_records
from memcon.seal import custody
from memcon.seal.held import unlock
from memcon.seal.sealer import Sealer
from memcon.seal.slots_file import calls_in
from memcon.store import durable
from memcon.verify.slots import verify_slots

if TYPE_CHECKING:
    from pathlib import Path

PERIOD = PERIOD_MS * 1_000_000


def reboot(world: World, seconds: int) -> None:
    """The machine is off for so long; its memory is gone."""
    shutil.rmtree(world.home.run)
    world.clock.advance(seconds * NS)


def interrupted(world: World) -> None:
    """Call 1 with leaves in the log and more in the journal, call 2 in the journal alone; then it is over."""
    capture = world.capture()
    capture.start()
    capture.call("a", (10,))
    capture.talk((10,), 5)
    capture.call("b", (20,))
    capture.talk((10, 20), 0.6, first=250)
    sealer = world.run(capture.frames)
    assert sealer.open_calls == 2
    sealer.close()


def again(world: World, seconds: float = 6) -> Sealer:
    """Another instance of capture, after the reboot."""
    capture = world.capture(2, world.clock.wall_ns(), world.clock.monotonic_ns())
    capture.start()
    capture.call("c", (30,))
    capture.talk((30,), seconds)
    capture.end("c")
    capture.talk((), 4)
    return world.run(capture.frames)


def wrong(world: World) -> list[str]:
    report = verify_slots([world.home.slots], world.home.log, structure_key=world.keys.structure)
    return [f"{f.code} {f.where} {f.text}" for f in report.findings if f.code != "slots-stray"]


def last_leaf(world: World, number: int) -> call.CallLeaf:
    found = None
    for path in sorted(world.home.slots.glob("*/*.mcl")):
        for record in decode_slot_records(path.read_bytes())[0]:
            for n, (_, leaf) in calls_in(record.leaves).items():
                if n == number and (found is None or record.index > found.index):
                    found = call.decode(leaf)
    assert found is not None
    return found


def test_the_embedded_custodian_recovers_everything_by_itself(world: World) -> None:
    interrupted(world)
    reboot(world, 30)
    sealer = again(world)
    assert sealer.held_calls == ()
    assert [len(read_call(world, n).packets(0)) for n in (1, 2, 3)] == [280, 30, 300]
    assert last_leaf(world, 1).last is not None
    assert last_leaf(world, 1).last.cause == 6  # type: ignore[union-attr]
    check_slots(world)
    assert wrong(world) == []


def test_without_a_custodian_a_call_is_held_and_declared_and_recovered_when_one_comes(world: World) -> None:
    interrupted(world)
    world.home.local_custodian.unlink()
    reboot(world, 30)
    sealer = again(world)
    assert sealer.held_calls == (1,)
    held = last_leaf(world, 1)
    assert (held.segments, held.events, held.last) == (0, 0, None)
    assert held.flags & call.FLAG_LATE
    assert wrong(world) == []
    assert len(read_call(world, 2).packets(0)) == 300  # call c took the next number: b had no leaf
    sealer.close()
    assert len(list(world.home.journal.glob("*.wraps.json"))) == 2

    other, theirs = custody.make_custodian("other", "Other")
    assert other.id == "other"
    assert unlock(world.home, theirs).locked != ()
    opened = unlock(world.home, world.seed)
    assert (len(opened.journals), opened.calls, opened.locked) == (1, (1,), ())
    capture = world.capture(3, world.clock.wall_ns(), world.clock.monotonic_ns())
    capture.start()
    capture.talk((), 5)
    sealer = world.run(capture.frames)
    assert sealer.held_calls == ()
    assert [len(read_call(world, n).packets(0)) for n in (1, 2, 3)] == [280, 300, 30]
    assert wrong(world) == []
    world.settle(sealer)
    assert [path.name[:2] for path in world.home.journal.glob("*.mcj")] == ["03"]
    assert [path.name[:2] for path in world.home.journal.glob("*.wraps.json")] == ["03"]


def test_killed_while_calls_are_held_the_next_sealer_holds_them_on(world: World) -> None:
    interrupted(world)
    world.home.local_custodian.unlink()
    reboot(world, 30)
    again(world).close()
    reboot(world, 30)
    sealer = Sealer(world.home, world.clock)
    for _ in range(3):
        world.clock.advance(PERIOD)
        world.settle(sealer)
    assert sealer.held_calls == (1,)
    assert wrong(world) == []


@pytest.mark.parametrize("damage", [b"", b"[]", b"no json"])
def test_damaged_wraps_stay_locked(world: World, damage: bytes) -> None:
    interrupted(world)
    reboot(world, 10)
    (wraps,) = world.home.journal.glob("*.wraps.json")
    durable.write_file(wraps, damage)
    found = unlock(world.home, world.seed)
    assert found.journals == ()
    assert found.locked == (f"journal {(bytes([1]) * 16).hex()}",)
    assert found.calls == (1,)


def test_nothing_is_unlocked_twice(world: World, tmp_path: Path) -> None:
    interrupted(world)
    found = unlock(world.home, world.seed)
    assert (found.journals, found.calls, found.locked) == ((), (), ())
