"""A coincidence study: one hypothesis, the sequel of one call, and what the whole class of calls shows.

The two are kept apart on purpose. How rare the sequel of a picked call is says nothing about a cause;
what the class shows is a test only where the hypothesis stood before the data were seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from memcon.aftermath.sequel import Sequel, sequel
from memcon.aftermath.testing import Question, Tested, examine, gap_variation
from memcon.errors import UsageError

if TYPE_CHECKING:
    from memcon.aftermath.frame import Frame, Ints
    from memcon.aftermath.tally import Tally

Chosen = Literal["before", "after", "unknown"]
CHOSEN: tuple[Chosen, ...] = ("before", "after", "unknown")


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What was asked, and whether it was written down before or after the events were seen.

    `by` and `on` say who says so and when; `evidence` names what shows it (the number of a sealed note).
    Without it, *before* is somebody's word.
    """

    text: str
    chosen: Chosen
    by: str = ""
    on: str = ""
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Naming:
    """The words of an answer: `events` ("deaths"), `calls`, where they come from, what is left out."""

    events: str = "events"
    calls: str = "calls"
    call: str = ""
    events_from: str = ""
    calls_from: str = ""
    span: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Study:
    """Everything that an answer is made of. `sequels` and `without` are empty where no call is singled out.

    `sequels_at_end` are the sequels with every event placed on the last day it may have happened,
    `sequels` on the first.
    """

    hypothesis: Hypothesis
    question: Question
    naming: Naming
    tested: Tested
    unit: str
    first: int
    last: int
    call: int | None = None
    without: Tested | None = None
    sequels: tuple[Sequel, ...] = ()
    sequels_at_end: tuple[Sequel, ...] = ()
    variation: tuple[float | None, float | None] = field(default=(None, None))


def conduct(
    events: Tally,
    calls: Ints,
    frame: Frame,
    question: Question,
    hypothesis: Hypothesis,
    naming: Naming,
    *,
    call: int | None = None,
    at_end: Tally | None = None,
) -> Study:
    """Carry a study out. `call` (a tick) singles one of the calls out; it need not be one of them."""
    tested = examine(events, calls, frame, question)
    without = None
    if call is not None:
        if not bool(frame.holds(np.array([call]))[0]):
            raise UsageError("the call singled out lies outside the span", cure="Give a span that holds it")
        others = calls[calls != call]
        if len(others) and len(others) < len(calls):
            without = examine(events, others, frame, question)
    singled = [] if call is None else [sequel(events, call, frame, w) for w in question.windows]
    ended = (
        [] if call is None or at_end is None else [sequel(at_end, call, frame, w) for w in question.windows]
    )
    return Study(
        hypothesis,
        question,
        naming,
        tested,
        frame.unit,
        frame.segments[0].start,
        frame.segments[-1].end - 1,
        call,
        without,
        tuple(singled),
        tuple(ended),
        (gap_variation(events.times), gap_variation(calls)),
    )


def facts(study: Study) -> dict[str, Any]:
    """The study as JSON: every number of the answer, and what is needed to get it again."""
    q, h, t = study.question, study.hypothesis, study.tested
    return {
        "hypothesis": {
            "text": h.text,
            "written_down": h.chosen,
            "by": h.by,
            "on": h.on,
            "evidence": h.evidence,
        },
        "series": {
            "events": {"what": study.naming.events, "from": study.naming.events_from, "n": t.events},
            "calls": {"what": study.naming.calls, "from": study.naming.calls_from, "n": t.calls},
            "span": study.naming.span,
            "unit": study.unit,
            "length": t.length,
            "gap_variation": {
                "events": _rounded(study.variation[0]),
                "calls": _rounded(study.variation[1]),
            },
        },
        "null": {
            "model": q.null,
            "direction": q.direction,
            "draws": t.draws,
            "every_shift": t.exact,
            "seed": q.seed,
            "block": q.block or None,
            "p": "(1 + as extreme) / (1 + draws)",
        },
        "class": _outcomes(t),
        "class_without_the_call": None if study.without is None else _outcomes(study.without),
        "sequel": [_sequel(s) for s in study.sequels],
        "sequel_by_last_dates": [_sequel(s) for s in study.sequels_at_end],
        "remarks": list(study.naming.remarks),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _outcomes(tested: Tested) -> list[dict[str, Any]]:
    return [
        {
            "window": o.window.width,
            "lag": o.window.lag,
            "symmetric": o.window.symmetric,
            "statistic": o.statistic,
            "value": o.value,
            "of": o.of,
            "rate": o.rate,
            "chance": o.chance / o.of if o.of else 0.0,
            "p": o.p,
            "p_family": o.p_family,
            "p_poisson": o.poisson,
        }
        for o in tested.outcomes
    ]


def _sequel(s: Sequel) -> dict[str, Any]:
    return {
        "window": s.window.width,
        "lag": s.window.lag,
        "symmetric": s.window.symmetric,
        "value": s.value,
        "as_many": s.as_many,
        "of": s.ticks,
        "share": s.share,
        "stretches": s.stretches,
    }
