"""`memcon explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from memcon.cli.common import home_option, json_option, load_config, reports_errors
from memcon.cli.switching import by_option, how, reason_option, run, wait_option
from memcon.store.switch import EXPLANATION, Asked
from memcon.verify import times
from memcon.verify.ask_main import question

if TYPE_CHECKING:
    from memcon.store.paths import Home


@click.command("explain")
@click.argument("since", metavar="FROM")
@click.argument("until", metavar="TO")
@by_option
@reason_option
@click.option("--zone", default="UTC", show_default=True, help="Of times without an offset")
@wait_option
@home_option
@json_option
@reports_errors
def command(
    home: Home, since: str, until: str, by: str, reason: str, zone: str, wait: float | None, as_json: bool
) -> None:
    """Say afterwards why the recorder was silent: your word, beside the answer, never in its place."""
    asked = question(since, until, times.zone(zone))
    period = load_config(home).period * 1000
    first, last = asked.since // period, -(-asked.until // period) - 1
    run(home, Asked(EXPLANATION, by, how(), reason, first=first, last=last), wait, as_json)
