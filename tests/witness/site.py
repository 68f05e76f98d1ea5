"""A log and three witnesses behind HTTP on loopback, two of three being a quorum."""

from __future__ import annotations

import asyncio
import http.server
import threading
import time
from typing import TYPE_CHECKING

from tests.verify.builder import World, write_files
from tests.witness.kit import Reply, ask

from memcon.clock import ManualClock
from memcon.tlog.policy import Policy
from memcon.witness.core import Witness
from memcon.witness.keys import Cosigner, quicken
from memcon.witness.ledger import Ledger
from memcon.witness.server import App

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from memcon.witness.client import WitnessClient


def until(done: Callable[[], object]) -> None:
    """Poll until `done` gives something true."""
    end = time.monotonic() + 30
    while not done():
        assert time.monotonic() < end
        time.sleep(0.01)


class Http:
    """A server on loopback whose answers are a function of method, path and body."""

    def __init__(self, answers: Callable[[str, str, bytes], Reply]) -> None:
        self.answers = answers
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                reply = outer.answers(self.command, self.path, body)
                if reply.status == 0:  # hang up
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                self.send_header("content-length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            do_GET = do_POST = _any

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients hang up on purpose
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Site:
    """A log and three witnesses over HTTP; each answers as its `mood` says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.world = World()
        self.world.genesis()
        self.clock = ManualClock()
        self.moods: dict[int, Callable[[Reply], Reply]] = {}
        self.servers: list[Http] = []
        self.ledgers: list[Ledger] = []
        self.witnesses: list[Witness] = []
        self.clients: list[WitnessClient] = []
        lines = [f"log {vkey}\n" for vkey in self.world.vkeys()]
        for n in range(3):
            cosigner = Cosigner(f"w{n}.example", bytes([n + 1]) * 32, bytes([n + 11]) * 32)
            self._add(n, cosigner)
            for kind, key in zip(("ed", "ml"), cosigner.vkeys, strict=True):
                lines.append(f"witness w{n}{kind} {key} {self.servers[n].url}/sub/\n")
            lines.append(f"group w{n} any w{n}ed w{n}ml\n")
        lines.append("group q 2 w0 w1 w2\nquorum q\n")
        self.text = "".join(lines).encode()
        self.policy = quicken(Policy.parse(self.text))
        self.publish()

    def _add(self, n: int, cosigner: Cosigner) -> None:
        own = {(key.name, key.key_id) for key in cosigner.vkeys}
        ledger = Ledger(self.folder / f"w{n}", own)
        witness = Witness(cosigner, self.world.keys(), self.clock, ledger.latest)
        app, lock = App(witness, ledger), threading.Lock()

        def answer(method: str, path: str, body: bytes) -> Reply:
            with lock:
                reply = asyncio.run(ask(app, method, path.removeprefix("/sub"), body))
            return self.moods[n](reply) if n in self.moods else reply

        self.ledgers.append(ledger)
        self.witnesses.append(witness)
        self.servers.append(Http(answer))

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def publish(self) -> None:
        """Put the log's files out, the checkpoint last."""
        files = self.world.files()
        note = files.pop("checkpoint")
        write_files(self.log, files)
        (self.log / "checkpoint.new").write_bytes(note)
        (self.log / "checkpoint.new").replace(self.log / "checkpoint")

    def grow(self, count: int = 1) -> None:
        for _ in range(count):
            self.world.beat()
        self.publish()

    def close(self) -> None:
        for client in self.clients:
            client.close()
        for server in self.servers:
            server.close()
        for ledger in self.ledgers:
            ledger.close()
