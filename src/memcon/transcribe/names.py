"""Names that are likely to be said, and an engine that hears them without inventing them.

A small model that is told of names writes others' words worse, and names where nobody said them. So each
stretch is heard without them first; only where that reading has something like one of the names is it heard
once more with those in mind, and the second reading stands only if the name is in it and the model as sure.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memcon.transcribe.engine import Engine, Heard
    from memcon.transcribe.frames import Samples

MOST_NAMES = 200
ALIKE = 0.7
"""Share of letters in common, in order, from which words may be a misheard name ("comfy eye", ComfyUI)."""
LESS_SURE = 50
"""Thousandths of mean confidence that the second reading may lose."""
_SHORTEST = 4


def likely_names(parties: Sequence[str], configured: Sequence[str]) -> tuple[str, ...]:
    """Names that may be said: those of the office's list, then of the call's parties. An address or a number
    is no name."""
    named = [name.strip() for name in parties if any(c.isalpha() for c in name)]
    named = [name for name in named if not set(name) & set(":@;/<>") and len(name) <= 100]
    return tuple(dict.fromkeys([*configured, *named]))[:MOST_NAMES]


def hear_names(
    engine: Engine, samples: Samples, language: str | None, names: Sequence[str], *, translate: bool = False
) -> Heard:
    """What `engine` hears in `samples`, with names where they were said."""
    first = engine.hear(samples, language=language, translate=translate)
    wanted = misheard(first, names)
    if not wanted:
        return first
    second = engine.hear(samples, language=language, hot_words=wanted, translate=translate)
    said = _letters(_text(second))
    if any(_letters(name) in said for name in wanted) and sureness(second) >= sureness(first) - LESS_SURE:
        return second
    return first


def misheard(heard: Heard, names: Sequence[str]) -> tuple[str, ...]:
    """The names (their parts, where they have several) that words of `heard` are like, and that it lacks."""
    words = [letters for word in heard.words if (letters := _letters(word.text))]
    runs = words + ["".join(pair) for pair in pairwise(words)]
    found = []
    for name in dict.fromkeys(part for whole in names for part in (whole, *whole.split())):
        letters = _letters(name)
        if len(letters) >= _SHORTEST and letters not in runs and any(_alike(letters, run) for run in runs):
            found.append(name)
    return tuple(found)


def sureness(heard: Heard) -> float:
    """Mean confidence of the words, thousandths; 0 without any."""
    return sum(word.confidence for word in heard.words) / len(heard.words) if heard.words else 0.0


def _alike(name: str, run: str) -> bool:
    if not 0.6 <= len(run) / len(name) <= 1.6:
        return False
    matcher = SequenceMatcher(None, name, run, autojunk=False)
    return matcher.quick_ratio() >= ALIKE and matcher.ratio() >= ALIKE


def _letters(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())


def _text(heard: Heard) -> str:
    return "".join(word.text for word in heard.words)
