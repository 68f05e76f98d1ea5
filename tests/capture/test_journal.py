"""The journal's writer: what is written can be read, whatever the disk does meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.capture.kit import Lines, controls, frame_heads, packets, read_journal, sweep_of

from memcon.capture import journal as writing
from memcon.capture import journal_file, journal_places
from memcon.capture.journal import JournalWriter
from memcon.capture.log import Log
from memcon.clock import NS, ManualClock, SystemClock
from memcon.errors import MachineError
from memcon.record import journal as frames
from memcon.store.durable import AppendFile
from memcon.store.journal_reader import JournalReader
from memcon.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

INSTANCE = bytes(range(16))
KEY = bytes(range(32))
STOP = b'{"by":"a test"}'


class Disk:
    """Makes AppendFile fail when told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.write: str | None = None
        self.partly = 0  # bytes that a failing write leaves behind
        self.sync: str | None = None
        self.truncate: str | None = None
        self.only: Path | None = None  # the folder that refuses, if not all do
        self.syncs: list[Path] = []
        write, sync, truncate = AppendFile.write, AppendFile.sync, AppendFile.cut

        def fake_write(file: AppendFile, data: bytes) -> None:
            if self.write and self.only in (None, file.path.parent):
                os.write(file._fd, bytes(data)[: self.partly])
                raise MachineError(self.write, cure="wait")
            write(file, data)

        def fake_sync(file: AppendFile) -> None:
            self.syncs.append(file.path)
            if self.sync:
                raise MachineError(self.sync)
            sync(file)

        def fake_truncate(file: AppendFile, size: int) -> None:
            if self.truncate:
                raise MachineError(self.truncate)
            truncate(file, size)

        monkeypatch.setattr(AppendFile, "write", fake_write)
        monkeypatch.setattr(AppendFile, "sync", fake_sync)
        monkeypatch.setattr(AppendFile, "cut", fake_truncate)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    monkeypatch.setattr(writing, "SYNC_SECONDS", 0.01)
    return Disk(monkeypatch)


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def writer(home: Home, clock: ManualClock, lines: Lines) -> Iterator[JournalWriter]:
    made = JournalWriter(home, clock, INSTANCE, KEY, Log(clock, lines))
    yield made
    made._stop.set()


@pytest.fixture
def turned(home: Home, clock: ManualClock, lines: Lines, monkeypatch: pytest.MonkeyPatch) -> JournalWriter:
    """A writer whose thread is turned by hand: `_attend`."""
    monkeypatch.setattr(writing, "SYNC_SECONDS", 60)
    made = JournalWriter(home, clock, INSTANCE, KEY, Log(clock, lines))
    made._stop.set()
    made._thread.join()
    monkeypatch.setattr(writing, "SYNC_SECONDS", 0.01)
    return made


def say(writer: JournalWriter, *numbers: int) -> None:
    for n in numbers:
        writer.control({"type": "sip", "n": n})


def said(home: Home) -> list[int]:
    return [int(c.facts["n"]) for c in controls(read_journal(home), "sip")]


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    for _ in range(int(seconds / 0.005)):
        if condition():
            return
        time.sleep(0.005)
    raise AssertionError("did not happen in time")


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
    for n in range(40):
        say(turned, n)
        turned._attend()
    turned.stop(STOP)
    files = sorted(home.journal.iterdir())
    assert len(files) > 3
    assert said(home) == list(range(40))
    heads = [frame_heads(path) for path in files]
    assert [n for each in heads for n in each] == list(range(41))  # no frame twice


