"""Who may come in: the Host check, the session, the headers of every answer.

Pure ASGI, so that files stream through it untouched. What is public: the log, its keys, the verifier,
the style sheet and scripts, and the way in. Everything else needs a signed-in user.
"""

from __future__ import annotations

import functools
import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from memcon.clock import NS
from memcon.console.log_keys import POLICY_FILE, VERIFIER_FILE
from memcon.console.render import SECURITY_HEADERS, Pages
from memcon.console.session import COOKIE, LIFE_NS, Session

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from starlette.datastructures import FormData
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

PUBLIC = ("/static/", "/log/", "/login", f"/{POLICY_FILE}", f"/{VERIFIER_FILE}")
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def host_name(header: str) -> str | None:
    """The name in a Host header, lower case, without port; None where it is none."""
    try:
        name = urlsplit(f"//{header}").hostname
    except ValueError:
        return None
    return name.rstrip(".") if name and "@" not in header and "/" not in header else None


def allowed_hosts(configured: Iterable[str]) -> frozenset[str]:
    """The names this console answers to: its own address, the loop-back names, those configured.

    An address that stands for every interface names none.
    """
    names = set(LOOPBACK)
    for one in configured:
        name = host_name(one) if one.count(":") < 2 or "[" in one else one.lower()
        if name and not _unspecified(name):
            names.add(name)
    return frozenset(names)


def _unspecified(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_unspecified
    except ValueError:
        return False


class Guard:
    """The middleware. Puts `session` and `user` into the request's state."""

    def __init__(self, app: ASGIApp, *, pages: Pages, hosts: frozenset[str]) -> None:
        self._app = app
        self._pages = pages
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        host = request.headers.get("host", "")
        if host_name(host) not in self._hosts:
            await self._wrong_host(request, host)(scope, receive, send)
            return
        path = scope["path"]
        if not path.startswith(("/static/", "/log/")):
            await run_in_threadpool(self._who, request)
        if request.state._state.get("user") is None and not path.startswith(PUBLIC):
            await self._turned_away(request)(scope, receive, _secured(send))
            return
        await self._app(scope, receive, _secured(send))

    def _who(self, request: Request) -> None:
        sessions, users = self._pages.sessions, self._pages.deps.users
        session = sessions.read(request.cookies.get(COOKIE, ""))
        user = users.get(session.name) if session is not None and session.name else None
        if user is not None and session is not None and user.stamp != session.stamp:
            user = None
        request.state.session = session
        request.state.user = user

    def _wrong_host(self, request: Request, host: str) -> Response:
        return self._pages.error(
            request,
            421,
            "This console does not go by that name",
            f"The address asked for {host[:100] or 'no name'}; this console answers only to its own "
            "names, so that a page elsewhere cannot borrow it.",
            "Use the address that memcon printed when it started; on the recorder itself localhost will do. "
            "If people are to reach it by this name, it belongs into the [console] part of memcon.toml, as "
            "url or among names. Nothing was changed.",
        )

    @staticmethod
    def _turned_away(request: Request) -> Response:
        if request.method not in ("GET", "HEAD") or request.url.path.startswith("/fragments/"):
            return PlainTextResponse("Sign in first: /login\n", 401)
        where = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?next={quote(where)}", 303)


def _secured(send: Send) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return with_headers


def give_session(response: Response, pages: Pages, session: Session) -> None:
    """Set the session's cookie: not for scripts, not for other sites."""
    response.set_cookie(
        COOKIE,
        pages.sessions.cookie(session),
        max_age=LIFE_NS // NS,
        path="/",
        httponly=True,
        samesite="strict",
        secure=pages.deps.secure_cookies,
    )


def posted(
    pages: Pages, handler: Callable[[Request, FormData], Awaitable[Response]], *, files: int = 0
) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint for a form: refuses it unless it came from a page of the same session."""

    @functools.wraps(handler)
    async def endpoint(request: Request) -> Response:
        async with request.form(max_fields=40, max_files=files) as form:
            token = form.get("token", "")
            session: Session | None = request.state.session
            same = session is not None and isinstance(token, str) and pages.sessions.form_ok(session, token)
            if not same or not _same_origin(request):
                return pages.error(
                    request,
                    403,
                    "This form was not sent from a page of yours",
                    "The page may have been open for longer than a session lasts, or another site sent the "
                    "form. Nothing was changed.",
                    "Go back, load the page again, and send it once more.",
                )
            return await handler(request, form)

    return endpoint


def _same_origin(request: Request) -> bool:
    """Browsers say where a form came from; one that comes from elsewhere is refused."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    if origin == "null":  # what browsers send under our own no-referrer policy
        return True
    return origin is None or urlsplit(origin).netloc == request.headers.get("host", "")


def safe_next(text: str) -> str:
    """Where to go after signing in: a path of this console, nothing else."""
    plain = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()
    return text if plain and not text.startswith(("/login", "/logout")) else "/"
