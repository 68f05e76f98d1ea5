"""Processes killed at chance moments, and peers that mean harm, while calls are recorded."""

from __future__ import annotations

import secrets
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.faults.hostile import media_ports, rtp_storm, sip_storm, tcp_storm
from tests.faults.rig import long_form, rig

from memcon.capture.media_loop import MAX_SOURCES

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


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
