"""The office starts the listening process where it can work, again when it ends, and ends it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.running import new_home

from memcon.clock import ManualClock
from memcon.service import listening_child
from memcon.service.listening_child import AGAIN_NS, ListeningChild
from memcon.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What would be started; a process that sleeps stands in for it."""
    seen: list[list[str]] = []
    popen = subprocess.Popen

    def start(command: list[str], **how: object) -> object:
        seen.append(command)
        return popen([sys.executable, "-c", "import time; time.sleep(60)"])

    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.setattr(listening_child, "installed", lambda: True)
    return seen


def test_it_is_started_again_and_ended(tmp_path: Path, started: list[list[str]]) -> None:
    config, clock = new_home(tmp_path / "home"), ManualClock()
    home = Home(tmp_path / "home")
    home.run.mkdir(parents=True, exist_ok=True)
    child = ListeningChild(home, config, clock)
    child.watch()
    child.watch()
    assert len(started) == 1
    assert started[0][1:3] == ["-m", "memcon.service.listening"]
    assert child._process is not None
    child._process.kill()
    child._process.wait()
    child.watch()
    assert len(started) == 1  # not at once
    clock.advance(AGAIN_NS)
    child.watch()
    assert len(started) == 2
    child.end()
    assert child._process.poll() is not None
    child.end()
    child.watch()
    assert len(started) == 2


def test_it_is_not_started_where_it_is_not_wanted_or_cannot_be(
    tmp_path: Path, started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, clock = new_home(tmp_path / "home"), ManualClock()
    home = Home(tmp_path / "home")
    ListeningChild(home, replace(config, speech=replace(config.speech, live=False)), clock).watch()
    ListeningChild(home, replace(config, sip_listen=()), clock).watch()
    monkeypatch.setattr(listening_child, "installed", lambda: False)
    ListeningChild(home, config, clock).watch()
    assert started == []
