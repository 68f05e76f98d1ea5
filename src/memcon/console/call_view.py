"""A call's page: the score, the seal of every second, its verification, its citation, its files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Route

from memcon.clock import NS
from memcon.console import score, transcript_view
from memcon.console.citing import citation, public_address
from memcon.console.deps import HEARD
from memcon.console.event_words import MESSAGES
from memcon.console.file_view import file_name
from memcon.console.guard import posted
from memcon.console.log_keys import call_command, policy_command
from memcon.console.transcript_section import sections_of
from memcon.console.transcript_view import section_of
from memcon.console.unhurried import Unhurried
from memcon.console.verdicts import Verdicts
from memcon.console.window_words import sealed_between
from memcon.console.words import between, count, listed, number, sentence, whole
from memcon.errors import MemconError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.datastructures import FormData
    from starlette.requests import Request
    from starlette.responses import Response

    from memcon.console.deps import CallEvent, CallPage
    from memcon.console.render import Pages
    from memcon.verify.window import Window

MOST_NUMBER = 2**63 - 1
HEARD_LATER = 2
"""Minutes after its beginning that an utterance may still be heard in: its page asks for these again."""


def with_peaks(call: CallPage, peaks: dict[str, bytes]) -> CallPage:
    """The call with the loudness of its lanes."""
    lanes = tuple(replace(lane, peaks=peaks.get(lane.letter, lane.peaks)) for lane in call.lanes)
    return replace(call, lanes=lanes)


def headline(call: CallPage) -> str:
    """What there is of a call in a line: `345 of 348 seconds complete on both lanes`.

    Where packets were lost no second is called complete: the seals do not say which of them lacks some.
    """
    if call.row.state == "none":
        return "no packet of audio came"
    seal = score.seal_of(call.lanes)
    if not seal:
        return "no second sealed yet"
    whole = sum(code in score.COMPLETE for code in seal)
    seconds = f"{number(whole)} of {count(len(seal), 'second')}"
    lanes = {1: "", 2: " on both lanes"}.get(len(call.lanes), " on every lane")
    missing = score.missing(call.lanes)
    if missing:
        where = {1: "", 2: " on either lane"}.get(len(call.lanes), " on any lane")
        return f"{seconds} without a gap{where}, {count(missing, 'packet')} lost"
    return f"{seconds} complete{lanes}"


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


def _entry(call: CallPage, event: CallEvent) -> Entry:
    can_hear = call.row.state not in ("live", "none")
    return Entry(event.since // NS, call.row.began + event.since, event.text, event.source, can_hear)


def messages(call: CallPage) -> list[Entry]:
    """The traffic of the call: signalling messages, metadata, addresses."""
    return [_entry(call, event) for event in call.events if event.kind in MESSAGES]


def timeline(call: CallPage, gaps: Sequence[score.Gap]) -> list[Entry]:
    """What happened, and gaps, by time. A gap says what the seals show; why, only an event can say.

    A call without any audio is one gap, which its state says already.
    """
    began, heard = call.row.began, call.row.state not in ("live", "none")
    entries = [_entry(call, event) for event in call.events if event.kind not in MESSAGES]
    entries += [
        Entry(gap.start, began + gap.start * NS, sentence(gap.sentence), "the seals", heard)
        for gap in gaps
        if gap.kind == "lost" and call.row.state != "none"
    ]
    return sorted(entries, key=lambda entry: entry.wall)


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
    loudness = Unhurried(deps.waveform.peaks)
    sections = sections_of(deps)

    def dated(leaves: tuple[int, int]) -> dict[int, Window]:
        return {one.index: one for one in deps.windows.of(*leaves)} if deps.windows is not None else {}

    witnessed = Unhurried(dated)

    def times(call: CallPage) -> tuple[dict[int, Window] | None, list[str]]:
        """The windows of its beats by leaf, None while they are worked out, and their words.

        A log that cannot be read is said, and the page comes.
        """
        if call.row.state == "live" or not call.seals:
            return {}, []
        try:
            windows = witnessed.get((call.seals[0].index, call.seals[-1].index))
        except MemconError as error:
            return {}, [f"what witnesses say of these times cannot be read: {error}"]
        return windows, sealed_between([*windows.values()]) if windows else []

    def find(request: Request) -> CallPage:
        wanted = request.path_params["number"]
        call = deps.register.call(wanted) if 0 < wanted <= MOST_NUMBER else None
        if call is None:
            raise HTTPException(404, f"There is no call {wanted}")
        return call

    def show(request: Request) -> Response:
        call = find(request)
        number_ = call.row.number
        live, silent = call.row.state == "live", call.row.state == "none"
        peaks = {} if live or silent else loudness.get(number_)
        windows, dated_words = times(call)
        call = with_peaks(call, peaks or {})
        recorder = deps.register.status(60)
        packed = deps.verifier_file is not None
        base = public_address(deps.public_url, request.url)
        offers = {} if live else {offer.kind: offer.size for offer in deps.exporter.offers(number_)}
        if silent:
            offers = {kind: size for kind, size in offers.items() if kind not in ("wav", "flac")}
        return pages.page(
            request,
            "call.html",
            recorder=recorder,
            call=call,
            live=live,
            audible=call.row.state in ("recorded", "partly") and bool(call.lanes),
            title=between(call.row.parties),
            headline=headline(call),
            lanes=lane_words(call),
            minutes=score.minutes(call.lanes, ended=not live),
            counts=score.counts(call.lanes),
            timeline=timeline(call, score.gaps(call.lanes)),
            messages=messages(call),
            has_waveform=silent or any(lane.peaks for lane in call.lanes),
            waveform_comes=peaks is None,
            sealing=sealing(call),
            seals=call.seals,
            windows=windows or {},
            windows_come=windows is None,
            dated=dated_words,
            has_witnesses=recorder.quorum is not None,
            verdict=verdicts.get(number_),
            transcript=section_of(request, sections, call),
            dossiers=deps.dossiers.index.of_call(number_) if deps.dossiers is not None else None,
            writes=request.state.user is not None and request.state.user.role != "reader",
            offers=offers,
            citation=citation(
                call,
                office=deps.office,
                origin=recorder.origin,
                address=f"{base}/calls/{number_}" if base else "",
            ),
            address=base,
            verifier=packed,
            names={kind: file_name(call.row.display, kind) for kind in offers},
            command=call_command(recorder.vkeys, file_name(call.row.display, "bundle"), packed=packed),
            policy_command=policy_command(file_name(call.row.display, "bundle"), packed=packed),
            grow=f"/fragments/call/{number_}" if live else "/fragments/pulse",
            word_feed=f"/fragments/words/{number_}" if live and sections is not None else "",
        )

    def cited(request: Request, origin: str) -> str:
        return citation(find(request), office=deps.office, origin=origin, address="")

    def fragment(request: Request) -> Response:
        call = find(request)
        raw = request.query_params.get("minute", "0")
        asked = int(raw) if raw.isascii() and raw.isdigit() and len(raw) < 7 else 0
        first = score.first_minute(asked)
        hears = sections is not None and request.state.user.may_hear
        words = sections.live(call.row.number, max(0, first - HEARD_LATER)) if sections and hears else None
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
            windows={},
            seals=[seal for seal in call.seals if seal.last + 1 >= first * score.MINUTE],
            timeline=timeline(call, score.gaps(call.lanes)),
            messages=messages(call),
            heard=words.minutes if words else (),
            damaged=words is not None and words.damaged,
        )

    async def verify(request: Request, _form: FormData) -> Response:
        call = await run_in_threadpool(find, request)
        try:
            await run_in_threadpool(verdicts.make, call.row.number, request.state.user.name)
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

    def heard(request: Request) -> Response:
        """The newest words of a call that goes on: asked for twice a second, and as small as that."""
        call = find(request)
        if sections is None or not request.state.user.may_hear:
            raise HTTPException(404, "There are no words here")
        first = whole(request.query_params.get("minute")) or 0
        section = sections.live(call.row.number, max(0, first - HEARD_LATER))
        return pages.page(request, "fragment_words.html", heard=section.minutes, damaged=section.damaged)

    return [
        Route("/calls/{number:int}", show, name="call"),
        Route("/fragments/words/{number:int}", heard),
        Route("/fragments/call/{number:int}", fragment),
        Route("/calls/{number:int}/verify", ask, methods=["GET"]),
        Route("/calls/{number:int}/verify", posted(pages, verify), methods=["POST"]),
        *transcript_view.routes(pages, sections, "/calls/{number:int}", find, cited),
    ]


def remark_of(gaps: list[score.Gap]) -> str:
    """The losses of a call for its line in the register: `3 s lost on lane B at 4:21`."""
    lost = [gap for gap in gaps if gap.kind == "lost"]
    if not lost:
        return ""
    shown = [gap.sentence for gap in lost[:2]]
    more = [f"{len(lost) - 2} more"] if len(lost) > 2 else []
    return listed([*shown, *more])
