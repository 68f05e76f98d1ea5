"""`memcon load`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from memcon.cli.common import EXIT_FOUND, emit, home_option, json_option, load_config, reports_errors
from memcon.client.load import run_load
from memcon.client.load_plan import LoadPlan, read_sent, words
from memcon.clock import SystemClock
from memcon.errors import UsageError
from memcon.service.archive import Archive
from memcon.service.load_check import check_load
from memcon.store.durable import read_bytes
from memcon.store.paths import Home
from memcon.wire.sdes import SUITES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memcon.client.load_plan import CallSent, LoadProgress, LoadReport
    from memcon.service.load_check import LoadCheck

DEFAULT = LoadPlan("")
CHANCE = click.FloatRange(0, 1)
SUITE = "AES_CM_128_HMAC_SHA1_80"


def _bars(*, disable: bool) -> Progress:
    """On standard error: standard output is the report's."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[what]}"), TimeElapsedColumn(),
        console=Console(stderr=True), transient=True, disable=disable,
    )  # fmt: skip


def _run(plan: LoadPlan, *, quiet: bool) -> LoadReport:
    with _bars(disable=quiet) as bars:
        task = bars.add_task("calls", total=plan.calls, what="")

        def show(stands: LoadProgress) -> None:
            what = f"{stands.begun} begun, {stands.up} up, {stands.over} over, {stands.sent} packets"
            # half of a call's way is done when it begins, so that the bar moves from the start
            bars.update(task, completed=(stands.begun + stands.over) / 2, what=what)

        return asyncio.run(run_load(plan, progress=show))


def _check(home: Home, calls: Iterable[CallSent], *, quiet: bool) -> LoadCheck:
    clock = SystemClock()
    with _bars(disable=quiet) as bars:
        task = bars.add_task("checking", total=None, what="")

        def show(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total, what=f"{done} of {total} calls")

        return check_load(Archive(home, load_config(home), clock), calls, clock, progress=show)


@click.group("load", invoke_without_command=True)
@click.option("--to", "target", metavar="ADDRESS", help="udp://HOST:PORT or tcp://HOST:PORT")
@click.option("--calls", type=int, default=DEFAULT.calls, show_default=True)
@click.option("--seconds", type=float, default=DEFAULT.seconds, show_default=True, help="Length of each call")
@click.option("--rate", "ramp", type=float, default=DEFAULT.ramp, show_default=True,
              help="Calls begun a second")  # fmt: skip
@click.option("--streams", type=int, default=DEFAULT.streams, show_default=True, help="Streams a call")
@click.option("--srtp", type=click.Choice(list(SUITES)), is_flag=False, flag_value=SUITE,
              metavar="[SUITE]", help=f"SRTP, keyed in the offer; without a suite {SUITE}")  # fmt: skip
@click.option("--loss", "lose", type=CHANCE, default=0.0, help="Probability that a packet is left out")
@click.option("--duplicate", "repeat", type=CHANCE, default=0.0, help="Probability that it is sent twice")
@click.option("--reorder", type=CHANCE, default=0.0, help="Probability that it leaves 20 ms late")
@click.option("--jitter", "jitter_ms", type=float, default=0.0, metavar="MS",
              help="Each packet leaves up to so much late; over 20 ms they change places")  # fmt: skip
@click.option("--seed", type=int, default=DEFAULT.seed, show_default=True, help="Of these chances")
@click.option("--sockets", type=int, default=DEFAULT.sockets, show_default=True, help="To send media from")
@click.option("--connections", type=int, default=DEFAULT.connections, show_default=True, help="SIP sockets")
@click.option("--answer-seconds", type=float, default=DEFAULT.answer_seconds, show_default=True,
              help="How long an answer is waited for")  # fmt: skip
@click.option("--home", "where", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="The recorder's home: afterwards account for every packet there")  # fmt: skip
@json_option
@click.pass_context
@reports_errors
def command(
    context: click.Context,
    /,
    target: str | None,
    where: Path | None,
    as_json: bool,
    srtp: str | None,
    **plan: object,
) -> None:
    """Place many recorded calls at once: real SIP for each, paced RTP for all, every packet counted.

    With --home, or with `memcon load check` on what --json has printed: see whether every packet that was
    sent is in a recording or in a declared loss, and whether all of it verifies.
    """
    if context.invoked_subcommand is not None:
        return
    if target is None:
        raise UsageError("nobody to call", cure="Give --to udp://HOST:PORT")
    asked = LoadPlan(target, srtp=srtp or "", **plan)  # type: ignore[arg-type]  # click has read each
    report = _run(asked, quiet=as_json)
    checked = None if where is None else _check(Home(where.absolute()), report.calls, quiet=as_json)
    if as_json:
        emit(report.summary() | ({} if checked is None else {"check": checked.to_json()}))
    else:
        click.echo(words(report))
        if checked is not None:
            click.echo(checked.words())
    if not report.good or (checked is not None and not checked.good):
        sys.exit(EXIT_FOUND)


@command.command("check")
@click.argument("sent", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="SENT")
@home_option
@json_option
@reports_errors
def check(sent: Path, home: Home, as_json: bool) -> None:
    """Account for every packet of a load: SENT is what `memcon load --json` has printed.

    Exit code 1 where a packet is in no recording and in no declared loss, a call is not there, or one does
    not verify.
    """
    found = _check(home, read_sent(read_bytes(sent)), quiet=as_json)
    if as_json:
        emit(found.to_json())
    else:
        click.echo(found.words())
    if not found.good:
        sys.exit(EXIT_FOUND)
