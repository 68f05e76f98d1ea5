"""What sealing said (the feed) and what leaves say, as rows. One transaction per batch.

Everything is an upsert by its natural key: told twice, it is the same; told again after the leaves were
read, the feed changes nothing that they know better.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert

from memcon.catalogue import structure as st
from memcon.catalogue.schema import (
    beats,
    call_beats,
    calls,
    events,
    instances,
    links,
    meta,
    notes,
    offs,
    parties,
    streams,
    words,
)
from memcon.catalogue.words import words_of
from memcon.errors import FormatError
from memcon.record.segment import KIND_WIRE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import Connection, Table
    from sqlalchemy.dialects.sqlite import Insert

    from memcon.catalogue.structure import Structure


def apply_objects(db: Connection, said: Iterable[Mapping[str, Any]]) -> int:
    """Objects of the feed in their order, events that follow each other at once; how many were known.

    Raises FormatError as `apply_object` does.
    """
    known = 0
    waiting: list[Mapping[str, Any]] = []
    for one in said:
        if one.get("t") == "event":
            waiting.append(one)
            continue
        known += _apply_events(db, waiting)
        known += apply_object(db, one)
    return known + _apply_events(db, waiting)


def _apply_events(db: Connection, waiting: list[Mapping[str, Any]]) -> int:
    """Events in one statement; empties the list."""
    many = list(waiting)
    waiting.clear()
    if many:
        apply_object(db, {"t": "events", "number": many[0].get("number", ""), "events": many})
    return len(many)


def apply_object(db: Connection, said: Mapping[str, Any]) -> bool:
    """One object of the feed (ARCHITECTURE); False for a kind this version does not know.

    Raises FormatError for an object without the keys of its kind; the caller rolls back to before it.
    """
    handler = _HANDLERS.get(str(said.get("t")))
    if handler is None:
        return False
    try:
        handler(db, said)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        kind = type(error).__name__
        raise FormatError(
            "feed", f"{said.get('t')}: {kind} {error}", where=str(said.get("number", ""))
        ) from error
    return True


@cache
def _statement(table: Table, names: tuple[str, ...], kept: tuple[str, ...]) -> Insert:
    """An upsert of these columns, made once: making it costs more than running it."""
    keys = [column.name for column in table.primary_key]
    statement = insert(table).values({name: bindparam(name) for name in names})
    changed = {name: statement.excluded[name] for name in names if name not in keys and name not in kept}
    if not changed:  # a table that is all key
        return statement.on_conflict_do_nothing()
    return statement.on_conflict_do_update(index_elements=keys, set_=changed)


def upsert(
    db: Connection, table: Table, rows: Sequence[Mapping[str, Any]], kept: tuple[str, ...] = ()
) -> None:
    """Insert rows of the same columns or overwrite those of their key, except in the columns `kept`."""
    if rows:
        db.execute(_statement(table, tuple(rows[0]), kept), [dict(row) for row in rows])


def note_change(db: Connection) -> None:
    """Count every change, so that what was counted or indexed before one is not used after it."""
    known = db.execute(select(meta.c.value).where(meta.c.key == "changes")).scalar()
    upsert(db, meta, [{"key": "changes", "value": str(int(known or 0) + 1)}])


def dumps(value: object) -> str:
    """JSON in one form, so that both ways to a row give the same text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _instance(db: Connection, said: Mapping[str, Any]) -> None:
    upsert(db, instances, [{"instance": str(said["instance"]), "wall": int(said["wall"])}])


def _off(db: Connection, said: Mapping[str, Any]) -> None:
    row = {"wall": int(said["wall"]), "by": str(said.get("by", "")), "reason": str(said.get("reason", ""))}
    upsert(db, offs, [row])


def _note(db: Connection, said: Mapping[str, Any]) -> None:
    keys = ("number", "type", "slot", "index")
    upsert(db, notes, [{"hash": str(said["hash"])} | {key: int(said[key]) for key in keys}])


