"""The off switch: what is off, by whom and why; a form for the operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Route

from memcon.console.guard import posted
from memcon.console.words import listed
from memcon.errors import UsageError
from memcon.store.switch import MAX_TEXT, OFF, ON, Asked

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request
    from starlette.responses import Response

    from memcon.console.render import Pages
    from memcon.store.switch import Switched

ROLE = "operator"
HOW = "console"
EVERYTHING = "everything"


def what(whole: bool, lines: tuple[str, ...]) -> str:
    """`the whole recorder`, or the lines by name: this page is for the office alone."""
    return "the whole recorder" if whole or not lines else f"the {listed([f'line {line}' for line in lines])}"


def sentence(now: Switched) -> str:
    """What is off, in one sentence that is true if read alone."""
    if not now.anything:
        return "Nothing is switched off."
    off = what(now.whole, now.lines)
    return f"{off[0].upper()}{off[1:]} is switched off, by {now.by}: {now.reason}."


def asked_of(form: FormData, name: str) -> Asked:
    """What the form asks for, in the name of whoever signed in. Raises UsageError."""
    kind = str(form.get("kind", ""))
    lines = tuple(dict.fromkeys(str(line) for line in form.getlist("line")))
    if kind not in (OFF, ON) or not lines:
        raise UsageError("Nothing was chosen", cure="Choose off or on, and which lines")
    return Asked(kind, name, HOW, str(form.get("reason", "")).strip(), () if EVERYTHING in lines else lines)


def routes(pages: Pages) -> list[BaseRoute]:
    """`/switch`; nothing where the console has no switch."""
    switch = pages.deps.switch
    if switch is None:
        return []

    def page(request: Request, problem: str = "", status_code: int = 200) -> Response:
        now = switch.now()
        return pages.page(
            request,
            "switch.html",
            status_code=status_code,
            problem=problem,
            answer=sentence(now),
            off=now,
            announced=now.announced,
            announced_what=""
            if now.announced is None
            else what(not now.announced.asked.lines, now.announced.asked.lines),
            lines=switch.lines,
            everything=EVERYTHING,
            may=request.state.user.role == ROLE,
            longest=MAX_TEXT,
        )

    def show(request: Request) -> Response:
        return page(request)

    async def turn(request: Request, form: FormData) -> Response:
        if request.state.user is None or request.state.user.role != ROLE:
            return await run_in_threadpool(
                page, request, "Only an operator may switch. Nothing was changed.", 403
            )
        try:
            await run_in_threadpool(switch.ask, asked_of(form, request.state.user.name))
        except UsageError as error:
            return await run_in_threadpool(page, request, f"{error}. Nothing was changed.", 400)
        return RedirectResponse("/switch", 303)

    return [
        Route("/switch", show, methods=["GET"], name="switch"),
        Route("/switch", posted(pages, turn), methods=["POST"]),
    ]
