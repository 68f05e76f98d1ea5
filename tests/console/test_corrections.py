"""What a person typed becomes words with times; what they left alone keeps its own."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.console.said import solheim_keller, utterance

from memcon.console.corrections import (
    Corrections,
    Edit,
    Part,
    Typed,
    again,
    corrected,
    read,
    timed,
    typed,
)
from memcon.errors import FormatError, UsageError
from memcon.record.transcript import MARKS, Translation, Word, decode
from memcon.record.transcript_diff import differences

IT = replace(solheim_keller(), at="2026-11-28T08:00:00Z")
SOLHEIM = IT.lanes[0].utterances
_texts = st.text(st.sampled_from("ab[]\\:,."), min_size=1, max_size=6) | st.sampled_from(
    ["[uncertain:", "[inaudible]", "[inaudible,", "uncertain:", "\\[crosstalk:", "]"]
)
_marks = st.lists(st.sampled_from(MARKS), unique=True, max_size=2).map(tuple)


@given(st.lists(st.tuples(_texts, _marks), max_size=8))
@example([("[inaudible,", ("crosstalk",)), ("uncertain:", ("crosstalk",))])
def test_what_stands_there_to_be_changed_reads_as_what_it_is(rows: list[tuple[str, tuple[str, ...]]]) -> None:
    words = [Word(text, n, n, 900, marks) for n, (text, marks) in enumerate(rows)]
    words.append(Word("", 99, 99, None, ("inaudible",)))
    assert read(typed(words)) == [Typed(word.text, word.marks) for word in words]


@given(st.text(max_size=60))
def test_whatever_is_typed_is_words_or_an_error_that_says_why(text: str) -> None:
    words: list[Typed] = []
    with contextlib.suppress(FormatError):
        words = read(text)
    assert all(word.text == word.text.strip() for word in words)


@given(st.lists(st.sampled_from("abcdef"), max_size=9), st.lists(st.sampled_from("abcdefxyz"), max_size=9))
def test_times_stand_in_order_inside_the_utterance(before: list[str], after: list[str]) -> None:
    old = [Word(text, 1000 + n * 100, 1120 + n * 100, 900) for n, text in enumerate(before)]
    end = old[-1].end if old else 1500
    words = timed(old, [Typed(text) for text in after], 1000, end, end + 5000)
    assert [word.text for word in words] == after
    starts = [word.start for word in words]
    assert starts == sorted(starts)
    assert all(1000 <= word.start <= word.end <= end + 5000 for word in words)


def test_a_word_left_alone_keeps_its_time_and_one_put_right_takes_the_old_ones() -> None:
    old = [
        Word(text, n * 400, n * 400 + 350, 900)
        for n, text in enumerate(["we", "hold", "the", "harber", "master"])
    ]
    words = timed(old, read("we hold the [uncertain: harbour] master"), 0, 1950, 1950)
    assert words[:3] == old[:3]
    assert words[3] == Word("harbour", 1200, 1550, None, ("uncertain",))
    assert words[4] == old[4]


def test_words_added_lie_between_their_neighbours_and_two_for_one_share_by_letters() -> None:
    old = [Word("one", 0, 300, 900), Word("threefour", 1000, 2000, 900)]
    added = timed(old, read("one two threefour"), 0, 2000, 9000)
    assert added[1] == Word("two", 300, 1000, None)
    shared = timed(old, read("one three four"), 0, 2000, 9000)
    assert [(w.text, w.start, w.end) for w in shared[1:]] == [("three", 1000, 1545), ("four", 1545, 2000)]
    longer = timed(old, read("one threefour five"), 0, 2000, 2200)
    assert longer[2] == Word("five", 2000, 2200, None)


def edit(n: int, *parts: str, speaker: str = "", lane: int = 0) -> Edit:
    said = IT.lanes[lane].utterances[n]
    return Edit(IT.lanes[lane].name, said.start, typed(said.words), tuple(Part(speaker, p) for p in parts))


def test_a_correction_is_a_persons_version_over_the_one_it_was_written_over() -> None:
    made = corrected(
        IT, Corrections((edit(4, "I will call him when we hang up."),), note="heard again"), "olaf"
    )
    assert (made.by, made.machine, made.corrects, made.note) == ("olaf", None, 1, "heard again")
    kept = replace(made, version=2, previous="ab" * 32)
    assert decode(kept.encode()) == kept
    changes = differences(IT, made)
    assert [(c.before, c.after) for c in changes] == [("her", "him")]


def test_an_utterance_is_split_renamed_removed_and_added() -> None:
    split = edit(1, "You will have it.", "I am going to ask the hydrologist to join;", speaker="Ada Berg")
    lone = Edit("B", 5000, None, (Part("", "Good morning."), Part("Aide", "[inaudible]"), Part("", " ")))
    changes = Corrections((split, edit(4), lone), {"B": "President Keller"})
    made = corrected(IT, changes, "olaf")
    said = made.lanes[0].utterances
    assert len(said) == len(SOLHEIM)
    assert [one.speaker for one in said[1:3]] == ["Ada Berg", "Ada Berg"]
    assert said[1].words == SOLHEIM[1].words[:4]
    assert said[2].start == SOLHEIM[1].words[4].start
    assert said[2].end == SOLHEIM[1].end
    new = made.lanes[1].utterances
    assert [(one.start, one.end, one.speaker) for one in new[:2]] == [(5000, 5600, ""), (5600, 5900, "Aide")]
    assert new[1].words[0].marks == ("inaudible",)
    assert made.lanes[1].speaker == "President Keller"
    replace(made, version=2, previous="ab" * 32).encode()


def test_a_translation_stays_where_only_marks_changed() -> None:
    there = (Translation("no", "Jeg ringer.", "base"),)
    lane = replace(IT.lanes[0], utterances=(*SOLHEIM[:4], replace(SOLHEIM[4], translations=there)))
    it = replace(IT, lanes=(lane, IT.lanes[1]))
    marked = corrected(it, Corrections((edit(4, "I will call [uncertain: her] when we hang up."),)), "olaf")
    assert marked.lanes[0].utterances[4].translations == there
    changed = corrected(it, Corrections((edit(4, "I will call him when we hang up."),)), "olaf")
    assert changed.lanes[0].utterances[4].translations == ()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (Corrections(), "Nothing was changed"),
        (Corrections((edit(4, "I will call her when we hang up."),)), "Nothing was changed"),
        (Corrections((Edit("A", 1, "x", ()),)), "no utterance of lane A at 0.0 s"),
        (Corrections((replace(edit(4, "x"), before="other"),)), "no utterance of lane A"),
        (Corrections((Edit("C", 1, None, ()),)), "there is no lane C"),
        (Corrections((), {"Q" * 99: "x"}), "there is no lane Q"),
        (Corrections((edit(4, "[uncertain: never closed"),)), "is not closed"),
        (Corrections((edit(4, "[uncertain]"),)), "marks no word"),
    ],
)
def test_what_cannot_be_written_is_said(changes: Corrections, why: str) -> None:
    with pytest.raises((UsageError, FormatError), match=why):
        corrected(IT, changes, "olaf")


def test_words_at_the_end_of_the_call_do_not_leave_it() -> None:
    it = replace(IT, of=replace(IT.of, duration=SOLHEIM[4].end))
    it = replace(it, lanes=(it.lanes[0],))
    made = corrected(it, Corrections((edit(4, "I will call her when we hang up. All right."),)), "olaf")
    replace(made, version=2, previous="ab" * 32).encode()
    late = Edit("A", it.of.duration + 5, None, (Part("", "And so on"),))
    replace(corrected(it, Corrections((late,)), "olaf"), version=2, previous="ab" * 32).encode()


def test_an_earlier_version_made_current_again_says_the_same() -> None:
    made = again(IT, "olaf")
    assert (made.lanes, made.corrects, made.note) == (IT.lanes, 1, "Version 1 made current again")
    assert utterance("one", 0) not in made.lanes[0].utterances
