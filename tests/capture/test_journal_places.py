"""Where the journal goes while its own folder refuses: to the fallback, and home again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.capture.journal_rig import INSTANCE, KEY, STOP, Disk, say
from tests.capture.kit import Lines, controls, frame_heads

from memcon.capture import journal as writing
from memcon.capture import journal_places
from memcon.capture.journal import JournalWriter
from memcon.capture.log import Log
from memcon.clock import NS, ManualClock
from memcon.record import journal as frames
from memcon.store.journal_reader import JournalReader
from memcon.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path


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
