"""A log to be witnessed, and a witness behind its ASGI interface, for tests."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.tlog.conftest import TestKey

from memcon.clock import ManualClock
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.merkle import consistency_proof, leaf_hash, root
from memcon.tlog.note import COSIGNATURE_MLDSA44, Note
from memcon.tlog.witness import AddCheckpoint
from memcon.witness.core import Witness
from memcon.witness.keys import Cosigner
from memcon.witness.ledger import Ledger
from memcon.witness.server import App

if TYPE_CHECKING:
    from pathlib import Path

ORIGIN = "log.example/1"
KEY = TestKey(ORIGIN, number=1)
KEY_PQ = TestKey(ORIGIN, COSIGNATURE_MLDSA44, number=2)
COSIGNER = Cosigner("w.example", bytes([7]) * 32, bytes([8]) * 32)


def hashes(count: int, branch: str = "") -> list[bytes]:
    """The leaf hashes of a log; another `branch` is another history from its first leaf on."""
    return [leaf_hash(f"{branch}{n}".encode()) for n in range(count)]


def note(size: int, branch: str = "", keys: tuple[TestKey, ...] = (KEY,), origin: str = ORIGIN) -> Note:
    text = Checkpoint(origin, size, root(hashes(size, branch))).to_bytes()
    return Note(text, tuple(key.sign(text) for key in keys))


def request(old: int, size: int, branch: str = "", **changes: Any) -> bytes:
    """The body of an add-checkpoint of a log that grew from `old` to `size`."""
    proof = consistency_proof(old, hashes(size, branch)) if 0 < old <= size else []
    return AddCheckpoint(old, changes.pop("proof", tuple(proof)), note(size, branch, **changes)).to_bytes()


@dataclass
class Reply:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Served:
    """A witness with its ledger on the disk; `ask` is one HTTP request without a socket."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.cosigner: Cosigner = settings.pop("cosigner", COSIGNER)
        self.keys = settings.pop("keys", (KEY,))
        self.mirror = settings.pop("mirror", None)
        self.settings = settings
        self.start()

    def start(self) -> None:
        own = {(key.name, key.key_id) for key in self.cosigner.vkeys}
        self.ledger = Ledger(self.folder / "ledger", own, file_size=self.settings.get("file_size", 1 << 20))
        conflicts = self.conflicts = []  # type: list[tuple[Note, Note]]
        self.witness = Witness(
            self.cosigner,
            [key.key for key in self.keys],
            self.clock,
            self.ledger.latest,
            conflict=lambda a, b: conflicts.append((a, b)),
        )
        seconds = self.settings.get("body_seconds", 5.0)
        self.app = App(self.witness, self.ledger, mirror=self.mirror, about="w\n", body_seconds=seconds)

    def again(self) -> None:
        """As after a restart."""
        self.ledger.close()
        self.start()

    def post(self, body: bytes) -> Reply:
        return self.ask("POST", "/add-checkpoint", body)

    def get(self, path: str) -> Reply:
        return self.ask("GET", path)

    def ask(self, method: str, path: str, body: bytes = b"") -> Reply:
        return asyncio.run(ask(self.app, method, path, body))


async def ask(app: App, method: str, path: str, body: bytes = b"", *, hang: bool = False) -> Reply:
    """One request; the body comes in two parts; with `hang` its second part never comes."""
    parts = [(body[: len(body) // 2], True), (body[len(body) // 2 :], False)]
    reply = Reply()

    async def receive() -> dict[str, Any]:
        if hang and len(parts) == 1:
            await asyncio.sleep(3600)
        part, more = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": more}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            reply.status = message["status"]
            reply.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        else:
            reply.body += message["body"]

    await app({"type": "http", "method": method, "path": path}, receive, send)
    return reply
