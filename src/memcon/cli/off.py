"""`memcon off`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from memcon.cli.common import home_option, json_option, reports_errors
from memcon.cli.switching import by_option, how, reason_option, run, wait_option
from memcon.errors import UsageError
from memcon.store.switch import OFF, Asked

if TYPE_CHECKING:
    from memcon.store.paths import Home


@click.command("off")
@click.option("--line", "lines", multiple=True, metavar="NAME", help="A line; may be given twice")
@click.option("--all", "everything", is_flag=True, help="The whole recorder")
@by_option
@reason_option
@wait_option
@home_option
@json_option
@reports_errors
def command(
    home: Home,
    lines: tuple[str, ...],
    everything: bool,
    by: str,
    reason: str,
    wait: float | None,
    as_json: bool,
) -> None:
    """Switch recording off, on the record: by whom, why, which lines, in public before it takes effect.

    Calls are still answered and kept, without their audio. It stays off over restarts, until: memcon on.
    """
    if everything == bool(lines):
        raise UsageError("what is to be off is not clear", cure="Name lines with --line, or say --all")
    run(home, Asked(OFF, by, how(), reason, lines), wait, as_json)
