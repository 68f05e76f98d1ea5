"""`memcon events import`, `sets`, `find`, `take`: event files and what is taken from them into a dossier."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from memcon.aftermath.layouts import LAYOUTS
from memcon.aftermath.reading import ENCODINGS
from memcon.aftermath.series import tick_of
from memcon.aftermath.sets import Query
from memcon.aftermath.taking import event_of, when_of
from memcon.cli.common import EXIT_FOUND, emit, home_option, json_option, load_config, out, reports_errors
from memcon.cli.dossier import desk_of
from memcon.cli.dossier_telling import by_option
from memcon.clock import SystemClock, utc
from memcon.service.followed import FollowedDesk, open_sets

if TYPE_CHECKING:
    from memcon.aftermath.sets import About, EventSet
    from memcon.store.paths import Home


def about_json(about: About) -> dict[str, Any]:
    """A set as `--json` tells of it."""
    return {
        "set": about.sha256,
        "name": about.name,
        "layout": about.layout,
        "bytes": about.size,
        "rows": about.rows,
        "taken": about.taken,
        "refused": about.bad,
        "damaged": about.odd,
        "first": about.first,
        "last": about.last,
    }


def _line(about: About) -> str:
    text = (
        f"{about.sha256[:12]}  {about.name}: {LAYOUTS[about.layout].title}, {about.taken:,} of "
        f"{about.rows:,} rows, {about.first or 'no date'} to {about.last or 'no date'}"
    )
    return f"{text}; {about.odd:,} hold damaged characters" if about.odd else text


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--as", "layout", type=click.Choice(list(LAYOUTS)), help="Its layout, where its columns do not tell"
)
@click.option("--encoding", type=click.Choice(ENCODINGS[:-1]), default="utf-8", show_default=True)
@by_option
@home_option
@json_option
@reports_errors
def import_(home: Home, file: Path, layout: str | None, encoding: str, by: str, as_json: bool) -> None:
    """Take an event file in: kept byte for byte, sealed, indexed. Exit code 1 where rows were refused."""
    load_config(home)
    sets = open_sets(home)
    about = sets.take_in(file, by=by, at=utc(SystemClock().wall_ns()), layout=layout or "", encoding=encoding)
    refused = sets.open(about.sha256).refused()
    if as_json:
        emit({**about_json(about), "reasons": [one._asdict() for one in refused]})
    else:
        out().print(_line(about), markup=False)
        for one in refused[:10]:
            out().print(
                f"  row {one.number:,} (byte {one.offset:,}) was not taken: {one.reason}", markup=False
            )
        if about.bad > len(refused[:10]):
            out().print(f"  and {about.bad - len(refused[:10]):,} more; --json tells of {len(refused):,}")
    if about.bad:
        raise SystemExit(EXIT_FOUND)


@click.command("sets")
@home_option
@json_option
@reports_errors
def sets_(home: Home, as_json: bool) -> None:
    """List the event files that were taken in."""
    load_config(home)
    sets = open_sets(home)
    found = [sets.open(name).about for name in sets.ids()]
    if as_json:
        emit([about_json(about) for about in found])
        return
    for about in found:
        out().print(_line(about), markup=False)
    if not found:
        out().print("No event file yet.")


@click.command("find")
@click.argument("name", metavar="SET")
@click.option("--from", "since", metavar="DATE", help="First day")
@click.option("--to", "until", metavar="DATE", help="Last day")
@click.option("--kind", default="", metavar="TEXT", help="Only kinds that begin so")
@click.option("--country", default="", metavar="TEXT", help="As the file writes it")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@home_option
@json_option
@reports_errors
def find(
    home: Home,
    name: str,
    since: str | None,
    until: str | None,
    kind: str,
    country: str,
    limit: int,
    as_json: bool,
) -> None:
    """Find rows of a set by day, kind and country; the numbers are those that `take` asks for."""
    load_config(home)
    found = open_sets(home).open(name)
    rows = found.select(_query(since, until, kind, country))
    told: list[dict[str, Any]] = [
        {"row": int(n), "when": when_of(found, int(n)), "fields": found.row(int(n))} for n in rows[:limit]
    ]
    if as_json:
        emit({"set": found.about.sha256, "total": len(rows), "rows": told})
        return
    for one in told:
        event, account = event_of(found, int(one["row"]))
        place = f", {event['place']}" if event["place"] else ""
        out().print(f"{one['row']:>8}  {one['when']}  {event['title']}{place}", markup=False)
        out().print(f"          {account['who']}{_figures(account)}", markup=False)
    out().print(f"{len(rows):,} rows fit" + (f"; the first {limit:,} are shown" if len(rows) > limit else ""))


def _figures(account: dict[str, Any]) -> str:
    given = [
        f"{name.removeprefix('killed_')} {account[name]:,}" for name in account if name.startswith("killed")
    ]
    return f": killed {', '.join(given)}" if given else ""


def _query(since: str | None, until: str | None, kind: str, country: str) -> Query:
    return Query(
        None if since is None else tick_of(since, "day"),
        None if until is None else tick_of(until, "day"),
        kind,
        country,
    )


@click.command("take")
@click.argument("dossier")
@click.argument("name", metavar="SET")
@click.argument("rows", nargs=-1, required=True, type=click.IntRange(0), metavar="ROW...")
@by_option
@home_option
@json_option
@reports_errors
def take(home: Home, dossier: str, name: str, rows: tuple[int, ...], by: str, as_json: bool) -> None:
    """Take rows of a set into a dossier: each an event, and the data set's account of it."""
    with desk_of(home) as desk:
        found: EventSet = open_sets(home).open(name)
        written = FollowedDesk(desk).take(dossier, by, [event_of(found, row) for row in rows])
    if as_json:
        emit({"dossier": dossier, "events": written})
        return
    for row, n in zip(rows, written, strict=True):
        out().print(f"Row {row} is event {n} of dossier {dossier}.", markup=False)
