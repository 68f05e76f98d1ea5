"""`memcon dossier`: dossiers made, filled, listed, shown, checked."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from memcon.accounts.bodies import CHANNELS, COMPLETENESS, FIELDS
from memcon.accounts.exports import FORMATS
from memcon.catalogue.dossiers import DossierQuery
from memcon.cli.calls import catalogue_of
from memcon.cli.common import EXIT_FOUND, emit, home_option, json_option, out, page_options, reports_errors
from memcon.cli.dossier_bundle import bundle
from memcon.cli.dossier_fetch import fetch
from memcon.cli.dossier_telling import by_option, tell_sources
from memcon.clock import SystemClock
from memcon.errors import UsageError
from memcon.service.dossiers import check_dossier, notes_of, open_desk
from memcon.store.durable import read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from memcon.accounts.desk import AccountsDesk
    from memcon.accounts.model import Dossier
    from memcon.record.body import Field
    from memcon.store.dossiers import Kept
    from memcon.store.paths import Home


@contextmanager
def desk_of(home: Home) -> Iterator[AccountsDesk]:
    """The desk of a home, closed again."""
    with catalogue_of(home) as catalogue:
        yield open_desk(home, SystemClock(), catalogue)


@click.group("dossier")
def command() -> None:
    """Keep what each side said of a call, who says so, and what followed."""


for _sub in (bundle, fetch):
    command.add_command(_sub)


def participant(text: str, nth: int) -> dict[str, str]:
    """`Name; office; US; B` as a participant; the side is A, B, ... in the order given."""
    parts = [part.strip() for part in text.split(";")]
    if not parts[0] or len(parts) > 4:
        raise UsageError(f"{text!r} is no participant", cure='Write "Name; office; US" and a side if need be')
    name, office, country, side = (*parts, "", "", "")[:4]
    return {"name": name, "office": office, "country": country.upper(), "side": side or chr(ord("A") + nth)}


@command.command("new")
@click.argument("start", metavar="DATE")
@click.option("--participant", "people", multiple=True, metavar="NAME;OFFICE;COUNTRY", help="Once or more")
@click.option("--title", default="", help="Instead of one made of the participants and the date")
@click.option("--channel", type=click.Choice(CHANNELS), default="telephone", show_default=True)
@click.option("--call", type=click.IntRange(1), help="The recorded call that it hangs on")
@click.option("--note", default="")
@by_option
@home_option
@json_option
@reports_errors
def new(
    home: Home,
    start: str,
    people: tuple[str, ...],
    title: str,
    channel: str,
    call: int | None,
    note: str,
    by: str,
    as_json: bool,
) -> None:
    """Begin the dossier of a call; DATE as EDTF: 2017-01-28, 2017-01-28T17:00Z, 2017-01~."""
    head = {
        "title": title,
        "participants": [participant(text, nth) for nth, text in enumerate(people[:26])],
        "start": start,
        "channel": channel,
        "call": call,
        "note": note,
    }
    with desk_of(home) as desk:
        made = desk.open(by, head)
    if as_json:
        emit({"dossier": made.id, "title": made.title})
        return
    out().print(f"Dossier {made.id}: {made.title}", markup=False)


@command.command("add")
@click.argument("dossier")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True))
@click.option("--side", default="", help="Whose account it is: A, B, ...")
@click.option("--readout", is_flag=True, help="It is that side's readout of the call")
@click.option("--publisher", default="")
@click.option("--author", default="")
@click.option("--title", default="")
@click.option("--address", default="", help="Where it was found; a second one from there is a new version")
@click.option("--issued", default="", metavar="DATE", help="When it was published (EDTF)")
@click.option("--seen", default="", metavar="DATE", help="When it was seen (EDTF)")
@click.option("--language", default="", help="As BCP 47: en, ru, fr")
@click.option("--translation-of", type=int, metavar="N", help="The source it translates")
@click.option("--licence", default="")
@click.option("--completeness", type=click.Choice(COMPLETENESS), default="unknown", show_default=True)
@click.option("--media-type", default="", help="Instead of what the bytes look like")
@click.option("--note", default="")
@by_option
@home_option
@json_option
@reports_errors
def add(home: Home, dossier: str, file: Path, by: str, media_type: str, as_json: bool, **facts: Any) -> None:  # noqa: ANN401  # the options above
    """Take a source in, byte for byte; FILE - reads standard input."""
    dash = str(file) == "-"
    data = sys.stdin.buffer.read() if dash else read_bytes(file)
    facts["name"] = "" if dash else file.name
    with desk_of(home) as desk:
        made = desk.add_source(dossier, by, data, facts, media_type=media_type)
    tell_sources(made, dossier, as_json=as_json)


def value_of(text: str) -> object:
    """A field's value: JSON where it reads as a number, a list, true, false or null, else the text itself."""
    if text[:1] in "[{-0123456789" or text in ("true", "false", "null"):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def body_of(
    kinds: Mapping[str, Mapping[str, Field]], kind: str, fields: tuple[str, ...]
) -> dict[str, object]:
    """`name=value` pairs as a body of one of these kinds; a text stays a text, whatever it looks like."""
    if kind not in kinds:
        raise UsageError(f"{kind!r} is no kind of entry", cure=f"Kinds: {', '.join(kinds)}")
    body: dict[str, object] = {}
    for item in fields:
        name, equals, text = item.partition("=")
        if not equals:
            raise UsageError(f"{item!r} is no field", cure="Write name=value")
        field = kinds[kind].get(name)
        text_wanted = field is not None and field.check(text) is None
        body[name] = text if text_wanted else value_of(text)
    return body


