"""The `Register` of the pages over a real catalogue and home."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from memcon.catalogue.catalogue import Filter
from memcon.catalogue.structure import STATES, read_structure
from memcon.console import deps
from memcon.console.call_view import remark_of
from memcon.console.dossier_words import RECORD_WORDS, date_words
from memcon.console.event_words import ended_by, text_of, told
from memcon.console.health import judge, read_words
from memcon.console.lanes import lane_letters, lanes_of, live_seconds
from memcon.console.recorder import (
    PROCESSES,
    Beginning,
    losses,
    processes,
    quorum,
    read_beginning,
    read_disk,
    read_head,
)
from memcon.console.score import gaps, seal_of
from memcon.console.words import clock_time, count, short_day
from memcon.errors import FormatError
from memcon.store import durable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memcon.catalogue.catalogue import Catalogue
    from memcon.catalogue.dossiers import DossierLine
    from memcon.catalogue.intakes import IntakeLine
    from memcon.catalogue.rows import CallBeat, CallDetail
    from memcon.catalogue.rows import CallRow as CatalogueRow
    from memcon.clock import Clock
    from memcon.console.lanes import Streams
    from memcon.store.paths import Home

KEPT_STRIPS = 2000
MOST_KEPT = 4 * 3600  # seconds: a longer call's strip is read again each time
MOST_LIVE = 25
"""Live calls at the top of the register: each costs its leaves read anew at every beat."""


class CatalogueRegister:
    """What `deps.Register` asks for, read from the catalogue, the log and the run directory.

    The strip of an ended call never changes, so it is kept in memory, bounded; those of a page that are
    not are asked for together. That of a live call is read from its leaves when these have grown.
    """

    def __init__(self, catalogue: Catalogue, home: Home, clock: Clock, vkeys: Sequence[str]) -> None:
        self._catalogue = catalogue
        self._home = home
        self._clock = clock
        self._vkeys = tuple(vkeys)
        self._beginning: Beginning | None = None
        self._strips: OrderedDict[int, tuple[bytes, str]] = OrderedDict()
        self._live: dict[int, tuple[int, dict[int, bytes]]] = {}  # number: (bytes read, seconds by stream)
        self._lock = threading.Lock()

    def search(self, query: deps.Query) -> deps.RegisterPage:
        asked = Filter(
            query.text, frozenset(query.states), query.line or None, query.since, query.until, query.party
        )
        found = self._catalogue.register(asked, page=query.page, size=query.size)
        counted = found.by_state
        by_state = None if counted is None else {state: counted.get(state, 0) for state in STATES}
        return deps.RegisterPage(
            rows=self._lines(found.rows),
            total=found.total,
            all_calls=found.all_calls,
            first_began=found.first_start,
            by_state=by_state,
            live=self.live() if query == deps.Query(size=query.size) else (),
            exact=found.exact,
        )

    def lines(self) -> tuple[str, ...]:
        return self._catalogue.lines()

    def live(self) -> tuple[deps.CallRow, ...]:
        return self._lines(self._catalogue.live(MOST_LIVE))

    def call(self, number: int) -> deps.CallPage | None:
        detail = self._catalogue.call(number)
        if detail is None:
            return None
        lanes = self._lanes(detail)
        period = self._begin().period_ns
        return deps.CallPage(
            row=self._row(detail.row, seal_of(lanes), _remark(detail.row, lanes)),
            lanes=lanes,
            events=tuple(told(detail.events, lane_letters(detail))),
            seals=tuple(_seal_row(beat, period) for beat in detail.beats),
            facts=_facts(detail),
            oddities=tuple(text_of(odd) for odd in detail.oddities),
            ended_by=ended_by(detail.row.cause, detail.row.who),
            call_root=detail.call_root or "",
            origin=read_head(self._home).origin,
            related=tuple((r.number, r.display, _link_words(r.links)) for r in detail.related),
        )

    def status(self, beats: int) -> deps.RecorderStatus:
        head, beginning = read_head(self._home), self._begin()
        witnessed = (self._home.log / "policy").exists()
        roles = (*PROCESSES, "witness") if witnessed else PROCESSES
        said = read_words(self._home, roles, beginning.period_ns, self._clock.wall_ns())
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
            live_calls=self._catalogue.live_count(),
            processes=processes(said),
            losses=losses(said),
            disk=read_disk(self._home),
            quorum=quorum(said["witness"], head.size) if witnessed else None,
            alarms=judge(said).reasons,
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
        number = detail.row.number
        data = durable.read_if_there(self._home.work_open / str(number) / "leaves.mcl")
        if data is None:
            return {}
        size, streams = self._live.get(number, (-1, {}))
        if size != len(data):
            try:
                found = read_structure(data)
            except FormatError:  # the leaf being written: the next beat's page has it
                return {}
            streams = {stream: totals.seconds for stream, totals in found.streams.items()}
            with self._lock:
                if len(self._live) > 4 * MOST_LIVE:
                    self._live.clear()
                self._live[number] = len(data), streams
        return live_seconds(streams, detail.events, self._clock.wall_ns() - detail.row.start_wall)

    def _lines(self, rows: Sequence[CatalogueRow]) -> tuple[deps.CallRow, ...]:
        """Lines of the register with their strips."""
        with self._lock:
            strips = {row.number: self._strips[row.number] for row in rows if row.number in self._strips}
            for number in strips:
                self._strips.move_to_end(number)
        told = self._told_of(rows)
        wanted = [row for row in rows if row.number not in strips and row.number not in told]
        for ended in self._catalogue.streams_of([row for row in wanted if row.state != "live"]):
            strips[ended.row.number] = self._strip(ended)
        for row in wanted:
            if row.state == "live":
                detail = self._catalogue.call(row.number)
                lanes = self._lanes(detail) if detail is not None else ()
                strips[row.number] = seal_of(lanes), _remark(row, lanes)
        taken = self._taken([row for row in rows if row.state == "taken"])
        return tuple(
            told.get(row.number) or self._row(row, *(taken.get(row.number) or strips[row.number]))
            for row in rows
        )

    def _told_of(self, rows: Sequence[CatalogueRow]) -> dict[int, deps.CallRow]:
        """The lines of calls that are known only from accounts."""
        some = [row for row in rows if row.state == "accounts"]
        kept = self._catalogue.dossiers.lines([row.display for row in some]) if some else {}
        return {row.number: _told_row(row, kept[row.display]) for row in some if row.display in kept}

    def _taken(self, rows: Sequence[CatalogueRow]) -> dict[int, tuple[bytes, str]]:
        """The remarks of calls taken in: they change when a beat has sealed them, and are never kept."""
        period = self._begin().period_ns
        lines = self._catalogue.intakes.lines([-row.number for row in rows])
        return {-line.n: (b"", _taken_words(line, period)) for line in lines}

    def _strip(self, ended: Streams) -> tuple[bytes, str]:
        """The strip and the remark of a call that has ended, kept when nothing can change them any more."""
        lanes = lanes_of(ended, {})
        made = seal_of(lanes), _remark(ended.row, lanes)
        if ended.row.done and ended.row.settled and len(made[0]) <= MOST_KEPT:
            with self._lock:
                self._strips[ended.row.number] = made
                while len(self._strips) > KEPT_STRIPS:
                    self._strips.popitem(last=False)
        return made

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


def _told_row(row: CatalogueRow, line: DossierLine) -> deps.CallRow:
    best = RECORD_WORDS.get(line.record, line.record)
    remark = f"{best}; {count(line.sources, 'source')}, {count(line.claims, 'claim')}"
    return deps.CallRow(
        number=row.number,
        display=row.display,
        state="accounts",
        began=row.start_wall,
        duration=0,
        parties=tuple(text_of(name) for name in row.parties or ()),
        line="",
        sealed=0,
        remark=remark,
        when=date_words(line.date),
    )


def _taken_words(line: IntakeLine, period_ns: int) -> str:
    if line.slot is None:
        return f"From a file, taken in on {line.at[:10]}, not yet sealed. Nothing before that is proved"
    end = (line.slot + 1) * period_ns
    return f"From a file, sealed {short_day(end)}, {clock_time(end)[:5]} UTC. Nothing before that is proved"


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


_IDS = {
    "session_ids": "Recording session",
    "group_ids": "Communication group",
    "call_id": "SIP Call-ID",
    "sip_session_ids": "SIP session of the call",
    "from": "Sent by",
    "from_tag": "SIP From tag",
    "to": "Sent to",
    "request_uri": "Request URI",
}
MOST_FACTS = 12
_LINKS = {
    "session": "communication session",
    "group": "group",
    "sip-session": "SIP session",
    "refci": "reference of the exchange",
    "guid": "Cisco GUID",
    "call": "tracking id",
}


def _link_words(links: Sequence[str]) -> str:
    """By what two recordings are known to be of one call: `same communication session, same group`."""
    kinds = dict.fromkeys(link.partition(":")[0] for link in links)
    return ", ".join(f"same {_LINKS.get(kind, kind)}" for kind in kinds)


def _facts(detail: CallDetail) -> tuple[tuple[str, str], ...]:
    """Identifiers of a call in words, for who has to find it elsewhere; those known here come first."""
    rows = [("Handle in the log", detail.handle)] if detail.handle else []
    if detail.row.mode:
        rows.append(("Recorded by", {"siprec": "SIPREC (RFC 7866)"}.get(detail.row.mode, detail.row.mode)))
    given = detail.source_ids
    # `links` says the same again, made for comparing
    others = sorted(key for key in given if key not in _IDS and key != "links")
    order = [*(key for key in _IDS if key in given), *others]
    for key in order:
        value = given[key]
        text = ", ".join(text_of(one) for one in value) if isinstance(value, list) else text_of(value)
        if text:
            rows.append((_IDS.get(key) or text_of(key).replace("_", " ").capitalize(), text))
    return tuple(rows[:MOST_FACTS])
