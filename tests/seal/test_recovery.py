"""Whatever moment the sealer dies at, the next one comes to the same bytes."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from tests.seal.reading import check_slots, read_call
from tests.seal.synthetic import MONO, T0, Capture, World, Written, rtp, sender_report

from memcon.clock import NS, ManualClock
from memcon.errors import MachineError
from memcon.record import call
from memcon.seal import custody, retention, starts
from memcon.seal.notes import submit_note
from memcon.seal.sealer import Sealer
from memcon.store import durable
from memcon.store.paths import Home
from memcon.verify.slots import verify_slots

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def busy(world: World) -> list[Written]:
    """Calls that overlap, one in a single slot; a note; a death, and an instance that goes on with the
    calls; its death, an instance that begins anew, a stop."""
    a = world.capture(1)
    a.start()
    a.call("a", (10, 20))
    a.talk((10, 20), 1.2)
    a.call("b", (30,))
    a.sweep([(31, a.wall, sender_report(77, 30)), (11, a.wall, sender_report(60, 10))])
    a.talk((10, 20, 30), 0.5, first=60)
    a.control("event", b"raw", key="a", facts={"type": "hold", "label": "0", "stream": 0})
    a.end("b")
    a.talk((10, 20), 2.2, first=85)
    a.rotate()
    a.call("c", (40,))
    a.talk((10, 20, 40), 1.0, first=195)
    more = Capture(world.home, bytes([3]) * 16, a.wall + 3 * NS, a.mono + 3 * NS)
    more.start(follows=a)
    more.carry(a, "a", (7, 9))
    more.carry(a, "c", (5,))
    more.control("carried", file=0, calls=2)
    for key in ("a", "c"):
        more.control("event", b"", key=key, facts={"type": "takeover", "sockets": "kept"})
    more.sweep([(7, a.wall + n * NS // 50, rtp(205 + n, ssrc=10)) for n in range(150)])
    more.talk((7, 9, 5), 1.5, first=355)
    b = Capture(world.home, bytes([2]) * 16, more.wall + 3 * NS, more.mono + 3 * NS)
    b.start()
    b.call("a", (10,))
    b.talk((10,), 2.5)
    b.stop()
    return [*a.frames, *more.frames, *b.frames]


@pytest.fixture
def base(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Keys and wraps that are the same in every copy of the home, so that bytes can be compared."""
    made: dict[tuple[bytes, bytes], bytes] = {}
    wrap = custody.wrap

    def same_wrap(key: bytes, handle: bytes, custodians: Any) -> bytes:
        if (key, handle) not in made:
            made[key, handle] = wrap(key, handle, custodians)
        return made[key, handle]

    def same_key(home: Home, number: int) -> bytes:
        key = number.to_bytes(32, "big")
        durable.write_file(home.call_key(number), key)
        return key

    monkeypatch.setattr(custody, "wrap", same_wrap)
    monkeypatch.setattr(custody, "new_call_key", same_key)
    return world


