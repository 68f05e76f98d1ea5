"""The index over dossiers: one line each, the words it is found by, and which NOTE seals which hash."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select

from memcon.catalogue.schema import dossier_words, dossiers, notes
from memcon.catalogue.words import split
from memcon.catalogue.writing import upsert

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Row

    from memcon.store.database import Database

MOST_WORDS = 20_000
"""Words of one dossier that are indexed; the rest of a huge source is not found by the register."""


@dataclass(frozen=True, slots=True)
class DossierLine:
    """A dossier as the register shows it. `start` and `end` bound its date, ns; None where it is not known.

    `record` is the best class of record known; `one_sided` and `topics` count topics that rest on one
    side, and all; None where there are no two readouts.
    """

    id: str
    title: str
    date: str
    start: int | None
    end: int | None
    record: str
    call: int | None
    entries: int
    sources: int
    readouts: int
    claims: int
    topics: int | None
    one_sided: int | None
    parties: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    changed: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True)
class DossierQuery:
    """What is asked of the register of dossiers. `since`, `until` bound the date, ns, until exclusive."""

    text: str = ""
    since: int | None = None
    until: int | None = None
    record: str = ""
    has: str = ""


@dataclass(frozen=True, slots=True)
class DossierPage:
    """One page, newest call first."""

    rows: tuple[DossierLine, ...]
    total: int
    all: int


@dataclass(frozen=True, slots=True)
class SealedNote:
    """Where a NOTE stands: its number, and the beat that commits to it."""

    number: int
    type: int
    slot: int
    index: int


class DossierIndex:
    """The dossiers' part of a catalogue."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def put(self, line: DossierLine) -> None:
        """Index a dossier anew."""
        row = {
            "id": line.id,
            "title": line.title,
            "date": line.date,
            "start": line.start,
            "end": line.end,
            "record": line.record,
            "call": line.call,
            "entries": line.entries,
            "sources": line.sources,
            "readouts": line.readouts,
            "claims": line.claims,
            "topics": line.topics,
            "one_sided": line.one_sided,
            "parties": json.dumps(line.parties, ensure_ascii=False),
            "countries": json.dumps(line.countries),
            "changed": line.changed,
        }
        text = f"{line.title} {' '.join(line.parties)} {' '.join(line.countries)} {line.id} {line.words}"
        found = list(dict.fromkeys(split(text)))[:MOST_WORDS]  # what comes first is found in any case
        with self._db.write() as db:
            upsert(db, dossiers, [row])
            db.execute(delete(dossier_words).where(dossier_words.c.dossier == line.id))
            upsert(db, dossier_words, [{"word": word, "dossier": line.id} for word in found])

    def clear(self) -> None:
        """Forget every dossier and NOTE."""
        with self._db.write() as db:
            for table in (dossiers, dossier_words, notes):
                db.execute(delete(table))

    def known(self) -> dict[str, int]:
        """Every id and how many entries were indexed."""
        with self._db.read() as db:
            return {str(id_): int(n) for id_, n in db.execute(select(dossiers.c.id, dossiers.c.entries))}

    def of_call(self, number: int) -> list[DossierLine]:
        """The dossiers that hang on a recorded call."""
        with self._db.read() as db:
            return [_line(row) for row in db.execute(select(dossiers).where(dossiers.c.call == number))]

    def search(self, query: DossierQuery, *, page: int = 1, size: int = 25) -> DossierPage:
        """A page of the register."""
        wanted = _conditions(query)
        order = (dossiers.c.start.is_(None), dossiers.c.start.desc(), dossiers.c.id.desc())
        with self._db.read() as db:
            rows = db.execute(
                select(dossiers).where(*wanted).order_by(*order).limit(size).offset((page - 1) * size)
            )
            lines = tuple(_line(row) for row in rows)
            return DossierPage(lines, _count(db, wanted), _count(db, ()))

    def put_notes(self, found: Iterable[Mapping[str, Any]]) -> None:
        """NOTEs as slot records hold them: `hash` (hex), `number`, `type`, `slot`, `index`."""
        with self._db.write() as db:
            upsert(db, notes, [dict(one) for one in found])

    def sealed(self, hashes: Sequence[str]) -> dict[str, SealedNote]:
        """Where the NOTEs over these hashes stand; those that no slot holds yet are left out."""
        found: dict[str, SealedNote] = {}
        with self._db.read() as db:
            for at in range(0, len(hashes), 500):
                chosen = select(notes).where(notes.c.hash.in_(hashes[at : at + 500]))
                for row in db.execute(chosen):
                    facts = row._mapping
                    found[row.hash] = SealedNote(*(facts[k] for k in ("number", "type", "slot", "index")))
        return found


def _conditions(query: DossierQuery) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    for word in split(query.text):
        begins = dossier_words.c.word.between(word, word + "\U0010ffff")
        wanted.append(dossiers.c.id.in_(select(dossier_words.c.dossier).where(begins)))
    if query.since is not None:
        wanted.append(dossiers.c.end > query.since)
    if query.until is not None:
        wanted.append(dossiers.c.start < query.until)
    if query.record:
        wanted.append(dossiers.c.record == query.record)
    having = {
        "comparison": dossiers.c.topics.is_not(None),
        "claims": dossiers.c.claims > 0,
        "call": dossiers.c.call.is_not(None),
    }
    if query.has in having:
        wanted.append(having[query.has])
    return wanted


def _count(db: Connection, wanted: Sequence[ColumnElement[bool]]) -> int:
    return int(db.execute(select(func.count()).select_from(dossiers).where(*wanted)).scalar_one())


def _line(row: Row[Any]) -> DossierLine:
    facts = dict(row._mapping)
    facts["parties"] = tuple(json.loads(facts["parties"]))
    facts["countries"] = tuple(json.loads(facts["countries"]))
    return DossierLine(**facts)
