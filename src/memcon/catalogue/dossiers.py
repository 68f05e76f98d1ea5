"""The index over dossiers: one line each, the words it is found by, and which NOTE seals which hash."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, exists, func, select

from memcon.catalogue.numbers import ACCOUNTS, UNDATED, in_column, number_of
from memcon.catalogue.schema import (
    OF_A_CALL,
    calls,
    dossier_calls,
    dossier_words,
    dossiers,
    notes,
    parties,
    words,
)
from memcon.catalogue.words import split
from memcon.catalogue.writing import note_change, upsert

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
    places: tuple[str, ...] = ()
    """Names of the countries and the offices, by which the register finds a party; not kept."""


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
        start, end = (None if at is None else in_column(at) for at in (line.start, line.end))
        line = replace(line, start=start, end=end)
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
            _into_register(db, line)
            note_change(db)

    def lines(self, ids: Sequence[str]) -> dict[str, DossierLine]:
        """Several, by their ids."""
        with self._db.read() as db:
            return {row.id: _line(row) for row in db.execute(select(dossiers).where(dossiers.c.id.in_(ids)))}

    def clear(self) -> None:
        """Forget every dossier and NOTE."""
        with self._db.write() as db:
            _out_of_register(db, calls.c.number < ACCOUNTS)
            for table in (dossiers, dossier_words, dossier_calls, notes):
                db.execute(delete(table))
            note_change(db)

    def known(self) -> dict[str, int]:
        """Every id and how many entries were indexed; not those that stand wrongly in the register of calls,
        as when a call came after the dossier that hangs on it."""
        recorded = exists().where(calls.c.number == dossiers.c.call)
        asked = select(dossiers.c.id, dossiers.c.entries).join(
            dossier_calls, dossier_calls.c.dossier == dossiers.c.id
        )
        right = (dossier_calls.c.number == dossiers.c.call) | (~recorded & (dossier_calls.c.number < 0))
        with self._db.read() as db:
            return {str(id_): int(n) for id_, n in db.execute(asked.where(right))}

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


def _into_register(db: Connection, line: DossierLine) -> None:
    """The dossier among all calls: on the row of the recorded call it hangs on, else in a row of its own."""
    number = number_of(line.id)
    if number is None:
        return
    _out_of_register(db, calls.c.number == number)
    if (
        line.call is not None
        and db.execute(select(calls.c.number).where(calls.c.number == line.call)).first()
    ):
        upsert(db, dossier_calls, [{"dossier": line.id, "number": line.call}])
        return
    upsert(db, dossier_calls, [{"dossier": line.id, "number": number}])
    row = {"number": number, "start_wall": UNDATED if line.start is None else line.start, "state": "accounts"}
    row |= {"end_wall": line.end, "opened": 1, "done": 1, "settled": 1}
    upsert(db, calls, [row])
    people = [{"call": number, "place": n, "name": name} for n, name in enumerate(line.parties)]
    upsert(db, parties, people)
    found = split(" ".join((*line.parties, *line.countries, *line.places)))
    upsert(db, words, [{"word": word, "call": number} for word in dict.fromkeys(found)])


def _out_of_register(db: Connection, which: ColumnElement[bool]) -> None:
    numbers = list(db.execute(select(calls.c.number).where(which)).scalars())
    for at in range(0, len(numbers), 500):
        some = numbers[at : at + 500]
        for table in OF_A_CALL:
            db.execute(delete(table).where(table.c.call.in_(some)))
        db.execute(delete(calls).where(calls.c.number.in_(some)))


def _conditions(query: DossierQuery) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    for word in split(query.text):
        begins = dossier_words.c.word.between(word, word + "\U0010ffff")
        wanted.append(dossiers.c.id.in_(select(dossier_words.c.dossier).where(begins)))
    if query.since is not None:
        wanted.append(dossiers.c.end > in_column(query.since))
    if query.until is not None:
        wanted.append(dossiers.c.start < in_column(query.until))
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
