"""Event files by the command line: taken in, asked, taken into a dossier, tested for coincidence, sealed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from memcon.cli.main import main

EVENTS = Path(__file__).parents[1] / "vectors" / "events"
D = "2031-02-28/1"


def run(home: Path, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--home", str(home)])


def told(result: Result) -> Any:
    assert result.exit_code in (0, 1), result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home") / "memcon"
    assert run(home, "init", "--no-lines").exit_code == 0
    assert "No event file yet." in run(home, "events", "sets").output
    assert run(home, "dossier", "new", "2031-02-28").exit_code == 0
    return home


@pytest.fixture(scope="module")
def name(home: Path) -> str:
    return str(told(run(home, "events", "import", str(EVENTS / "ucdp.csv"), "--json"))["set"])


def test_it_is_listed_and_asked(home: Path, name: str) -> None:
    assert "4 of 4 rows, 2031-03-01 to 2031-03-31" in run(home, "events", "sets").output
    assert told(run(home, "events", "sets", "--json"))[0]["taken"] == 4
    said = run(home, "events", "find", name[:8], "--to", "2031-03-01").output
    assert "2031-03-01/2031-03-31" in said
    assert "killed low 10, best 12, high 40" in said
    found = told(run(home, "events", "find", name, "--country", "Arland", "--limit", "1", "--json"))
    assert (found["total"], len(found["rows"])) == (4, 1)
    assert "the first 1 are shown" in run(home, "events", "find", name, "--limit", "1").output


def test_rows_are_taken_into_a_dossier_and_found_there(home: Path, name: str) -> None:
    taken = told(run(home, "events", "take", D, name, "1", "3", "--by", "A. Reader", "--json"))
    assert len(taken["events"]) == 2
    said = run(home, "events", "show", D).output
    assert "2031-03-02 to 2031-03-05  Government of Arland and Front" in said
    assert (
        "0 to 9 killed (best 2). UCDP Georeferenced Event Dataset, 901; first said by Press officer" in said
    )
    assert told(run(home, "dossier", "list", "Millford", "--json"))["total"] == 1
    assert "is event" in run(home, "events", "take", D, name, "0").output


def test_a_study_of_a_set_is_kept_sealed(home: Path, name: str, tmp_path: Path) -> None:
    (tmp_path / "calls.csv").write_text("date\n2031-03-01\n")
    words = (
        "--set",
        name,
        "--calls",
        str(tmp_path / "calls.csv"),
        "--chosen",
        "after",
        "--keep",
        D,
        "--window",
        "1",
    )
    said = run(home, "coincidence", *words)
    assert said.exit_code == 0, said.output
    assert f"set {name[:12]} (ucdp.csv), best figures" in said.output
    entries = told(run(home, "dossier", "show", D, "--json"))["entries"]
    study = next(e for e in entries if e["kind"] == "study")
    assert study["body"]["facts"]["hypothesis"]["written_down"] == "after"
    assert all(isinstance(o["p"], str) and float(o["p"]) > 0 for o in study["body"]["facts"]["class"])
    assert f"9-{study['hash']}" in {p.name for p in (home / "work" / "notes").iterdir()}


def test_rows_that_were_refused_are_told_of(home: Path, tmp_path: Path) -> None:
    bad = "".join(f"2031-02-{d},1\n" for d in range(20, 45))
    (tmp_path / "list.csv").write_text(f"date,best\n{bad}")
    said = run(home, "events", "import", str(tmp_path / "list.csv"))
    assert said.exit_code == 1
    assert "9 of 25 rows" in said.output
    assert "row 10 (byte 127) was not taken: '2031-02-29' is no day there can be" in said.output
    assert "and 6 more" in said.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("events", "import", str(EVENTS / "icews.tab"), "--as", "ucdp"), "it lacks id"),
        (("events", "find", "ffffff"), "no set"),
        (("events", "take", D, "ffffff", "1"), "no set"),
        (("coincidence", "--calls", str(EVENTS / "ucdp.csv"), "--chosen", "after"), "not said what happened"),
    ],
)
def test_what_cannot_be_done_is_said(home: Path, words: tuple[str, ...], said: str) -> None:
    answer = run(home, *words)
    assert answer.exit_code == 2
    assert said in answer.output


def test_sets_are_counted_in_days(home: Path, name: str) -> None:
    calls = ("--calls", str(EVENTS / "ucdp.csv"), "--chosen", "after", "--unit", "second")
    assert "counted in days" in run(home, "coincidence", "--set", name, *calls).output
