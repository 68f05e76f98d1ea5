"""Texts that are the same, nearly the same, or within one another; and what changed between two versions."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_WORD = re.compile(r"[^\W_]+")
SHINGLE = 4
NEAR = 0.5
HELD = 0.8
MOST_WORDS = 5000
MOST_TEXTS = 400


@dataclass(frozen=True, slots=True)
class Likeness:
    """Two sources of the same words: `same`, `near`, or `within` (the second stands in the first).

    `share`: how much of the smaller one stands in the other, 0 to 1.
    """

    first: int
    second: int
    kind: str
    share: float


@dataclass(frozen=True, slots=True)
class Change:
    """A stretch that two versions do not have in common: `old` was replaced by `new`; either may be empty."""

    old: str
    new: str


def shingles(text: str) -> frozenset[int]:
    """Hashes of every run of four words, folded."""
    words = [w.casefold() for w in _WORD.findall(text)][:MOST_WORDS]
    if len(words) < SHINGLE:
        return frozenset([hash(tuple(words))]) if words else frozenset()
    return frozenset(hash(tuple(words[i : i + SHINGLE])) for i in range(len(words) - SHINGLE + 1))


def alike(texts: Mapping[int, str]) -> list[Likeness]:
    """Every pair of texts that is one text, or nearly: syndicated copies count as one voice, not two."""
    return list(_alike(tuple(texts.items())))


@lru_cache(64)  # a page is asked for again and again, and the texts of a dossier never change
def _alike(items: tuple[tuple[int, str], ...]) -> tuple[Likeness, ...]:
    texts = dict(items)
    sets = {n: shingles(text) for n, text in list(texts.items())[:MOST_TEXTS]}
    names = [n for n, found in sets.items() if found]
    pairs = ((a, b) for i, a in enumerate(names) for b in names[i + 1 :])
    return tuple(found for a, b in pairs if (found := _like(a, b, sets[a], sets[b])) is not None)


def _like(a: int, b: int, one: frozenset[int], other: frozenset[int]) -> Likeness | None:
    common = len(one & other)
    smaller = min(len(one), len(other))
    if one == other:
        return Likeness(a, b, "same", 1.0)
    if common >= NEAR * len(one | other):
        return Likeness(a, b, "near", common / smaller)
    if common >= HELD * smaller and smaller >= 3:
        first, second = (a, b) if len(one) > len(other) else (b, a)
        return Likeness(first, second, "within", common / smaller)
    return None


def changes(old: str, new: str) -> list[Change]:
    """What the newer version of a text says otherwise, word by word."""
    before, after = old.split()[:MOST_WORDS], new.split()[:MOST_WORDS]
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    return [
        Change(" ".join(before[a:b]), " ".join(after[c:d]))
        for op, a, b, c, d in matcher.get_opcodes()
        if op != "equal"
    ]
