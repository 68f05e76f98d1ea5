"""Each command, as a person types it, on a home with one call."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result
from tests.running import copy, new_home, quiet_port, recorded, wait

from memcon.cli.common import call_number, clock_text, default_home
from memcon.cli.main import COMMANDS, main
from memcon.errors import UsageError
from memcon.seal.keys import load_keys
from memcon.store.paths import Home

MEMCON = str(Path(sys.executable).with_name("memcon"))


def run(*words: str, home: Home | None = None, input: str | None = None) -> Result:  # click's name
    where = [] if words[0] in ("demo", "selftest") else ["--home", str((home or recorded().home).root)]
    return CliRunner().invoke(main, [*words, *where], input=input)


def said(result: Result) -> Any:
    assert result.exit_code in (0, 1, 3), result.output
    return json.loads(result.stdout)


def test_help_names_every_command() -> None:
    text = CliRunner().invoke(main, ["--help"]).output
    assert all(name in text for name in COMMANDS)
    assert CliRunner().invoke(main, ["nonsense"]).exit_code == 2
    assert "0.1.0" in CliRunner().invoke(main, ["--version"]).output


def test_init_says_the_key_and_what_next(tmp_path: Path) -> None:
    home = Home(tmp_path / "a")
    done = run("init", "--origin", "a.example/x", home=home)
    assert done.exit_code == 0, done.output
    assert "a.example/x+" in done.output
    assert "custody/local.key" in done.output
    again = run("init", home=home)
    assert (again.exit_code, "already" in again.output) == (2, True)
    made = said(run("init", "--json", "--period", "1", home=Home(tmp_path / "b")))
    assert made["period"] == 1
    assert len(made["keys"]) == 2


def test_calls_and_show() -> None:
    listed = said(run("calls", "--json"))
    assert listed["total"] == 1
    one = listed["calls"][0]
    assert (one["number"], one["state"], one["parties"]) == (
        1,
        "recorded",
        ["Ingrid Solheim", "Tomas Keller"],
    )
    assert "Ingrid Solheim" in run("calls").output
    assert "No call fits." in run("calls", "nobody").output
    shown = said(run("show", one["call"], "--json"))
    assert shown["cause"] == "BYE"
    assert {e["facts"]["type"] for e in shown["events"]} >= {
        "sip",
        "metadata",
        "source",
        "pause",
        "unpause",
        "end",
    }
    text = run("show", "1").output
    assert "0 lost" in text
    assert "ended by sender: BYE" in text
    assert run("show", "7").exit_code == 2
    assert run("show", "seven").exit_code == 2


def test_a_new_home_has_no_calls(tmp_path: Path) -> None:
    new_home(tmp_path / "h")
    assert "No calls yet." in run("calls", home=Home(tmp_path / "h")).output
    missing = run("calls", home=Home(tmp_path / "none"))
    assert (missing.exit_code, "memcon init" in missing.output) == (2, True)


def test_export_never_replaces_unasked(tmp_path: Path) -> None:
    made = said(run("export", "1", "--format", "flac", "--to", str(tmp_path), "--json"))
    assert made["path"].endswith("call-1.flac")
    assert made["bytes"] == (tmp_path / "call-1.flac").stat().st_size
    again = run("export", "1", "--format", "flac", "--to", str(tmp_path))
    assert (again.exit_code, "--force" in again.output) == (2, True)
    assert "Wrote" in run("export", "1", "--format", "flac", "--to", str(tmp_path), "--force").output
    assert run("export", "1", "--to", "/proc/no/such").exit_code == 2
    assert run("export", "9").exit_code == 2


def test_verify_says_what_was_checked_by_its_exit_code(tmp_path: Path) -> None:
    bundle = tmp_path / "b.zip"
    assert run("export", "1", "--format", "bundle", "--to", str(bundle)).exit_code == 0
    key = str(load_keys(recorded().home.keys).vkeys(recorded().config.origin)[0])
    assert run("verify", str(bundle), "--key", key).exit_code == 0
    assert run("verify", str(bundle)).exit_code == 3
    whole = run("verify", "--json")
    assert whole.exit_code == 0
    assert [report["kind"] for report in json.loads(whole.stdout)] == ["slots", "vault"]
    data = bytearray(bundle.read_bytes())
    data[data.index(b"mcblock\x01") + 300] ^= 1
    bundle.write_bytes(data)
    found = run("verify", str(bundle), "--key", key, "--json")
    assert found.exit_code == 1
    assert 0 in [finding.get("second") for finding in json.loads(found.stdout)["findings"]]
    assert run("verify", str(tmp_path / "none")).exit_code == 2
    assert run("verify", str(bundle), "--key", "no key").exit_code == 2
    assert run("verify", "--audio", str(tmp_path)).exit_code == 2


def test_rebuild(tmp_path: Path) -> None:
    home, _ = copy(tmp_path / "h")
    home.catalogue.unlink()
    assert "Indexed 1 calls" in run("rebuild", home=home).output
    assert said(run("rebuild", "--json", home=home))["calls"] == 1
    home.local_custodian.unlink()
    assert "could not be opened" in run("rebuild", home=home).output
    assert "sealed, not opened here" in run("calls", home=home).output


def test_status_of_a_stopped_recorder_is_not_recording(tmp_path: Path) -> None:
    new_home(tmp_path / "h")
    done = run("status", home=Home(tmp_path / "h"))
    assert (done.exit_code, "Not recording." in done.output) == (1, True)
    status = run("status", "--json", home=Home(tmp_path / "h"))
    assert json.loads(status.stdout)["log_size"] == 1


def test_status_says_what_somebody_has_to_do_something_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMCON_RUN", str(tmp_path / "run"))
    new_home(tmp_path / "h")
    home = Home(tmp_path / "h")
    home.run.mkdir(exist_ok=True)
    home.status("capture").write_text('{"trouble": "no space left", "journal_full": true}')
    home.status("seal").write_text('{"locked": [3, 5], "trouble": null}')
    home.status("office").write_text('{"troubles": ["vault: read-only"]}')
    assert said(run("status", "--json", home=home))["alarms"] == [
        "capture: no space left",
        "office: vault: read-only",
        "capture: the journal takes no more audio: what is lost of it is counted and declared",
        "seal: 2 calls wait for a custodian since a reboot (3, 5): memcon unlock",
    ]
    assert "Alarm: capture: no space left" in run("status", home=home).output


def test_unlock_gives_keys_back_and_names_what_stays_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMCON_RUN", str(tmp_path / "run"))
    new_home(tmp_path / "h")
    home = Home(tmp_path / "h")
    home.journal.mkdir()
    home.journal_wraps(bytes(16)).write_text("[]")
    assert said(run("unlock", "--json", home=home)) == {
        "journals": [],
        "calls": [],
        "locked": [f"journal {'00' * 16}"],
    }
    assert "needs another custodian" in run("unlock", home=home).output
    assert home.unlocked.exists()
    home.local_custodian.unlink()
    assert run("unlock", home=home).exit_code == 2


def test_users_come_and_go(tmp_path: Path) -> None:
    home, _ = copy(tmp_path / "h")
    assert "Nobody yet." in run("user", "list", home=home).output
    assert said(run("user", "add", "ruiz", "--role", "operator", "--json", home=home)) == {
        "name": "ruiz",
        "role": "operator",
    }
    assert (
        "Added mara"
        in run("user", "add", "mara", "--password", home=home, input="long enough 1\n" * 2).output
    )
    assert "ruiz  operator" in run("user", "list", home=home).output
    assert len(said(run("user", "list", "--json", home=home))) == 2
    assert "/login/" in run("user", "link", "ruiz", home=home).output
    assert said(run("user", "link", "ruiz", "--json", home=home))["url"].startswith("http://127.0.0.1:")
    assert run("user", "password", "ruiz", home=home, input="long enough 2\n" * 2).exit_code == 0
    assert run("user", "remove", "ruiz", home=home).exit_code == 0
    assert run("user", "link", "ruiz", home=home).exit_code == 2


def test_selftest_works_here() -> None:
    assert said(CliRunner().invoke(main, ["selftest", "--json"]))["ok"] is True
    assert "works  custody" in CliRunner().invoke(main, ["selftest"]).output
    assert CliRunner().invoke(main, ["selftest", "--quiet"]).output == ""


def test_selftest_names_what_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    from memcon.cli import selftest

    def broken() -> str:
        raise ImportError("no such library")

    monkeypatch.setattr(selftest, "CHECKS", (("codecs", broken),))
    done = CliRunner().invoke(main, ["selftest", "--quiet"])
    assert (done.exit_code, "FAILS  codecs: ImportError: no such library" in done.output) == (1, True)


def test_names_and_lengths() -> None:
    assert [call_number(text) for text in ("7", "2026-11-24/0007")] == [7, 7]
    for text in ("", "x", "0", "2026-11-24/"):
        with pytest.raises(UsageError):
            call_number(text)
    assert [clock_text(n * 10**9) for n in (5, 65, 3725)] == ["0:05", "1:05", "1:02:05"]
    assert default_home().name in ("memcon", Path(os.environ.get("MEMCON_HOME", "memcon")).name)


@pytest.mark.usefixtures("traced_processes")
def test_serve_records_until_told_to_stop(tmp_path: Path) -> None:
    port = quiet_port()
    new_home(tmp_path / "h", f'[metrics]\nlisten = "127.0.0.1:{port}"\n')
    environment = os.environ | {"MEMCON_RUN": str(tmp_path / "run")}
    out = tmp_path / "out"
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(tmp_path / "notify"))
    manager.settimeout(60)
    told = environment | {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "600000000"}
    with out.open("w") as output:
        process = subprocess.Popen(
            [MEMCON, "serve", "--home", str(tmp_path / "h"), "--reason", "enough"],
            stdout=output, stderr=subprocess.STDOUT, env=told, text=True,
        )  # fmt: skip
    try:
        wait(lambda: "Recording." in out.read_text())
        assert [manager.recv(100).partition(b"\n")[0] for _ in range(2)] == [b"READY=1", b"WATCHDOG=1"]
        wait(lambda: httpx.get(f"http://127.0.0.1:{port}/healthz").json()["status"] == "ok")
        figures = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        assert 'memcon_up{process="capture"} 1.0' in figures
        wait(
            lambda: "memcon_beat_lateness_seconds_count" in httpx.get(f"http://127.0.0.1:{port}/metrics").text
        )
        status = subprocess.run(
            [MEMCON, "status", "--json", "--home", str(tmp_path / "h")],
            capture_output=True, env=environment, check=False, text=True,
        )  # fmt: skip
        assert json.loads(status.stdout)["recording"] is True
        second = subprocess.run(
            [MEMCON, "serve", "--home", str(tmp_path / "h")],
            capture_output=True, env=environment, check=False,
        )  # fmt: skip
        assert (second.returncode, b"already serves" in second.stderr) == (2, True)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    with manager:
        assert manager.recv(100).startswith(b"STOPPING=1")
    assert "Stopped: the last beat says" in out.read_text()


@pytest.mark.usefixtures("traced_processes")
def test_the_demonstration_shows_what_it_promises(tmp_path: Path) -> None:
    done = subprocess.run(
        [MEMCON, "demo", "--once", "--home", str(tmp_path / "d")],
        capture_output=True, check=False, text=True, timeout=150,
        env=os.environ | {"MEMCON_RUN": str(tmp_path / "run")},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    text = done.stdout
    assert "on hold: sealed as an event" in text
    assert re.search(r"(\d+) of \1 seconds match the seals in the log whose key you gave", text)
    assert "1190 packets" in text
    assert "found: second 7: " in text
    assert re.search(r"Declared off.*J\. Ruiz, duty officer", text)
    assert re.search(r"Silent for \d+ s", text)
    assert "leaves says off, and by whom" in text
