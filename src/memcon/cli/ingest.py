"""`memcon ingest`."""

from __future__ import annotations

import getpass
import os
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from memcon.catalogue.catalogue import Catalogue
from memcon.cli.common import EXIT_FOUND, emit, home_option, json_option, load_config, out, reports_errors
from memcon.clock import SystemClock
from memcon.errors import UsageError
from memcon.intake.desk import Stated
from memcon.intake.refusals import RefusedError
from memcon.service.intakes import Intakes
from memcon.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from memcon.intake.desk import IntakeDesk


def files_in(paths: Sequence[Path]) -> list[tuple[Path, str]]:
    """(file, what it is called here) of files and all files below folders, in the order of their names.

    Hidden files and links are left out of folders. UsageError for what is not there.
    """
    found: list[tuple[Path, str]] = []
    for path in paths:
        if path.is_dir():
            below = sorted(_walk(path))
            found += [(file, str(file.relative_to(path.parent))) for file in below]
        elif path.exists():
            found.append((path, path.name))
        else:
            raise UsageError(f"{path} is not there")
    return found


def _walk(folder: Path) -> Iterator[Path]:
    for entry in os.scandir(folder):
        if entry.name.startswith(".") or entry.is_symlink():
            continue
        if entry.is_dir():
            yield from _walk(Path(entry.path))
        elif entry.is_file():
            yield Path(entry.path)


def default_by() -> str:
    """Who takes in where nobody is named: the login name."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "operator"


@click.command("ingest")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE|FOLDER...")
@click.option("--by", help="Who takes them in [default: your login name]")
@click.option("--start", default="", metavar="EDTF", help="When the call began, as you know it: 2017-01-28")
@click.option("--title", default="", help="What the call is called")
@click.option("--note", default="", help="Where the file came from, and what else is known")
@click.option(
    "--party", "parties", multiple=True, metavar="NAME", help="Somebody on the call; may be repeated"
)
@click.option("--speaker", "speakers", multiple=True, metavar="NAME",
              help="Who speaks on the first channel, the second, …")  # fmt: skip
@click.option("--damaged", is_flag=True, help="Take in what is corrupt or cut short too, and say so")
@home_option
@json_option
@reports_errors
def command(
    home: Home,
    files: tuple[Path, ...],
    by: str | None,
    start: str,
    title: str,
    note: str,
    parties: tuple[str, ...],
    speakers: tuple[str, ...],
    damaged: bool,
    as_json: bool,
) -> None:
    """Take calls in from files, sealed from now on: audio, video with sound, PCAP, vCon.

    What was taken in before is known by its digest and passed over: run it again to go on after a stop.

    Exit code: 0 all taken in or known, 1 some were refused, 2 it could not be done.
    """
    config = load_config(home)
    home = Home(home.root, config.vault_path)
    stated = Stated(start, title, note, parties, speakers)
    stated.check()
    batch = files_in(files)
    with closing(Catalogue(home.catalogue)) as catalogue:
        intakes = Intakes(home, config, SystemClock(), catalogue)
        try:
            intakes.catch_up()
            report = _take_all(
                intakes.desk(), batch, by or default_by(), stated, damaged=damaged, as_json=as_json
            )
        finally:
            intakes.close()
    if as_json:
        emit(report)
    else:
        _say(report)
    sys.exit(EXIT_FOUND if report["refused"] else 0)


def _take_all(
    desk: IntakeDesk,
    batch: Sequence[tuple[Path, str]],
    by: str,
    stated: Stated,
    *,
    damaged: bool,
    as_json: bool,
) -> dict[str, Any]:
    report: dict[str, Any] = {"taken": [], "known": [], "refused": []}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True, disable=as_json) as bars:
        task = bars.add_task("taking in", total=len(batch))
        for path, name in batch:
            bars.update(task, description=_short(name))
            try:
                taken = desk.take(path, by, stated, name=Path(name).name, damaged=damaged)
            except RefusedError as error:
                report["refused"].append(
                    {"file": str(path), "code": error.code, "text": error.text, "cure": error.cure}
                )
                if not as_json:
                    bars.console.print(
                        f"Not taken in: {path}: {error} ({error.code})", markup=False, soft_wrap=True
                    )
            else:
                shown = {"file": str(path), "call": f"T{taken.n:03d}", "number": -taken.n}
                if taken.intake is not None:
                    shown["remarks"] = taken.intake.found["remarks"]
                report["known" if taken.twin else "taken"].append(shown)
            bars.advance(task)
    return report


def _short(name: str) -> str:
    printable = "".join(char if char.isprintable() else "?" for char in name).replace("[", "(")
    return printable if len(printable) <= 40 else f"…{printable[-39:]}"


def _say(report: dict[str, Any]) -> None:
    for one in report["taken"]:
        out().print(f"Taken in as {one['call']}: {one['file']}", markup=False)
        for remark in one["remarks"]:
            out().print(f"  {remark['text']} ({remark['code']})", markup=False)
    taken, known, refused = (len(report[key]) for key in ("taken", "known", "refused"))
    parts = [f"{taken:,} taken in"]
    if known:
        parts.append(f"{known:,} known already")
    if refused:
        parts.append(f"{refused:,} refused")
    out().print(f"{', '.join(parts)}. What their seals prove begins now; nothing before that is proved.")
