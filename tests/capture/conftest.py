"""A home whose run directory is its own, and a journal's writer in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.capture.journal_rig import INSTANCE, KEY, Disk
from tests.capture.kit import Lines

from memcon.capture import journal as writing
from memcon.capture.journal import JournalWriter
from memcon.capture.log import Log
from memcon.clock import ManualClock
from memcon.store.paths import RUN_VARIABLE, Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv(RUN_VARIABLE, str(tmp_path / "run"))
    return Home(tmp_path / "home")


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
