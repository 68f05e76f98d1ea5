"""A recorder as an office runs it: `memcon init`, then `memcon serve` in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from tests.running import media_ports, quiet_port

from memcon.cli.main import main
from memcon.store.paths import RUN_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DATA = Path(os.environ.get("MEMCON_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data") / "siprec"
MEMCON = str(Path(sys.executable).with_name("memcon"))
START_S = 120.0
SEALED_S = 120.0


def free_port() -> int:
    """A port that both a UDP and a TCP socket of loopback can have now."""
    while True:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        ):
            tcp.bind(("127.0.0.1", 0))
            port: int = tcp.getsockname()[1]
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@dataclass(frozen=True)
class Recorder:
    """A recorder that is up: where it listens, and its command line."""

    home: Path
    run: Path
    sip_port: int
    media_ports: tuple[int, int]

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`memcon ARGUMENTS` for this home, without a process for each: tests ask again and again."""
        done = CliRunner().invoke(
            main, [*arguments, "--home", str(self.home)], env={RUN_VARIABLE: str(self.run)}
        )
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)

    def show(self, number: int) -> dict[str, Any]:
        """What `memcon show` says of a call, {} while it knows none."""
        done = self.command("show", str(number), "--json")
        found: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
        return found

    def until(self, what: str, look: Callable[[], Any]) -> Any:
        """What `look` gives as soon as it gives something."""
        end = time.monotonic() + SEALED_S
        while time.monotonic() < end:
            found = look()
            if found:
                return found
            time.sleep(0.3)
        said = (self.home.parent / "serve.txt").read_text()
        raise AssertionError(f"{what}: not within {SEALED_S:g} s\n{said[-3000:]}")

    def ended(self, number: int) -> dict[str, Any]:
        """A call as shown when it is over."""

        def look() -> dict[str, Any] | None:
            found = self.show(number)
            return found if found.get("cause") else None

        shown: dict[str, Any] = self.until(f"the end of call {number}", look)
        return shown

    def export(self, number: int, kind: str) -> bytes:
        """`memcon export`, as soon as the call is in the vault."""
        target = self.home.parent / f"export-{number}.{kind}"
        order = ("export", str(number), "--format", kind, "--to", str(target), "--force")
        self.until(f"call {number} in the vault", lambda: self.command(*order).returncode == 0)
        return target.read_bytes()


def start(
    directory: Path, *, period: int = 1, configure: Callable[[str], str] | None = None
) -> tuple[Recorder, subprocess.Popen[str]]:
    """Make a home, change its memcon.toml, and serve it; returns when it says that it records."""
    sip_port, (first, last) = quiet_port(), media_ports()
    recorder = Recorder(directory / "home", directory / "run", sip_port, (first, last))
    made = recorder.command(
        "init", "--origin", "recorder.example/foreign", "--period", str(period), "--sip-port", str(sip_port),
        "--console-port", str(quiet_port()), "--media-ports", f"{first}-{last}",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    if configure is not None:
        toml = recorder.home / "memcon.toml"
        toml.write_text(configure(toml.read_text()))
    said = directory / "serve.txt"
    with said.open("w") as output:
        process = subprocess.Popen(
            [MEMCON, "serve", "--home", str(recorder.home)],
            env=os.environ | {RUN_VARIABLE: str(recorder.run)},
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
    end = time.monotonic() + START_S
    while "Recording." not in said.read_text():
        if process.poll() is not None or time.monotonic() > end:
            stop(process)
            pytest.fail(f"memcon serve did not start:\n{said.read_text()[-3000:]}")
        time.sleep(0.2)
    return recorder, process


def stop(process: subprocess.Popen[str]) -> None:
    """Stop a recorder as an operator does."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorder]:
    """One recorder for the tests of a module; calls are numbered over all of them."""
    made, process = start(tmp_path_factory.mktemp("recorder"))
    yield made
    stop(process)


def real_body(name: str) -> bytes:
    """A saved INVITE body of a real recording client; skips where the test data is not there."""
    path = DATA / "drachtio-bodies" / name
    if not path.is_file():
        pytest.skip(f"{name} is not there: set MEMCON_TEST_DATA to the directory that holds siprec/")
    return path.read_bytes()


def boundary_of(body: bytes) -> str:
    """The boundary of a multipart body, "" for a plain one."""
    line = next((line for line in body.splitlines() if line.startswith(b"--")), b"--")
    return line[2:].decode().strip()
