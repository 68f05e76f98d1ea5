"""`memcon coincidence`."""

from __future__ import annotations

import getpass
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import click

from memcon.aftermath.answer import answer
from memcon.aftermath.chance import NULLS
from memcon.aftermath.keeping import study_body
from memcon.aftermath.layouts import LAYOUTS
from memcon.aftermath.picture import alone, drawn, picture_of
from memcon.aftermath.reading import ENCODINGS, open_events
from memcon.aftermath.series import (
    MEASURES,
    Request,
    Selection,
    parse_holes,
    parse_regimes,
    read_series,
    study_of,
    tick_of,
)
from memcon.aftermath.study import CHOSEN, Hypothesis, Naming, facts
from memcon.aftermath.windows import STATISTICS
from memcon.cli.common import emit, home_option, json_option, out, reports_errors, write_text
from memcon.cli.dossier import desk_of
from memcon.errors import MachineError, UsageError
from memcon.service.followed import FollowedDesk, open_sets

if TYPE_CHECKING:
    from memcon.aftermath.frame import Unit
    from memcon.aftermath.layouts import Layout
    from memcon.aftermath.series import Measure, Series
    from memcon.aftermath.study import Chosen, Study
    from memcon.store.paths import Home

_FIGURES = ("ucdp", "acled")
_file = click.Path(exists=True, dir_okay=False, path_type=Path)


def _read(
    path: Path, measure: Measure | Literal["auto"], rest: Selection, unit: Unit, layout: str, encoding: str
) -> tuple[Series, str, str]:
    """(series, title of its layout, its measure)."""
    try:
        with path.open("rb") as stream:
            file = open_events(stream, path.name, layout, encoding)
            chosen = _measured(rest, measure, file.layout)
            return read_series(file, chosen, unit), file.layout.title, chosen.measure
    except OSError as error:
        raise MachineError(
            f"reading {path}: {error.strerror}", cure="Give a file that can be read"
        ) from error


def _measured(rest: Selection, measure: Measure | Literal["auto"], layout: Layout) -> Selection:
    figures: Measure = "best" if layout.key in _FIGURES else "events"
    return replace(rest, measure=figures if measure == "auto" else measure)


def _happened(
    home: Home,
    path: Path | None,
    name: str | None,
    measure: Measure | Literal["auto"],
    rest: Selection,
    how: tuple[Unit, str, str],
) -> tuple[Series, str, str, str]:
    """(series, title, measure, where from), of a file or of a set that was taken in."""
    if (path is None) == (name is None):
        raise UsageError("it is not said what happened", cure="Give either --events FILE or --set SET")
    if path is not None:
        return *_read(path, measure, rest, *how), f"file {path.name}"
    if how[0] != "day":
        raise UsageError("sets are counted in days", cure="Leave --unit out, or give a file with times")
    found = open_sets(home).open(str(name))
    chosen = _measured(rest, measure, found.layout)
    where = f"set {found.about.sha256[:12]} ({found.about.name})"
    return found.series(chosen), found.layout.title, chosen.measure, where


def _asked(chosen: str | None) -> Chosen:
    """The one question nobody may skip."""
    if chosen is not None:
        return cast("Chosen", chosen)
    if not sys.stdin.isatty():
        raise UsageError(
            "it is not said whether the hypothesis was written down before the events were seen",
            cure="Give --chosen before, after or unknown: it is kept and printed",
        )
    text = "Was the hypothesis written down before or after the events were seen?"
    said: Chosen = click.prompt(text, type=click.Choice(CHOSEN), err=True)
    return said


def _print(study: Study) -> None:
    said, say = answer(study), out()
    say.print(said.lede, markup=False)
    say.print("\nWhat was seen", markup=False)
    for line in said.seen:
        say.print(f"  {line}", markup=False)
    say.print("\nWhat cannot be concluded", markup=False)
    for line in said.not_concluded:
        say.print(f"  {line}", markup=False)
    say.print(f"\nHow we know: {said.how}", markup=False)


def report(study: Study) -> dict[str, Any]:
    """The study and its answer, as `--json` gives them."""
    said = answer(study)
    words = {"sentence": said.lede, "seen": said.seen, "not_concluded": said.not_concluded, "how": said.how}
    return {"answer": words, **facts(study)}


@click.command("coincidence")
@click.option("--events", type=_file, help="What happened: a UCDP, GDELT, ACLED, ICEWS or plain file")
@click.option("--set", "name", metavar="SET", help="What happened: a file taken in by memcon events import")
@click.option("--calls", required=True, type=_file, help="A list of calls: CSV with a column date")
@click.option("--call", "singled", metavar="DATE", help="The call that gave rise to the question")
@click.option("--hypothesis", "text", default="", metavar="TEXT", help="What is asked, in words")
@click.option(
    "--chosen", type=click.Choice(CHOSEN), help="Whether it was written down before the events were seen"
)
@click.option("--by", default="", metavar="NAME", help="Who says so")
@click.option("--on", default="", metavar="DATE", help="When it was written down")
@click.option("--evidence", default="", metavar="TEXT", help="What shows it: a sealed note")
@click.option("--from", "since", metavar="DATE", help="First day of the span [default: of the events]")
@click.option("--to", "until", metavar="DATE", help="Last day of the span")
@click.option("--window", "windows", type=click.IntRange(1), multiple=True, default=(3, 1, 2, 7),
              show_default=True, help="Length in days; the answer speaks of the first")  # fmt: skip
