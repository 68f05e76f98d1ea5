"""One register: calls recorded, taken in, and known from accounts alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.catalogue.test_intakes import catalogue, intake

from memcon.catalogue.catalogue import Filter
from memcon.catalogue.dossiers import DossierLine, DossierQuery
from memcon.catalogue.numbers import ACCOUNTS, display_number, dossier_of, number_of
from memcon.record import edtf

if TYPE_CHECKING:
    from memcon.catalogue.catalogue import Catalogue

__all__ = ["catalogue"]  # a fixture
DAY = 86_400 * 10**9


def line(id_: str = "2017-01-28/1", date: str = "2017-01", call: int | None = None) -> DossierLine:
    when = edtf.parse(date) if date else None
    span = (when.start, when.end) if when else (None, None)
    return DossierLine(
        id_, "Holt and Moreau", date, *span, "readout", call, 3, 2, 2, 1, 4, 2, ("Anna Holt", "Luc Moreau"),
        ("NO", "FR"), "2026-11-24T00:00:00Z", "the Snopes article on Syria", ("Norway", "France", "Premier"),
    )  # fmt: skip


def recorded(catalogue: Catalogue, number: int, wall: int) -> None:
    party = {"id": "a", "name": "Anna Holt", "aor": "sip:1@a", "label": "", "role": ""}
    catalogue.apply(
        [{"t": "call", "number": number, "handle": "00", "wall": wall, "line": "red", "parties": [party]}]
    )


def shown(catalogue: Catalogue, **asked: object) -> list[str]:
    return [row.display for row in catalogue.register(Filter(**asked)).rows]  # type: ignore[arg-type]


@pytest.mark.parametrize("id_", ["2017-01-28/1", "2017-01/999999", "1962/3", "undated/7", "9999-12-31/1"])
def test_a_dossiers_number_and_back(id_: str) -> None:
    number = number_of(id_)
    assert number is not None
    assert -(2**63) < number < ACCOUNTS
    assert dossier_of(number) == id_ == display_number(number, 0)


@pytest.mark.parametrize("text", ["", "2017-01-28", "2017-01-28/0", "T001", "x/1", "2017-01-28/1234567"])
def test_no_dossier_no_number(text: str) -> None:
    assert number_of(text) is None


def test_every_call_stands_in_one_list_by_time_and_the_undated_last(catalogue: Catalogue) -> None:
    recorded(catalogue, 1, edtf.parse("2026-11-24").start or 0)
    catalogue.intakes.put(intake(), "cd" * 32)
    for id_, date in (("1962-10-26/1", "1962-10-26"), ("undated/1", ""), ("2017-02/1", "2017-02")):
        catalogue.dossiers.put(line(id_, date))
    assert shown(catalogue) == ["2026-11-24/0001", "2017-02/1", "T001", "1962-10-26/1", "undated/1"]
    page = catalogue.register()
    assert (page.total, page.all_calls) == (5, 5)
    assert page.by_state == {"live": 1, "recorded": 0, "partly": 0, "taken": 1, "none": 0, "accounts": 3}
    assert page.first_start == edtf.parse("1962-10-26").start
    assert shown(catalogue, states=frozenset({"accounts"})) == ["2017-02/1", "1962-10-26/1", "undated/1"]
    assert shown(catalogue, states=frozenset({"live", "taken"})) == ["2026-11-24/0001", "T001"]


def test_filters_reach_all_of_them(catalogue: Catalogue) -> None:
    recorded(catalogue, 2, edtf.parse("2026-11-24").start or 0)
    catalogue.dossiers.put(line())
    catalogue.dossiers.put(line("undated/1", ""))
    both = ["2017-01-28/1", "undated/1"]
    for party in ("holt", "HOLT anna"):
        assert shown(catalogue, party=party) == ["2026-11-24/0002", *both], party
    for party in ("france", "FR", "moreau", "premier"):
        assert shown(catalogue, party=party) == both, party
    assert shown(catalogue, party="snopes") == []  # a word of a source is no party
    assert shown(catalogue, text="snopes") == both
    assert shown(catalogue, text="snopes", party="holt") == both
    assert shown(catalogue, text="2017-01-28/1") == ["2017-01-28/1"]
    assert shown(catalogue, line="red") == ["2026-11-24/0002"]


def test_a_month_is_found_by_a_day_within_it_and_no_date_by_none(catalogue: Catalogue) -> None:
    catalogue.dossiers.put(line())
    catalogue.dossiers.put(line("undated/1", ""))
    day = edtf.parse("2017-01-20").start or 0
    assert shown(catalogue, since=day) == ["2017-01-28/1"]
    assert shown(catalogue, since=day, until=day + DAY) == ["2017-01-28/1"]
    assert shown(catalogue, until=day) == ["2017-01-28/1"]
    assert shown(catalogue, since=day + 12 * DAY) == shown(catalogue, until=day - 20 * DAY) == []


def test_a_dossier_of_a_recorded_call_is_that_call_and_finds_it(catalogue: Catalogue) -> None:
    catalogue.dossiers.put(line(call=7))  # before the call is known here
    assert shown(catalogue) == ["2017-01-28/1"]
    assert catalogue.dossiers.known() == {"2017-01-28/1": 3}
    recorded(catalogue, 7, edtf.parse("2017-01-28").start or 0)
    assert catalogue.dossiers.known() == {}  # to be indexed again
    catalogue.dossiers.put(line(call=7))
    assert catalogue.dossiers.known() == {"2017-01-28/1": 3}
    assert shown(catalogue) == shown(catalogue, text="snopes") == ["2017-01-28/0007"]


def test_counts_follow_what_is_put_and_cleared(catalogue: Catalogue) -> None:
    assert catalogue.register().by_state == dict.fromkeys(catalogue.register().by_state or {}, 0)
    catalogue.dossiers.put(line())
    catalogue.dossiers.put(replace(line(), parties=("Anna Holt",)))
    page = catalogue.register()
    assert (page.by_state or {})["accounts"] == page.total == 1
    assert page.rows[0].parties == ("Anna Holt",)
    catalogue.intakes.put(intake(), "cd" * 32)
    assert (catalogue.register().by_state or {})["taken"] == 1
    catalogue.dossiers.clear()
    assert shown(catalogue) == ["T001"]
    assert shown(catalogue, text="snopes") == shown(catalogue, party="moreau") == []


def test_dates_beyond_what_a_column_holds_are_kept_and_asked_for(catalogue: Catalogue) -> None:
    years = ("9999-12-31", "2017", "1500", "0001-01-01")
    for year in years:
        catalogue.dossiers.put(line(f"{year}/1", year))
    catalogue.dossiers.put(line("undated/1", ""))
    assert {*shown(catalogue)} == {*(f"{year}/1" for year in years), "undated/1"}
    assert shown(catalogue)[0] == "9999-12-31/1"
    assert shown(catalogue)[-1] == "undated/1"
    far = {name: edtf.parse(text).start for name, text in (("since", "0001-01-01"), ("until", "9999-12-31"))}
    assert "2017/1" in shown(catalogue, **far)
    query = DossierQuery(since=far["since"], until=far["until"])
    assert "2017/1" in [one.id for one in catalogue.dossiers.search(query).rows]
