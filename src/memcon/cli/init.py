"""`memcon init`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from memcon.cli.common import emit, home_option, json_option, out, reports_errors
from memcon.clock import SystemClock
from memcon.seal.keys import load_keys
from memcon.service.config import template
from memcon.service.setup import WARNING, default_origin, init_home

if TYPE_CHECKING:
    from memcon.store.paths import Home


@click.command("init")
@home_option
@click.option("--origin", help="The log's name: a host name you own, and a path if you like")
@click.option("--period", type=click.IntRange(1, 60), default=10, show_default=True,
              help="Seconds between beats, fixed for the life of the log")  # fmt: skip
@click.option("--sip-port", type=click.IntRange(1, 65535), default=5060, show_default=True)
@click.option("--no-lines", is_flag=True, help="Record nothing: seal what is written in dossiers")
@click.option("--console-port", type=click.IntRange(1, 65535), default=8080, show_default=True)
@click.option("--media-ports", default="20000-29999", show_default=True, metavar="FIRST-LAST")
@json_option
@reports_errors
def command(
    home: Home,
    origin: str | None,
    period: int,
    sip_port: int,
    no_lines: bool,
    console_port: int,
    media_ports: str,
    as_json: bool,
) -> None:
    """Make a recorder: keys, custodian, configuration, the first leaf of its log."""
    text = template(
        origin or default_origin(),
        period=period,
        sip_port=None if no_lines else sip_port,
        console_port=console_port,
        ports=media_ports,
    )
    config = init_home(home, text, SystemClock())
    vkeys = [str(key) for key in load_keys(home.keys).vkeys(config.origin)]
    if as_json:
        emit({"home": str(home.root), "origin": config.origin, "period": config.period, "keys": vkeys})
        return
    console = out()
    console.print(f"Made a recorder in {home.root}: log {config.origin}, one beat every {config.period} s.")
    console.print("Its public key, for everyone who wants to check it (Ed25519):")
    console.print(f"  {vkeys[0]}")
    console.print(WARNING)
    console.print(f"Next: memcon serve --home {home.root}")
