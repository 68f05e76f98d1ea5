"""`memcon load` against a recorder as it is served: everything that was sent is found again, and what is not
there is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from click.testing import CliRunner, Result
from tests.faults.rig import rig
from tests.running import wait

from memcon.cli.main import main
from memcon.client.load_plan import read_sent
from memcon.clock import ManualClock, SystemClock
from memcon.service.load_check import check_load

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["load", *words])


def test_every_packet_of_a_bad_network_is_accounted_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SRTP, with losses, repetitions, reordering and jitter; then the truth is bent, which must show."""
    with rig(tmp_path, monkeypatch) as recorder:
        recorder.serve()
        home = str(recorder.home.root)
        faults = ["--loss", "0.05", "--duplicate", "0.05", "--reorder", "0.05", "--jitter", "60", "--srtp"]
        done = run(
            "--to", recorder.target, "--calls", "4", "--seconds", "2", *faults, "--home", home, "--json"
        )
        assert done.exit_code == 0, done.stdout[-2000:]
        report = json.loads(done.stdout)
        assert min(report[key] for key in ("lost", "repeated", "reordered")) > 0
        checked = report["check"]
        assert (checked["good"], checked["sent"], checked["missing"]) == (True, checked["kept"], 0)
        assert checked["sent"] > 4 * 2 * 70
        sent = tmp_path / "sent.json"
        sent.write_text(done.stdout)
        done = run("check", str(sent), "--home", home)
        assert (done.exit_code, "declared nowhere: 0" in done.stdout) == (0, True)

        report["calls"][0]["streams"][0]["packets"] += 7  # the sender says that there was more
        report["calls"][1]["call_id"] = "another"
        sent.write_text(json.dumps(report))
        calls = read_sent(sent.read_bytes())
        wait(lambda: len(recorder.archive().numbers()) == 4)
        told = check_load(recorder.archive(), calls, SystemClock(), wait_s=1)
        assert not told.good
        assert (told.undeclared, told.lost, len(told.losses)) == (7, ["another"], 3)
        assert not check_load(recorder.archive(), calls, ManualClock(), wait_s=0).losses


def test_a_command_that_cannot_be_done_says_why(tmp_path: Path) -> None:
    assert "Give --to" in run().stderr
    (tmp_path / "sent").write_text("{}")
    done = run("check", str(tmp_path / "sent"), "--home", str(tmp_path))
    assert (done.exit_code, "memcon load --json" in done.stderr) == (2, True)
