"""`memcon demo`."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from memcon.cli.common import load_config, out, reports_errors
from memcon.cli.dossier import desk_of
from memcon.cli.user import link_url, users_of
from memcon.clock import SystemClock
from memcon.errors import MachineError
from memcon.service.chaos import run_chaos, say_outcome
from memcon.service.config import template
from memcon.service.demo import free_port, free_sip_port, run_demo
from memcon.service.example import install
from memcon.service.followed import FollowedDesk
from memcon.service.overseers import Overseers, make_overseers
from memcon.service.setup import init_home
from memcon.service.supervisor import only_one
from memcon.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from memcon.service.config import Config

USER = "demo"


def _chaos(home: Home, config: Config, calls: int) -> None:
    """Raises MachineError where anything is lost that is not declared, or does not verify."""
    console = out()

    def say(text: str) -> None:
        console.print(text, markup=False)

    outcome = run_chaos(home, config, SystemClock(), say, calls=calls)
    say_outcome(outcome, say)
    if not outcome.good:
        raise MachineError("something was lost that nothing declares", cure="The lines above say what")


@contextlib.contextmanager
def company_of(home: Home, config: Config, say: Callable[[str], None]) -> Iterator[Overseers | None]:
    """The demonstration's witnesses, where its home has some, running meanwhile."""
    if config.witness_policy is None:
        yield None
        return
    with (home.root / "witnesses.log").open("wb") as log:
        overseers = Overseers(home, config, SystemClock(), say, log)
        try:
            yield overseers
        finally:
            overseers.stop()


@click.command("demo")
@click.option("--once", is_flag=True, help="Stop when it is shown, instead of leaving the console running")
@click.option("--home", "where", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="Keep what it makes there [default: a temporary directory]")  # fmt: skip
@click.option("--chaos", is_flag=True, help="Kill each of its processes in turn, in the middle of calls")
@click.option("--calls", type=click.IntRange(1, 200), default=5, show_default=True, metavar="N",
              help="With --chaos: how many calls")  # fmt: skip
@reports_errors
def command(once: bool, where: Path | None, chaos: bool, calls: int) -> None:
    """Place a real call and watch it being recorded, sealed, checked and played.

    With --chaos: watch what it costs to kill the recorder's processes, how it is declared, and that
    everything verifies.
    """
    console = out()
    clock = SystemClock()
    say = lambda text: console.print(text, markup=False)  # noqa: E731  # one use, one line
    unseen = once or chaos  # nobody calls it from outside: ports that others do not ask for
    root = where.expanduser().absolute() if where else Path(tempfile.mkdtemp(prefix="memcon-demo-"))
    home = Home(root)
    try:
        if not home.config.exists():
            text = template(
                "demo.memcon.example/recorder",
                period=1,
                sip_port=free_sip_port(0 if unseen else 5060),
                console_port=free_port(socket.SOCK_STREAM, 0 if unseen else 8080),
                ports="30000-30999",
            )
            made = init_home(home, text, clock)
            if not chaos:
                make_overseers(home, made)
            users_of(home).add(USER, "operator")
            console.print(f"Made a recorder in {root}, one beat a second.")
            with desk_of(home) as desk:
                id_ = install(desk, foreign=FollowedDesk(desk).write)
            console.print(f"Wrote the example dossier {id_}, of a call that nobody recorded: under Dossiers.")
        config = load_config(home)
        if chaos:
            _chaos(home, config, calls)
            return
        done = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: done.set())
        with only_one(home), company_of(home, config, say) as company:
            link = lambda: link_url(config, users_of(home).new_link(USER))  # noqa: E731  # one use, one line
            for url in run_demo(home, config, clock, say, link, company):
                if once:
                    console.print("Without --once the console would go on running, with the call to hear.")
                    continue
                console.print(f"Hear and see it: {url}  (works once, for 15 minutes; Ctrl-C ends it)")
                try:
                    while not done.wait(0.5):
                        pass
                except KeyboardInterrupt:
                    console.print("")
    finally:
        if where is None:
            shutil.rmtree(root, ignore_errors=True)
            shutil.rmtree(home.run, ignore_errors=True)
    if where is not None:
        console.print(f"Everything is in {root}: memcon calls --home {root}")
