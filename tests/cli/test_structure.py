"""`memcon structure`, as operator and overseer type it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.running import recorded

from memcon.cli.main import main
from memcon.seal.keys import load_keys


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["structure", *map(str, words)])


def home() -> list[str]:
    return ["--home", str(recorded().home.root)]


def test_from_the_operator_to_the_overseer(tmp_path: Path) -> None:
    keys = json.loads(run("key", "inspector", "--to", tmp_path, "--json").stdout)
    assert "keep it" in run("key", "other", "--to", tmp_path).output
    feed, opened = tmp_path / "feed", tmp_path / "opened"
    wanted = ["export", "--for", keys["public"], "--to", feed, "--slots", "2", *home()]
    assert "Written" in run(*wanted).output
    assert "Nothing new" in run(*wanted).output
    assert json.loads(run(*wanted, "--json").stdout) == {"files": []}
    log = recorded().home.log
    trusted = [word for key in load_keys(recorded().home.keys).vkeys(recorded().config.origin)
               for word in ("--key", str(key))]  # fmt: skip
    checked = run("check", feed, "--log", log, "--overseer-key", keys["private"], *trusted)
    assert checked.exit_code == 0, checked.output
    assert "has its leaf in each slot of its life" in checked.output
    assert run("check", feed, "--log", log).exit_code == 2
    assert "Written" in run("open", feed, "--overseer-key", keys["private"], "--to", opened).output
    again = run("open", feed, "--overseer-key", keys["private"], "--to", opened, "--json")
    assert all(path.endswith(".mct") for path in json.loads(again.stdout)["files"])
    sorted(opened.iterdir())[1].unlink()
    found = run("check", opened, "--log", log, "--json")
    assert found.exit_code == 1
    assert {one["code"] for one in json.loads(found.stdout)["findings"]} == {"slots-missing"}


def test_a_stretch(tmp_path: Path) -> None:
    run("key", "inspector", "--to", tmp_path)
    wanted: list[str | Path] = [
        "export",
        "--for",
        tmp_path / "inspector.overseer.json",
        "--to",
        tmp_path / "feed",
    ]
    wanted += home()
    assert run(*wanted, "--since", "2020-01-01", "--json").exit_code == 0
    assert run(*wanted, "--until", "2020-01-01").exit_code == 2
    assert "for ever" in run(*wanted, "--follow", "--json").output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_following_until_stopped(tmp_path: Path, number: signal.Signals) -> None:
    run("key", "inspector", "--to", tmp_path)
    feed = tmp_path / "feed"
    memcon = str(Path(sys.executable).with_name("memcon"))
    command = [memcon, "structure", "export", "--follow", "--slots", "2"]
    command += ["--for", str(tmp_path / "inspector.overseer.json"), "--to", str(feed), *home()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONUNBUFFERED": "1"}) as one:
        assert one.stdout is not None
        said = one.stdout.readline()
        one.send_signal(number)
        one.communicate(timeout=30)
    assert one.returncode == 0
    assert said.startswith(b"Written")
    assert list(feed.glob("*.mctx"))
