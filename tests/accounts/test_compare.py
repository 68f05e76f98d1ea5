"""Two readouts compared: the matrix, what is omitted or differs, who overruled, what stands beside what."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.accounts.conftest import HEAD

from memcon.accounts.compare import Comparison, compare
from memcon.accounts.figures import conflicts, figures, lengths

if TYPE_CHECKING:
    from memcon.accounts.desk import AccountsDesk

A = (
    "President Adams spoke today with President Bell. The call lasted approximately one hour. "
    "President Adams raised the release of 12 prisoners and the war in Syria. They discussed trade."
)
B = (
    "Mr Bell congratulated Ms Adams. They discussed Syria and the release of 15 prisoners. "
    "The Iranian nuclear programme was discussed. Nothing else."
)


def dossier(desk: AccountsDesk, a: str = A, b: str = B, **facts: Any) -> str:
    id_ = desk.open("P", HEAD).id
    for side, text, completeness in (("A", a, "complete"), ("B", b, "excerpt")):
        told = {"side": side, "readout": True, "completeness": completeness} | facts
        desk.add_source(id_, "P", text.encode(), told)
    return id_


def compared(desk: AccountsDesk, id_: str) -> Comparison:
    found = desk.read(id_)
    made = compare(found, desk.texts(found))
    assert made is not None
    return made


def test_the_matrix(desk: AccountsDesk) -> None:
    made = compared(desk, dossier(desk))
    rows = {row.topic: row for row in made.topics}
    assert {t: row.status for t, row in rows.items()} == {
        "SY": "both", "detainees": "differs", "trade": "A only", "IR": "B only",
        "non-proliferation": "B only",
    }  # fmt: skip
    assert rows["detainees"].why == ("12 against 15 prisoners",)
    assert rows["SY"].order == (2, 1)
    assert rows["SY"].raised == ("A", "both")
    assert (made.one_sided, made.known) == (3, 5)


def test_omitted_is_said_only_of_a_complete_text(desk: AccountsDesk) -> None:
    rows = {row.topic: row for row in compared(desk, dossier(desk)).topics}
    assert rows["IR"].omitted_by == "A"  # A is complete and does not mention it
    assert rows["trade"].omitted_by == ""  # B is an excerpt: nobody can say


def test_each_point_stands_once_among_the_pairs(desk: AccountsDesk) -> None:
    made = compared(desk, dossier(desk))
    for side, which in ((made.first, "first"), (made.second, "second")):
        placed = [p.number for pair in made.pairs for p in getattr(pair, which)]
        assert sorted(placed) == [p.number for p in side.points]
    beside = {p.number: [q.number for q in pair.second] for pair in made.pairs for p in pair.first}
    assert beside == {1: [], 2: [], 3: [2], 4: []}
    pair = next(p for p in made.pairs if p.first and p.second)
    assert "war" in pair.only[0]
    assert "discussed" in pair.only[1]


def test_a_named_person_overrules_and_it_shows_who(desk: AccountsDesk) -> None:
    id_ = dossier(desk)
    desk.write(id_, "overrule", "Q", {"topic": "trade", "status": "both", "why": "B means it"})
    desk.write(id_, "overrule", "Q", {"topic": "fisheries", "status": "neither", "why": "none"})
    made = compared(desk, id_)
    row = next(row for row in made.topics if row.topic == "trade")
    assert (row.status, row.computed) == ("both", "A only")
    assert row.overruled is not None
    assert row.overruled.by == "Q"
    assert (made.one_sided, made.known) == (2, 5)


def test_a_person_joins_and_parts_points(desk: AccountsDesk) -> None:
    id_ = dossier(desk)
    made = compared(desk, id_)
    a, b = made.first.points, made.second.points
    desk.write(id_, "link", "Q", {"first": [2, a[0].start], "second": [3, b[0].start]})
    desk.write(id_, "link", "Q", {"first": [2, a[2].start], "second": [3, b[1].start], "linked": False})
    pairs = [([p.number for p in x.first], [p.number for p in x.second]) for x in compared(desk, id_).pairs]
    assert ([1], [1]) in pairs
    assert ([3], []) in pairs
    assert ([], [2]) in pairs


def test_without_two_readouts_nothing_is_compared(desk: AccountsDesk) -> None:
    id_ = desk.open("P", HEAD).id
    desk.add_source(id_, "P", A.encode(), {"side": "A", "readout": True})
    found = desk.read(id_)
    assert compare(found, desk.texts(found)) is None


def test_two_texts_without_a_topic(desk: AccountsDesk) -> None:
    made = compared(desk, dossier(desk, "Good morning.", "Hello."))
    assert (made.known, made.topics) == (0, ())


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("The call lasted approximately one hour.", 3240, 3960),
        ("They spoke for an hour.", 3600, 3600),
        ("a 45-minute call", 2700, 2700),
        ("The conversation lasted one and a half hours", 5400, 5400),
        ("Разговор длился около 45 минут.", 2430, 2970),
    ],
)
def test_lengths_of_the_call(text: str, low: int, high: int) -> None:
    (found,) = lengths(text)
    assert (found.low, found.high) == (low, high)
    assert text[found.start : found.end] == found.text


def test_other_lengths_are_none_of_the_call() -> None:
    assert lengths("The truce held for two hours. They spoke of it.") == []


def test_figures() -> None:
    assert list(
        conflicts(figures("5 killed, 1,000 troops"), figures("5 dead and 9 wounded, 2000 troops"))
    ) == ["1000 against 2000 troops"]


def test_the_six_pairs_of_readouts(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(os.environ.get("MEMCON_TEST_DATA", "../shared/data")) / "readouts"
    if not folder.is_dir():
        pytest.skip("the readouts of the test data are not here (MEMCON_TEST_DATA)")
    monkeypatch.syspath_prepend(Path(__file__).parents[2])
    from bench.readouts import score  # a script, needed by this test alone

    assert score(folder)["f1"] >= 0.95
    assert len(json.loads((folder / "gold.json").read_text())["pairs"]) == 6
