"""The way in and out: password form, one-time link, leaving."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Route

from memcon.console.guard import give_session, posted, safe_next
from memcon.console.session import COOKIE, Brake
from memcon.console.words import length

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request
    from starlette.responses import Response

    from memcon.console.render import Pages
    from memcon.console.users import User

_MOST_PASSWORD = 1024


def routes(pages: Pages) -> list[BaseRoute]:
    """`/login`, `/login/{token}`, `/logout`."""
    deps, sessions = pages.deps, pages.sessions
    by_name = Brake(deps.clock)
    by_address = Brake(deps.clock, tries=20)

    def form_page(
        request: Request, *, status_code: int = 200, problem: str = "", name: str = "", after: str
    ) -> Response:
        session = request.state.session
        fresh = session is None
        if fresh:
            session = request.state.session = sessions.start()
        response = pages.page(
            request, "login.html", status_code=status_code, problem=problem, name=name, after=after
        )
        if fresh:
            give_session(response, pages, session)
        return response

    def signed_in(request: Request, user: User, after: str) -> Response:
        if request.state.session is not None:
            sessions.end(request.state.session)
        session = request.state.session = sessions.start(user.name, user.stamp)
        response = pages.page(request, "signed_in.html", signed=user, after=after)
        give_session(response, pages, session)
        return response

    def show(request: Request) -> Response:
        after = safe_next(request.query_params.get("next", "/"))
        if request.state.user is not None:
            return RedirectResponse(after, 303)
        return form_page(request, after=after)

    async def enter(request: Request, form: FormData) -> Response:
        name = str(form.get("name", "")).strip()[:64]
        password = str(form.get("password", ""))[:_MOST_PASSWORD]
        after = safe_next(str(form.get("next", "/")))
        address = request.client.host if request.client else ""
        wait = max(by_name.wait_ns(name), by_address.wait_ns(address))
        if wait:
            problem = f"Too many tries. The next one is looked at in {length(wait)}."
            response = await run_in_threadpool(
                form_page, request, status_code=429, problem=problem, name=name, after=after
            )
            response.headers["retry-after"] = str(wait // 1_000_000_000 + 1)
            return response
        user = await run_in_threadpool(deps.users.verify, name, password)
        if user is None:
            by_name.failed(name)
            by_address.failed(address)
            problem = (
                "Name and password do not match. Nothing else is said, so that names cannot be tried out."
            )
            return await run_in_threadpool(
                form_page, request, status_code=403, problem=problem, name=name, after=after
            )
        by_name.forgive(name)
        if request.state.session is not None:
            sessions.end(request.state.session)
        redirect = RedirectResponse(after, 303)
        give_session(redirect, pages, sessions.start(user.name, user.stamp))
        return redirect

    def link(request: Request) -> Response:
        address = request.client.host if request.client else ""
        if by_address.wait_ns(address):
            return pages.error(request, 429, "Too many tries", "Wait five minutes, then open a fresh link.")
        user = deps.users.use_link(request.path_params["token"])
        if user is None:
            by_address.failed(address)
            return pages.error(
                request,
                403,
                "This link is no longer good",
                "A link signs in once, within 15 minutes of being made.",
                "Make another on the recorder with memcon user link NAME, or sign in with a password.",
            )
        return signed_in(request, user, "/")

    async def leave(request: Request, _form: FormData) -> Response:
        sessions.end(request.state.session)
        response = RedirectResponse("/login", 303)
        response.delete_cookie(COOKIE, path="/")
        return response

    return [
        Route("/login", show, methods=["GET"], name="login"),
        Route("/login", posted(pages, enter), methods=["POST"]),
        Route("/login/{token}", link, methods=["GET"]),
        Route("/logout", posted(pages, leave), methods=["POST"]),
    ]
