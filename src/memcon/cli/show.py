"""`memcon show`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from memcon.cli.calls import STATE_WORDS, catalogue_of, parties_text, row_json
from memcon.cli.common import (
    call_number,
    clock_text,
    emit,
    home_option,
    json_option,
    load_config,
    out,
    reports_errors,
)
from memcon.cli.taken import describe_taken, find, intakes_of, taken_json
from memcon.clock import NS, SystemClock, utc
from memcon.console.window_words import sealed_between
from memcon.errors import UsageError
from memcon.record.call import CAUSES, WHO
from memcon.record.transcript import text_of
from memcon.service.transcripts import open_transcripts
from memcon.service.windows import windows_of
from memcon.verify.attest import WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memcon.catalogue.rows import CallDetail
    from memcon.record.transcript import Transcript
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
    number = call_number(call)
    if number < 0:
        with intakes_of(home) as intakes:
            taken = find(intakes, -number)
        if as_json:
            emit(taken_json(*taken))
        for line in [] if as_json else describe_taken(*taken):
            out().print(line, markup=False)
        return
    with catalogue_of(home) as catalogue:
        found = catalogue.call(number)
    if found is None:
        raise UsageError(f"there is no call {number}", cure="memcon calls lists them")
    written = open_transcripts(home, SystemClock()).current(f"call-{number}")
    roots = load_config(home).stamp_roots
    sealed = windows_of(home, found.beats[0].index, found.beats[-1].index, roots) if found.beats else []
    if as_json:
        facts = None if written is None else json.loads(written.transcript.encode()) | {"hash": written.hash}
        more = {"windows": [window_json(one) for one in sealed], "transcript": facts}
        emit(detail_json(found) | more)
        return
    dated = [f"  {line}" for line in sealed_between(sealed)] if found.beats else []
    text = [] if written is None else transcript_lines(written.transcript)
    for line in [*describe(found), *dated, *text]:
        out().print(line, markup=False)


def transcript_lines(of: Transcript) -> list[str]:
    """What is said in the call, in order, each utterance with when it began."""
    by = of.by if of.machine is None else f"{of.machine.engine} {of.machine.model}"
    said = [(u.start, lane, u) for lane in of.lanes for u in lane.utterances]
    lines = [f"  transcript, version {of.version} by {by}, {of.at}:"]
    for start, lane, one in sorted(said, key=lambda row: row[0]):
        who = one.speaker or lane.speaker or "unknown speaker"
        text = text_of(one.words, one.language or lane.language)
        lines.append(f"  {clock_text(start * 1_000_000)}  {who}: {text}")
    return lines


def window_json(one: Window) -> dict[str, Any]:
    """A beat's window as `show --json` gives it."""
    times = {"not_before": one.not_before, "not_after": one.not_after, "stamped": one.stamped}
    times |= {"drand": one.drand}
    shown = {name: None if time is None else utc(time * NS) for name, time in times.items()}
    return {"index": one.index, "slot": one.slot, **shown, "answer": WORDS[one.answer]}


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
