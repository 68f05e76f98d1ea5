"""`memcon dossier fetch`: a source from an address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from memcon.accounts.bodies import COMPLETENESS
from memcon.accounts.fetching import Fetcher
from memcon.cli.calls import catalogue_of
from memcon.cli.common import home_option, json_option, reports_errors
from memcon.cli.dossier_telling import by_option, tell_sources
from memcon.clock import SystemClock
from memcon.service.dossiers import open_desk

if TYPE_CHECKING:
    from memcon.store.paths import Home


@click.command("fetch")
@click.argument("dossier")
@click.argument("address")
@click.option("--side", default="", help="Whose account it is: A, B, ...")
@click.option("--readout", is_flag=True, help="It is that side's readout of the call")
@click.option("--publisher", default="")
@click.option("--licence", default="")
@click.option("--completeness", type=click.Choice(COMPLETENESS), default="unknown", show_default=True)
@click.option("--note", default="")
@click.option("--inside", is_flag=True, help="Addresses of this machine and its network may be asked")
@by_option
@home_option
@json_option
@reports_errors
def fetch(
    home: Home,
    dossier: str,
    address: str,
    by: str,
    inside: bool,
    as_json: bool,
    **facts: Any,  # noqa: ANN401  # the options above
) -> None:
    """Fetch a page or a feed, once, and take it in with request and answer; again later is a new version."""
    clock = SystemClock()
    with catalogue_of(home) as catalogue:
        desk = open_desk(home, clock, catalogue)
        desk.read(dossier)  # before anything is asked of anybody
        made = desk.add_source(dossier, by, Fetcher(clock, inside=inside).fetch(address), facts)
    tell_sources(made, dossier, as_json=as_json)
