"""`memcon systemd`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from memcon.cli.common import home_option, load_config, reports_errors
from memcon.service.systemd import unit

if TYPE_CHECKING:
    from memcon.store.paths import Home


@click.command("systemd")
@home_option
@click.option("--user", default="memcon", show_default=True, help="The system user that it runs as")
@reports_errors
def command(home: Home, user: str) -> None:
    """Print the systemd unit of this recorder: least privileges, a watchdog, a stop in order."""
    click.echo(unit(home, load_config(home), user=user, memcon=Path(sys.argv[0]).absolute()), nl=False)
