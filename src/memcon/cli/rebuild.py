"""`memcon rebuild`."""

from __future__ import annotations

from contextlib import closing

import click
from rich.progress import Progress, TextColumn

from memcon.catalogue.catalogue import Catalogue
from memcon.cli.common import emit, home_option, json_option, load_config, out, reports_errors
from memcon.clock import SystemClock
from memcon.service.archive import Archive
from memcon.service.rebuilding import rebuild_catalogue
from memcon.store.paths import Home


@click.command("rebuild")
@home_option
@json_option
@reports_errors
def command(home: Home, as_json: bool) -> None:
    """Make the catalogue again from vault and log, and the custodian's key where it is here."""
    config = load_config(home)
    home = Home(home.root, config.vault_path)
    with (
        closing(Catalogue(home.catalogue)) as catalogue,
        Progress(TextColumn("{task.completed} calls read"), transient=True, disable=as_json) as bars,
    ):
        task = bars.add_task("calls", total=None)
        archive = Archive(home, config, SystemClock())
        done = rebuild_catalogue(home, config, catalogue, archive, lambda n: bars.update(task, completed=n))
    if as_json:
        emit(
            {
                "calls": done.calls,
                "unopened": done.unopened,
                "beats": done.beats,
                "taken_in": done.taken,
                "documents": done.documents,
                "problems": list(done.problems),
            }
        )
        return
    console = out()
    console.print(f"Indexed {done.calls:,} calls and {done.beats:,} beats.")
    if done.taken:
        console.print(f"Indexed {done.taken:,} calls taken in from files.")
    if done.documents:
        console.print(f"Indexed the words of {done.documents:,} documents.")
    if done.unopened:
        console.print(f"{done.unopened:,} calls could not be opened here: by structure alone, no parties.")
    for problem in done.problems:
        console.print(f"Not indexed: {problem}", markup=False)
