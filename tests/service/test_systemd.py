"""The unit as systemd reads it, and a real notify socket."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from memcon.clock import NS, ManualClock
from memcon.errors import UsageError
from memcon.service.config import parse
from memcon.service.systemd import Manager, unit
from memcon.store.paths import Home

TOML = '[recorder]\norigin = "a.example"\n[vault]\npath = "/srv/vault"\n'
MEMCON = Path(sys.executable)


def made(home: str, **more: str) -> dict[str, str]:
    root = Path(home)
    text = unit(Home(root), parse(TOML, root), user=more.get("user", "memcon"), memcon=MEMCON)
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and line[0] != "#")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_takes_the_unit_as_it_is(tmp_path: Path) -> None:
    root = tmp_path / "a home"
    file = tmp_path / "memcon.service"
    file.write_text(unit(Home(root), parse(TOML, root), user="root", memcon=MEMCON))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(file)], capture_output=True, text=True, check=False
    )
    assert "memcon.service" not in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_the_exposure_that_systemd_sees(tmp_path: Path) -> None:
    """By systemd 252: 1.6 of 10, *OK*. Above 2 somebody has taken a protection away."""
    file = tmp_path / "memcon.service"
    file.write_text(
        unit(
            Home(Path("/var/lib/memcon")), parse(TOML, Path("/var/lib/memcon")), user="memcon", memcon=MEMCON
        )
    )
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=20", str(file)],
        capture_output=True, text=True, check=False, env=os.environ | {"LC_ALL": "C"},
    )  # fmt: skip
    if "Overall exposure level" not in done.stdout:
        pytest.skip(f"this systemd judges no file: {done.stderr.strip()}")
    assert done.returncode == 0, done.stdout


def test_only_what_is_recorded_to_can_be_written() -> None:
    said = made("/var/lib/memcon")
    assert said["ReadWritePaths"] == "/var/lib/memcon /srv/vault /dev/shm"
    assert (said["KillMode"], said["CapabilityBoundingSet"]) == ("mixed", "")
    assert (said["User"], said["ProtectHome"]) == ("memcon", "yes")
    assert made("/home/ann/100%")["ProtectHome"] == "read-only"
    assert '"/home/ann/100%%"' in made("/home/ann/100%")["ExecStart"]


@pytest.mark.parametrize(("home", "user"), [("/var/lib/a\nUser=root", "memcon"), ("/var/lib/a", "a\nb")])
def test_nothing_can_be_added_to_the_unit(home: str, user: str) -> None:
    with pytest.raises(UsageError):
        made(home, user=user)


@pytest.mark.parametrize("abstract", [False, True])
def test_the_manager_is_told_and_workers_do_not_know_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool
) -> None:
    name = f"@memcon-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    clock = ManualClock()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(name.replace("@", "\0") if abstract else name)
        heard.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        monkeypatch.setenv("WATCHDOG_USEC", "60000000")
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
        manager = Manager(clock)
        assert "NOTIFY_SOCKET" not in os.environ
        manager.ready()
        for _ in range(3):  # 0, 19 and 38 s: the second is too early
            manager.alive()
            clock.advance(19 * NS)
        manager.stopping()
        words = [heard.recv(100).decode().splitlines()[0] for _ in range(4)]
    assert words == ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"]


def test_without_a_manager_nothing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setenv("WATCHDOG_USEC", "odd")
    Manager(ManualClock()).ready()
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    Manager(ManualClock()).stopping()