class Copies:
    """Fresh copies of one home, each with its own run directory."""

    def __init__(self, world: World, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world, self.root, self.number = world, root, 0
        self._monkeypatch = monkeypatch
        shutil.copytree(world.home.root, root / "base")

    def fresh(self) -> tuple[World, list[Written]]:
        self.number += 1
        root = self.root / str(self.number)
        shutil.copytree(self.root / "base", root)
        self._monkeypatch.setenv("MEMCON_RUN", str(self.root / f"run{self.number}"))
        copy = World.__new__(World)
        copy.__dict__ |= self.world.__dict__
        copy.home, copy.clock = Home(root), ManualClock(T0, MONO)
        return copy, busy(copy)


def everything(world: World) -> dict[str, bytes]:
    """What must not depend on a crash: the log's tiles, the slots, the calls handed over."""
    home = world.home
    found = {}
    for folder in (home.log, home.slots, home.work):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.name != "checkpoint" and path.suffix != starts.SUFFIX:
                found[str(path.relative_to(home.root))] = path.read_bytes()
    return found


@pytest.fixture
def copies(base: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Copies:
    return Copies(base, tmp_path / "copies", monkeypatch)


@pytest.fixture
def uncut(copies: Copies) -> dict[str, bytes]:
    world, frames = copies.fresh()
    submit_note(world.home, 4, bytes(range(32)))
    sealer = world.run(frames)
    assert [f for f in sealer.findings if "crash cut off" not in f.text] == []
    return everything(world)


def check_whole(world: World) -> None:
    records = check_slots(world)
    assert len(records) == len(world.beats()) - 1
    causes = [(read := read_call(world, n)).leaves[-1].last for n in (1, 2, 3, 4)]
    assert [last.cause for last in causes if last] == [6, 1, 6, 3]
    assert read.record["recovered"] is False
    assert world.beats()[-1].state == 4
    assert not list(world.home.run.glob("call-*.key"))
    assert not list(world.home.work_open.iterdir())


def test_a_busy_day(uncut: dict[str, bytes], copies: Copies) -> None:
    world, frames = copies.fresh()
    submit_note(world.home, 4, bytes(range(32)))
    world.run(frames)
    check_whole(world)
    assert everything(world) == uncut


@pytest.mark.usefixtures("untraced")
def test_a_new_sealer_after_any_frame(uncut: dict[str, bytes], copies: Copies) -> None:
    _, frames = copies.fresh()
    for cut in range(1, len(frames), 11):
        world, frames = copies.fresh()
        submit_note(world.home, 4, bytes(range(32)))
        world.run(frames[:cut]).close()
        sealer = world.run(frames[cut:])
        sealer.close()
        assert everything(world) == uncut, cut


@pytest.mark.usefixtures("untraced")
def test_a_new_sealer_over_a_trimmed_journal(
    uncut: dict[str, bytes], copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left out of the journal changes no byte of what is sealed from it afterwards."""
    monkeypatch.setattr(retention, "LEAST_BYTES", 0)
    monkeypatch.setattr(retention, "NEWEST", 1)
    _, frames = copies.fresh()
    trimmed = 0
    for cut in range(20, len(frames), 17):
        world, frames = copies.fresh()
        submit_note(world.home, 4, bytes(range(32)))
        sealer = world.run(frames[:cut])
        for _ in range(10):
            sealer.step()
        trimmed += sealer._files.trimmed
        sealer = world.run(frames[cut:])
        sealer.close()
        assert everything(world) == uncut, cut
    assert trimmed


class Fault:
    """Fails the n-th operation of the store: before it, after it, or in the middle of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.at = -1
        self.mode = "before"
        for owner, name in (
            (durable, "write_file"),
            (durable, "append"),
            (durable, "rename_dir"),
            (durable, "remove_file"),
            (durable, "remove_tree"),
            (durable.AppendFile, "write"),
            (durable.AppendFile, "sync"),
        ):
            monkeypatch.setattr(owner, name, self._wrap(getattr(owner, name), name))

    def _wrap(self, real: Callable[..., Any], name: str) -> Callable[..., Any]:
        def failing(*args: Any, **keys: Any) -> Any:
            self.count += 1
            if self.count != self.at:
                return real(*args, **keys)
            if self.mode == "after":
                real(*args, **keys)
            elif self.mode == "torn" and name in ("write", "append"):
                owner, data, *rest = args
                real(owner, data[: len(data) // 2], *rest, **keys)
            raise MachineError("the power went")

        return failing


def drive(world: World, frames: list[Written]) -> int:
    """Run with new sealers after every fault; the number of faults."""
    faults = 0
    sealer: Sealer | None = None
    for frame in frames:
        world.now(frame.wall)
        with frame.path.open("ab") as file:
            file.write(frame.data)
        while True:
            try:
                sealer = sealer or Sealer(world.home, world.clock)
                world.settle(sealer)
                break
            except MachineError:
                faults += 1
                if sealer is not None:
                    sealer.close()
                sealer = None
    return faults


def points(total: int) -> Iterator[tuple[int, str]]:
    modes = ("before", "after", "torn")
    for n, at in enumerate(range(2, total + 1, 23)):
        yield at, modes[n % 3]


@pytest.mark.usefixtures("untraced")
def test_a_fault_in_any_operation(
    uncut: dict[str, bytes], copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, frames = copies.fresh()
    fault = Fault(monkeypatch)
    submit_note(world.home, 4, bytes(range(32)))
    drive(world, frames)
    total = fault.count
    assert everything(world) == uncut
    for at, mode in points(total):
        world, frames = copies.fresh()
        submit_note(world.home, 4, bytes(range(32)))
        fault.count, fault.at, fault.mode = 1, at, mode
        # the last operations are not in every run: how often the feed is written depends on threads
        assert drive(world, frames) == (fault.count >= at)
        fault.at = -1
        assert everything(world) == uncut, (at, mode)


def test_backlog_is_sealed_at_once_and_flagged(base: World) -> None:
    capture = base.capture()
    capture.start()
    capture.call("a", (10,))
    capture.talk((10,), 20)
    capture.end("a")
    capture.talk((), 2.1)
    for frame in capture.frames:
        base.put(frame)
    sealer = Sealer(base.home, base.clock)
    base.settle(sealer)
    flags = [b.flags for b in base.beats()[1:]]
    assert len(flags) == 11
    assert flags[:9] == [1] * 9
    assert flags[-1] == 0
    assert read_call(base, 1).packets(0) == [(at - MONO, d) for at, d in capture.sent[10]]


def test_after_a_reboot_the_local_custodian_unlocks_the_call(base: World) -> None:
    capture = base.capture()
    capture.start()
    capture.call("a", (10,))
    capture.talk((10,), 3)
    base.run(capture.frames).close()
    done = len(capture.frames)
    base.home.call_key(1).unlink()
    capture.talk((10,), 1, first=150)
    capture.end("a")
    capture.talk((), 4)
    sealer = base.run(capture.frames[done:])
    assert sealer.findings == []
    assert read_call(base, 1).packets(0) == [(at - MONO, d) for at, d in capture.sent[10]]


def test_a_call_whose_key_is_lost_is_said_to_be(base: World) -> None:
    capture = base.capture()
    capture.start()
    capture.call("a", (10,))
    capture.talk((10,), 3)
    base.run(capture.frames).close()
    base.home.call_key(1).unlink()
    base.home.local_custodian.unlink()
    sealer = Sealer(base.home, base.clock)
    base.settle(sealer)
    assert ["its key is lost" in f.text for f in sealer.findings] == [True]


def test_sealed_journal_files_are_removed(base: World) -> None:
    capture = base.capture()
    capture.start()
    capture.call("a", (10,))
    sequence = capture.talk((10,), 1)
    capture.rotate()
    capture.talk((10,), 1, first=sequence)
    capture.end("a")
    capture.talk((), 3)
    capture.call("b", (30,))
    capture.rotate()
    capture.talk((30,), 1)
    sealer = base.run(capture.frames)
    left = sorted(p.name[-12:] for p in base.home.journal.glob("*.mcj"))
    assert left == ["00000001.mcj", "00000002.mcj"]
    sealer.close()
    done = len(capture.frames)
    capture.end("b")
    capture.talk((), 4.5)
    sealer = base.run(capture.frames[done:])
    assert sealer.findings == []
    assert [p.name[-12:] for p in base.home.journal.glob("*.mcj")] == ["00000002.mcj"]
    assert read_call(base, 2).record["config"]["fleet"] == '{"part":"fleet"}'
    rtp(1)


def test_an_end_or_a_beginning_that_waited_for_a_restart_is_flagged_late(base: World) -> None:
    capture = base.capture()
    capture.start()
    capture.call("a", (10,))
    capture.talk((10,), 3)
    capture.end("a")
    capture.call("b", (20,))
    for frame in capture.frames:  # nobody seals
        base.put(frame)
    base.clock.advance(20 * NS)
    again = base.capture(2, base.clock.wall_ns(), base.clock.monotonic_ns())
    again.start()
    again.talk((), 5)
    base.run(again.frames)
    for number in (1, 2):
        leaves = read_call(base, number).leaves
        assert leaves[0].flags & leaves[-1].flags & call.FLAG_LATE
    report = verify_slots([base.home.slots], base.home.log, structure_key=base.keys.structure)
    assert [f.code for f in report.findings if f.code != "slots-stray"] == []
