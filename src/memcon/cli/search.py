"""`memcon search`."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from memcon.catalogue.catalogue import Catalogue
from memcon.catalogue.numbers import display_number
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
from memcon.cli.ingest import default_by
from memcon.clock import SystemClock, utc
from memcon.service.searching import Searching, open_search
from memcon.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memcon.catalogue.search_answer import Hit

MS = 1_000_000


@contextmanager
def searching_of(home: Home) -> Iterator[Searching]:
    """The search of a recorder's home, caught up, closed again."""
    config = load_config(home)
    home = Home(home.root, config.vault_path)
    with (
        closing(Catalogue(home.catalogue)) as catalogue,
        closing(open_search(home, config, SystemClock(), catalogue)) as made,
    ):
        yield made


class _Search(click.Group):
    """`memcon search WORDS` asks; `save`, `saved`, `forget` and `alerts` are commands of their own."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = [one for one in args if not one.startswith("-")]
        if words and words[0] not in self.commands:
            args = ["ask", *args]
        return super().parse_args(ctx, args)


@click.group("search", cls=_Search)
def command() -> None:
    """Find words in transcripts, dossiers and the parties of calls.

    Words that stand in one passage: memcon search crimea gas. Phrases "gas prices", prefix crim*,
    NEAR(gas prices, 5), OR, NOT, brackets; speaker: party: language: from: to: date: in: only:corrected call:
    """


@command.command("ask", hidden=True)
@click.argument("query", nargs=-1, required=True)
@page_options
@home_option
@json_option
@reports_errors
def ask(home: Home, query: tuple[str, ...], page: int, size: int, as_json: bool) -> None:
    """Find words; newest first."""
    question = " ".join(query)
    with searching_of(home) as searching:
        searching.catch_up()
        answer = searching.ask(question, page=page, size=size)
    if as_json:
        emit({"query": question, "candidates": answer.candidates, "exact": answer.exact, "more": answer.more,
              "hits": [hit_json(hit) for hit in answer.hits]})  # fmt: skip
        return
    if not answer.hits:
        out().print("Nothing that is indexed fits.")
        return
    for hit in answer.hits:
        for line in describe(hit):
            out().print(line, markup=False)
    if answer.more:
        out().print(f"There is more: --page {page + 1} shows it.")


def place_of(hit: Hit) -> str:
    """What a person calls the place of a hit: `2026-11-24/0007 at 4:21`."""
    if hit.kind == "dossier":
        return f"dossier {hit.ref}" + (f", source {hit.part}" if hit.part else "")
    name = display_number(int(hit.ref), hit.wall or 0)
    return name if hit.at is None else f"{name} at {clock_text(hit.at * MS)}"


def describe(hit: Hit) -> list[str]:
    """A hit in two lines."""
    said = f"{hit.speaker}: " if hit.speaker else ""
    marked = " ".join(f"[{piece.text}]" if piece.hit else piece.text for piece in hit.pieces)
    kind = "corrected" if hit.corrected else "machine"
    version = f", {kind} transcript, version {hit.version}" if hit.kind == "transcript" else ""
    return [f"{place_of(hit)}, {hit.title}{version}", f"  {said}{marked}"]


def hit_json(hit: Hit) -> dict[str, Any]:
    """A hit as `--json` gives it."""
    return {
        "kind": hit.kind,
        "call": None if hit.kind == "dossier" else display_number(int(hit.ref), hit.wall or 0),
        "number": None if hit.kind == "dossier" else int(hit.ref),
        "dossier": hit.ref if hit.kind == "dossier" else None,
        "source": int(hit.part) if hit.part else None,
        "title": hit.title,
        "start": None if hit.wall is None else utc(hit.wall),
        "version": hit.version,
        "corrected": hit.corrected,
        "language": hit.language,
        "speaker": hit.speaker,
        "at_ms": hit.at,
        "snippet": [{"text": p.text, "hit": p.hit, "speaker": p.speaker} for p in hit.pieces],
    }


@command.command("save")
@click.argument("name")
@click.argument("query", nargs=-1, required=True)
@click.option("--by", help="Who keeps it [default: your login name]")
@home_option
@json_option
@reports_errors
def save(home: Home, name: str, query: tuple[str, ...], by: str | None, as_json: bool) -> None:
    """Keep a search: word is given when a transcript that is new fits it."""
    with searching_of(home) as searching:
        made = searching.alerts.save(name, " ".join(query), by or default_by())
    if as_json:
        emit({"name": made.name, "query": made.query, "by": made.by, "at": made.at})
    else:
        out().print(
            f"Kept as {made.name}. A running memcon serve looks for it in everything new.", markup=False
        )


@command.command("saved")
@home_option
@json_option
@reports_errors
def saved(home: Home, as_json: bool) -> None:
    """List the searches that are kept."""
    with searching_of(home) as searching:
        found = searching.alerts.saved()
    if as_json:
        emit([{"name": one.name, "query": one.query, "by": one.by, "at": one.at} for one in found])
        return
    if not found:
        out().print("No search is kept.")
        return
    table = Table(box=None, pad_edge=False)
    for title in ("Name", "Search", "Kept by", "Since"):
        table.add_column(title)
    for one in found:
        table.add_row(one.name, one.query, one.by, one.at)
    out().print(table)


@command.command("forget")
@click.argument("name")
@home_option
@reports_errors
def forget(home: Home, name: str) -> None:
    """Keep a search no more."""
    with searching_of(home) as searching:
        searching.alerts.forget(name)
    out().print(f"Forgotten: {name}", markup=False)


@command.command("alerts")
@click.option("--count", type=click.IntRange(1, 10_000), default=50, show_default=True)
@home_option
@json_option
@reports_errors
def alerts(home: Home, count: int, as_json: bool) -> None:
    """Show what kept searches found, newest first."""
    with searching_of(home) as searching:
        found = searching.alerts.told(count)
    if as_json:
        emit(found)
        return
    if not found:
        out().print("Nothing was found since searches are kept.")
    for one in found:
        out().print(f"{one['at']}  {one['text']}", markup=False)
