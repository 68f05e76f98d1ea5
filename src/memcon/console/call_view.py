"""A call's page: the score, the seal of every second, its verification, its citation, its files."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Route

from memcon.clock import NS
from memcon.console import score
from memcon.console.deps import HEARD
from memcon.console.guard import posted
from memcon.console.words import between, clock_time, count, day, listed, number, sentence
from memcon.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.datastructures import FormData
    from starlette.requests import Request
    from starlette.responses import Response

    from memcon.console.deps import CallPage
    from memcon.console.render import Pages
    from memcon.verify.findings import Report

_KEPT_VERDICTS = 200
MOST_NUMBER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """A report of the verifier with when it was made and how long it took, ns."""

    report: Report
    when: int
    took: int


class Verdicts:
    """The newest verdict of each call, in memory: a page may show it, a restart forgets it.

    One check at a time: it is heavy, and the recorder beside it comes first.
    """

    def __init__(self, pages: Pages) -> None:
        self._deps = pages.deps
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, Verdict] = OrderedDict()

    def get(self, call: int) -> Verdict | None:
        """The newest one of a call."""
        return self._kept.get(call)

    def make(self, call: int) -> Verdict:
        """Check a call now. UsageError when it cannot be."""
        with self._lock:
            began = self._deps.clock.monotonic_ns()
            report = self._deps.verifier.verify_call(call)
            verdict = Verdict(report, self._deps.clock.wall_ns(), self._deps.clock.monotonic_ns() - began)
            self._kept[call] = verdict
            self._kept.move_to_end(call)
            while len(self._kept) > _KEPT_VERDICTS:
                self._kept.popitem(last=False)
            return verdict


def with_peaks(call: CallPage, peaks: dict[str, bytes]) -> CallPage:
    """The call with the loudness of its lanes."""
    lanes = tuple(replace(lane, peaks=peaks.get(lane.letter, lane.peaks)) for lane in call.lanes)
    return replace(call, lanes=lanes)


def headline(call: CallPage) -> str:
    """`345 of 348 seconds complete on both lanes`."""
    seal = score.seal_of(call.lanes)
    whole = sum(code in score.COMPLETE for code in seal)
    lanes = {1: "", 2: " on both lanes"}.get(len(call.lanes), " on every lane")
    return f"{number(whole)} of {count(len(seal), 'second')} complete{lanes}"


def lane_words(call: CallPage) -> list[tuple[str, str, str]]:
    """For each lane its name, what it is, and what came of it."""
    told = []
    for lane in call.lanes:
        seconds = lane.seconds.count(HEARD)
        parts = [f"{count(seconds, 'second')} with audio", f"{number(lane.received)} packets came"]
        parts.append(f"{number(lane.lost)} lost on the network" if lane.lost else "none lost on the network")
        if lane.dropped:
            parts.append(f"{number(lane.dropped)} dropped by this machine")
        if lane.duplicates:
            parts.append(f"{number(lane.duplicates)} came twice")
        told.append((f"{lane.letter} · {lane.name}", lane.about, ", ".join(parts)))
    return told


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of what happened: an event that was sealed, or a gap read off the seals."""

    second: int
    wall: int
    text: str
    source: str
    link: bool


