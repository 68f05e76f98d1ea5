"""`memcon events`: what came before and after a call."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from memcon.aftermath import timeline
from memcon.aftermath.bodies import FIELDS
from memcon.aftermath.series import tick_of
from memcon.aftermath.timeline_svg import alone, drawn
from memcon.cli.common import emit, home_option, json_option, out, reports_errors, write_text
from memcon.cli.dossier import body_of, desk_of, tell_written
from memcon.cli.dossier_telling import by_option
from memcon.cli.event_sets import find, import_, sets_, take
from memcon.service.followed import FollowedDesk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memcon.accounts.model import Dossier
    from memcon.aftermath.followed import Account
    from memcon.aftermath.timeline import Item
    from memcon.store.paths import Home

NS = 1_000_000_000


@contextmanager
def followed(home: Home) -> Iterator[FollowedDesk[Dossier]]:
    """The desk of what followed, of a home."""
    with desk_of(home) as desk:
        yield FollowedDesk(desk)


@click.group("events")
def command() -> None:
    """Keep what came before and after a call: accounts side by side, none merged."""


for _sub in (import_, sets_, find, take):
    command.add_command(_sub)


@command.command("write")
@click.argument("dossier")
@click.argument("kind", type=click.Choice(list(FIELDS)))
@click.argument("fields", nargs=-1, metavar="[NAME=VALUE]...")
@by_option
@home_option
@json_option
@reports_errors
def write(home: Home, dossier: str, kind: str, fields: tuple[str, ...], by: str, as_json: bool) -> None:
    """Write an event, an account of it, a reading of an act, or a hypothesis (docs/FORMATS.md)."""
    body = body_of(FIELDS, kind, fields)
    with followed(home) as desk:
        kept = desk.write(dossier, kind, by, body)
    tell_written(kept, dossier, kind, as_json=as_json)


@command.command("show")
@click.argument("dossier")
@click.option("--kind", "kinds", type=click.Choice(["event", "act", "statement"]), multiple=True)
@click.option("--text", default="", help="Words of title, place or accounts")
@click.option("--who", default="", help="Only what this one gives an account of")
@click.option("--from", "since", metavar="DATE", help="First day")
@click.option("--to", "until", metavar="DATE", help="Last day")
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="Write the picture to this file")
@click.option(
    "--timelinejs", type=click.Path(dir_okay=False, path_type=Path), help="Write JSON for TimelineJS"
)
@home_option
@json_option
@reports_errors
def show(
    home: Home,
    dossier: str,
    kinds: tuple[str, ...],
    text: str,
    who: str,
    since: str | None,
    until: str | None,
    svg: Path | None,
    timelinejs: Path | None,
    as_json: bool,
) -> None:
    """The time line of a call, in words; uncertain dates say so."""
    shown = timeline.Filter(
        frozenset(kinds),
        text,
        who,
        None if since is None else tick_of(since, "second") * NS,
        None if until is None else (tick_of(until, "second") + 86_400) * NS,
    )
    with followed(home) as desk:
        items = [item for item in desk.line(dossier).items if shown.shows(item)]
    if svg is not None:
        write_text(svg, alone(drawn(items)))
    if timelinejs is not None:
        told = timeline.timelinejs(items, dossier)
        write_text(timelinejs, json.dumps(told, ensure_ascii=False, indent=1) + "\n")
    if as_json:
        emit({"dossier": dossier, "items": timeline.facts(items)})
        return
    for item in items:
        for line in _lines(item):
            out().print(line, markup=False)


def _lines(item: Item) -> Iterator[str]:
    number = f"  [{item.event.n}]" if item.event is not None else ""
    yield f"{item.when}  {item.title}{f', {item.place}' if item.place else ''}{number}"
    if item.event is None:
        return
    for account in item.event.accounts:
        yield f"    {account.words}. {_source(account)}"
    for reading in item.event.readings:
        yield f"    called {reading.calls_it!r}. {_source(reading)}"


def _source(account: Account) -> str:
    parts = [account.who]
    if account.original:
        parts.append(f"first said by {account.original}")
    if account.article:
        parts.append(account.article)
    parts.append(f"source {account.source}" if account.source is not None else "source not taken in")
    return "; ".join(parts)
