"""What a recogniser is to memcon: samples in, words with times and confidences out.

Everything else (where somebody speaks, whose lane it is, versions, sealing) is done without it, so that any
program can stand behind this Protocol.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memcon.record.transcript import Machine
    from memcon.transcribe.frames import Samples

LONGEST_MS = 30_000
"""What an engine is asked to hear at once, at most."""


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A word as the engine writes it. `start`, `end` in ms from the first sample; `confidence` 0 to 1000."""

    text: str
    start: int
    end: int
    confidence: int


@dataclass(frozen=True, slots=True)
class Heard:
    """What one stretch of sound says. `language` BCP 47, `found` how (FORMATS §20).

    `doubt`: the engine's own probability, in thousandths, that nobody spoke. `translation`: into English,
    where it was asked for.
    """

    words: tuple[HeardWord, ...]
    language: str
    found: str
    doubt: int = 0
    translation: str = ""


class Engine(Protocol):
    """One loaded model. Used by one thread at a time."""

    def machine(self, made: str, hot_words: Sequence[str]) -> Machine:
        """Who answers, with every setting that changes the answer."""
        ...

    def hear(
        self,
        samples: Samples,
        *,
        language: str | None,
        hot_words: Sequence[str] = (),
        translate: bool = False,
        quick: bool = False,
    ) -> Heard:
        """Decode at most `LONGEST_MS` of mono float32 at 16 kHz as one utterance.

        `language` None: find it. `hot_words` are likely names. `translate`: also into English.
        `quick`: a first reading, for which less care is enough where that costs less.
        """
        ...
