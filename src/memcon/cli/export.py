"""`memcon export`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from memcon.cli.common import (
    call_number,
    emit,
    home_option,
    json_option,
    load_config,
    out,
    reports_errors,
    write_text,
)
from memcon.cli.taken import exporting_of, intakes_of
from memcon.clock import SystemClock
from memcon.errors import MachineError, UsageError
from memcon.service.archive import FORMATS, SUFFIX, Archive
from memcon.service.exporting import FORMATS as TEXTS
from memcon.service.exporting import SUFFIX as TEXT_SUFFIX
from memcon.store.paths import Home

if TYPE_CHECKING:
    from memcon.console.deps import FileKind


@click.command("export")
@click.argument("call")
@click.option(
    "--format", "kind", type=click.Choice([*FORMATS, "original", *TEXTS]), default="wav", show_default=True
)
@click.option("--to", type=click.Path(path_type=Path), help="File or directory [default: here, call-NUMBER]")
@click.option("--version", type=click.IntRange(1), help="The transcript's version [the current one]")
@click.option("--force", is_flag=True, help="Replace a file that is there")
@home_option
@json_option
@reports_errors
def command(
    home: Home, call: str, kind: str, to: Path | None, version: int | None, force: bool, as_json: bool
) -> None:
    """Take a call away: audio, packets, words, a vCon, or the bundle that a stranger can check."""
    number = call_number(call)
    name = f"call-T{-number:03d}" if number < 0 else f"call-{number}"
    target = to or Path.cwd()
    if target.is_dir():
        target = target / f"{name}{(SUFFIX | TEXT_SUFFIX)[kind]}"
    if target.exists() and not force:
        raise UsageError(f"{target} is there already", cure="Give another --to, or --force")
    if kind in TEXTS:
        with exporting_of(home) as exporting:
            write_text(target, exporting.make(number, kind, version))
    else:
        _copy(_made(home, number, cast("FileKind", kind)), target)
    size = target.stat().st_size
    if as_json:
        emit({"call": number, "format": kind, "path": str(target), "bytes": size})
    else:
        out().print(f"Wrote {target} ({size:,} bytes).", markup=False)


def _copy(made: Path, target: Path) -> None:
    try:
        shutil.copyfile(made, target)
    except OSError as error:
        raise MachineError(
            f"writing {target}: {error.strerror}", cure="Give a --to that can be written"
        ) from error


def _made(home: Home, number: int, kind: FileKind) -> Path:
    if number < 0:
        with intakes_of(home) as intakes:
            return intakes.export(-number, kind)
    config = load_config(home)
    return Archive(Home(home.root, config.vault_path), config, SystemClock()).export(number, kind)
