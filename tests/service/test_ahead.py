"""Calls read from the journal as they arrive: the packets that are sealed later, or `lost`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.seal.reading import read_call
from tests.seal.synthetic import World

from memcon.clock import NS
from memcon.seal.sealer import Sealer
from memcon.service import ahead
from memcon.service.ahead import Ahead

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.seal.synthetic import Capture, Written


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("MEMCON_RUN", str(tmp_path / "run"))
    return World(tmp_path / "home")


@pytest.fixture
def reader(world: World) -> Iterator[Ahead]:
    made = Ahead(world.home)
    yield made
    made.rest()


def put(world: World, frames: list[Written]) -> None:
    for frame in frames:
        world.put(frame)
    frames.clear()


def packets(call: ahead.Arriving, stream: int) -> list[tuple[int, bytes]]:
    store = call.gathered._stores[stream]
    out, at = [], 0
    for since, length in zip(store.arrivals, store.lengths, strict=True):
        out.append((since, bytes(store.data[at : at + length])))
        at += length
    return out


def begin(world: World, reader: Ahead | None = None) -> Capture:
    """An instance that has begun, and that the reader has met."""
    capture = world.capture()
    capture.start()
    put(world, capture.frames)
    if reader is not None:
        reader.look()
    return capture


def test_what_is_read_ahead_is_what_is_sealed(world: World, reader: Ahead) -> None:
    reader.look()  # nobody records yet
    sealer = Sealer(world.home, world.clock)
    capture = world.capture()
    capture.start()
    handle = capture.call("a", (10, 20)).hex()
    capture.talk((10, 20), 2.5)
    world.run(capture.frames, sealer)
    reader.look()
    call = reader.call(handle)
    assert call is not None
    assert (call.until, call.ended, call.lost) == (2.5 * NS, False, False)
    capture.frames.clear()
    capture.talk((10, 20), 0.5, first=125)
    capture.advance(NS // 20)
    capture.end("a")
    for _ in range(5):  # its slot closes
        capture.advance(NS)
        capture.tick()
    world.run(capture.frames, sealer)
    sealer.close()
    reader.look()
    assert (call.until, call.ended) == (3.05 * NS, True)
    sealed = read_call(world, 1)
    for stream in (0, 2):
        assert packets(call, stream) == sealed.packets(stream)
        assert len(packets(call, stream)) == 150
    reader.forget(handle)
    assert reader.call(handle) is None


def test_a_call_goes_on_in_the_next_instance(world: World, reader: Ahead) -> None:
    first = begin(world, reader)
    handle = first.call("a", (10,)).hex()
    first.talk((10,), 1)
    put(world, first.frames)
    reader.look()
    second = world.capture(2, first.wall + 1000, first.mono + 1000)
    second.start(follows=first)
    second.carry(first, "a", (30,))
    second.talk((30,), 1, first=50)
    put(world, second.frames)
    reader.look()
    call = reader.call(handle)
    assert call is not None
    assert len(packets(call, 0)) == 100
    assert call.until == 2 * NS + 1000


def test_calls_that_began_before_and_too_many_calls_are_not_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "MOST_CALLS", 2)
    capture = begin(world)
    old = capture.call("old", (2,)).hex()
    capture.talk((2,), 0.2)
    capture.rotate()
    put(world, capture.frames)
    reader = Ahead(world.home)
    reader.look()  # what stands there already is passed over
    handles = [capture.call(key, (at,)).hex() for key, at in (("a", 10), ("b", 20), ("c", 30))]
    capture.talk((2, 10, 20, 30), 0.3)
    capture.end("a")
    capture.talk((2, 20, 30), 0.3)
    handles.append(capture.call("d", (40,)).hex())
    put(world, capture.frames)
    reader.look()
    assert reader.call(old) is None
    assert [reader.call(one) is not None for one in handles] == [False, True, False, True]
    reader.rest()
    assert reader.call(handles[1]) is None


def test_what_nobody_takes_is_not_kept(world: World, reader: Ahead, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "MOST_BYTES", 3000)
    capture = begin(world, reader)
    handle = capture.call("a", (10,)).hex()
    capture.talk((10,), 4)
    put(world, capture.frames)
    reader.look()
    call = reader.call(handle)
    assert call is not None
    assert call.lost
    assert call.gathered.size == 0


@pytest.mark.parametrize("gap", [False, True])
def test_an_odd_journal_is_left_to_sealing(world: World, reader: Ahead, gap: bool) -> None:
    capture = begin(world, reader)
    handle = capture.call("a", (10,)).hex()
    capture.talk((10,), 0.2)
    put(world, capture.frames)
    reader.look()
    call = reader.call(handle)
    assert call is not None
    capture.talk((10,), 0.3, first=10)
    if gap:
        del capture.frames[1]
    else:
        frame = capture.frames[1]
        frame.data = frame.data[:-1] + bytes([frame.data[-1] ^ 1])
    put(world, capture.frames)
    reader.look()
    assert call.lost
    assert reader.call(handle) is None
    fresh = capture.call("b", (20,)).hex()
    put(world, capture.frames)
    reader.look()
    assert reader.call(fresh) is None  # not at once: what is damaged is read again no more often than needed
    for _ in range(ahead.PAUSE_LOOKS + 1):
        reader.look()
    newest = capture.call("c", (30,)).hex()
    put(world, capture.frames)
    reader.look()
    found = reader.call(newest)
    assert found is not None
    assert not found.lost
