"""Answers of the search: passages that fit, newest first, each cut to the words around what was found.

FTS5 says which passages may fit; whether they do, and where, is seen from their words. A speaker's words
are those of that speaker: a passage in which somebody else said them does not fit.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from memcon.catalogue.passages import unpack
from memcon.catalogue.search_query import (
    MOST_FORMS,
    All,
    AnyOf,
    Compiler,
    Near,
    Not,
    Speaker,
    Term,
    parse,
)
from memcon.catalogue.stems import folded, primary, stem, stems_of
from memcon.errors import UsageError
from memcon.store.database import TooLongError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from memcon.catalogue.passages import Passage
    from memcon.catalogue.search_index import SearchIndex
    from memcon.catalogue.search_query import Node

COUNTED = 1000
"""Passages are counted up to here."""
SECONDS = 5.0
AROUND = 12
"""Words shown on either side of what was found."""
LOOKED_AT = 2000
"""Passages looked into for one page: of a question that few of its candidates fit."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of words in a snippet; `hit` when it is what was asked for. `speaker` says it."""

    text: str
    hit: bool
    speaker: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that fits. `ref`: a call's number or a dossier's id; `at`: ms from the call's start, None for
    what has no time; `wall`: when the call began, ns."""

    passage: int
    kind: str
    ref: str
    part: str
    title: str
    wall: int | None
    version: int
    corrected: bool
    language: str
    speaker: str
    at: int | None
    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        """The snippet as plain text."""
        return " ".join(piece.text for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Answer:
    """A page of hits. `candidates` are counted to COUNTED at most, `exact` when they are all."""

    hits: tuple[Hit, ...]
    candidates: int
    exact: bool
    more: bool


def ask(
    index: SearchIndex,
    question: str,
    *,
    page: int = 1,
    size: int = 20,
    above: int = 0,
    seconds: float = SECONDS,
) -> Answer:
    """Answer a question. UsageError where it cannot be read, or takes longer than `seconds`.

    `above`: only passages numbered higher, which are newer.
    """
    node = parse(question)
    try:
        with index.db.read(seconds=seconds) as db:
            languages = [row[0] for row in db.exec_driver_sql("SELECT language FROM languages")]
            if not languages:
                return Answer((), 0, exact=True, more=False)
            match = Compiler(languages, lambda begins: _forms(db, begins)).compile(node)
            return _answer(db, node, match, page, size, above)
    except TooLongError as error:
        raise UsageError(
            f"the search takes longer than {seconds:.0f} s", cure="Add a word, a speaker, a party or a date"
        ) from error


def _forms(db: Connection, begins: str) -> list[tuple[str, str]]:
    sql = "SELECT DISTINCT stem, language FROM forms WHERE form >= ? AND form < ? LIMIT ?"
    rows = db.exec_driver_sql(sql, (begins, begins + "\U0010ffff", MOST_FORMS + 1)).all()
    return [(str(s), str(language)) for s, language in rows]


def _answer(db: Connection, node: Node, match: str, page: int, size: int, above: int) -> Answer:
    counted = db.exec_driver_sql(
        "SELECT count(*) FROM (SELECT 1 FROM found WHERE found MATCH ? AND rowid > ? LIMIT ?)",
        (match, above, COUNTED + 1),
    ).scalar_one()
    hits: list[Hit] = []
    skip, looked = (page - 1) * size, 0
    rows = db.exec_driver_sql(
        "SELECT p.id, p.body, d.kind, d.ref, d.part, d.title, d.wall, d.version, d.corrected, d.language,"
        " d.speakers FROM found JOIN passages p ON p.id = found.rowid JOIN docs d ON d.doc = p.doc"
        " WHERE found MATCH ? AND found.rowid > ? ORDER BY found.rowid DESC LIMIT ?",
        (match, above, LOOKED_AT + skip),
    )  # fmt: skip
    for row in rows:
        looked += 1
        hit = _hit(row, node)
        if hit is None:
            continue
        if skip:
            skip -= 1
            continue
        if len(hits) == size:
            return Answer(tuple(hits), min(counted, COUNTED), exact=counted <= COUNTED, more=True)
        hits.append(hit)
    return Answer(tuple(hits), min(counted, COUNTED), exact=counted <= COUNTED, more=looked >= LOOKED_AT)


def _hit(row: Any, node: Node) -> Hit | None:  # noqa: ANN401 # a row of SQLAlchemy
    passage = unpack(row.body)
    speakers: list[str] = json.loads(row.speakers)
    words = _Words(passage, speakers, row.language)
    marks = words.marks(node)
    if marks is None:
        return None
    first = min(marks, default=0)
    _, _, speaker, language = words.run(first)
    return Hit(
        row.id, row.kind, row.ref, row.part, row.title, row.wall, row.version, bool(row.corrected),
        language, speaker, words.times[first], _pieces(words, marks, first),
    )  # fmt: skip


class _Words:
    """The words of a passage, and which of them a question means."""

    def __init__(self, passage: Passage, speakers: Sequence[str], language: str) -> None:
        self.texts: list[str] = []
        # first place, place after the last, speaker, language
        self.runs: list[tuple[int, int, str, str]] = []
        self.times: list[int | None] = []
        self._stems: list[str] = []
        self._places: list[int] = []  # of each stem, the place of its word
        for one in passage.said:
            name = speakers[one.speaker] if one.speaker < len(speakers) else ""
            spoken = one.language or language
            start = len(self.texts)
            self.texts += one.words
            self.times += one.times or [None] * len(one.words)
            self.runs.append((start, len(self.texts), name, spoken))
            main = primary(spoken)
            made = [stems_of(word, main) for word in one.words]
            self._stems += chain.from_iterable(made)
            self._places += [place for place, stems in enumerate(made, start) for _ in stems]

    def run(self, place: int) -> tuple[int, int, str, str]:
        """The run of words by one speaker that a word stands in."""
        return next(run for run in self.runs if run[0] <= place < run[1])

    def marks(self, node: Node, speaker: Speaker | None = None) -> set[int] | None:
        """The places of words that the question means; None where the passage does not fit it."""
        if isinstance(node, Term):
            return self._term(node, speaker) or None
        if isinstance(node, Near):
            parts = [self._term(term, speaker) for term in node.terms]
            return set().union(*parts) if all(parts) else None
        if isinstance(node, All):
            return self._every(node, speaker)
        if isinstance(node, AnyOf):
            parts = [made for item in node.items if (made := self.marks(item, speaker)) is not None]
            return set().union(*parts) if parts else None
        if isinstance(node, Speaker):
            return set() if any(_is_called(run[2], node) for run in self.runs) else None
        return set()  # facets and what is excluded: the index has seen to them

    def _every(self, node: All, speaker: Speaker | None) -> set[int] | None:
        said = next((item for item in node.items if isinstance(item, Speaker)), speaker)
        found: set[int] = set()
        for item in node.items:
            if isinstance(item, Not):
                continue
            made = self.marks(item, said)
            if made is None:
                return None
            found |= made
        return found

    def _term(self, term: Term, speaker: Speaker | None) -> set[int]:
        found: set[int] = set()
        for language in {primary(run[3]) for run in self.runs}:
            stems = [stem(word, language) for word in term.words]
            begins = "".join(folded(term.words[-1])) if term.prefix else ""
            for at in self._begin(stems, term):
                if not self._fits(at, stems, begins):
                    continue
                run = self.run(self._places[at])
                if primary(run[3]) != language:
                    continue
                if speaker is None or _is_called(run[2], speaker):
                    found |= set(self._places[at : at + len(stems)])
        return found

    def _begin(self, stems: Sequence[str], term: Term) -> Iterator[int]:
        """Where the first word of a term stands; of a lone prefix, anywhere."""
        last = len(self._stems) - len(stems)
        if term.prefix and len(stems) == 1:
            yield from range(last + 1)
            return
        at = -1
        while True:
            try:
                at = self._stems.index(stems[0], at + 1)
            except ValueError:
                return
            if at > last:
                return
            yield at

    def _fits(self, at: int, stems: Sequence[str], begins: str) -> bool:
        """Whether a term stands there; `begins`: how its last word begins, where no more was asked."""
        exact = len(stems) - (1 if begins else 0)
        if self._stems[at : at + exact] != list(stems[:exact]):
            return False
        if not begins:
            return True
        return any(one.startswith(begins) for one in folded(self.texts[self._places[at + exact]]))


def _is_called(name: str, speaker: Speaker) -> bool:
    words = folded(name)
    return all(word in words for word in speaker.words)


def _pieces(words: _Words, marks: set[int], first: int) -> tuple[Piece, ...]:
    """The words around the first that was meant, in runs of one speaker that are meant or not."""
    low, high = max(0, first - AROUND), min(len(words.texts), first + 2 * AROUND)
    return tuple(_runs(words, marks, low, high))


def _runs(words: _Words, marks: set[int], low: int, high: int) -> Iterator[Piece]:
    for start, end, speaker, _ in words.runs:
        at = max(low, start)
        while at < min(high, end):
            hit, begin = at in marks, at
            while at < min(high, end) and (at in marks) == hit:
                at += 1
            yield Piece(" ".join(words.texts[begin:at]), hit, speaker)