@click.option(
    "--lag", type=click.IntRange(0), default=1, show_default=True, help="Days between call and window"
)
@click.option("--symmetric", is_flag=True, help="The window reaches back as far as forward")
@click.option("--unit", type=click.Choice(["day", "second"]), default="day", show_default=True,
              help="Discrete time in days, or continuous time in seconds")  # fmt: skip
@click.option("--measure", type=click.Choice(["auto", *MEASURES]), default="auto", show_default=True,
              help="What is added up: events, or a figure of deaths")  # fmt: skip
@click.option(
    "--at-least", type=click.IntRange(1), default=1, show_default=True, help="Days with fewer do not count"
)
@click.option("--within-days", type=click.IntRange(1), default=6, show_default=True,
              help="Leave out events whose date is less certain")  # fmt: skip
@click.option("--kind", default="", metavar="TEXT", help="Only events whose kind begins so")
@click.option(
    "--country", default="", metavar="TEXT", help="Only events of this country, as the file writes it"
)
@click.option("--statistic", "statistics", type=click.Choice(STATISTICS), multiple=True,
              default=("total", "trigger", "precursor"), show_default=True)  # fmt: skip
@click.option(
    "--null", type=click.Choice(NULLS), default="circular", show_default=True, help="The null model"
)
@click.option(
    "--direction", type=click.Choice(["more", "fewer", "either"]), default="more", show_default=True
)
@click.option(
    "--regime", "regimes", multiple=True, metavar="DATE=LABEL", help="A regime begins (--null stratified)"
)
@click.option("--hole", "holes", multiple=True, metavar="DATE/DATE", help="Days without observation")
@click.option(
    "--block", type=click.IntRange(0), default=0, metavar="DAYS", help="Length of blocks (--null block)"
)
@click.option("--draws", type=click.IntRange(1, 1_000_000), default=9999, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option("--as", "layout", type=click.Choice(list(LAYOUTS)), help="The layout of the events' file")
@click.option("--encoding", type=click.Choice(ENCODINGS[:-1]), default="utf-8", show_default=True)
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="Write the picture to this file")
@click.option("--keep", metavar="DOSSIER", help="Keep the study in this dossier, sealed")
@home_option
@json_option
@reports_errors
def command(
    home: Home,
    events: Path | None,
    name: str | None,
    calls: Path,
    singled: str | None,
    text: str,
    chosen: str | None,
    by: str,
    on: str,
    evidence: str,
    since: str | None,
    until: str | None,
    windows: tuple[int, ...],
    unit: Unit,
    measure: Measure | Literal["auto"],
    within_days: int,
    kind: str,
    country: str,
    regimes: tuple[str, ...],
    holes: tuple[str, ...],
    layout: str | None,
    encoding: str,
    svg: Path | None,
    keep: str | None,
    as_json: bool,
    **rest: Any,  # noqa: ANN401 # options that are fields of Request as they are
) -> None:
    """Was it a coincidence? How rare was what followed, and what the whole class of calls shows."""
    hypothesis = Hypothesis(text, _asked(chosen), by, on, evidence)
    chosen_rows = Selection("events", within_days, kind, country)
    how = (unit, layout or "", encoding)
    happened, title, counted, where = _happened(home, events, name, measure, chosen_rows, how)
    listed, _, _ = _read(calls, "events", Selection(within=1), unit, "plain", encoding)
    request = Request(
        windows=windows,
        unit=unit,
        span=(
            None if since is None else tick_of(since, unit),
            None
            if until is None
            else tick_of(until, unit) + (86_399 if unit == "second" and "T" not in until else 0),
        ),
        call=None if singled is None else tick_of(singled, unit, what="call"),
        regimes=parse_regimes(regimes, unit),
        holes=parse_holes(holes, unit),
        **rest,
    )
    naming = Naming(
        "events" if counted == "events" else "deaths",
        "calls",
        events_from=f"{title}, {where}" + ("" if counted == "events" else f", {counted} figures"),
        calls_from=f"file {calls.name}",
    )
    study = study_of(happened, listed, request, hypothesis, naming)
    if svg is not None:
        write_text(svg, alone(drawn(picture_of(study))))
    if keep is not None:
        with desk_of(home) as desk:
            kept = FollowedDesk(desk).write(keep, "study", by or getpass.getuser(), study_body(study))
            click.echo(f"Entry {kept.entry.n} of dossier {keep}: study. Sealed by the next beat.", err=True)
    if as_json:
        emit(report(study))
    else:
        _print(study)
