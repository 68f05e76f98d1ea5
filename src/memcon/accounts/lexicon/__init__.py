"""The lexicon of diplomacy: which topics a text speaks of, and where (README.md says how terms are written).

Words are matched whole and with their capitals, so that *KaRABakh* holds no Arab and *is* no Islamic State;
the longest term at a place wins, so that the Minsk Group is not Minsk.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from memcon.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LANGUAGES = ("en", "ru", "fr", "de", "es", "it", "pt", "zh", "uk", "ar", "tr", "pl", "ja")
VERSION = "1"
MOST_TERM = 200
_OWN = ("countries.toml", "names.toml", "issues.toml")
_TOKEN = re.compile(r"[^\W_]+")
_GAP = re.compile(r"[ \t\u00a0]?[-‐‑–’'./&+]?[ \t\u00a0]?|\s{1,3}")
_NO_SPACES = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")  # scripts that put no space between words
_PLACE_AFTER = frozenset(
    ("in", "at", "to", "from", "near", "into", "outside", "en", "à", "aus", "nach", "bei", "в", "во", "из")
)
_VOWELS = frozenset("аеёиоуыэюяьй")
_SHORT = 3


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic. `country` is a code where it is a country or territory."""

    id: str
    label: str
    country: str = ""


@dataclass(frozen=True, slots=True)
class Mention:
    """A term of a topic in a text, characters [start, end)."""

    topic: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Part:
    """One word of a term: `forms` folded; a `prefix` matches every word that begins so."""

    forms: tuple[str, ...]
    prefix: bool
    exact: str  # as it was written, when its capitals count

    def fits(self, word: str) -> bool:
        folded = word.casefold()
        found = folded.startswith(self.forms[0]) if self.prefix else folded in self.forms
        if not found or not self.exact:
            return found
        begins = word.startswith(self.exact[:1]) and (self.exact[1:2].islower() or self._same(word))
        return begins or (word.isupper() and len(word) > _SHORT and not self.exact.isupper())

    def _same(self, word: str) -> bool:
        """Of a word in capitals, or mixed: as written."""
        return word[: len(self.exact)] == self.exact


@dataclass(frozen=True, slots=True)
class _Term:
    topic: str
    parts: tuple[_Part, ...]
    place: bool
    denied: bool
    plus: bool


@dataclass(slots=True)
class Lexicon:
    """Topics and their terms. Made by `load`."""

    topics: dict[str, Topic] = field(default_factory=dict)
    _by_word: dict[str, list[_Term]] = field(default_factory=dict)
    _by_stem: dict[str, list[_Term]] = field(default_factory=dict)
    _unspaced: list[tuple[str, str]] = field(default_factory=list)

    def label(self, topic: str) -> str:
        """A topic in words; a topic that a person wrote is its own word."""
        return self.topics[topic].label if topic in self.topics else topic

    def add(self, tables: Mapping[str, Any], what: str, *, countries: bool = False) -> None:
        """Topics of a TOML file. Raises FormatError naming the file and the topic."""
        for id_, table in tables.items():
            if not isinstance(table, dict) or not all(isinstance(v, str) for v in table.values()):
                raise FormatError(what, "a topic is a table of texts", where=id_)
            known = {*LANGUAGES, "label", "not", "drop", "country"}
            for key in table:
                if key not in known:
                    raise FormatError(what, f"{key!r} is no language and no field", where=id_)
            if id_ not in self.topics:
                if "label" not in table:
                    raise FormatError(what, "a new topic needs a label", where=id_)
                country = id_ if countries else table.get("country", "")
                self.topics[id_] = Topic(id_, table["label"], country)
            for language in LANGUAGES:
                for term in _split(table.get(language, "")):
                    self._add_term(id_, term, what)
            for term in _split(table.get("not", "")):
                self._add_term(id_, term, what, denied=True)
            for term in _split(table.get("drop", "")):
                self._drop(id_, term, what)

    def _add_term(self, topic: str, text: str, what: str, *, denied: bool = False) -> None:
        if _NO_SPACES.search(text):
            self._unspaced.append((text, topic))
            return
        for term in _terms(topic, text, what, denied=denied):
            first = term.parts[0]
            if first.prefix:
                self._by_stem.setdefault(first.forms[0][:3], []).append(term)
            else:
                for form in first.forms:
                    self._by_word.setdefault(form, []).append(term)

    def _drop(self, topic: str, text: str, what: str) -> None:
        unwanted = {term.parts for term in _terms(topic, text, what, denied=False)}
        for index in (self._by_word, self._by_stem):
            for key, terms in index.items():
                index[key] = [t for t in terms if t.topic != topic or t.denied or t.parts not in unwanted]

    def find(self, text: str) -> list[Mention]:
        """Every mention, in order of place; one topic may be found many times."""
        words = [_Word(m[0], m.start(), m.end()) for m in _TOKEN.finditer(text)]
        found: list[Mention] = []
        denied: list[Mention] = []
        for nth, word in enumerate(words):
            for term in self._candidates(word.text):
                end = self._match(term, text, words, nth)
                if end is not None:
                    (denied if term.denied else found).append(Mention(term.topic, word.start, end))
        if _NO_SPACES.search(text):  # most texts have none of these hundreds of terms
            found += self._without_spaces(text)
        return _longest(found, denied)

    def _without_spaces(self, text: str) -> list[Mention]:
        """Terms of scripts that put no space between words."""
        return [
            Mention(topic, m.start(), m.end())
            for name, topic in self._unspaced
            for m in re.finditer(re.escape(name), text)
        ]

    def _candidates(self, word: str) -> Iterable[_Term]:
        folded = word.casefold()
        yield from self._by_word.get(folded, ())
        yield from self._by_stem.get(folded[:3], ())

    @staticmethod
    def _match(term: _Term, text: str, words: Sequence[_Word], nth: int) -> int | None:
        """The end of the term that begins at word `nth`, None where it does not."""
        if nth + len(term.parts) > len(words):
            return None
        for at, part in enumerate(term.parts):
            word = words[nth + at]
            if not part.fits(word.text):
                return None
            if at and not _GAP.fullmatch(text[words[nth + at - 1].end : word.start]):
                return None
        last = words[nth + len(term.parts) - 1]
        if term.place and nth and words[nth - 1].text.casefold() in _PLACE_AFTER:
            return None
        if len(term.parts) == 1 and _shouted(term.parts[0], words, nth):
            return None
        end = last.end
        if term.plus:
            if text[end : end + 1] != "+":
                return None
            end += 1
        return end


