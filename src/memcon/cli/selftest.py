"""`memcon selftest`: does everything memcon needs of this machine work here?"""

from __future__ import annotations

import platform
import secrets
import socket
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from memcon.cli.common import EXIT_FOUND, emit, json_option, out, reports_errors
from memcon.errors import MemconError

if TYPE_CHECKING:
    from collections.abc import Callable


def _signatures() -> str:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

    from memcon.tlog import ed25519, mldsa44

    message = secrets.token_bytes(64)
    ed = Ed25519PrivateKey.generate()
    ed25519.verify(ed.public_key().public_bytes_raw(), message, ed.sign(message))
    ml = MLDSA44PrivateKey.generate()
    mldsa44.verify(ml.public_key().public_bytes_raw(), message, ml.sign(message))
    return "Ed25519 and ML-DSA-44: signed by the library, checked by our own code"


def _custody() -> str:
    from memcon.seal.custody import make_custodian, unwrap, wrap

    custodian, seed = make_custodian("selftest", "selftest")
    key, handle = secrets.token_bytes(32), secrets.token_bytes(32)
    if unwrap(wrap(key, handle, [custodian]), handle, "selftest", seed) != key:
        raise MemconError("a wrapped call key did not come back")
    return "HPKE X-Wing: a call key wrapped and opened"


def _codecs() -> str:
    import av

    names = [av.CodecContext.create(name, "r").name for name in ("pcm_mulaw", "pcm_alaw", "g722", "flac")]
    return f"FFmpeg by PyAV {av.__version__}: {', '.join(names)}"


def _receive() -> str:
    from memcon.capture.receiver import Receiver
    from memcon.capture.sockets import PortPool
    from memcon.clock import SystemClock

    clock = SystemClock()
    pool = PortPool(clock, address="127.0.0.1", ports="40000-65000")
    receiver = Receiver(clock)
    pair = pool.take()
    try:
        receiver.add(1, pair.rtp)
        receiver.sweep()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"selftest", ("127.0.0.1", pair.port))
        sweep = receiver.sweep()
        if bytes(sweep.data) != b"selftest":
            raise MemconError("a packet sent over loopback was not received")
    finally:
        receiver.close()
        pool.close()
    return "recvmmsg with kernel timestamps: a packet came over loopback"


def _database() -> str:
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite3.connect(Path(folder) / "t.sqlite")
        mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        connection.close()
    if mode != "wal":
        raise MemconError(f"SQLite keeps its journal as {mode!r}, not as a write-ahead log")
    return f"SQLite {sqlite3.sqlite_version} with a write-ahead log"


def _python() -> str:
    return f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"


CHECKS: tuple[tuple[str, Callable[[], str]], ...] = (
    ("python", _python),
    ("signatures", _signatures),
    ("custody", _custody),
    ("codecs", _codecs),
    ("receive", _receive),
    ("database", _database),
)


@click.command("selftest")
@click.option("--quiet", is_flag=True, help="Say only what does not work")
@json_option
@reports_errors
def command(quiet: bool, as_json: bool) -> None:
    """See whether memcon works on this machine."""
    results = []
    for name, check in CHECKS:
        try:
            results.append({"check": name, "ok": True, "text": check()})
        except (MemconError, ImportError, OSError, ValueError) as error:
            results.append({"check": name, "ok": False, "text": f"{type(error).__name__}: {error}"})
    ok = all(result["ok"] for result in results)
    if as_json:
        emit({"ok": ok, "checks": results})
    else:
        for result in results:
            if not quiet or not result["ok"]:
                word = "works" if result["ok"] else "FAILS"
                out().print(f"{word}  {result['check']}: {result['text']}", markup=False)
    if not ok:
        sys.exit(EXIT_FOUND)
