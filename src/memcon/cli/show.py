"""`memcon show`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from memcon.cli.calls import STATE_WORDS, catalogue_of, parties_text, row_json
from memcon.cli.common import (
    call_number,
    clock_text,
    emit,
    home_option,
    json_option,
    out,
    reports_errors,
)
from memcon.cli.was_it_on import check_quickly
from memcon.clock import NS, utc
from memcon.errors import UsageError
from memcon.record import evidence
from memcon.record.call import CAUSES, WHO
from memcon.store.tiles import LogStore
from memcon.tlog.policy import Policy
from memcon.verify.attest import WORDS
from memcon.verify.findings import Report
from memcon.verify.sources import Directory
from memcon.verify.window import windows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memcon.catalogue.catalogue import CallDetail
    from memcon.store.paths import Home
    from memcon.verify.window import Window


def detail_json(call: CallDetail) -> dict[str, Any]:
    """A call as `show --json` gives it."""
    return row_json(call.row) | {
        "handle": call.handle,
        "cause": CAUSES.get(call.row.cause or 0),
        "ended_by": None if call.row.who is None else WHO.get(call.row.who),
        "parties": [dict(party) for party in call.parties],
        "source_ids": dict(call.source_ids),
        "streams": [
            {
                "stream": s.stream,
                "label": s.label,
                "port": s.port,
                "codecs": [dict(c) for c in s.codecs],
                "participant": s.participant,
                "received": s.received,
                "expected": s.expected,
                "kernel_drops": s.kernel_drops,
                "duplicates": s.duplicates,
                "reordered": s.reordered,
            }
            for s in call.streams
        ],
        "events": [{"n": e.n, "since_ns": e.since, "facts": dict(e.facts)} for e in call.events],
        "beats": [{"index": b.index, "first": b.first, "segments": b.segments} for b in call.beats],
        "oddities": list(call.oddities),
        "related": [{"number": r.number, "call": r.display, "links": list(r.links)} for r in call.related],
        "call_root": call.call_root,
    }


@click.command("show")
@click.argument("call")
@home_option
@json_option
@reports_errors
def command(home: Home, call: str, as_json: bool) -> None:
    """Show one call: its parties, streams, what happened, and the beats that seal it."""
    with catalogue_of(home) as catalogue:
        number = call_number(call)
        found = catalogue.call(number)
    if found is None:
        raise UsageError(f"there is no call {number}", cure="memcon calls lists them")
    sealed = call_windows(home, found)
    if as_json:
        emit(detail_json(found) | {"windows": [window_json(one) for one in sealed]})
        return
    for line in [*describe(found), *window_lines(found, sealed)]:
        out().print(line, markup=False)


def call_windows(home: Home, call: CallDetail) -> list[Window]:
    """The window of each beat of the call, by the log's own policy; empty where it names no witnesses."""
    policy = LogStore(home.log).fetch(evidence.POLICY)
    if policy is None or not call.beats:
        return []
    report = Report(str(home.log), "log")
    first, last = call.beats[0].index, call.beats[-1].index
    return windows(Directory(home.log), Policy.parse(policy), first, last, report, check_quickly)


def window_json(one: Window) -> dict[str, Any]:
    """A beat's window as `show --json` gives it."""
    times = {"not_before": one.not_before, "not_after": one.not_after}
    shown = {name: None if time is None else utc(time * NS) for name, time in times.items()}
    return {"index": one.index, "slot": one.slot, **shown, "answer": WORDS[one.answer]}


def window_lines(call: CallDetail, sealed: list[Window]) -> list[str]:
    """Between which times the call's seconds were sealed, and how many beats have no such window."""
    if not call.beats:
        return []
    dated = [one for one in sealed if one.not_before is not None and one.not_after is not None]
    if not dated:
        return ["  when it was sealed is by the operator's clock only: no quorum of witnesses has dated it"]
    widest = max((one.not_after or 0) - (one.not_before or 0) for one in dated)
    since, until = utc((dated[0].not_before or 0) * NS), utc((dated[-1].not_after or 0) * NS)
    lines = [f"  sealed between {since} and {until}, each beat within {widest} s, by the log's own witnesses"]
    if len(dated) < len(sealed):
        lines.append(f"  {len(sealed) - len(dated)} of {len(sealed)} beats have no window yet")
    return lines


def describe(call: CallDetail) -> list[str]:
    """The call in lines of text."""
    row = call.row
    length = "going on" if row.duration is None else clock_text(row.duration)
    lines = [
        f"Call {row.display}: {STATE_WORDS.get(row.state, row.state)}",
        f"  {parties_text(row)}",
        f"  {utc(row.start_wall)}, {length}, line {row.line or 'none'}, {row.segments} seconds sealed",
    ]
    for s in call.streams:
        codecs = ", ".join(str(c.get("name")) for c in s.codecs) or "unknown codec"
        lost = max(0, s.expected - s.received + s.duplicates)
        counts = f"{s.received:,} packets, {lost:,} lost, {s.duplicates:,} twice, {s.reordered:,} reordered"
        lines.append(f"  stream {s.label or s.stream}: {codecs}; {counts}")
    lines += [
        f"  {clock_text(e.since)}  {_happened(e.facts)}" for e in call.events if e.facts.get("type") != "sip"
    ]
    if call.beats:
        lines.append(f"  beats {call.beats[0].index} to {call.beats[-1].index} of the log")
    lines += [f"  the same call: {r.display} ({', '.join(r.links)})" for r in call.related]
    lines += [f"  odd: {text}" for text in call.oddities]
    if row.cause is not None:
        lines.append(f"  ended by {WHO.get(row.who or 0)}: {CAUSES.get(row.cause)}")
    return lines


def _happened(facts: Mapping[str, Any]) -> str:
    kind = str(facts.get("type"))
    if kind != "loss":
        return kind
    what = "not opened, kept as they came" if facts.get("layer") == "srtp" else f"lost ({facts.get('layer')})"
    return f"stream {facts.get('stream')}: {facts.get('count')} packets {what}"
