"""A journal's writer on a disk that refuses when told to, and what was said into it."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from tests.capture.kit import controls, read_journal

from memcon.errors import MachineError
from memcon.store.durable import AppendFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from memcon.capture.journal import JournalWriter
    from memcon.store.paths import Home

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


class Slow:
    """Makes AppendFile.write wait until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go, self.waiting = threading.Event(), threading.Event()
        write = AppendFile.write

        def slow_write(file: AppendFile, data: bytes) -> None:
            self.waiting.set()
            self.go.wait(60)
            write(file, data)

        monkeypatch.setattr(AppendFile, "write", slow_write)


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
