"""A start after a stop names an on; what the switch has off, and a log that never recorded, do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.seal.synthetic import CONFIG, ORIGIN, PERIOD_MS, Capture, World

from memcon.clock import NS
from memcon.record.hashing import ZERO32
from memcon.record.statement import Off, On, Statement, decode
from memcon.seal.reopening import REASON
from memcon.store import switch
from memcon.store.switch import OFF, Asked
from memcon.store.tiles import LogStore
from memcon.verify import trust, verify_log

if TYPE_CHECKING:
    from memcon.seal.sealer import Sealer

WHO = {"by": "root", "how": "system user"}
PERIOD_NS = PERIOD_MS * 1_000_000


def start(capture: Capture, **who: str) -> None:
    capture.control("start", instance=capture.instance.hex(), pid=1, listen=[], config=CONFIG, **who)


def frames(capture: Capture, slots: int) -> Capture:
    """So many slots of an idle recorder."""
    capture.talk((), slots * PERIOD_MS / 1000)
    return capture


def stopped(world: World) -> tuple[Capture, Sealer]:
    """A recorder that recorded three slots and was stopped on the record; nothing happens for two more."""
    first = world.capture(1)
    start(first, **WHO)
    frames(first, 3).stop()
    sealer = world.run(first.frames)
    world.clock.advance(2 * PERIOD_NS)
    world.settle(sealer)
    return first, sealer


def again(world: World, sealer: Sealer, **who: str) -> None:
    """Started anew, for three slots."""
    second = world.capture(2, world.clock.wall_ns(), world.clock.monotonic_ns())
    start(second, **who)
    world.run(frames(second, 3).frames, sealer)


def named(world: World) -> list[Statement]:
    """The statements of all beats but genesis, each once, in order."""
    store = LogStore(world.home.log)
    digests = dict.fromkeys(beat.statement for beat in world.beats()[1:] if beat.statement != ZERO32)
    return [decode(store.fetch(f"statement/{digest.hex()}") or b"") for digest in digests]


def test_a_start_after_a_stop_ends_it_on_the_record(world: World) -> None:
    _, sealer = stopped(world)
    again(world, sealer, by="K. Lind", how="system user")
    off, on = named(world)
    assert isinstance(off, Off)
    leaf = next(beat for beat in world.beats()[1:] if beat.statement != ZERO32)
    assert off.slot == leaf.slot
    assert isinstance(on, On)
    assert (on.origin, on.by, on.how, on.reason, on.lines) == (ORIGIN, "K. Lind", "system user", REASON, ())
    (naming,) = [beat for beat in world.beats() if beat.slot == on.slot]
    assert naming.state.name != "OFF"
    report = verify_log(str(world.home.log), trust([str(k) for k in world.keys.vkeys(ORIGIN)]))
    assert not [f for f in report.findings if f.severity != "note"], report.findings
    sealer.close()


def test_a_second_stop_and_start_has_statements_of_its_own(world: World) -> None:
    _, sealer = stopped(world)
    second = world.capture(2, world.clock.wall_ns(), world.clock.monotonic_ns())
    start(second, **WHO)
    frames(second, 2).stop()
    world.run(second.frames, sealer)
    world.clock.advance(NS)
    third = world.capture(3, world.clock.wall_ns(), world.clock.monotonic_ns())
    start(third, **WHO)
    world.run(frames(third, 3).frames, sealer)
    assert [type(one) for one in named(world)] == [Off, On, Off, On]
    report = verify_log(str(world.home.log), trust([str(k) for k in world.keys.vkeys(ORIGIN)]))
    assert not [f for f in report.findings if f.severity != "note"], report.findings
    sealer.close()


def test_a_start_that_names_nobody_or_follows_no_stop_names_no_statement(world: World) -> None:
    first = world.capture(1)
    start(first, **WHO)
    sealer = world.run(frames(first, 2).frames)
    again(world, sealer, **WHO)  # the one before went without a word
    assert named(world) == []
    sealer.close()


def test_of_a_log_that_was_dark_from_its_beginning_nothing_is_ended(world: World) -> None:
    sealer = world.run([])
    world.clock.advance(3 * PERIOD_NS)
    world.settle(sealer)
    again(world, sealer, **WHO)
    assert {beat.state.name for beat in world.beats()} == {"OFF", "RECORDING"}
    assert named(world) == []
    sealer.close()


def test_what_the_switch_has_off_stays_off(world: World) -> None:
    first = world.capture(1)
    start(first, **WHO)
    sealer = world.run(first.frames)
    switch.ask(world.home, Asked(OFF, "J. Ruiz", "by hand", "monthly test"))
    first.frames.clear()
    sealer = world.run(frames(first, 3).frames, sealer)
    first.frames.clear()
    first.stop()
    world.run(first.frames, sealer)
    assert switch.read(world.home).whole
    again(world, sealer, **WHO)
    assert not any(isinstance(one, On) for one in named(world))
    sealer.close()


def test_somebody_who_switches_off_at_once_is_not_contradicted(world: World) -> None:
    _, sealer = stopped(world)
    second = world.capture(2, world.clock.wall_ns(), world.clock.monotonic_ns())
    start(second, **WHO)
    world.run(second.frames, sealer)
    second.frames.clear()
    switch.ask(world.home, Asked(OFF, "J. Ruiz", "by hand", "monthly test"))
    world.run(frames(second, 3).frames, sealer)
    assert [type(one) for one in named(world)] == [Off, Off]
    sealer.close()
