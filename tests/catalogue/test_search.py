"""Search: words by their stems, phrases, near, prefix, fields; snippets with speaker and second."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.catalogue.passages import LONG, MOST, Passage, Said, cut, of_text, of_transcript, unpack
from memcon.catalogue.search_answer import ask
from memcon.catalogue.search_index import Document, SearchIndex
from memcon.catalogue.search_query import days, parse
from memcon.catalogue.stems import folded, primary, stems_of, tokens
from memcon.clock import NS
from memcon.errors import UsageError
from memcon.record.transcript import Lane, Subject, Transcript, Utterance, Word
from memcon.store.database import TooLongError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

WALL = 1_485_622_800 * NS  # 28 January 2017, 17:00 UTC
HOLT, RAHN = "Ambassador A. Holt", "Б. Ран"


def said(speaker: int, language: str, text: str, start: int = 0) -> Said:
    words = tuple(text.split())
    return Said(speaker, language, words, tuple(start + 400 * n for n in range(len(words))))


def document(**change: object) -> Document:
    talk = [
        said(0, "en", "The gas prices were running high.", 1000),
        said(1, "ru", "Цены на газ в Крыму, и в Йошкар-Оле.", 5000),
        said(0, "en-GB", "Crimea is Müller's question, at 10:30 don't you think?", 9000),
        said(1, "zh", "我们讨论天然气", 15000),
    ]
    given_ = {"kind": "transcript", "ref": "7", "part": "", "hash": "a", "title": "The call", "said": talk,
              "speakers": [HOLT, RAHN], "parties": [HOLT, RAHN], "wall": WALL, "language": "en"}  # fmt: skip
    return Document(**(given_ | change))  # type: ignore[arg-type]


def terms(index: SearchIndex) -> set[str]:
    """Every word that FTS5 knows of any passage, whole rows or not."""
    with index.db.write() as db:
        db.exec_driver_sql("CREATE VIRTUAL TABLE temp.terms USING fts5vocab(main, found, row)")
        found = {row[0] for row in db.exec_driver_sql("SELECT term FROM temp.terms")}
        db.exec_driver_sql("DROP TABLE temp.terms")
        db.exec_driver_sql("INSERT INTO found (found) VALUES ('integrity-check')")
    return found


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SearchIndex]:
    made = SearchIndex(tmp_path / "search.sqlite")
    yield made
    made.close()


@pytest.fixture
def filled(index: SearchIndex) -> SearchIndex:
    index.put([document()])
    return index


@pytest.mark.parametrize(
    ("question", "marked", "second"),
    [
        ("price", "prices", 1800),
        ("RUNS", "running", 2600),
        ('"gas price"', "gas prices", 1400),
        ("high gas", "gas", 1400),
        ("gas AND high", "gas", 1400),
        ("crim*", "Crimea", 9000),
        ("runni*", "running", 2600),
        ('"gas pri"*', "gas prices", 1400),
        ("NEAR(gas high, 5)", "gas", 1400),
        ("NEAR(gas runni*, 3)", "gas", 1400),
        ("крым", "Крыму,", 6600),
        ("цена газа", "Цены", 5000),
        ("Йошкар", "Йошкар-Оле.", 7800),
        ("muller", "Müller's", 9800),
        ("10:30", "10:30", 11000),
        ("don't", "don't", 11400),
        ("天然气", "我们讨论天然气", 15000),
        ("coal OR gas", "gas", 1400),
        ("(coal OR gas) crimea", "gas", 1400),
        ("gas -coal", "gas", 1400),
        ("gas NOT (coal OR oil)", "gas", 1400),
        ("speaker:holt gas", "gas", 1400),
        ('speaker:"ambassador holt" gas', "gas", 1400),
        ("speaker:ран газ", "газ", 5800),
        ("party:ран gas", "gas", 1400),
        ("language:ru крым", "Крыму,", 6600),
        ("lang:en gas", "gas", 1400),
        ("from:2017 gas", "gas", 1400),
        ("from:2016-05-03 to:2017-01-28 gas", "gas", 1400),
        ("date:2017-01 gas", "gas", 1400),
        ("date:2016..2018 gas", "gas", 1400),
        ("in:transcripts gas", "gas", 1400),
        ("only:machine gas", "gas", 1400),
        ("call:7 gas", "gas", 1400),
    ],
)
def test_what_is_found_and_where(filled: SearchIndex, question: str, marked: str, second: int) -> None:
    hits = ask(filled, question).hits
    assert len(hits) == 1
    assert next(piece.text for piece in hits[0].pieces if piece.hit) == marked
    assert hits[0].at == second
    assert hits[0].speaker in (HOLT, RAHN)


@pytest.mark.parametrize(
    "question",
    [
        "coal", '"price gas"', "gas -crimea", "NEAR(the crimea, 3)", "speaker:ран gas", "speaker:nobody gas",
        "party:nobody gas", "language:de gas", "from:2017-02 gas", "to:2016 gas", "only:corrected gas",
        "in:dossiers gas", "call:8 gas", "call:T7 gas", "zz*", "runnin", "gas coal", "from:2200 gas",
    ],
)  # fmt: skip
def test_what_does_not_fit_is_not_found(filled: SearchIndex, question: str) -> None:
    assert ask(filled, question).hits == ()


@pytest.mark.parametrize("question", ["speaker:holt", "party:holt", "from:2017", "call:7"])
def test_fields_alone_are_a_question(filled: SearchIndex, question: str) -> None:
    (hit,) = ask(filled, question).hits
    assert not any(piece.hit for piece in hit.pieces)


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("", "empty"), ("   ", "empty"), ("(", "word is missing"), ("(a", "not closed"), ("a)", "not opened"),
        ("-x", "not to be found"), ("-a OR b", "not to be found"), ("NOT", "word was due"),
        ('"abc', "quotation"), ("NEAR(a)", "fewer than two"), ("NEAR(a b, 0)", "within"),
        ("NEAR(a b", "ends"),
        ("NEAR(a (b))", "NEAR"), ("NEAR(a b, x)", "within"), ("a OR", "word is missing"),
        ("AND a", "beginning"),
        ("from:soon a", "no date"), ("in:x a", "in:x"), ("only:x a", "only:x"), ("call:x a", "no call"),
        ("language:1 a", "no language"), ('foo:"a b"', "no field"), ('speaker:"," a', "no name"),
        ("party:- a", "no name"), ("speaker:(a)", "nothing stands"), ("...", "no letter"),
        ('""', "no letter"),
        (", a", "stands where"), ("a " * 41, "more than 40"), ("a" * 1001, "characters"),
        ("(" * 21 + "a" + ")" * 21, "deeper"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_what_to_write(question: str, says: str) -> None:
    with pytest.raises(UsageError, match=says.replace("(", r"\(")) as caught:
        parse(question)
    assert caught.value.cure


@given(st.text(max_size=60))
def test_anything_typed_is_an_answer_or_a_usage_error(question: str) -> None:
    try:
        parse(question)
    except UsageError as error:
        assert error.cure  # noqa: PT017


HOSTILE = (
    '" OR 1=1 --', '"; DROP TABLE found; --', "stems : x", "facets:kcall", "{stems} : a", "^gas", "a + b",
    "gas*", "NEAR/2", "col: *", "\x00gas", "gas\x7f", "found MATCH 'x'", "gas'; DELETE FROM docs; --",
    "* OR *", 'facets : "kcall"', "-", "(((", "%", "_", "gas\ud800",
)  # fmt: skip


@pytest.mark.parametrize("question", HOSTILE)
def test_nothing_typed_is_ever_a_command(filled: SearchIndex, question: str) -> None:
    try:
        ask(filled, question)
    except UsageError as error:
        assert error.cure  # noqa: PT017
    assert len(ask(filled, "gas").hits) == 1


def test_an_empty_index_has_no_answer(index: SearchIndex) -> None:
    assert ask(index, "gas").hits == ()


def test_the_newest_come_first_and_pages_go_on(index: SearchIndex) -> None:
    index.put([document(ref=str(n), said=[said(0, "en", "gas")]) for n in range(1, 31)])
    first = ask(index, "gas", size=10)
    assert [hit.ref for hit in first.hits] == [str(n) for n in range(30, 20, -1)]
    assert (first.candidates, first.exact, first.more) == (30, True, True)
    last = ask(index, "gas", page=3, size=10)
    assert [hit.ref for hit in last.hits] == [str(n) for n in range(10, 0, -1)]
    assert not last.more
    assert ask(index, "gas", above=28).candidates == 2


def test_a_new_version_takes_the_place_of_the_old(index: SearchIndex) -> None:
    index.put([document()])
    assert index.known() == {("transcript", "7", ""): "a"}
    assert "ga" in terms(index)
    index.put([document(hash="b", said=[said(0, "en", "only oil")], corrected=True, version=2)])
    assert ask(index, "gas").hits == ()
    (hit,) = ask(index, "only:corrected oil").hits
    assert (hit.version, hit.corrected) == (2, True)
    assert "ga" not in terms(index)  # the stem of gas went with the version that said it
    index.remove("transcript", "7", "")
    assert terms(index) == set()
    assert ask(index, "oil").hits == ()
    assert index.put([document(said=[])])[0] > index.put([document(said=[])])[1]


def test_after_clearing_it_is_as_new(filled: SearchIndex, tmp_path: Path) -> None:
    filled.clear()
    assert (filled.known(), ask(filled, "gas").hits) == ({}, ())
    filled.put([document()])
    again = SearchIndex(tmp_path / "search.sqlite")
    assert len(ask(again, "gas").hits) == 1
    again.close()


def test_an_index_of_another_version_is_made_anew(
    filled: SearchIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memcon.catalogue.search_index.VERSION", "0")
    other = SearchIndex(tmp_path / "search.sqlite")
    assert other.known() == {}
    other.close()


def test_a_prefix_of_very_many_words_is_a_prefix_of_their_stems(
    index: SearchIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memcon.catalogue.search_query.MOST_FORMS", 3)
    monkeypatch.setattr("memcon.catalogue.search_answer.MOST_FORMS", 3)
    index.put([document(said=[said(0, "en", " ".join(f"word{n}" for n in range(20)))])])
    assert len(ask(index, "wor*").hits) == 1
    index.put([document(ref="8", said=[said(0, "en", "xab xac yab yac")])])
    with pytest.raises(UsageError, match="too many"):
        ask(index, "NEAR(xa* ya*)")


def test_a_question_that_takes_too_long_is_given_up(
    filled: SearchIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memcon.store.database.STEPS", 1)
    with pytest.raises(UsageError, match="takes longer"):
        ask(filled, "gas", seconds=-1)
    assert len(ask(filled, "gas").hits) == 1
    with pytest.raises(TooLongError), filled.db.read(seconds=-1) as db:
        db.exec_driver_sql("SELECT count(*) FROM passages, passages, passages").all()


@pytest.mark.parametrize(
    ("first", "last", "found"),
    [
        ("2017-01-28", "2017-01-28", ["d20170128"]),
        ("2017-01-01", "2017-12-31", ["y2017"]),
        ("2017-02-01", "2017-02-28", ["m201702"]),
        ("2016-12-31", "2018-02-01", ["d20161231", "y2017", "m201801", "d20180201"]),
        ("2018-01-01", "2017-01-01", ["dnone"]),
    ],
)
def test_spans_are_whole_years_months_and_days(first: str, last: str, found: list[str]) -> None:
    def day(text: str) -> date:
        from datetime import date

        return date.fromisoformat(text)

    assert list(days(day(first), day(last))) == found


def test_words_are_told_apart_and_folded() -> None:
    assert tokens("Müller’s U.S. 10:30 — x_y") == ["müller’s", "u", "s", "10", "30", "x", "y"]
    assert stems_of("Running,", "en") == ("run",)
    assert stems_of("бегущими", "ru") == stems_of("бегущим", "ru")
    assert stems_of("straße", "xx") == ("strasse",)
    assert stems_of("—", "en") == ()
    assert folded("Müller-Ære") == ("muller", "ære")
    assert (primary("en-GB"), primary("")) == ("en", "und")


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.lists(st.text(st.characters(exclude_categories=["Cc", "Cs", "Z"]), min_size=1, max_size=4),
                     min_size=1, max_size=5),
            st.booleans(),
        ), min_size=1, max_size=6,
    )
)  # fmt: skip
def test_a_passage_is_read_as_it_was_written(rows: list[tuple[int, list[str], bool]]) -> None:
    made = Passage(
        tuple(
            Said(who, "en", tuple(words), tuple(range(7, 7 + len(words))) if timed else ())
            for who, words, timed in rows
        )
    )
    assert unpack(made.pack()) == made
    assert made.first == (7 if any(timed for *_, timed in rows) else 0)


@given(st.lists(st.integers(1, 700), max_size=8))
def test_passages_hold_every_word_once(lengths: list[int]) -> None:
    talk = [said(0, "en", " ".join(f"w{n}" for n in range(length))) for length in lengths]
    made = list(cut(talk))
    assert [w for p in made for s in p.said for w in s.words] == [w for s in talk for w in s.words]
    assert all(passage.count <= MOST for passage in made)
    assert all(passage.count >= LONG // 2 or passage is made[-1] or passage.count <= MOST for passage in made)


def test_a_transcript_is_read_in_order_of_time() -> None:
    of = Subject("call", "7", "ab" * 32, 9000, "cd" * 32)
    a = Lane("A", speaker="Holt", language="en", utterances=(
        Utterance(2000, 3000, (Word("Yes.", 2000, 3000, 900), Word("", 3000, 3000, None, ("inaudible",)))),
        Utterance(5000, 5000, ()),
    ))  # fmt: skip
    good = Utterance(0, 1000, (Word("Good", 0, 500, 1), Word("day.", 500, 1000, 1)))
    b = Lane(
        "B", utterances=(good, Utterance(3000, 4000, (Word("Interpreted.", 3000, 4000, 1),), speaker="C"))
    )
    speakers, talk = of_transcript(Transcript(of, "x", (a, b)))
    assert speakers == ["Holt", "", "C"]
    assert [(one.speaker, one.words) for one in talk] == [
        (1, ("Good", "day.")),
        (0, ("Yes.",)),
        (2, ("Interpreted.",)),
    ]
    assert [one.words for one in of_text("One two\n\nthree", "en")] == [("One", "two"), ("three",)]