def timeline(call: CallPage, gaps: Sequence[score.Gap]) -> list[Entry]:
    """Events and gaps by time. A gap says what the seals show; why, only an event can say."""
    began, heard = call.row.began, call.row.state != "live"
    entries = [
        Entry(event.since // NS, began + event.since, event.text, event.source, heard)
        for event in call.events
    ]
    entries += [
        Entry(gap.start, began + gap.start * NS, sentence(gap.sentence), "the seals", heard)
        for gap in gaps
        if gap.kind == "lost"
    ]
    return sorted(entries, key=lambda entry: entry.wall)


def citation(call: CallPage, *, office: str, recorder: str, address: str) -> str:
    """The citation, selectable whole."""
    row = call.row
    ended = row.state != "live"
    until = f"–{clock_time(row.began + row.duration)} UTC" if ended else " UTC, still going on"
    leaves = ""
    if call.seals:
        leaves = f", leaves {number(call.seals[0].index)}–{number(call.seals[-1].index)}"
    where = f"{office}; recorder" if office else "Recorder"
    return (
        f"{'–'.join(row.parties) or 'Parties not named'}, telephone call, {day(row.began)}, "
        f"{clock_time(row.began)}{until}. Call {row.display}. {where} {recorder}{leaves}. {address}"
    )


def sealing(call: CallPage) -> str:
    """One sentence on the seals: by whose clock, and how late at the most."""
    late = [seal.late for seal in call.seals if seal.late is not None]
    seconds = sum(max(0, seal.last - seal.first + 1) for seal in call.seals)
    if not call.seals:
        return "No beat has sealed this call yet."
    text = f"{count(len(call.seals), 'beat')} sealed {count(seconds, 'second')} of this call"
    if late:
        text += f", each at most {max(late) / NS:.2f} s after its slot's end"
    return f"{text}, by the operator's own clock."


def routes(pages: Pages) -> list[BaseRoute]:
    """`/calls/{number}`, its fragment while it is live, and its verification."""
    deps = pages.deps
    verdicts = Verdicts(pages)

    def find(request: Request) -> CallPage:
        wanted = request.path_params["number"]
        call = deps.register.call(wanted) if 0 < wanted <= MOST_NUMBER else None
        if call is None:
            raise HTTPException(404, f"There is no call {wanted}")
        return with_peaks(call, deps.waveform.peaks(wanted))

    def show(request: Request) -> Response:
        call = find(request)
        number_ = call.row.number
        live = call.row.state == "live"
        recorder = deps.register.status(60)
        base = deps.public_url.rstrip("/") or f"{request.url.scheme}://{request.url.netloc}"
        return pages.page(
            request,
            "call.html",
            recorder=recorder,
            call=call,
            live=live,
            title=between(call.row.parties),
            headline=headline(call),
            lanes=lane_words(call),
            minutes=score.minutes(call.lanes, ended=not live),
            counts=score.counts(call.lanes),
            timeline=timeline(call, score.gaps(call.lanes)),
            has_waveform=any(lane.peaks for lane in call.lanes),
            sealing=sealing(call),
            verdict=verdicts.get(number_),
            offers={offer.kind: offer.size for offer in deps.exporter.offers(number_)} if not live else {},
            citation=citation(
                call, office=deps.office, recorder=recorder.name, address=f"{base}/calls/{number_}"
            ),
            verifier=deps.verifier_file is not None,
            grow=f"/fragments/call/{number_}" if live else "/fragments/pulse",
        )

    def fragment(request: Request) -> Response:
        call = find(request)
        raw = request.query_params.get("minute", "0")
        first = int(raw) if raw.isascii() and raw.isdigit() and len(raw) < 7 else 0
        return pages.page(
            request,
            "fragment_call.html",
            call=call,
            ended=call.row.state != "live",
            headline=headline(call),
            lanes=lane_words(call),
            minutes=score.minutes(call.lanes, ended=False, first=first),
            counts=score.counts(call.lanes),
            sealing=sealing(call),
            timeline=timeline(call, score.gaps(call.lanes)),
        )

    async def verify(request: Request, _form: FormData) -> Response:
        call = await run_in_threadpool(find, request)
        try:
            await run_in_threadpool(verdicts.make, call.row.number)
        except UsageError as error:
            return pages.error(
                request,
                409,
                "This call cannot be verified now",
                f"{error}.",
                "Nothing was changed; the recording and its seals stand as they were.",
            )
        return RedirectResponse(f"/calls/{call.row.number}#verify", 303)

    def ask(request: Request) -> Response:
        return RedirectResponse(f"/calls/{find(request).row.number}#verify", 303)

    return [
        Route("/calls/{number:int}", show, name="call"),
        Route("/fragments/call/{number:int}", fragment),
        Route("/calls/{number:int}/verify", ask, methods=["GET"]),
        Route("/calls/{number:int}/verify", posted(pages, verify), methods=["POST"]),
    ]


def remark_of(gaps: list[score.Gap]) -> str:
    """The losses of a call for its line in the register: `3 s lost on lane B at 4:21`."""
    lost = [gap for gap in gaps if gap.kind == "lost"]
    if not lost:
        return ""
    shown = [gap.sentence for gap in lost[:2]]
    more = [f"{len(lost) - 2} more"] if len(lost) > 2 else []
    return listed([*shown, *more])
