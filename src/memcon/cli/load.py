"""`memcon load`."""

from __future__ import annotations

import asyncio
import sys

import click

from memcon.cli.common import EXIT_FOUND, emit, json_option, reports_errors
from memcon.client.load import LoadPlan, run_load, words

DEFAULT = LoadPlan("")
CHANCE = click.FloatRange(0, 1)


@click.command("load")
@click.option("--to", "target", required=True, metavar="ADDRESS", help="udp://HOST:PORT or tcp://HOST:PORT")
@click.option("--calls", type=int, default=DEFAULT.calls, show_default=True)
@click.option("--seconds", type=float, default=DEFAULT.seconds, show_default=True, help="Length of each call")
@click.option("--rate", "ramp", type=float, default=DEFAULT.ramp, show_default=True,
              help="Calls begun a second")  # fmt: skip
@click.option("--streams", type=int, default=DEFAULT.streams, show_default=True, help="Streams a call")
@click.option("--loss", "lose", type=CHANCE, default=0.0, help="Probability that a packet is left out")
@click.option("--duplicate", "repeat", type=CHANCE, default=0.0, help="Probability that it is sent twice")
@click.option("--reorder", type=CHANCE, default=0.0, help="Probability that it leaves 20 ms late")
@click.option("--seed", type=int, default=DEFAULT.seed, show_default=True, help="Of these chances")
@click.option("--sockets", type=int, default=DEFAULT.sockets, show_default=True, help="To send media from")
@click.option("--connections", type=int, default=DEFAULT.connections, show_default=True, help="SIP sockets")
@click.option("--answer-seconds", type=float, default=DEFAULT.answer_seconds, show_default=True,
              help="How long an answer is waited for")  # fmt: skip
@json_option
@reports_errors
def command(as_json: bool, **plan: object) -> None:
    """Place many recorded calls at once: real SIP for each, paced RTP for all, every packet counted."""
    report = asyncio.run(run_load(LoadPlan(**plan)))  # type: ignore[arg-type]  # click has read each
    if as_json:
        emit(report.summary())
    else:
        click.echo(words(report))
    if not report.good:
        sys.exit(EXIT_FOUND)
