"""`memcon serve`: starts capture, seal and office, restarts one that dies, stops them in order.

Order of a clean stop: capture ends its calls and writes who stopped it into the journal; seal reads
that to its end and makes the last beat, in state off; office keeps what is left. Each is given time
to finish; one that does not is ended, and the stop says so.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import signal
import stat
import subprocess
import sys
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from memcon.clock import NS, Clock
from memcon.errors import MachineError, UsageError
from memcon.service import config as configuration
from memcon.store.durable import write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from memcon.service.config import Config
    from memcon.store.paths import Home

ROLES = ("capture", "seal", "office")  # capture first, so that the first beat finds it recording
WITNESSED = ("capture", "witness", "seal", "office")  # seal's first beat waits for what witnesses say
STOP_ORDER = ("capture", "seal", "witness", "office")  # the last beat is cosigned too
STOP_SECONDS = {"capture": 15, "seal": 60, "witness": 15, "office": 30}
RESTART_AFTER_S = (0.0, 0.2, 1.0, 5.0)  # after the 1st, 2nd, 3rd, later death within a minute


def roles_of(config: Config) -> tuple[str, ...]:
    """The worker processes of a recorder, in the order in which they start."""
    return ROLES if config.witness_policy is None else WITNESSED


def stop_file(home: Home) -> Path:
    """Where the supervisor says, before it stops capture, who stops the recorder and why."""
    return home.run / "stop.json"


def prepare_run(home: Home) -> None:
    """Make the run directory, for us alone. Raises UsageError where somebody else made it or can enter it.

    It stands in a place that everyone can write (/dev/shm) and holds keys.
    """
    home.run.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = home.run.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise UsageError(
            f"{home.run} is not a directory of this user alone",
            cure="See who made it, then remove it, or set MEMCON_RUN to another place",
        )


def who_asks() -> str:
    """The system user behind this process, seen through sudo."""
    return os.environ.get("SUDO_USER") or getpass.getuser()


@contextlib.contextmanager
def only_one(home: Home) -> Iterator[None]:
    """Hold the home for one `memcon serve`. Raises UsageError when another holds it."""
    prepare_run(home)
    with (home.run / "serve.pid").open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            handle.seek(0)
            raise UsageError(
                f"memcon already serves {home.root} (process {handle.read().strip() or 'unknown'})",
                cure="Stop it first, or give another --home",
            ) from error
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


@dataclass
class Child:
    """One worker process: when it died of late, and when it may start again (monotonic ns)."""

    role: str
    process: subprocess.Popen[bytes]
    deaths: list[int] = field(default_factory=list)
    due: int | None = None


class Supervisor:
    """Runs the three workers of one home until told to stop."""

    def __init__(
        self, home: Home, clock: Clock, *, say: Callable[[str], None], log: IO[bytes] | None = None
    ) -> None:
        self._home = home
        self._clock = clock
        self._say = say
        self._log = log
        self._children: dict[str, Child] = {}

    def _spawn(self, role: str) -> subprocess.Popen[bytes]:
        (self._home.run / f"{role}.json").unlink(missing_ok=True)
        return subprocess.Popen(
            [sys.executable, "-m", "memcon.service.worker", role, "--home", str(self._home.root)],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,  # a Ctrl-C is the supervisor's to handle, in order
        )

    def start(self) -> None:
        """Start all workers; returns at once."""
        prepare_run(self._home)
        stop_file(self._home).unlink(missing_ok=True)
        for role in roles_of(configuration.load(self._home.config)):
            self._children[role] = Child(role, self._spawn(role))

    def ready(self) -> bool:
        """Whether each worker has said that it is up. Raises MachineError when one died before that."""
        for role, child in self._children.items():
            if child.process.poll() is not None and child.process.returncode == 2:
                raise MachineError(f"{role} could not start", cure="The lines above say why")
        return all((self._home.run / f"{role}.json").exists() for role in self._children)

    def pids(self) -> dict[str, int]:
        """The workers' process ids."""
        return {role: child.process.pid for role, child in self._children.items()}

    def watch(self) -> None:
        """Look once at every worker and restart the dead. Call a few times a second."""
        now = self._clock.monotonic_ns()
        for role, child in self._children.items():
            if child.due is None:
                code = child.process.poll()
                if code is None:
                    continue
                child.deaths = [t for t in child.deaths if now - t < 60 * NS] + [now]
                wait = RESTART_AFTER_S[min(len(child.deaths), len(RESTART_AFTER_S)) - 1]
                child.due = now + int(wait * NS)
                self._say(f"{role} ended by {_exit_words(code)}; starting it again")
            if now >= child.due:
                child.process, child.due = self._spawn(role), None

    def stop(self, reason: str, *, by: str | None = None, how: str = "system user") -> bool:
        """Stop everything in order, the last beat in state off. True when all ended by themselves."""
        said = {"by": by or who_asks(), "how": how, "reason": reason}
        prepare_run(self._home)
        write_file(stop_file(self._home), json.dumps(said).encode())
        clean = True
        for role in STOP_ORDER:
            child = self._children.get(role)
            if child is None or child.process.poll() is not None:
                continue
            child.process.send_signal(signal.SIGTERM)
            try:
                child.process.wait(STOP_SECONDS[role])
            except subprocess.TimeoutExpired:
                self._say(f"{role} did not end within {STOP_SECONDS[role]} s; ending it")
                child.process.kill()
                child.process.wait()
                clean = False
        return clean


def _exit_words(code: int) -> str:
    if code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"
