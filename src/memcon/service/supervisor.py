"""`memcon serve`: starts capture, seal and office, and with witnesses the process that submits to them;
replaces one that dies or hangs, stops them in order.

It holds a descriptor of every socket of capture (`service.holder`), so that a capture that is
killed loses nothing that the kernel holds: the next one is given them all. A spare capture waits
for that, loaded and idle, since the kernel holds five seconds of a stream and a busy machine may
take as long to start a process. A worker hangs when it
has been stopped (SIGSTOP) or gives no sign of life while none of its threads waits for a disk; it
is killed and replaced. A worker whose supervisor is gone ends by itself, and leaves its calls open.

Order of a clean stop: capture ends its calls and writes who stopped it into the journal; seal reads
that to its end and makes the last beat, in state off; witness has it cosigned; office keeps what is
left. Each is given time to finish; one that does not is ended, and the stop says so.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from memcon.capture.sockets import raise_file_limit
from memcon.clock import NS, Clock
from memcon.errors import MachineError, UsageError
from memcon.service import config as configuration
from memcon.service.holder import Channel, Holder
from memcon.service.watchdog import Watchdog
from memcon.service.witnessing import leave_witnesses
from memcon.store.durable import write_file
from memcon.store.switch import system_user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from memcon.service.config import Config
    from memcon.store.paths import Home

ROLES = ("capture", "seal", "office")  # capture first, so that the first beat finds it recording
WITNESSED = ("capture", "witness", "seal", "office")  # seal's first beat waits for what witnesses say
STOP_ORDER = ("capture", "seal", "witness", "office")  # the last beat is cosigned too
STOP_SECONDS = {"capture": 15, "seal": 60, "witness": 15, "office": 30}
HOLDS = "capture"
SPARE_NS = 5 * NS  # between two tries to have a spare
RESTART_AFTER_S = (0.0, 0.2, 1.0, 2.0)  # after the 1st, 2nd, 3rd, later death within a minute
"""The last too is less than the kernel holds of a stream (5 s): a fourth death in a minute may be chance."""


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
    channel: Channel
    watchdog: Watchdog
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
        self._holder = Holder()
        self._spare: Child | None = None
        self._spare_due = 0

    def _prepare(self, role: str) -> Child:
        """Start a worker's process; a capture waits there until it is spoken to."""
        channel = Channel(self._clock, role, self._holder if role == HOLDS else None)
        theirs = channel.theirs.fileno()
        worker = [sys.executable, "-m", "memcon.service.worker", role]
        process = subprocess.Popen(
            [*worker, "--home", str(self._home.root), "--supervisor", str(theirs)],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            pass_fds=(theirs,),
            start_new_session=True,  # a Ctrl-C is the supervisor's to handle, in order
        )
        channel.theirs.close()
        return Child(role, process, channel, Watchdog(role, process.pid, self._clock))

    def _set_to_work(self, child: Child, before: Child | None = None) -> None:
        """Let a worker begin, where it replaces another with what that one has left."""
        (self._home.run / f"{child.role}.json").unlink(missing_ok=True)
        if before is not None:
            child.deaths = before.deaths
            child.channel.before = before.channel
        child.channel.heard = self._clock.monotonic_ns()  # a spare had nothing to say until now
        child.channel.start()
        self._children[child.role] = child

    def _replace(self, child: Child) -> None:
        spare, self._spare = (self._spare, None) if child.role == HOLDS else (None, self._spare)
        if spare is None or spare.process.poll() is not None:
            spare = self._prepare(child.role)
        self._set_to_work(spare, child)

    def _keep_spare(self, now: int) -> None:
        """Have a spare capture waiting, once the first one is at work."""
        if HOLDS not in self._children or (self._spare is not None and self._spare.process.poll() is None):
            return
        if now >= self._spare_due and (self._home.run / f"{HOLDS}.json").exists():
            self._spare = self._prepare(HOLDS)
            self._spare_due = now + SPARE_NS

    def start(self) -> None:
        """Start all workers; returns at once."""
        prepare_run(self._home)
        raise_file_limit()  # it holds as many sockets as capture has
        stop_file(self._home).unlink(missing_ok=True)
        config = configuration.load(self._home.config)
        if leave_witnesses(self._home, config):
            self._say(
                "memcon.toml names no witnesses any more: <log>/policy is taken away, no quorum is asked"
            )
        for role in roles_of(config):
            self._set_to_work(self._prepare(role))

    def late(self) -> list[str]:
        """The workers that have not said that they are up. Raises MachineError when one died before that."""
        for role, child in self._children.items():
            if child.process.poll() is not None and child.process.returncode == 2:
                raise MachineError(f"{role} could not start", cure="The lines above say why")
        return [role for role in self._children if not (self._home.run / f"{role}.json").exists()]

    def ready(self) -> bool:
        """Whether each worker has said that it is up. Raises MachineError when one died before that."""
        return not self.late()

    def pids(self) -> dict[str, int]:
        """The workers' process ids."""
        return {role: child.process.pid for role, child in self._children.items()}

    def watch(self) -> None:
        """Look once at every worker and replace the dead and the hung. Call a few times a second."""
        now = self._clock.monotonic_ns()
        for child in list(self._children.values()):
            if child.due is None and not self._ended(child, now):
                continue
            if child.due is not None and now >= child.due:
                self._replace(child)
        self._keep_spare(now)

    def at_work(self) -> bool:
        """Whether every worker lives: none waits to be started again."""
        return all(c.due is None and c.process.poll() is None for c in self._children.values())

    def _ended(self, child: Child, now: int) -> bool:
        """Whether a worker has ended, if need be by us; then it is settled when it starts again."""
        hangs = child.watchdog.hangs(child.channel.heard)
        if hangs:
            self._say(f"{child.role} hangs: {hangs}; ending it")
            child.process.kill()
            child.process.wait()
        code = child.process.poll()
        if code is None:
            return False
        child.deaths = [t for t in child.deaths if now - t < 60 * NS] + [now]
        wait = RESTART_AFTER_S[min(len(child.deaths), len(RESTART_AFTER_S)) - 1]
        child.due = now + int(wait * NS)
        self._say(f"{child.role} ended by {_exit_words(code)}; starting it again")
        return True

    def stop(self, reason: str, *, by: str | None = None, how: str = "system user") -> bool:
        """Stop everything in order, the last beat in state off. True when all ended by themselves."""
        said = {"by": by or system_user(), "how": how, "reason": reason}
        prepare_run(self._home)
        write_file(stop_file(self._home), json.dumps(said).encode())
        clean = True
        if self._spare is not None:
            self._spare.process.kill()  # it has done nothing and holds nothing
            self._spare.process.wait()
            self._spare.channel.close()
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
        for child in self._children.values():
            child.channel.close()
        self._holder.close()
        return clean


def _exit_words(code: int) -> str:
    if code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"
