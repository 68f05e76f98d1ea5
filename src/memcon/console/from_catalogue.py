"""The `Register` of the pages over a real catalogue and home."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from memcon.catalogue.catalogue import Filter
from memcon.catalogue.structure import read_structure
from memcon.console import deps
from memcon.console.call_view import remark_of
from memcon.console.event_words import ended_by, event_words, text_of
from memcon.console.lanes import lane_letters, lanes_of, live_seconds
from memcon.console.recorder import (
    PROCESSES,
    Beginning,
    losses,
    processes,
    read_beginning,
    read_disk,
    read_head,
    read_said,
)
from memcon.console.score import gaps, seal_of
from memcon.console.words import count
from memcon.errors import FormatError
from memcon.store import durable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memcon.catalogue.catalogue import CallBeat, CallDetail, Catalogue
    from memcon.catalogue.catalogue import CallRow as CatalogueRow
    from memcon.clock import Clock
    from memcon.store.paths import Home

KEPT_STRIPS = 2000
MOST_KEPT = 4 * 3600  # seconds: a longer call's strip is read again each time


class CatalogueRegister:
    """What `deps.Register` asks for, read from the catalogue, the log and the run directory.

    The strip of an ended call never changes, so it is kept in memory, bounded; that of a live one is
    read from its leaves each time.
    """

    def __init__(self, catalogue: Catalogue, home: Home, clock: Clock, vkeys: Sequence[str]) -> None:
        self._catalogue = catalogue
        self._home = home
        self._clock = clock
        self._vkeys = tuple(vkeys)
        self._beginning: Beginning | None = None
        self._strips: OrderedDict[int, tuple[bytes, str]] = OrderedDict()
        self._lock = threading.Lock()

    def search(self, query: deps.Query) -> deps.RegisterPage:
        asked = Filter(query.text, frozenset(query.states), None, query.since, query.until)
        found = self._catalogue.register(asked, page=query.page, size=query.size)
        by_state: dict[deps.CallState, int] = {
            state: found.by_state.get(state, 0) for state in ("live", "recorded", "partly", "none")
        }
        return deps.RegisterPage(
            rows=tuple(self._line(row) for row in found.rows),
            total=found.total,
            all_calls=found.all_calls,
            first_began=found.first_start,
            by_state=by_state,
            live=self.live(),
        )

    def live(self) -> tuple[deps.CallRow, ...]:
        return tuple(self._line(row) for row in self._catalogue.live())

    def call(self, number: int) -> deps.CallPage | None:
        detail = self._catalogue.call(number)
        if detail is None:
            return None
        lanes = self._lanes(detail)
        letters = lane_letters(detail)
        events = []
        for event in detail.events:
            text, source = event_words(event.facts, letters)
            events.append(
                deps.CallEvent(event.n, event.since, text_of(event.facts.get("type")), text, source)
            )
        period = self._begin().period_ns
        return deps.CallPage(
            row=self._row(detail.row, seal_of(lanes), _remark(detail.row, lanes)),
            lanes=lanes,
            events=tuple(events),
            seals=tuple(_seal_row(beat, period) for beat in detail.beats),
            facts=_facts(detail),
            oddities=tuple(text_of(odd) for odd in detail.oddities),
            ended_by=ended_by(detail.row.cause, detail.row.who),
            call_root=detail.call_root or "",
            origin=read_head(self._home).origin,
        )

    def status(self, beats: int) -> deps.RecorderStatus:
        head, beginning = read_head(self._home), self._begin()
        said = {name: read_said(self._home, name) for name in PROCESSES}
        offs = self._catalogue.instances(1).offs
        return deps.RecorderStatus(
            name=head.name,
            origin=head.origin,
            period_ns=beginning.period_ns,
            genesis_slot=beginning.slot,
            beats=tuple(
                deps.Beat(b.index, b.slot, b.state, b.flags, b.wall, b.published)
                for b in self._catalogue.beats_last(beats)
            ),
            tree_size=head.size,
            vkeys=self._vkeys,
            live_calls=len(self._catalogue.live()),
            processes=processes(said),
            losses=losses(said),
            disk=read_disk(self._home),
            off=f"By {text_of(offs[0][1])}: {text_of(offs[0][2])}" if offs else "",
        )

    def _begin(self) -> Beginning:
        if self._beginning is None:
            self._beginning = read_beginning(self._home)
        return self._beginning

    def _lanes(self, detail: CallDetail) -> tuple[deps.Lane, ...]:
        seconds = self._sealed_so_far(detail) if detail.row.state == "live" else {}
        return lanes_of(detail, seconds)

    def _sealed_so_far(self, detail: CallDetail) -> dict[int, bytes]:
        """By stream, from the leaves of a call that is going on; nothing when they cannot be read now."""
        path = self._home.work_open / str(detail.row.number) / "leaves.mcl"
        data = durable.read_if_there(path)
        if data is None:
            return {}
        try:
            told = read_structure(data)
        except FormatError:  # the leaf being written: the next beat's page has it
            return {}
        streams = {stream: totals.seconds for stream, totals in told.streams.items()}
        return live_seconds(streams, detail.events, self._clock.wall_ns() - detail.row.start_wall)

    def _line(self, row: CatalogueRow) -> deps.CallRow:
        with self._lock:
            kept = self._strips.get(row.number)
            if kept is not None:
                self._strips.move_to_end(row.number)
        if kept is None:
            detail = self._catalogue.call(row.number)
            lanes = self._lanes(detail) if detail is not None else ()
            kept = (seal_of(lanes), _remark(row, lanes))
            if row.done and detail is not None and detail.call_root and len(kept[0]) <= MOST_KEPT:
                with self._lock:
                    self._strips[row.number] = kept
                    while len(self._strips) > KEPT_STRIPS:
                        self._strips.popitem(last=False)
        return self._row(row, *kept)

    def _row(self, row: CatalogueRow, seal: bytes, remark: str) -> deps.CallRow:
        so_far = max(0, self._clock.wall_ns() - row.start_wall)
        return deps.CallRow(
            number=row.number,
            display=row.display,
            state=row.state,
            began=row.start_wall,
            duration=so_far if row.duration is None else row.duration,
            parties=tuple(text_of(name) for name in row.parties or ()),
            line=text_of(row.line),
            sealed=row.segments,
            remark=remark,
            seal=seal,
        )


def _remark(row: CatalogueRow, lanes: Sequence[deps.Lane]) -> str:
    """What a reader of the register should know of a call, in one line."""
    if row.state == "none":
        return "The signalling came; no packet of audio did"
    parts = [remark_of(gaps(lanes))] if row.state == "partly" else []
    if row.state == "partly" and row.lost:
        parts.append(f"{count(row.lost, 'packet')} lost on the way")
    if row.recovered:
        parts.append("sealed from the journal after a crash")
    if row.cause in (3, 6, 7):
        parts.append(ended_by(row.cause, row.who))
    if row.parties is None:
        parts.append("names are locked: no custodian has opened this call here")
    return "; ".join(part for part in parts if part)


def _seal_row(sealed: CallBeat, period_ns: int) -> deps.SealRow:
    beat = sealed.beat
    return deps.SealRow(
        index=sealed.index,
        slot_start=None if beat is None else beat.slot * period_ns,
        slot_end=None if beat is None else (beat.slot + 1) * period_ns,
        published=None if beat is None else beat.published,
        first=sealed.first,
        last=sealed.first + sealed.segments - 1,
    )


def _facts(detail: CallDetail) -> tuple[tuple[str, str], ...]:
    """Identifiers of a call, for who has to find it elsewhere."""
    rows = [("Handle", detail.handle)] if detail.handle else []
    if detail.row.mode:
        rows.append(("Recorded by", {"siprec": "SIPREC (RFC 7866)"}.get(detail.row.mode, detail.row.mode)))
    rows += [(text_of(key), text_of(value)) for key, value in sorted(detail.source_ids.items()) if value]
    return tuple(rows[:8])
