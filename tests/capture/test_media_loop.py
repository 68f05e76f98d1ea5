"""The media loop: what stands in the journal, in which order, and what its ticks say."""

from __future__ import annotations

import socket
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.capture.kit import (
    HOST,
    Lines,
    controls,
    events,
    late_packets,
    packets,
    read_journal,
    sweep_of,
)

from memcon.capture import media_loop
from memcon.capture.journal import JournalWriter
from memcon.capture.log import Log
from memcon.capture.media_loop import MAX_SOURCES, Add, MediaLoop, Mute, Muted, Owner, Release, Remove
from memcon.capture.receiver import Receiver
from memcon.clock import NS, SystemClock
from memcon.record import journal as frames

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.capture.kit import Record

    from memcon.capture.receiver import Sweep
    from memcon.store.paths import Home


class Bench:
    """A loop that is turned by hand, with real sockets and a real journal."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.clock = SystemClock()
        self.lines = Lines()
        log = Log(self.clock, self.lines)
        self.journal = JournalWriter(home, self.clock, bytes(16), bytes(32), log)
        self.receiver = Receiver(self.clock, settle_ns=0)
        self.loop = MediaLoop(self.receiver, self.journal, self.clock, log)
        self.sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sender.bind((HOST, 0))
        self.sockets: list[socket.socket] = [self.sender]

    def bound(self, *, buffer: int | None = None) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sockets.append(sock)
        if buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        sock.bind((HOST, 0))
        return sock

    def add(self, handle: int, sock: socket.socket, since: int | None = None, key: str = "1") -> None:
        since = self.clock.wall_ns() if since is None else since
        self.loop.put(Add(handle, sock, Owner(key, handle), since))

    def remove(self, *handles: int, key: str = "1") -> list[bool]:
        done: list[bool] = []
        facts: dict[str, Any] = {"type": "end", "key": key, "cause": 1, "who": 1}
        self.loop.put(Remove(handles, facts, b"BYE", lambda: done.append(True)))
        return done

    def send(self, sock: socket.socket, data: bytes) -> None:
        self.sender.sendto(data, sock.getsockname())

    def records(self) -> list[Record]:
        return read_journal(self.home)

    def close(self) -> None:
        self.journal.close()
        self.receiver.close()
        for sock in self.sockets:
            sock.close()


@pytest.fixture
def bench(home: Home) -> Iterator[Bench]:
    made = Bench(home)
    yield made
    made.close()


def test_packets_are_journalled_and_then_the_tick(bench: Bench) -> None:
    sock = bench.bound()
    bench.add(4, sock)
    bench.send(sock, b"one")
    bench.send(sock, b"two")
    bench.loop.turn()
    media, source, tick = bench.records()
    assert [(p.handle, p.data) for p in packets([media])] == [(4, b"one"), (4, b"two")]
    assert events([source]) == [
        {"type": "source", "stream": 4, "address": HOST, "port": bench.sender.getsockname()[1]}
    ]
    assert isinstance(tick, frames.Tick)
    assert tick.wall - tick.watermark == 0
    assert bench.loop.packets == 2
    assert bench.loop.sweep_ns > 0


def test_a_calls_last_packets_stand_before_its_end(bench: Bench) -> None:
    first, second = bench.bound(), bench.bound()
    bench.add(1, first)
    bench.add(2, second)
    bench.loop.turn()
    done = bench.remove(1, 2)
    bench.send(first, b"last of 1")
    bench.send(second, b"last of 2")
    bench.loop.turn()
    records = bench.records()
    kinds = [r.facts["type"] if isinstance(r, frames.Control) else type(r).__name__ for r in records]
    assert kinds[1:] == ["Media", "event", "Media", "event", "end", "Tick"]
    (end,) = controls(records, "end")
    assert (end.facts["drops"], end.attachments) == ({}, (b"BYE",))
    assert done == [True]
    assert len(bench.receiver) == 0
    line = bench.lines.events("call ended")[0]
    assert (line["key"], line["packets"], line["kernel_drops"]) == ("1", 2, 0)


def test_a_tick_never_covers_a_socket_that_is_bound_and_not_swept(bench: Bench) -> None:
    hold, since = bench.loop.hold()
    sock = bench.bound()
    bench.send(sock, b"early")
    for _ in range(3):
        bench.loop.turn()
    assert all(r.watermark <= since for r in bench.records() if isinstance(r, frames.Tick))
    bench.add(1, sock, since)
    bench.loop.put(Release(hold))
    bench.loop.turn()
    records = bench.records()
    assert [p.data for p in packets(records)] == [b"early"]
    assert late_packets(records) == []
    last = records[-1]
    assert isinstance(last, frames.Tick)
    assert last.watermark > since


def test_a_hold_that_came_to_nothing_is_released(bench: Bench) -> None:
    hold, since = bench.loop.hold()
    other, _ = bench.loop.hold()
    bench.loop.put(Release(hold))
    bench.loop.put(Release(other))
    bench.loop.turn()
    (tick,) = bench.records()
    assert isinstance(tick, frames.Tick)
    assert tick.watermark > since


def test_a_socket_not_reached_by_a_sweep_holds_the_tick_too(bench: Bench) -> None:
    """The sweep stops after its bytes; what was bound before the last tick is still covered by none."""
    bench.receiver.close()
    bench.receiver = Receiver(bench.clock, settle_ns=0, batch=16, rows=32, sweep_bytes=1)
    bench.loop = MediaLoop(bench.receiver, bench.journal, bench.clock, Log(bench.clock, bench.lines))
    busy = [bench.bound(), bench.bound()]
    bench.add(0, busy[0])
    bench.add(1, busy[1])
    bench.loop.turn()
    hold, since = bench.loop.hold()
    fresh = bench.bound()
    bench.send(fresh, b"early")
    bench.receiver.sweep()  # time goes by, and what is swept is safe up to now
    for n in range(24):  # fills the receiver's rows, so that this sweep ends before it comes to the third
        bench.send(busy[n % 2], n.to_bytes(2, "big"))
    bench.add(2, fresh, since)
    bench.loop.put(Release(hold))
    bench.loop.turn()
    assert b"early" not in [p.data for p in packets(bench.records())]
    bench.loop.turn()
    records = bench.records()
    assert b"early" in [p.data for p in packets(records)]
    assert late_packets(records) == []


def test_while_the_journal_is_full_packets_stay_in_the_kernel(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    sock = bench.bound(buffer=2304)
    bench.add(1, sock)
    bench.loop.turn()
    before = bench.records()
    commits: list[bool] = []
    with monkeypatch.context() as patch:
        patch.setattr(JournalWriter, "full", property(lambda _: True))
        patch.setattr(bench.journal, "commit", lambda later: commits.append(later))
        for _ in range(50):
            bench.send(sock, bytes(172))
        bench.loop.turn()
        assert bench.records() == before  # nothing read, and no tick that would cover it
        assert commits == [False]
    bench.loop._next_drops = 0
    bench.loop.turn()
    records = bench.records()
    kept = len(packets(records))
    assert 0 < kept < 50
    (drops,) = controls(records, "drops")
    assert drops.facts["drops"] == {"1": 50 - kept}
    assert bench.loop.drops == 50 - kept
    assert late_packets(records) == []
    bench.remove(1)
    bench.loop.turn()
    (end,) = controls(bench.records(), "end")
    assert end.facts["drops"] == {"1": 50 - kept}
    assert bench.loop.drops == 50 - kept  # of closed streams too


def test_while_a_write_takes_its_time_packets_stay_in_the_kernel_but_not_for_ever(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There no kill can lose them; they are read before the kernel's buffers are full."""
    sock = bench.bound()
    bench.add(1, sock)
    bench.loop.turn()
    bench.loop._later = True
    bench.send(sock, b"patient")
    monkeypatch.setattr(JournalWriter, "stuck_ns", media_loop.PATIENCE_NS - 1)
    assert not bench.loop.turn()
    assert bench.loop.packets == 0
    monkeypatch.setattr(JournalWriter, "stuck_ns", media_loop.PATIENCE_NS)
    assert bench.loop.turn()
    assert bench.loop.packets == 1
    bench.journal.commit()
    records = bench.records()
    assert [p.data for p in packets(records)] == [b"patient"]
    assert late_packets(records) == []


