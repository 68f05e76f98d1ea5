"""Killing every process of a recorder in turn in the middle of calls, and the account of what that cost.

The recorder is the one that `memcon serve` starts, in a process of its own, so that it can be killed
too; the calls are SIP and RTP over loopback from the project's own client.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memcon.client.load import run_load
from memcon.client.load_plan import LoadPlan
from memcon.clock import NS
from memcon.errors import MachineError
from memcon.service.archive import Archive
from memcon.service.load_check import LoadCheck, check_load
from memcon.store.durable import read_if_there

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from memcon.client.load_plan import LoadReport
    from memcon.clock import Clock
    from memcon.service.config import Config
    from memcon.store.paths import Home

    Say = Callable[[str], None]

ROLES = ("capture", "seal", "office")
MAIN = "from memcon.cli.main import main; main()"
READY_SECONDS = 300  # a machine with much else to do; how long it took is told


@dataclass(frozen=True, slots=True)
class Blow:
    """What is done to whom, a worker's role, the `supervisor`, or `everything`: it and all workers at once.

    After the last two nothing is started for `down_s`.
    """

    who: str
    how: signal.Signals = signal.SIGKILL
    down_s: float = 0.0

    def __str__(self) -> str:
        return f"{'kill -9' if self.how is signal.SIGKILL else 'SIGSTOP'} of {self.who}"


BLOWS = (
    Blow("office"),
    Blow("seal"),
    Blow("capture"),
    Blow("capture", signal.SIGSTOP),
    Blow("everything", down_s=2.0),
)


@dataclass(frozen=True, slots=True)
class Struck:
    """A blow at `wall` (ns), and how long it took until the process was at work again, s."""

    blow: Blow
    wall: int
    back_s: float


@dataclass(slots=True)
class Outcome:
    """What came of it all."""

    struck: list[Struck] = field(default_factory=list)
    check: LoadCheck = field(default_factory=LoadCheck)

    @property
    def unexplained(self) -> int:
        """Packets that no blow accounts for: on loopback no network loses any."""
        return self.check.undeclared + sum(self.check.accounts[name] for name in ("sequence", "report"))

    @property
    def good(self) -> bool:
        """Whether a blow declares every missing packet, every call is there, and everything verifies."""
        return self.check.good and not self.unexplained


class Serving:
    """`memcon serve` of a home in a process of its own; its words go to `serve.log` in the home."""

    def __init__(self, home: Home, clock: Clock) -> None:
        self.home = home
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until its workers are up. Raises MachineError when they are not."""
        before = {role: self.pid(role) for role in ROLES}
        with (self.home.root / "serve.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", MAIN, "serve", "--home", str(self.home.root)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        for role in ROLES:
            self.wait_for(role, before[role])

    @property
    def supervisor(self) -> int:
        """The process of `memcon serve`, 0 before it was started."""
        return self._process.pid if self._process is not None else 0

    def pid(self, role: str) -> int:
        """The process that last said something in a role, 0 where none has."""
        said = read_if_there(self.home.status(role))
        return int(json.loads(said)["pid"]) if said else 0

    def wait_for(self, role: str, before: int) -> None:
        """Wait until another process than `before` has a role."""
        until = self._clock.monotonic_ns() + READY_SECONDS * NS
        pause = threading.Event()
        while self.pid(role) in (0, before):
            if self._clock.monotonic_ns() > until or (self._process and self._process.poll() is not None):
                raise MachineError(f"{role} was not up again", cure="serve.log in the home says more")
            pause.wait(0.02)

    def strike(self, blow: Blow) -> Struck:
        """Do it, and wait until it is mended."""
        wall, began = self._clock.wall_ns(), self._clock.monotonic_ns()
        if blow.who in ("supervisor", "everything"):
            self._kill(everything=blow.who == "everything")
            threading.Event().wait(blow.down_s)
            self.start()
        else:
            pid = self.pid(blow.who)
            os.kill(pid, blow.how)
            self.wait_for(blow.who, pid)
        return Struck(blow, wall, (self._clock.monotonic_ns() - began) / NS)

    def _kill(self, *, everything: bool) -> None:
        pids = [self.pid(role) for role in ROLES] if everything else []
        if self._process is not None:
            self._process.kill()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def stop(self) -> None:
        """Stop it as an operator would."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait()


def run_chaos(
    home: Home,
    config: Config,
    clock: Clock,
    say: Say,
    *,
    calls: int = 5,
    every_s: float = 4.0,
    blows: Sequence[Blow] = BLOWS,
) -> Outcome:
    """Strike each blow in the middle of `calls` calls; then account for every packet and verify every call.

    Raises MachineError where the recorder does not come back.
    """
    outcome = Outcome()
    serving = Serving(home, clock)
    serving.start()
    try:
        say(f"The recorder is up. {calls} calls of two streams begin.")
        load = _Load(config, calls)
        load.wait_for_calls(calls, home, clock)
        pause = threading.Event()
        for blow in blows:
            pause.wait(every_s)
            struck = serving.strike(blow)
            outcome.struck.append(struck)
            say(f"  {blow}: at work again after {struck.back_s:.1f} s")
        pause.wait(every_s)
        report = load.end()
        say("The calls are over. Sealing and keeping what was received.")
        outcome.check = check_load(Archive(home, config, clock), report.calls, clock)
    finally:
        serving.stop()
    return outcome


class _Load(threading.Thread):
    """The calls, until they are told to end."""

    def __init__(self, config: Config, calls: int) -> None:
        super().__init__(name="calls", daemon=True)
        end = next(e for e in config.sip_listen if e.transport == "udp")
        self._plan = LoadPlan(f"udp://{end.host}:{end.port}", calls=calls, seconds=3600, ramp=50)
        self._over = threading.Event()
        self._report: LoadReport | None = None
        self.start()

    def run(self) -> None:
        self._report = asyncio.run(run_load(self._plan, until=self._over))

    def wait_for_calls(self, calls: int, home: Home, clock: Clock) -> None:
        """Wait until the recorder says that it has them all."""
        until = clock.monotonic_ns() + READY_SECONDS * NS
        while (said := read_if_there(home.status("capture"))) is None or json.loads(said)["calls"] < calls:
            if clock.monotonic_ns() > until:
                raise MachineError(f"{calls} calls were not up within {READY_SECONDS} s")
            self._over.wait(0.1)

    def end(self) -> LoadReport:
        """Hang up and report."""
        self._over.set()
        self.join()
        if self._report is None:
            raise MachineError("the calls could not be placed", cure="The lines above say why")
        return self._report


def say_outcome(outcome: Outcome, say: Say) -> None:
    """The account in lines: what each blow cost, in packets and time, and whether all is declared."""
    losses = outcome.check.losses
    for place, takeover in enumerate(losses[0].takeovers if losses else ()):
        counts = [
            sum(gap.accounts["takeover"] for gap in loss.gaps if gap.takeover == place) for loss in losses
        ]
        sockets = "sockets kept" if takeover.kept else "sockets bound again"
        span = (takeover.end - takeover.start) / NS
        say(
            f"  takeover {place + 1}, {sockets}: {span:.2f} s declared in each call, "
            f"{sum(counts)} packets missing ({max(counts)} at most in a call)"
        )
    for line in outcome.check.words().splitlines():
        say(line)
