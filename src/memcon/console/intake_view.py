"""The page of a call taken in from a file: what it is, what its seal proves, and what it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from memcon.console import score, transcript_view
from memcon.console.call_view import with_peaks
from memcon.console.citing import public_address
from memcon.console.file_view import file_name, send_file
from memcon.console.guard import posted
from memcon.console.transcript_section import sections_of
from memcon.console.transcript_view import section_of
from memcon.console.unhurried import Unhurried
from memcon.console.verdicts import Verdicts
from memcon.console.window_words import sealed_between
from memcon.console.words import between, clock_time, count, day, listed
from memcon.errors import MemconError, UsageError
from memcon.record import edtf

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request

    from memcon.catalogue.intakes import IntakeLine
    from memcon.console.deps import CallPage, FileKind, IntakeBook
    from memcon.console.render import Pages
    from memcon.record.intake import Intake

MOST = 2**53
FORMS = {"media": "an audio or video file", "packets": "a packet capture", "vcon": "a vCon"}
KINDS: tuple[FileKind, ...] = ("original", "bundle", "flac", "wav")


def when(intake: Intake) -> str:
    """When the call was, and by whose word; never more exact than that."""
    start, who = str(intake.stated.get("start") or ""), str(intake.stated.get("start_by") or "")
    if not start:
        return "When the call was is not known"
    date = edtf.parse(start)
    exact = date.start is not None and date.precision in ("second", "minute") and date.zoned
    shown = f"{day(date.start)}, {clock_time(date.start)} UTC" if exact and date.start is not None else start
    return f"{shown}, by the word of {who or 'nobody named'}"


def sealed(line: IntakeLine, period_ns: int) -> str:
    """One sentence on its seal."""
    if line.beat is None or line.slot is None:
        return "Not yet sealed: the next beat of a running recorder seals it."
    end = (line.slot + 1) * period_ns
    return (
        f"Sealed by leaf {line.beat} of the log, of the slot that ended on {day(end)} at {clock_time(end)} "
        "UTC by the operator's clock."
    )


def citation(
    call: CallPage, intake: Intake, line: IntakeLine, *, office: str, origin: str, address: str
) -> str:
    """The citation, selectable whole."""
    who = listed(call.row.parties) or f"File “{intake.name}”"
    title = str(intake.stated.get("title") or "")
    where = f"{office}; log" if office else "Log"
    leaf = f", leaf {line.beat}" if line.beat is not None else ""
    text = (
        f"{who}{', ' + title if title else ''}, sound recording, taken in on {intake.at[:10]} from the file "
        f"“{intake.name}” (SHA-256 {intake.files[0].sha256[:16]}…). {call.row.display}. "
        f"{where} {origin}{leaf}."
    )
    return f"{text} {address}" if address else text


def lane_words(call: CallPage) -> list[tuple[str, str, str]]:
    """For each lane its name, what it is, and what is missing in it."""
    told = []
    for lane in call.lanes:
        lost = f"{count(lane.lost, 'packet')} missing in the capture" if lane.lost else ""
        told.append((f"{lane.letter} · {lane.name}", lane.about, lost))
    return told


def routes(pages: Pages) -> list[BaseRoute]:
    """`/taken-in/{n}`, its sound, its files, its verification."""
    deps = pages.deps
    verdicts = Verdicts(pages)

    def book() -> IntakeBook:
        if deps.intakes is None:
            raise HTTPException(404, "This console has no calls taken in")
        return deps.intakes

    def peaks_of(n: int) -> dict[str, bytes]:
        return book().peaks(n)

    loudness = Unhurried(peaks_of)
    sections = sections_of(deps)

    def find(request: Request) -> tuple[CallPage, Intake, IntakeLine]:
        n = request.path_params["n"]
        call = deps.register.call(-n) if 0 < n < MOST else None
        if call is None:
            raise HTTPException(404, f"There is no call T{n:03d}")
        line = book().line(n)
        if line is None:
            raise HTTPException(404, f"There is no call T{n:03d}")
        return call, book().intake(n), line

    def dated(line: IntakeLine) -> list[str]:
        if line.beat is None or deps.windows is None:
            return []
        try:
            return sealed_between(deps.windows.of(line.beat, line.beat))
        except MemconError as error:
            return [f"what witnesses say of this time cannot be read: {error}"]

    def show(request: Request) -> Response:
        call, intake, line = find(request)
        peaks = loudness.get(intake.n)
        call = with_peaks(call, peaks or {})
        recorder = deps.register.status(60)
        base = public_address(deps.public_url, request.url)
        return pages.page(
            request,
            "taken_in.html",
            recorder=recorder,
            call=call,
            intake=intake,
            title=str(intake.stated.get("title") or "") or between(call.row.parties),
            form=FORMS.get(str(intake.found["form"]), "a file"),
            when=when(intake),
            sealed=sealed(line, recorder.period_ns),
            dated=dated(line),
            lanes=lane_words(call),
            minutes=score.minutes(call.lanes, ended=True, taken=True),
            waveform_comes=peaks is None,
            verdict=verdicts.get(call.row.number),
            transcript=section_of(request, sections, call),
            offers={offer.kind: offer.size for offer in book().offers(intake.n)},
            names={kind: name_of(call, intake, kind) for kind in KINDS},
            citation=citation(
                call,
                intake,
                line,
                office=deps.office,
                origin=recorder.origin,
                address=f"{base}/taken-in/{intake.n}" if base else "",
            ),
            grow="/fragments/pulse",
        )

    def cited(request: Request, origin: str) -> str:
        return citation(*find(request), office=deps.office, origin=origin, address="")

    def only_call(request: Request) -> CallPage:
        return find(request)[0]

    def may_hear(request: Request) -> None:
        if not request.state.user.may_hear:
            raise HTTPException(403, "An overseer sees structure, seals and verdicts; content is for others")

    def audio(request: Request) -> Response:
        may_hear(request)
        _, intake, _ = find(request)
        kind = request.path_params["kind"]
        if kind not in ("wav", "flac"):
            raise HTTPException(404, "There is no such audio")
        try:
            path = book().audio(intake.n, request.path_params["which"], kind)
        except UsageError as error:
            raise HTTPException(404, str(error)) from error
        return send_file(path, kind, None)

    def download(request: Request) -> Response:
        may_hear(request)
        call, intake, _ = find(request)
        kind = next((kind for kind in KINDS if kind == request.path_params["kind"]), None)
        if kind is None:
            raise HTTPException(404, "There is no such file")
        try:
            path = book().export(intake.n, kind)
        except UsageError as error:
            raise HTTPException(404, str(error)) from error
        return send_file(path, kind, name_of(call, intake, kind))

    async def verify(request: Request, _form: FormData) -> Response:
        call, intake, _ = await run_in_threadpool(find, request)
        try:
            await run_in_threadpool(verdicts.make, call.row.number, request.state.user.name)
        except UsageError as error:
            return pages.error(request, 409, "This call cannot be verified now", f"{error}.")
        return RedirectResponse(f"/taken-in/{intake.n}#verify", 303)

    return [
        Route("/taken-in/{n:int}", show, name="taken-in"),
        Route("/taken-in/{n:int}/audio/{which}.{kind}", audio),
        Route("/taken-in/{n:int}/download/{kind}", download),
        Route("/taken-in/{n:int}/verify", posted(pages, verify), methods=["POST"]),
        *transcript_view.routes(pages, sections, "/taken-in/{n:int}", only_call, cited),
    ]


def name_of(call: CallPage, intake: Intake, kind: FileKind) -> str:
    """What a file is called when it is taken away: the original keeps its own name."""
    if kind != "original":
        return file_name(call.row.display, kind)
    return file_name(call.row.display, intake.name)
