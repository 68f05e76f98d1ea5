"""`memcon unlock`."""

from __future__ import annotations

from pathlib import Path

import click

from memcon.cli.common import emit, home_option, json_option, load_config, out, reports_errors
from memcon.seal.held import ask_again, unlock
from memcon.seal.keys import read_secret
from memcon.service.supervisor import prepare_run
from memcon.store.paths import Home


@click.command("unlock")
@click.option(
    "--key",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A custodian's private key, 32 bytes [default: custody/local.key]",
)
@home_option
@json_option
@reports_errors
def command(home: Home, key: Path | None, as_json: bool) -> None:
    """After a reboot: give the recorder back the keys of what was not sealed yet."""
    config = load_config(home)
    home = Home(home.root, journal_fallback=config.journal_fallback)
    seed = read_secret(key or home.local_custodian)
    prepare_run(home)
    found = unlock(home, seed)
    ask_again(home)
    if as_json:
        emit({"journals": found.journals, "calls": found.calls, "locked": found.locked})
        return
    console = out()
    console.print(f"Unlocked: {len(found.journals)} journals, {len(found.calls)} calls.")
    for name in found.locked:
        console.print(f"  {name} needs another custodian.")
