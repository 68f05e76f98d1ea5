"""From files to series: which events and calls a study counts, and what it had to leave out."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

import numpy as np

from memcon.aftermath.answer import moment_words
from memcon.aftermath.frame import Frame, Ints, Unit
from memcon.aftermath.layouts import NONE
from memcon.aftermath.sequel import sequel
from memcon.aftermath.steady import CRITICAL, level_break
from memcon.aftermath.study import Naming, conduct
from memcon.aftermath.tally import Tally
from memcon.aftermath.testing import Question
from memcon.aftermath.windows import Window
from memcon.errors import FormatError, UsageError
from memcon.record import edtf

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memcon.aftermath.chance import Null
    from memcon.aftermath.reading import EventFile
    from memcon.aftermath.study import Hypothesis, Study
    from memcon.aftermath.testing import Direction
    from memcon.aftermath.windows import Statistic

Measure = Literal["events", "low", "best", "high"]
MEASURES: tuple[Measure, ...] = ("events", "low", "best", "high")
DAY_S = 86_400
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class Series:
    """Times in ticks: the first and the last each event may have, its weight. `remarks`: what is left out."""

    first: Ints
    last: Ints
    weights: Ints
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows count. `within`: dated to so many days or better; `kind`, `country` as in the file."""

    measure: Measure = "events"
    within: int = 6
    kind: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asks for, in days (seconds where `unit` is second). `span` ends with its last tick in it.

    A window of N days is Donges' dT = N - 1: both its days count. `regimes` are (first tick, label).
    """

    windows: tuple[int, ...]
    lag: int = 1
    symmetric: bool = False
    unit: Unit = "day"
    span: tuple[int | None, int | None] = (None, None)
    call: int | None = None
    at_least: int = 1
    statistics: tuple[Statistic, ...] = ("total", "trigger", "precursor")
    null: Null = "circular"
    direction: Direction = "more"
    draws: int = 9999
    seed: int = 1
    block: int = 0
    regimes: tuple[tuple[int, str], ...] = ()
    holes: tuple[tuple[int, int], ...] = ()


def read_series(file: EventFile, selection: Selection, unit: Unit = "day") -> Series:
    """The rows of a file that fit, as a series. FormatError where a second is asked of a file of days."""
    first, last, weights = array("q"), array("q"), array("q")
    vague = bare = 0
    for row, *_ in file:
        if (selection.kind and not row.kind.startswith(selection.kind)) or (
            selection.country and row.country != selection.country
        ):
            continue
        weight = 1 if selection.measure == "events" else getattr(row, selection.measure)
        if weight == NONE:
            bare += 1
        elif row.within > selection.within:
            vague += 1
        elif unit == "day":
            first.append(row.start)
            last.append(row.end)
            weights.append(weight)
        elif row.second == NONE:
            raise FormatError(
                file.name,
                "a date without a time of day",
                where=f"row {file.rows}",
                cure="Count in days, or give times as 2017-01-28T17:00:00Z",
            )
        else:
            first.append(row.second)
            last.append(row.second)
            weights.append(weight)
    remarks = [
        f"{n:,} row{' of' if n == 1 else 's of'} {file.name} {'is' if n == 1 else 'are'} left out: {why}."
        for n, why in (
            (vague, f"not dated to within {selection.within} days"),
            (bare, f"no {selection.measure} figure"),
            (file.bad, f"cannot be read ({file.refused[0].reason})" if file.refused else ""),
        )
        if n
    ]
    return Series(_ints(first), _ints(last), _ints(weights), tuple(remarks))


def _ints(values: array[int]) -> Ints:
    return np.frombuffer(values, np.int64) if len(values) else np.zeros(0, np.int64)


def study_of(
    events: Series, calls: Series, request: Request, hypothesis: Hypothesis, naming: Naming
) -> Study:
    """Carry a request out over two series."""
    frame, parted = _frame(events, request)
    merge = request.unit == "day"
    inside = frame.holds(events.first)
    tally = _tally(events.first[inside], events.weights[inside], request, merge=merge)
    ends = None
    if bool((events.last > events.first).any()):
        inside = frame.holds(events.last)
        ends = _tally(events.last[inside], events.weights[inside], request, merge=merge)
    there = frame.holds(calls.first)
    moments = np.unique(calls.first[there]) if merge else calls.first[there]
    remarks = [*naming.remarks, *parted, *events.remarks, *calls.remarks]
    outside = int((~there).sum())
    if outside:
        remarks.append(f"Of the {naming.calls}, {outside:,} outside the span are left out.")
    width = 1 if merge else 0
    question = Question(
        tuple(_window(n - width, request) for n in request.windows),
        request.statistics,
        request.null,
        request.direction,
        request.draws,
        request.seed,
        request.block,
    )
    named = Naming(
        naming.events,
        naming.calls,
        naming.call or (moment_words(request.call, request.unit) if request.call is not None else ""),
        naming.events_from,
        naming.calls_from,
        _span_words(frame),
        tuple(remarks),
    )
    return conduct(tally, moments, frame, question, hypothesis, named, call=request.call, at_end=ends)


def _window(width: int, request: Request) -> Window:
    if width < 0:
        raise UsageError("a window of no days", cure="Give 1 day at least")
    return Window(width, request.lag, request.symmetric)


def _tally(times: Ints, weights: Ints, request: Request, *, merge: bool) -> Tally:
    tally = Tally(times, weights, merge=merge)
    if request.at_least <= 1:
        return tally
    enough = tally.weights >= request.at_least
    return Tally(tally.times[enough], tally.weights[enough])


def _frame(events: Series, request: Request) -> tuple[Frame, list[str]]:
    """The span, and what of the events' own span is left out, in words."""
    start, end = request.span
    if (start is None or end is None) and not len(events.first):
        raise UsageError(
            "no event fits, and no span is given", cure="Give a span, or a wider choice of events"
        )
    begin = int(events.first.min()) if start is None else start
    stop = int(events.first.max()) + 1 if end is None else end + 1
    remarks: list[str] = []
    if request.span == (None, None) and request.unit == "day" and not request.regimes:
        begin, stop, remarks = _like_the_call(events, request, begin, stop)
    frame = Frame.of(begin, stop, request.unit)
    if request.holes:
        frame = frame.without(request.holes)
    return (frame.regimes(request.regimes) if request.regimes else frame), remarks