def test_what_a_call_leaves_behind_while_the_journal_is_full_is_counted(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    sock = bench.bound()
    bench.add(1, sock)
    bench.loop.turn()
    for _ in range(3):
        bench.send(sock, b"unkept")
    bench.remove(1)
    with monkeypatch.context() as patch:
        patch.setattr(JournalWriter, "full", property(lambda _: True))
        bench.loop.turn()
    records = bench.records()
    assert packets(records) == []
    assert events(records)[-1] == {"type": "loss", "stream": 1, "layer": "journal", "count": 3}
    assert controls(records)[-1].facts["type"] == "end"
    assert bench.loop.lost == 3


def test_drops_are_said_once_a_second_and_when_they_change(bench: Bench) -> None:
    sock = bench.bound(buffer=2304)
    bench.add(1, sock)
    for _ in range(50):
        bench.send(sock, bytes(172))
    bench.loop.turn()
    assert len(controls(bench.records(), "drops")) == 1
    for _ in range(50):
        bench.send(sock, bytes(172))
    bench.loop.turn()
    bench.loop._next_drops = 0
    bench.loop.turn()
    bench.loop._next_drops = 0
    bench.loop.turn()
    assert len(controls(bench.records(), "drops")) == 2


def test_a_stream_of_forged_sources_does_not_fill_the_record(bench: Bench) -> None:
    sock = bench.bound()
    bench.add(1, sock)
    senders = [bench.bound() for _ in range(2)]
    for _ in range(MAX_SOURCES):
        for sender in senders:
            sender.sendto(b"x", sock.getsockname())
    bench.loop.turn()
    found = events(bench.records())
    assert len([e for e in found if e["type"] == "source"]) == MAX_SOURCES
    assert [e["text"] for e in found if e["type"] == "oddity"] == [
        f"stream 1: after {MAX_SOURCES} sources no more are noted"
    ]
    assert len(packets(bench.records())) == 2 * MAX_SOURCES


def test_a_socket_that_cannot_be_read_costs_its_stream_only(bench: Bench) -> None:
    bad, good = bench.bound(), bench.bound()
    bad.close()
    bench.add(1, bad)
    bench.add(2, good)
    bench.send(good, b"heard")
    bench.loop.turn()
    assert [p.data for p in packets(bench.records())] == [b"heard"]
    oddity = events(bench.records())[0]
    assert oddity["type"] == "oddity"
    assert "cannot be received" in oddity["text"]
    done = bench.remove(1, 2)
    bench.loop.turn()
    assert done == [True]
    assert len(controls(bench.records(), "end")) == 1


def test_the_thread_sweeps_until_it_is_stopped_and_finishes_its_work(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_loop, "SWEEP_NS", NS // 100)
    sock = bench.bound()
    bench.add(1, sock)
    bench.loop.start()
    for n in range(100):
        bench.send(sock, n.to_bytes(2, "big"))
    done = bench.remove(1)
    bench.loop.stop()
    bench.loop.join()
    records = bench.records()
    assert [int.from_bytes(p.data, "big") for p in packets(records)] == list(range(100))
    assert done == [True]
    assert bench.loop.ended.is_set()
    assert late_packets(records) == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_says_so(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(bench.loop, "turn", broken)
    bench.loop.start()
    bench.loop.join()
    assert bench.loop.ended.is_set()


def read_early(*rows: tuple[int, bytes], address: bytes = b"") -> Sweep:
    sweep = sweep_of({})
    for descriptor, packet in rows:
        one = sweep_of({descriptor: [packet]})
        sweep = replace(
            sweep,
            stream=np.concatenate([sweep.stream, one.stream]),
            arrival=np.concatenate([sweep.arrival, one.arrival]),
            length=np.concatenate([sweep.length, one.length]),
            data=np.concatenate([sweep.data, one.data]),
        )
    return replace(sweep, sources=[(0, rows[0][0], address)] if address else [])


def test_what_was_read_early_stands_first_under_its_handle(bench: Bench) -> None:
    one, two, ends = bench.bound(), bench.bound(), bench.bound()
    bench.send(one, b"later")
    bench.send(ends, b"last")
    address = (
        socket.AF_INET.to_bytes(2, sys.byteorder) + b"\x12\x34" + socket.inet_aton("192.0.2.9") + bytes(8)
    )
    bench.add(7, one)
    bench.add(8, ends)
    bench.remove(8)
    bench.add(9, two)
    bench.loop.read_early(
        [
            read_early((two.fileno(), b"a"), (99_999, b"nobody's"), (one.fileno(), b"b"), address=address),
            read_early((ends.fileno(), b"c"), (one.fileno(), b"d")),
        ]
    )
    bench.loop.turn()
    records = bench.records()
    found = packets(records)
    assert [(p.handle, p.data) for p in found] == [
        (9, b"a"),
        (7, b"b"),
        (8, b"c"),
        (7, b"d"),
        (8, b"last"),
        (7, b"later"),
    ]
    (end,) = controls(records, "end")
    assert [p.data for p in found if p.order > records.index(end)] == [b"later"]
    assert {e["address"] for e in events(records)} == {"192.0.2.9", HOST}
    assert bench.loop.packets == 6
    bench.loop.turn()
    assert len(packets(bench.records())) == 6, "once"


def test_what_is_off_is_not_kept_because_it_was_read_early(bench: Bench) -> None:
    one, two = bench.bound(), bench.bound()
    muted = Muted((1,), "1", {"type": "off", "stream": 1})
    bench.loop.put(Mute(True, (muted,)))
    bench.add(1, one)
    bench.add(2, two)
    bench.loop.put(Mute(True, (Muted((2,), "1", {"type": "off", "stream": 2}),)))
    bench.loop.read_early([read_early((one.fileno(), b"off"), (two.fileno(), b"on"))])
    bench.loop.turn()
    assert [p.data for p in packets(bench.records())] == [b"on"], "the second was switched off later"
