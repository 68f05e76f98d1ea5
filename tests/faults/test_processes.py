"""Processes killed at chance moments, and peers that mean harm, while calls are recorded."""

from __future__ import annotations

import json
import secrets
import shutil
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from tests.faults.hostile import invite_storm, media_ports, rtp_storm, sip_storm, tcp_storm
from tests.faults.rig import long_form, rig
from tests.running import wait

from memcon.capture.media_loop import MAX_SOURCES
from memcon.capture.sockets import QUARANTINE_NS
from memcon.clock import NS

if TYPE_CHECKING:
    from pathlib import Path


@long_form
def test_seal_and_office_killed_again_and_again_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rig(tmp_path, monkeypatch) as recorder:
        recorder.serve()
        recorder.call(8, count=5)
        for role in ("seal", "office", "seal", "office", "seal"):
            time.sleep(secrets.randbelow(1000) / 1000)
            recorder.kill(role)
        received, dropped, declared = recorder.check()
        assert (received, dropped, declared) == (5 * 2 * 50 * 8, 0, 0)


@long_form
def test_storms_beside_a_call_harm_no_packet_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with rig(tmp_path, monkeypatch) as recorder:
        recorder.serve()
        host, _, port = recorder.target.removeprefix("udp://").rpartition(":")
        recorder.call(6, count=2)
        time.sleep(1)
        ports = list(media_ports(recorder))
        assert len(ports) == 4
        stop = threading.Event()
        rtp: list[dict[int, int]] = []
        storms = [
            threading.Thread(target=partial(sip_storm, (host, int(port)), stop)),
            threading.Thread(target=partial(tcp_storm, (host, int(port)), stop)),
            threading.Thread(target=lambda: rtp.append(rtp_storm(ports, stop))),
        ]
        for storm in storms:
            storm.start()
        time.sleep(3)
        recorder.call(1)  # and one more is answered in the middle of it
        time.sleep(1)
        stop.set()
        for storm in storms:
            storm.join()
        assert recorder.status("capture")["defects"] == 0
        received, _, _ = recorder.check(strange=sum(rtp[0].values()))
        assert received > 2 * 50 * 13
        for number in recorder.numbers():
            record: Any = recorder.archive().record(number)
            sources = [e["facts"] for e in record["events"] if e["facts"]["type"] == "source"]
            assert len([f for f in sources if f["stream"] == 0]) <= MAX_SOURCES


@long_form
def test_a_flood_of_calls_that_nobody_acknowledges_harms_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are recorded up to a bound; whoever acknowledges is served beside them, and loses nothing."""
    with rig(tmp_path, monkeypatch) as recorder:
        recorder.serve()
        host, _, port = recorder.target.removeprefix("udp://").rpartition(":")
        recorder.call(8, count=3)
        time.sleep(1)
        stop, found = threading.Event(), list[dict[int, int]]()
        storm = threading.Thread(target=lambda: found.append(invite_storm((host, int(port)), stop)))
        storm.start()
        wait(lambda: recorder.said("call refused"))
        recorder.call(2, count=3)  # answered in the middle of it
        recorder.calls_over()
        stop.set()
        storm.join()
        assert found[0][200] == 50  # a quarter of the ports
        assert found[0][503] > 0
        assert set(found[0]) == {200, 503}
        wait(lambda: recorder.status("capture")["calls"] == 0)  # 64*T1 later they are over
        recorder.kept(found[0][200] + 6)
        received, dropped, declared = recorder.check()
        assert (received, dropped, declared) == (3 * 2 * 50 * (8 + 2), 0, 0)


@long_form
def test_a_reboot_that_takes_the_keys_declares_and_recovers_what_was_going_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The embedded custodian gives the keys back; without it calls are held until `memcon unlock`."""
    with rig(tmp_path, monkeypatch) as recorder:
        recorder.serve()
        recorder.call(6, count=3)
        time.sleep(3)
        recorder.kill_all()
        shutil.rmtree(tmp_path / "run")
        away = tmp_path / "away.key"
        recorder.home.local_custodian.rename(away)
        recorder.serve()
        wait(lambda: recorder.said("calls wait for a custodian"), 30)
        assert sorted(recorder.status("seal")["locked"]) == [1, 2, 3]
        status = json.loads(recorder.memcon("status", "--json").stdout)
        assert "wait for a custodian" in status["alarms"][0]
        told = json.loads(recorder.memcon("unlock", "--key", str(away), "--json").stdout)
        assert (len(told["journals"]), told["calls"], told["locked"]) == (1, [1, 2, 3], [])
        away.rename(recorder.home.local_custodian)
        recorder.kept(3)
        recorder.stop()
        wrong = recorder.findings()
        assert not wrong, "\n".join(wrong)
        for number in (1, 2, 3):
            record: Any = recorder.archive().record(number)
            assert record["cause"] == 6
            assert sum(s["received"] for s in record["totals"] if s["kind"] == 1) >= 2 * 50 * 2
            assert recorder.archive().verify_call(number).ok


@long_form
@pytest.mark.parametrize("what", ["ports", "descriptors"])
def test_calls_beyond_what_the_machine_has_are_refused_and_the_others_unharmed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    with rig(tmp_path, monkeypatch) as recorder:
        if what == "ports":
            text = recorder.home.config.read_text()
            first = int(text.split('ports = "')[1].split("-")[0])
            recorder.home.config.write_text(text.replace(f"-{first + 399}", f"-{first + 15}"))
        else:
            recorder.prefix = ["prlimit", "--nofile=100:100"]
        recorder.serve()
        recorder.call(6, count=30)
        reports = recorder.calls_over(refused=503)
        assert 2 <= len(reports) < 30
        assert recorder.said("call refused")
        time.sleep(QUARANTINE_NS / NS + 1)
        recorder.call(1)  # what they held is free again
        recorder.reports = [recorder.reports[-1], *recorder.placed(reports)]
        received, dropped, declared = recorder.check()
        assert (received, dropped, declared) == (2 * 50 * (6 * len(reports) + 1), 0, 0)
