"""Words put where the sound is."""

from __future__ import annotations

from memcon.record.transcript import Word
from memcon.transcribe.endpoint import Piece, Stretch
from memcon.transcribe.engine import Heard, HeardWord
from memcon.transcribe.placing import placed, utterances

PIECES = (Piece(1000, 2000), Piece(3000, 4000))


def test_a_word_does_not_begin_in_a_pause_nor_end_in_one() -> None:
    words = [
        Word("a", 700, 1300),
        Word("b", 1040, 1600),
        Word("c", 1700, 2500),
        Word("d", 2800, 3300),
        Word("e", 3900, 4400),
    ]
    assert [(w.start, w.end) for w in placed(words, PIECES)] == [
        (1000, 1300), (1000, 1600), (1700, 2000), (3000, 3300), (3900, 4000),
    ]  # fmt: skip


def test_words_without_any_sound_keep_their_times_in_order() -> None:
    words = [Word("a", 2300, 2400), Word("b", 2200, 2350), Word("c", 5000, 5100)]
    assert [(w.start, w.end) for w in placed(words, PIECES)] == [(2300, 2400), (2300, 2350), (5000, 5100)]


def test_utterances_are_parted_at_pauses_and_never_without_words() -> None:
    heard = Heard(
        (HeardWord("one", 100, 400, 900), HeardWord("two.", 500, 900, 900)), "en", "set", 0, "uno dos"
    )
    said = utterances(heard, 900, Stretch(PIECES), "model")
    assert [[w.text for w in u.words] for u in said] == [["one", "two."]]
    assert (said[0].start, said[0].end) == (1000, 2000)
    assert said[0].translations[0].text == "uno dos"
    both = Heard((HeardWord("one", 100, 400, 900), HeardWord("two.", 2200, 2900, 900)), "en", "set")
    assert [(u.start, u.end) for u in utterances(both, 900, Stretch(PIECES), "m")] == [
        (1000, 2000),
        (3000, 4000),
    ]
