"""What every command shares: the home, the two ways of reporting, errors and exit codes.

Exit codes: 0 done, 1 something was found (a verification's findings), 2 it could not be done: the
message says what happened and, where we know it, the cure.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import click
from rich.console import Console

from memcon.errors import MachineError, MemconError, UsageError
from memcon.service import config as configuration
from memcon.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
HOME_VARIABLE = "MEMCON_HOME"
EXIT_FOUND = 1
EXIT_FAILED = 2


def default_home() -> Path:
    """`$MEMCON_HOME`, or `~/.local/share/memcon`."""
    return Path(os.environ.get(HOME_VARIABLE) or Path.home() / ".local/share/memcon")


def out() -> Console:
    """The terminal for people: no colour where there is none, no wrapping of paths and commands."""
    return Console(highlight=False, soft_wrap=True)


def emit(value: object) -> None:
    """A report as JSON on standard output, one document."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def home_option(command: Callable[P, Any]) -> Callable[P, Any]:
    """`--home DIR`, handed to the command as a `Home`."""

    def read(_ctx: click.Context, _param: click.Parameter, value: Path | None) -> Home:
        return Home((value or default_home()).expanduser().absolute())

    return click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        callback=read,
        metavar="DIR",
        help="The recorder's home directory [default: $MEMCON_HOME, else ~/.local/share/memcon]",
    )(command)


json_option = click.option("--json", "as_json", is_flag=True, help="Report as JSON (shapes: docs/CLI.md)")


def _log_of(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    """A recorder's home stands for its log."""
    home = Home(Path(value))
    return str(home.log) if home.config.is_file() else value


def log_argument(command: Callable[P, Any]) -> Callable[P, Any]:
    """LOG: a log's or a mirror's directory, a home on this machine, or an http(s) address."""
    return click.argument("log", metavar="LOG|MIRROR", callback=_log_of)(command)


def page_options(command: Callable[P, Any]) -> Callable[P, Any]:
    """`--page` and `--size` of what is listed by pages."""
    page = click.option("--page", type=click.IntRange(1), default=1, show_default=True)
    return page(click.option("--size", type=click.IntRange(1, 500), default=25, show_default=True)(command))


def reports_errors(command: Callable[P, Any]) -> Callable[P, Any]:
    """Turn a MemconError into one line on standard error and exit code 2."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> Any:  # noqa: ANN401  # whatever it gives back
        try:
            return command(*args, **kwargs)
        except MemconError as error:
            click.echo(f"memcon: {error}", err=True)
            sys.exit(EXIT_FAILED)
        except BrokenPipeError:  # the reader of a pipe went away, as `memcon calls | head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)

    return run


def load_config(home: Home) -> configuration.Config:
    """The home's configuration; UsageError where there is no recorder."""
    return configuration.load(home.config)


def write_text(target: Path, text: str) -> None:
    """Write a file that somebody asked for; MachineError where it cannot be written."""
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        cure = "Give a file that can be written"
        raise MachineError(f"writing {target}: {error.strerror}", cure=cure) from error


def call_number(text: str) -> int:
    """A call as a person names it: `7`, or `2026-11-24/0007` as in the register; `T061` (taken in) is -61."""
    number = text.rpartition("/")[2]
    taken = number[1:] if number[:1] in ("T", "t") else ""
    if taken.isascii() and taken.isdigit() and int(taken) > 0:
        return -int(taken)
    if not number.isascii() or not number.isdigit() or int(number) == 0:
        raise UsageError(
            f"{text!r} is no call", cure="Name one as 7, 2026-11-24/0007 or T061: memcon calls lists them"
        )
    return int(number)


def clock_text(ns: int) -> str:
    """A length in nanoseconds as 1:02:03 or 2:03."""
    seconds = ns // 1_000_000_000
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
