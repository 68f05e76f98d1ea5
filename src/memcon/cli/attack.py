"""`memcon attack`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from memcon.cli.common import EXIT_FOUND, emit, json_option, out, reports_errors
from memcon.errors import UsageError
from memcon.service.attacks import ATTACKS, holds
from memcon.service.stage import Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memcon.service.stage import Shown


def _played(names: list[str], *, live: bool) -> Iterator[tuple[str, Shown]]:
    """Each attack, and what was shown: one after another, or all at once in real time."""
    with tempfile.TemporaryDirectory(prefix="memcon-attack-", ignore_cleanup_errors=True) as folder:
        if live:
            from memcon.service.live import play  # the witnesses' parts, which told time does not need

            yield from play(names, Path(folder)).items()
            return
        for name in names:
            yield name, Scene(Path(folder) / name).play(ATTACKS[name].play)


@click.command("attack")
@click.argument("name", required=False)
@click.option("--live", is_flag=True,
              help="Real witness processes, HTTP and time: some 40 s, all side by side")  # fmt: skip
@json_option
@reports_errors
def command(name: str | None, live: bool, as_json: bool) -> None:
    """Play an attack by the operator on a throw-away log with three witnesses, and show what anybody sees.

    Without NAME: all of them. Exit code 1 where an outcome is not the one that THREAT-MODEL names.
    """
    if name is not None and name not in ATTACKS:
        raise UsageError(f"there is no attack {name!r}", cure=f"There are: {', '.join(ATTACKS)}")
    told, well = [], True
    for each, shown in _played(list(ATTACKS) if name is None else [name], live=live):
        attack = ATTACKS[each]
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
