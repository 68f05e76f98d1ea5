"""Event files taken in: kept, sealed, asked, and shown from their own bytes."""

from __future__ import annotations

import hashlib
import shutil
from datetime import date
from pathlib import Path

import pytest

from memcon.aftermath.bodies import complete
from memcon.aftermath.series import Selection
from memcon.aftermath.sets import About, EventSets, Query
from memcon.aftermath.taking import event_of, when_of
from memcon.errors import FormatError, UsageError

EVENTS = Path(__file__).parents[1] / "vectors" / "events"


class Home:
    def __init__(self, root: Path) -> None:
        self.sealed: list[tuple[int, bytes]] = []
        self.root = root / "events"
        self.sets = EventSets(self.root, lambda type_, digest: self.sealed.append((type_, digest)))

    def take(self, name: str) -> About:
        return self.sets.take_in(EVENTS / name, by="A. Reader", at="2031-04-01T00:00:00Z")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def day(text: str) -> int:
    return date.fromisoformat(text).toordinal()


def test_a_file_is_kept_byte_for_byte_and_sealed(home: Home) -> None:
    about = home.take("ucdp.csv")
    kept = home.root / about.sha256
    assert (kept / "source").read_bytes() == (EVENTS / "ucdp.csv").read_bytes()
    assert home.sealed == [(2, hashlib.sha256((kept / "about.json").read_bytes()).digest())]
    assert (about.taken, about.first, about.last) == (4, "2031-03-01", "2031-03-31")
    assert home.take("ucdp.csv") == about
    assert len(home.sealed) == 1
    assert home.sets.ids() == [about.sha256]
    assert not list(home.sets.check())
    (kept / "source").write_bytes(b"x")
    assert [name for name, _ in home.sets.check()] == [about.sha256]


def test_rows_are_found_by_day_kind_country_and_doubt(home: Home) -> None:
    found = home.sets.open(home.take("ucdp.csv").sha256[:8])
    assert found.select(Query()).tolist() == [0, 2, 1, 3]
    assert found.select(Query(since=day("2031-03-06"))).tolist() == [2, 3]
    assert found.select(Query(until=day("2031-03-01"))).tolist() == [0, 2]
    assert found.select(Query(within=6)).tolist() == [0, 1, 3]
    assert found.select(Query(kind="state")).tolist() == [0, 3]
    assert found.select(Query(country="Arland", kind="non")).tolist() == [1]
    assert found.select(Query(country="Elsewhere")).tolist() == []
    assert found.row(1)["source_original"] == "Press officer,\nArland army"


def test_a_set_is_a_series(home: Home) -> None:
    series = home.sets.open(home.take("ucdp.csv").sha256).series(Selection("best"))
    assert series.weights.tolist() == [4, 2, 0]
    assert (series.last - series.first).tolist() == [0, 3, 0]
    assert series.remarks == ("1 row of ucdp.csv is left out: not dated to within 6 days.",)
    assert home.sets.open(home.take("gdelt2.tsv").sha256).series(Selection()).weights.tolist() == [1, 1, 1]


def test_a_row_becomes_an_event_and_an_account_with_its_original_source(home: Home) -> None:
    found = home.sets.open(home.take("ucdp.csv").sha256)
    event, account = event_of(found, 1)
    assert event["title"] == "Government of Arland and Front: Arland: Government"
    assert event["when"] == "2031-03-02/2031-03-05"
    assert (event["latitude"], event["longitude"]) == ("48.5", "-7.25")
    assert account["who"] == "UCDP Georeferenced Event Dataset, 901"
    assert account["original"] == "Press officer, Arland army"
    assert account["article"] == '"Gazette,2031-03-02,Fighting at ""the mill"""'
    assert [account[f"killed_{which}"] for which in ("low", "best", "high")] == [0, 2, 9]
    complete("event", event)
    complete("account", {**account, "event": 1})
    data = (EVENTS / "ucdp.csv").read_bytes()
    assert data[event["row"] :].startswith(b"901,")


@pytest.mark.parametrize("name", sorted(p.name for p in EVENTS.iterdir()))
def test_every_layout_can_be_taken(home: Home, name: str) -> None:
    found = home.sets.open(home.take(name).sha256)
    for number in range(found.about.taken):
        event, account = event_of(found, number)
        complete("event", event)
        complete("account", {**account, "event": 1})
        assert "Arland" in event["title"] or "ARLAND" in event["title"]


def test_codes_are_told_in_words_and_near_days_as_near(home: Home) -> None:
    event, account = event_of(home.sets.open(home.take("gdelt2.tsv").sha256), 0)
    assert event["title"] == "ARLAND and FRONT: Fighting (CAMEO 190)"
    assert event["cameo"] == "190"
    assert account["article"] == "https://gazette.example/0"
    acled = home.sets.open(home.take("acled.csv").sha256)
    assert [when_of(acled, n) for n in range(3)] == ["2031-03-01", "2031-03-08~", "2031-03-15~"]


def test_an_index_that_is_gone_is_made_again(home: Home) -> None:
    about = home.take("ucdp.csv")
    shutil.rmtree(home.root / about.sha256 / "columns")
    assert home.sets.open(about.sha256).select(Query()).tolist() == [0, 2, 1, 3]


@pytest.mark.parametrize("damage", ["start.col", "words.json", "gone"])
def test_a_damaged_index_is_an_error_with_its_cure(home: Home, damage: str) -> None:
    folder = home.root / home.take("ucdp.csv").sha256 / "columns"
    if damage == "gone":
        (folder / "start.col").unlink()
    else:
        (folder / damage).write_bytes(b"[]")
    with pytest.raises(FormatError, match="index is damaged"):
        home.sets.open(home.sets.ids()[0]).select(Query())


def test_what_was_refused_is_kept(home: Home, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("date,best\n2031-01-01,1\n2031-02-31,1\n")
    about = home.sets.take_in(tmp_path / "list.csv", by="x", at="y")
    assert (about.rows, about.bad, about.taken) == (2, 1, 1)
    (one,) = home.sets.open(about.sha256).refused()
    assert (one.number, one.offset) == (2, 23)
    assert "no day there can be" in one.reason


def test_a_file_without_rows_is_a_set_without_rows(home: Home, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("date,best\n")
    found = home.sets.open(home.sets.take_in(tmp_path / "list.csv", by="x", at="y").sha256)
    assert found.select(Query(kind="x")).tolist() == []
    assert (found.about.first, found.about.rows) == ("", 0)


def test_what_is_refused_leaves_nothing_behind(home: Home, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("date,x\n2031-01-01,1\n2031-01-02," + '"open\n')
    with pytest.raises(FormatError, match="not closed"):
        home.sets.take_in(tmp_path / "bad.csv", by="x", at="y")
    assert [p.name for p in home.root.iterdir()] == []
    assert home.sealed == []


@pytest.mark.parametrize("name", ["abc", "zzzzzz", "../../etc", "000000"])
def test_a_name_of_no_set(home: Home, name: str) -> None:
    home.take("ucdp.csv")
    with pytest.raises(UsageError, match="no set"):
        home.sets.open(name)


def test_a_row_that_is_not_there(home: Home) -> None:
    with pytest.raises(UsageError, match="no row 4"):
        home.sets.open(home.take("ucdp.csv").sha256).row(4)
