"""`memcon calls`."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from memcon.catalogue.catalogue import Catalogue, Filter
from memcon.catalogue.structure import STATES
from memcon.cli.common import (
    clock_text,
    emit,
    home_option,
    json_option,
    load_config,
    out,
    page_options,
    reports_errors,
)
from memcon.clock import utc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memcon.catalogue.rows import CallRow
    from memcon.store.paths import Home

STATE_WORDS = {
    "live": "Live",
    "recorded": "Recorded",
    "partly": "Partly recorded",
    "none": "No audio",
    "taken": "Taken in",
    "accounts": "Accounts only",
}


@contextmanager
def catalogue_of(home: Home) -> Iterator[Catalogue]:
    """The catalogue of a recorder's home, closed again; UsageError where there is no recorder."""
    load_config(home)
    with closing(Catalogue(home.catalogue)) as catalogue:
        yield catalogue


def row_json(row: CallRow) -> dict[str, Any]:
    """One call as `--json` lists it."""
    return {
        "number": row.number,
        "call": row.display,
        "state": row.state,
        "start": utc(row.start_wall, digits=3),
        "duration_ns": row.duration,
        "seconds_sealed": row.segments,
        "mode": row.mode,
        "line": row.line,
        "parties": None if row.parties is None else list(row.parties),
        "received": row.received,
        "lost": row.lost,
    }


def parties_text(row: CallRow) -> str:
    """The parties in words."""
    if row.parties is None:
        return "sealed, not opened here"
    return ", ".join(row.parties) or "unknown"


@click.command("calls")
@click.argument("text", required=False, default="")
@page_options
@home_option
@json_option
@reports_errors
def command(home: Home, text: str, page: int, size: int, as_json: bool) -> None:
    """List the calls, newest first; TEXT finds parties and numbers."""
    with catalogue_of(home) as catalogue:
        # what is only told of is no recording to be listened to or verified: `memcon dossier list`
        asked = Filter(text=text, states=frozenset(STATES) - {"accounts"})
        found = catalogue.register(asked, page=page, size=size)
    if as_json:
        emit({"total": found.total, "page": page, "calls": [row_json(row) for row in found.rows]})
        return
    if not found.rows:
        out().print("No calls yet." if not text else "No call fits.")
        return
    table = Table(box=None, pad_edge=False)
    for title in ("Call", "State", "Start (UTC)", "Length", "Parties"):
        table.add_column(title)
    for row in found.rows:
        length = "" if row.duration is None else clock_text(row.duration)
        state = STATE_WORDS.get(row.state, row.state)
        table.add_row(row.display, state, utc(row.start_wall), length, parties_text(row))
    out().print(table)
    if found.total > page * size:
        out().print(f"{found.total:,} in all: --page {page + 1} shows more.")
