"""`memcon cite`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from memcon.cli.common import call_number, emit, home_option, json_option, out, reports_errors
from memcon.cli.taken import exporting_of
from memcon.release.citing import archives, chicago
from memcon.service.exporting import span_of

if TYPE_CHECKING:
    from memcon.store.paths import Home


@click.command("cite")
@click.argument("call")
@click.option("--from", "first", metavar="PLACE", help="Where the span begins: 1:02")
@click.option("--to", "last", metavar="PLACE", help="Where it ends [a second after its beginning]")
@click.option("--version", type=click.IntRange(1), help="The transcript's version [the current one]")
@click.option("--office", default="", help="Who keeps it, as it is to be named")
@home_option
@json_option
@reports_errors
def command(
    home: Home,
    call: str,
    first: str | None,
    last: str | None,
    version: int | None,
    office: str,
    as_json: bool,
) -> None:
    """Cite a call, or a span of it: the archives' form and Chicago's, with version, span and digest."""
    number, span = call_number(call), span_of(first, last)
    with exporting_of(home, office) as exporting:
        cited = exporting.cited(number, span, version)
    if as_json:
        emit({"archives": archives(cited), "chicago": chicago(cited), "digest": cited.digest,
              "version": cited.version or None, "span_ms": None if span is None else list(span)})  # fmt: skip
        return
    for name, text in (("Archives", archives(cited)), ("Chicago", chicago(cited))):
        out().print(f"{name}:\n  {text}", markup=False)
