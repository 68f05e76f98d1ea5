"""`memcon export`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from memcon.cli.common import call_number, emit, home_option, json_option, load_config, out, reports_errors
from memcon.cli.taken import intakes_of
from memcon.clock import SystemClock
from memcon.errors import MachineError, UsageError
from memcon.service.archive import FORMATS, SUFFIX, Archive
from memcon.store.paths import Home

if TYPE_CHECKING:
    from memcon.console.deps import FileKind


@click.command("export")
@click.argument("call")
@click.option("--format", "kind", type=click.Choice([*FORMATS, "original"]), default="wav", show_default=True)
@click.option("--to", type=click.Path(path_type=Path), help="File or directory [default: here, call-NUMBER]")
@click.option("--force", is_flag=True, help="Replace a file that is there")
@home_option
@json_option
@reports_errors
def command(home: Home, call: str, kind: str, to: Path | None, force: bool, as_json: bool) -> None:
    """Take a call away: audio, packets, or the bundle that a stranger can check."""
    number = call_number(call)
    name = f"call-T{-number:03d}" if number < 0 else f"call-{number}"
    target = to or Path.cwd()
    if target.is_dir():
        target = target / f"{name}{SUFFIX[kind]}"
    if target.exists() and not force:
        raise UsageError(f"{target} is there already", cure="Give another --to, or --force")
    made = _made(home, number, cast("FileKind", kind))
    try:
        shutil.copyfile(made, target)
    except OSError as error:
        raise MachineError(
            f"writing {target}: {error.strerror}", cure="Give a --to that can be written"
        ) from error
    size = target.stat().st_size
    if as_json:
        emit({"call": number, "format": kind, "path": str(target), "bytes": size})
    else:
        out().print(f"Wrote {target} ({size:,} bytes).", markup=False)


def _made(home: Home, number: int, kind: FileKind) -> Path:
    if number < 0:
        with intakes_of(home) as intakes:
            return intakes.export(-number, kind)
    config = load_config(home)
    return Archive(Home(home.root, config.vault_path), config, SystemClock()).export(number, kind)
