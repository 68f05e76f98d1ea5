"""What the catalogue answers with, and how it is read from the tables' rows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from memcon.catalogue.numbers import display_number
from memcon.catalogue.schema import calls, parties

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Row

    from memcon.catalogue.related import Related
    from memcon.catalogue.structure import State


@dataclass(frozen=True, slots=True)
class CallRow:
    """One call as a line of the register. Times in ns; `duration` is None while it is live.

    `parties` are names, else addresses, in order of appearance; None where no custodian has opened the
    call here. `done` when sealing has let it go, `settled` when it was read from its leaves.
    """

    number: int
    display: str
    state: State
    start_wall: int
    end_wall: int | None
    duration: int | None
    segments: int
    mode: str | None
    line: str | None
    parties: tuple[str, ...] | None
    received: int
    lost: int
    gaps: int
    recovered: bool
    cause: int | None
    who: int | None
    done: bool
    settled: bool


@dataclass(frozen=True, slots=True)
class RegisterPage:
    """A page of calls, newest first; `by_state` counts what the filter finds, whatever states it names.

    Where the filter's words are so common that counting would keep the page waiting, `by_state` is None;
    `exact` is False where more calls fit than the `total` that were counted.
    """

    rows: tuple[CallRow, ...]
    total: int
    by_state: Mapping[str, int] | None
    all_calls: int
    first_start: int | None
    exact: bool = True


@dataclass(frozen=True, slots=True)
class StreamRow:
    """One RTP stream; `seconds` has a code a second (structure.NOTHING, HEARD, HELD), empty while live."""

    stream: int
    label: str | None
    mline: int | None
    port: int | None
    codecs: Sequence[Mapping[str, Any]]
    direction: str | None
    participant: str | None
    received: int
    expected: int
    kernel_drops: int
    duplicates: int
    reordered: int
    seconds: bytes


@dataclass(frozen=True, slots=True)
class EventRow:
    """What happened to a call; `since` in ns since its start."""

    n: int
    since: int
    wall: int
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BeatRow:
    """A beat: `wall` when it was made, `published` when its checkpoint stood (None after a rebuild)."""

    index: int
    slot: int
    state: int
    flags: int
    wall: int
    published: int | None


@dataclass(frozen=True, slots=True)
class CallBeat:
    """A beat of a call: it closed segments [first, first + segments); packets lost so far."""

    beat: BeatRow | None
    index: int
    first: int
    segments: int
    lost: int


@dataclass(frozen=True, slots=True)
class CallDetail:
    """Everything a call's page needs."""

    row: CallRow
    handle: str
    parties: tuple[Mapping[str, Any], ...]
    streams: tuple[StreamRow, ...]
    events: tuple[EventRow, ...]
    beats: tuple[CallBeat, ...]
    source_ids: Mapping[str, Any]
    oddities: tuple[str, ...]
    call_root: str | None
    related: tuple[Related, ...] = ()


@dataclass(frozen=True, slots=True)
class CallStreams:
    """What the strip of a call is drawn from: its line, its parties and streams, as in `CallDetail`."""

    row: CallRow
    parties: tuple[Mapping[str, Any], ...]
    streams: tuple[StreamRow, ...]


@dataclass(frozen=True, slots=True)
class Instances:
    """Newest first: starts of the recorder (instance in hex, wall ns), declared offs (wall, by, reason)."""

    starts: tuple[tuple[str, int], ...]
    offs: tuple[tuple[int, str, str], ...]


def rows_of(db: Connection, numbers: Sequence[int]) -> tuple[CallRow, ...]:
    """Lines of the register in the order of `numbers`."""
    if not numbers:
        return ()
    found = {row.number: row for row in db.execute(select(calls).where(calls.c.number.in_(numbers)))}
    names: dict[int, list[str]] = {}
    said = select(parties).where(parties.c.call.in_(numbers)).order_by(parties.c.call, parties.c.place)
    for party in db.execute(said):
        names.setdefault(party.call, []).append(party.name or party.aor or party.id or "")
    return tuple(row_of(found[n], names.get(n, [])) for n in numbers if n in found)


def row_of(row: Row[Any], names: Sequence[str]) -> CallRow:
    return CallRow(
        number=row.number,
        display=display_number(row.number, row.start_wall),
        state=row.state,
        start_wall=row.start_wall,
        end_wall=row.end_wall,
        duration=row.duration,
        segments=row.segments,
        mode=row.mode,
        line=row.line,
        parties=tuple(names) if row.opened else None,
        received=row.received,
        lost=row.lost,
        gaps=row.gaps,
        recovered=bool(row.recovered),
        cause=row.cause,
        who=row.who,
        done=bool(row.done),
        settled=bool(row.settled),
    )


def party_of(party: Row[Any]) -> dict[str, Any]:
    return {key: party._mapping[key] for key in ("id", "name", "aor", "label", "role")}


def stream_of(line: Row[Any]) -> StreamRow:
    return StreamRow(
        stream=line.stream,
        label=line.label,
        mline=line.mline,
        port=line.port,
        codecs=json.loads(line.codecs),
        direction=line.direction,
        participant=line.participant,
        received=line.received,
        expected=line.expected,
        kernel_drops=line.kernel_drops,
        duplicates=line.duplicates,
        reordered=line.reordered,
        seconds=bytes(line.seconds, "latin-1") if isinstance(line.seconds, str) else bytes(line.seconds),
    )


def beat_of(row: Sequence[Any]) -> CallBeat:
    _, index, first, segments, lost, known, slot, state, flags, wall, published = tuple(row)
    beat = None if known is None else BeatRow(known, slot, state, flags, wall, published)
    return CallBeat(beat, index, first, segments, lost)
