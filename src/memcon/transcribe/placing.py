"""Words of a decoded stretch in their place: which utterance each belongs to, and when it began.

An engine's times are loose around pauses, where the endpointing is exact: a word does not begin in a pause,
nor end in one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.record.transcript import Translation, Utterance, Word
from memcon.transcribe.endpoint import Stretch, joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memcon.transcribe.endpoint import Piece
    from memcon.transcribe.engine import Heard

UTTERANCE_PAUSE_MS = 700
"""Where a speaker pauses this long a new utterance begins, though both were decoded together."""
SNAP_MS = 350
"""A first word that begins this near to where the sound begins, begins there."""


def utterances(heard: Heard, at: int, stretch: Stretch, by: str) -> list[Utterance]:
    """What was heard in a stretch, whose sound began at `at` ms, as utterances on the call's time.

    `by` wrote the translation, if there is one; it stands with the first utterance.
    """
    parts = joined(stretch.pieces, UTTERANCE_PAUSE_MS)
    words = placed(
        [Word(w.text, at + w.start, at + w.end, w.confidence) for w in heard.words], stretch.pieces
    )
    shared: list[list[Word]] = [[] for _ in parts]
    here = 0
    for word in words:
        here = max(here, _nearest(parts, (word.start + word.end) // 2))
        shared[here].append(word)
    found = [
        Utterance(min(part.start, mine[0].start), max(part.end, *(w.end for w in mine)), tuple(mine))
        for part, mine in zip(parts, shared, strict=True)
        if mine
    ]
    return _in_order(found, Translation("en", heard.translation, by) if heard.translation else None)


def placed(words: Sequence[Word], pieces: Sequence[Piece]) -> list[Word]:
    """The words with starts and ends moved out of the pauses between pieces; in order, never overlapping
    the wrong way round."""
    made: list[Word] = []
    last = 0
    for word in words:
        start, end = _start(word, pieces), _end(word, pieces)
        start = max(start, last)
        made.append(Word(word.text, start, max(start, end), word.confidence, word.marks))
        last = start
    return made


def _start(word: Word, pieces: Sequence[Piece]) -> int:
    for piece in pieces:
        if piece.start <= word.start < piece.end:
            return piece.start if word.start - piece.start <= SNAP_MS // 4 else word.start
        if word.start < piece.start:
            return (
                piece.start if piece.start < word.end or piece.start - word.start <= SNAP_MS else word.start
            )
    return word.start


def _end(word: Word, pieces: Sequence[Piece]) -> int:
    before = [piece.end for piece in pieces if piece.start < word.end]
    return min(word.end, before[-1]) if before and before[-1] > word.start else word.end


def _nearest(parts: Sequence[Stretch], moment: int) -> int:
    return min(range(len(parts)), key=lambda n: max(parts[n].start - moment, moment - parts[n].end, 0))


def _in_order(found: list[Utterance], translation: Translation | None) -> list[Utterance]:
    """Utterances whose borders hold their words; the translation with the first."""
    if found and translation is not None:
        first = found[0]
        found[0] = Utterance(first.start, first.end, first.words, translations=(translation,))
    return found