def _like_the_call(events: Series, request: Request, begin: int, stop: int) -> tuple[int, int, list[str]]:
    """Where nobody chose a span: the part of the file whose level is that of the call's own days."""
    found = None if request.call is None else level_break(events.first, events.weights, begin, stop)
    if found is None or request.call is None:
        return begin, stop, []
    late = request.call >= found.at
    left = (begin, found.at) if late else (found.at, stop)
    there, here = (found.before, found.after) if late else (found.after, found.before)
    first, last = moment_words(left[0], "day"), moment_words(left[1] - 1, "day")
    whole = sequel(
        Tally(events.first, events.weights, merge=True),
        request.call,
        Frame.of(begin, stop),
        _window(request.windows[0] - 1, request),
    )
    said = (
        f"{first} to {last} is left out, since no span was given: {there:,.2f} a day against {here:,.2f} in "
        f"the call's own part of the file, another state of affairs{_wald_words(found.wald)}. Compared with "
        f"the whole file, as much followed {whole.as_many:,} of {whole.ticks:,} days."
    )
    return (found.at, stop, [said]) if late else (begin, found.at, [said])


def _wald_words(wald: float) -> str:
    """The test that parted them, by its figure."""
    if wald == float("inf"):
        return ""
    return f" (largest Wald statistic {wald:,.0f}; {CRITICAL} at 1 %, Andrews 2003)"


def _span_words(frame: Frame) -> str:
    first, last = frame.segments[0].start, frame.segments[-1].end - 1
    many = f"{frame.length:,} {frame.unit}s"
    return f"{moment_words(first, frame.unit)} to {moment_words(last, frame.unit)}, {many}"


def tick_of(text: str, unit: Unit, *, what: str = "date") -> int:
    """A day or a moment as a person writes it (2017-01-28, 2017-01-28T17:00Z), as a tick."""
    read = edtf.parse(text)
    if read.start is None or read.precision not in ("second", "minute", "day"):
        raise UsageError(f"{text!r} is no {what} known to the day", cure="Write it as 2017-01-28")
    seconds = read.start // 1_000_000_000
    return seconds if unit == "second" else seconds // DAY_S + _EPOCH


def parse_regimes(texts: Iterable[str], unit: Unit) -> tuple[tuple[int, str], ...]:
    """`2014-09-05=ceasefire` each."""
    made = []
    for text in texts:
        day, sign, label = text.partition("=")
        if not sign or not label.strip():
            raise UsageError(f"{text!r} is no regime", cure="Write it as 2015-02-15=ceasefire")
        made.append((tick_of(day, unit, what="first day of a regime"), label.strip()))
    return tuple(made)


def parse_holes(texts: Iterable[str], unit: Unit) -> tuple[tuple[int, int], ...]:
    """`2016-01-01/2016-01-31` each, both days in it."""
    made = []
    for text in texts:
        first, _, last = text.partition("/")
        start, end = tick_of(first, unit), tick_of(last or first, unit) + 1
        if end <= start:
            raise UsageError(f"{text!r} ends before it begins", cure="Write it as 2016-01-01/2016-01-31")
        made.append((start, end))
    return tuple(made)
