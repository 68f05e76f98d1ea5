"""Events and the accounts of them: side by side, checked when written, wrong bodies refused by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.aftermath.bodies import FIELDS, complete
from memcon.aftermath.followed import check, figure_words, read_followed
from memcon.errors import FormatError, UsageError


@dataclass(frozen=True)
class Entry:
    n: int
    kind: str
    body: dict[str, Any]
    by: str = "A. Reader"
    at: str = "2026-11-25T00:00:00Z"


ANSWER: dict[str, Any] = {"sentence": "x", "seen": [], "not_concluded": [], "how": ""}


@dataclass
class Book:
    entries: list[Entry] = field(default_factory=list)

    def add(self, kind: str, **body: Any) -> int:
        self.entries.append(Entry(len(self.entries) + 2, kind, body))
        return self.entries[-1].n


def avdiivka() -> Book:
    book = Book()
    n = book.add("event", title="Killed at Avdiivka", when="2017-01-29", place="Avdiivka", cameo="190")
    book.add("account", event=n, who="ATO headquarters", killed_best=5, wounded_best=14, source=7)
    book.add("account", event=n, who="DPR command", killed_low=20, wounded_low=30, original="E. Basurin")
    book.add("account", event=n, who="UCDP", killed_low=0, killed_best=0, killed_high=10)
    act = book.add("event", title="Licence", when="2017-02-02", nature="act")
    book.add("reading", event=act, who="OFAC", calls_it="a technical licence")
    book.add("reading", event=act, who="others", calls_it="an easing of sanctions")
    book.add("hypothesis", text="Fighting rises after calls", chosen="before")
    book.add("study", answer=ANSWER, facts={})
    book.add("claim", text="another room's")
    return book


def test_accounts_stand_side_by_side_and_none_is_merged() -> None:
    found = read_followed(avdiivka().entries)
    fight, act = found.events.values()
    assert [a.words for a in fight.accounts] == [
        "5 killed, 14 wounded",
        "at least 20 killed, at least 30 wounded",
        "0 to 10 killed (best 0)",
    ]
    assert fight.accounts[1].original == "E. Basurin"
    assert [r.words for r in act.readings] == ["a technical licence", "an easing of sanctions"]
    assert next(iter(found.hypotheses.values())).chosen == "before"
    assert len(found.studies) == 1


def test_an_account_goes_with_its_event() -> None:
    entries = [e for e in avdiivka().entries if e.n != 2]
    assert [e.title for e in read_followed(entries).events.values()] == ["Licence"]


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({}, ""),
        ({"killed_high": 9}, "at most 9 killed"),
        ({"killed_low": 1, "killed_high": 9}, "1 to 9 killed"),
        (
            {"killed_low": 4, "killed_best": 4, "killed_high": 4, "wounded_best": 1200},
            "4 killed, 1,200 wounded",
        ),
    ],
)
def test_figures_in_words(figures: dict[str, int], words: str) -> None:
    assert figure_words(figures) == words


@pytest.mark.parametrize(
    ("kind", "body", "problem"),
    [
        ("event", {"title": "x"}, "at when: is missing"),
        ("event", {"title": "x", "when": "2017-02-30"}, "is no day there can be"),
        ("event", {"title": "x", "when": ""}, "at when: is empty"),
        ("event", {"title": " ", "when": "2017"}, "at title: is empty"),
        ("event", {"title": "a\x00b", "when": "2017"}, "control character"),
        ("event", {"title": "x", "when": "2017", "killed": 5}, "there is no such field"),
        ("event", {"title": "x", "when": "2017", "cameo": "fight"}, "no CAMEO code"),
        ("event", {"title": "x", "when": "2017", "latitude": "91N"}, "no coordinate"),
        ("event", {"title": "x", "when": "2017", "nature": "rumour"}, "none of event, act"),
        ("event", {"title": "x" * 6000, "when": "2017"}, "longer than 5,000"),
        ("account", {"event": 1, "who": "x", "killed_low": 9, "killed_best": 5}, "not in order"),
        ("account", {"event": 1, "who": "x", "killed_low": -1}, "no number from 0"),
        ("account", {"event": True, "who": "x"}, "no number from 0"),
        ("account", {"event": 1, "who": "x", "start": 4}, "no span"),
        ("account", {"event": 1, "who": "x", "source": 1, "start": 4, "end": 4}, "no span"),
        ("study", {"answer": "yes", "facts": {}}, "is no answer"),
        ("study", {"answer": ANSWER | {"seen": [1]}, "facts": {}}, "no lists of texts"),
        ("study", {"answer": ANSWER, "facts": []}, "is no object"),
    ],
)
def test_what_is_no_body_is_named(kind: str, body: dict[str, Any], problem: str) -> None:
    with pytest.raises(FormatError, match=problem):
        complete(kind, body)


@given(
    st.sampled_from(sorted(FIELDS)),
    st.dictionaries(
        st.sampled_from(sorted({name for fields in FIELDS.values() for name in fields})),
        st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.just({}),
        max_size=9,
    ),
)
def test_a_body_is_complete_or_a_format_error(kind: str, body: dict[str, Any]) -> None:
    try:
        full = complete(kind, body)
    except FormatError:
        return
    assert complete(kind, full) == full
    assert set(full) == set(FIELDS[kind])


def test_what_an_entry_names_must_be_there() -> None:
    found = read_followed(avdiivka().entries)
    assert check("account", {"event": 2, "who": "x", "source": 7}, found, {7})["says"] == ""
    with pytest.raises(UsageError, match="entry 3 is no event"):
        check("reading", {"event": 3, "who": "x", "calls_it": "y"}, found, ())
    with pytest.raises(UsageError, match="entry 8 is no source"):
        check("account", {"event": 2, "who": "x", "source": 8}, found, {7})
    with pytest.raises(UsageError, match="no kind of entry"):
        check("claim", {}, found, ())
