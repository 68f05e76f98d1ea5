"""Dossiers written and read: what fits is kept, sealed and found; what does not is refused whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.accounts.conftest import HEAD

from memcon.accounts.bodies import complete
from memcon.accounts.reading import read_dossier
from memcon.catalogue.dossiers import DossierQuery
from memcon.errors import FormatError, UsageError

if TYPE_CHECKING:
    from tests.accounts.conftest import Desk

    from memcon.accounts.desk import AccountsDesk

TEXT = b"They spoke of Ukraine. The call was good."


def new(desk: AccountsDesk, **changes: Any) -> str:
    return desk.open("A. Archivist", HEAD | changes).id


def test_a_dossier_of_a_call_that_was_never_recorded(kept: Desk) -> None:
    desk = kept.desk
    id_ = new(desk)
    assert id_ == "2017-01-28/1"
    desk.write(id_, "duration", "A", {"text": "about 1 h", "low": 3300, "high": 3900, "who": "A's office"})
    desk.write(id_, "duration", "A", {"text": "about 45 min", "who": "an agency"})
    desk.write(id_, "record", "A", {"class": "recording", "state": "none known"})
    made = desk.add_source(id_, "B", TEXT, {"side": "A", "readout": True, "publisher": "Office of A"})
    found = desk.read(id_)
    assert found.title == "Ada Adams and Boris Bell, by telephone, 2017-01-28"
    assert [d.text for d in found.durations] == ["about 1 h", "about 45 min"]
    source = found.sources[made[0].entry.n]
    assert desk.store.get(id_, source.sha256) == TEXT
    assert desk.text(found, source.n) == TEXT.decode()
    assert [s.n for s in found.readouts()] == [source.n]
    assert len(kept.notes) == found.version == 5
    assert [type_ for type_, _ in kept.notes] == [9, 9, 9, 9, 2]


@pytest.mark.parametrize(
    ("start", "date"),
    [("2017-01", "2017-01"), ("2017~", "2017"), ("", "undated"), ("201X", "undated"),
     ("2017-01-28/2017-01-29", "2017-01-28"), ("../2017", "undated"), ("2017-01-28T17:00Z", "2017-01-28"),
     ("2017-22", "2017"), ("2017-01/2017-02", "2017")],
)  # fmt: skip
def test_ids_are_made_of_what_is_known_of_the_day(desk: AccountsDesk, start: str, date: str) -> None:
    assert new(desk, start=start) == f"{date}/1"


def test_the_register_finds_words_of_everything(desk: AccountsDesk) -> None:
    id_ = new(desk)
    new(desk, start="2018", participants=[])
    desk.add_source(id_, "B", TEXT, {"side": "A", "readout": True})
    claim = desk.write(id_, "claim", "A", {"text": "The recorder was off"}).entry.n
    desk.write(id_, "appearance", "A", {"claim": claim, "who": "Müller", "stance": "asserts"})
    desk.write_foreign(id_, "event", "A", {"accounts": [{"text": "Shelling at Avdiivka"}]})
    for word in ("ukraine", "recorder", "muller", "bell", "avdi", "2017-01-28", "borland"):
        assert [row.id for row in desk.index.search(DossierQuery(word)).rows] == [id_], word
    assert desk.index.search(DossierQuery("nowhere")).total == 0
    page = desk.index.search(DossierQuery())
    assert [row.id for row in page.rows] == ["2018/1", id_]
    row = page.rows[1]
    assert (row.record, row.sources, row.claims, row.countries) == ("readout", 1, 1, ("US", "RU"))
    only = desk.index.search(DossierQuery(record="readout", has="claims", since=0, until=row.end))
    assert [r.id for r in only.rows] == [id_]
    assert desk.index.search(DossierQuery(has="call")).total == 0


def test_a_dossier_hangs_on_a_recorded_call(desk: AccountsDesk) -> None:
    id_ = new(desk, call=7)
    assert [row.id for row in desk.index.of_call(7)] == [id_]
    assert desk.index.of_call(8) == []
    assert desk.index.search(DossierQuery()).rows[0].record == "recording"


def test_what_is_withdrawn_stays_in_the_files(desk: AccountsDesk) -> None:
    id_ = new(desk)
    claim = desk.write(id_, "claim", "A", {"text": "Wrong"}).entry.n
    one = desk.write(id_, "appearance", "A", {"claim": claim, "who": "X", "stance": "asserts"}).entry.n
    with pytest.raises(UsageError, match="is used by entry"):
        desk.write(id_, "withdrawal", "B", {"entry": claim, "why": "no such claim"})
    desk.write(id_, "withdrawal", "B", {"entry": one, "why": "another claim"})
    desk.write(id_, "withdrawal", "B", {"entry": claim, "why": "no such claim"})
    found = desk.read(id_)
    assert not found.claims
    assert found.withdrawals[claim].by == "B"
    assert found.version == 5
    for entry in (1, claim, 4, 99):
        with pytest.raises(UsageError):
            desk.write(id_, "withdrawal", "B", {"entry": entry, "why": "again"})


def test_nothing_derives_from_itself(desk: AccountsDesk) -> None:
    id_ = new(desk)
    claim = desk.write(id_, "claim", "A", {"text": "x"}).entry.n
    steps = [
        desk.write(id_, "appearance", "A", {"claim": claim, "who": w, "stance": "asserts"}).entry.n
        for w in "abcd"
    ]
    pairs = [(0, 1), (0, 2), (1, 3), (2, 3)]
    for first, last in pairs:
        desk.write(id_, "derivation", "A", {"from": steps[first], "to": steps[last], "kind": "derived"})
    for first, last in [(3, 0), (1, 0), (2, 2)]:
        with pytest.raises(UsageError, match="nothing derives from itself"):
            desk.write(id_, "derivation", "A", {"from": steps[first], "to": steps[last], "kind": "quoted"})
    assert len(desk.read(id_).derivations) == 4


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("claim", {}, "text: is missing"),
        ("claim", {"text": " "}, "is empty"),
        ("claim", {"text": "x", "truth": True}, "no such field"),
        ("claim", {"text": 5}, "is no text"),
        ("claim", {"text": "x" * 20_001}, "longer"),
        ("claim", {"text": "a\x00b"}, "control character"),
        ("dossier", {"start": "28.1.2017"}, "Write 2017-01-28"),
        ("dossier", {"start": 2017}, "is no text"),
        ("dossier", {"participants": [{"name": "x"}]}, "a participant has"),
        ("dossier", {"participants": {}}, "is no list"),
        ("dossier", {"participants": [HEAD["participants"][0] | {"country": "USA"}]}, "country"),
        ("dossier", {"call": -1}, "is no number"),
        ("dossier", {"example": "yes"}, "neither true nor false"),
        ("grade", {"appearance": 1, "reliability": "G", "credibility": "1", "why": "x"}, "none of A"),
        ("point", {"source": 1, "start": 0, "end": 5, "kind": "substance", "topics": [""]}, "is empty"),
        ("appearance", {"claim": 1, "who": "x", "stance": "asserts", "when": "2017-02-30"}, "no day"),
    ],
)
def test_what_is_no_body_is_refused(kind: str, body: dict[str, Any], words: str) -> None:
    with pytest.raises(FormatError) as refused:
        complete(kind, body)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("duration", {"text": "1 h", "source": 9}),
        ("appearance", {"claim": 9, "who": "x", "stance": "asserts"}),
        ("grade", {"appearance": 9, "reliability": "A", "credibility": "1", "why": "x"}),
        ("derivation", {"from": 9, "to": 8, "kind": "quoted"}),
        ("point", {"source": 2, "start": 0, "end": 400, "kind": "tone"}),
        ("point", {"source": 2, "start": 22, "end": 23, "kind": "tone"}),
        ("appearance", {"claim": 3, "who": "x", "stance": "quotes", "start": 0, "end": 4}),
        ("appearance", {"claim": 3, "who": "x", "stance": "quotes", "source": 2, "start": 0}),
        (
            "appearance",
            {"claim": 3, "who": "x", "stance": "quotes", "source": 2, "start": 0, "end": 4, "words": "Thee"},
        ),
        ("point", {"source": 4, "start": 0, "end": 1, "kind": "tone"}),
        ("nonsense", {}),
        ("source", {}),
    ],
)
def test_what_does_not_fit_the_dossier_is_refused(
    desk: AccountsDesk, kind: str, body: dict[str, Any]
) -> None:
    id_ = new(desk)
    desk.add_source(id_, "A", TEXT, {})
    desk.write(id_, "claim", "A", {"text": "x"})
    desk.add_source(id_, "A", b"\x89PNG\r\n\x1a\n" + bytes(9), {}, media_type="image/png")
    with pytest.raises(UsageError):
        desk.write(id_, kind, "A", body)
    assert desk.read(id_).version == 4


def test_a_point_that_is_named_wrongly_is_refused(desk: AccountsDesk) -> None:
    id_ = new(desk)
    with pytest.raises(FormatError):
        desk.write(id_, "link", "A", {"first": [1], "second": [2, 3]})
    assert desk.read(id_).version == 1


def test_a_later_version_of_an_address_is_one(desk: AccountsDesk) -> None:
    id_ = new(desk)
    facts = {"address": "https://a.example/readout", "side": "A", "readout": True}
    first = desk.add_source(id_, "A", TEXT, facts)[0].entry.n
    second = desk.add_source(id_, "A", TEXT + b" More.", facts)[0].entry
    assert second.body["version_of"] == first
    assert [s.n for s in desk.read(id_).readouts()] == [second.n]


def test_foreign_kinds_are_kept_and_passed_over(desk: AccountsDesk) -> None:
    id_ = new(desk)
    kept = desk.write_foreign(id_, "event", "A", {"what": "shelling"})
    assert [k.entry.n for k in desk.read(id_).others] == [kept.entry.n]
    with pytest.raises(UsageError):
        desk.write_foreign(id_, "claim", "A", {"text": "x"})


def test_an_index_that_is_behind_catches_up(desk: AccountsDesk) -> None:
    id_ = new(desk)
    desk.store.append(id_, "claim", "A", {"text": "written while nobody indexed"})
    assert desk.index_all(only_changed=True) == []
    assert desk.index.search(DossierQuery("nobody")).total == 1
    desk.index.clear()
    assert desk.index_all() == []
    assert desk.index.search(DossierQuery()).total == 1
    desk.store.append(id_, "claim", "A", {"no": "claim"})
    assert len(desk.index_all()) == 1


def test_an_empty_dossier_or_another_beginning_is_refused(desk: AccountsDesk) -> None:
    id_ = new(desk)
    kept = desk.store.read(id_)
    with pytest.raises(FormatError):
        read_dossier([])
    desk.store.append(id_, "claim", "A", {"text": "x"})
    with pytest.raises(FormatError):
        read_dossier(desk.store.read(id_)[1:])
    assert read_dossier(kept).version == 1


def test_empty_and_huge_sources_are_refused(desk: AccountsDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    id_ = new(desk)
    with pytest.raises(UsageError, match="empty"):
        desk.add_source(id_, "A", b"", {})
    monkeypatch.setattr("memcon.accounts.intake.MOST_BYTES", 3)
    with pytest.raises(UsageError, match="at most"):
        desk.add_source(id_, "A", TEXT, {})
