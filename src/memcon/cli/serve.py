"""`memcon serve`."""

from __future__ import annotations

import signal
import sys
import threading
from typing import TYPE_CHECKING

import click

from memcon.cli.common import home_option, load_config, out, reports_errors
from memcon.clock import NS, SystemClock
from memcon.errors import MachineError
from memcon.seal.held import unlock_here
from memcon.service.setup import check_terms
from memcon.service.supervisor import HOLDS, Supervisor, only_one
from memcon.service.systemd import Manager
from memcon.service.witnessing import read_policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from memcon.clock import Clock
    from memcon.store.paths import Home

READY_SECONDS = 60
LOOK_SECONDS = 0.25


@click.command("serve")
@home_option
@click.option("--reason", default="stopped from the command line", help="Why it is stopped, when it is")
@reports_errors
def command(home: Home, reason: str) -> None:
    """Record, seal, keep and show until stopped (Ctrl-C: a stop in your name, on the record)."""
    config = load_config(home)
    check_terms(home, config)
    if config.witness_policy is not None:
        read_policy(config.witness_policy, home, config)
    console = out()
    clock = SystemClock()
    manager = Manager(clock)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    def say(text: str) -> None:
        console.print(f"memcon: {text}")

    with only_one(home):
        supervisor = Supervisor(home, clock, say=say)
        unlock_here(home)  # before capture looks for calls to go on with
        supervisor.start()
        try:
            wait_ready(supervisor, clock, stop, say)
            for end in config.sip_listen:
                host = f"[{end.host}]" if ":" in end.host else end.host
                console.print(f"SIP      {end.transport}://{host}:{end.port}")
            console.print(f"Console  {config.console_address}/")
            console.print(f"Log      {config.origin}, one beat every {config.period} s")
            if config.witness_policy is not None:
                console.print(f"Policy   {config.witness_policy}", markup=False)
            doing = "Recording" if config.sip_listen else "Sealing what is written, recording nothing"
            console.print(f"{doing}. Ctrl-C stops it, in your name, on the record.")
            sys.stdout.flush()
            manager.ready()
            while not stop.wait(LOOK_SECONDS):
                supervisor.watch()
                if supervisor.at_work():
                    manager.alive()
        finally:
            manager.stopping()
            clean = supervisor.stop(reason)
    console.print(
        "Stopped: the last beat says who stopped it." if clean else "Stopped, not cleanly: see above."
    )


def wait_ready(
    supervisor: Supervisor, clock: Clock, stop: threading.Event, say: Callable[[str], None]
) -> None:
    """Wait until every worker is up; for a minute. Raises MachineError when capture is not by then.

    With capture up, calls are being recorded: then another that a busy machine has kept from starting is
    told, and waited for no more. To give up would end the calls.
    """
    until = clock.monotonic_ns() + READY_SECONDS * NS
    while late := supervisor.late():
        if stop.wait(LOOK_SECONDS):
            return
        if clock.monotonic_ns() > until:
            if HOLDS in late:
                text = f"memcon was not up within {READY_SECONDS} s"
                raise MachineError(text, cure="The lines above say why")
            say(f"{' and '.join(late)} not up within {READY_SECONDS} s; recording goes on")
            return
        supervisor.watch()
