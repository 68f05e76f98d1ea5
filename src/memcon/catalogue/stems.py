"""Words as the search knows them: told apart, folded, and brought to their stems by the language's rules.

The stem is found before accents are taken away: й and и are two letters to a Russian stemmer. English by
Porter's algorithm, others by Snowball (`snowballstemmer`, pure Python); a language without one is folded
alone. Every word is stemmed once a process: a year of talk has fewer different words than a day has seconds.
"""

from __future__ import annotations

import re
import threading
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import snowballstemmer

from memcon.catalogue.words import fold

if TYPE_CHECKING:
    from collections.abc import Iterable

ALGORITHMS = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek",
    "en": "porter", "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish",
    "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian",
    "it": "italian", "lt": "lithuanian", "ne": "nepali", "nl": "dutch", "no": "norwegian", "nb": "norwegian",
    "nn": "norwegian", "pl": "polish", "pt": "portuguese", "ro": "romanian", "ru": "russian",
    "sr": "serbian", "sv": "swedish", "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
"""By the first part of a BCP 47 tag."""
# Scripts without spaces: each character is a word, and a word of several is a phrase.
_TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]|[^\W_\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+(?:['’][^\W_]+)*")  # fmt: skip # noqa: E501
_PLAIN = re.compile(r"[^\W_]+")
MOST_LETTERS = 60
_KEPT = 1 << 19


def primary(language: str) -> str:
    """`en` of `en-GB`; `und` of nothing."""
    return language.split("-")[0].lower() or "und"


def tokens(text: str) -> list[str]:
    """The words in a piece of text, in lower case."""
    return [found.casefold()[:MOST_LETTERS] for found in _TOKEN.findall(text)]


_STEMMING = threading.Lock()
"""A stemmer keeps the word it works on."""


@cache
def _stemmer(algorithm: str) -> Any:  # noqa: ANN401 # the library has no types
    return snowballstemmer.stemmer(algorithm) if algorithm in snowballstemmer.algorithms() else None


@lru_cache(maxsize=_KEPT)
def stem(token: str, language: str) -> str:
    """The stem of a word in lower case, letters and digits alone; `language` is a `primary`."""
    stemmer = _stemmer(ALGORITHMS.get(language, ""))
    found = token
    if stemmer is not None:
        with _STEMMING:
            found = stemmer.stemWord(token.replace("’", "'"))
    return "".join(_PLAIN.findall(fold(found))) or "".join(_PLAIN.findall(fold(token)))


@lru_cache(maxsize=_KEPT)
def stems_of(word: str, language: str) -> tuple[str, ...]:
    """The stems in one word as it is written: none in `—`, two in `10:30`."""
    return tuple(made for token in tokens(word) if (made := stem(token, language)))


@lru_cache(maxsize=_KEPT)
def folded(word: str) -> tuple[str, ...]:
    """The words in one as written, folded and not stemmed: what a prefix is compared with."""
    return tuple(made for token in tokens(word) if (made := "".join(_PLAIN.findall(fold(token)))))


def text_stems(words: Iterable[str], language: str) -> list[str]:
    """The stems of words in their order."""
    return [one for word in words for one in stems_of(word, language)]
