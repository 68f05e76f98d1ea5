from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.aftermath.followed import read_followed
from memcon.aftermath.timeline import Filter, Item, date_words, facts, items_of, timelinejs
from memcon.aftermath.timeline_svg import alone, drawn
from memcon.record import edtf

from .test_followed import Book, avdiivka

CALL = edtf.parse("2017-01-28")


def line(*extra: tuple[str, str]) -> list[Item]:
    book = avdiivka()
    for title, when in extra:
        book.add("event", title=title, when=when)
    return items_of("The call", CALL, read_followed(book.entries))


def test_items_stand_in_order_of_time_the_call_among_them() -> None:
    items = line(
        ("Before", "2017-01-27/2017-01-28"), ("Later", "2017-02-XX"), ("Since when", "../2017-03-01")
    )
    assert [i.title for i in items] == [
        "Before",
        "The call",
        "Killed at Avdiivka",
        "Later",
        "Licence",
        "Since when",
    ]
    assert [i.uncertain for i in items] == [True, False, False, True, False, True]
    assert items[2].sources == (7,)
    assert items_of("The call", None, read_followed([]))[0].when == "not dated"


@pytest.mark.parametrize(
    ("date", "words"),
    [
        ("2017-01-29", "2017-01-29"),
        ("2017-01-29~", "about 2017-01-29"),
        ("2017-01?", "some time in 2017-01 (uncertain)"),
        ("2017-01-XX", "some time in 2017-01"),
        ("201X", "some time in 201X"),
        ("2017-01-27/2017-01-28~", "about 2017-01-27 to 2017-01-28"),
        ("2017-01-27/..", "2017-01-27 on"),
        ("../2017-01-27", "until 2017-01-27"),
        ("/2017-01-27", "not known to 2017-01-27"),
    ],
)
def test_doubt_is_said(date: str, words: str) -> None:
    assert date_words(edtf.parse(date)) == words


@pytest.mark.parametrize(
    ("asked", "titles"),
    [
        (Filter(), ["The call", "Killed at Avdiivka", "Later", "Licence"]),
        (Filter(kinds=frozenset({"act"})), ["The call", "Licence"]),
        (Filter(text="EASING sanctions"), ["The call", "Licence"]),
        (Filter(who="dpr"), ["The call", "Killed at Avdiivka"]),
        (Filter(since=edtf.parse("2017-02-10").start), ["The call", "Later"]),
        (Filter(until=edtf.parse("2017-01-30").start), ["The call", "Killed at Avdiivka"]),
    ],
)
def test_filters_keep_the_call_and_what_may_have_been(asked: Filter, titles: list[str]) -> None:
    assert [i.title for i in line(("Later", "2017-02-XX")) if asked.shows(i)] == titles


def test_timelinejs_gets_spans_words_and_no_markup_of_strangers() -> None:
    told = timelinejs(line(("<img src=x onerror=alert(1)>", "2017-02")), "2017-01-28/1")
    later = next(e for e in told["events"] if "img" in e["text"]["headline"])
    assert later["text"]["headline"].startswith("&lt;img")
    assert later["start_date"] == {"year": 2017, "month": 2, "day": 1, "display_date": "some time in 2017-02"}
    assert later["end_date"]["day"] == 28
    fight = next(e for e in told["events"] if e["group"] == "event" and "Avdiivka" in e["text"]["headline"])
    assert "end_date" not in fight
    assert "first said by E. Basurin" in fight["text"]["text"]
    assert told["title"]["text"]["headline"] == "The call"


def test_facts_name_every_account_and_its_place() -> None:
    told = facts(line())
    fight = next(i for i in told if i["title"] == "Killed at Avdiivka")
    assert fight["accounts"][0]["figures"] == {"killed_best": 5, "wounded_best": 14}
    assert fight["accounts"][0]["source"] == 7
    assert [r["calls_it"] for r in told[-1]["readings"]] == ["a technical licence", "an easing of sanctions"]


def test_the_picture_draws_spans_as_brackets() -> None:
    items = line(("Before", "2017-01-27/2017-01-28"), ("Open", "2017-02-10/.."), ("Begun?", "/2017-01-20"))
    svg = drawn(items)
    root = ET.fromstring(svg)  # noqa: S314 # made here
    assert root.get("role") == "group", "an image may not hold links"
    assert root.get("aria-label") == (
        "Time line: 2 before the call, 3 after it; 3 drawn as spans, since their day is not known."
    )
    assert svg.count("stroke-dasharray") == 2
    ET.fromstring(alone(svg).encode())  # noqa: S314
    assert "the call is not dated" in drawn(items_of("The call", None, read_followed(avdiivka().entries)))
    assert "0 items" in drawn(items_of("The call", None, read_followed([])))


@given(
    st.lists(
        st.tuples(
            st.text(max_size=60),
            st.sampled_from(
                ["0001", "9999", "19XX", "2017-21", "../9999", "0001/..", "2017-01-29T10:00Z", "20XX~"]
            ),
        ),
        max_size=5,
    )
)
def test_any_line_can_be_drawn(extra: list[tuple[str, str]]) -> None:
    book = Book()
    for title, when in extra:
        clean = "".join(c for c in title if c.isprintable()) or "x"
        book.add("event", title=clean if clean.strip() else "x", when=when)
    items = items_of("<call & 'answer'>", CALL, read_followed(book.entries))
    ET.fromstring(drawn(items))  # noqa: S314
    timelinejs(items, "2017-01-28/1")
