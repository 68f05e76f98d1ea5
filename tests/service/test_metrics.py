"""What Prometheus and a load balancer read, judged by Prometheus's own parser."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient
from tests.running import new_home, quiet_port

from memcon.clock import BOUNDS_S, ManualClock
from memcon.errors import MachineError
from memcon.service.config import parse
from memcon.service.metrics import Metrics, app, serve_metrics, softnet_dropped
from memcon.store.paths import RUN_VARIABLE, Home

if TYPE_CHECKING:
    from pathlib import Path

CLOCK = ManualClock()
CAPTURE: dict[str, Any] = {
    "calls": 3, "streams": 12, "calls_started": 9, "packets": 5000, "octets": 860000, "journal_full": False,
    "journal_lag_s": 0.25, "losses": {"journal": 7, "sockets_broken": 1, "truncated": 0},
    "journal_syncs": {"counts": [0, 2, *[0] * (len(BOUNDS_S) - 1)], "total_s": 0.004},
}  # fmt: skip
SEAL: dict[str, Any] = {
    "index": 41, "state": 1, "locked": [4, 6], "trouble": None,
    "figures": {
        "calls_ended": 6,
        "packets": {"received": 4900, "socket": 11, "sequence": 5, "duplicates": 2, "reordered": 1},
        "beats_late": {"counts": [1], "total_s": 1.0},
    },
}  # fmt: skip


@pytest.fixture
def metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Metrics:
    monkeypatch.setenv(RUN_VARIABLE, str(tmp_path / "run"))
    config = new_home(tmp_path / "home")
    home = Home(tmp_path / "home")
    home.run.mkdir(exist_ok=True)
    for role, said in (("capture", CAPTURE), ("seal", SEAL), ("office", {"kept": 6})):
        home.status(role).write_text(json.dumps({"wall": CLOCK.wall_ns(), **said}))
    return Metrics(home, config, CLOCK)


def samples(text: str) -> dict[tuple[str, str], float]:
    """By name and last label."""
    return {
        (s.name, next(reversed(s.labels.values()), "")): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }


def test_metrics_are_what_the_processes_said(metrics: Metrics) -> None:
    answer = TestClient(app(metrics)).get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = samples(answer.text)
    expected = {
        ("memcon_calls", ""): 3, ("memcon_calls_started_total", ""): 9, ("memcon_bytes_total", ""): 860000,
        ("memcon_journal_lag_seconds", ""): 0.25, ("memcon_log_newest_leaf", ""): 41,
        ("memcon_calls_held", ""): 2, ("memcon_alarms", ""): 1, ("memcon_up", "seal"): 1,
        ("memcon_packets_lost_total", "socket"): 11, ("memcon_packets_lost_total", "sequence"): 5,
        ("memcon_packets_lost_total", "journal"): 7,
        ("memcon_journal_sync_seconds_bucket", "0.001"): 0,
        ("memcon_journal_sync_seconds_bucket", "0.0025"): 2,
        ("memcon_journal_sync_seconds_bucket", "+Inf"): 2,
        ("memcon_journal_sync_seconds_sum", ""): 0.004, ("memcon_journal_sync_seconds_count", ""): 2,
    }  # fmt: skip
    assert {key: found[key] for key in expected} == expected
    assert found["memcon_disk_free_bytes", "home"] > 0
    # What is missing or has another shape in a process's word is left out, never invented.
    assert not [key for key in found if key[0].startswith(("memcon_beat_lateness", "memcon_witness"))]


def test_health_fails_when_a_process_is_silent(metrics: Metrics, tmp_path: Path) -> None:
    client = TestClient(app(metrics))
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    Home(tmp_path / "home").status("capture").unlink()
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (503, "failed")
    assert answer.json()["reasons"][0] == "capture: not running"


def test_it_has_a_listener_of_its_own_and_none_unless_asked(metrics: Metrics) -> None:
    port = quiet_port()
    with serve_metrics(metrics, ("127.0.0.1", port)):
        assert httpx.get(f"http://127.0.0.1:{port}/healthz").json()["status"] == "degraded"
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/healthz")
    with serve_metrics(metrics, None), socket.socket() as sock:
        assert sock.connect_ex(("127.0.0.1", port))
    with socket.create_server(("127.0.0.1", port)), pytest.raises(MachineError, match="cannot listen"):
        serve_metrics(metrics, ("127.0.0.1", port)).__enter__()


def test_the_listener_is_a_setting(tmp_path: Path) -> None:
    text = '[recorder]\norigin = "a.example"\n'
    assert parse(text, tmp_path).metrics_listen is None
    config = parse(text + '[metrics]\nlisten = "[::1]:9464"\n', tmp_path)
    assert config.metrics_listen == ("::1", 9464)


def test_softnet_counts_all_cores_and_never_guesses(tmp_path: Path) -> None:
    file = tmp_path / "softnet_stat"
    assert softnet_dropped(file) is None
    file.write_text("0000ffff 00000003 00000000\n00000001 0000000a 00000000\n")
    assert softnet_dropped(file) == 13
    file.write_text("odd\n")
    assert softnet_dropped(file) is None
