"""The picture of an answer: how often each value came, and where this one stands. SVG, drawn here.

Its classes are those of the style sheet; `alone` makes a file of it that needs none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from memcon.aftermath.frame import Ints
    from memcon.aftermath.study import Study

from memcon.aftermath.answer import window_words

WIDTH, HEIGHT = 604, 222
_LEFT, _FOOT, _TOP = 58, 196, 28
_MOST_BARS = 54
_GRID = tuple(d * 10**e for e in range(12) for d in (1, 5))
_STEPS = tuple(d * 10**e for e in range(18) for d in (1, 2, 5))
_STYLE = (
    "<style>svg{background:#fff}text{font:13px sans-serif;fill:#171b21}.mute{fill:#4b525c}"
    ".tick{fill:#171b21}.grid{stroke:#c8c8c0}.ax{stroke:#171b21;fill:none}</style>"
)


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn: `bars` are counts in bins of `width` from 0, a line stands at `mark` with two texts."""

    bars: tuple[int, ...]
    width: int
    mark: int
    said: tuple[str, str]
    label: str


def histogram(values: Ints, often: Ints, mark: int, said: tuple[str, str], label: str) -> Picture:
    """Values from 0, each as often as it came, in at most `_MOST_BARS` bins."""
    top = int(values.max(initial=0))
    width = top // _MOST_BARS + 1
    bars = np.bincount(values // width, weights=often, minlength=10)
    return Picture(tuple(int(n) for n in bars), width, mark, said, label)


def drawn(picture: Picture) -> str:
    """Bars on a square-root scale, and the line; the second text in muted ink."""
    bars, width, mark, said = picture.bars, picture.width, picture.mark, picture.said
    most = max(1, *bars)
    step = (WIDTH - _LEFT) / max(len(bars), 12)

    def up(n: float) -> float:
        return _FOOT - (_FOOT - _TOP) * math.sqrt(n / most)

    parts = []
    lines = [g for g in _GRID if 2 <= g <= most and up(g) < _FOOT - 12][-4:] or [most]
    for g in lines:
        parts.append(f'<path class="grid" d="M{_LEFT} {up(g):.0f}H{WIDTH - 1}"/>')
        parts.append(f'<text class="mute" x="50" y="{up(g) + 4:.0f}" text-anchor="end">{g:,}</text>')
    wide = step * 0.7
    drawn = "".join(
        # a bar is never under a pixel: one day of thousands is seen
        f"M{_LEFT + i * step:.1f} {min(up(n), _FOOT - 1):.1f}h{wide:.1f}V{_FOOT}h-{wide:.1f}z"
        for i, n in enumerate(bars)
        if n
    )
    parts.append(f'<path class="tick" d="{drawn}"/><path class="ax" d="M{_LEFT} {_FOOT}.5H{WIDTH - 1}"/>')
    every = next(n for n in _STEPS if n * 7 >= len(bars) * width)
    for value in range(0, len(bars) * width, every):
        x = _LEFT + value / width * step + step * 0.35
        parts.append(f'<text x="{x:.0f}" y="214" text-anchor="middle">{value:,}</text>')
    x = _LEFT + mark // width * step + step * 0.35
    anchor, shift = ("start", 8) if x < WIDTH * 0.6 else ("end", -8)
    parts.append(f'<path class="ax" d="M{x:.1f} {_FOOT - 8}V64"/>')
    for y, css, text in ((76, "", said[0]), (98, ' class="mute"', said[1])):
        parts.append(f'<text{css} x="{x + shift:.0f}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>')
    return (
        f'<svg class="plot" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(picture.label)}">{"".join(parts)}</svg>'
    )


def sequel_picture(study: Study) -> Picture:
    """All windows of the span by what they hold, and the one of the call."""
    s, name = study.sequels[0], study.naming
    when = window_words(s.window, study.unit)
    label = (
        f"How many of {s.ticks:,} {study.unit}s were followed by so many {name.events} {when}. "
        f"{s.as_many:,} by {s.value:,} or more, among them {name.call or 'the call'}."
    )
    said = (
        f"{name.call or 'this call'}: {s.value:,} {name.events}",
        f"as many on {s.as_many:,} of {s.ticks:,} {study.unit}s",
    )
    return histogram(s.values, s.often, s.value, said, label)


def class_picture(study: Study) -> Picture:
    """What chance gave for the class in the first window, and what the calls show."""
    main = study.tested.outcomes[0]
    values, often = np.unique(study.tested.placed, return_counts=True)
    label = (
        f"What {len(study.tested.placed):,} placements of the calls at chance gave in all, and what the "
        f"{main.of:,} calls show: {main.value:,}."
    )
    said = (f"these calls: {main.value:,}", f"{int(often[values >= main.value].sum()):,} placements as many")
    return histogram(values, often, main.value, said, label)


def picture_of(study: Study) -> Picture:
    """The sequel of the call that was singled out, else the class."""
    return sequel_picture(study) if study.sequels else class_picture(study)


def alone(svg: str) -> str:
    """The picture as a file of its own, black on white."""
    head, rest = svg.split(">", 1)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}>{_STYLE}{rest}\n'
