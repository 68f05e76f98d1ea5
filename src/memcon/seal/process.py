"""The sealing process: one sealer, stepped until it is told to stop; a new one when the disk has refused.

A disk that is full, read-only or broken ends the sealer, not the process: what it could not do stands
in the journal, and the next sealer takes up what is on the disk. Beats made then are flagged late.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import threading
from typing import TYPE_CHECKING, Protocol

from memcon.clock import NS, SystemClock
from memcon.errors import MachineError
from memcon.seal.held import asked_again
from memcon.seal.sealer import Sealer
from memcon.store.durable import machine_errors, write_file
from memcon.store.memory import keep_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from memcon.clock import Clock
    from memcon.store.paths import Home

IDLE_SECONDS = 0.05
LINGER_NS = 10 * NS
ALIVE_NS = NS // 2
RETRY_SECONDS = (0.5, 1.0, 2.0, 4.0)
"""Between a refusal and the next sealer, which reads the journal of all open calls again."""


class Log(Protocol):
    """Where an operator reads of trouble and its end."""

    def info(self, event: str, **fields: object) -> None: ...

    def error(self, event: str, **fields: object) -> None: ...


class _Seal:
    """One run of the process."""

    def __init__(
        self,
        home: Home,
        stop: threading.Event,
        clock: Clock,
        log: Log | None,
        *,
        witnessed: bool,
        alive: Callable[[], None],
    ) -> None:
        self._home = home
        self._witnessed = witnessed
        self._stop = stop
        self._clock = clock
        self._log = log
        self._alive = alive
        self._said = 0
        self._asked: int | None = None
        self._failures = 0
        self._held: tuple[int, ...] = ()

    def run(self) -> None:
        while True:
            try:
                with machine_errors(self._home.root, "sealing"):
                    self._seal()
            except MachineError as error:
                self._refused(error)
                if self._over():
                    raise
            else:
                if self._stop.is_set():
                    return

    def _seal(self) -> None:
        """Seal until told to stop, or a custodian has unlocked something: then a new sealer takes it up.

        Raises MachineError where the disk refuses.
        """
        asked_again(self._home)  # this one sees all that is unlocked by now
        sealer = Sealer(self._home, self._clock, witnessed=self._witnessed)
        try:
            sealer.say()
            first = sealer.last_beat.index
            while True:
                did = sealer.step(stopping=self._stop.is_set())
                self._say_alive()
                if sealer.last_beat.index > first:
                    self._well()
                self._tell_held(sealer.held_calls)
                if self._stop.is_set():
                    if self._over() or not did:
                        return
                elif not did:
                    if asked_again(self._home):
                        return
                    self._stop.wait(IDLE_SECONDS)
        finally:
            sealer.close()

    def _tell_held(self, held: tuple[int, ...]) -> None:
        if held != self._held and self._log is not None:
            if held:
                self._log.error("calls wait for a custodian", calls=held, cure="memcon unlock")
            else:
                self._log.info("no call waits for a custodian any more")
        self._held = held

    def _over(self) -> bool:
        """Whether it was told to stop so long ago that the rest has to wait for the next start."""
        if not self._stop.is_set():
            return False
        now = self._clock.monotonic_ns()
        self._asked = now if self._asked is None else self._asked
        return now - self._asked > LINGER_NS

    def _say_alive(self) -> None:
        now = self._clock.monotonic_ns()
        if now - self._said > ALIVE_NS:
            self._said = now
            self._alive()

    def _refused(self, error: MachineError) -> None:
        if not self._failures and self._log is not None:
            self._log.error("sealing trouble begins", why=str(error))
        said = {"pid": os.getpid(), "wall": self._clock.wall_ns(), "trouble": str(error)}
        with contextlib.suppress(MachineError):  # a notice; the run directory may be the one that is full
            write_file(self._home.status("seal"), json.dumps(said).encode(), durable=False)
        self._alive()
        wait = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
        self._failures += 1
        (threading.Event() if self._stop.is_set() else self._stop).wait(wait)

    def _well(self) -> None:
        """A beat stands in the log: the disk takes them again."""
        if self._failures and self._log is not None:
            self._log.info("sealing trouble ends", after=self._failures)
        self._failures = 0


def calm_collector() -> None:
    """Let the collector of reference cycles run rarely: sealing makes many small objects and hardly a
    cycle, and a look at all of them each time is a tenth of its work."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def run_seal(
    home: Home,
    stop: threading.Event,
    clock: Clock | None = None,
    log: Log | None = None,
    *,
    witnessed: bool = False,
    alive: Callable[[], None] = lambda: None,
) -> None:
    """Seal what the journals of `home` say until `stop` is set and nothing is left to read.

    After `stop` the rest of the journal is still sealed, for 10 s at most: capture should have written
    its stop record by then. `alive` is called about twice a second while it works. Raises
    MachineError only where the disk refuses until that time is over.
    """
    keep_memory()
    calm_collector()
    _Seal(home, stop, clock or SystemClock(), log, witnessed=witnessed, alive=alive).run()
