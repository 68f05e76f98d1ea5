"""Packets out of order, late, foreign; clocks that step; records and frames that are wrong."""

from __future__ import annotations

import pytest
from tests.seal.reading import check_slots, read_call
from tests.seal.synthetic import (
    CONFIG,
    MONO,
    PERIOD_MS,
    T0,
    Capture,
    World,
    begun,
    finished,
    rtp,
    sender_report,
)

from memcon.clock import NS
from memcon.record import beat, call, canonical
from memcon.seal.feed import Feed
from memcon.seal.sealer import Sealer
from memcon.store import durable
from memcon.verify.slots import verify_slots

MS = 1_000_000


def test_empty_seconds_are_segments_too(world: World) -> None:
    capture = begun(world)
    capture.talk((10,), 1)
    capture.talk((), 3)
    capture.talk((10,), 0.5, first=50)
    sealer = finished(world, capture)
    assert sealer.findings == []
    read = read_call(world, 1)
    assert len(read.segment_hashes) == 5
    empty = {}
    for leaf in read.leaves:
        for n in range(leaf.segments):
            empty[leaf.first_segment + n] = [s.is_empty(n) for s in leaf.streams if s.stream == 0]
    assert empty == {0: [False], 1: [True], 2: [True], 3: [True], 4: [False]}


def test_a_call_without_a_packet_has_one_segment(world: World) -> None:
    capture = begun(world)
    capture.end("a")
    capture.talk((), 2.2)
    world.run(capture.frames)
    read = read_call(world, 1)
    assert (len(read.leaves), len(read.segment_hashes), read.blocks) == (1, 1, [])


