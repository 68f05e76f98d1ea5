"""The time line drawn: one row an item, a tick where it is known to the day, an open span where it is not.

A span's ends are drawn as brackets and nothing fills it: it is not known when in it. An end that is open
or unknown is dotted. The call is a line through all rows.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from memcon.aftermath.answer import moment_words
from memcon.aftermath.timeline import CALL, Item

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, ROW, TOP, LEFT = 760, 22, 26, 12
_ROOM = 300  # for the longest title, at the right of its mark
_DAY = 86_400 * 1_000_000_000
_FIRST, _LAST = -719_162, 2_932_896  # the days of the years 1 to 9999
_STYLE = (
    "<style>svg{background:#fff}text{font:13px sans-serif;fill:#171b21}.mute{fill:#4b525c}"
    ".tick{fill:#171b21}.grid{stroke:#c8c8c0}.ax{stroke:#171b21;fill:none}</style>"
)
_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 365, 730, 1825, 3650, 18_250, 36_500, 365_000)


def drawn(items: Sequence[Item]) -> str:
    """The picture; items that are not dated are not in it (the list says them)."""
    dated = [item for item in items if item.date is not None]
    begin, end = _span(dated)
    height = TOP + ROW * max(1, len(dated)) + 8
    parts = _grid(begin, end, height)
    for i, item in enumerate(dated):
        parts.append(_row(item, TOP + ROW * i, begin, end, height))
    label = _sentence(dated)
    return (
        f'<svg class="plot" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="group" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def alone(svg: str) -> str:
    """The picture as a file that needs no style sheet."""
    head, rest = svg.split(">", 1)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}>{_STYLE}{rest}\n'


def _span(items: Sequence[Item]) -> tuple[int, int]:
    """From the first to the last that is known, a twentieth more on each side."""
    known = [t for i in items if i.date for t in (i.date.start, i.date.end) if t is not None]
    if not known:
        return 0, _DAY
    begin, end = min(known), max(known)
    margin = max(_DAY // 2, (end - begin) // 20)
    return begin - margin, end + margin


def _x(ns: int, begin: int, end: int) -> float:
    return LEFT + (WIDTH - _ROOM - LEFT) * (ns - begin) / (end - begin)


def _grid(begin: int, end: int, height: int) -> list[str]:
    days = (end - begin) // _DAY + 1
    step = next((s for s in _STEPS if s * 5 >= days), _STEPS[-1])
    parts, at = [], max(_FIRST, -(-begin // _DAY))
    while at * _DAY < end and at <= _LAST:
        x = _x(at * _DAY, begin, end)
        parts.append(f'<path class="grid" d="M{x:.1f} {TOP - 6}V{height}"/>')
        parts.append(
            f'<text class="mute" x="{x:.1f}" y="12">{_short(moment_words(at * 86_400, "second"))}</text>'
        )
        at += step
    return parts


def _short(day: str) -> str:
    number, month, year = day.split(" ")
    return f"{number} {month[:3]} {year}"


def _row(item: Item, top: int, begin: int, end: int, height: int) -> str:
    date = item.date
    assert date is not None  # noqa: S101 - the caller has left the others out
    first = begin if date.start is None else date.start
    last = end if date.end is None else date.end
    x, x2 = _x(first, begin, end), _x(last, begin, end)
    middle, low = top + 4, top + 16
    if item.kind == CALL:
        mark = f'<path class="ax" d="M{x:.1f} {TOP - 6}V{height}"/>' + _tick(x, middle, low)
    elif item.uncertain:
        mark = _bracket(x, x2, middle, low, open_=(date.start is None, date.end is None))
    else:
        mark = _tick(x, middle, low)
    right = max(x + 8, x2 + 6) if item.uncertain else x + 8
    text = _cut(item.title)
    words = f'<text x="{right:.1f}" y="{top + 14}">{escape(text)}</text>'
    title = f"<title>{escape(item.when)}: {escape(item.title)}</title>"
    return f'<a href="#{escape(item.key)}">{title}{mark}{words}</a>'


def _tick(x: float, top: int, low: int) -> str:
    return f'<path class="tick" d="M{x - 1.5:.1f} {top}h3v{low - top}h-3z"/>'


def _bracket(x: float, x2: float, top: int, low: int, *, open_: tuple[bool, bool]) -> str:
    """Its two ends; a dotted line where an end is not known."""
    x2 = max(x2, x + 8)
    left = "" if open_[0] else f"M{x + 3:.1f} {top}h-3V{low}h3"
    right = "" if open_[1] else f"M{x2 - 3:.1f} {top}h3V{low}h-3"
    ends = f'<path class="ax" fill="none" d="{left}{right}"/>' if left or right else ""
    if not any(open_):
        return ends
    return f'{ends}<path class="ax" stroke-dasharray="1 4" d="M{x:.1f} {(top + low) / 2:.1f}H{x2:.1f}"/>'


def _cut(title: str) -> str:
    return title if len(title) <= 44 else f"{title[:43]}…"


def _sentence(items: Sequence[Item]) -> str:
    call = next((item for item in items if item.kind == CALL), None)
    if call is None:
        return f"Time line of {len(items)} items; the call is not dated."
    at = items.index(call)
    spans = sum(item.uncertain for item in items if item is not call)
    return (
        f"Time line: {at} before the call, {len(items) - at - 1} after it; {spans} drawn as spans, "
        "since their day is not known."
    )
