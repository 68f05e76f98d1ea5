"""`litewitness` of Debian's torchwood (sid), started with a key in an ssh-agent of its own.

apt-get install torchwood openssh-client      where the release has it; else from sid, by dpkg -x
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.request
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NEEDED = ("litewitness", "witnessctl", "ssh-agent", "ssh-add", "ssh-keygen")
NAME = "witness.example/lite"


def missing() -> list[str]:
    """The programs that are not on PATH."""
    return [name for name in NEEDED if shutil.which(name) is None]


class Litewitness:
    """One litewitness for logs, by their (origin, vkey); `vkey` is its own, of type 04."""

    def __init__(self, folder: Path, logs: Iterable[tuple[str, str]], prefix: Iterable[str] = ()) -> None:
        """`prefix`: words before the command, such as `taskset -c 0`."""
        folder.mkdir(parents=True)
        self.port = _free_port()
        sock, key, db = folder / "agent", folder / "key", folder / "db"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        self._agent = subprocess.Popen(
            ["ssh-agent", "-D", "-a", str(sock)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._process: subprocess.Popen[bytes] | None = None
        try:
            _until(sock.exists)
            added = {"SSH_AUTH_SOCK": str(sock)}
            subprocess.run(["ssh-add", "-q", str(key)], check=True, env=added, capture_output=True)
            shown = subprocess.run(
                ["ssh-keygen", "-lf", f"{key}.pub"], check=True, capture_output=True, text=True
            )
            for origin, vkey in logs:
                for words in (["add-log"], ["add-key", "-key", vkey]):
                    command = ["witnessctl", words[0], "-db", str(db), "-origin", origin, *words[1:]]
                    subprocess.run(command, check=True, capture_output=True)
            serve = ["litewitness", "-db", str(db), "-ssh-agent", str(sock), "-name", NAME]
            serve += ["-key", shown.stdout.split()[1], "-listen", f"127.0.0.1:{self.port}"]
            with (folder / "log").open("wb") as log:
                self._process = subprocess.Popen([*prefix, *serve], stdout=log, stderr=log)
            _until(self._answers)
            self.vkey = _vkey((folder / "log").read_text() + self._front())
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "litewitness has ended"
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def _front(self) -> str:
        with urllib.request.urlopen(self.url, timeout=10) as answer:  # noqa: S310 on loopback
            return str(answer.read().decode())

    def close(self) -> None:
        for process in (self._process, self._agent):
            if process is not None:
                process.terminate()
                process.wait(10)


def _vkey(text: str) -> str:
    """Its verifier key, wherever it says it."""
    for word in text.replace('"', " ").replace("<", " ").replace(">", " ").split():
        if word.startswith(f"{NAME}+"):
            return word
    raise AssertionError(f"litewitness does not say its key: {text}")


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _until(done: object) -> None:
    assert callable(done)
    end = time.monotonic() + 60
    while not done():
        assert time.monotonic() < end
        time.sleep(0.02)