def _call(db: Connection, said: Mapping[str, Any]) -> None:
    number = int(said["number"])
    row = {
        "number": number,
        "handle": str(said["handle"]),
        "start_wall": int(said["wall"]),
        "mode": said.get("mode"),
        "line": said.get("line"),
        "opened": 1,
        "source_ids": dumps(said.get("source_ids") or {}),
        "oddities": dumps(list(said.get("oddities") or [])),
        "state": "live",
    }
    upsert(db, calls, [row], kept=("state",))
    _set_streams(db, number, said.get("streams") or [])
    _set_parties(db, number, said.get("parties") or [], said.get("line"))
    _add_links(db, number, (said.get("source_ids") or {}).get("links") or [])


def _add_links(db: Connection, number: int, told: Sequence[str]) -> None:
    upsert(db, links, [{"link": str(link), "call": number} for link in told])


def _streams(db: Connection, said: Mapping[str, Any]) -> None:
    number = int(said["number"])
    _set_streams(db, number, said.get("streams") or [])
    if said.get("parties"):
        line = db.execute(select(calls.c.line).where(calls.c.number == number)).scalar()
        _set_parties(db, number, said["parties"], line)


def _set_streams(db: Connection, number: int, told: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        {
            "call": number,
            "stream": int(one["stream"]),
            "label": one.get("label"),
            "mline": one.get("mline"),
            "port": one.get("port"),
            "codecs": dumps(one.get("codecs") or []),
            "direction": one.get("direction"),
            "participant": one.get("participant"),
        }
        for one in told
        if int(one["stream"]) % 2 == 0 and one.get("kind") != KIND_WIRE
    ]
    upsert(db, streams, rows)  # a stream told twice ends as it was told last


def _set_parties(db: Connection, number: int, told: Sequence[Mapping[str, Any]], line: str | None) -> None:
    db.execute(delete(parties).where(parties.c.call == number))
    keys = ("id", "name", "aor", "label", "role")
    rows = [{"call": number, "place": n, **{k: one.get(k) for k in keys}} for n, one in enumerate(told)]
    if rows:
        db.execute(insert(parties), rows)
    db.execute(delete(words).where(words.c.call == number))
    found = [{"word": word, "call": number} for word in sorted(words_of(told, line))]
    if found:
        db.execute(insert(words), found)


def _event(db: Connection, said: Mapping[str, Any]) -> None:
    _events(db, {"events": [said]})


def _events(db: Connection, said: Mapping[str, Any]) -> None:
    rows = [
        {
            "call": int(one["number"]),
            "n": int(one["n"]),
            "since": int(one["since"]),
            "wall": int(one["wall"]),
            "type": str(one["facts"]["type"]),
            "facts": dumps(one["facts"]),
        }
        for one in said["events"]
    ]
    upsert(db, events, rows)
    for row, one in zip(rows, said["events"], strict=True):
        if row["type"] == "metadata":
            _add_links(db, int(one["number"]), one["facts"].get("links") or [])


def _beat(db: Connection, said: Mapping[str, Any]) -> None:
    index = int(said["index"])
    published = said.get("published")
    row = {
        "index": index,
        "slot": int(said["slot"]),
        "state": int(said["state"]),
        "flags": int(said["flags"]),
        "wall": int(said["wall"]),
        "published": None if published is None else int(published),
    }
    upsert(db, beats, [row])
    for text, (segments, counts) in (said.get("open") or {}).items():
        _progress(db, int(text), index, int(segments), counts)


def _progress(
    db: Connection, number: int, index: int, segments: int, counts: Sequence[Sequence[int]]
) -> None:
    """How far an open call had come in a beat; of a settled call the leaves have said it already."""
    known = db.execute(select(calls.c.settled, calls.c.first_beat).where(calls.c.number == number)).first()
    if known is None or known.settled:
        return
    lost = received = 0
    rows = []
    for stream, got, expected, drops, duplicates, reordered in counts:
        if stream % 2:
            continue
        lost += st.lost(got, expected, duplicates)
        received += got
        totals = {
            "received": got,
            "expected": expected,
            "kernel_drops": drops,
            "duplicates": duplicates,
            "reordered": reordered,
        }
        rows.append({"call": number, "stream": stream, **totals})
    upsert(db, streams, rows)
    before = db.execute(
        select(func.coalesce(func.max(call_beats.c.first + call_beats.c.segments), 0)).where(
            call_beats.c.call == number, call_beats.c.index < index
        )
    ).scalar_one()
    upsert(
        db,
        call_beats,
        [
            {
                "call": number,
                "index": index,
                "first": before,
                "segments": max(0, segments - before),
                "lost": lost,
            }
        ],
    )
    changed = {"segments": segments, "last_beat": index, "lost": lost, "received": received}
    if known.first_beat is None:
        changed["first_beat"] = index
    db.execute(update(calls).where(calls.c.number == number).values(changed))


