"""`memcon was-it-on` as a person types it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from click.testing import CliRunner, Result
from tests.verify.watched import Watched

from memcon.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["was-it-on", *words])


def test_one_sentence_then_the_evidence_and_an_exit_code_for_each_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMCON_CACHE", str(tmp_path / "cache"))
    watched = Watched().beats(1, 3)
    watched.cosign(watched.at(7))
    watched.beats(7, 12)
    place, policy = str(watched.write(tmp_path / "log")), tmp_path / "policy"
    policy.write_bytes(watched.policy())
    asked = (place, f"@{watched.at(1)}", "--policy", str(policy))
    told = run(*asked)
    assert told.stdout.startswith("Nobody can tell from this")  # the day is still to come
    assert told.exit_code == 13
    assert len(list((tmp_path / "cache").iterdir())) == 1
    assert run(*asked, "--no-cache", "--json", "--zone", "Europe/Vienna").exit_code == 13
    assert run(place, "sometime", "--policy", str(policy)).exit_code == 2
    assert run(place, f"@{watched.at(1)}", "--max-g", "1", "--policy", str(policy)).exit_code == 2
    assert run(place, f"@{watched.at(1)}").exit_code == 2
    shown = json.loads(run(*asked, "--offline", "--json").stdout)
    assert shown["leaves"] == len(watched.world.entries)
    (tmp_path / "memcon.toml").touch()  # a recorder's home stands for its log
    assert run(str(tmp_path), *asked[1:]).stdout == told.stdout
