"""The structure feeds to fetch: sealed to an overseer each, and even so for signed-in overseers only.

How large a file is tells how many calls there were: that is no business of the public's (P7).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

    from memcon.console.render import Pages

ROLES = ("overseer", "operator")
_PATH = re.compile(r"[0-9a-f]{8,64}/[0-9]{12}-[0-9]{12}\.mctx")


def routes(pages: Pages) -> list[BaseRoute]:
    """`/structure`, a list of paths, and each file below it."""
    root = pages.deps.structure

    def allowed(request: Request) -> Path:
        if request.state.user.role not in ROLES:
            raise HTTPException(403, "The structure of the slots is for overseers")
        if root is None:
            raise HTTPException(404, "There are no overseers here")
        return root

    def listed(request: Request) -> Response:
        found = allowed(request).glob("*/*.mctx")
        names = sorted(f"{path.parent.name}/{path.name}" for path in found)
        return PlainTextResponse("".join(f"{name}\n" for name in names if _PATH.fullmatch(name)))

    def file(request: Request) -> Response:
        name = request.path_params["name"]
        path = allowed(request) / name
        if not _PATH.fullmatch(name) or not path.is_file():
            raise HTTPException(404, "There is no such file of a structure feed")
        headers = {"cache-control": "private, max-age=31536000, immutable"}
        return FileResponse(
            path, media_type="application/octet-stream", filename=name.rpartition("/")[2], headers=headers
        )

    return [Route("/structure", listed), Route("/structure/{name:path}", file)]
