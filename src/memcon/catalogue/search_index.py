"""The index over every word, in a file of its own: `search.sqlite`, made again by `memcon rebuild`.

    docs      what is searched: a version of a transcript, a source of a dossier, a call's parties
    passages  its passages, with their words and times (`passages.py`)
    found     FTS5 over the stems of each passage, and over words that say what it is of (facets)
    forms     every word as written, by its first letters, with its stem: for prefixes

FTS5 gets stems, letters and digits alone, and has no tokenizer of its own to disagree with. A row of `found`
is taken out by giving FTS5 the very stems that went in (a contentless table knows nothing else of it): they
are made again from the passage, by the same rules; where those are newer, so is the index (`VERSION`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

from memcon.catalogue.passages import Passage, cut, unpack
from memcon.catalogue.stems import folded, primary, stems_of
from memcon.clock import utc
from memcon.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from memcon.catalogue.passages import Said

VERSION = f"2 snowball {metadata.version('snowballstemmer')}"
"""An index of other tables or other stems is made anew."""
MOST_KNOWN = 1 << 20
"""Words as written whose stems are kept in memory, for each language."""
HASH_MIB = 32
"""Memory in which FTS5 gathers words before it writes them, MiB: fewer, larger pieces to merge."""
_TABLES = (
    "CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE IF NOT EXISTS docs (doc INTEGER PRIMARY KEY, kind TEXT NOT NULL, ref TEXT NOT NULL,
       part TEXT NOT NULL, version INTEGER NOT NULL, hash TEXT NOT NULL, wall INTEGER, title TEXT NOT NULL,
       speakers TEXT NOT NULL, language TEXT NOT NULL, corrected INTEGER NOT NULL, words INTEGER NOT NULL,
       facets TEXT NOT NULL, UNIQUE (kind, ref, part))""",
    "CREATE TABLE IF NOT EXISTS passages (id INTEGER PRIMARY KEY, doc INTEGER NOT NULL, body BLOB NOT NULL)",
    "CREATE INDEX IF NOT EXISTS passages_by_doc ON passages (doc)",
    "CREATE TABLE IF NOT EXISTS languages (language TEXT PRIMARY KEY) WITHOUT ROWID",
    """CREATE TABLE IF NOT EXISTS forms (form TEXT NOT NULL, language TEXT NOT NULL, stem TEXT NOT NULL,
       PRIMARY KEY (form, language)) WITHOUT ROWID""",
    """CREATE VIRTUAL TABLE IF NOT EXISTS found USING fts5
       (stems, facets, content='', columnsize=0, tokenize='ascii')""",
)
_NAMES = ("found", "forms", "languages", "passages", "docs", "about")


@dataclass(frozen=True, slots=True)
class Document:
    """Something to be searched. `ref`: a call's number (below 0: taken in) or a dossier's id; `part`: which
    part of it. `hash` says which version is indexed. `wall`: when it was, ns; None where nobody knows."""

    kind: str
    ref: str
    part: str
    hash: str
    title: str
    said: Sequence[Said]
    speakers: Sequence[str] = ("",)
    parties: Sequence[str] = ()
    wall: int | None = None
    version: int = 1
    language: str = "und"
    corrected: bool = False


