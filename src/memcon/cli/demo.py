"""`memcon demo`."""

from __future__ import annotations

import shutil
import signal
import socket
import tempfile
import threading
from pathlib import Path

import click

from memcon.cli.common import load_config, out, reports_errors
from memcon.cli.user import link_url, users_of
from memcon.clock import SystemClock
from memcon.service.config import template
from memcon.service.demo import free_port, free_sip_port, run_demo
from memcon.service.setup import init_home
from memcon.service.supervisor import only_one
from memcon.store.paths import Home

USER = "demo"


@click.command("demo")
@click.option("--once", is_flag=True, help="Stop when it is shown, instead of leaving the console running")
@click.option("--home", "where", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="Keep what it makes there [default: a temporary directory]")  # fmt: skip
@reports_errors
def command(once: bool, where: Path | None) -> None:
    """Place a real call and watch it being recorded, sealed, checked and played."""
    console = out()
    clock = SystemClock()
    root = where.expanduser().absolute() if where else Path(tempfile.mkdtemp(prefix="memcon-demo-"))
    home = Home(root)
    try:
        if not home.config.exists():
            text = template(
                "demo.memcon.example/recorder",
                period=1,
                sip_port=free_sip_port(),
                console_port=free_port(socket.SOCK_STREAM, 8080),
                ports="30000-30999",
            )
            init_home(home, text, clock)
            users_of(home).add(USER, "operator")
            console.print(f"Made a recorder in {root}, one beat a second.")
        config = load_config(home)
        done = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: done.set())
        with only_one(home):
            link = lambda: link_url(config, users_of(home).new_link(USER))  # noqa: E731  # one use, one line
            for url in run_demo(home, config, clock, lambda text: console.print(text, markup=False), link):
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
