"""The journal's writer: what is written can be read, whatever the disk does meanwhile."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.capture.journal_rig import INSTANCE, KEY, STOP, Disk, Slow, said, say, wait_for
from tests.capture.kit import Lines, frame_heads, packets, read_journal, sweep_of

from memcon.capture import journal as writing
from memcon.capture import journal_file
from memcon.capture.journal import JournalWriter
from memcon.capture.log import Log
from memcon.clock import NS, ManualClock, SystemClock
from memcon.errors import MachineError
from memcon.record import journal as frames

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.store.paths import Home


def test_every_kind_of_record_is_read_back_in_order(home: Home, writer: JournalWriter) -> None:
    writer.control({"type": "start", "pid": 1}, [b"one", b""])
    writer.media(sweep_of({7: [b"abc", b"", b"d"], 9: [bytes(1500)]}, wall=5_000, mono=70))
    writer.note({"type": "event", "key": "1"}, [b"raw"])
    writer.tick(6_000, 71, 4_999)
    writer.stop(STOP)
    start, media, event, tick, stop = read_journal(home)
    assert start == frames.Control({"type": "start", "pid": 1}, (b"one", b""))
    assert isinstance(media, frames.Media)
    assert (media.wall, media.mono, media.count) == (5_000, 70, 4)
    assert [(p.handle, p.arrival, p.data) for p in packets([media])] == [
        (7, 5_000, b"abc"), (7, 5_001, b""), (7, 5_002, b"d"), (9, 5_003, bytes(1500)),
    ]  # fmt: skip
    assert event == frames.Control({"type": "event", "key": "1"}, (b"raw",))
    assert tick == frames.Tick(6_000, 71, 4_999)
    assert stop == frames.Stop({"by": "a test"})
    assert frame_heads(home.journal_file(INSTANCE, 0)) == [0, 1, 2]  # media, note and tick are one frame


def test_a_control_record_is_with_the_kernel_at_once_and_media_before_it(
    home: Home, writer: JournalWriter
) -> None:
    writer.media(sweep_of({1: [b"x"]}))
    assert read_journal(home) == []
    say(writer, 1)
    assert [type(r) for r in read_journal(home)] == [frames.Media, frames.Control]


def test_what_is_written_together_is_one_frame_at_its_end(home: Home, writer: JournalWriter) -> None:
    with writer.together():
        say(writer, 1, 2)
        assert read_journal(home) == []
    assert [type(r) for r in read_journal(home)] == [frames.Control] * 2
    with contextlib.suppress(LookupError), writer.together():
        say(writer, 3)
        raise LookupError
    say(writer, 4)
    assert said(home) == [1, 2, 3, 4]
    assert frame_heads(home.journal_file(INSTANCE, 0)) == [0, 1, 2]


def test_the_key_is_for_the_owner_alone(home: Home, writer: JournalWriter) -> None:
    assert home.journal_key(INSTANCE).read_bytes() == KEY
    assert home.journal_key(INSTANCE).stat().st_mode & 0o777 == 0o600
    assert home.journal_file(INSTANCE, 0).stat().st_mode & 0o777 == 0o600


def test_an_empty_sweep_writes_nothing(home: Home, writer: JournalWriter) -> None:
    writer.media(sweep_of({}))
    writer.commit()
    assert read_journal(home) == []


def test_a_sweep_beyond_a_frame_is_cut_between_packets(
    home: Home, writer: JournalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "FRAME_BYTES", 1_000)
    rng = np.random.default_rng(3)
    sent = {n: [rng.bytes(int(rng.integers(0, 700))) for _ in range(20)] for n in range(5)}
    writer.media(sweep_of(sent))
    writer.tick(1, 1, 1)
    records = read_journal(home)
    got: dict[int, list[bytes]] = {}
    for packet in packets(records):
        got.setdefault(packet.handle, []).append(packet.data)
    assert got == sent
    media = [r for r in records if isinstance(r, frames.Media)]
    assert len(media) > 10
    assert all(len(m.packets) <= 1_000 for m in media)


def test_threads_write_at_once(home: Home, writer: JournalWriter) -> None:
    def speak(n: int) -> None:
        for i in range(200):
            writer.media(sweep_of({n: [i.to_bytes(4, "big")]}))
            say(writer, 1000 * n + i)

    threads = [threading.Thread(target=speak, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.stop(STOP)
    numbers = said(home)
    for n in range(4):  # each in its own order, none lost
        assert [x for x in numbers if x // 1000 == n] == [1000 * n + i for i in range(200)]
    assert len(packets(read_journal(home))) == 800


def test_a_new_file_begins_when_one_has_its_size(
    home: Home, turned: JournalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "FILE_BYTES", 500)
    monkeypatch.setattr(writing, "FILE_NS", 0)
    for n in range(40):
        say(turned, n)
        turned._attend()
    turned.stop(STOP)
    files = sorted(home.journal.iterdir())
    assert len(files) > 3
    assert said(home) == list(range(40))
    heads = [frame_heads(path) for path in files]
    assert [n for each in heads for n in each] == list(range(41))  # no frame twice


def test_who_leaves_the_writing_to_another_thread_never_waits_for_a_slow_disk(
    home: Home, writer: JournalWriter, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(writer, 1)
    wait_for(lambda: writer.waiting == 0)
    assert writer.stuck_ns == 0
    slow = Slow(monkeypatch)
    writer.tick(1, 1, 1, later=True)
    assert slow.waiting.wait(60)
    writer.media(sweep_of({7: [b"abc"]}))
    writer.tick(2, 2, 2, later=True)
    clock.advance(NS)
    assert writer.stuck_ns == NS
    assert not writer.full
    assert len(read_journal(home)) == 1
    slow.go.set()
    wait_for(lambda: writer.waiting == 0)
    assert writer.stuck_ns == 0
    assert [type(record) for record in read_journal(home)] == [
        frames.Control, frames.Tick, frames.Media, frames.Tick
    ]  # fmt: skip
    writer.stop(STOP)


def test_a_sync_that_fails_during_a_write_loses_nothing_of_either(
    home: Home, turned: JournalWriter, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    say(turned, 1)
    slow = Slow(monkeypatch)
    writing_two = threading.Thread(target=say, args=(turned, 2))
    writing_two.start()
    assert slow.waiting.wait(60)
    disk.sync = "input/output error"
    turned._sync()
    disk.sync = None
    slow.go.set()
    writing_two.join()
    assert turned.waiting > 0
    clock.advance(NS)
    turned._attend()
    turned.stop(STOP)
    assert said(home) == [1, 2]
    heads = [frame_heads(path) for path in sorted(home.journal.iterdir())]
    assert heads[0] == []  # given up, and cut to what was safe: nothing
    assert heads[1][:2] == [0, 1]


def test_no_file_follows_another_at_once_unless_it_is_much_too_large(
    home: Home, turned: JournalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file has to say of every open call what a successor needs."""
    monkeypatch.setattr(writing, "FILE_BYTES", 64)
    for n in range(40):
        say(turned, n)
        turned._attend()
    assert len(list(home.journal.glob("*-*.mcj"))) == 1
    monkeypatch.setattr(writing, "LARGEST_FILE", 64)
    say(turned, 40)
    turned._attend()
    assert len(list(home.journal.glob("*-*.mcj"))) == 2
    turned.stop(STOP)
    assert said(home) == list(range(41))