class SearchIndex:
    """One index file. One writer at a time, any number of readers. Close it when done."""

    def __init__(self, path: Path) -> None:
        self.db = Database(path)
        self._known: dict[str, dict[str, tuple[str, ...]]] = {}
        with self.db.write() as db:
            _create(db)
            if _about(db, "version") != VERSION:
                _drop(db)

    def close(self) -> None:
        """Close the database."""
        self.db.close()

    def clear(self) -> None:
        """Forget everything, before a rebuild."""
        with self.db.write() as db:
            _drop(db)
        self._known.clear()

    def known(self) -> dict[tuple[str, str, str], str]:
        """{(kind, ref, part): hash} of everything that is indexed."""
        with self.db.read() as db:
            rows = db.exec_driver_sql("SELECT kind, ref, part, hash FROM docs")
            return {(kind, ref, part): hash_ for kind, ref, part, hash_ in rows}

    def put(self, documents: Iterable[Document]) -> tuple[int, int]:
        """Index documents in one transaction, each in place of its former version: the first and the last
        passage's number, first above last where there are none."""
        with self.db.write() as db:
            first = _next(db)
            at = first
            for document in documents:
                at += self._one(db, document, at)
            db.exec_driver_sql("INSERT OR REPLACE INTO about VALUES ('next', ?)", (str(at),))
        return first, at - 1

    def remove(self, kind: str, ref: str, part: str) -> None:
        """Forget one document: nothing of it is found any more."""
        with self.db.write() as db:
            self._remove(db, kind, ref, part)

    def _one(self, db: Connection, document: Document, at: int) -> int:
        self._remove(db, document.kind, document.ref, document.part)
        passages = list(cut(document.said))
        general = " ".join(_facets(document))
        row = (
            document.kind, document.ref, document.part, document.version, document.hash, document.wall,
            document.title, json.dumps(list(document.speakers), ensure_ascii=False), document.language,
            int(document.corrected), sum(one.count for one in passages), general,
        )  # fmt: skip
        doc = db.exec_driver_sql(
            "INSERT INTO docs (kind, ref, part, version, hash, wall, title, speakers, language, corrected,"
            " words, facets) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row
        ).lastrowid  # fmt: skip
        if not passages:
            return 0
        rows = [(number, doc, passage.pack()) for number, passage in enumerate(passages, at)]
        found = self._rows(db, enumerate(passages, at), general, document.speakers, document.language)
        db.exec_driver_sql("INSERT INTO passages VALUES (?, ?, ?)", rows)
        db.exec_driver_sql("INSERT INTO found (rowid, stems, facets) VALUES (?, ?, ?)", list(found))
        return len(passages)

    def _rows(
        self,
        db: Connection,
        passages: Iterable[tuple[int, Passage]],
        general: str,
        speakers: Sequence[str],
        language: str,
    ) -> Iterator[tuple[int, str, str]]:
        """What FTS5 is given of each passage: its number, its stems, its facets."""
        names = [" ".join(f"s{word}" for word in _plain([name])) for name in speakers]
        for number, passage in passages:
            who = sorted({one.speaker for one in passage.said})
            spoken = sorted({primary(one.language or language) for one in passage.said})
            facets = " ".join([general, *(names[place] for place in who), *(f"l{one}" for one in spoken)])
            yield number, " ".join(self._stems(db, passage, language)), facets

    def _remove(self, db: Connection, kind: str, ref: str, part: str) -> None:
        where: tuple[Any, ...] = (kind, ref, part)
        sql = "SELECT doc, facets, speakers, language FROM docs WHERE kind = ? AND ref = ? AND part = ?"
        row = db.exec_driver_sql(sql, where).first()
        if row is None:
            return
        doc, general, speakers, language = row
        kept = db.exec_driver_sql("SELECT id, body FROM passages WHERE doc = ?", (doc,)).all()
        passages = [(int(number), unpack(body)) for number, body in kept]
        gone = list(self._rows(db, passages, general, json.loads(speakers), language))
        if gone:
            sql = "INSERT INTO found (found, rowid, stems, facets) VALUES ('delete', ?, ?, ?)"
            db.exec_driver_sql(sql, gone)
        db.exec_driver_sql("DELETE FROM passages WHERE doc = ?", (doc,))
        db.exec_driver_sql("DELETE FROM docs WHERE doc = ?", (doc,))

    def _stems(self, db: Connection, passage: Passage, otherwise: str) -> list[str]:
        stems: list[str] = []
        forms: list[tuple[str, str, str]] = []
        for one in passage.said:
            language = primary(one.language or otherwise)
            known = self._known.get(language)
            if known is None:
                known = self._known[language] = {}
                db.exec_driver_sql("INSERT OR IGNORE INTO languages VALUES (?)", (language,))
            for word in one.words:
                made = known.get(word)
                if made is None:  # a word that this process has not indexed yet
                    made = known[word] = stems_of(word, language)
                    forms += [(form, language, one) for form, one in zip(folded(word), made, strict=False)]
                stems += made
            if len(known) > MOST_KNOWN:
                known.clear()
        if forms:
            db.exec_driver_sql("INSERT OR IGNORE INTO forms VALUES (?, ?, ?)", forms)
        return stems


def _facets(document: Document) -> Iterator[str]:
    """Words that say what a passage is of: `kcall`, `n7`, `y2026 m202611 d20261124`, `pholt`."""
    yield f"k{document.kind}"
    yield f"n{''.join(_plain([document.ref.replace('-', 't')]))}"
    yield "xcorrected" if document.corrected else "xmachine"
    if document.wall is not None:
        day = utc(document.wall)[:10].replace("-", "")
        yield from (f"y{day[:4]}", f"m{day[:6]}", f"d{day}")
    yield from (f"p{word}" for word in _plain(document.parties))


def _plain(texts: Iterable[str]) -> list[str]:
    """Words of names, folded, each once."""
    return list(dict.fromkeys(word for text in texts for word in folded(text)))


plain_words = _plain


def _about(db: Connection, key: str) -> str | None:
    row = db.exec_driver_sql("SELECT value FROM about WHERE key = ?", (key,)).first()
    return None if row is None else str(row[0])


def _next(db: Connection) -> int:
    return int(_about(db, "next") or 1)


def _create(db: Connection) -> None:
    for statement in _TABLES:
        db.exec_driver_sql(statement)


def _drop(db: Connection) -> None:
    for name in _NAMES:
        db.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")
    _create(db)
    db.exec_driver_sql("INSERT INTO found (found, rank) VALUES ('hashsize', ?)", (HASH_MIB << 20,))
    db.exec_driver_sql("INSERT INTO about VALUES ('version', ?)", (VERSION,))
