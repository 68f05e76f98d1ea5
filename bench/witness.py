"""add-checkpoint requests a second, durable, by a witness on one core, beside a bare append with fdatasync.

The witness is the process that `memcon witness serve` is, bound to one core; the client speaks HTTP over
loopback, prepares all requests before it begins, and checks no cosignature. Where `litewitness`
(Debian sid's torchwood) and `ssh-agent` are on PATH it is measured in the same way; where not, that is said.

    python bench/witness.py [--requests N] [--logs N] [--clients N] [--keys ed25519|both] [--folder DIR]
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import types
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from memcon.store.durable import AppendFile
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.merkle import consistency_proof, leaf_hash, root
from memcon.tlog.note import ED25519, Note, Signature, VerifierKey
from memcon.tlog.witness import AddCheckpoint

tests = types.ModuleType("tests")  # some library installs a package of this name; the one beside is meant
tests.__path__ = [str(Path(__file__).parent.parent / "tests")]
sys.modules["tests"] = tests

from tests.foreign.litewitness import Litewitness, missing  # noqa: E402  # found by what stands above


def percentiles(times: list[float]) -> dict[str, float]:
    """p50, p99 and the longest, in ms."""
    ordered = sorted(times)
    at = (len(ordered) // 2, len(ordered) * 99 // 100, len(ordered) - 1)
    return {name: round(ordered[i] * 1000, 2) for name, i in zip(("p50", "p99", "max"), at, strict=True)}


class Log:
    """A log whose checkpoints of sizes 1, 2, 3, … are signed as they are asked for."""

    def __init__(self, number: int) -> None:
        self.origin = f"bench.example/{number}"
        self._key = Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big"))
        self.vkey = VerifierKey(self.origin, ED25519, self._key.public_key().public_bytes_raw())

    def request(self, size: int) -> bytes:
        hashes = [leaf_hash(b"%d" % n) for n in range(size)]
        text = Checkpoint(self.origin, size, root(hashes)).to_bytes()
        note = Note(text, (Signature(self.origin, self.vkey.key_id, self._key.sign(text)),))
        proof = tuple(consistency_proof(size - 1, hashes)) if size > 1 else ()
        return AddCheckpoint(size - 1, proof, note).to_bytes()


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_up(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(1200):
        assert process.poll() is None, "the witness ended"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("the witness was not up within 60 s")


def post_all(port: int, bodies: list[bytes], times: list[float]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for body in bodies:
        began = time.perf_counter()
        connection.request("POST", "/add-checkpoint", body)
        answer = connection.getresponse()
        data = answer.read()
        times.append(time.perf_counter() - began)
        assert answer.status == 200, (answer.status, data)
    connection.close()


def measure(port: int, logs: list[Log], requests: int, clients: int) -> dict[str, object]:
    """Each log grows by one leaf a request; each client has its own logs."""
    each = max(1, requests // len(logs))
    shares: list[list[bytes]] = [[] for _ in range(clients)]
    for size in range(1, each + 1):
        for n, log in enumerate(logs):
            shares[n % clients].append(log.request(size))
    times: list[float] = []
    threads = [threading.Thread(target=post_all, args=(port, share, times)) for share in shares]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    return {"per_second": round(len(times) / seconds), "requests": len(times), "ms": percentiles(times)}


def resident(pid: int) -> int:
    """Resident memory, MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) >> 10
    return 0


def cpu_seconds(pid: int) -> float:
    """User and system time so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_memcon(folder: Path, logs: list[Log], args: argparse.Namespace) -> dict[str, object]:
    port = free_port()
    policy = folder / "policy"
    policy.write_text("".join(f"log {log.vkey}\n" for log in logs) + "quorum none\n")
    memcon = [str(Path(sys.executable).with_name("memcon"))]
    home = ["--home", str(folder / "w")]
    made = ["--name", "bench.example/w", "--keys", args.keys, "--listen", f"127.0.0.1:{port}"]
    subprocess.run(
        [*memcon, "witness", "init", *home, *made, "--policy", str(policy)], check=True, capture_output=True
    )
    process = subprocess.Popen(
        ["taskset", "-c", "0", *memcon, "witness", "serve", *home], stdout=subprocess.DEVNULL
    )
    try:
        wait_up(port, process)
        before = cpu_seconds(process.pid)
        figures = measure(port, logs, args.requests, args.clients)
        spent = (cpu_seconds(process.pid) - before) * 1000 / args.requests
        return {**figures, "cpu_ms_each": round(spent, 2), "resident_mib": resident(process.pid)}
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def run_litewitness(folder: Path, logs: list[Log], args: argparse.Namespace) -> dict[str, object]:
    """The peer, on the same core, by the same client."""
    if missing():
        return {"skipped": f"not on PATH: {', '.join(missing())}"}
    peer = Litewitness(folder / "lite", [(log.origin, str(log.vkey)) for log in logs], ["taskset", "-c", "0"])
    try:
        before = cpu_seconds(peer.pid)
        figures = measure(peer.port, logs, args.requests, args.clients)
        spent = (cpu_seconds(peer.pid) - before) * 1000 / args.requests
        return {**figures, "cpu_ms_each": round(spent, 2), "resident_mib": resident(peer.pid)}
    finally:
        peer.close()


def bare_append(folder: Path, count: int) -> dict[str, object]:
    """What the disk gives: 400 bytes and fdatasync, one after another."""
    times = []
    with AppendFile(folder / "bare") as file:
        for _ in range(count):
            began = time.perf_counter()
            file.write(os.urandom(400))
            file.sync()
            times.append(time.perf_counter() - began)
    return {"per_second": round(count / sum(times)), "ms": percentiles(times)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--logs", type=int, default=8)
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--keys", choices=("ed25519", "both"), default="ed25519")
    parser.add_argument("--folder")
    args = parser.parse_args()
    logs = [Log(n + 1) for n in range(args.logs)]
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        found = {
            "witness": run_memcon(folder, logs, args),
            "litewitness": run_litewitness(folder, logs, args),
            "append_fdatasync": bare_append(folder, args.requests),
        }
    json.dump(found, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
