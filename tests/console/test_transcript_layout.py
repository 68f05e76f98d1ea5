"""Where words stand on the page: turns, what was said together, gaps at their place."""

from __future__ import annotations

import pytest
from tests.console.said import HOSTILE, solheim_keller, utterance

from memcon.console.transcript_html import block_html, gap_words, seconds
from memcon.console.transcript_layout import Block, Piece, Turn, blocks, short_losses, turns
from memcon.console.transcript_section import Minute, Newest, parts_of
from memcon.console.words import NBSP
from memcon.record.transcript import Lane, Stretch, Translation, Utterance, Word


def shape(lanes: tuple[Lane, ...]) -> list[str]:
    return [
        turn.gap.stretch.what if turn.gap else "+".join(piece.lane.name for piece in turn.pieces)
        for turn in turns(lanes)
    ]


def test_turns_stand_by_time_and_side_by_side_where_two_speak_at_once() -> None:
    lanes = solheim_keller().lanes
    assert shape(lanes) == ["B", "A+B", "B", "A", "hold", "A", "A", "B", "A"]
    told = turns(lanes)
    assert [turn.start for turn in told] == sorted(turn.start for turn in told)
    inside = [s.what for turn in told for piece in turn.pieces for s in piece.gaps]
    assert inside == ["lost"]


def test_a_breath_of_overlap_is_no_speaking_at_once() -> None:
    one, other = utterance("one two three", 0), utterance("four five", 900)
    assert shape((Lane("A", utterances=(one,)), Lane("B", utterances=(other,)))) == ["A", "B"]
    long = utterance("one two three four five six", 0)
    lanes = (Lane("A", utterances=(long,)), Lane("B", utterances=(other, utterance("six seven", 1700))))
    assert shape(lanes) == ["A+B", "B"]  # a row holds one utterance of a lane


def test_a_gap_of_one_lane_names_it_and_one_of_all_does_not() -> None:
    hold, tone = Stretch(0, 31_000, "hold"), Stretch(40_000, 42_500, "tone")
    lanes = (Lane("A", stretches=(hold, tone)), Lane("B", stretches=(hold,)))
    html = "".join(block_html(block) for block in blocks(lanes)).replace(NBSP, " ")
    assert "hold 31 s, no audio was sent<" in html
    assert "tone 2 s on lane A<" in html
    assert block_html(blocks((Lane("A", stretches=(hold,)),))[0]).count("on lane A") == 1


def test_short_losses_are_counted_and_not_drawn() -> None:
    lost = tuple(Stretch(at, at + 60, "lost") for at in range(0, 600, 200))
    lanes = (Lane("A", utterances=(utterance("one two three", 0),), stretches=lost),)
    assert short_losses(lanes) == (3, 180)
    assert shape(lanes) == ["A"]
    assert not [piece.gaps for turn in turns(lanes) for piece in turn.pieces if piece.gaps]


def test_minutes_are_all_there_and_empty_ones_too() -> None:
    lanes = (Lane("A", utterances=(utterance("one", 0), utterance("two", 185_000))),)
    assert [(block.minute, len(block.turns)) for block in blocks(lanes)] == [(0, 1), (1, 0), (2, 0), (3, 1)]
    assert [block.minute for block in blocks(lanes, 2)] == [2, 3]
    assert blocks(lanes, 2, 2) == [Block(2, ())]
    assert blocks(()) == []


def test_marks_are_words_and_runs_of_the_same_stand_in_one_bracket() -> None:
    words = (
        Word("so", 0, 100, 900),
        Word("we", 100, 200, 900, ("crosstalk",)),
        Word("go", 200, 300, None, ("crosstalk",)),
        Word("", 300, 900, None, ("inaudible",)),
        Word("", 900, 950, None, ("inaudible",)),
        Word("home", 950, 1200, 420),
    )
    said = Utterance(0, 1200, words, "Somebody else", "nb", (Translation("en", "<b>home</b>", "base"),))
    html = block_html(blocks((Lane("A", speaker="Ada", utterances=(said,)),))[0])
    assert html.count("[crosstalk:") == 1
    assert html.count("[inaudible]") == 2
    assert 'title="confidence 0.42">home</span><span class="vh"> (unsure)' in html
    assert 'class="utt lane0 other"' in html
    assert '<p lang="nb">' in html
    assert "&lt;b&gt;home" in html
    assert 'data-t="0.3" data-e="0.9"' in html


def test_hostile_words_and_names_stay_words() -> None:
    said = Utterance(0, 1000, (Word(HOSTILE, 0, 1000, 900),), HOSTILE)
    html = block_html(blocks((Lane("A", speaker=HOSTILE, utterances=(said,)),))[0])
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 2


def test_languages_without_spaces_have_none() -> None:
    said = Utterance(0, 20, (Word("今日", 0, 10, 900), Word("は", 10, 20, 900)))
    assert "</span><span" in block_html(blocks((Lane("A", language="ja", utterances=(said,)),))[0])


@pytest.mark.parametrize(
    ("ms", "text"), [(0, "0"), (137_000, "137"), (137_250, "137.25"), (60_007, "60.007"), (100_000, "100")]
)
def test_seconds_have_no_more_digits_than_they_need(ms: int, text: str) -> None:
    assert seconds(ms) == text


def test_gaps_say_how_long() -> None:
    assert gap_words(Stretch(0, 3000, "lost")) == f"3{NBSP}s lost"
    assert gap_words(Stretch(0, 440, "lost")) == f"0.4{NBSP}s lost"


def test_a_long_transcript_has_parts() -> None:
    turn = Turn(0, (Piece(0, 0, Lane("A"), Utterance(0, 9, (Word("so", 0, 9),) * 6000)),))
    minutes = [Minute(Block(n, (turn,))) for n in range(3)]
    assert [(part.first, part.last, part.label) for part in parts_of(minutes)] == [
        (0, 0, "0:00 to 1:00"),
        (1, 1, "1:00 to 2:00"),
        (2, 2, "2:00 to 3:00"),
    ]
    assert [(part.first, part.last) for part in parts_of([])] == [(0, 0)]


def test_what_was_asked_for_last_is_kept() -> None:
    made: list[int] = []

    def make(key: int) -> int:
        made.append(key)
        return key

    kept = Newest(make, 2)
    assert [kept.get(key) for key in (1, 2, 1, 3, 1, 2)] == [1, 2, 1, 3, 1, 2]
    assert made == [1, 2, 3, 2]
