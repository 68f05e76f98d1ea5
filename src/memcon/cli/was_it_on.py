"""`memcon was-it-on`."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from memcon.cli.common import emit, json_option, log_argument, out, reports_errors
from memcon.verify import times
from memcon.verify.ask_main import question
from memcon.verify.asking import Asker, cache_directory
from memcon.verify.attest import Demand
from memcon.verify.was_it_on import to_json, to_text
from memcon.witness.keys import check_quickly


@click.command("was-it-on")
@log_argument
@click.argument("since", metavar="FROM")
@click.argument("until", metavar="[TO]", required=False)
@click.option(
    "--policy",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A tlog-policy: whose witnesses count for you [the log's own, which only informs]",
)
@click.option("--zone", default="UTC", show_default=True, help="Of times without an offset, as Europe/Vienna")
@click.option("--offline", is_flag=True, help="Answer from what was read before alone")
@click.option("--no-cache", is_flag=True, help="Keep nothing of what is read")
@click.option("--max-period", default=60, show_default=True, help="Accept no longer slots (s)")
@click.option("--max-b", default=6, show_default=True, help="Accept no older notes (periods)")
@click.option("--max-g", default=3, show_default=True, help="Accept no longer grace (periods)")
@json_option
@reports_errors
def command(
    log: str,
    since: str,
    until: str | None,
    policy: Path | None,
    zone: str,
    offline: bool,
    no_cache: bool,
    max_period: int,
    max_b: int,
    max_g: int,
    as_json: bool,
) -> None:
    """Was it on? One sentence, the evidence, and what that does not prove.

    LOG or MIRROR is a directory or an http(s) address; FROM and TO are ISO 8601 (or 09:00,
    yesterday, "90 min ago", @ and POSIX seconds), TO not included; without TO, the slot that FROM
    falls into. What was read is kept in $MEMCON_CACHE, so that the next question reads only what is
    new.

    Exit code: 0 attested recording, 10 degraded, 11 partly off, 12 declared off, 13 unknown, 14 early,
    15 late, 16 withheld, 17 silent; 1 the log contradicts itself, 2 no answer could be given.
    """  # fmt: skip
    where = times.zone(zone)
    asked = question(since, until, where)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        transient=True,
        console=Console(stderr=True),
        disable=as_json,
    ) as bars:
        task = bars.add_task("reading", total=None)
        asker = Asker(
            log,
            None if policy is None else policy.read_bytes(),
            cache=None if no_cache else cache_directory(),
            demand=Demand(max_period * 1000, max_b, max_g),
            check=check_quickly,
            progress=lambda done, total: bars.update(task, completed=done, total=total),
        )
        reply = asker.ask(asked, offline=offline)
    if as_json:
        emit(to_json(reply, where))
    else:
        out().print(to_text(reply, where), markup=False, end="")
    sys.exit(reply.exit_code)
