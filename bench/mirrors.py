"""A witness that mirrors and watches many logs: its memory and processor at one beat a period of each.

The witness is the process that `memcon witness serve` is. The logs are memcon's own leaves, served over
HTTP on loopback by this process, which also has each new checkpoint cosigned. Some of them stop half way, and
it is measured how late the witness gives word of that; the sites of others send a byte a second.

    python bench/mirrors.py [--logs N] [--seconds S] [--period S] [--stopped N] [--hostile N] [--folder DIR]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
import types
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from memcon.record.beat import Beat, Kind, State
from memcon.record.statement import Genesis
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.merkle import consistency_proof, leaf_hash
from memcon.tlog.note import ED25519, Note, Signature, VerifierKey
from memcon.tlog.tiles import TileWriter
from memcon.tlog.witness import AddCheckpoint

bench = types.ModuleType("bench")
bench.__path__ = [str(Path(__file__).parent)]
sys.modules.setdefault("bench", bench)

from bench.witness import cpu_seconds, free_port, percentiles, resident, wait_up  # noqa: E402  # found by what stands above


class MirroredLog:
    """One log, its files in memory."""

    def __init__(self, number: int, period: int) -> None:
        self.origin = f"bench.example/m{number}"
        self._key = Ed25519PrivateKey.from_private_bytes((number + 1).to_bytes(32, "big"))
        self.vkey = VerifierKey(self.origin, ED25519, self._key.public_key().public_bytes_raw())
        self.files: dict[str, bytes] = {}
        self._hashes: list[bytes] = []
        self._writer = TileWriter()
        self._period = period
        self.last = 0
        said = Genesis(self.origin, period * 1000, 3, 2, "2026-11-28T00:00:00Z", (str(self.vkey),)).encode()
        digest = sha256(said).digest()
        self.files[f"statement/{digest.hex()}"] = said
        self._leaf = Beat(
            Kind.GENESIS, State.OFF, period * 1000, 0, 0, bytes(16), digest, digest, statement=digest
        )
        self.grow()

    def grow(self) -> bytes:
        """One leaf more, for the slot that has just ended; the request that has it cosigned."""
        index = len(self._hashes)
        self.last = int(time.time()) // self._period - 1
        leaf = replace(self._leaf, index=index, slot=self.last)
        if index:
            leaf = replace(
                leaf, kind=Kind.BEAT, state=State.RECORDING, instance=b"\1" * 16, statement=bytes(32)
            )
        entry = leaf.encode()
        self._hashes.append(leaf_hash(entry))
        self._writer, made = self._writer.append([entry])
        self.files |= made
        text = Checkpoint(self.origin, index + 1, self._writer.root()).to_bytes()
        note = Note(text, (Signature(self.origin, self.vkey.key_id, self._key.sign(text)),))
        self.files["checkpoint"] = note.to_bytes()
        proof = tuple(consistency_proof(index, self._hashes)) if index else ()
        return AddCheckpoint(index, proof, note).to_bytes()


class Sites:
    """All logs behind one port: `/<number>/<path>`. Those of `hostile` send a byte a second."""

    def __init__(self, logs: list[MirroredLog], hostile: int) -> None:
        self.logs = logs
        self.hostile = hostile
        self.asked = 0
        self.port = free_port()

    async def serve(self) -> None:
        server = await asyncio.start_server(self._one, "127.0.0.1", self.port, backlog=4096)
        async with server:
            await server.serve_forever()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            while await self._answer(reader, writer):
                pass
        with contextlib.suppress(OSError):
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        _, number, path = head.split(b" ", 2)[1].decode().split("/", 2)
        self.asked += 1
        data = self.logs[int(number)].files.get(path)
        status = b"200 OK" if data is not None else b"404 Not Found"
        body = data or b""
        writer.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, len(body)))
        if int(number) < self.hostile:
            for at in range(len(body)):
                writer.write(body[at : at + 1])
                await writer.drain()
                await asyncio.sleep(1)
            return True
        writer.write(body)
        await writer.drain()
        return True


class Grower(threading.Thread):
    """Lets every log grow once a period, spread over it, and has it cosigned."""

    def __init__(self, logs: list[MirroredLog], port: int, period: int) -> None:
        super().__init__(daemon=True)
        self._logs = logs
        self._port = port
        self._period = period
        self.stopped: set[int] = set()
        self.took: list[float] = []
        self.late = 0.0
        self.end = threading.Event()

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port)
        for n, log in enumerate(self._logs):  # as it is, before it grows
            self._post(connection, n, AddCheckpoint(0, (), Note.parse(log.files["checkpoint"])).to_bytes())
        while not self.end.is_set():
            begun = (int(time.time()) // self._period + 1) * self._period
            for n, log in enumerate(self._logs):
                due = begun + self._period * 0.8 * n / len(self._logs)
                time.sleep(max(0.0, due - time.time()))
                if n not in self.stopped:
                    self._post(connection, n, log.grow())
                self.late = max(self.late, time.time() - due)
                if self.end.is_set():
                    return

    def _post(self, connection: http.client.HTTPConnection, n: int, body: bytes) -> None:
        begun = time.monotonic()
        connection.request("POST", "/add-checkpoint", body)
        answer = connection.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise SystemExit(f"log {n}: {answer.status} {data!r}")
        self.took.append(time.monotonic() - begun)


def witness_home(folder: Path, sites: Sites, port: int) -> list[str]:
    """A witness that mirrors them all; the command that serves it."""
    memcon = str(Path(sys.executable).with_name("memcon"))
    home = ["--home", str(folder / "w")]
    words = ["--name", "bench.example/w", "--keys", "ed25519", "--listen", f"127.0.0.1:{port}", "--mirror"]
    made = subprocess.run(
        [memcon, "witness", "init", *home, *words, "--json"], check=True, capture_output=True
    )
    key = json.loads(made.stdout)["keys"][0]
    lines = [f"log {log.vkey} http://127.0.0.1:{sites.port}/{n}/" for n, log in enumerate(sites.logs)]
    lines += [f"witness own {key} http://127.0.0.1:{port}/", "quorum own", ""]
    (folder / "w" / "logs.policy").write_text("\n".join(lines))
    return [memcon, "witness", "serve", *home]


def watch(
    process: subprocess.Popen[bytes], told: Path, grower: Grower, args: argparse.Namespace
) -> dict[str, object]:
    """Half the time all beat, then some stop; what the witness took meanwhile, and when it gave word."""
    most, pid = 0, process.pid
    begun, before = time.monotonic(), cpu_seconds(pid)
    stop_at, stopped_at = begun + args.seconds / 2, 0.0
    heard: dict[int, float] = {}
    while time.monotonic() - begun < args.seconds:
        time.sleep(0.25)
        most = max(most, resident(pid))
        if not stopped_at and time.monotonic() >= stop_at:
            grower.stopped = set(range(args.hostile, args.hostile + args.stopped))
            stopped_at = time.time()
        for line in told.read_text().splitlines():
            for n in grower.stopped - set(heard):
                if f"bench.example/m{n} has been silent" in line:
                    heard[n] = time.time()
    spent = (cpu_seconds(pid) - before) / (time.monotonic() - begun)
    period = args.period
    late = [heard[n] - (grower._logs[n].last + 2 + 2) * period for n in heard]
    return {
        "resident_mib": most,
        "cores": round(spent, 2),
        "stopped": len(grower.stopped),
        "word_of": len(heard),
        "word_after_deadline_s": [round(min(late), 1), round(max(late), 1)] if late else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--logs", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--period", type=int, default=10)
    parser.add_argument("--stopped", type=int, default=10)
    parser.add_argument("--hostile", type=int, default=1)
    parser.add_argument("--folder")
    args = parser.parse_args()
    logs = [MirroredLog(n, args.period) for n in range(args.logs)]
    sites = Sites(logs, args.hostile)
    threading.Thread(target=lambda: asyncio.run(sites.serve()), daemon=True).start()
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder, port = Path(name), free_port()
        command, told = witness_home(folder, sites, port), Path(name) / "told"
        with told.open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out)
        try:
            wait_up(port, process)
            grower = Grower(logs, port, args.period)
            grower.start()
            found = watch(process, told, grower, args)
            grower.end.set()
            mirrors = [*(folder / "w" / "mirror").iterdir()]
            found |= {
                "logs": args.logs,
                "mirrors": sum((each / "checkpoint").exists() for each in mirrors),
                "cosigned": len(grower.took),
                "cosigning_ms": percentiles(grower.took),
                "asked_of_the_sites": sites.asked,
                "grower_late_s": round(grower.late, 1),
            }
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    json.dump(found, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
