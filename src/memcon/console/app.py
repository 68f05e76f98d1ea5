"""The console as one Starlette application, built from what it is given."""

from __future__ import annotations

from contextlib import asynccontextmanager
from importlib import resources
from typing import TYPE_CHECKING, cast

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from memcon.console import (
    call_view,
    dossier_entry,
    dossier_view,
    dossier_writing,
    file_view,
    followed_view,
    intake_view,
    login_view,
    register_view,
    search_view,
    status_view,
    structure_view,
    switch_view,
    take_in_view,
)
from memcon.console.guard import Guard, allowed_hosts
from memcon.console.render import Pages
from memcon.console.session import Sessions
from memcon.errors import MachineError, MemconError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from os import PathLike

    from starlette.requests import Request
    from starlette.responses import Response

    from memcon.console.deps import ConsoleDeps

_WORDS: Mapping[int, tuple[str, tuple[str, ...]]] = {
    403: (
        "This is not open to your role",
        ("Nothing was changed.", "Ask the office for another role if your work needs it."),
    ),
    404: (
        "Nothing stands at this address",
        (
            "No call was removed: numbers are dense, and a call that was recorded stays in the register.",
            "Look it up in the register.",
        ),
    ),
    405: (
        "This address does not take that",
        ("Nothing was changed.", "Go back and use the page's own buttons."),
    ),
}


class Static(StaticFiles):
    """The style sheet, scripts and fonts, asked for again by tag: a new version shows at once."""

    def file_response(
        self,
        full_path: str | PathLike[str],
        stat_result: object,
        scope: object,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)  # type: ignore[arg-type] # os.stat_result and Scope, as Starlette passes them
        fonts = str(full_path).endswith(".woff2")
        response.headers["cache-control"] = "public, max-age=604800" if fonts else "public, no-cache"
        return response


def create_app(deps: ConsoleDeps) -> Starlette:
    """The console. `deps` is its whole world; nothing of it is read or opened before a request comes."""
    pages = Pages(deps, Sessions(deps.session_key, deps.clock))
    static = resources.files("memcon.console") / "static"
    routes = [
        *register_view.routes(pages),
        *call_view.routes(pages),
        *dossier_view.routes(pages),
        *dossier_entry.routes(pages),
        *dossier_writing.routes(pages),
        *followed_view.routes(pages),
        *search_view.routes(pages),
        *take_in_view.routes(pages),
        *status_view.routes(pages),
        *switch_view.routes(pages),
        *login_view.routes(pages),
        *file_view.routes(pages),
        *structure_view.routes(pages),
        *intake_view.routes(pages),
        Mount("/static", Static(directory=cast("PathLike[str]", static)), name="static"),
    ]

    def refused(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        title, lines = _WORDS.get(status, ("This could not be done", ("Nothing was changed.",)))
        detail = error.detail if isinstance(error, HTTPException) else ""
        said = (f"{detail}.",) if detail and " " in detail and status != 405 else ()
        return pages.error(request, status, title, *said, *lines)

    def failed(request: Request, error: Exception) -> Response:
        where = f"{type(error).__name__} at {request.method} {request.url.path}"
        what = error.message if isinstance(error, MemconError) else "A defect of this page"
        cure = error.cure if isinstance(error, MemconError) and error.cure else None
        title = "The machine could not do this" if isinstance(error, MachineError) else "This page failed"
        return pages.error(
            request,
            500,
            title,
            f"{what}. ({where})",
            "Recording and sealing run in processes of their own: they go on, and what is recorded is kept.",
            f"{cure}."
            if cure
            else "Load the page again. If it fails again, the office's log has the details.",
        )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await run_in_threadpool(pages.warm)
        yield

    return Starlette(
        lifespan=lifespan,
        routes=routes,
        middleware=[Middleware(Guard, pages=pages, hosts=allowed_hosts(deps.hosts))],
        exception_handlers={HTTPException: refused, Exception: failed},
    )
