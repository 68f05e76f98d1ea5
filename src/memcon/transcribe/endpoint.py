"""Where somebody speaks in one channel, and where the sound is something else.

A recogniser given silence or a tone invents words; given a sentence in two halves it mishears both. So
sound is found first (`pieces`), and pieces are joined to stretches that are decoded alone (`joined`). All of
it is arithmetic over `frames`: no model, no state, the same answer for the same sound.

Times are milliseconds from the first frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from memcon.transcribe.frames import SILENT_DB, STEP_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from memcon.transcribe.frames import Frames

QUIETEST_DB = -66.0
"""What is not louder is silence whatever the floor: a telephone's own noise."""
LEAST_RISE_DB = 6.0
RISE_SHARE = 0.25
"""Speech begins this share of the way from the noise floor to the loud parts, 6 dB above it at the least."""
BRIDGE_MS = 250
"""Shorter pauses are part of words (a closed mouth before a p)."""
LEAST_MS = 70
"""Shorter sounds are clicks."""
TONE_MS = 300
"""A pitch that stays this long is no voice."""
TONE_SHARE = 0.7
TONE_DB = -55.0
LONG_PAUSE_MS = 1500
LONGEST_MS = 28_000
"""What a Whisper model hears at once is 30 s, with padding."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Sound without a longer pause, from `start` to `end`; a `tone` is none that anybody speaks."""

    start: int
    end: int
    tone: bool = False


def pieces(frames: Frames) -> list[Piece]:
    """The sounds of a channel in order. A tone that never stops is its own floor, and is found even so."""
    loud = _loud(frames.level)
    steady = _steady(frames.pitch) & (frames.level > TONE_DB)
    found = []
    for first, end in _runs(_bridged(loud, BRIDGE_MS // STEP_MS)):
        if int(loud[first:end].sum()) * STEP_MS >= LEAST_MS:
            tone = bool((steady & loud)[first:end].sum() > TONE_SHARE * loud[first:end].sum())
            found.append(Piece(first * STEP_MS, end * STEP_MS, tone))
            steady[first:end] = False
    found += [
        Piece(a * STEP_MS, b * STEP_MS, tone=True) for a, b in _runs(steady) if (b - a) * STEP_MS >= TONE_MS
    ]
    return sorted(found, key=lambda piece: piece.start)


def threshold(level: NDArray[np.float32]) -> float:
    """The level in dB above which a frame is sound: from the noise floor and the loud parts of `level`."""
    heard = level[level > SILENT_DB + 5]
    if not len(heard):
        return QUIETEST_DB
    # A line that sends nothing between words shows little of its floor: only what is left of it counts.
    suppressed = len(heard) < 0.8 * len(level)
    floor, top = np.percentile(heard, (3 if suppressed else 10, 95))
    return float(max(floor + max(LEAST_RISE_DB, RISE_SHARE * (top - floor)), QUIETEST_DB))


def _loud(level: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Frames above the threshold of the half minute around them."""
    half, loud = 15_000 // STEP_MS, np.zeros(len(level), dtype=np.bool_)
    for at in range(0, len(level), half):
        around = level[max(0, at - half) : at + 2 * half]
        loud[at : at + half] = level[at : at + half] > threshold(around)
    return loud


def _steady(pitch: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Frames in a run of one pitch, a bin more or less, that lasts."""
    steady = np.zeros(len(pitch), dtype=np.bool_)
    same = np.abs(np.diff(pitch)) <= 1
    same &= (pitch[1:] >= 0) & (pitch[:-1] >= 0)
    for first, end in _runs(same):
        if (end - first) * STEP_MS >= TONE_MS:
            steady[first : end + 1] = True
    return steady


def _runs(flags: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """(first, end) of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _bridged(flags: NDArray[np.bool_], longest: int) -> NDArray[np.bool_]:
    """Flags with the gaps between two runs filled where they are not longer than that."""
    filled = flags.copy()
    for first, end in _runs(~flags):
        if first and end < len(flags) and end - first <= longest:
            filled[first:end] = True
    return filled


@dataclass(frozen=True, slots=True)
class Stretch:
    """Pieces that are decoded together, in order."""

    pieces: tuple[Piece, ...]

    @property
    def start(self) -> int:
        return self.pieces[0].start

    @property
    def end(self) -> int:
        return self.pieces[-1].end


def joined(found: Iterable[Piece], pause: int = LONG_PAUSE_MS, longest: int = LONGEST_MS) -> list[Stretch]:
    """Voices joined over pauses shorter than `pause`, in stretches of at most `longest` ms.

    A stretch that would be longer is cut at the longest pause of its second half. Tones stand apart.
    """
    stretches: list[Stretch] = []
    open_: list[Piece] = []
    for piece in (part for whole in found for part in _cut(whole, longest)):
        if open_ and (piece.tone or open_[-1].tone or piece.start - open_[-1].end >= pause):
            stretches.append(Stretch(tuple(open_)))
            open_ = []
        open_.append(piece)
        while len(open_) > 1 and open_[-1].end - open_[0].start > longest:
            at = _best_cut(open_)
            stretches.append(Stretch(tuple(open_[:at])))
            open_ = open_[at:]
    if open_:
        stretches.append(Stretch(tuple(open_)))
    return stretches


def _cut(piece: Piece, longest: int) -> Iterator[Piece]:
    """A sound without any pause, in parts that can be decoded."""
    if piece.tone:
        yield piece
        return
    for start in range(piece.start, piece.end, longest):
        yield Piece(start, min(piece.end, start + longest))


def _best_cut(open_: Sequence[Piece]) -> int:
    """The place of the piece that begins after the longest pause in the second half."""
    middle = (open_[0].start + open_[-1].end) // 2
    late = [n for n in range(1, len(open_)) if open_[n].start >= middle] or [len(open_) - 1]
    return max(late, key=lambda n: open_[n].start - open_[n - 1].end)
