"""A disk that is full, read-only, slow or gone while calls are recorded.

The first test is the short form of this room: everything at once, on one recorder.
"""

from __future__ import annotations

import shutil
import threading
import time
from typing import TYPE_CHECKING, Any

from tests.faults.hostile import sip_storm
from tests.faults.rig import Breakable, Disk, long_form, needs_mounts, rig
from tests.running import wait

from memcon.clock import NS, SystemClock

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


@needs_mounts
def test_a_full_disk_killed_processes_and_a_storm_at_once_cost_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(tmp_path / "home", 64)
    disk.mount()
    stop = threading.Event()
    try:
        with rig(tmp_path, monkeypatch) as recorder:
            recorder.serve()
            host, _, port = recorder.target.removeprefix("udp://").rpartition(":")
            storm = threading.Thread(target=sip_storm, args=((host, int(port)), stop))
            storm.start()
            recorder.call(7, count=3)
            time.sleep(1)
            disk.fill()
            wait(lambda: recorder.status("seal").get("trouble"))
            disk.free()
            recorder.kill("seal")
            recorder.kill("office")
            wait(lambda: recorder.said("journal trouble ends"))
            stop.set()
            storm.join()
            received, dropped, declared = recorder.check()
            assert (received, dropped, declared) == (2 * 50 * 3 * 7, 0, 0)
    finally:
        stop.set()
        disk.unmount()


@long_form
@needs_mounts
def test_a_full_disk_costs_nothing_while_memory_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(tmp_path / "home", 48)
    disk.mount()
    try:
        with rig(tmp_path, monkeypatch) as recorder:
            recorder.serve()
            recorder.call(9, count=3)
            time.sleep(2)
            disk.fill()
            wait(lambda: recorder.status("capture").get("trouble"))
            wait(lambda: recorder.status("seal").get("trouble"))
            recorder.call(4)  # answered all the same
            time.sleep(1)
            disk.free()
            wait(lambda: recorder.status("capture").get("trouble") is None)
            wait(lambda: recorder.status("seal").get("trouble", "") is None)
            for event in ("journal trouble", "sealing trouble"):
                assert recorder.said(f"{event} begins") == recorder.said(f"{event} ends") == 1
            received, dropped, declared = recorder.check()
            assert (dropped, declared) == (0, 0)
            assert received == 2 * 50 * (3 * 9 + 4)
    finally:
        disk.unmount()


@long_form
@needs_mounts
def test_a_disk_that_breaks_costs_nothing_where_the_journal_has_a_fallback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Breakable(tmp_path / "home", 64)
    disk.mount()
    try:
        with rig(tmp_path, monkeypatch, f'[journal]\nfallback = "{tmp_path}/spare"\n') as recorder:
            recorder.serve()
            recorder.call(6, count=2)
            time.sleep(2)
            disk.breaks()
            wait(lambda: recorder.said("journal goes to the fallback"))
            recorder.call(3)  # begins and ends there
            recorder.calls_over()
            time.sleep(1)
            recorder.stop()
            assert "Stopped" in (tmp_path / "serve.log").read_text()
            disk.mend()
            recorder.serve()
            received, dropped, declared = recorder.check()
            assert (received, dropped, declared) == (2 * 50 * (2 * 6 + 3), 0, 0)
    finally:
        disk.unmount()


@long_form
@needs_mounts
def test_a_power_cut_costs_at_most_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unsynced writes are dropped by the file system itself, and memory with the keys is gone."""
    disk = Breakable(tmp_path / "home", 64)
    disk.mount()
    try:
        with rig(tmp_path, monkeypatch) as recorder:
            recorder.serve()
            recorder.call(20, count=3)
            time.sleep(5)
            cut = SystemClock().wall_ns()
            disk.power_cut()
            recorder.kill_all()
            shutil.rmtree(tmp_path / "run")
            time.sleep(1)
            disk.mend()
            recorder.serve()
            recorder.calls_over()
            recorder.kept(3)
            recorder.stop()
            wrong = recorder.findings()
            assert not wrong, "\n".join(wrong)
            archive = recorder.archive()
            for number in (1, 2, 3):
                record: Any = archive.record(number)
                assert archive.verify_call(number).ok
                facts = [event["facts"] for event in record["events"]]
                (gap,) = [f for f in facts if f["type"] == "takeover"]  # it went on as the same call
                assert cut - int(gap["from"]) < NS
                away = (int(gap["until"]) - int(gap["from"])) / NS
                for stream in record["totals"]:
                    if stream["kind"] == 1:
                        assert stream["expected"] - stream["received"] <= 50 * (away + 0.5)
                        assert stream["received"] > 50 * (int(record["duration"]) / NS - away - 1)
    finally:
        disk.unmount()
