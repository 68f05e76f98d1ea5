from __future__ import annotations

import json
import shutil
import threading
from typing import TYPE_CHECKING, Any

import pytest
from tests.running import wait
from tests.seal.reading import read_call

from memcon.errors import FormatError, LocalError, MachineError
from memcon.seal import process
from memcon.seal.held import ask_again, unlock
from memcon.seal.notes import submit_note
from memcon.seal.process import run_seal
from memcon.seal.sealer import Sealer
from memcon.store import durable

if TYPE_CHECKING:
    from pathlib import Path

    from tests.seal.synthetic import World


def test_the_process_seals_what_is_there_and_stops(world: World) -> None:
    capture = world.capture()
    capture.start()
    capture.call("a", (10,))
    capture.talk((10,), 3)
    capture.stop()
    for frame in capture.frames:
        world.put(frame)
    stop = threading.Event()
    thread = threading.Thread(target=run_seal, args=(world.home, stop, world.clock))
    thread.start()
    stop.set()
    thread.join(60)
    assert not thread.is_alive()
    assert len(read_call(world, 1).packets(0)) == 150
    status = json.loads(world.home.status("seal").read_bytes())
    assert (status["state"], status["open"], status["next_call"]) == (4, 0, 2)
    feed = [json.loads(line) for line in world.home.feed.read_text().splitlines()]
    assert world.home.feed.stat().st_mode & 0o777 == 0o600
    kinds = [line["t"] for line in feed]
    assert kinds[:2] == ["feed", "instance"]
    assert {"call", "event", "beat", "end", "done", "off"} <= set(kinds)
    ended = next(line for line in feed if line["t"] == "end")
    assert (ended["number"], ended["segments"], ended["duration"]) == (1, 3, 3_000_000_000)
    beats = [line for line in feed if line["t"] == "beat"]
    assert beats[0]["open"]["1"][0] == 2


def test_the_process_waits_for_more(world: World) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=run_seal, args=(world.home, stop))
    thread.start()
    stop.wait(0.2)
    stop.set()
    thread.join(60)
    assert not thread.is_alive()
    assert json.loads(world.home.status("seal").read_bytes())["open"] == 0


class Lines:
    """What an operator reads."""

    def __init__(self) -> None:
        self.said: list[tuple[str, dict[str, object]]] = []

    def info(self, event: str, **fields: object) -> None:
        self.said.append((event, fields))

    error = info


def test_a_disk_that_refuses_is_told_and_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    capture = world.capture()
    capture.start()
    capture.call("a", (10,))
    capture.talk((10,), 5)
    capture.stop()
    for frame in capture.frames:
        world.put(frame)
    left = [4]
    write = durable.write_file

    def full(path: Path, data: bytes, *args: Any, **keys: Any) -> None:
        if path.name == "checkpoint" and left[0]:
            left[0] -= 1
            raise MachineError("no space left", cure="Free some")
        write(path, data, *args, **keys)

    monkeypatch.setattr(durable, "write_file", full)
    monkeypatch.setattr(process, "RETRY_SECONDS", (0.05,))
    stop, lines = threading.Event(), Lines()
    thread = threading.Thread(target=run_seal, args=(world.home, stop, world.clock, lines))
    thread.start()
    wait(lambda: len(lines.said) == 2)
    stop.set()
    thread.join(60)
    assert [event for event, _ in lines.said] == ["sealing trouble begins", "sealing trouble ends"]
    assert lines.said[0][1]["why"] == "no space left. Free some"
    assert len(read_call(world, 1).packets(0)) == 250
    assert world.beats()[-1].state == 4


def test_told_to_stop_while_the_disk_refuses_it_gives_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise MachineError("no space left")

    monkeypatch.setattr(Sealer, "step", full)
    monkeypatch.setattr(process, "RETRY_SECONDS", (0.01,))
    monkeypatch.setattr(process, "LINGER_NS", 50_000_000)
    stop = threading.Event()
    stop.set()
    with pytest.raises(MachineError, match="no space left"):
        run_seal(world.home, stop)
    assert json.loads(world.home.status("seal").read_bytes())["trouble"] == "no space left"


def test_a_custodian_who_unlocks_is_noticed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    capture = world.capture()
    capture.start()
    capture.call("a", (10,))
    capture.talk((10,), 5)
    world.run(capture.frames).close()
    world.home.local_custodian.unlink()
    shutil.rmtree(world.home.run)
    stop, lines = threading.Event(), Lines()
    thread = threading.Thread(target=run_seal, args=(world.home, stop, world.clock, lines))
    thread.start()
    wait(lambda: lines.said)
    assert lines.said[0][0] == "calls wait for a custodian"
    assert lines.said[0][1]["calls"] == (1,)
    unlock(world.home, world.seed)
    ask_again(world.home)
    wait(lambda: len(lines.said) == 2)
    assert lines.said[1][0] == "no call waits for a custodian any more"
    stop.set()
    thread.join(60)
    assert not thread.is_alive()


def test_without_its_slot_records_a_log_is_not_continued(world: World) -> None:
    world.clock.advance(10**10)
    sealer = Sealer(world.home, world.clock)
    world.settle(sealer)
    sealer.close()
    for path in world.home.slots.glob("*/*"):
        path.unlink()
    with pytest.raises(FormatError, match="the record of beat 1 is not there"):
        Sealer(world.home, world.clock)


def test_a_note_needs_a_type_and_a_hash(world: World) -> None:
    with pytest.raises(LocalError):
        submit_note(world.home, 99, bytes(32))
    with pytest.raises(LocalError):
        submit_note(world.home, 1, b"short")
