"""Files that leave the console: audio to hear, a call to take away, the public log, the verifier."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from memcon.console.log_keys import POLICY_FILE, VERIFIER_FILE
from memcon.errors import UsageError
from memcon.record import evidence
from memcon.release.bundle import policy_text
from memcon.store.durable import read_if_there

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

    from memcon.console.deps import FileKind
    from memcon.console.render import Pages

TYPES: dict[str, str] = {
    "wav": "audio/wav",
    "flac": "audio/flac",
    "pcap": "application/vnd.tcpdump.pcap",
    "bundle": "application/zip",
    "original": "application/octet-stream",
}
KINDS: tuple[FileKind, ...] = ("bundle", "pcap", "flac", "wav")
_LANE = re.compile(r"all|[A-Z]{1,2}\Z")
_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")
FOREVER = "public, max-age=31536000, immutable"
ALWAYS_ASK = "public, no-cache"
_WHOLE_TILE = re.compile(r"tile/(?:\d+|entries)/(?:x\d{3}/)*\d{3}\Z")
_PARTIAL_TILE = re.compile(r"tile/(?:\d+|entries)/(?:x\d{3}/)*\d{3}\.p/\d+\Z")
_STATEMENT = re.compile(r"statement/[0-9a-f]{64}\Z")


def file_name(display: str, kind: str) -> str:
    """What a call's file is called when it is taken away: `2026-11-24-0007.bundle`."""
    return f"{_UNSAFE.sub('-', display)}.{kind}"


def log_type(name: str) -> tuple[str, str] | None:
    """Content type and caching of a file of the log (C2SP tlog-tiles), None for a name that is none.

    What a name can only ever mean one thing is kept for good: whole tiles, partial ones of a stated
    width, statements by their hash. The checkpoint changes at every beat.
    """
    if name == "checkpoint":
        return "text/plain; charset=utf-8", ALWAYS_ASK
    if _WHOLE_TILE.match(name) or _PARTIAL_TILE.match(name):
        return "application/octet-stream", FOREVER
    if _STATEMENT.match(name):
        return "application/json", FOREVER
    if evidence.is_evidence(name):  # notes, certificates and conflicts by their hash; indexes grow
        if evidence.hash_in(name) is not None:
            return "application/octet-stream", FOREVER
        text = name in (evidence.COSIGNED, evidence.POLICY)
        return "text/plain; charset=utf-8" if text else "application/octet-stream", ALWAYS_ASK
    return None


def send_file(path: Path, kind: str, name: str | None) -> Response:
    """A file of a call, to hear or under a name to keep; HTTPException where it is not there."""
    if not path.is_file():
        raise HTTPException(404, "The file has not been made, or was removed; it can be made again")
    return FileResponse(
        path, media_type=TYPES[kind], filename=name, headers={"cache-control": "private, no-cache"}
    )


def routes(pages: Pages) -> list[BaseRoute]:
    """Audio, downloads, the log, the verifier."""
    deps = pages.deps

    def may_hear(request: Request) -> None:
        if not request.state.user.may_hear:
            raise HTTPException(403, "An overseer sees structure, seals and verdicts; content is for others")

    def known(request: Request) -> tuple[int, str]:
        number = request.path_params["number"]
        call = deps.register.call(number) if 0 < number < 2**63 else None
        if call is None:
            raise HTTPException(404, f"There is no call {number}")
        return number, call.row.display

    def audio(request: Request) -> Response:
        may_hear(request)
        number, _ = known(request)
        which, kind = request.path_params["which"], request.path_params["kind"]
        if not _LANE.match(which) or kind not in ("wav", "flac"):
            raise HTTPException(404, "There is no such audio")
        try:
            path = deps.audio.path(number, which, kind)
        except UsageError as error:
            raise HTTPException(404, str(error)) from error
        return send_file(path, kind, None)

    def download(request: Request) -> Response:
        may_hear(request)
        number, display = known(request)
        kind = next((kind for kind in KINDS if kind == request.path_params["kind"]), None)
        if kind is None:
            raise HTTPException(404, "There is no such file")
        try:
            path = deps.exporter.path(number, kind)
        except UsageError as error:
            raise HTTPException(404, str(error)) from error
        return send_file(path, kind, file_name(display, kind))

    def log(request: Request) -> Response:
        name = request.path_params["name"]
        kind = log_type(name)
        path = deps.log.path(name) if kind else None
        data = None if path is None or not path.is_file() else read_if_there(path)
        if kind is None or data is None:
            raise HTTPException(404, "The log has no such file")
        headers = {
            "cache-control": kind[1],
            "access-control-allow-origin": "*",
            "cross-origin-resource-policy": "cross-origin",
        }
        # read at once: some grow while they are sent, and no answer may be longer than its head has said
        return Response(data, media_type=kind[0], headers=headers)

    def verifier(request: Request) -> Response:
        path = deps.verifier_file
        if path is None or not path.is_file():
            raise HTTPException(404, "This installation has no verifier to hand out")
        return FileResponse(path, media_type="application/octet-stream", filename=VERIFIER_FILE)

    def policy(request: Request) -> Response:
        disposition = {"content-disposition": f'attachment; filename="{POLICY_FILE}"'}
        text = policy_text(deps.register.status(1).vkeys)
        return Response(text, media_type="text/plain; charset=utf-8", headers=disposition)

    return [
        Route("/calls/{number:int}/audio/{which}.{kind}", audio),
        Route("/calls/{number:int}/download/{kind}", download),
        Route("/log/{name:path}", log),
        Route(f"/{VERIFIER_FILE}", verifier),
        Route(f"/{POLICY_FILE}", policy),
    ]
