"""The catalogue: what the pages ask, answered from indexes; written by one process, read by any.

It is an index, not a record: removed, it is made again from vault and log (`rebuild`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.sqlite import insert

from memcon.catalogue.dossiers import DossierIndex
from memcon.catalogue.intakes import IntakeIndex
from memcon.catalogue.numbers import UNDATED, parse_display
from memcon.catalogue.related import related_to
from memcon.catalogue.rows import (
    BeatRow,
    CallDetail,
    CallRow,
    CallStreams,
    EventRow,
    Instances,
    RegisterPage,
    StreamRow,
    beat_of,
    party_of,
    rows_of,
    stream_of,
)
from memcon.catalogue.schema import (
    VERSION,
    beats,
    call_beats,
    calls,
    events,
    instances,
    meta,
    metadata,
    offs,
    parties,
    streams,
)
from memcon.catalogue.searching import MANY, question_of
from memcon.catalogue.searching import Filter as Filter
from memcon.catalogue.structure import STATES, read_structure
from memcon.catalogue.writing import apply_object, apply_objects, note_change, settle
from memcon.clock import utc
from memcon.errors import FormatError
from memcon.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from memcon.catalogue.searching import Question

_EVERYTHING = Filter()


class Catalogue:
    """One catalogue file. Close it when done."""

    def __init__(self, path: Path) -> None:
        self._db = Database(path)
        self._counts: dict[tuple[int, Filter], Mapping[str, int]] = {}
        with self._db.write() as db:
            metadata.create_all(db)
            known = _meta(db, "version")
            if known is not None and known != str(VERSION):
                metadata.drop_all(db)
                metadata.create_all(db)
            _set_meta(db, "version", str(VERSION))

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    # ------------------------------------------------------------------ writing

    def apply(self, said: Iterable[Mapping[str, Any]], *, feed: str = "", upto: int | None = None) -> int:
        """Apply objects of the feed in one transaction; returns how many could not be understood.

        With `feed` (which feed it is) and `upto` (the byte after the batch) the place is kept in the same
        transaction, and a batch that ends where one has ended already is not applied again.
        """
        objects = list(said)
        with self._db.write() as db:
            if upto is not None and upto <= int(_meta(db, f"feed:{feed}") or 0):
                return 0
            skipped = _apply(db, objects)
            if upto is not None:
                _set_meta(db, f"feed:{feed}", str(upto))
            if skipped:
                _set_meta(db, "skipped", str(skipped + int(_meta(db, "skipped") or 0)))
            note_change(db)
        return skipped

    def feed_offset(self, feed: str) -> int:
        """The byte up to which a feed has been applied."""
        with self._db.read() as db:
            return int(_meta(db, f"feed:{feed}") or 0)

    def settle(self, leaves: bytes) -> None:
        """Take what a call's `leaves.mcl` says as the last word on it; raises FormatError."""
        told = read_structure(leaves)
        with self._db.write() as db:
            settle(db, told)
            note_change(db)

    def index(self, kept: Iterable[Kept]) -> list[str]:
        """Calls as the vault has them, in one transaction; for each what was wrong, or "" where it is in."""
        problems = []
        with self._db.write() as db:
            for one in kept:
                db.exec_driver_sql("SAVEPOINT kept")
                try:
                    _index(db, one)
                    problems.append("")
                except FormatError as error:
                    db.exec_driver_sql("ROLLBACK TO kept")
                    problems.append(str(error))
                db.exec_driver_sql("RELEASE kept")
            note_change(db)
        return problems

    def unsettled(self) -> tuple[int, ...]:
        """Calls that sealing has let go and whose leaves have not been read yet: `settle` them."""
        with self._db.read() as db:
            asked = select(calls.c.number).where(calls.c.done == 1, calls.c.settled == 0)
            return tuple(db.execute(asked.order_by(calls.c.number)).scalars())

    def clear(self) -> None:
        """Forget everything, as before a rebuild."""
        with self._db.write() as db:
            for table in metadata.sorted_tables:
                if table is not meta:
                    db.execute(delete(table))
            db.execute(delete(meta).where(meta.c.key.like("feed:%") | (meta.c.key == "skipped")))
            note_change(db)

    @property
    def dossiers(self) -> DossierIndex:
        """The index over dossiers, in the same file."""
        return DossierIndex(self._db)

    @property
    def intakes(self) -> IntakeIndex:
        """The index over calls taken in, in the same file."""
        return IntakeIndex(self._db)

    # ------------------------------------------------------------------ reading

    def changes(self) -> str:
        """Another text after each change of calls, whoever made it."""
        with self._db.read() as db:
            return _meta(db, "changes") or "0"

    def register(self, asked: Filter = _EVERYTHING, *, page: int = 1, size: int = 25) -> RegisterPage:
        """A page of the register, newest first, pages from 1."""
        with self._db.read() as db:
            everything, first = self._all(db)
            question = question_of(db, asked)
            fits = question.of_states(asked.states)
            if question.narrow:
                by_state = self._count(db, asked, question)
                total = sum(n for state, n in by_state.items() if not asked.states or state in asked.states)
            else:
                some = select(calls.c.number).where(*fits).limit(MANY + 1).subquery()
                total = db.execute(select(func.count()).select_from(some)).scalar_one()
                by_state = None
            numbers = (
                select(calls.c.number)
                .where(*fits)
                .order_by(calls.c.start_wall.desc(), calls.c.number.desc())
                .offset((max(1, page) - 1) * size)
                .limit(size)
            )
            rows = rows_of(db, list(db.execute(numbers).scalars()))
        exact = question.narrow or total <= MANY
        return RegisterPage(
            rows, min(total, MANY) if not exact else total, by_state, everything, first, exact
        )

    def _all(self, db: Connection) -> tuple[int, int | None]:
        """(all calls, the first start)."""
        everything = db.execute(select(func.count()).select_from(calls)).scalar_one()
        return everything, db.execute(
            select(func.min(calls.c.start_wall)).where(calls.c.start_wall > UNDATED)
        ).scalar()

    def _count(self, db: Connection, asked: Filter, question: Question) -> Mapping[str, int]:
        """Calls by state under the filter, whatever states it names: kept until something is written."""
        version = int(_meta(db, "changes") or 0)
        key = (version, Filter(asked.text, frozenset(), asked.line, asked.since, asked.until, asked.party))
        if key not in self._counts:
            self._counts = {k: v for k, v in self._counts.items() if k[0] == version}
            grouped = select(calls.c.state, func.count()).where(*question.conditions)
            found = {state: n for state, n in db.execute(grouped.group_by(calls.c.state))}
            self._counts[key] = {state: found.get(state, 0) for state in STATES}
        return self._counts[key]

    def live(self, limit: int | None = None) -> tuple[CallRow, ...]:
        """The calls that are going on, newest first, at most `limit`."""
        with self._db.read() as db:
            numbers = select(calls.c.number).where(calls.c.state == "live").limit(limit)
            order = (calls.c.start_wall.desc(), calls.c.number.desc())
            return rows_of(db, list(db.execute(numbers.order_by(*order)).scalars()))

    def live_count(self) -> int:
        """How many calls are going on."""
        with self._db.read() as db:
            asked = select(func.count()).select_from(calls).where(calls.c.state == "live")
            return db.execute(asked).scalar_one()

    def row(self, number: int) -> CallRow | None:
        """One call's line, None when there is no such number."""
        with self._db.read() as db:
            found = rows_of(db, [number])
        return found[0] if found else None

    def find(self, display: str) -> int | None:
        """The call number of `2026-11-19/0007` or `7`; None where there is none, or it began another day."""
        parsed = parse_display(display)
        row = None if parsed is None else self.row(parsed[1])
        if parsed is None or row is None or parsed[0] not in (None, utc(row.start_wall)[:10]):
            return None
        return row.number

    def streams_of(self, rows: Sequence[CallRow]) -> tuple[CallStreams, ...]:
        """Parties and streams of a page of calls, in the order of `rows`: two questions, however many."""
        numbers = [row.number for row in rows]
        people: dict[int, list[Mapping[str, Any]]] = {number: [] for number in numbers}
        lines: dict[int, list[StreamRow]] = {number: [] for number in numbers}
        if numbers:
            said = select(parties).where(parties.c.call.in_(numbers))
            sent = select(streams).where(streams.c.call.in_(numbers))
            with self._db.read() as db:
                for party in db.execute(said.order_by(parties.c.call, parties.c.place)):
                    people[party.call].append(party_of(party))
                for line in db.execute(sent.order_by(streams.c.call, streams.c.stream)):
                    lines[line.call].append(stream_of(line))
        return tuple(CallStreams(r, tuple(people[r.number]), tuple(lines[r.number])) for r in rows)

    def call(self, number: int) -> CallDetail | None:
        """Everything about one call, None when there is no such number."""
        with self._db.read() as db:
            rows = rows_of(db, [number])
            if not rows:
                return None
            call = db.execute(select(calls).where(calls.c.number == number)).one()
            said = db.execute(select(parties).where(parties.c.call == number).order_by(parties.c.place))
            lines = db.execute(select(streams).where(streams.c.call == number).order_by(streams.c.stream))
            happened = db.execute(select(events).where(events.c.call == number).order_by(events.c.n))
            sealed = db.execute(
                select(call_beats, beats)
                .outerjoin(beats, beats.c["index"] == call_beats.c["index"])
                .where(call_beats.c.call == number)
                .order_by(call_beats.c["index"])
            )
            told = tuple(EventRow(e.n, e.since, e.wall, json.loads(e.facts)) for e in happened)
            odd = [str(e.facts.get("text", "")) for e in told if e.facts["type"] == "oddity"]
            return CallDetail(
                row=rows[0],
                handle=call.handle,
                parties=tuple(party_of(party) for party in said),
                streams=tuple(stream_of(line) for line in lines),
                events=told,
                beats=tuple(beat_of(row) for row in sealed),
                source_ids=json.loads(call.source_ids),
                oddities=(*json.loads(call.oddities), *odd),
                call_root=call.call_root,
                related=related_to(db, number, call.start_wall),
            )

    def beats_last(self, count: int) -> tuple[BeatRow, ...]:
        """The newest beats, oldest first."""
        with self._db.read() as db:
            rows = db.execute(select(beats).order_by(beats.c["index"].desc()).limit(count)).all()
        return tuple(BeatRow(*row) for row in reversed(rows))

    def beat(self, index: int) -> BeatRow | None:
        """One beat by its index in the log."""
        with self._db.read() as db:
            row = db.execute(select(beats).where(beats.c["index"] == index)).first()
        return None if row is None else BeatRow(*row)

    def beats_between(self, first_slot: int, last_slot: int) -> tuple[BeatRow, ...]:
        """The beats of slots `first_slot` to `last_slot`, in order."""
        with self._db.read() as db:
            asked = select(beats).where(beats.c.slot.between(first_slot, last_slot)).order_by(beats.c.slot)
            return tuple(BeatRow(*row) for row in db.execute(asked))

    def instances(self, count: int = 20) -> Instances:
        """The newest starts of the recorder and declared offs."""
        with self._db.read() as db:
            starts = db.execute(select(instances).order_by(instances.c.wall.desc()).limit(count)).all()
            said = db.execute(select(offs).order_by(offs.c.wall.desc()).limit(count)).all()
        return Instances(
            tuple((r.instance, r.wall) for r in starts), tuple((r.wall, r.by, r.reason) for r in said)
        )

    def lines(self) -> tuple[str, ...]:
        """The names of all lines that calls came by."""
        with self._db.read() as db:
            return tuple(sorted(x for x in db.execute(select(calls.c.line).distinct()).scalars() if x))