def _end(db: Connection, said: Mapping[str, Any]) -> None:
    number = int(said["number"])
    ended = {
        "end_wall": int(said["wall"]),
        "duration": int(said["duration"]),
        "segments": int(said["segments"]),
        "cause": int(said["cause"]),
        "who": int(said["who"]),
    }
    db.execute(update(calls).where(calls.c.number == number, calls.c.settled == 0).values(ended))
    set_state(db, number)


def _done(db: Connection, said: Mapping[str, Any]) -> None:
    db.execute(update(calls).where(calls.c.number == int(said["number"])).values(done=1))


_HANDLERS: dict[str, Callable[[Connection, Mapping[str, Any]], None]] = {
    "instance": _instance,
    "off": _off,
    "note": _note,
    "call": _call,
    "streams": _streams,
    "feed": lambda _db, _said: None,  # which feed this is: `memcon.catalogue.feed` has read it
    "event": _event,
    "events": _events,
    "beat": _beat,
    "end": _end,
    "done": _done,
}


def set_state(db: Connection, number: int) -> None:
    """The state of a call from its rows."""
    row = db.execute(select(calls).where(calls.c.number == number)).first()
    if row is None:
        return
    drops = db.execute(select(func.sum(streams.c.kernel_drops)).where(streams.c.call == number)).scalar() or 0
    state = st.state_of(
        ended=row.end_wall is not None,
        received=row.received,
        lost=row.lost,
        drops=drops,
        gaps=row.gaps,
        recovered=bool(row.recovered),
        cause=row.cause,
    )
    db.execute(update(calls).where(calls.c.number == number).values(state=state))


def settle(db: Connection, told: Structure) -> None:
    """A call's rows from its leaves, with the holds its events declare (none, where no event is known)."""
    number, last = told.number, told.last
    row: dict[str, Any] = {
        "number": number,
        "handle": told.first.handle.hex(),
        "start_wall": told.first.start_wall,
        "state": "live",
        "segments": told.segments,
        "first_beat": told.beats[0].index,
        "last_beat": told.beats[-1].index,
        "recovered": int(told.recovered),
        "settled": int(last is not None),
    }
    if last is not None:
        row |= {
            "end_wall": last.end_wall,
            "duration": last.duration,
            "cause": last.cause,
            "who": last.who,
            "call_root": last.call_root.hex(),
        }
    upsert(db, calls, [row])
    spans = _held(db, number, last.duration if last else told.segments * 1_000_000_000)
    lines = []
    for stream, totals in sorted(told.streams.items()):
        seconds = st.mark_held(totals.seconds, spans.get(None, []) + spans.get(stream, []))
        counts = {
            "received": totals.received,
            "expected": totals.expected,
            "kernel_drops": totals.kernel_drops,
            "duplicates": totals.duplicates,
            "reordered": totals.reordered,
            "seconds": seconds,
        }
        upsert(db, streams, [{"call": number, "stream": stream, **counts}])
        where = (streams.c.call == number, streams.c.stream == stream)
        lines.append((db.execute(select(streams.c.direction).where(*where)).scalar(), seconds))
    db.execute(delete(call_beats).where(call_beats.c.call == number))
    rows = [
        {"call": number, "index": b.index, "first": b.first, "segments": b.segments, "lost": b.lost}
        for b in told.beats
    ]
    db.execute(insert(call_beats), rows)
    sums = {
        "received": sum(t.received for t in told.streams.values()),
        "lost": sum(t.lost for t in told.streams.values()),
        "gaps": st.total_gaps(lines),
    }
    db.execute(update(calls).where(calls.c.number == number).values(sums))
    set_state(db, number)


def _held(db: Connection, number: int, end: int) -> dict[int | None, list[tuple[int, int]]]:
    kinds = ("hold", "resume", "pause", "unpause")
    rows = db.execute(
        select(events.c.since, events.c.facts)
        .where(events.c.call == number, events.c.type.in_(kinds))
        .order_by(events.c.n)
    )
    return st.held([(row.since, json.loads(row.facts)) for row in rows], end)
