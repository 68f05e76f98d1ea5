"""Journals that are wrong: records, frames and files; what can be read of them is sealed."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.seal.reading import check_slots, read_call
from tests.seal.synthetic import (
    World,
    begun,
    finished,
)

from memcon.record import beat, journal
from memcon.seal.sealer import Sealer

MS = 1_000_000


BAD: list[tuple[str, dict[str, Any]]] = [
    ("call", {"key": "b", "handle": "zz"}),
    ("call", {"key": "a", "handle": "00" * 32}),
    ("call", {"key": "c", "handle": "00" * 32, "streams": [{"stream": 1, "handle": 5}]}),
    ("call", {"key": "c", "handle": "00" * 32, "streams": ["x"]}),
    ("call", {"key": "c", "handle": "00" * 32, "wall": 5}),
    ("call", {"key": "c", "handle": "00" * 32, "mono": "9000000000000000000"}),
    ("call", {"key": "c", "handle": "00" * 32, "parties": {}}),
    ("sip", {"key": "unknown"}),
    ("sip", {"key": "a", "direction": 7}),
    ("event", {"key": "a", "facts": {"no": "type"}}),
    ("event", {"key": "a", "facts": []}),
    ("streams", {"key": "a", "streams": [{"stream": 0, "handle": -1}]}),
    ("drops", {"drops": {"x": 1}}),
    ("drops", {"drops": {"10": True}}),
    ("end", {"key": "a", "cause": 99}),
    ("end", {"key": "a", "cause": 1, "mono": "9000000000000000000"}),
    ("start", {"config": {"lines": "not json"}}),
    ("start", {"config": {"lines": 5}}),
    ("sing", {"key": "a"}),
]


@pytest.mark.parametrize(("kind", "facts"), BAD)
def test_a_wrong_record_is_noted_and_the_rest_goes_on(world: World, kind: str, facts: dict[str, Any]) -> None:
    capture = begun(world)
    sequence = capture.talk((10,), 0.5)
    capture.control(kind, **facts)
    capture.talk((10,), 0.5, first=sequence)
    sealer = finished(world, capture)
    assert len(sealer.findings) == 1
    read = read_call(world, 1)
    assert len(read.packets(0)) == 50
    assert bool(read.record["oddities"]) == (facts.get("key") == "a")
    check_slots(world)


TEXTS = st.sampled_from(["a", "0", "5000000000000", "10", ""])
KEYS = st.sampled_from(["10", "stream", "handle", "type"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**40) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner),
    max_leaves=6,
)
NAMES = ["key", "wall", "mono", "facts", "streams", "parties", "drops", "cause", "who", "handle", "config"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["call", "sip", "event", "streams", "drops", "end", "start", "x"]),
            st.dictionaries(st.sampled_from(NAMES), values, max_size=6),
        ),
        max_size=6,
    )
)
def test_no_control_record_stops_the_sealer(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    controls: list[tuple[str, dict[str, Any]]],
) -> None:
    root = tmp_path_factory.mktemp("w")
    monkeypatch.setenv("MEMCON_RUN", str(root / "run"))
    world = World(root / "home")
    capture = begun(world)
    for kind, facts in controls:
        capture.control(kind, **facts)
    capture.talk((10,), 2.5)
    world.run(capture.frames)
    check_slots(world)


def test_damaged_records_and_media(world: World) -> None:
    capture = begun(world)
    capture.record(9, b"what")
    capture.commit()
    body = (
        journal.media_head(capture.wall, capture.mono, 1)
        + struct.pack(">IQH", 10, capture.wall, 50)
        + b"short"
    )
    capture.record(journal.TYPE_MEDIA, body)
    capture.commit()
    capture.record(journal.TYPE_TICK, journal.encode_tick(capture.wall, capture.mono + 10**18, capture.wall))
    capture.record(journal.TYPE_TICK, journal.encode_tick(capture.wall, capture.mono, capture.wall))
    capture.commit()
    capture.talk((77, 10), 1)
    sealer = finished(world, capture)
    texts = " ".join(f.text for f in sealer.findings)
    assert "type 9 is unknown" in texts
    assert "packets needs 50 bytes" in texts
    assert "unknown media handles 77" in texts
    assert len(read_call(world, 1).packets(0)) == 50


def test_damaged_and_missing_frames(world: World) -> None:
    capture = begun(world)
    capture.talk((10,), 1)
    capture.end("a")
    capture.talk((), 2.2)
    frames = capture.frames
    damaged = bytearray(frames[4].data)
    damaged[30] ^= 1
    frames[4].data = bytes(damaged)
    frames[6].data = b"XXXX" + frames[6].data[4:]
    del frames[8]
    sealer = world.run(frames)
    texts = [f.text for f in sealer.findings]
    assert any("does not authenticate" in t for t in texts)
    assert any("bytes skipped" in t for t in texts)
    assert any("due was" in t for t in texts)
    assert len(read_call(world, 1).packets(0)) == 35


def test_a_torn_frame_waits_for_its_rest(world: World) -> None:
    capture = begun(world)
    capture.talk((10,), 1)
    capture.end("a")
    capture.talk((), 2.2)
    sealer = Sealer(world.home, world.clock)
    for frame in capture.frames:
        for part in (frame.data[:7], frame.data[7:60], frame.data[60:]):
            world.put(type(frame)(frame.wall, frame.path, part))
            world.settle(sealer)
    assert sealer.findings == []
    assert len(read_call(world, 1).packets(0)) == 50


def test_frames_written_again_into_the_next_file_are_sealed_once(world: World) -> None:
    """What capture does after a failed sync: the unsafe frames once more, then what follows."""
    capture = begun(world)
    capture.talk((10,), 1)
    again = capture.frames[-3:]
    capture.file += 1
    number, capture.number = capture.number, capture.number - len(again)
    capture._head()
    capture.number = number
    for frame in again:
        capture.frames.append(type(frame)(capture.wall, capture.path, frame.data))
    capture.talk((10,), 1, first=50)
    capture.end("a")
    capture.talk((), 2.2)
    sealer = world.run(capture.frames)
    assert sealer.findings == []
    assert len(read_call(world, 1).packets(0)) == 100


def test_a_journal_without_its_key_is_a_finding(world: World) -> None:
    capture = begun(world)
    capture.talk((10,), 1)
    world.home.journal_key(capture.instance).unlink()
    sealer = world.run(capture.frames)
    assert ["its key is not in the run directory" in f.text for f in sealer.findings] == [True]
    other = world.capture(2, capture.wall, capture.mono)
    other.start()
    other.call("z", (10,))
    other.talk((10,), 1)
    other.stop()
    world.run(other.frames, sealer)
    assert len(read_call(world, 1).packets(0)) == 50


def test_files_that_are_no_journal(world: World) -> None:
    capture = begun(world)
    capture.stop()
    world.home.journal.mkdir(exist_ok=True)
    (world.home.journal / "notes.txt").write_bytes(b"x")
    (world.home.journal / f"{'ab' * 16}-00000000.mcj").write_bytes(b"y" * 64)
    capture.frames[0].path.with_name(f"{'cd' * 16}-00000000.mcj").write_bytes(capture.frames[0].data)
    sealer = world.run(capture.frames)
    texts = sorted(f.text for f in sealer.findings)
    assert len(texts) == 2
    assert "belongs to another file" in " ".join(texts)
    assert world.beats()[-1].state == beat.State.OFF


def test_a_file_without_a_whole_header_is_stepped_over_when_another_follows(world: World) -> None:
    """What a power cut leaves of a file whose name alone had reached the disk."""
    capture = world.capture()
    capture.start()
    capture.call("a", (10,))
    capture.talk((10,), 1)
    world.run(capture.frames)
    world.home.journal_file(capture.instance, 1).write_bytes(b"mcj")
    capture.frames.clear()
    capture.file = 1
    capture.rotate()
    capture.talk((10,), 1, first=50)
    capture.end("a")
    capture.talk((), 3)
    sealer = world.run(capture.frames)
    assert [f.text for f in sealer.findings] == ["has no whole header"]
    assert len(read_call(world, 1).packets(0)) == 100
