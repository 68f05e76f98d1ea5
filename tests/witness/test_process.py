"""The witness as the process that `memcon witness serve` is: killed, started again, its port taken."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from tests.witness.kit import KEY, ORIGIN, note, request

from memcon.cli.main import main
from memcon.tlog.note import Note, VerifierKey, verify
from memcon.tlog.witness import monitoring_path, read_answer
from memcon.witness.keys import QuickVerifier
from memcon.witness.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMCON = str(Path(sys.executable).with_name("memcon"))


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def ask(port: int, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, data


class Process:
    """A witness in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.home = folder / "w"
        policy = folder / "policy"
        policy.write_text(f"log {KEY.key}\nquorum none\n")
        words = ["witness", "init", "--home", str(self.home), "--name", "w.example", "--json"]
        listen = ["--listen", f"127.0.0.1:{self.port}", "--policy", str(policy)]
        made = CliRunner().invoke(main, [*words, *listen])
        assert made.exit_code == 0, made.output
        self.vkeys = json.loads(made.output)["keys"]
        self.start()

    def start(self) -> None:
        command = [MEMCON, "witness", "serve", "--home", str(self.home)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        until = time.monotonic() + 60
        while True:
            assert self.process.poll() is None, self.process.communicate()
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert time.monotonic() < until
                time.sleep(0.05)
            else:
                return

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        self.process.communicate(timeout=60)
        return self.process.returncode


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path)
    yield process
    if process.process.poll() is None:
        process.end(signal.SIGKILL)


def test_killed_and_started_again_it_knows_what_it_said(process: Process) -> None:
    status, body = ask(process.port, "POST", "/add-checkpoint", request(0, 5))
    assert status == 200
    keys = [QuickVerifier(VerifierKey.parse(text)) for text in process.vkeys]
    assert len(verify(Note(note(5).text, read_answer(body)), keys)) == 2
    process.end(signal.SIGKILL)
    process.start()
    assert ask(process.port, "POST", "/add-checkpoint", request(0, 5)) == (409, b"5\n")
    assert ask(process.port, "POST", "/add-checkpoint", request(5, 8))[0] == 200
    status, body = ask(process.port, "GET", "/" + monitoring_path(ORIGIN))
    assert Note.parse(body).text == note(8).text
    other = subprocess.run(
        [MEMCON, "witness", "serve", "--home", str(process.home)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert other.returncode == 2
    assert "already" in other.stderr
    assert process.end(signal.SIGTERM) == 0


def test_a_damaged_mirror_stops_nothing_but_itself(process: Process, tmp_path: Path) -> None:
    process.end(signal.SIGTERM)
    settings = load(process.home)
    with (process.home / "logs.policy").open("w") as file:
        file.write(f"log {KEY.key} http://127.0.0.1:1/\nquorum none\n")
    (process.home / "witness.toml").write_text(
        (process.home / "witness.toml").read_text().replace("mirror = false", "mirror = true")
    )
    root = settings.mirror_of(ORIGIN)
    (root / "tile/0").mkdir(parents=True)
    (root / "checkpoint").write_bytes(note(5).to_bytes())
    process.start()
    assert ask(process.port, "POST", "/add-checkpoint", request(0, 5))[0] == 200
    process.process.send_signal(signal.SIGTERM)
    assert process.process.wait(60) == 0
    process.process.communicate()


def test_init_for_people(tmp_path: Path) -> None:
    words = ["witness", "init", "--home", str(tmp_path / "w"), "--name", "w.example", "--keys", "ed25519"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert "w.example+" in done.output
    assert "logs.policy" in done.output
    again = CliRunner().invoke(main, words)
    assert (again.exit_code, "already" in again.output) == (2, True)
    assert CliRunner().invoke(main, ["witness", "serve", "--home", str(tmp_path / "w")]).exit_code == 2
