"""Texts cut into points: none dropped, each in one, each of a kind; and who is said to have raised it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.accounts.lexicon import own
from memcon.accounts.model import MarkedPoint, Participant
from memcon.accounts.points import Point, points_of
from memcon.accounts.sentences import sentences
from memcon.accounts.speakers import speakers_of

PEOPLE = [
    Participant("A", "Ada J. Adams", "Prime Minister of the United Kingdom", "GB"),
    Participant("B", "Boris Bell", "President of Russia", "RU"),
]
SPEAKERS = speakers_of(PEOPLE, own())


def points(text: str, *marked: MarkedPoint) -> list[Point]:
    return points_of(1, text, own(), SPEAKERS, own=frozenset({"GB", "RU"}), marked=marked)


def mark(n: int, start: int, end: int, kind: str = "tone", *topics: str) -> MarkedPoint:
    return MarkedPoint(n, "P", "2026-11-24T00:00:00Z", 1, start, end, kind, topics, "", "")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("President Donald J. Trump spoke. Mr. Putin answered.", 2),
        ("Talks in the U.S. The leaders agreed.", 2),
        ("The U.S. President spoke at 3 p.m. today. Done.", 2),
        ("It cost 3.5 billion. He said so!", 2),
        ("«Мы согласны». Он уехал в г. Москву.", 2),
        ("First paragraph\n\nSecond paragraph", 2),
        ("Topics:\n- Syria\n- Iran\n1. Trade", 4),
        ("双方讨论了乌克兰。会谈很好。", 2),
        ('He said "we agree." Then he left.', 2),
        ("Wait... and see. Good?! Yes.", 3),
        ("one line\nbroken in the middle. Next.", 2),
        ("", 0),
        ("  \n ", 0),
    ],
)
def test_sentences(text: str, count: int) -> None:
    assert len(list(sentences(text))) == count


@given(st.text(alphabet=st.sampled_from('ab. \n!?AВ。-1"U.S.Mr'), max_size=60))
def test_every_character_but_space_is_in_exactly_one_sentence(text: str) -> None:
    spans = list(sentences(text))
    inside = [i for start, end in spans for i in range(start, end)]
    assert len(inside) == len(set(inside))
    assert {i for i, char in enumerate(text) if not char.isspace()} <= set(inside)


@given(
    st.text(alphabet=st.sampled_from("Syria. Iran? x\n"), min_size=1, max_size=80),
    st.lists(st.tuples(st.integers(0, 79), st.integers(1, 30)), max_size=4),
)
def test_marks_cut_sentences_and_nothing_is_lost(text: str, cuts: list[tuple[int, int]]) -> None:
    marks = [mark(n, a, min(a + b, len(text))) for n, (a, b) in enumerate(cuts, 2) if a < len(text)]
    found = points(text, *marks)
    inside = [i for p in found for i in range(p.start, p.end)]
    assert len(inside) == len(set(inside))
    assert {i for i, char in enumerate(text) if not char.isspace()} <= set(inside)
    assert [p.number for p in found] == list(range(1, len(found) + 1))


@pytest.mark.parametrize(
    ("text", "kind", "topics"),
    [
        ("They discussed Syria and Iran.", "substance", ("SY", "IR")),
        ("He congratulated him on his birthday.", "courtesy", ()),
        ("They spoke by telephone at the initiative of the British side.", "logistics", ()),
        ("The conversation took place in a constructive atmosphere.", "tone", ()),
        ("Nothing of the kind.", "unclassified", ()),
        ("Russia and the United Kingdom have long histories.", "unclassified", ()),
        ("Состоялся телефонный разговор.", "logistics", ()),
    ],
)
def test_kinds(text: str, kind: str, topics: tuple[str, ...]) -> None:
    (found,) = points(text)
    assert (found.kind, found.topics) == (kind, topics)


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("Ada Adams stressed the need for peace.", "A"),
        ("The Prime Minister underlined it.", "A"),
        ("The President of Russia noted that it was so.", "B"),
        ("The Russian side disagreed.", "B"),
        ("Both leaders welcomed it.", "both"),
        ("Ms Adams and Mr Bell had a discussion.", "both"),
        ("It was agreed to go on.", "both"),
        ("Mr Bell told Ms Adams about it.", "B"),
        ("Nobody knows.", ""),
        ("Стороны условились продолжать.", "both"),
    ],
)
def test_who_raised_it(text: str, side: str) -> None:
    assert points(text)[0].raised_by == side


def test_a_persons_mark_stands_and_the_newest_wins() -> None:
    text = "They discussed Syria. The call was constructive."
    found = points(text, mark(5, 0, 21, "courtesy"), mark(9, 0, 14, "substance", "fisheries"))
    assert [(p.start, p.end, p.kind, p.topics, p.marked) for p in found][:2] == [
        (0, 14, "substance", ("fisheries",), 9),
        (14, 21, "substance", ("SY",), None),
    ]
    assert found[2].kind == "tone"


def test_people_without_names_or_countries_are_nobody() -> None:
    speakers = speakers_of([Participant("A", "X", "", "")], own())
    assert speakers.raised("The President of Russia spoke.") == ""


def test_one_paragraph_of_a_megabyte_is_cut_without_reading_it_again_at_every_stop() -> None:
    one = "He said that No. 7 of the U.S. list was discussed. "
    assert len(list(sentences(one * 20_000))) == 20_000
