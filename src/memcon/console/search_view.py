"""The search page: a question, and passages that fit, each with its call and the second to play from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Route

from memcon.catalogue.numbers import display_number
from memcon.catalogue.search_query import MOST_TEXT
from memcon.console.words import at
from memcon.errors import UsageError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from memcon.catalogue.search_answer import Answer, Hit
    from memcon.console.render import Pages

SIZE = 20
MOST_PAGE = 50
KINDS = {"transcript": "Transcript", "dossier": "Dossier", "call": "Call"}


@dataclass(frozen=True, slots=True)
class Found:
    """A hit as the page shows it."""

    address: str
    name: str
    place: str
    what: str
    hit: Hit


def found(hit: Hit) -> Found:
    """Where a hit is read and heard."""
    if hit.kind == "dossier":
        address = f"/d/{hit.ref}" + (f"/source/{hit.part}" if hit.part else "")
        return Found(
            address, f"Dossier {hit.ref}", "", f"source {hit.part}" if hit.part else "written here", hit
        )
    number = int(hit.ref)
    base = f"/taken-in/{-number}" if number < 0 else f"/calls/{number}"
    second = None if hit.at is None else hit.at // 1000
    version = f"version {hit.version}, {'corrected by a person' if hit.corrected else 'by a program'}"
    return Found(
        base if second is None else f"{base}#t={second}",
        f"Call {display_number(number, hit.wall or 0)}",
        "" if second is None else at(second),
        version if hit.kind == "transcript" else "parties and numbers",
        hit,
    )


def address(question: str, page: int) -> str:
    """The address of a page of answers."""
    pairs = [("q", question), *([("page", str(page))] if page > 1 else [])]
    return f"/search?{urlencode(pairs)}"


def summary(answer: Answer) -> str:
    """How much there is, never more than was counted."""
    if not answer.exact:
        return f"More than {answer.candidates:,} passages may fit; the newest come first"
    return (
        f"{answer.candidates:,} passage{'s' if answer.candidates != 1 else ''} may fit; the newest come first"
    )


def routes(pages: Pages) -> list[BaseRoute]:
    """`/search`."""
    deps = pages.deps

    def show(request: Request) -> Response:
        if deps.search is None:
            raise HTTPException(404, "This console has no search")
        if not request.state.user.may_hear:
            raise HTTPException(403, "An overseer sees structure, seals and verdicts; content is for others")
        question = request.query_params.get("q", "").strip()[: MOST_TEXT + 1]
        raw = request.query_params.get("page", "1")
        page = min(int(raw), MOST_PAGE) if raw.isascii() and raw.isdigit() and int(raw[:6]) > 0 else 1
        answer, problem = None, ""
        if question:
            try:
                answer = deps.search.ask(question, page=page, size=SIZE)
            except UsageError as error:
                problem = str(error)
        more = answer is not None and answer.more and page < MOST_PAGE
        return pages.page(
            request,
            "search.html",
            status_code=400 if problem else 200,
            question=question,
            answer=answer,
            problem=problem,
            hits=[found(hit) for hit in answer.hits] if answer is not None else [],
            summary=summary(answer) if answer is not None else "",
            page=page,
            older=address(question, page + 1) if more else "",
            newer=address(question, page - 1) if page > 1 else "",
            grow="/fragments/pulse",
        )

    return [Route("/search", show, name="search")]
