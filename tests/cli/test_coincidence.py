"""`memcon coincidence`, as a person types it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from memcon.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = "date,best,what\n" + "".join(
    f"2020-{m:02d}-{d:02d},{d % 5},x\n" for m in range(1, 13) for d in (3, 17)
)
CALLS = "date,parties\n2020-01-02,A and B\n2020-05-16,A and B\n2020-08~,A and B\n"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "events.csv").write_text(EVENTS)
    (tmp_path / "calls.csv").write_text(CALLS)
    return tmp_path


def ask(files: Path, *words: str, events: str = "events.csv") -> Result:
    given = ("--events", str(files / events), "--calls", str(files / "calls.csv"))
    return CliRunner().invoke(main, ["coincidence", *given, *words])


def test_it_answers_in_words_and_a_picture(files: Path) -> None:
    picture = files / "answer.svg"
    said = ask(
        files, "--chosen", "after", "--call", "2020-05-16", "--from", "2020-01-01", "--svg", str(picture)
    )
    assert said.exit_code == 0, said.output
    assert "one event cannot tell a cause from chance." in said.output
    assert "What cannot be concluded" in said.output
    assert "1 row of calls.csv is left out: not dated to within 1 days" in said.output
    assert picture.read_text().startswith("<?xml")


def test_it_reports_as_json(files: Path) -> None:
    said = ask(files, "--chosen", "before", "--by", "J. Ruiz", "--window", "2", "--measure", "best", "--json")
    told = json.loads(said.stdout)
    assert told["hypothesis"]["written_down"] == "before"
    assert told["hypothesis"]["by"] == "J. Ruiz"
    assert {o["statistic"] for o in told["class"]} == {"total", "trigger", "precursor"}
    assert told["sequel"] == []
    assert all(o["p"] > 0 for o in told["class"])


def test_the_question_is_asked_where_nobody_answered_it(files: Path) -> None:
    said = ask(files)
    assert said.exit_code == 2
    assert "Give --chosen before, after or unknown" in said.output


def test_continuous_time(files: Path) -> None:
    (files / "times.csv").write_text("date\n2020-01-01T10:00:30Z\n2020-01-01T18:00Z\n2020-01-02T09:00Z\n")
    (files / "calls.csv").write_text("date\n2020-01-01T10:00Z\n2020-01-01T20:00Z\n")
    words = (
        "--chosen after --unit second --window 60 --lag 0 --draws 99 --from 2020-01-01 --to 2020-01-02 --json"
    )
    said = ask(files, *words.split(), events="times.csv")
    told = json.loads(said.stdout)
    assert told["series"]["length"] == 2 * 86_400
    assert next(o for o in told["class"] if o["statistic"] == "trigger")["value"] == 1


@pytest.mark.parametrize(
    ("content", "words", "said"),
    [
        (b"a,b\n1,2\n", [], "its columns are of no event file known here: a, b"),
        (b"date,best\n2020-01-01,3\n", ["--as", "ucdp"], "it lacks id, date_start"),
        (b"\xff\xfed\x00a\x00", [], "it is UTF-16"),
        (b"date\n2020-01-01\n", ["--svg", "/nowhere/x.svg"], "writing /nowhere/x.svg"),
        (b"date\n2020-01-01\n", ["--call", "2020-13-01"], "EDTF date"),
    ],
)
def test_what_cannot_be_done_is_said(files: Path, content: bytes, words: list[str], said: str) -> None:
    (files / "odd.csv").write_bytes(content)
    answer = ask(
        files, "--chosen", "after", "--from", "2020-01-01", "--to", "2020-12-31", *words, events="odd.csv"
    )
    assert answer.exit_code == 2
    assert said in answer.output
