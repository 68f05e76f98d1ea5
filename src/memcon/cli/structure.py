"""`memcon structure`."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from memcon.cli.common import emit, home_option, json_option, load_config, out, reports_errors
from memcon.errors import UsageError
from memcon.record.structure import OPENED_SUFFIX, SEALED_SUFFIX
from memcon.seal.keys import load_keys, read_secret
from memcon.service.structure import (
    SLOTS_PER_FILE,
    StructureFeed,
    make_overseer,
    open_files,
    read_overseer,
)
from memcon.store.durable import make_dirs, write_file
from memcon.verify import times
from memcon.verify.keys import trust
from memcon.verify.structure import structure_files, verify_structure
from memcon.verify.words import to_text

if TYPE_CHECKING:
    from memcon.store.paths import Home

FOLLOW_SECONDS = 1.0
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_PATH = click.Path(exists=True, path_type=Path)
_DIR = click.Path(file_okay=False, path_type=Path)
seed_option = click.option(
    "--overseer-key", "seed", type=_FILE, help="The overseer's private key, from memcon structure key"
)


@click.group("structure")
def command() -> None:
    """Lanes, numbers, counts and chains of every slot, without content, for an overseer."""


@command.command("key")
@click.argument("name")
@click.option("--to", type=_DIR, default=Path(), help="Where to [here]")
@json_option
@reports_errors
def key(name: str, to: Path, as_json: bool) -> None:
    """Make an overseer's keys: NAME.overseer.json for the operator, NAME.overseer.key for nobody else."""
    public, private = make_overseer(name, to)
    if as_json:
        emit({"public": str(public), "private": str(private)})
        return
    out().print(f"{public}: give it to the operator of the recorder.", markup=False)
    out().print(f"{private}: keep it; whoever has it reads the feed.", markup=False)


@command.command("export")
@click.option("--for", "overseer", required=True, type=_FILE, help="The overseer's public key file")
@click.option("--to", required=True, type=_DIR, help="The directory of the feed")
@click.option("--since", help="The first slot's time; with or without --until a stretch, not the feed")
@click.option("--until", help="The time of the first slot that is left out")
@click.option("--slots", default=SLOTS_PER_FILE, show_default=True, help="Beats to a file")
@click.option("--follow", is_flag=True, help="Go on, a file whenever its beats are in the log, until stopped")
@home_option
@json_option
@reports_errors
def export(
    home: Home, overseer: Path, to: Path, since: str | None, until: str | None, slots: int, follow: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Write the structure for an overseer, sealed to their key: all that is not in DIR yet, or a stretch."""
    load_config(home)
    feed = StructureFeed(home, load_keys(home.keys), read_overseer(overseer), to, slots=slots)
    if follow and (since or until or as_json):
        raise UsageError("--follow goes on for ever", cure="Leave out --since, --until and --json")
    if follow:
        _follow(feed)
    if since or until:
        ends = [None if text is None else times.parse(text) for text in (since, until)]
        made = feed.export(*feed.between(*ends))
    else:
        made = feed.advance(finish=True)
    if as_json:
        emit({"files": [str(path) for path in made]})
    else:
        _tell(made)
        if not made:
            out().print("Nothing new: the log has no beat beyond those in the feed.", markup=False)


def _follow(feed: StructureFeed) -> None:
    """Until SIGINT or SIGTERM, also where a shell starts it in the background and has SIGINT ignored."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    while not stop.is_set():
        _tell(feed.advance())
        stop.wait(FOLLOW_SECONDS)
    sys.exit(0)


def _tell(made: list[Path]) -> None:
    for path in made:
        out().print(f"Written: {path}", markup=False)


@command.command("open")
@click.argument("paths", nargs=-1, required=True, type=_PATH)
@seed_option
@click.option("--to", required=True, type=_DIR, help="Where the opened files go")
@json_option
@reports_errors
def open_(paths: tuple[Path, ...], seed: Path | None, to: Path, as_json: bool) -> None:
    """Open a feed's files (or directories of them), so that memcon-verify.pyz can check them."""
    make_dirs(to)
    made = []
    for name, data in open_files(structure_files(paths, (SEALED_SUFFIX,)), _seed(seed)):
        made.append((to / name).with_suffix(OPENED_SUFFIX))
        write_file(made[-1], data)
    if as_json:
        emit({"files": [str(path) for path in made]})
    else:
        _tell(made)


@command.command("check")
@click.argument("paths", nargs=-1, required=True, type=_PATH)
@click.option("--log", required=True, metavar="LOG", help="The log or a mirror: a directory or an address")
@seed_option
@click.option("--key", "keys", multiple=True, metavar="VKEY", help="The log's public key; may be given twice")
@click.option("--policy", type=_FILE, help="A tlog-policy with the log's keys, and witnesses")
@click.option("--seen", multiple=True, type=_FILE, help="A checkpoint of the log that you kept from before")
@json_option
@reports_errors
def check(
    paths: tuple[Path, ...], log: str, seed: Path | None, keys: tuple[str, ...], policy: Path | None,
    seen: tuple[Path, ...], as_json: bool,
) -> None:  # fmt: skip
    """Check a feed's files (or directories of them) against LOG: no call left out, none cut.

    Exit code: 0 nothing found, 1 findings, 2 it could not be checked, 3 nothing found but with a limit.
    """
    trusted = trust(keys, policy.read_bytes() if policy else None)
    files = structure_files(paths, (OPENED_SUFFIX, SEALED_SUFFIX))
    report = verify_structure(
        open_files(files, _seed(seed)),
        log,
        trusted,
        seen=[(str(path), path.read_bytes()) for path in seen],
        target=", ".join(str(path) for path in paths),
    )
    if as_json:
        emit(report.to_json())
    else:
        out().print(to_text(report), markup=False)
    sys.exit(report.exit_code)


def _seed(path: Path | None) -> bytes | None:
    return None if path is None else read_secret(path)
