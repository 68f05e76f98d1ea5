"""When a worker is taken for hung, and when not."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from memcon.clock import NS, ManualClock
from memcon.service import watchdog
from memcon.service.watchdog import Watchdog, thread_states

if TYPE_CHECKING:
    from pathlib import Path


def test_a_stopped_process_hangs_after_a_second() -> None:
    process = subprocess.Popen(["sleep", "60"])
    clock = ManualClock()
    dog = Watchdog("seal", process.pid, clock)
    try:
        assert dog.hangs(0) == ""
        process.send_signal(signal.SIGSTOP)
        while thread_states(process.pid) != "T":
            time.sleep(0.005)
        assert dog.hangs(0) == ""
        clock.advance(NS // 2)
        assert dog.hangs(0) == ""
        process.send_signal(signal.SIGCONT)
        while thread_states(process.pid) == "T":
            time.sleep(0.005)
        clock.advance(NS)
        assert dog.hangs(0) == ""  # it went on: counted anew
        process.send_signal(signal.SIGSTOP)
        while thread_states(process.pid) != "T":
            time.sleep(0.005)
        dog.hangs(0)
        clock.advance(NS)
        assert dog.hangs(0) == "it has been stopped"
    finally:
        process.kill()
        process.wait()
    assert thread_states(process.pid) == ""
    assert dog.hangs(0) == ""


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(watchdog, "PROC", tmp_path)
    return tmp_path


def threads(proc: Path, *states: str) -> None:
    for n, state in enumerate(states):
        task = proc / "7" / "task" / str(n)
        task.mkdir(parents=True, exist_ok=True)
        (task / "stat").write_text(f"{n} (a name) with) paren) {state} 1 2 3")


def test_silence_is_a_hang_unless_a_thread_waits_for_a_disk(proc: Path) -> None:
    clock = ManualClock()
    began = clock.monotonic_ns()
    dog = Watchdog("capture", 7, clock)
    threads(proc, "S", "S")
    clock.advance(20 * NS)
    assert dog.hangs(began) == ""
    clock.advance(NS)
    assert dog.hangs(began) == "no sign of life for 21 s"
    assert dog.hangs(began + 5 * NS) == ""
    threads(proc, "S", "D")
    assert dog.hangs(began) == ""
    threads(proc, "S", "")
    assert dog.hangs(began) == "no sign of life for 21 s"
    assert Watchdog("witness", 7, clock).hangs(began) == ""


def test_our_own_threads_are_seen() -> None:
    assert set(thread_states(os.getpid())) <= set("RSD")