def tell_written(kept: Kept, dossier: str, kind: str, *, as_json: bool) -> None:
    """Report one entry that was written."""
    if as_json:
        emit({"dossier": dossier, "entry": kept.entry.n, "hash": kept.hash})
        return
    out().print(f"Entry {kept.entry.n} of dossier {dossier}: {kind}. Sealed by the next beat.", markup=False)


@command.command("write")
@click.argument("dossier")
@click.argument("kind")
@click.argument("fields", nargs=-1, metavar="[NAME=VALUE]...")
@by_option
@home_option
@json_option
@reports_errors
def write(home: Home, dossier: str, kind: str, fields: tuple[str, ...], by: str, as_json: bool) -> None:
    """Write one entry: a claim, an appearance, a derivation, a grade, a mark (kinds: docs/FORMATS.md)."""
    with desk_of(home) as desk:
        kept = desk.write(dossier, kind, by, body_of(FIELDS, kind, fields))
    tell_written(kept, dossier, kind, as_json=as_json)


@command.command("list")
@click.argument("text", nargs=-1)
@page_options
@home_option
@json_option
@reports_errors
def list_(home: Home, text: tuple[str, ...], page: int, size: int, as_json: bool) -> None:
    """List the dossiers, newest call first; TEXT finds words of sources, claims, people and events."""
    with desk_of(home) as desk:
        found = desk.index.search(DossierQuery(" ".join(text)), page=page, size=size)
    if as_json:
        rows = [
            {
                "dossier": row.id,
                "title": row.title,
                "date": row.date,
                "record": row.record,
                "call": row.call,
                "entries": row.entries,
                "sources": row.sources,
                "readouts": row.readouts,
                "claims": row.claims,
                "topics": row.topics,
                "one_sided": row.one_sided,
            }
            for row in found.rows
        ]
        emit({"total": found.total, "page": page, "dossiers": rows})
        return
    if not found.rows:
        out().print("No dossier fits." if text else "No dossier yet.")
        return
    table = Table(box=None, pad_edge=False)
    for title in ("Dossier", "Call", "Sources", "Claims"):
        table.add_column(title)
    for row in found.rows:
        table.add_row(row.id, row.title, str(row.sources), str(row.claims))
    out().print(table)


@command.command("show")
@click.argument("dossier")
@home_option
@json_option
@reports_errors
def show(home: Home, dossier: str, as_json: bool) -> None:
    """Show a dossier: every entry in its order."""
    with desk_of(home) as desk:
        found = desk.read(dossier)
        sealed = desk.index.sealed([k.hash for k in found.kept])
    if as_json:
        entries = [
            {
                "n": k.entry.n,
                "kind": k.entry.kind,
                "by": k.entry.by,
                "at": k.entry.at,
                "hash": k.hash,
                "sealed_in": sealed[k.hash].index if k.hash in sealed else None,
                "withdrawn": k.entry.n in found.withdrawals,
                "body": k.entry.body,
            }
            for k in found.kept
        ]
        emit({"dossier": found.id, "title": found.title, "entries": entries})
        return
    for line in described(found):
        out().print(line, markup=False)


def described(dossier: Dossier) -> list[str]:
    """The dossier in lines of text."""
    lines = [f"Dossier {dossier.id}: {dossier.title}"]
    lines += [f"  {p.side}  {p.name}, {p.office} {p.country}".rstrip(" ,") for p in dossier.head.participants]
    lines += [f"  lasted {d.text}, says {d.who or 'somebody'}" for d in dossier.durations]
    lines += [
        f"  source {s.n}: {s.label}, {s.completeness}{', readout of ' + s.side if s.readout else ''}"
        for s in dossier.sources.values()
    ]
    lines += [f"  claim {c.n}: {c.text}" for c in dossier.claims.values()]
    return lines


@command.command("export")
@click.argument("dossier")
@click.option("--format", "kind", type=click.Choice(list(FORMATS)), default="jsonld", show_default=True)
@home_option
@json_option
@reports_errors
def export(home: Home, dossier: str, kind: str, as_json: bool) -> None:
    """Write a dossier's claims for other programs to standard output."""
    with desk_of(home) as desk:
        text = FORMATS[kind][2](desk.read(dossier))
    if as_json:
        emit({"dossier": dossier, "format": kind, "content": text})
        return
    click.echo(text, nl=not text.endswith("\n"))


@command.command("verify")
@click.argument("dossiers", nargs=-1)
@home_option
@json_option
@reports_errors
def verify(home: Home, dossiers: tuple[str, ...], as_json: bool) -> None:
    """Check that dossiers are what was written and sealed; all of them where none is named."""
    with desk_of(home) as desk:
        desk.index.put_notes(notes_of(home))
        results = {name: check_dossier(desk, name) for name in dossiers or desk.store.ids()}
    bad = any(found for _, found in results.values())
    if as_json:
        emit([{"dossier": d, "checked": c, "found": f} for d, (c, f) in results.items()])
    for name, (checked, found) in results.items() if not as_json else ():
        out().print(f"Dossier {name}", markup=False)
        for line in checked:
            out().print(f"  checked: {line}", markup=False)
        for line in found:
            out().print(f"  found: {line}", markup=False)
    if bad:
        raise SystemExit(EXIT_FOUND)
