"""Topics found and not found: whole words, capitals, the longest term, phrases that mean something else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.accounts.lexicon import Lexicon, extended, own, words
from memcon.errors import FormatError


def topics(text: str) -> set[str]:
    return {m.topic for m in own().find(text)}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("They spoke of Karabakh.", {"nagorno-karabakh"}),
        ("telecommunications security", {"telecoms-technology"}),
        ("is and was, this isn't", set()),
        ("destroy IS and its helpers", {"isis"}),
        ("the rule IS CLEAR", set()),
        ("HE SAID IT IS READY", set()),
        ("he told us", set()),
        ("relations with the US", {"US"}),
        ("relations with the U.S. were poor", {"US"}),
        ("Turkey hosted them", {"TR"}),
        ("TURKEY HOSTED THEM", {"TR"}),
        ("a wild turkey", set()),
        ("They met in Geneva.", set()),
        ("Geneva has protested", {"CH"}),
        ("the OSCE Minsk Group", {"nagorno-karabakh"}),
        ("the Minsk agreements", {"UA"}),
        ("Russia's fleet", {"RU"}),
        ("International Atomic Energy Agency", {"non-proliferation"}),
        ("with renewed energy", set()),
        ("energy markets", {"energy"}),
        ("chemical weapons", {"chemical-weapons"}),
        ("South Sudan", {"SS"}),
        ("South Africa", {"ZA"}),
        ("the Paris Agreement", {"climate"}),
        ("OPEC+ cuts", {"energy"}),
        ("президент Ирана", {"IR"}),
        ("в китах и китаях", set()),
        ("ситуация в Китае", {"CN"}),
        ("борьба с ИГИЛ и терроризмом", {"isis", "terrorism"}),
        ("минские договоренности", {"UA"}),
        ("la situation en Ukraine", {"UA"}),
        ("die Lage in der Ukraine und in Syrien", {"UA", "SY"}),
        ("同意就乌克兰和叙利亚问题保持沟通", {"UA", "SY"}),
        ("", set()),
    ],
)
def test_what_a_text_speaks_of(text: str, wanted: set[str]) -> None:
    assert topics(text) == wanted


def test_every_country_is_found_by_its_own_name() -> None:
    lexicon = own()
    missed = []
    for topic in lexicon.topics.values():
        if topic.country and topic.id == topic.country:
            found = topics(f"The situation of {topic.label} was discussed.")
            missed += [topic.label] if topic.id not in found and topic.label != "Chagos" else []
    assert missed == []
    assert len([t for t in lexicon.topics.values() if t.country]) > 200


@given(st.text())
def test_mentions_lie_in_the_text_in_order(text: str) -> None:
    found = own().find(text)
    assert all(0 <= m.start < m.end <= len(text) for m in found)
    assert [m.start for m in found] == sorted(m.start for m in found)


@given(st.sampled_from(["Syria", "Karabakh", "терроризм", "arms control"]), st.text(alphabet="abzя"))
def test_no_topic_in_the_middle_of_a_word(term: str, around: str) -> None:
    if around:
        assert not own().find(around + term.replace(" ", "x") + around)


def test_a_user_adds_topics_and_takes_terms_away() -> None:
    made = extended(
        {
            "mine.toml": b'[fisheries]\nlabel = "Fisheries"\nen = "fish*; trawler(s)"\n'
            b'[climate]\ndrop = "climate; climat*"\n[RU]\nen = "Muscovy"\nnot = "Muscovy duck"\n'
        }
    )
    found = {m.topic for m in made.find("Trawlers, the climate, Muscovy; a Muscovy duck")}
    assert found == {"fisheries", "RU"}
    assert made.label("fisheries") == "Fisheries"
    assert made.label("my own word") == "my own word"
    assert not own().find("trawlers")
    assert extended({}) is own()


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\xff", "no TOML"),
        (b"[x", "no TOML"),
        (b'x = "y"', "table of texts"),
        (b"[x]\nlabel = 1", "table of texts"),
        (b'[x]\nen = "y"', "needs a label"),
        (b'[x]\nlabel = "x"\nklingon = "y"', "no language"),
        (b'[x]\nlabel = "x"\nen = "*"', "no term"),
        (b'[x]\nlabel = "x"\nen = "--"', "no term"),
        (b'[x]\nlabel = "x"\nen = "' + b"y" * 300 + b'"', "longer"),
    ],
)
def test_a_file_that_is_no_lexicon_is_refused_by_name(data: bytes, problem: str) -> None:
    with pytest.raises(FormatError, match="mine\\.toml") as refused:
        extended({"mine.toml": data})
    assert problem in str(refused.value)


def test_words_are_read_from_their_file() -> None:
    assert "u.s" in words("abbreviations")
    assert Lexicon().find("anything") == []
