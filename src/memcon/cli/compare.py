"""`memcon compare`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from memcon.accounts.compare import compare
from memcon.accounts.lexicon import extended
from memcon.cli.common import emit, home_option, json_option, out, reports_errors
from memcon.cli.dossier import desk_of
from memcon.errors import FormatError, UsageError
from memcon.record.entry import check_id
from memcon.store.durable import read_bytes

if TYPE_CHECKING:
    from memcon.accounts.compare import Comparison, Side
    from memcon.accounts.desk import AccountsDesk
    from memcon.accounts.points import Point
    from memcon.store.paths import Home


def find_dossier(desk: AccountsDesk, call: str) -> str:
    """A dossier by its id, or the one that hangs on a recorded call (`7`)."""
    with suppress(FormatError):
        return check_id(call)
    number = call.rpartition("/")[2]
    found = desk.index.of_call(int(number)) if number.isascii() and number.isdigit() else []
    if not found:
        raise UsageError(f"no dossier hangs on call {call}", cure="Name a dossier: memcon dossier list")
    return found[0].id


def point_json(point: Point) -> dict[str, Any]:
    """A point as `--json` lists it."""
    return {
        "number": point.number,
        "start": point.start,
        "end": point.end,
        "text": point.text,
        "kind": point.kind,
        "topics": list(point.topics),
        "own": list(point.own),
        "raised_by": point.raised_by,
        "marked": point.marked,
    }


def side_json(side: Side) -> dict[str, Any]:
    """A readout and its points."""
    return {
        "side": side.letter,
        "source": side.source.n,
        "publisher": side.source.label,
        "issued": side.source.issued,
        "completeness": side.source.completeness,
        "words": side.words,
        "points": [point_json(p) for p in side.points],
    }


def comparison_json(found: Comparison) -> dict[str, Any]:
    """The comparison as `--json` reports it (docs/CLI.md)."""
    return {
        "sides": [side_json(found.first), side_json(found.second)],
        "topics": [
            {
                "topic": row.topic,
                "label": row.label,
                "status": row.status,
                "computed": row.computed,
                "omitted_by": row.omitted_by,
                "points": [[p.number for p in row.first], [p.number for p in row.second]],
                "order": list(row.order),
                "words": list(row.words),
                "raised_by": list(row.raised),
                "differs_in": list(row.why),
                "overruled_by": row.overruled.by if row.overruled else None,
            }
            for row in found.topics
        ],
        "pairs": [
            {
                "first": [p.number for p in pair.first],
                "second": [p.number for p in pair.second],
                "topics": list(pair.topics),
                "linked_by": pair.linked_by.by if pair.linked_by else None,
            }
            for pair in found.pairs
        ],
        "one_sided": found.one_sided,
        "known": found.known,
    }


@click.command("compare")
@click.argument("call")
@click.option("--lexicon", "files", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
              help="Topics of your own, added to the lexicon of diplomacy")  # fmt: skip
@home_option
@json_option
@reports_errors
def command(home: Home, call: str, files: tuple[Path, ...], as_json: bool) -> None:
    """Compare what the two sides said of a call: its topics, point by point."""
    lexicon = extended({file.name: read_bytes(file) for file in files})
    with desk_of(home) as desk:
        dossier = desk.read(find_dossier(desk, call))
        found = compare(dossier, desk.texts(dossier), lexicon)
    if found is None:
        raise UsageError(
            f"dossier {dossier.id} does not hold the readouts of two sides",
            cure="Take them in: memcon dossier add DOSSIER FILE --side A --readout",
        )
    if as_json:
        emit({"dossier": dossier.id, "title": dossier.title} | comparison_json(found))
        return
    out().print(f"{dossier.title}", markup=False)
    out().print(sentence(found), markup=False)
    table = Table(box=None, pad_edge=False)
    for title in ("Topic", found.first.letter, found.second.letter, "In", ""):
        table.add_column(title)
    for row in found.topics:
        note = f"not in {row.omitted_by}, which is complete" if row.omitted_by else "; ".join(row.why)
        numbers = (" ".join(f"{p.number}" for p in points) for points in (row.first, row.second))
        table.add_row(row.label, *numbers, row.status, note)
    out().print(table)
    for side in (found.first, found.second):
        out().print(f"{side.letter} · {side.source.label}: {side.words} words, {side.source.completeness}")
        for p in side.points:
            topics = ", ".join(lexicon.label(t) for t in p.topics)
            out().print(f"  {side.letter}{p.number} {p.kind}{': ' + topics if topics else ''}", markup=False)


def sentence(found: Comparison) -> str:
    """The answer in one sentence."""
    if not found.known:
        return "Neither text speaks of a topic that the lexicon knows."
    return f"{found.one_sided} of {found.known} topics rest on one side's account alone."
