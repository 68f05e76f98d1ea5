"""`memcon attack`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click

from memcon.cli.common import EXIT_FOUND, emit, json_option, out, reports_errors
from memcon.errors import UsageError
from memcon.service.attacks import ATTACKS, holds


@click.command("attack")
@click.argument("name", required=False)
@json_option
@reports_errors
def command(name: str | None, as_json: bool) -> None:
    """Play an attack by the operator on a throw-away log with three witnesses, and show what anybody sees.

    Without NAME: all of them. Exit code 1 where an outcome is not the one that THREAT-MODEL names.
    """
    if name is not None and name not in ATTACKS:
        raise UsageError(f"there is no attack {name!r}", cure=f"There are: {', '.join(ATTACKS)}")
    told, well = [], True
    for each in ATTACKS if name is None else [name]:
        attack = ATTACKS[each]
        with tempfile.TemporaryDirectory(prefix="memcon-attack-") as folder:
            shown = attack.play(Path(folder) / "stage")
        good = holds(attack, shown)
        well &= good
        told.append(
            {
                "attack": each,
                "done": attack.done,
                "named": attack.named,
                "outcome": shown.outcome,
                "told": shown.told,
                "findings": list(shown.codes),
                "holds": good,
            }
        )
        if not as_json:
            found = f" Found: {', '.join(shown.codes)}." if shown.codes else ""
            out().print(f"{each}: {attack.done}.", markup=False)
            out().print(f"  Anybody is told: {shown.told}{found}", markup=False)
            verdict = "as THREAT-MODEL names it" if good else f"NOT as THREAT-MODEL names it: {attack.named}"
            out().print(f"  {shown.outcome}: {verdict}.", markup=False)
    if as_json:
        emit(told)
    if not well:
        sys.exit(EXIT_FOUND)
