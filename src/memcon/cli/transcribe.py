"""`memcon transcribe`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from memcon.catalogue.catalogue import Filter
from memcon.cli.calls import catalogue_of
from memcon.cli.common import (
    EXIT_FOUND,
    call_number,
    emit,
    home_option,
    json_option,
    load_config,
    out,
    reports_errors,
)
from memcon.cli.taken import intakes_of
from memcon.clock import SystemClock
from memcon.errors import MemconError, UsageError
from memcon.record.transcript_diff import changed_words
from memcon.service.archive import Archive
from memcon.service.config import with_model
from memcon.service.transcribing import Outcome, Transcriber, named
from memcon.service.transcripts import open_transcripts
from memcon.store.paths import Home
from memcon.transcribe.models import need_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOWN = 20
ENDED = ("recorded", "partly", "taken")


def outcome_json(number: int, outcome: Outcome) -> dict[str, Any]:
    """One call as `--json` reports it."""
    if outcome.kept is None:
        return {"call": number, "version": None}
    made = outcome.kept.transcript
    gone, come = changed_words(outcome.changes)
    return {
        "call": number,
        "version": made.version,
        "hash": outcome.kept.hash,
        "words": made.count(),
        "compared_with": outcome.before.version if outcome.before else None,
        "words_gone": gone,
        "words_come": come,
        "changes": [
            {"lane": c.lane, "start_ms": c.start, "end_ms": c.end, "what": c.what, "before": c.before,
             "after": c.after}
            for c in outcome.changes
        ],
    }  # fmt: skip


def describe(number: int, outcome: Outcome) -> Iterator[str]:
    """One call in lines of text."""
    if outcome.kept is None:
        yield f"call {named(number)}: is of this model already (--again makes it anew)"
        return
    made = outcome.kept.transcript
    yield f"call {named(number)}: version {made.version}, {made.count():,} words"
    if outcome.before is None:
        return
    gone, come = changed_words(outcome.changes)
    yield f"  against version {outcome.before.version}: {gone:,} words gone, {come:,} come"
    for change in outcome.changes[:SHOWN]:
        at = f"{change.start // 60_000}:{change.start // 1000 % 60:02d}"
        yield f"  {change.lane} {at}  {change.before or '(nothing)'} -> {change.after or '(nothing)'}"
    if len(outcome.changes) > SHOWN:
        yield f"  and {len(outcome.changes) - SHOWN:,} more: --json gives all"


def _numbers(home: Home, named: tuple[str, ...], *, all_: bool) -> list[int]:
    """The calls asked for, oldest first."""
    if bool(named) == all_:
        raise UsageError("say which calls", cure="Name them, or give --all")
    if named:
        return [call_number(text) for text in named]
    found: list[int] = []
    with catalogue_of(home) as catalogue:
        page = 1
        while rows := catalogue.register(Filter(), page=page, size=500).rows:
            found += [row.number for row in rows if row.state in ENDED]
            page += 1
    return sorted(found)


@click.command("transcribe")
@click.argument("calls", nargs=-1, metavar="[CALL]...")
@click.option("--all", "all_", is_flag=True, help="Every call that has ended; going on where it stopped")
@click.option("--model", metavar="NAME|DIR", help="Another model than [speech] model")
@click.option("--again", is_flag=True, help="Also what this model has transcribed already")
@home_option
@json_option
@reports_errors
def command(
    home: Home, calls: tuple[str, ...], all_: bool, model: str | None, again: bool, as_json: bool
) -> None:
    """Write what is said in calls, as the next version of their transcripts, and say what changed.

    A call whose newest version is of the same model, settings and sound is passed over: an interrupted
    --all goes on where it stopped. Exit code 1 where a call could not be transcribed; the others were.
    """
    config = load_config(home)
    need_engine()
    home = Home(home.root, config.vault_path)
    clock = SystemClock()
    speech = with_model(config.speech, model)
    numbers = _numbers(home, calls, all_=all_)
    with intakes_of(home) as intakes:
        archive, store = Archive(home, config, clock), open_transcripts(home, clock)
        worker = Transcriber(archive, store, speech, intakes=intakes)
        failed, reports = _work(worker, numbers, again=again, as_json=as_json)
    if as_json:
        emit(reports)
    if failed:
        sys.exit(EXIT_FOUND)


def _work(
    worker: Transcriber, numbers: list[int], *, again: bool, as_json: bool
) -> tuple[bool, list[dict[str, Any]]]:
    """Transcribe one after the other; whether one failed, and the reports."""
    reports: list[dict[str, Any]] = []
    failed = False
    for place, number in enumerate(numbers, 1):
        try:
            outcome = worker.transcribe(number, again=again, say=_progress(number, place, len(numbers)))
        except MemconError as error:
            failed = True
            reports.append({"call": number, "error": str(error)})
            click.echo(f"memcon: call {named(number)}: {error}", err=True)
            continue
        reports.append(outcome_json(number, outcome))
        if not as_json:
            for line in describe(number, outcome):
                out().print(line, markup=False)
    return failed, reports


class _Progress:
    """How far a call is, on a terminal's standard error."""

    def __init__(self, head: str) -> None:
        self._head = head
        self._said = -1

    def __call__(self, done: int, whole: int) -> None:
        percent = 100 * done // max(whole, 1)
        if percent != self._said and sys.stderr.isatty():
            self._said = percent
            click.echo(f"\r{self._head}: {percent:3d} %", err=True, nl=done >= whole)


def _progress(number: int, place: int, count: int) -> _Progress:
    return _Progress(f"call {named(number)} ({place} of {count})")
