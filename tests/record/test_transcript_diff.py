"""What changed between two versions, word by word."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from memcon.record.transcript import Lane, Subject, Transcript, Utterance, Word
from memcon.record.transcript_diff import Change, changed_words, differences

OF = Subject("call", "1", "ab" * 32, 60_000, "cd" * 32)


def said(start: int, text: str, **change: str) -> Utterance:
    words = tuple(Word(w, start + 100 * i, start + 100 * i + 90) for i, w in enumerate(text.split()))
    return replace(Utterance(start, start + 100 * len(words), words), **change)  # type: ignore[arg-type]


def version(*utterances: Utterance, name: str = "A", speaker: str = "Ada") -> Transcript:
    return Transcript(OF, "x", (Lane(name, speaker=speaker, language="en", utterances=utterances),))


def test_words_that_changed() -> None:
    old = version(said(0, "good morning to you"), said(5000, "yes"), said(9000, "the same"))
    new = version(said(0, "good evening to"), said(9000, "the same"), said(20_000, "and more words"))
    changes = differences(old, new)
    assert changes == [
        Change("A", 100, 190, "replaced", "morning", "evening"),
        Change("A", 300, 390, "removed", "you", ""),
        Change("A", 5000, 5090, "removed", "yes", ""),
        Change("A", 20_000, 20_290, "added", "", "and more words"),
    ]
    assert changed_words(changes) == (3, 4)


def test_borders_of_utterances_are_no_change() -> None:
    one = said(0, "good morning to you all")
    first = replace(one, end=290, words=one.words[:3])
    second = replace(one, start=300, words=one.words[3:])
    assert differences(version(one), version(first, second)) == []
    assert differences(version(first, second), version(one)) == []


def test_marks_and_speakers() -> None:
    old = version(said(0, "good morning"), said(1000, "well"))
    marked = replace(
        said(0, "good morning"), words=(Word("good", 0, 90, None, ("crosstalk",)), Word("morning", 100, 190))
    )
    new = version(marked, said(1000, "well", speaker="Grace"), speaker="Bob")
    assert differences(old, new) == [
        Change("A", 0, 60_000, "speaker", "Ada", "Bob"),
        Change("A", 0, 90, "marked", "", "crosstalk"),
        Change("A", 1000, 1090, "speaker", "", "Grace"),
    ]
    assert changed_words(differences(old, new)) == (0, 0)


def test_a_lane_that_one_version_lacks() -> None:
    old, new = version(said(0, "hello"), name="A"), version(said(0, "hello"), name="B")
    assert [(c.lane, c.what) for c in differences(old, new)] == [("A", "removed"), ("B", "added")]
    assert differences(old, replace(old, lanes=())) == [Change("A", 0, 90, "removed", "hello", "")]


_texts = st.lists(st.tuples(st.integers(0, 20), st.sampled_from(["a b", "b", "c a", "a"])), max_size=6)


def _version(rows: list[tuple[int, str]]) -> Transcript:
    return version(*(said(1000 * at, text) for at, text in sorted(rows)))


@given(_texts, _texts)
def test_the_counts_of_words_add_up(left: list[tuple[int, str]], right: list[tuple[int, str]]) -> None:
    old, new = _version(left), _version(right)
    gone, come = changed_words(differences(old, new))
    assert new.count() - old.count() == come - gone
    assert (differences(old, new) == []) == (gone == come == 0)
