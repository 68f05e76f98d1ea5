"""One worker process: `python -m memcon.service.worker capture|seal|witness|office --home DIR`.

Exit codes: 0 a clean stop, 2 it could not start or go on for a reason that starting again will not
cure by itself (the supervisor says so), 1 anything else.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import select
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING

from memcon.capture.handover import Handover
from memcon.capture.log import Log
from memcon.clock import SystemClock
from memcon.errors import MachineError, MemconError
from memcon.service import config as configuration
from memcon.store.durable import make_dirs
from memcon.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from memcon.service.config import Config

    Role = Callable[[Home, Config, Handover], None]

OFFICE_NICE = 5
"""Whatever the office does may wait for those that record."""
AUTOGROUP = Path("/proc/self/autogroup")
"""Where the kernel shares the processors between sessions, `nice` says nothing between processes of two, and
each worker has a session of its own: this file has the session's (sched(7), "The autogroup feature")."""
ALONE_SECONDS = 60
ALONE_TRIES = 1200


@contextlib.contextmanager
def alone(home: Home, role: str) -> Iterator[None]:
    """Wait until no other process has this role in this home: one whose supervisor was killed may still end.

    Raises MachineError when it does not within a minute: two sealers would write two histories.
    """
    make_dirs(home.run)
    with (home.run / f"{role}.lock").open("a+") as handle:
        for _ in range(ALONE_TRIES):
            if _locked(handle):
                break
            threading.Event().wait(ALONE_SECONDS / ALONE_TRIES)
        else:
            raise MachineError(
                f"another {role} process still serves {home.root}", cure="End it (its pid: memcon status)"
            )
        yield


def _locked(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _load(role: str) -> Role:
    """What a role does. Each loads what it works with alone: calls wait for one that is started again."""
    clock = SystemClock()
    if role == "capture":
        from memcon.capture.process import run_capture
        from memcon.service.capturing import capture_settings

        return lambda home, _, handover: run_capture(home, capture_settings(home), clock, handover)
    if role == "seal":
        from memcon.seal.process import run_seal

        return lambda home, config, handover: run_seal(
            home, _stop_event(), clock, Log(clock),
            witnessed=config.witness_policy is not None, alive=follow_supervisor(handover),
        )  # fmt: skip
    if role == "witness":
        from memcon.service.witnessing import run_witnessing

        def witness(home: Home, config: Config, handover: Handover) -> None:
            follow_supervisor(handover)
            run_witnessing(home, config, clock, _stop_event())

        return witness
    from memcon.service.office import run_office

    def office(home: Home, config: Config, handover: Handover) -> None:
        give_way()
        run_office(home, config, clock, follow_supervisor(handover))

    return office


def give_way() -> None:
    """Let this process and its session have the processors after all others of the recorder."""
    os.nice(OFFICE_NICE)
    with contextlib.suppress(OSError):  # a kernel or container without it
        AUTOGROUP.write_text(str(OFFICE_NICE))


def follow_supervisor(handover: Handover) -> Callable[[], None]:
    """End like at a SIGTERM when the supervisor is gone; returns what says that we are at work."""

    def watch(sock: socket.socket) -> None:
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        while not handover.gone():
            poll.poll()
        os.kill(os.getpid(), signal.SIGTERM)

    if handover.sock is not None:
        handover.sock.setblocking(False)
        threading.Thread(target=watch, args=(handover.sock,), name="supervisor", daemon=True).start()
    return handover.alive


def _stop_event() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def main(argv: list[str] | None = None) -> int:
    """Run one role until told to stop; returns the exit code."""
    parser = argparse.ArgumentParser(prog="memcon.service.worker")
    parser.add_argument("role", choices=("capture", "seal", "witness", "office"))
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--supervisor", type=int, metavar="FD", help="What connects us with it")
    args = parser.parse_args(argv)
    handover = Handover(None if args.supervisor is None else socket.socket(fileno=args.supervisor))
    try:
        run = _load(args.role)
        if args.role == "capture":
            handover.wait()  # with all that it needs loaded
        config = configuration.load(Home(args.home).config)
        home = Home(args.home, journal_fallback=config.journal_fallback)
        with alone(home, args.role):
            run(home, config, handover)
    except MemconError as error:
        sys.stderr.write(f"memcon {args.role}: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
