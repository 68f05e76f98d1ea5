"""`memcon on`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from memcon.cli.common import home_option, json_option, reports_errors
from memcon.cli.switching import by_option, how, run, wait_option
from memcon.store.switch import ON, Asked

if TYPE_CHECKING:
    from memcon.store.paths import Home


@click.command("on")
@click.option("--line", "lines", multiple=True, metavar="NAME", help="A line; without any, everything")
@by_option
@click.option("--reason", default="switched on again", show_default=True, metavar="TEXT", help="Why")
@wait_option
@home_option
@json_option
@reports_errors
def command(
    home: Home, lines: tuple[str, ...], by: str, reason: str, wait: float | None, as_json: bool
) -> None:
    """Switch recording on again; the next beat says who did."""
    run(home, Asked(ON, by, how(), reason, lines), wait, as_json)
