"""The addresses below a call's page that have to do with its words: a version as it is sealed, two versions
compared, a span cited."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from memcon.console import transcript_correcting
from memcon.console.citing import public_address
from memcon.console.file_view import file_name
from memcon.console.transcript_cite import milliseconds, span_of
from memcon.console.transcript_section import Place, Section, Sections
from memcon.console.words import between, whole
from memcon.errors import UsageError
from memcon.release.citing import archives, chicago

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from memcon.console.deps import CallPage
    from memcon.console.render import Pages

MOST_CHANGES = 500
NO_WORDS = "An overseer sees structure, seals and verdicts; content is for others"


def place_of(call: CallPage) -> Place:
    """A call, recorded or taken in, as the place of a transcript."""
    number, state = call.row.number, call.row.state
    key = f"call-{number}" if number > 0 else f"intake-{-number}"
    audible = state in ("recorded", "partly", "taken") and bool(call.lanes)
    return Place(key, call.row.address, number, state == "live", audible)


def section_of(request: Request, sections: Sections | None, call: CallPage) -> Section | None:
    """The transcript for a call's page: None where this console keeps none, or there is nothing to hear.

    A role that may not hear has no words either.
    """
    if sections is None or call.row.state == "none" or not call.lanes or not request.state.user.may_hear:
        return None
    asked = request.query_params
    try:
        return sections.of(place_of(call), whole(asked.get("version")), whole(asked.get("part")) or 1)
    except UsageError as error:
        raise HTTPException(404, str(error)) from error


def routes(
    pages: Pages,
    sections: Sections | None,
    at: str,
    find: Callable[[Request], CallPage],
    cited: Callable[[Request, str], str],
) -> list[BaseRoute]:
    """`…/transcript/…` below the address `at`; nothing where this console keeps no transcripts.

    `cited` is the citation of the call that a request names, in the log of an origin, without its address.
    """
    book = pages.deps.transcripts
    if sections is None or book is None:
        return []

    def found(request: Request) -> tuple[CallPage, Place]:
        if not request.state.user.may_hear:
            raise HTTPException(403, NO_WORDS)
        call = find(request)
        return call, place_of(call)

    def sealed_bytes(request: Request) -> Response:
        call, place = found(request)
        version = request.path_params["version"]
        try:
            data = book.store.bytes_of(place.key, version)
        except UsageError as error:
            raise HTTPException(404, str(error)) from error
        name = file_name(f"{call.row.display}-transcript-{version}", "json")
        headers = {
            "content-disposition": f'attachment; filename="{name}"',
            "cache-control": "private, no-cache",
        }
        return Response(data, media_type="application/json", headers=headers)

    def taken_away(request: Request) -> Response:
        call, place = found(request)
        one = next((one for one in sections.files if one.kind == request.path_params["kind"]), None)
        if one is None or pages.deps.word_files is None:
            raise HTTPException(404, "There is no such file")
        version = whole(request.query_params.get("version")) or book.store.current_version(place.key)
        try:
            text = pages.deps.word_files.make(place.number, one.kind, version)
        except UsageError as error:
            raise HTTPException(404, str(error)) from error
        name = file_name(f"{call.row.display}-version-{version}", one.suffix)
        disposition = f'attachment; filename="{name}"'
        headers = {"content-disposition": disposition, "cache-control": "private, no-cache"}
        return Response(text, media_type=one.media_type, headers=headers)

    def compare(request: Request) -> Response:
        call, place = found(request)
        lines = sections.lines(place.key, 0)
        asked = request.query_params
        new = whole(asked.get("to")) or (lines[0].version if lines else 1)
        old = whole(asked.get("from")) or max(1, new - 1)
        known = {line.version: line for line in lines}
        if old not in known or new not in known:
            raise HTTPException(404, f"There are no two versions {old} and {new}")
        changes = sections.changes(place.key, old, new)
        return pages.page(
            request,
            "transcript_compare.html",
            call=call,
            place=place,
            title=between(call.row.parties),
            lines=lines,
            old=known[old],
            new=known[new],
            changes=changes[:MOST_CHANGES],
            total=len(changes),
        )

    def cite(request: Request) -> Response:
        call, place = found(request)
        asked = request.query_params
        start, end = (milliseconds(asked.get(key, "")) for key in ("from", "to"))
        if start is None or end is None or end <= start:
            raise HTTPException(400, "A span needs two times, the first before the second: 2:17 and 2:21")
        version = whole(asked.get("version")) or book.store.current_version(place.key) or 1
        line = next((one for one in sections.lines(place.key, version) if one.shown), None)
        if line is None:
            raise HTTPException(404, f"There is no version {version} of this transcript")
        base = public_address(pages.deps.public_url, request.url)
        recorder = pages.deps.register.status(60)
        span = span_of(
            call.row,
            sections.kept(place.key, version),
            start,
            end,
            cited=cited(request, recorder.origin),
            base=f"{base}{place.base}" if base else "",
            local=place.base,
        )
        title = between(call.row.parties)
        forms = []
        if pages.deps.word_files is not None:
            try:
                it = pages.deps.word_files.cited(place.number, (start, end), version)
            except UsageError as error:
                raise HTTPException(400, str(error)) from error
            it = replace(it, address=span.address.partition("#")[0], office=pages.deps.office)
            forms = [("In the archives' form", archives(it)), ("In Chicago's form", chicago(it))]
        return pages.page(
            request,
            "transcript_cite.html",
            forms=forms,
            recorder=recorder,
            call=call,
            place=place,
            title=title,
            line=line,
            span=span,
        )

    below = f"{at}/transcript"
    return [
        Route(below + "/cite", cite),
        Route(below + "/{version:int}.json", sealed_bytes),
        Route(below + "/compare", compare),
        Route(below + "/file/{kind}", taken_away),
        *transcript_correcting.routes(pages, sections, below, found),
    ]
