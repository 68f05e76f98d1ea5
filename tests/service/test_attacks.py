"""Every attack has the outcome that docs/THREAT-MODEL.md names, and an honest log has none of them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from memcon.cli import attack as command
from memcon.cli.main import main
from memcon.service.attacks import ATTACKS, holds
from memcon.service.inside import FOUND, WHOLE, CallStage
from memcon.service.stage import REFUSED, Scene, Shown, Stage
from memcon.verify.attest import WORDS, Answer

MODEL = Path(__file__).parents[2] / "docs" / "THREAT-MODEL.md"


@pytest.mark.parametrize("name", ATTACKS)
def test_the_outcome_is_the_one_that_is_named(tmp_path: Path, name: str) -> None:
    shown = ATTACKS[name].play(Scene(tmp_path))
    assert holds(ATTACKS[name], shown), shown


def test_the_honest_recorder_on_the_same_stage_is_attested(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage")
    last = stage.begin(6)
    assert stage.ask(1, last).outcome == WORDS[Answer.ATTESTED]


def test_the_honest_sealer_on_the_same_stage_is_whole(tmp_path: Path) -> None:
    stage = CallStage(tmp_path / "home")
    assert (stage.bundle().outcome, stage.structure().outcome) == (WHOLE, WHOLE)


def test_the_threat_model_names_each_attack_and_its_outcome() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| [^|]+ \| ([a-z]+)(?:, `([a-z-]+)`)? \|", MODEL.read_text(), re.M)
    assert {(n, o, c) for n, o, c in rows} == {(n, a.named, a.code) for n, a in ATTACKS.items()}
    assert {a.named for a in ATTACKS.values()} <= {*WORDS.values(), REFUSED, FOUND}


def test_the_command_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    done = CliRunner().invoke(main, ["attack", "changed-period"])
    assert (done.exit_code, "as THREAT-MODEL names it" in done.output) == (0, True)
    assert CliRunner().invoke(main, ["attack", "bribery"]).exit_code == 2
    attack = replace(ATTACKS["twin"], play=lambda _: Shown("attested recording", "Yes.", ("note-form",)))
    monkeypatch.setattr(command, "ATTACKS", {"twin": attack})
    failed = CliRunner().invoke(main, ["attack", "--json"])
    assert failed.exit_code == 1
    assert json.loads(failed.stdout)[0]["holds"] is False
    assert "NOT as THREAT-MODEL names it" in CliRunner().invoke(main, ["attack"]).output


def test_with_real_witnesses_over_http_in_real_time_the_outcomes_are_the_same() -> None:
    """Witnesses and third parties are processes; the operator, with all the keys, is this one."""
    done = CliRunner().invoke(main, ["attack", "--live", "--json"])
    assert done.stdout, done.output
    assert [one for one in json.loads(done.stdout) if not one["holds"]] == []
    assert done.exit_code == 0
