"""`memcon silence`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from memcon.cli.common import EXIT_FOUND, emit, json_option, log_argument, out, reports_errors
from memcon.clock import NS, SystemClock, utc
from memcon.errors import UsageError
from memcon.store.durable import write_file
from memcon.tlog.policy import Policy
from memcon.verify.silence import verify_silence
from memcon.verify.sources import open_source
from memcon.verify.words import to_text
from memcon.witness.keys import quicken
from memcon.witness.prove import prove as make

if TYPE_CHECKING:
    from memcon.witness.prove import Proved

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
policy_option = click.option(
    "--policy", required=True, type=_FILE, help="Your tlog-policy: whose word counts"
)


@click.group("silence")
def command() -> None:
    """Prove that a log was silent, and check such a proof. No key of the log is needed."""


@command.command("prove")
@log_argument
@policy_option
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), help="The certificate's file")
@json_option
@reports_errors
def prove(log: str, policy: Path, to: Path | None, as_json: bool) -> None:
    """Have the witnesses of your policy say that LOG (a directory or address, or a mirror) has not grown.

    Exit code: 0 a certificate was made, 1 none (the log is not overdue, too few answered) or a conflict was
    found, 2 it could not be tried.
    """
    proved = make(open_source(log), quicken(Policy.parse(policy.read_bytes())))
    name = proved.origin.replace("/", "-")
    files: list[Path] = []
    if proved.certificate is not None:
        files.append(to or Path(f"{name}-{proved.time}.silence"))
        write_file(files[0], proved.certificate, 0o644)
    for n, conflict in enumerate(proved.conflicts, 1):
        files.append(Path(f"{name}-{proved.size}-{n}.conflict"))
        write_file(files[-1], conflict.encode(), 0o644)
    if as_json:
        emit(_document(proved, files))
    else:
        for line in _lines(proved, files):
            out().print(line, markup=False)
    if proved.certificate is None or proved.conflicts:
        sys.exit(EXIT_FOUND)


@command.command("check")
@click.argument("file", type=_FILE)
@policy_option
@json_option
@reports_errors
def check(file: Path, policy: Path, as_json: bool) -> None:
    """Check a certificate or a conflict, offline. Exit code: 0 it holds, 1 it does not (or convicts)."""
    if not file.stat().st_size:
        raise UsageError(f"{file} is empty")
    now = SystemClock().wall_ns() // NS
    report = verify_silence(file.read_bytes(), Policy.parse(policy.read_bytes()), str(file), now)
    if as_json:
        emit(report.to_json())
    else:
        out().print(to_text(report), markup=False)
    sys.exit(report.exit_code)


def _document(proved: Proved, files: list[Path]) -> dict[str, Any]:
    period = proved.period_ms * 1_000_000
    first, last = proved.covered or (None, None)
    return {
        "origin": proved.origin,
        "size": proved.size,
        "silent_at": None if proved.time is None else utc(proved.time * NS),
        "slots": None if proved.covered is None else list(proved.covered),
        "from": None if first is None else utc(first * period),
        "to": None if last is None else utc((last + 1) * period),
        "cosigned": [{"witness": name, "time": utc(time * NS)} for name, time in proved.stamps],
        "conflicts": [conflict.kind for conflict in proved.conflicts],
        "problems": proved.problems,
        "files": [str(path) for path in files],
    }


def _lines(proved: Proved, files: list[Path]) -> list[str]:
    said = _document(proved, files)
    lines = [f"{url}: {problem}" for url, problem in proved.problems.items()]
    if proved.conflicts:
        lines.append(
            f"The log {proved.origin} is in conflict with its witnesses: {', '.join(said['conflicts'])}."
        )
    elif proved.certificate is not None:
        lines.append(f"The log {proved.origin} was silent from {said['from']} to {said['to']}.")
    elif proved.time is None:
        lines.append("Too few witnesses answered: a quorum could do without them. No certificate.")
    else:
        lines.append(f"The log {proved.origin} was not overdue at {said['silent_at']}. No certificate.")
    return lines + [f"Written: {path}" for path in files]
