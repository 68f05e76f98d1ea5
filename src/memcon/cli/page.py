"""`memcon page`."""

from __future__ import annotations

from pathlib import Path

import click

from memcon.cli.common import emit, json_option, log_argument, out, reports_errors
from memcon.clock import NS, SystemClock
from memcon.service.log_pages import write_page
from memcon.verify.asking import cache_directory
from memcon.witness.keys import check_quickly


@click.command("page")
@log_argument
@click.option(
    "--to",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="The directory that the page and all it needs are written to",
)
@click.option(
    "--policy",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A tlog-policy: whose witnesses count [the log's own, which only informs]",
)
@json_option
@reports_errors
def command(log: str, to: Path, policy: Path | None, as_json: bool) -> None:
    """Write the public page of LOG or MIRROR: was it on? Static files, for any web server."""
    now = SystemClock().wall_ns() // NS
    given = None if policy is None else policy.read_bytes()
    written = write_page(log, to, now, given, cache=cache_directory(), check=check_quickly)
    if as_json:
        emit({"page": str(written)})
    else:
        out().print(f"Written: {written}", markup=False)
