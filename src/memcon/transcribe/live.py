"""One channel transcribed while it goes on: text soon after each utterance, bettered when more was heard.

Sound is appended as it comes, in pieces of any length. An utterance has ended when `FINAL_PAUSE_MS` of
silence have come after it; until then it is decoded on trust once there is a short silence, if nothing else
waits, so that when the silence is long enough the words are there already. This first reading is a quick one;
the decoder is given what was said before, back to the last long pause, and only the new words are taken;
where text is late already, the new sound alone. After a long pause all of it is decoded with full care, in
one piece, and replaces what was written: the beginning of a sentence is heard better by its end.

Pure arithmetic over what it is given: no clock, no thread.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from memcon.record.transcript import UNKNOWN
from memcon.transcribe import endpoint
from memcon.transcribe.endpoint import LONG_PAUSE_MS, LONGEST_MS, Piece, Stretch
from memcon.transcribe.engine import Heard
from memcon.transcribe.frames import RATE, STEP_MS, Frames, longer, none
from memcon.transcribe.lane import PAD_MS, Wishes, invented
from memcon.transcribe.music import is_music
from memcon.transcribe.names import hear_names
from memcon.transcribe.placing import utterances

if TYPE_CHECKING:
    from memcon.record.transcript import Utterance, Word
    from memcon.transcribe.engine import Engine
    from memcon.transcribe.frames import Samples

NOBODY = Heard((), UNKNOWN, "unknown")
FINAL_PAUSE_MS = 600
"""Silence after which an utterance has ended."""
TRUST_PAUSE_MS = 200
"""Silence after which it is decoded on trust."""
MONOLOGUE_MS = 7000
BREATH_MS = 350
"""Who has spoken for seven seconds has ended an utterance at each breath: else text would be as late."""
CONTEXT_MS = 10_000
"""What was said before is given to a first reading back to here: more of it costs more than it betters."""
LATE_MS = 3000
"""Text that is later than this is made without what was said before: that costs less."""
FLOOR_MS = 10_000
"""Sound kept although it is done with: a noise floor is measured over it."""


@dataclass(frozen=True, slots=True)
class Due:
    """Sound to decode, from `at` ms of the call on. `pieces` are the voices in it; words from `after` on are
    taken. `final`: silence has come after it; `settles`: it replaces what was written since `after`."""

    sound: Samples
    at: int
    pieces: tuple[Piece, ...]
    after: int
    final: bool
    settles: bool = False

    @property
    def until(self) -> int:
        """Where the last voice ends, ms."""
        return self.pieces[-1].end

    @property
    def turn(self) -> tuple[int, int]:
        """What comes first, the least: text that somebody waits for, oldest first, then trust."""
        return (0 if self.final else 1), self.until


class LiveLane:
    """The state of one channel: `append` sound, ask what is `due`, have it decoded by `hear`.

    `utterances` is the text so far, in order.
    """

    def __init__(self, language: str | None = None, start: int = 0) -> None:
        """`start`: where in the call its sound begins, ms."""
        self.language = language
        self.utterances: list[Utterance] = []
        self._sound: Samples = np.zeros(0, dtype=np.float32)
        self._frames = none()  # of `_sound`
        self._start = start  # where `_sound` begins
        self._done = start  # up to where every utterance has been written
        self._stretch: list[Piece] = []  # voices written since the last long pause
        self._trusted: tuple[int, Heard] | None = None  # decoded on trust, up to that ms
        self._closed = False
        self._looked = False  # whether nothing is due until something comes

    @property
    def length(self) -> int:
        """How much of the call has come, ms."""
        return self._start + len(self._sound) * 1000 // RATE

    @property
    def done(self) -> int:
        """Up to where all that was said is written, ms."""
        return self._done

    def append(self, sound: Samples) -> None:
        """More sound, float32 at 16 kHz, a multiple of 10 ms."""
        self._looked = False
        self._sound = np.concatenate((self._sound, sound))
        self._frames = longer(self._frames, self._sound)
        needed = self._stretch[0].start if self._stretch else self._done
        keep = min(self.length - FLOOR_MS, needed - PAD_MS) // STEP_MS * STEP_MS
        if keep - self._start >= 1000:
            old = (keep - self._start) // STEP_MS
            self._frames = Frames(self._frames.level[old:], self._frames.pitch[old:])
            self._sound = self._sound[(keep - self._start) * RATE // 1000 :]
            self._start = keep

    def close(self) -> None:
        """The call is over: what is open has ended."""
        self._closed, self._looked = True, False

    def due(self) -> Due | None:
        """What to decode next, or None while nothing new has been said to its end. What `settles` is given
        once: it may be done any time, or not at all."""
        if self._looked:
            return None
        found = self._next()
        self._looked = found is None
        return found

    def _next(self) -> Due | None:
        found = [
            Piece(max(p.start + self._start, self._done), min(p.end + self._start, self.length), p.tone)
            for p in endpoint.pieces(self._frames)
            if p.end + self._start > self._done + endpoint.LEAST_MS
        ]
        parts = endpoint.joined(found, FINAL_PAUSE_MS)
        silent_until = parts[0].start if parts else self.length
        if self._stretch and self._settled(parts, silent_until):
            return self._settling()
        if not parts:
            self._done = max(self._done, self.length - FINAL_PAUSE_MS)
            return None
        part, next_ = _first(parts)
        silence = (self.length if next_ is None else next_) - part.end
        enough = BREATH_MS if part.end - part.start >= MONOLOGUE_MS else FINAL_PAUSE_MS
        final = self._closed or next_ is not None or silence >= enough
        if part.pieces[0].tone:
            self._done = part.end if final else self._done
            return self._next() if final else None
        trusted = self._trusted is not None and self._trusted[0] == part.end
        if not final and (silence < TRUST_PAUSE_MS or trusted):
            return None
        late = self.length - part.end > LATE_MS
        before = [] if late else [p for p in self._stretch if p.start >= part.end - CONTEXT_MS]
        return self._window((*before, *part.pieces), part.start, PAD_MS if final else silence, final=final)

    def _settled(self, parts: list[Stretch], silent_until: int) -> bool:
        """Whether nothing more is going to be decoded together with the voices since the last long pause."""
        first, last = self._stretch[0], self._stretch[-1]
        if silent_until - last.end >= LONG_PAUSE_MS or (self._closed and not parts):
            return True
        return bool(parts) and (parts[0].pieces[0].tone or parts[0].end - first.start > LONGEST_MS)

    def _settling(self) -> Due:
        pieces, self._stretch = tuple(self._stretch), []
        return self._window(pieces, pieces[0].start, PAD_MS, final=True, settles=True)

    def _window(
        self, pieces: tuple[Piece, ...], after: int, pad: int, *, final: bool, settles: bool = False
    ) -> Due:
        low = max(pieces[0].start - PAD_MS, self._start)
        high = min(pieces[-1].end + pad, self.length)
        cut = slice((low - self._start) * RATE // 1000, (high - self._start) * RATE // 1000)
        return Due(self._sound[cut], low, pieces, after, final, settles)

    def decode(self, due: Due, engine: Engine, wishes: Wishes) -> Heard:
        """What was due as the engine hears it, or as it was heard on trust. Changes nothing: another thread
        may do it, with an engine of its own."""
        if self._trusted is not None and self._trusted[0] == due.until and not due.settles:
            return self._trusted[1]
        if is_music(due.sound):
            return NOBODY
        if due.settles:
            return hear_names(engine, due.sound, self.language, wishes.hot_words, translate=wishes.translate)
        return engine.hear(due.sound, language=self.language, quick=True)

    def take(self, due: Due, heard: Heard, model: str) -> list[Utterance]:
        """Write what `model` heard; what is written by it."""
        self._looked = False
        if not due.final:
            self._trusted = (due.until, heard)
            return []
        if not due.settles:
            self._trusted = None
            self._done = due.until
            self._stretch += [piece for piece in due.pieces if piece.start >= due.after]
        return self._write(due, heard, model)

    def hear(self, due: Due, engine: Engine, wishes: Wishes) -> list[Utterance]:
        """Decode what was due and write it."""
        return self.take(due, self.decode(due, engine, wishes), engine.machine("live", ()).model)

    def _write(self, due: Due, heard: Heard, model: str) -> list[Utterance]:
        if invented(heard):
            return []  # what was written of it before stays: somebody spoke then
        if self.language is None and heard.found == "identified":
            self.language = heard.language
        said = utterances(heard, due.at, Stretch(due.pieces), model)
        new = [part for one in said if (part := _after(one, due.after)) is not None]
        if due.settles:
            self.utterances = [u for u in self.utterances if not due.after <= u.start <= due.until]
        self.utterances = sorted([*self.utterances, *new], key=lambda u: u.start)
        return new


def _first(parts: list[Stretch]) -> tuple[Stretch, int | None]:
    """What comes first, cut where who speaks for long draws breath; and where the next voice begins."""
    pieces = parts[0].pieces
    for n in range(1, len(pieces)):
        spoken, pause = pieces[n - 1].end - pieces[0].start, pieces[n].start - pieces[n - 1].end
        if spoken >= MONOLOGUE_MS and pause >= BREATH_MS:
            return Stretch(pieces[:n]), pieces[n].start
    return parts[0], parts[1].start if len(parts) > 1 else None


def _after(one: Utterance, moment: int) -> Utterance | None:
    """The part of an utterance that was not said before a moment; a word belongs where its middle is."""
    words: list[Word] = [word for word in one.words if (word.start + word.end) // 2 >= moment]
    if not words:
        return None
    return replace(one, start=max(one.start, min(moment, words[0].start)), words=tuple(words))
