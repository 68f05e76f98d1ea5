"""What `memcon off`, `memcon on` and `memcon explain` share."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from memcon.cli.common import EXIT_FOUND, emit, load_config, out
from memcon.clock import SystemClock
from memcon.service.switching import Switch
from memcon.store.switch import system_user

if TYPE_CHECKING:
    from memcon.store.paths import Home
    from memcon.store.switch import Asked

LOOK_SECONDS = 0.25

by_option = click.option("--by", required=True, metavar="NAME", help="The person who answers for it")
reason_option = click.option("--reason", required=True, metavar="TEXT", help="Why; it is public")
wait_option = click.option(
    "--wait", type=float, default=None, metavar="S", help="Wait so long for it to take effect [6 beats]"
)


def how() -> str:
    """Which way it came, and the system user behind it, seen through sudo."""
    return f"command line, system user {system_user()}"


def run(home: Home, asked: Asked, wait: float | None, as_json: bool) -> None:
    """Ask, wait, tell; exit code 1 where it has not taken effect."""
    config = load_config(home)
    switch = Switch(home, config, SystemClock())
    switch.ask(asked)
    seconds = 6.0 * config.period if wait is None else wait
    outcome = switch.wait(asked, seconds, lambda: time.sleep(LOOK_SECONDS))
    if as_json:
        emit(
            {
                "kind": asked.kind,
                "in_effect": outcome.in_effect,
                "leaf": outcome.leaf,
                "statement": outcome.statement or None,
                "witnessed": outcome.witnessed,
                "lines": list(asked.lines),
            }
        )
    else:
        out().print(outcome.sentence, markup=False)
    if not outcome.in_effect:
        sys.exit(EXIT_FOUND)
