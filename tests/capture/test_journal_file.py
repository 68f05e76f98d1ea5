"""A journal on a disk that refuses: what is torn is cut off, what is not safe goes again into a new file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.capture.journal_rig import INSTANCE, KEY, STOP, Disk, said, say, wait_for
from tests.capture.kit import Lines, controls, frame_heads, read_journal

from memcon.capture import journal as writing
from memcon.capture import journal_file
from memcon.capture.journal import JournalWriter
from memcon.capture.log import Log
from memcon.clock import NS, ManualClock
from memcon.record import journal as frames

if TYPE_CHECKING:
    import pytest

    from memcon.store.paths import Home


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
    monkeypatch.setattr(writing, "FILE_NS", 0)
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
    monkeypatch.setattr(writing, "FILE_NS", 0)
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