def test_a_file_is_safe_before_anything_in_the_next_is(
    home: Home, turned: JournalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    monkeypatch.setattr(writing, "FILE_BYTES", 64)
    monkeypatch.setattr(writing, "FILE_NS", 0)
    say(turned, 1)
    turned._open_next()
    say(turned, 2)  # nobody who writes has waited for the disk
    assert disk.syncs == []
    assert turned.waiting > 0
    turned._sync()
    assert disk.syncs == [home.journal_file(INSTANCE, 0), home.journal_file(INSTANCE, 1)]
    assert turned.waiting == 0
    turned.stop(STOP)
    assert said(home) == [1, 2]


def test_a_name_is_synced_before_its_frames_are_called_safe(
    home: Home, turned: JournalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise MachineError("input/output error")

    say(turned, 1)
    with monkeypatch.context() as patch:
        patch.setattr(journal_file, "fsync_dir", refuse)
        turned._attend()
        assert turned.waiting > 0
    turned.stop(STOP)
    assert said(home) == [1]
    assert turned.waiting == 0


def test_full_when_the_memory_is_used_up_and_not_when_the_disk_is_back(
    home: Home, writer: JournalWriter, disk: Disk, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MEMORY_BYTES", 10_000)
    disk.write = "no space left"
    writer.media(sweep_of({1: [bytes(1000)] * 5}))
    writer.tick(1, 1, 1)
    seen = [writer.full]
    writer.media(sweep_of({1: [bytes(1000)] * 5}))
    writer.tick(1, 1, 1)
    assert [*seen, writer.full] == [False, True]
    clock.advance(3 * NS)
    assert writer.lag_ns >= 3 * NS
    disk.write = None
    writer.commit()
    wait_for(lambda: not writer.full and writer.waiting == 0)
    assert len(packets(read_journal(home))) == 10
    writer.stop(STOP)


def test_a_stop_that_the_disk_refuses_raises_and_says_how_much_is_lost(
    home: Home, writer: JournalWriter, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "LAST_TRIES", 3)
    say(writer, 1)
    disk.write = "no space left"
    with pytest.raises(MachineError, match=r"\d+ bytes of the journal are lost: no space left. wait"):
        writer.stop(STOP)
    assert said(home) == [1]
    assert not any(isinstance(r, frames.Stop) for r in read_journal(home))


def test_a_stop_waits_for_a_disk_that_comes_back(
    home: Home, writer: JournalWriter, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.write = "no space left"
    timer = threading.Timer(0.05, lambda: setattr(disk, "write", None))
    timer.start()
    writer.stop(STOP)
    timer.join()
    assert isinstance(read_journal(home)[-1], frames.Stop)


def test_syncing_is_five_times_a_second_and_only_when_there_is_something(
    home: Home, clock: ManualClock, disk: Disk
) -> None:
    writer = JournalWriter(home, clock, INSTANCE, KEY, Log(clock, Lines()))
    wait_for(lambda: disk.syncs != [])  # the header
    disk.syncs.clear()
    time.sleep(0.1)
    assert disk.syncs == []
    say(writer, 1)
    wait_for(lambda: disk.syncs == [home.journal_file(INSTANCE, 0)])
    wait_for(lambda: writer.lag_ns == 0)
    writer.stop(STOP)


# --- a process that is killed ---

_CHILD = """
import sys
from pathlib import Path
from memcon.capture.journal import JournalWriter
from memcon.capture.log import Log
from memcon.clock import SystemClock
from memcon.store.paths import Home
clock = SystemClock()
writer = JournalWriter(Home(Path(sys.argv[1])), clock, bytes(range(16)), bytes(range(32)), Log(clock))
n = 0
while True:
    writer.control({"type": "sip", "n": n})
    sys.stdout.write(f"{n}\\n")
    sys.stdout.flush()
    n += 1
"""


def test_a_killed_writer_loses_nothing_it_had_written(home: Home) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(home.root)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    with child, child.stdout:
        last = 0
        while last < 500:
            last = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        rest = [int(line) for line in child.stdout.read().splitlines() if line.strip()]
    numbers = said(home)
    assert numbers[: max([last, *rest])] == list(range(max([last, *rest])))
    assert len(numbers) >= last


def test_the_real_disk_says_why_it_refuses(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SystemClock()
    writer = JournalWriter(home, clock, INSTANCE, KEY, Log(clock, Lines()))

    def broken(fd: int, data: memoryview) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", broken)
        say(writer, 1)
    assert "No space left on device. Free space on this file system" in str(writer.trouble)
    writer.stop(STOP)
    assert said(home) == [1]
