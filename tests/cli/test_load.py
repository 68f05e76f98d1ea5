from __future__ import annotations

import json

from click.testing import CliRunner, Result
from tests.running import closed_port

from memcon.cli.main import main


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["load", *words])


def test_the_command_says_what_was_wrong() -> None:
    done = run("--to", f"tcp://127.0.0.1:{closed_port()}")
    assert (done.exit_code, "memcon serve" in done.stderr) == (2, True)
    assert run("--to", "udp://127.0.0.1:9", "--loss", "1.5").exit_code == 2
    arguments = [
        "--to",
        f"udp://127.0.0.1:{closed_port()}",
        "--calls",
        "2",
        "--seconds",
        "0.1",
        "--answer-seconds",
        "1",
    ]
    done = run(*arguments)
    assert (done.exit_code, "0 of 2 calls taken" in done.stdout) == (1, True)
    done = run(*arguments, "--json", "--duplicate", "0.5", "--rate", "10")
    got = json.loads(done.stdout)
    assert (done.exit_code, [c["status"] for c in got["calls"]]) == (1, [408, 408])
    assert (got["plan"]["repeat"], got["plan"]["ramp"]) == (0.5, 10)
    assert got["answer_ms"] == {"median": None, "p99": None, "max": None}
