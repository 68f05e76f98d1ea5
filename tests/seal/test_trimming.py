"""The journal of a long call keeps that call, not what came for all others meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from tests.seal.reading import check_slots, read_call

from memcon.errors import FormatError, MachineError
from memcon.record import journal
from memcon.seal import retention, trimming
from memcon.seal.sealer import Sealer
from memcon.seal.trimming import SUFFIX, Needed, Trim
from memcon.store import durable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.seal.synthetic import Capture, World


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Files of a test are small: to be called when they are to be trimmed all the same."""
    return lambda: monkeypatch.setattr(retention, "LEAST_BYTES", 0)


def idle(sealer: Sealer) -> None:
    """Let it do what it does when nothing comes."""
    for _ in range(40):
        sealer.step()
        if sealer._files._finishing is not None:
            sealer._files._finishing.exception()  # waits


def journal_bytes(world: World) -> dict[str, int]:
    return {path.name[-12:]: path.stat().st_size for path in sorted(world.home.journal.glob("*.mcj"))}


def long_call(world: World, files: int = 3) -> Capture:
    """One call that goes on, and in each file of the journal four that come and go beside it."""
    capture = world.capture()
    capture.start()
    capture.call("long", (10,))
    sequence = 0
    for n in range(files):
        others = {f"s{n}-{i}": 100 + 100 * n + 4 * i for i in range(4)}
        for key, handle in others.items():
            capture.call(key, (handle,))
        sequence = capture.talk((10, *others.values()), 0.5, first=sequence)
        for key in others:
            capture.end(key)
        sequence = capture.talk((10,), 1.3, first=sequence)
        capture.rotate()
    return capture


def test_a_long_calls_journal_keeps_little_of_the_others(world: World, small: Callable[[], None]) -> None:
    capture = long_call(world)
    sealer = world.run(capture.frames)
    before = journal_bytes(world)
    small()
    idle(sealer)
    after = journal_bytes(world)
    assert before.keys() == after.keys()
    names = sorted(after)
    assert all(after[name] < 0.8 * before[name] for name in names[: -retention.NEWEST])
    assert all(after[name] == before[name] for name in names[-retention.NEWEST :])
    assert sealer._files.trimmed == len(names) - retention.NEWEST
    idle(sealer)
    assert journal_bytes(world) == after  # once, until half of the rest is over too

    # kill -9, and another reads it all again: nothing is missing, nothing is odd
    again = Sealer(world.home, world.clock)
    world.settle(again)
    assert again.findings == []
    done = len(capture.frames)
    capture.end("long")
    capture.talk((), 2.2)
    world.run(capture.frames[done:], again)
    assert again.findings == []
    read = read_call(world, 1)
    assert [data for _, data in read.packets(0)] == [data for _, data in capture.sent[10]]
    check_slots(world)
    idle(again)
    assert len(journal_bytes(world)) == 1


def test_a_trim_that_is_killed_leaves_the_old_file(world: World, small: Callable[[], None]) -> None:
    capture = long_call(world)
    sealer = world.run(capture.frames)
    before = journal_bytes(world)
    small()
    trim = sealer._files._begin()
    assert trim is not None
    trim.step(200)
    assert list(world.home.journal.glob(f"*{SUFFIX}"))
    again = Sealer(world.home, world.clock)
    assert not list(world.home.journal.glob(f"*{SUFFIX}"))
    assert journal_bytes(world) == before
    world.settle(again)
    assert again.findings == []


@pytest.mark.parametrize("where", ["step", "finish"])
def test_a_disk_that_refuses_costs_nothing(
    world: World, small: Callable[[], None], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    capture = long_call(world)
    sealer = world.run(capture.frames)
    before = journal_bytes(world)

    def refuses(*_: Any) -> None:
        raise MachineError("no space left")

    monkeypatch.setattr(trimming.Trim, where, refuses)
    small()
    idle(sealer)
    assert journal_bytes(world) == before
    assert sealer._files.trimmed == 0
    sealer.close()


@pytest.mark.parametrize("damage", ["torn", "altered"])
def test_a_file_that_is_not_whole_is_left_alone(world: World, small: Callable[[], None], damage: str) -> None:
    capture = long_call(world)
    sealer = world.run(capture.frames)
    path = min(world.home.journal.glob("*.mcj"))
    data = bytearray(path.read_bytes())
    if damage == "torn":
        del data[-5:]
    else:
        data[-5] ^= 1
    path.write_bytes(data)
    small()
    idle(sealer)
    assert path.read_bytes() == data
    assert not list(world.home.journal.glob(f"*{SUFFIX}"))


def test_a_second_trim_has_another_key(world: World, tmp_path: Path) -> None:
    capture = long_call(world, files=1)
    for frame in capture.frames:
        durable.append(frame.path, frame.data)
    path = world.home.journal_file(capture.instance, 0)
    everything = Needed([*capture.begun], [10, *range(100, 140)])
    heads, first = [], []
    for _ in range(3):
        data = path.read_bytes()
        head = journal.decode_header(data[: journal.HEADER_SIZE])
        heads.append(head.trims)
        at = journal.HEADER_SIZE
        length, number = journal.decode_frame_head(data[at : at + journal.FRAME_HEAD])
        sealed = data[at + journal.FRAME_HEAD : at + journal.FRAME_HEAD + length]
        aad = capture.instance + data[at : at + journal.FRAME_HEAD]
        first.append(AESGCM(head.frame_key(capture.key)).decrypt(journal.frame_nonce(number), sealed, aad))
        trim = Trim(path, capture.key, everything)
        assert not trim.step(1)
        while not trim.step(1 << 20):
            pass
        trim.finish()
    assert heads == [0, 1, 2]
    assert first[0] == first[1] == first[2]
    keys = {journal.JournalHeader(bytes(16), 0, 0, 0, bytes(8), n).frame_key(capture.key) for n in range(3)}
    assert len(keys) == 3


def test_what_is_not_needed_goes_and_the_rest_stays_to_the_byte() -> None:
    def control(kind: str, *attachments: bytes, **facts: Any) -> bytes:
        body = journal.encode_control({"type": kind, **facts}, attachments)
        return b"".join(bytes(p) for p in journal.encode_record(journal.TYPE_CONTROL, body))

    tick = b"".join(bytes(p) for p in journal.encode_record(journal.TYPE_TICK, journal.encode_tick(1, 2, 3)))
    stop = b"".join(bytes(p) for p in journal.encode_record(journal.TYPE_STOP, b'{"by":"x"}'))
    mine = [control(kind, b"bytes", key="a") for kind in ("call", "carry", "sip", "streams", "event", "end")]
    shared = [control(kind, b"x") for kind in ("start", "switch", "drops", "host", "carried")]
    theirs = [control(kind, b"bytes", key="b") for kind in ("sip", "streams", "event", "end")]
    needed = Needed(["a"], [7])
    kept = needed.of(b"".join([*mine, *shared, *theirs, control("call", b"INVITE", key="b"), tick, stop]))
    assert kept == b"".join([*mine, *shared, control("call", key="b"), tick, stop])
    with pytest.raises(FormatError):
        needed.of(b"\0\0\0\1")
