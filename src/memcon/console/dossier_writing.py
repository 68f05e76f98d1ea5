"""What is written on the pages of dossiers: every form is one entry, in the name of who is signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Route

from memcon.accounts.bodies import CHANNELS, FIELDS
from memcon.accounts.intake import MOST_BYTES
from memcon.console.dossier_view import desk_of, find, writer
from memcon.console.guard import posted
from memcon.errors import FormatError, MemconError, UsageError

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request
    from starlette.responses import Response

    from memcon.console.render import Pages

NUMBERS = frozenset(
    [
        "source",
        "start",
        "end",
        "claim",
        "appearance",
        "from",
        "to",
        "entry",
        "low",
        "high",
        "count",
        "translation_of",
        "version_of",
        "call",
    ]
)
FLAGS = frozenset({"readout", "origin", "conjecture", "linked", "accepted", "example"})
_SIDES = "ABCD"


def body_of(kind: str, form: FormData) -> dict[str, Any]:
    """A form's fields as a body of `kind`; fields that were left empty are not given."""
    body: dict[str, Any] = {}
    for key in FIELDS[kind]:
        values = [str(v).strip() for v in form.getlist(key) if not isinstance(v, UploadFile)]
        text = values[0] if values else ""
        if key in FLAGS:
            body[key] = text in ("1", "on", "true", "yes")
        elif key == "topics":
            body[key] = [t.strip() for value in values for t in value.split(",") if t.strip()]
        elif key in ("first", "second"):
            body[key] = [_number(part, key) for part in text.split(":")]
        elif text and (key in NUMBERS and not (kind == "dossier" and key == "start")):
            body[key] = _number(text, key)
        elif text:
            body[key] = text.replace("\r\n", "\n")
    return body


def _number(text: str, key: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise FormatError("form", f"{text[:40]!r} is no number", where=key)
    return int(text)


def head_of(form: FormData) -> dict[str, Any]:
    """The head of a new dossier: up to four participants, each in three fields."""
    people = []
    for side in _SIDES:
        name, office, country = (
            str(form.get(f"{part}{side}", "")).strip() for part in ("name", "office", "country")
        )
        if name:
            people.append({"side": side, "name": name, "office": office, "country": country.upper()})
    return {key: value for key, value in body_of("dossier", form).items() if key != "example"} | {
        "participants": people
    }


def not_written(pages: Pages, request: Request, error: MemconError) -> Response:
    """A form that cannot be written as it stands: why, and that nothing was changed."""
    return pages.error(
        request,
        400,
        "This was not written",
        f"{error}.",
        "Nothing was changed. Go back with the browser: what you wrote still stands there.",
    )


def _fetched(pages: Pages, address: str) -> bytes:
    """A web archive of what stands at an address."""
    if pages.deps.fetch_source is None:
        raise UsageError("this console fetches nothing", cure="Save the page and take it in as a file")
    return pages.deps.fetch_source(address)


def routes(pages: Pages) -> list[BaseRoute]:
    """Where forms of dossiers go."""

    async def new(request: Request, form: FormData) -> Response:
        by = writer(request)
        try:
            made = await run_in_threadpool(desk_of(pages).open, by, head_of(form))
        except (FormatError, UsageError) as error:
            given = {key: str(value) for key, value in form.items() if isinstance(value, str)}
            return await run_in_threadpool(
                pages.page,
                request,
                "dossier_new.html",
                status_code=400,
                problem=f"{error}.",
                given=given,
                channels=CHANNELS,
            )
        return RedirectResponse(f"/d/{made.id}", 303)

    async def write(request: Request, form: FormData) -> Response:
        by, kind = writer(request), request.path_params["kind"]
        if kind not in FIELDS or kind == "source":
            raise HTTPException(404, "There is no such kind of entry")
        dossier = await run_in_threadpool(find, request, pages)
        try:
            kept = await run_in_threadpool(desk_of(pages).write, dossier.id, kind, by, body_of(kind, form))
        except (FormatError, UsageError) as error:
            return not_written(pages, request, error)
        if kind == "withdrawal" and form.get("back") == "entry":
            return RedirectResponse(f"/d/{dossier.id}/entry/{kept.entry.body['entry']}", 303)
        return RedirectResponse(_back(dossier.id, form, f"e{kept.entry.n}"), 303)

    async def add(request: Request, form: FormData) -> Response:
        by = writer(request)
        dossier = await run_in_threadpool(find, request, pages)
        upload, pasted = form.get("file"), str(form.get("pasted", ""))
        facts = {
            key: v for key, v in body_of("source", form).items() if key not in ("sha256", "bytes", "text")
        }
        data = pasted.replace("\r\n", "\n").encode("utf-8")
        if isinstance(upload, UploadFile) and upload.filename:
            data, facts["name"] = await upload.read(MOST_BYTES + 1), upload.filename[-200:]
        address = str(form.get("fetch", "")).strip()
        try:
            if address and not data:
                data = await run_in_threadpool(_fetched, pages, address)
                facts.pop("address", None)
            made = await run_in_threadpool(desk_of(pages).add_source, dossier.id, by, data, facts)
        except (FormatError, UsageError) as error:
            return not_written(pages, request, error)
        # of an archive or a feed the first page is what was meant, not what holds it
        return RedirectResponse(f"/d/{dossier.id}/source/{made[min(1, len(made) - 1)].entry.n}", 303)

    at = "/d/{date}/{n:int}"
    return [
        Route("/dossiers/new", posted(pages, new), methods=["POST"]),
        Route(at + "/write/{kind}", posted(pages, write), methods=["POST"]),
        Route(at + "/source", posted(pages, add, files=1), methods=["POST"]),
    ]


def _back(dossier: str, form: FormData, anchor: str) -> str:
    """Back to the page the form stood on: the dossier, or one of its sources."""
    page = str(form.get("page", ""))
    tail = f"/source/{int(page)}" if page.isascii() and page.isdigit() and len(page) < 8 else ""
    return f"/d/{dossier}{tail}#{anchor}"