def _shouted(part: _Part, words: Sequence[_Word], nth: int) -> bool:
    """A short word in capitals among others in capitals says nothing: PUTIN IS READY."""
    if not part.exact.isupper() or len(part.exact) > _SHORT:
        return False
    around = [words[i].text for i in (nth - 1, nth + 1) if 0 <= i < len(words)]
    return any(word.isupper() and len(word) > _SHORT for word in around)


def _longest(found: list[Mention], denied: list[Mention]) -> list[Mention]:
    """Without what lies inside a longer mention, or in a phrase that its topic does not mean."""
    kept: list[Mention] = []
    before, same, reach = (-1, -1), -1, -1  # the last span, how far those before it reach, and with it
    for one in sorted(set(found), key=lambda m: (m.start, -m.end, m.topic)):
        if (one.start, one.end) != before:
            before, same = (one.start, one.end), reach
            reach = max(reach, one.end)
        if same < one.end and not any(_covers(d, one) for d in denied):
            kept.append(one)
    return sorted(kept, key=lambda m: (m.start, m.end, m.topic))


def _covers(phrase: Mention, one: Mention) -> bool:
    return phrase.topic == one.topic and phrase.start <= one.start and one.end <= phrase.end


def _split(text: str) -> list[str]:
    return [term.strip() for term in text.split(";") if term.strip()]


def _terms(topic: str, text: str, what: str, *, denied: bool) -> list[_Term]:
    """A written term as one or two terms: `Iranian(s)` is two."""
    if len(text) > MOST_TERM:
        raise FormatError(what, f"a term is longer than {MOST_TERM} characters", where=topic)
    if "(s)" in text:
        short = _terms(topic, text.replace("(s)", ""), what, denied=denied)
        return short + _terms(topic, text.replace("(s)", "s"), what, denied=denied)
    place = text.startswith("@")
    plus = text.endswith("+")
    parts = tuple(part for word in re.split(r"[^\w*|]+|_", text) if word for part in _parts(word))
    if not parts or any(not form for part in parts for form in part.forms):
        raise FormatError(what, f"{text!r} is no term", where=topic)
    return [_Term(topic, parts, place, denied, plus)]


def _parts(word: str) -> list[_Part]:
    stem, *endings = word.split("|")
    prefix = stem.endswith("*")
    stem = stem.rstrip("*")
    exact = stem if stem[:1].isupper() or (stem.isupper() and stem) else ""
    folded = stem.casefold()
    if not endings:
        return [_Part((folded,), prefix, exact)]
    forms = [folded + ending.casefold() for ending in endings]
    if folded[-1:] not in _VOWELS:
        forms.append(folded)
    return [_Part(tuple(forms), False, exact)]


def _file(name: str) -> dict[str, Any]:
    text = (resources.files("memcon.accounts.lexicon") / name).read_text(encoding="utf-8")
    return tomllib.loads(text)


def _fresh() -> Lexicon:
    made = Lexicon()
    for name in _OWN:
        made.add(_file(name), name, countries=name == "countries.toml")
    return made


@cache
def own() -> Lexicon:
    """The lexicon that memcon carries."""
    return _fresh()


@cache
def kinds() -> Lexicon:
    """What points without a topic are known by: courtesy, logistics, tone."""
    made = Lexicon()
    made.add(_file("kinds.toml"), "kinds.toml")
    return made


@cache
def words(which: str) -> frozenset[str]:
    """A list of `words.toml`, by its name."""
    return frozenset(_file("words.toml")[which].split())


@cache
def phrases(*which: str) -> Lexicon:
    """Lists of phrases of `words.toml` as topics of a lexicon."""
    made = Lexicon()
    tables = _file("words.toml")
    made.add({name: {"label": name, "en": " ".join(tables[name].split())} for name in which}, "words.toml")
    return made


def extended(files: Mapping[str, bytes]) -> Lexicon:
    """Memcon's lexicon with a user's files added, in their order. FormatError for what is no such file."""
    if not files:
        return own()
    made = _fresh()
    for name, data in files.items():
        try:
            made.add(tomllib.loads(data.decode("utf-8")), name)
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise FormatError(name, f"no TOML in UTF-8: {error}") from error
    return made