def test_a_file_is_safe_before_anything_in_the_next_is(
    home: Home, turned: JournalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    monkeypatch.setattr(writing, "FILE_BYTES", 64)
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


# --- a disk that refuses ---


def test_a_full_disk_is_waited_for_and_nothing_is_lost(
    home: Home, writer: JournalWriter, disk: Disk, clock: ManualClock, lines: Lines
) -> None:
    say(writer, 1)
    disk.write, disk.partly = "no space left", 11
    say(writer, 2, 3)
    writer.tick(1, 1, 1)
    assert "no space left" in str(writer.trouble)
    assert home.journal_file(INSTANCE, 0).stat().st_size < 300  # the torn part was cut off again
    assert said(home) == [1]
    disk.write = None
    say(writer, 4)  # not yet: it is tried twice a second
    assert said(home) == [1]
    clock.advance(NS)
    say(writer, 5)
    assert said(home) == [1, 2, 3, 4, 5]
    wait_for(lambda: writer.trouble is None)
    writer.stop(STOP)
    assert len(list(home.journal.iterdir())) == 1
    assert [e["event"] for e in lines.events()] == ["journal trouble begins", "journal trouble ends"]
    assert "no space left. wait" in lines.events()[0]["why"]


def test_a_torn_frame_that_cannot_be_cut_off_ends_the_file(
    home: Home, writer: JournalWriter, disk: Disk, clock: ManualClock
) -> None:
    say(writer, 1)
    disk.write, disk.truncate, disk.partly = "input/output error", "input/output error", 20
    say(writer, 2)
    disk.write = disk.truncate = None
    clock.advance(NS)
    say(writer, 3)
    writer.stop(STOP)
    assert said(home) == [1, 2, 3]
    assert len(list(home.journal.iterdir())) == 2


def test_after_a_failed_sync_the_frames_go_again_into_a_new_file(
    home: Home, writer: JournalWriter, disk: Disk, clock: ManualClock
) -> None:
    say(writer, 1, 2)
    wait_for(lambda: writer.waiting == 0)
    safe = home.journal_file(INSTANCE, 0).stat().st_size
    disk.sync = "input/output error"
    say(writer, 3, 4)
    wait_for(lambda: writer.trouble is not None)
    wait_for(lambda: home.journal_file(INSTANCE, 0).stat().st_size == safe)
    disk.sync = None
    clock.advance(NS)
    say(writer, 5)
    wait_for(lambda: writer.trouble is None)
    assert frame_heads(home.journal_file(INSTANCE, 0)) == [0, 1]
    assert frame_heads(home.journal_file(INSTANCE, 1)) == [2, 3, 4]
    assert said(home) == [1, 2, 3, 4, 5]
    writer.stop(STOP)


def test_a_file_whose_sync_failed_is_never_synced_again(
    home: Home, writer: JournalWriter, disk: Disk, clock: ManualClock
) -> None:
    disk.sync = "input/output error"
    say(writer, 1)
    wait_for(lambda: writer.trouble is not None)
    disk.sync = None
    disk.syncs.clear()
    clock.advance(NS)
    say(writer, 2)
    wait_for(lambda: writer.trouble is None)
    assert home.journal_file(INSTANCE, 0) not in disk.syncs
    writer.stop(STOP)


def test_frames_that_could_not_be_cut_off_are_the_same_in_both_files(
    home: Home, writer: JournalWriter, disk: Disk, clock: ManualClock
) -> None:
    disk.sync = disk.truncate = "input/output error"
    say(writer, 1, 2)
    wait_for(lambda: writer.trouble is not None)
    wait_for(lambda: not writer._retired)
    disk.sync = disk.truncate = None
    clock.advance(NS)
    say(writer, 3)
    writer.stop(STOP)
    first = home.journal_file(INSTANCE, 0).read_bytes()[frames.HEADER_SIZE :]
    second = home.journal_file(INSTANCE, 1).read_bytes()[frames.HEADER_SIZE :]
    assert first
    assert second.startswith(first)  # no nonce is used for two texts
    assert said(home) == [1, 2, 3]


def test_a_failed_sync_behind_a_new_file_gives_both_up(
    home: Home, turned: JournalWriter, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    say(turned, 1)
    turned._attend()
    say(turned, 2)
    monkeypatch.setattr(writing, "FILE_BYTES", 64)
    turned._open_next()
    monkeypatch.setattr(writing, "FILE_BYTES", 1 << 20)
    say(turned, 3)
    disk.sync = "input/output error"
    turned._attend()
    disk.sync = None
    clock.advance(NS)
    turned._attend()  # cut back and closed, and a third begun
    assert said(home) == [1, 2, 3]
    assert [frame_heads(home.journal_file(INSTANCE, n)) for n in range(3)] == [[0], [], [1, 2]]
    turned._attend()
    assert turned.waiting == 0
    turned.stop(STOP)


def test_a_file_that_cannot_be_begun_leaves_nothing_of_its_name(
    home: Home, turned: JournalWriter, clock: ManualClock, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    say(turned, 1)
    monkeypatch.setattr(writing, "FILE_BYTES", 64)
    disk.write, disk.partly = "no space left", 30
    turned._attend()
    assert [path.name for path in home.journal.iterdir()] == [home.journal_file(INSTANCE, 0).name]
    assert turned.trouble is None  # the present file is as good as before
    disk.write = None
    clock.advance(NS)
    turned._attend()
    say(turned, 2)
    assert frame_heads(home.journal_file(INSTANCE, 1)) == [1]
    turned.stop(STOP)
    assert said(home) == [1, 2]
    assert lines.events() == []


def test_what_a_crash_left_under_the_hidden_name_is_overwritten(
    home: Home, clock: ManualClock, lines: Lines
) -> None:
    home.journal.mkdir(parents=True)
    (home.journal / journal_file.HIDDEN).write_bytes(b"half a header")
    writer = JournalWriter(home, clock, INSTANCE, KEY, Log(clock, lines))
    writer.stop(STOP)
    assert isinstance(read_journal(home)[-1], frames.Stop)


def test_an_instance_begins_while_the_disk_refuses_and_nothing_is_lost(
    home: Home, clock: ManualClock, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    disk.write = "no space left"
    monkeypatch.setattr(writing, "SYNC_SECONDS", 60)
    writer = JournalWriter(home, clock, INSTANCE, KEY, Log(clock, lines))
    assert "no space left" in str(writer.trouble)
    say(writer, 1, 2)
    disk.write = None
    clock.advance(NS)
    monkeypatch.setattr(writing, "SYNC_SECONDS", 0.01)
    writer.stop(STOP)
    assert said(home) == [1, 2]


def test_slots_of_trouble_are_told_by_host_records(
    home: Home, writer: JournalWriter, disk: Disk, clock: ManualClock
) -> None:
    disk.write = "no space left"
    say(writer, 1)
    disk.write = None
    clock.advance(NS)
    say(writer, 2)
    wait_for(lambda: writer.trouble is None)
    writer.stop(STOP)
    assert [c.facts["trouble"] for c in controls(read_journal(home), "host")] == ["no space left", ""]


# --- a fallback directory ---


@pytest.fixture
def two(tmp_path: Path, home: Home) -> Home:
    return Home(home.root, journal_fallback=tmp_path / "spare")


def both(home: Home) -> list[int]:
    """What was said, over both folders, read as sealing reads it."""
    reader = JournalReader(home)
    reader.scan()
    found: list[int] = []
    while frame := reader.read():
        records = frames.decode_records(frame.plaintext)
        found += [int(c.facts["n"]) for c in controls(list(records), "sip")]
    assert reader.findings == []
    reader.close()
    return found


def test_the_journal_goes_to_the_fallback_and_comes_home(
    two: Home, clock: ManualClock, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "SYNC_SECONDS", 60)
    disk = Disk(monkeypatch)
    disk.only = two.journal
    writer = JournalWriter(two, clock, INSTANCE, KEY, Log(clock, lines))
    writer._stop.set()
    writer._thread.join()
    say(writer, 1)
    disk.write, disk.partly = "no space left", 9
    say(writer, 2)
    writer._attend()
    say(writer, 3)
    assert frame_heads(two.journal_file(INSTANCE, 1, two.journal_fallback)) == [1, 2]
    writer._attend()
    assert writer.waiting == 0
    assert "goes to" in str(writer.trouble)
    clock.advance(5 * NS)
    writer._attend()
    assert not two.journal_file(INSTANCE, 2).exists()  # not so soon
    disk.write = None
    monkeypatch.setattr(journal_places, "room", lambda _: 0)
    clock.advance(20 * NS)
    writer._attend()
    assert not two.journal_file(INSTANCE, 2).exists()  # no room there yet
    monkeypatch.setattr(journal_places, "room", lambda _: 1 << 30)
    writer._attend()
    say(writer, 4)
    writer._attend()
    assert writer.trouble is None
    assert two.journal_file(INSTANCE, 2).exists()
    writer.stop(STOP)
    assert both(two) == [1, 2, 3, 4]
    names = ["journal trouble begins", "journal goes to the fallback", "journal trouble ends"]
    assert [line["event"] for line in lines.events()] == names


def test_where_both_folders_refuse_each_is_tried_again(
    two: Home, clock: ManualClock, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "SYNC_SECONDS", 60)
    disk = Disk(monkeypatch)
    writer = JournalWriter(two, clock, INSTANCE, KEY, Log(clock, lines))
    writer._stop.set()
    writer._thread.join()
    disk.write = "no space left"
    for n in range(6):
        say(writer, n)
        writer._attend()
        clock.advance(NS)
    disk.only, disk.write = two.journal, "no space left"
    writer._attend()
    clock.advance(NS)
    writer._attend()
    monkeypatch.setattr(writing, "SYNC_SECONDS", 0.01)
    writer.stop(STOP)
    assert both(two) == list(range(6))


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