def test_late_packets_go_into_the_open_block_with_their_time(world: World) -> None:
    capture = begun(world)
    sequence = capture.talk((10,), 1)
    late = capture.wall - 900 * MS
    capture.advance(100 * MS)
    capture.sweep([(10, late, rtp(sequence, ssrc=10)), (10, capture.wall - MS, rtp(sequence + 1, ssrc=10))])
    capture.tick()
    finished(world, capture)
    read = read_call(world, 1)
    (block,) = [b for b in read.blocks if b.segment == 1]
    assert [at // MS for at in block.arrivals] == [100, 1099]
    assert block.position == 0


def test_times_that_cannot_be_are_drawn_to_the_sweep(world: World) -> None:
    capture = begun(world)
    capture.advance(100 * MS)
    capture.sweep([(10, capture.wall + 5 * NS, rtp(1)), (10, T0 - 3 * NS, rtp(2))])
    capture.tick()
    finished(world, capture)
    read = read_call(world, 1)
    assert [a for b in read.blocks for a in b.arrivals] == [100 * MS, 0] or [
        a for b in read.blocks for a in b.arrivals
    ] == [0, 100 * MS]


def test_counts_of_a_rough_stream(world: World) -> None:
    capture = begun(world)
    order = [65530, 65531, 65533, 65532, 65532, 65535, 0, 1, 3]
    capture.advance(100 * MS)
    capture.sweep([(10, capture.wall - (20 - i) * MS, rtp(n, ssrc=10)) for i, n in enumerate(order)])
    capture.sweep([(11, capture.wall, sender_report(11, 10))])
    capture.control("drops", drops={"10": 3, "99": 1})
    capture.tick()
    sealer = finished(world, capture)
    read = read_call(world, 1)
    count = read.leaves[-1].streams[0]
    assert (count.received, count.expected, count.duplicates, count.reordered) == (9, 10, 1, 1)
    assert (count.sender_count, count.kernel_drops) == (11, 3)
    assert [bytes(d) for _, d in read.packets(0)] == [d for _, d in capture.sent[10]]
    losses = [e.facts for e in read.events if e.facts["type"] == "loss"]
    assert losses == [{"type": "loss", "stream": 0, "layer": "kernel", "count": 3}]
    assert sealer.findings == []


def test_timestamps_of_a_block_wrap_and_are_those_of_rtp(world: World) -> None:
    capture = begun(world)
    capture.advance(100 * MS)
    at = capture.wall - 10 * MS
    capture.sweep(
        [
            (10, at, b"hello"),
            (10, at, rtp(1, timestamp=0xFFFFFFF0)),
            (10, at, rtp(2, timestamp=0x90)),
            (10, at, rtp(4, timestamp=0xFFFFFF00)),
            (10, at, sender_report(5)),
        ]
    )
    capture.tick()
    finished(world, capture)
    read = read_call(world, 1)
    assert [(b.least, b.greatest) for b in read.blocks] == [(0xFFFFFF00, 0x90)]
    count = read.leaves[-1].streams[0]
    assert (count.received, count.expected, count.sender_count) == (5, 4, 5)


def test_packets_that_are_no_rtp_are_kept(world: World) -> None:
    capture = begun(world)
    capture.advance(100 * MS)
    capture.sweep([(10, capture.wall - MS, b""), (10, capture.wall - MS, b"x")])
    capture.tick()
    finished(world, capture)
    read = read_call(world, 1)
    assert [d for _, d in read.packets(0)] == [b"", b"x"]
    assert [(b.least, b.greatest) for b in read.blocks] == [(0, 0)]


def test_streams_added_and_changed(world: World) -> None:
    capture = begun(world)
    capture.talk((10,), 0.5)
    stream = {
        "stream": 0,
        "handle": 10,
        "rtcp_handle": 11,
        "mline": 0,
        "port": 20000,
        "direction": "inactive",
    }
    more = {"stream": 2, "handle": 12, "rtcp_handle": None, "mline": 1, "port": 20002, "label": "x"}
    capture.control("streams", key="a", streams=[stream, more], parties=[{"id": "new"}])
    capture.control("streams", key="a", streams=[stream])
    capture.talk((10, 12), 0.5, first=25)
    finished(world, capture)
    read = read_call(world, 1)
    table = [(e["entry"], e["stream"], e["kind"], e["direction"]) for e in read.record["streams"]]
    assert table == [
        (0, 0, 1, "recvonly"),
        (1, 1, 2, "recvonly"),
        (2, 0, 1, "inactive"),
        (3, 1, 2, "inactive"),
        (4, 2, 1, None),
    ]
    assert read.record["parties"] == [{"id": "new"}]
    assert len(read.packets(2)) == 25


def test_a_clock_that_steps_forward(world: World) -> None:
    capture = begun(world)
    sequence = capture.talk((10,), 1)
    capture.wall += 7 * NS
    capture.talk((10,), 2, first=sequence)
    finished(world, capture)
    read = read_call(world, 1)
    assert len(read.segment_hashes) == 3
    assert [d for _, d in read.packets(0)] == [d for _, d in capture.sent[10]]
    flagged = [b for b in world.beats() if b.flags & beat.FLAG_CLOCK_STEP]
    assert flagged
    assert any(leaf.flags & call.FLAG_CLOCK_STEP for leaf in read.leaves)
    check_slots(world)


def test_a_clock_that_steps_back_closes_nothing_twice(world: World) -> None:
    capture = begun(world)
    sequence = capture.talk((10,), 3)
    capture.wall -= 2 * NS
    capture.talk((10,), 3, first=sequence)
    finished(world, capture)
    assert len(read_call(world, 1).packets(0)) == 300
    check_slots(world)


def test_sealing_that_sees_the_step_first_passes_over_no_slot(world: World) -> None:
    """Its own clock is stepped before the journal's next tick says so."""
    capture = begun(world)
    sequence = capture.talk((10,), 3)
    sealer = world.run(capture.frames)
    done = len(capture.frames)
    world.clock.step_wall(7 * NS)
    world.settle(sealer)
    capture.wall += 7 * NS
    capture.talk((10,), 2, first=sequence)
    capture.end("a")
    capture.talk((), 2.2)
    world.run(capture.frames[done:], sealer)
    slots = [b.slot for b in world.beats()]
    assert slots == list(range(slots[0], slots[0] + 2)) + list(range(slots[2], slots[-1] + 1))
    flagged = [b.slot for b in world.beats() if b.flags & beat.FLAG_CLOCK_STEP]
    assert len(flagged) >= 3
    assert flagged == list(range(flagged[0], flagged[-1] + 1))
    check_slots(world)


@pytest.mark.parametrize("again", [False, True])
def test_a_step_that_no_beat_has_told_when_capture_dies_is_told_by_the_next(
    world: World, again: bool
) -> None:
    """A step back: until the clock is where it was there is no slot to say it in. And `again`: sealing dies
    too, and reads of it once more; a step that a beat has told is not told twice."""
    capture = begun(world)
    sequence = capture.talk((10,), 1)
    capture.wall += 7 * NS
    sequence = capture.talk((10,), 5, first=sequence)
    capture.wall -= 4 * NS
    sequence = capture.talk((10,), 1, first=sequence)
    sealer = world.run(capture.frames)
    before = len(world.beats())
    more = Capture(world.home, bytes([3]) * 16, capture.wall + NS, capture.mono + NS)
    more.start(follows=capture)
    more.carry(capture, "a", (7,))
    more.control("carried", file=0, calls=1)
    more.control("event", b"", key="a", facts={"type": "takeover", "sockets": "kept"})
    more.talk((7,), 7, first=sequence)
    more.end("a")
    more.talk((), 2.2)
    if again:
        sealer.close()
        sealer = Sealer(world.home, world.clock)
        world.settle(sealer)
    world.run(more.frames, sealer)
    sealer.close()
    told = [bool(b.flags & beat.FLAG_CLOCK_STEP) for b in world.beats()[before:]]
    assert told[0]
    assert not any(told[1:])
    report = verify_slots([world.home.slots], world.home.log, structure_key=world.keys.structure)
    assert [f.code for f in report.findings if f.code != "call-step"] == []
    again_read = Sealer(world.home, world.clock)
    world.settle(again_read)
    assert again_read.findings == []


def test_a_silent_recorder_is_degraded_and_its_calls_stay(world: World) -> None:
    capture = begun(world)
    capture.talk((10,), 3)
    sealer = world.run(capture.frames)
    done = len(capture.frames)
    for _ in range(100):
        world.clock.advance(NS // 10)
        world.settle(sealer)
    capture.advance(10 * NS)
    capture.talk((10,), 1, first=150)
    finished_frames = capture.frames[done:]
    world.run(finished_frames, sealer)
    capture.end("a")
    capture.talk((), 2.2)
    world.run(capture.frames[done + len(finished_frames) :], sealer)
    states = [b.state for b in world.beats()]
    assert states.count(beat.State.DEGRADED) >= 3
    read = read_call(world, 1)
    assert sum(1 for leaf in read.leaves if leaf.segments == 0) >= 3
    assert len(read.segment_hashes) == 14
    sealer.close()
    again = Sealer(world.home, world.clock)
    world.settle(again)
    assert again.findings == []


def test_a_long_stall_is_sealed_128_seconds_a_leaf(world: World) -> None:
    capture = begun(world)
    capture.talk((10,), 1)
    sealer = world.run(capture.frames)
    done = len(capture.frames)
    for _ in range(150):
        world.clock.advance(2 * NS)
        world.settle(sealer)
    capture.advance(300 * NS)
    capture.end("a")
    capture.talk((), 8)
    world.run(capture.frames[done:], sealer)
    read = read_call(world, 1)
    assert len(read.segment_hashes) == 301
    assert max(leaf.segments for leaf in read.leaves) == 128


def test_no_recorder_at_all_is_declared_off_and_after_a_death_degraded(world: World) -> None:
    world.clock.advance(10 * NS)
    sealer = Sealer(world.home, world.clock)
    world.settle(sealer)
    world.clock.advance(4 * NS)
    world.settle(sealer)
    assert [b.state for b in world.beats()[1:]] == [beat.State.OFF, beat.State.OFF]
    sealer.close()


def test_a_clean_stop_is_one_beat_with_a_statement(world: World) -> None:
    capture = begun(world)
    capture.talk((10,), 1)
    capture.stop()
    sealer = world.run(capture.frames)
    last = world.beats()[-1]
    assert last.state == beat.State.OFF
    said = canonical.loads((world.home.log / "statement" / last.statement.hex()).read_bytes())
    assert (said["kind"], said["by"], said["how"], said["reason"]) == (
        "off", "operator", "memcon stop", "maintenance"
    )  # fmt: skip
    assert said["slot"] == last.slot == T0 // NS * 1000 // PERIOD_MS
    end = read_call(world, 1).leaves[-1].last
    assert end is not None
    assert (end.cause, end.who) == (3, 2)
    size = len(world.beats())
    sealer.close()
    again = Sealer(world.home, world.clock)
    world.settle(again)
    assert len(world.beats()) == size
    world.clock.advance(4 * NS)
    world.settle(again)
    assert [b.state for b in world.beats()[size:]] == [beat.State.OFF]
    assert world.beats()[-1].statement == bytes(32)


def test_a_configuration_is_sealed_once(world: World) -> None:
    capture = begun(world)
    capture.end("a")
    capture.talk((), 2.2)
    sealer = world.run(capture.frames)
    first = check_slots(world)
    assert sum(1 for r in first.values() for leaf in r.leaves.values() if leaf.startswith(b"mcnote")) == 1
    same = world.capture(2, capture.wall, capture.mono)
    same.start()
    same.talk((), 2.2)
    world.run(same.frames, sealer)
    changed = world.capture(3, same.wall, same.mono)
    changed.start({**CONFIG, "lines": "[]"})
    changed.talk((), 2.2)
    world.run(changed.frames, sealer)
    records = check_slots(world)
    assert sum(1 for r in records.values() for leaf in r.leaves.values() if leaf.startswith(b"mcnote")) == 2
    roots = {b.config_root for b in world.beats()[-1:]}
    assert (world.home.config_parts / f"{roots.pop().hex()}.json").exists()
    assert capture.mono > MONO


def test_a_full_feed_is_set_aside(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memcon.seal.feed.FULL", 200)
    feed = Feed(world.home)
    durable.make_dirs(world.home.run)
    for n in range(3):
        feed.tell("instance", instance="ab" * 100, wall=n)
        feed.flush()
    assert [world.home.feed_before.read_text().count("\n"), world.home.feed.read_text().count("\n")] == [2, 2]
    assert '"wall":2' in world.home.feed.read_text()
    assert '"wall":1' in world.home.feed_before.read_text()


def test_no_leaf_covers_a_second_that_ended_after_its_slot(world: World) -> None:
    """The end of a call is read before the tick that closes the slot before it, as on a busy machine."""
    capture = begun(world)
    capture.talk((10,), 1)
    capture.advance(3_400_000_000)
    capture.sweep([(10, capture.wall - NS // 2, rtp(50, ssrc=10))])
    capture.end("a")
    capture.tick()
    capture.talk((), 4.2)
    frames = list(capture.frames)
    sealer = world.run(frames)
    assert sealer.findings == []
    leaves = read_call(world, 1).leaves
    start = leaves[0].first
    assert start is not None
    assert leaves[-1].last is not None
    assert leaves[-1].last.segments == 5
    for leaf in leaves[:-1]:
        ended = ((leaf.slot + 1) * PERIOD_MS * 1_000_000 - start.start_wall) // NS
        assert leaf.first_segment + leaf.segments <= ended
    assert len(leaves) == 2


def test_beats_while_the_machine_refuses_are_degraded(world: World) -> None:
    capture = world.capture()
    capture.start()
    capture.talk((), 4.1)
    capture.control("host", trouble="no space left")
    capture.control("host", trouble="")
    capture.talk((), 2)
    capture.control("host", trouble="no space left")
    capture.talk((), 4)
    capture.control("host", trouble="")
    capture.talk((), 4)
    world.run(capture.frames)
    assert [int(b.state) for b in world.beats()[2:]] == [1, 1, 2, 2, 2, 2, 1]


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (b"BYE sip:r@x SIP/2.0\r\nVia: x\r\n\r\n", "BYE sip:r@x SIP/2.0"),
        (b"\r\n\r\nSIP/2.0 200 OK\r\n\r\n", "SIP/2.0 200 OK"),
        (b"", ""),
        (b"INVITE \x00\xff sip:x\n", "INVITE \ufffd\ufffd sip:x"),
        (b"A" * 5000, "A" * 200),
    ],
)
def test_a_messages_first_line_stands_in_its_event(world: World, message: bytes, line: str) -> None:
    capture = world.capture()
    capture.start()
    capture.call("a", (10,))
    capture.control("sip", message, key="a", direction="in", transport="udp", local="l", remote="r")
    capture.end("a")
    capture.talk((), 4)
    world.run(capture.frames)
    (event,) = [e for e in read_call(world, 1).events if e.facts["type"] == "sip"]
    assert event.facts["line"] == line
    assert event.raw == message
