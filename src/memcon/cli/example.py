"""`memcon example`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from memcon.cli.common import emit, home_option, json_option, out, reports_errors
from memcon.cli.dossier import desk_of
from memcon.service.example import install
from memcon.service.followed import FollowedDesk

if TYPE_CHECKING:
    from memcon.store.paths import Home


@click.group("example")
def command() -> None:
    """Install examples to look at."""


@command.command("dossier")
@click.option("--call", type=click.IntRange(1), help="Hang it on a recorded call")
@home_option
@json_option
@reports_errors
def dossier(home: Home, call: int | None, as_json: bool) -> None:
    """Write the dossier of the call of 28 January 2017, from published facts."""
    with desk_of(home) as desk:
        made = install(desk, call=call, foreign=FollowedDesk(desk).write)
    if as_json:
        emit({"dossier": made})
        return
    out().print(f"Dossier {made} is written; the next beat of memcon serve seals it.", markup=False)
