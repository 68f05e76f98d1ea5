"""Correcting a transcript in the console: the page to do it on, and what becomes of what is sent from it.

Each saved correction is a new version with its author. It is refused where the version that is shown is not
the one its author began from: the page keeps what was typed and puts it onto the newer one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import BaseRoute, Route

from memcon.console.corrections import Corrections, Edit, Part, again, corrected, typed
from memcon.console.guard import posted
from memcon.console.transcript_words import when
from memcon.console.words import between, whole
from memcon.errors import FormatError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.datastructures import FormData
    from starlette.requests import Request
    from starlette.responses import Response

    from memcon.console.deps import CallPage
    from memcon.console.render import Pages
    from memcon.console.transcript_section import Place, Sections
    from memcon.record.transcript import Transcript
    from memcon.store.transcripts import Kept

MOST_EDITS = 10_000
"""Utterances changed in one version; a person who needs more saves in between."""
MOST_TEXT = 20_000
"""Letters of one utterance."""


class MeanwhileError(Exception):
    """Somebody else wrote a version since the page was made."""


def lines_of(it: Transcript) -> list[dict[str, Any]]:
    """Every utterance as a person finds it to change."""
    return [
        {
            "lane": lane.name,
            "start": one.start,
            "end": one.end,
            "speaker": one.speaker,
            "text": typed(one.words),
        }
        for lane in it.lanes
        for one in lane.utterances
    ]


def read_corrections(text: str) -> Corrections:
    """What the page sent. Raises FormatError."""
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError("corrections", "are no JSON") from error
    if not isinstance(facts, dict):
        raise FormatError("corrections", "are no JSON object")
    edits, speakers = facts.get("edits"), facts.get("speakers")
    if not isinstance(edits, list) or not isinstance(speakers, dict) or len(edits) > MOST_EDITS:
        raise FormatError("corrections", f"have no list of at most {MOST_EDITS} edits and no speakers")
    named = {_text(lane): _text(name, 200) for lane, name in speakers.items()}
    return Corrections(tuple(map(_edit, edits)), named, _text(facts.get("note", "")))


def _edit(facts: object) -> Edit:
    if not isinstance(facts, dict) or not isinstance(facts.get("parts"), list):
        raise FormatError("corrections", "an edit without its parts")
    start, before = facts.get("start"), facts.get("before")
    if type(start) is not int or start < 0:
        raise FormatError("corrections", "an edit without the time of its utterance")
    parts = tuple(
        Part(_text(part.get("speaker", ""), 200), _text(part.get("text", "")))
        for part in facts["parts"]
        if isinstance(part, dict)
    )
    return Edit(_text(facts.get("lane", "")), start, None if before is None else _text(before), parts)


def _text(value: object, longest: int = MOST_TEXT) -> str:
    if not isinstance(value, str) or len(value) > longest:
        raise FormatError("corrections", f"a text that is none, or has more than {longest} letters")
    return value


def routes(
    pages: Pages, sections: Sections, below: str, find: Callable[[Request], tuple[CallPage, Place]]
) -> list[BaseRoute]:
    """`/correct` and `/restore` below an address of a transcript."""
    book = sections.book

    def found(request: Request) -> tuple[CallPage, Place]:
        if not request.state.user.may_correct:
            raise HTTPException(403, "An operator or a custodian corrects a transcript")
        return find(request)

    def version_of(request: Request, place: Place) -> Kept:
        """The version to be corrected: the one asked for, else the one that is shown."""
        version = whole(request.query_params.get("version")) or book.store.current_version(place.key)
        if version is None:
            raise HTTPException(404, "There is no transcript to correct yet")
        try:
            return sections.kept(place.key, version)
        except UsageError as error:
            raise HTTPException(404, str(error)) from error

    def shown(place: Place) -> Kept:
        """The version that is shown now: what an author must have seen."""
        return sections.kept(place.key, book.store.current_version(place.key) or 0)

    def page(request: Request) -> Response:
        call, place = found(request)
        kept = version_of(request, place)
        return pages.page(
            request,
            "transcript_correct.html",
            call=call,
            place=place,
            title=between(call.row.parties),
            kept=kept,
            it=kept.transcript,
            seen=shown(place).hash,
            section=sections.of(place, kept.transcript.version),
            minutes=sections.minutes(place.key, kept.transcript.version),
            grow="/fragments/pulse",
        )

    def lines(request: Request) -> Response:
        _, place = found(request)
        kept = version_of(request, place)
        told = {"version": kept.transcript.version, "hash": kept.hash, "lines": lines_of(kept.transcript)}
        return JSONResponse(told, headers={"cache-control": "no-store"})

    def write(place: Place, seen: str, draft: Callable[[], Transcript]) -> Kept:
        """Append what `draft` makes, where what is shown is still what its author saw.

        Raises UsageError and FormatError of the draft; MeanwhileError where somebody was quicker.
        """
        newest = len(book.store.versions(place.key))
        if shown(place).hash != seen:
            raise MeanwhileError
        made = draft()
        try:
            return book.store.append(made, after=newest)
        except UsageError as error:
            raise MeanwhileError from error

    def save(request: Request, form: FormData) -> Response:
        _, place = found(request)
        base = whole(str(form.get("base", "")))
        try:
            over = sections.kept(place.key, base or 0)
            if over.hash != form.get("hash"):
                raise UsageError(f"version {base} is not the one that was shown")
            changes = read_corrections(str(form.get("corrections", "")))
            by = str(request.state.user.name)
            kept = write(place, str(form.get("seen", "")), lambda: corrected(over.transcript, changes, by))
        except MeanwhileError:
            now = shown(place).transcript
            told = {"version": now.version, "by": now.by, "when": when(now.at)}
            return JSONResponse(told, 409)
        except (UsageError, FormatError) as error:
            return JSONResponse({"problem": f"{error}."}, 400)
        return JSONResponse({"version": kept.transcript.version, "address": f"{place.base}#transcript"})

    def restore(request: Request, form: FormData) -> Response:
        _, place = found(request)
        version = whole(str(form.get("version", ""))) or 0
        try:
            old = sections.kept(place.key, version)
            by = str(request.state.user.name)
            write(place, str(form.get("seen", "")), lambda: again(old.transcript, by))
        except MeanwhileError:
            return pages.error(
                request,
                409,
                "Somebody wrote a version meanwhile",
                "Nothing was changed. Look at the version that is shown now, and decide again.",
            )
        except UsageError as error:
            raise HTTPException(404, str(error)) from error
        return RedirectResponse(f"{place.base}#transcript", 303)

    async def saved(request: Request, form: FormData) -> Response:
        return await run_in_threadpool(save, request, form)

    async def restored(request: Request, form: FormData) -> Response:
        return await run_in_threadpool(restore, request, form)

    return [
        Route(below + "/correct", page, methods=["GET"]),
        Route(below + "/correct.json", lines),
        Route(below + "/correct", posted(pages, saved), methods=["POST"]),
        Route(below + "/restore", posted(pages, restored), methods=["POST"]),
    ]