@dataclass(frozen=True, slots=True)
class Kept:
    """A call in the vault: its `leaves.mcl`, and what the feed would have told of it, as far as it opens."""

    leaves: bytes
    objects: Callable[[], Iterable[Mapping[str, Any]]]


def _index(db: Connection, kept: Kept) -> None:
    told = read_structure(kept.leaves)
    objects = list(kept.objects())
    if apply_objects(db, objects) < len(objects):
        raise FormatError("record.mcr", "not every part of it could be read", where=f"call {told.number}")
    settle(db, told)
    apply_objects(db, [{"t": "done", "number": told.number}])


def _apply(db: Connection, objects: Sequence[Mapping[str, Any]]) -> int:
    """All objects at once; where one of them is wrong, each by itself. Returns how many were left out."""
    db.exec_driver_sql("SAVEPOINT many")
    try:
        skipped = len(objects) - apply_objects(db, objects)
    except FormatError:
        db.exec_driver_sql("ROLLBACK TO many")
        skipped = sum(not _apply_one(db, one) for one in objects)
    db.exec_driver_sql("RELEASE many")
    return skipped


def _apply_one(db: Connection, one: Mapping[str, Any]) -> bool:
    db.exec_driver_sql("SAVEPOINT one")
    try:
        known = apply_object(db, one)
    except FormatError:
        db.exec_driver_sql("ROLLBACK TO one")
        known = False
    db.exec_driver_sql("RELEASE one")
    return known


def _meta(db: Connection, key: str) -> str | None:
    return db.execute(select(meta.c.value).where(meta.c.key == key)).scalar()


def _set_meta(db: Connection, key: str, value: str) -> None:
    statement = insert(meta).values(key=key, value=value)
    db.execute(statement.on_conflict_do_update(index_elements=["key"], set_={"value": value}))
