from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from tests.seal.reading import check_slots, read_call
from tests.seal.synthetic import MONO, ORIGIN, PERIOD_MS, T0, Capture, World

from memcon.clock import NS
from memcon.record import beat
from memcon.seal.call_state import Call
from memcon.seal.keys import CheckpointSigner
from memcon.seal.streams import Stream
from memcon.store.tiles import LogStore
from memcon.tlog import cosignature, note

if TYPE_CHECKING:
    from memcon.seal.sealer import Sealer


def sent(capture: Capture, handle: int, start_mono: int = MONO) -> list[tuple[int, bytes]]:
    return [(at - start_mono, data) for at, data in capture.sent[handle]]


def one_call(world: World) -> tuple[Capture, Sealer]:
    capture = world.capture()
    capture.start()
    capture.call("a", (10, 20))
    capture.talk((10, 20), 5.3)
    capture.end("a")
    capture.talk((), 2)
    return capture, world.run(capture.frames)


def test_every_packet_comes_back(world: World) -> None:
    capture, sealer = one_call(world)
    assert sealer.findings == []
    read = read_call(world, 1)
    assert read.packets(0) == sent(capture, 10)
    assert read.packets(2) == sent(capture, 20)
    assert len(read.segment_hashes) == 6
    last = read.leaves[-1].last
    assert last is not None
    assert (last.cause, last.who, last.duration) == (1, 1, 5_300_000_000)
    assert [e.facts["type"] for e in read.events] == ["end"]
    counts = {s.stream: s for s in read.leaves[-1].streams}
    assert (counts[0].received, counts[0].expected, counts[0].duplicates) == (265, 265, 0)
    assert counts[1].received == 0
    assert read.record["parties"][0]["name"] == "A"
    assert read.record["cause"] == 1
    assert not world.home.call_key(1).exists()
    check_slots(world)
    store = LogStore(world.home.log)
    signer = CheckpointSigner(world.keys, ORIGIN)
    signed = note.Note.parse(store.fetch("checkpoint") or b"")
    assert len(note.verify(signed, [cosignature.verifier(v) for v in signer.vkeys])) == 2
    beats = world.beats()
    assert [b.state for b in beats] == [beat.State.OFF] * 2 + [beat.State.RECORDING] * 3
    assert [b.slot * PERIOD_MS * 1_000_000 for b in beats[1:]] == [T0 + n * 2 * NS for n in (-1, 0, 1, 2)]
    assert all(b.flags == 0 for b in beats)


def test_calls_that_are_over_leave_nothing_in_memory(world: World) -> None:
    """An instance may run for years."""
    capture = world.capture()
    capture.start()
    sealer = world.run(capture.frames)
    sizes = []
    for n in range(1, 7):
        done = len(capture.frames)
        capture.call(f"call {n}", (10 * n, 10 * n + 2))
        capture.talk((10 * n, 10 * n + 2), 1)
        capture.end(f"call {n}")
        capture.talk((), 2.2)
        world.run(capture.frames[done:], sealer)
        gc.collect()
        kept = [o for o in gc.get_objects() if isinstance(o, Call | Stream)]
        sizes.append((len(kept), len(sealer._desk._keys), len(sealer._desk._handles)))
    assert sealer.findings == []
    assert sizes == [(0, 0, 0)] * 6
