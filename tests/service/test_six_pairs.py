"""The six pairs of readouts of the test data, taken in from an empty home: by command, and by page."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from tests.console.dossier_rig import token
from tests.console.fakes import make_office

from memcon.accounts.bodies import POINT_KINDS
from memcon.accounts.intake import read_source
from memcon.accounts.sentences import sentences
from memcon.catalogue.catalogue import Catalogue
from memcon.cli.main import main
from memcon.clock import SystemClock
from memcon.service.dossiers import open_desk
from memcon.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.testclient import TestClient

FOLDER = Path(os.environ.get("MEMCON_TEST_DATA", "../shared/data")).resolve() / "readouts"
PAIRS = sorted(p.name for p in FOLDER.iterdir() if p.is_dir()) if FOLDER.is_dir() else []
pytestmark = pytest.mark.skipif(
    not PAIRS, reason="the readouts of the test data are not here (MEMCON_TEST_DATA)"
)


def header(pair: str, side: str) -> dict[str, Any]:
    text = (FOLDER / pair / f"{side.lower()}.txt").read_text(encoding="utf-8")
    return dict(json.loads(text.split("\n", 1)[0]))


def people(pair: str) -> list[tuple[str, str]]:
    """(name, country) of both sides."""
    parts = [text.partition(":") for text in header(pair, "A")["parties"]]
    return [(name.strip(), country.strip()) for country, _, name in parts]


def run(home: Path, *words: str) -> Any:
    done = CliRunner().invoke(main, [*words, "--home", str(home), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def judge(topics: Callable[[str, str], set[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Micro-F1 over (side, topic) against the list made by hand."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2])
    from bench.readouts import score  # a script, needed by this test alone

    assert score(FOLDER, topics)["f1"] >= 0.95


def expected(pair: str, side: str) -> list[tuple[int, int]]:
    """Where the points of a text stand: its sentences."""
    data = (FOLDER / pair / f"{side.lower()}.txt").read_bytes()
    return list(sentences(read_source(data, "a.txt")[0].text or ""))


def test_by_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    assert CliRunner().invoke(main, ["init", "--no-lines", "--home", str(home)]).exit_code == 0
    compared = {}
    for pair in PAIRS:
        who = [f"--participant={name};President;{country}" for name, country in people(pair)]
        made = run(home, "dossier", "new", header(pair, "A")["date"], *who)["dossier"]
        for side in "AB":
            file = str(FOLDER / pair / f"{side.lower()}.txt")
            run(home, "dossier", "add", made, file, "--side", side, "--readout")
        compared[pair] = run(home, "compare", made)
    for pair, found in compared.items():
        for side in found["sides"]:
            points = side["points"]
            assert [(p["start"], p["end"]) for p in points] == expected(pair, side["side"])
            assert {p["kind"] for p in points} <= set(POINT_KINDS)
            assert all((p["kind"] == "substance") == bool(p["topics"]) for p in points)
            listed = Counter(
                n for one in found["pairs"] for n in one["first" if side["side"] == "A" else "second"]
            )
            assert listed == Counter(p["number"] for p in points)
            for row in found["topics"]:  # substance counts in each of its topics
                own = row["points"][0 if side["side"] == "A" else 1]
                assert own == [p["number"] for p in points if row["topic"] in p["topics"]]
    judge(lambda pair, side: topics_of(compared[pair], side), monkeypatch)


def topics_of(found: dict[str, Any], side: str) -> set[str]:
    points = next(s["points"] for s in found["sides"] if s["side"] == side)
    return {topic for p in points for topic in p["topics"]}


def take_in(client: TestClient, pair: str) -> str:
    """A dossier of one pair, made by the forms of the pages."""
    form: dict[str, str] = {"token": token(client, "/dossiers/new"), "start": header(pair, "A")["date"]}
    for side, (name, country) in zip("AB", people(pair), strict=True):
        form |= {f"name{side}": name, f"office{side}": "President", f"country{side}": country}
    page = client.post("/dossiers/new", data=form).headers["location"]
    for side in "AB":
        data = (FOLDER / pair / f"{side.lower()}.txt").read_bytes()
        added = client.post(
            f"{page}/source",
            data={"token": form["token"], "side": side, "readout": "1"},
            files={"file": (f"{side}.txt", data, "text/plain")},
        )
        assert added.status_code == 303, added.text
    return str(page)


def test_by_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path / "home")
    assert CliRunner().invoke(main, ["init", "--no-lines", "--home", str(home.root)]).exit_code == 0
    (tmp_path / "office").mkdir()
    catalogue = Catalogue(home.catalogue)
    desk = open_desk(home, SystemClock(), catalogue)
    client = make_office(tmp_path / "office", dossiers=desk).client("olaf")
    shown: dict[tuple[str, str], set[str]] = {}
    for pair in PAIRS:
        page = take_in(client, pair)
        text = client.get(page).text
        for side in "AB":
            places = re.findall(rf'<span class="no" id="{side}(\d+)">', text)
            assert sorted(map(int, places)) == list(range(1, len(expected(pair, side)) + 1))
        kinds = re.findall(r'<span class="kindof">(\w+)', text[text.index("treaty") :])
        assert len([k for k in kinds if k in POINT_KINDS]) == sum(len(expected(pair, s)) for s in "AB")
        rows = re.findall(r'<option value="([^"]+)">', text[text.index('id="ot"') : text.index('id="os"')])
        cells = re.findall(r'<td class="cell">(<svg)?', text[text.index("matrix") :])
        assert len(cells) == 2 * len(rows)
        for nth, topic in enumerate(rows):
            for side, cell in zip("AB", cells[2 * nth : 2 * nth + 2], strict=True):
                if cell:
                    shown.setdefault((pair, side), set()).add(topic)
    judge(lambda pair, side: shown[(pair, side)], monkeypatch)
    assert "6 dossiers" in client.get("/dossiers").text.replace("\u00a0", " ")
    catalogue.close()
