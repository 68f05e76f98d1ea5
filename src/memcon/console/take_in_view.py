"""The page where files are taken in, each with what became of it; and the watched folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from memcon.console.guard import posted
from memcon.errors import MemconError
from memcon.intake.desk import Stated
from memcon.intake.refusals import RefusedError
from memcon.intake.sniff import KINDS

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request
    from starlette.responses import Response

    from memcon.console.deps import IntakeBook
    from memcon.console.render import Pages

ROLES = frozenset({"operator", "custodian"})
MOST_FILES = 100
SHOWN = 25
ENDINGS = ",".join(ending for kind in KINDS for ending in kind.endings) + ",audio/*,video/*"


def stated_of(form: FormData) -> Stated:
    """What whoever takes in says of the call; FormatError for a start that is no date."""

    def text(name: str, most: int) -> str:
        return str(form.get(name, "")).strip()[:most]

    names = [line.strip()[:200] for line in text("speakers", 4000).splitlines()]
    stated = Stated(
        text("start", 60), text("title", 300), text("note", 2000), (), tuple(n for n in names if n)
    )
    stated.check()
    return stated


def routes(pages: Pages) -> list[BaseRoute]:
    """`/take-in`."""
    deps = pages.deps

    def book() -> IntakeBook:
        if deps.intakes is None:
            raise HTTPException(404, "This console takes nothing in")
        return deps.intakes

    def page(
        request: Request, told: list[dict[str, Any]] | None = None, problem: str = "", status_code: int = 200
    ) -> Response:
        return pages.page(
            request,
            "take_in.html",
            status_code=status_code,
            told=told or [],
            problem=problem,
            newest=book().newest(SHOWN),
            refusals=book().refusals(SHOWN),
            watched=book().watched(),
            may=request.state.user.role in ROLES,
            endings=ENDINGS,
            grow="/fragments/pulse",
        )

    def show(request: Request) -> Response:
        return page(request)

    def take(upload: UploadFile, by: str, stated: Stated, *, damaged: bool) -> dict[str, Any]:
        name = (upload.filename or "file").replace("\\", "/").rpartition("/")[2][-200:] or "file"
        try:
            taken = book().take_upload(upload.file, name, by, stated, damaged=damaged)
        except RefusedError as error:
            return {"file": name, "state": "refused", "code": error.code, "text": str(error)}
        except MemconError as error:
            return {"file": name, "state": "refused", "code": "", "text": str(error)}
        remarks = taken.intake.found["remarks"] if taken.intake is not None else []
        return {
            "file": name,
            "state": "known" if taken.twin else "taken",
            "call": f"T{taken.n:03d}",
            "address": f"/taken-in/{taken.n}",
            "text": "; ".join(str(one["text"]) for one in remarks),
        }

    async def send(request: Request, form: FormData) -> Response:
        if request.state.user.role not in ROLES:
            problem = "Only an operator or a custodian may take in. Nothing was changed."
            return await run_in_threadpool(page, request, None, problem, 403)
        uploads = [one for one in form.getlist("file") if isinstance(one, UploadFile) and one.filename]
        wants_json = "application/json" in request.headers.get("accept", "")
        try:
            stated = stated_of(form)
        except MemconError as error:
            if wants_json:
                return JSONResponse({"problem": str(error)}, 400)
            return await run_in_threadpool(page, request, None, f"{error}. Nothing was taken in.", 400)
        told = [
            await run_in_threadpool(
                take, one, request.state.user.name, stated, damaged=form.get("damaged") == "on"
            )
            for one in uploads
        ]
        if wants_json:
            return JSONResponse({"files": told})
        problem = "" if told else "No file was chosen."
        return await run_in_threadpool(page, request, told, problem, 200 if told else 400)

    return [
        Route("/take-in", show, methods=["GET"], name="take-in"),
        Route("/take-in", posted(pages, send, files=MOST_FILES), methods=["POST"]),
    ]
