"""`memcon verify`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from memcon.cli.common import emit, home_option, json_option, load_config, out, reports_errors
from memcon.errors import UsageError
from memcon.service.checks import check_target, verify_home
from memcon.store.paths import Home
from memcon.verify.keys import trust
from memcon.verify.words import to_text

if TYPE_CHECKING:
    from memcon.verify.findings import Report


@click.command("verify")
@click.argument("target", required=False)
@click.option("--key", "keys", multiple=True, metavar="VKEY", help="The log's public key; may be given twice")
@click.option(
    "--policy", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A tlog-policy file"
)
@click.option("--audio", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="Write the audio of the verified blocks (G.711 and L16)")  # fmt: skip
@click.option("--seen", "seen", multiple=True, metavar="FILE",
              type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A checkpoint that you kept from before: the log must still contain it")  # fmt: skip
@click.option("--roots", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="Root certificates (PEM) of time-stamping authorities, for a log")  # fmt: skip
@home_option
@json_option
@reports_errors
def command(
    home: Home,
    target: str | None,
    keys: tuple[str, ...],
    policy: Path | None,
    audio: Path | None,
    seen: tuple[Path, ...],
    roots: Path | None,
    as_json: bool,
) -> None:
    """Check a log (directory or address), a bundle, a vault object; without TARGET, all kept here.

    Exit code: 0 nothing found, 1 findings, 2 it could not be checked, 3 nothing found but with a limit (no
    key was given).
    """
    kept = [(str(path), path.read_bytes()) for path in seen]
    trusted = trust(keys, policy.read_bytes() if policy else None)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), transient=True, disable=as_json
    ) as bars:
        task = bars.add_task("checking", total=None)

        def progress(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        if target is None:
            if audio is not None:
                raise UsageError("--audio needs a bundle", cure="Give the bundle's file as TARGET")
            config = load_config(home)
            reports = verify_home(Home(home.root, config.vault_path), config, trusted, progress, seen=kept)
        else:
            pem = None if roots is None else roots.read_bytes()
            reports = [check_target(target, trusted, seen=kept, audio_to=audio, progress=progress, roots=pem)]
    say(reports, as_json)
    sys.exit(worst([report.exit_code for report in reports]))


def worst(codes: list[int]) -> int:
    """One exit code for several reports: findings before limits before nothing."""
    return next((code for code in (1, 3) if code in codes), 0)


def say(reports: list[Report], as_json: bool) -> None:
    """Print reports, one JSON document or as text."""
    if as_json:
        documents = [report.to_json() for report in reports]
        emit(documents[0] if len(documents) == 1 else documents)
        return
    for report in reports:
        out().print(to_text(report), markup=False)
