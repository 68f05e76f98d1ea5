"""`memcon events`, as a person types it, on a home without lines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from memcon.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

D = "2017-01-28/1"


def run(home: Path, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--home", str(home)])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home") / "memcon"
    assert run(home, "init", "--no-lines").exit_code == 0
    assert run(home, "dossier", "new", "2017-01-28", "--participant", "A;President;US").exit_code == 0
    for words in (
        ("event", "title=Fighting at Avdiivka", "when=2017-01-29", "place=Avdiivka"),
        ("account", "event=2", "who=UCDP", "killed_low=0", "killed_best=0", "killed_high=10"),
        ("account", "event=2", "who=Moscow", "says=Ukrainian units crossed the line", "original=D. Peskov"),
        ("event", "title=A licence", "when=2017-02", "nature=act"),
        ("reading", "event=5", "who=OFAC", "calls_it=a technical licence", "article=FAQ 501"),
    ):
        told = run(home, "events", "write", D, *words, "--by", "A. Reader", "--json")
        assert told.exit_code == 0, told.output
    return home


def test_the_line_is_told_in_words(home: Path) -> None:
    said = run(home, "events", "show", D).output
    assert "2017-01-29  Fighting at Avdiivka, Avdiivka  [2]" in said
    assert "0 to 10 killed (best 0). UCDP; source not taken in" in said
    assert "Moscow; first said by D. Peskov" in said
    assert "some time in 2017-02  A licence" in said
    assert "called 'a technical licence'. OFAC; FAQ 501" in said


def test_it_is_filtered_and_taken_away(home: Path, tmp_path: Path) -> None:
    files = ("--svg", str(tmp_path / "line.svg"), "--timelinejs", str(tmp_path / "line.json"))
    told = run(
        home,
        "events",
        "show",
        D,
        "--kind",
        "act",
        "--from",
        "2017-02-10",
        "--to",
        "2017-03-01",
        *files,
        "--json",
    )
    assert [i["kind"] for i in json.loads(told.stdout)["items"]] == ["call", "act"]
    assert (tmp_path / "line.svg").read_text().startswith("<?xml")
    assert json.loads((tmp_path / "line.json").read_text())["events"][1]["group"] == "act"


def test_it_is_found_by_the_register_and_sealed_like_the_rest(home: Path) -> None:
    assert json.loads(run(home, "dossier", "list", "Avdiivka Peskov", "--json").stdout)["total"] == 1
    entries = json.loads(run(home, "dossier", "show", D, "--json").stdout)["entries"]
    assert [e["kind"] for e in entries] == ["dossier", "event", "account", "account", "event", "reading"]
    handed_in = {p.name for p in (home / "work" / "notes").iterdir()}
    assert {f"9-{e['hash']}" for e in entries} <= handed_in


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("event", "title=x", "when=2017-02-30"), "is no day there can be"),
        (("account", "event=99", "who=x"), "entry 99 is no event"),
        (("account", "event=2", "who"), "is no field"),
        (("event", "nonsense=1"), "there is no such field"),
    ],
)
def test_what_cannot_be_written_is_said(home: Path, words: tuple[str, ...], said: str) -> None:
    told = run(home, "events", "write", D, *words)
    assert told.exit_code == 2
    assert said in told.output


def test_a_file_that_cannot_be_written_is_said(home: Path) -> None:
    told = run(home, "events", "show", D, "--svg", "/nowhere/x.svg")
    assert told.exit_code == 2
    assert "writing /nowhere/x.svg" in told.output
