"""The answer in plain words: what was seen, and what cannot be concluded from it.

A sentence is said only where its number stands for it; nothing here decides that a call caused anything.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from memcon.aftermath.sequel import Sequel
    from memcon.aftermath.study import Study
    from memcon.aftermath.testing import Outcome
    from memcon.aftermath.windows import Window

LEVEL = 0.05
RARE, UNUSUAL = 0.01, 0.05
CLUSTERED = 1.2
_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@dataclass(frozen=True, slots=True)
class Answer:
    """`lede` is true if read alone; `seen`: the numbers behind it; `not_concluded`: what they do not say."""

    lede: str
    seen: tuple[str, ...]
    not_concluded: tuple[str, ...]
    how: str


def answer(study: Study) -> Answer:
    """The answer to "was it a coincidence?" for a study."""
    return Answer(_lede(study), tuple(_seen(study)), tuple(_not_concluded(study)), _how(study))


def p_words(p: float) -> str:
    """`.254`, `1`, `.0004`, `2.4e-09`: never 0."""
    if p >= 0.9995:
        return "1"
    if p >= 0.001:
        return f"{p:.3f}"[1:]
    return f"{p:.4f}"[1:] if p >= 0.0001 else f"{p:.1e}"


def one_in(share: float) -> int:
    """About 1 in how many, to one digit; below 20 exactly rounded."""
    n = 1 / share
    if n < 20:
        return max(1, round(n))
    scale = int(10 ** int(math.log10(n)))
    return round(n / scale) * scale


def small(n: int) -> str:
    """Numbers up to ten as words inside a sentence about windows."""
    return _WORDS[n] if 0 <= n < len(_WORDS) else f"{n:,}"


def length_words(ticks: int, unit: str) -> str:
    """`three days`, `36 h`, `90 s`."""
    if unit == "day":
        return f"{small(ticks)} day{'' if ticks == 1 else 's'}"
    for size, name in ((86400, "days"), (3600, "h"), (60, "min")):
        if ticks % size == 0 and ticks >= size:
            n = ticks // size
            return f"{n:,} {name[:-1] if name == 'days' and n == 1 else name}"
    return f"{ticks:,} s"


def window_words(window: Window, unit: str) -> str:
    """When, seen from a call: `in the next three days`."""
    if unit == "day":
        span = window.width + 1
        if window.symmetric:
            middle = f" of day {window.lag} after it" if window.lag else ""
            return f"within {length_words(window.width, unit)} before or after{middle}"
        if window.lag == 0:
            rest = f" and the next {length_words(window.width, unit)}" if window.width else ""
            return f"on the same day{rest}"
        if window.lag == 1:
            return "the next day" if span == 1 else f"in the next {length_words(span, unit)}"
        return f"from day {window.lag} to day {window.lag + window.width} after"
    if window.symmetric:
        return f"within {length_words(window.width, unit)} of {length_words(window.lag, unit)} after"
    lag = f", from {length_words(window.lag, unit)} after it on" if window.lag else ""
    return f"in the {length_words(window.width, unit)} after{lag}"


def moment_words(tick: int, unit: str) -> str:
    """A tick as a date: `28 January 2017`."""
    day = date.fromordinal(tick) if unit == "day" else date.fromordinal(tick // 86400 + 719163)
    return f"{day.day} {day:%B %Y}"


def _main(study: Study) -> Outcome:
    return study.tested.outcomes[0]


def _rarity(s: Sequel, unit: str) -> str:
    tick = {"day": "day", "second": "second"}[unit]
    n = one_in(s.share)
    word = "rare" if s.share <= RARE else "unusual" if s.share <= UNUSUAL else "not rare"
    return f"{word}, about 1 {tick} in {n:,}" if n > 1 else "not rare: as much followed every day"


def _lede(study: Study) -> str:
    parts = []
    chosen = study.hypothesis.chosen
    picked = {
        "after": "it was picked after the fact",
        "unknown": "it is not known to have been picked before the fact",
        "before": "",
    }[chosen]
    class_words = _class_clause(study)
    if study.sequels:
        rarity = _rarity(study.sequels[0], study.unit)
        parts.append(f"What followed was {rarity}")
        rest = [p for p in (picked, class_words) if p]
        return f"{parts[0]}; but {', '.join(rest)}, and one event cannot tell a cause from chance."
    first = class_words[:1].upper() + class_words[1:]
    if chosen == "before":
        return f"{first}; a coincidence in time is not a cause."
    return f"{first}; the hypothesis {_chosen_words(chosen)}, and a coincidence in time is not a cause."


def _chosen_words(chosen: str) -> str:
    return {
        "before": "was written down before the events were seen",
        "after": "was written down after the events were seen",
        "unknown": "is not known to have been written down before the events were seen",
    }[chosen]


def _class_clause(study: Study) -> str:
    """What the class shows, by the p of the family."""
    main = _main(study)
    naming = study.naming
    what = {
        "total": f"{{more}} {naming.events} after them",
        "trigger": f"{naming.events} after them {{often}}",
        "precursor": f"{naming.events} with a call before them {{often}}",
    }[main.statistic]
    more, often = {
        "more": ("more", "more often"),
        "fewer": ("fewer", "less often"),
        "either": ("more or fewer", "more or less often"),
    }[study.question.direction]
    said = what.format(more=more, often=often)
    if main.p_family > LEVEL:
        return f"{naming.calls} of this kind show no {said} than chance gives".replace(
            "no more or", "neither more nor"
        )
    return f"{naming.calls} of this kind show {said} than chance gives (p {p_words(main.p_family)})"


def _seen(study: Study) -> list[str]:
    t, naming = study.tested, study.naming
    lines = [
        f"{_cap(window_words(s.window, study.unit))} after {naming.call or 'the call'}: {s.value:,} "
        f"{naming.events}. At least as many followed {s.as_many:,} of {s.ticks:,} {study.unit}s "
        f"({_percent(s.share)}), in {small(s.stretches)} separate stretch{'' if s.stretches == 1 else 'es'}."
        for s in study.sequels
    ]
    for s, ended in zip(study.sequels, study.sequels_at_end, strict=False):
        if ended.value != s.value or ended.as_many != s.as_many:
            lines.append(
                f"With every event placed on the last day it may have happened: {ended.value:,} "
                f"{window_words(s.window, study.unit)}, as many after {ended.as_many:,} of "
                f"{ended.ticks:,} {study.unit}s. Uncertain dates alone make this difference."
            )
            break
    lines.extend(f"{_outcome_words(study, o)}{_without_words(study, o)}." for o in t.outcomes)
    if len(t.outcomes) > 1:
        lines.append(
            f"{len(t.outcomes)} windows and statistics were looked at; corrected, p is the chance that any "
            "of them looks so extreme: the largest of each placement, over the same placements."
        )
    return lines


def _outcome_words(study: Study, o: Outcome) -> str:
    naming, per = study.naming, window_words(o.window, study.unit)
    chance = o.chance / o.of if o.of else 0.0
    p = f"p {p_words(o.p)}, corrected {p_words(o.p_family)}"
    if o.poisson is not None:
        p += f", by Poisson {p_words(o.poisson)}"
    if o.statistic == "total":
        return (
            f"{o.of:,} {naming.calls}, {per}: {o.rate:,.2f} {naming.events} on average, by chance "
            f"{chance:,.2f}; {p}"
        )
    whose = (
        f"{naming.calls} with an event"
        if o.statistic == "trigger"
        else f"{_event_words(study)} with a call before them,"
    )
    return f"{o.value:,} of {o.of:,} {whose} {per} ({_percent(o.rate)}, by chance {_percent(chance)}); {p}"


def _without_words(study: Study, o: Outcome) -> str:
    if study.without is None:
        return ""
    other = study.without.of(o.window, o.statistic)
    return f". Without {study.naming.call or 'the call'}: p {p_words(other.p)}"


def _not_concluded(study: Study) -> list[str]:
    main, naming = _main(study), study.naming
    lines = []
    if study.call is not None:
        lines.append("That the call had a part in what followed, or that it had none: one event cannot tell.")
    if study.hypothesis.chosen != "before":
        lines.append(
            "That the hypothesis holds: it was found in the data that it is tested on, or nobody can show "
            "that it was not. A test needs events that were not yet seen when it was written down."
        )
    elif not study.hypothesis.evidence:
        lines.append(
            "That the hypothesis was there first: it is the word of whoever says so, no sealed note is named."
        )
    if main.p_family > LEVEL:
        lines.append(
            f"That such {naming.calls} have no effect: there are {study.tested.calls:,} of them, and "
            f"{_least(study)} could not have been told from chance."
        )
    else:
        lines.append(
            f"That such {naming.calls} are a cause: what leads to a call may lead to the events too, and the "
            "null model knows of no common cause."
        )
    lines.extend(naming.remarks)
    return lines


def _least(study: Study) -> str:
    """What would have been needed to see an effect, from the placements themselves."""
    main = _main(study)
    if study.question.direction == "fewer":
        edge = float(np.quantile(study.tested.placed, LEVEL))
        word = "more than"
    else:
        edge = float(np.quantile(study.tested.placed, 1 - LEVEL))
        word = "less than"
    if main.statistic == "total":
        return f"{word} {edge / main.of:,.2f} {study.naming.events} on average"
    return f"{word} {_percent(edge / main.of)}" if main.of else "nothing"


def _how(study: Study) -> str:
    q, t, n, h = study.question, study.tested, study.naming, study.hypothesis
    model = {
        "circular": "circular shifts",
        "block": f"permutation of blocks of {length_words(q.block, study.unit)}",
        "stratified": "circular shifts within each regime",
        "poisson": "calls put anywhere",
    }[q.null]
    draws = f"all {t.draws:,} of them" if t.exact else f"{t.draws:,} drawn with seed {q.seed}"
    parts = [
        f"{_cap(n.events_from)}" if n.events_from else "",
        f"{_cap(n.calls)}: {n.calls_from}" if n.calls_from else "",
        n.span,
        f"event coincidence analysis (Donges et al. 2016) with {model}, {draws}, p = (1 + count) / (1 + n)",
        f"the hypothesis {_chosen_words(h.chosen)}"
        + (f", by {h.by}" if h.by else "")
        + (f", {h.on}" if h.on else "")
        + (f" (evidence: {h.evidence})" if h.evidence else ""),
    ]
    warning = _poisson_warning(study)
    return ". ".join(_cap(p) for p in [*parts, warning] if p) + "."


def _poisson_warning(study: Study) -> str:
    """Where both series cluster, Poisson says *remarkable* too easily."""
    both = [v for v in study.variation if v is not None]
    said = ", ".join(f"{v:.2f}" for v in both)
    gaps = f"spread of gaps over their mean {said}; 1 for Poisson"
    if len(both) == 2 and min(both) > CLUSTERED:
        return f"p by Poisson is too small here: both series cluster ({gaps})"
    if study.question.null == "poisson" or any(o.poisson is not None for o in study.tested.outcomes):
        return f"p by Poisson holds for series that do not cluster ({gaps})"
    return ""


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %" if share < 0.1 else f"{100 * share:.0f} %"


def _cap(text: str) -> str:
    return text[:1].upper() + text[1:]


def _event_words(study: Study) -> str:
    """Events of one day are one in discrete time."""
    return "days with an event" if study.unit == "day" else "events"
