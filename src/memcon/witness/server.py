"""The witness's HTTP: `POST /add-checkpoint`, `GET /<hex of SHA-256(origin)>/checkpoint`, mirrors.

A request's body is bounded in size and in time. Nothing here waits for a disk but the answer to the
request that has to: the ledger's thread writes, and calls back into the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, Any

import uvicorn

from memcon.clock import NS, utc
from memcon.errors import UsageError
from memcon.tlog.witness import MAX_REQUEST, monitoring_path
from memcon.witness.core import TEXT, Answer, refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from memcon.errors import MemconError
    from memcon.tlog.note import Note
    from memcon.witness.core import Witness
    from memcon.witness.ledger import Ledger

    Scope = Mapping[str, Any]
    Receive = Callable[[], Awaitable[Mapping[str, Any]]]
    Send = Callable[[Mapping[str, Any]], Awaitable[None]]

BODY_SECONDS = 10.0
MAX_CONNECTIONS = 2000
MIRROR = "mirror"
_BINARY = "application/octet-stream"
_NEVER_CHANGES = "public, max-age=31536000, immutable"


class App:
    """The ASGI application of one witness; `mirror` is the directory of its mirrors, if it has any.

    `cosigned` hears the origin of each checkpoint that was cosigned.
    """

    def __init__(
        self,
        witness: Witness,
        ledger: Ledger,
        *,
        mirror: Path | None = None,
        about: str = "",
        body_seconds: float = BODY_SECONDS,
        cosigned: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._witness = witness
        self._ledger = ledger
        self._mirror = mirror
        self._about = about
        self._body_seconds = body_seconds
        self._cosigned = cosigned
        self._monitored = {monitoring_path(origin): origin for origin in witness.origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        method, path = str(scope["method"]), str(scope["path"]).removeprefix("/")
        if path == "add-checkpoint":
            answer = await self._add(receive) if method == "POST" else _not_allowed("POST")
        elif method not in ("GET", "HEAD"):
            answer = _not_allowed("GET, HEAD")
        elif path in self._monitored:
            answer = self._monitor(self._monitored[path])
        elif path == "":
            answer = self._say()
        else:
            answer = await asyncio.to_thread(self._file, path)
        await _send(send, answer, path, with_body=method != "HEAD")

    async def _add(self, receive: Receive) -> Answer:
        try:
            async with asyncio.timeout(self._body_seconds):
                body = await _read(receive)
        except TimeoutError:
            return refusal(408, f"the request was not there within {self._body_seconds:.0f} s")
        if body is None:
            return refusal(413, f"a request has at most {MAX_REQUEST} bytes")
        answer = self._witness.decide(body)
        if answer.status == 200:
            problem = await self._written(answer.record)
            if problem is not None:
                return refusal(500, "the witness cannot write: it cosigns nothing until that is mended")
            if answer.record is not None:
                self._cosigned(answer.record.text.partition(b"\n")[0].decode())
        return answer

    async def _written(self, record: Note | None) -> MemconError | None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[MemconError | None] = loop.create_future()

        def settle(problem: MemconError | None) -> None:
            if not future.done():  # else the client has gone
                future.set_result(problem)

        def tell(problem: MemconError | None) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
                loop.call_soon_threadsafe(settle, problem)

        self._ledger.append(record, tell)
        return await future

    def _monitor(self, origin: str) -> Answer:
        seen = self._ledger.latest.get(origin)
        if seen is None:
            return refusal(404, "nothing of this log was cosigned yet")
        return Answer(200, seen.note().to_bytes())

    def _say(self) -> Answer:
        lines = [self._about.rstrip("\n"), ""]
        for path, origin in self._monitored.items():
            seen = self._ledger.latest.get(origin)
            what = "nothing yet" if seen is None else f"{seen.checkpoint.size} leaves, {utc(seen.time * NS)}"
            lines.append(f"{origin}: {what}\n  /{path}")
            if self._mirror is not None:
                lines.append(f"  /{MIRROR}/{path.partition('/')[0]}/")
        return Answer(200, ("\n".join(lines) + "\n").encode())

    def _file(self, path: str) -> Answer:
        room, _, name = path.partition("/")
        if room != MIRROR or self._mirror is None:
            return refusal(404, "there is no such place here")
        parts = name.split("/")
        if any(part in ("", ".", "..") or part.startswith(".") or "\0" in part for part in parts):
            return refusal(404, "there is no such place here")
        file = self._mirror.joinpath(*parts)
        try:
            found = file.is_file() and file.resolve().is_relative_to(self._mirror.resolve())
        except OSError:  # a name longer than any file's
            found = False
        if not found:
            return refusal(404, "the mirror has no such file")
        kind = TEXT if parts[-1] in ("checkpoint", "cosigned", "policy") else _BINARY
        return Answer(200, file.read_bytes(), kind)


def _not_allowed(methods: str) -> Answer:
    return refusal(405, f"this takes {methods}")


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


async def _read(receive: Receive) -> bytes | None:
    """A request's body, None where it is longer than a request can be."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b""
        part = message.get("body", b"")
        size += len(part)
        if size > MAX_REQUEST:
            return None
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


async def _send(send: Send, answer: Answer, path: str, *, with_body: bool) -> None:
    caching = _NEVER_CHANGES if _is_final(path) and answer.status == 200 else "no-cache"
    headers = [
        (b"content-type", answer.kind.encode()),
        (b"content-length", b"%d" % len(answer.body)),
        (b"cache-control", caching.encode()),
        (b"access-control-allow-origin", b"*"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body if with_body else b""})


def _is_final(path: str) -> bool:
    """Files of a mirror that never change: tiles, and what is named by its hash."""
    room, _, rest = path.partition("/")
    if room != MIRROR:
        return False
    parts = rest.split("/")[1:]
    return parts[:1] == ["tile"] or (len(parts) == 2 and len(parts[1]) == 64)


def make_server(app: App, host: str, port: int) -> uvicorn.Server:
    """The HTTP server, not yet started; `run` serves until it is told to stop."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            log_level="error",
            access_log=False,
            server_header=False,
            date_header=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=3,
        )
    )


def serve(server: uvicorn.Server, where: str) -> None:
    """Serve until SIGTERM or SIGINT. Raises UsageError where the port is taken."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn raises it again when it has stopped
    try:
        server.run()
    except SystemExit as error:  # uvicorn says why on standard error, and exits
        raise UsageError(
            f"the witness cannot listen on {where}",
            cure="Change [witness] listen in witness.toml, or stop the program that holds the port",
        ) from error
