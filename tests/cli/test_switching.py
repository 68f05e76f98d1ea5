"""Off, on and an explanation, as a person says them, on a recorder with real workers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from tests.running import ORIGIN, copy, new_home, wait

from memcon.cli.main import main
from memcon.cli.switching import how
from memcon.clock import NS, SystemClock
from memcon.seal.keys import load_keys
from memcon.service.supervisor import Supervisor
from memcon.service.switching import Outcome, Switch
from memcon.store import durable, switch
from memcon.store.paths import RUN_VARIABLE, Home
from memcon.store.switch import EXPLANATION, OFF, ON, Asked
from memcon.verify import trust, verify_log

if TYPE_CHECKING:
    from pathlib import Path

WHO = ("--by", "J. Ruiz", "--reason", "monthly test")
LINES = '\n[[line]]\nname = "cabinet"\nmatch = "*cabinet*"\n[[line]]\nname = "rest"\n'


def run(home: Home, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--home", str(home.root)])


PATIENT = ("--wait", "90")  # a busy machine decides nothing


def said(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    value: dict[str, Any] = json.loads(result.stdout)
    return value


def test_off_and_on_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RUN_VARIABLE, str(tmp_path / "run"))
    home = Home(tmp_path / "home")
    config = new_home(home.root, LINES)
    notice: list[str] = []
    with (tmp_path / "log").open("wb") as log:
        supervisor = Supervisor(home, SystemClock(), say=notice.append, log=log)
        supervisor.start()
        try:
            wait(supervisor.ready)
            off = said(run(home, "off", "--line", "cabinet", *WHO, *PATIENT, "--json"))
            assert (off["in_effect"], off["witnessed"], off["lines"]) == (True, False, ["cabinet"])
            told = run(home, "off", "--all", *WHO, *PATIENT)
            assert "No witnesses are configured" in told.output
            clock = SystemClock()
            wait(lambda: json.loads(durable.read_bytes(home.status("capture")))["off"]["whole"])
            on = said(run(home, "on", "--by", "K. Lind", *PATIENT, "--json"))
            assert on["leaf"] > off["leaf"]
            assert run(home, "on", "--by", "K. Lind").exit_code == 2
            now = clock.wall_ns() // NS
            words = ("explain", f"@{now - 20}", f"@{now - 10}", "--by", "J. Ruiz", "--reason", "a fuse")
            assert said(run(home, *words, *PATIENT, "--json"))["in_effect"]
            status = json.loads(durable.read_bytes(home.status("seal")))
            assert status["off"] == {"whole": False, "lines": []}
        finally:
            assert supervisor.stop("the test is over", by="tester")
    report = verify_log(str(home.log), trust([str(k) for k in load_keys(home.keys).vkeys(ORIGIN)]))
    assert not [f for f in report.findings if f.severity != "note"]
    assert len(report.facts["declared off"]) == 3
    assert len(report.facts["declared on"]) == 1
    assert "a fuse" in report.facts["explained afterwards"][0]
    asking = Switch(home, config, SystemClock())
    assert asking.lines == ("cabinet", "rest")
    asked = Asked(EXPLANATION, "J. Ruiz", how(), "a fuse", first=1, last=1)
    assert asking.outcome(asked).in_effect
    asking.ask(asked)  # in the same words once more: the leaf that stands there answers something else
    assert asking.outcome(asked).leaf is None


@pytest.mark.parametrize(
    "words",
    [
        ("off", *WHO),
        ("off", "--all", *WHO),  # nothing runs
        ("off", "--all", "--line", "all", *WHO),
        ("off", "--line", "nobody's", *WHO),
        ("off", "--all", "--by", "J. Ruiz", "--reason", " "),
        ("off", "--all", "--reason", "test"),
        ("on", "--by", "J. Ruiz"),
        ("explain", "2099-01-01", "2099-01-02", *WHO),
        ("explain", "2026-01-02", "2026-01-01", *WHO),
    ],
)
def test_what_cannot_be_asked(tmp_path: Path, words: tuple[str, ...]) -> None:
    home, _ = copy(tmp_path / "home")
    assert run(home, *words).exit_code == 2
    assert switch.waiting(home) == []


def test_what_no_leaf_has_named_yet_is_told_with_its_own_exit_code(tmp_path: Path) -> None:
    home, config = copy(tmp_path / "home")
    told = run(home, "explain", "2026-01-01T09:00Z", "2026-01-01T10:00Z", *WHO, "--wait", "0.3")
    assert (told.exit_code, "No leaf has named it yet" in told.output) == (1, True)
    assert len(switch.waiting(home)) == 1
    for asked in (Asked(ON, *"abc"), Asked(OFF, *"abc")):
        assert not Switch(home, config, SystemClock()).outcome(asked).in_effect


def test_outcomes_in_words() -> None:
    off = Asked(OFF, "J. Ruiz", "by hand", "test")
    assert "not off yet" in Outcome(off, 7, "ab", False, True).sentence
    assert Outcome(off, 7, "ab", True, True).sentence == "Off. It stands in leaf 7 of the log, statement ab."
    explained = Outcome(Asked(EXPLANATION, "a", "b", "c"), 7, "ab", True, True).sentence
    assert explained.startswith("Kept beside the answers")
