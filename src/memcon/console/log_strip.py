"""The strips of a log's public page: the last hour, day, month and year, drawn from the answers (UI.md §4).

A tick that stands for many slots shows the worst in them. What is not attested differs in shape, never
in colour alone:

    attested recording   a whole tick          degraded     its lower half
    declared off         a hatched box         in part      two stubs, hatching between
    partly off           as declared off in part
    early, late, withheld   three short pieces, a triangle under them
    silent               nothing, no line, a triangle; in part two stubs, a triangle
    unknown              no tick, a dotted line; in part two stubs on a dotted line
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from memcon.console.strip import CELL, bar, runs, svg
from memcon.console.words import clock_time, count, length, listed, short_day
from memcon.verify.attest import WORDS, Answer, counts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

HEIGHT = 22
STUB = 4
MINUTE = 60_000
DAY = 1440 * MINUTE
NS_PER_MS = 1_000_000
PIECES = (Answer.EARLY, Answer.LATE, Answer.WITHHELD)


class Tick(NamedTuple):
    """The worst answer of some slots, and whether all of them have it; None where nothing is claimed."""

    answer: Answer | None
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of a log's slots from genesis on, and up to where anybody can say anything.

    `end`: the slot after the last that has another answer than *unknown*. `now`: the slot that goes on.
    """

    period_ms: int
    genesis: int
    answers: bytes | bytearray
    end: int
    now: int

    def part(self, start_ms: int, end_ms: int) -> bytes | bytearray:
        """The answers of the slots that start in a stretch, as far as anything is claimed."""
        first, last = (-(-ms // self.period_ms) for ms in (start_ms, end_ms))
        return self._cut(first, min(last, self.end))

    def tick(self, start_ms: int, end_ms: int) -> Tick:
        part = self.part(start_ms, end_ms)
        if not part:
            return Tick(None)
        worst = max(part)
        return Tick(Answer(worst), part.count(worst) == len(part))

    def tally(self, start_ms: int) -> str:
        """The slots from a time to the present by their answers: the parts add up to the whole."""
        part = self._cut(-(-start_ms // self.period_ms), self.now)
        told = ", ".join(f"{n:,} {WORDS[answer]}" for answer, n in counts(part).items())
        return f"{count(len(part), 'slot')}: {told}" if part else "no slot yet"

    def _cut(self, first: int, last: int) -> bytes | bytearray:
        return self.answers[max(0, first - self.genesis) : max(0, last - self.genesis)]


@dataclass(frozen=True, slots=True)
class Scale:
    """One strip: its title, what a tick is and the counts, its segments (when each starts, its picture)."""

    title: str
    note: str
    segments: list[tuple[str, Markup]]


def scales(log: Answers) -> list[Scale]:
    """The four strips."""
    now = log.now * log.period_ms
    beat = log.period_ms * max(1, 10_000 // log.period_ms)
    return [
        _even("Last hour", log, now, 60 * MINUTE, beat, 60, "w60"),
        _even("Last day", log, now, DAY, 5 * MINUTE, 72, "w72"),
        _even("Last month", log, now, 30 * DAY, 120 * MINUTE, 84, "week"),
        _year(log, now),
    ]


def _even(title: str, log: Answers, now: int, span: int, tick: int, ticks: int, css: str) -> Scale:
    """Segments of equal length, the last of them growing."""
    segment = tick * ticks
    begin = (now - 1) // segment * segment - (-(-span // segment) - 1) * segment
    long = segment >= 360 * MINUTE
    cut = []
    for start in range(begin, now, segment):
        cells = [log.tick(t, t + tick) for t in range(start, start + segment, tick)]
        label = _moment(start) if long else clock_time(start * NS_PER_MS)
        cut.append((label, draw(cells, label, css)))
    slots = max(1, tick // log.period_ms)
    each = "one tick is one slot" if slots == 1 else f"one tick is {length(tick * NS_PER_MS)}"
    each += f" of {log.period_ms / 1000:g} s" if slots == 1 else f", {count(slots, 'slot')}"
    return Scale(title, f"{each} · {log.tally(begin)}", cut)


def _year(log: Answers, now: int) -> Scale:
    """A tick a day, twelve months and the one that goes on."""
    months = _months(now, 13)
    cut = []
    for start, end in zip(months, [*months[1:], _next_month(months[-1])], strict=True):
        cells = [log.tick(t, t + DAY) for t in range(start, end, DAY)]
        label = short_day(start * NS_PER_MS).split(" ", 1)[1]
        cut.append((label, draw(cells, label, "month", 31)))
    return Scale("Last year", f"one tick is one day · {log.tally(months[0])}", cut)


def _next_month(start: int) -> int:
    return _month_of(start + 32 * DAY)


def _month_of(ms: int) -> int:
    """The start of the month of a time."""
    day = int(short_day(ms * NS_PER_MS).split(" ", 1)[0])
    return (ms // DAY - day + 1) * DAY


def _months(now: int, many: int) -> list[int]:
    starts = [_month_of(now - 1)]
    while len(starts) < many and starts[0] > 0:
        starts.insert(0, _month_of(starts[0] - 1))
    return starts


def _moment(ms: int) -> str:
    return f"{short_day(ms * NS_PER_MS).rsplit(' ', 1)[0]} {clock_time(ms * NS_PER_MS)[:5]}"


# ---------------------------------------------------------------------- drawing


def draw(cells: Sequence[Tick], label: str, css: str = "", room: int = 0) -> Markup:
    """One segment; `room`: cells it is drawn as wide as."""
    bars, parts, flags = [], [], []
    for at, cell in enumerate(cells):
        x = at * CELL
        bars.append(_bar(x, cell))
        if _hatched(cell):
            parts.append(f'<path class="hatchline" d="M{x} 14l2 -3M{x} 10l2 -3"/>')
    for start, end, cell in runs(cells):
        x, wide = start * CELL, (end - start) * CELL
        if cell == Tick(Answer.DECLARED_OFF):
            parts.append(f'<rect class="off" x="{x}.5" y=".5" width="{wide - 2}" height="{HEIGHT - 1}"/>')
    for start, end, line in runs([_line(cell) for cell in cells]):
        if line:
            wide = (end - start) * CELL
            parts.append(f'<path class="{line}" d="M{start * CELL} {HEIGHT}.5h{wide}"/>')
    for start, end, bad in runs([cell.answer in (*PIECES, Answer.SILENT) for cell in cells]):
        if bad:
            middle = max(4, (start + end) * CELL / 2)
            flags.append(f"M{middle - 4:g} {HEIGHT + 10}h8l-4 -7z")
    inner = f'<path class="tick" d="{"".join(bars)}"/>' if any(bars) else ""
    inner += "".join(parts) + (f'<path class="flag" d="{"".join(flags)}"/>' if flags else "")
    text = described(cells)
    return svg(CELL * max(len(cells), room), HEIGHT + 10, inner, f"{label}: {text}" if label else text, css)


def _bar(x: int, cell: Tick) -> str:
    answer = cell.answer
    if answer is Answer.ATTESTED:
        return bar(x, 0, HEIGHT)
    if answer is Answer.DEGRADED:
        return bar(x, HEIGHT // 2, HEIGHT - HEIGHT // 2)
    if answer in PIECES:
        return "".join(bar(x, y, STUB) for y in (0, 9, HEIGHT - STUB))
    if answer is Answer.PARTLY_OFF or (answer is not None and not cell.whole):
        return bar(x, 0, STUB) + bar(x, HEIGHT - STUB, STUB)
    return ""


def _hatched(cell: Tick) -> bool:
    return cell.answer is Answer.PARTLY_OFF or cell == Tick(Answer.DECLARED_OFF, False)


def _line(cell: Tick) -> str:
    if cell.answer in (None, Answer.UNKNOWN):
        return "base-none"
    return "" if cell == Tick(Answer.SILENT) else "base"


def described(cells: Sequence[Tick]) -> str:
    """A segment in words, for those who do not see it."""
    kinds = sorted({cell.answer for cell in cells if cell.answer is not None}, reverse=True)
    claimed = [cell for cell in cells if cell.answer is not None]
    if not kinds:
        return "nothing is claimed"
    if kinds == [Answer.ATTESTED]:
        told = "attested recording throughout"
        return told if len(claimed) == len(cells) else f"{told} as far as witnesses have spoken"
    return listed(_share(kind, claimed) for kind in kinds)


def _share(kind: Answer, cells: Sequence[Tick]) -> str:
    whole = sum(cell == Tick(kind) for cell in cells)
    part = sum(cell == Tick(kind, False) for cell in cells)
    told = [count(whole, "tick")] if whole else []
    told += [f"{count(part, 'tick')} in part"] if part else []
    return f"{' and '.join(told)} {WORDS[kind]}"


EXAMPLES = (
    ([Tick(Answer.ATTESTED)], "attested recording"),
    ([Tick(Answer.DEGRADED)], "degraded"),
    ([Tick(Answer.DECLARED_OFF)], "declared off"),
    ([Tick(Answer.DECLARED_OFF, False)], "partly off, or declared off in part"),
    ([Tick(Answer.LATE)], "early, late or withheld"),
    ([Tick(Answer.SILENT)], "silent: nothing, and no line under it"),
    ([Tick(Answer.SILENT, False)], "silent in part"),
    ([Tick(None)], "no claim: before the log began, or no witness has spoken yet"),
)


def key() -> list[tuple[Markup, str]]:
    """The marks and their words; each stands between two attested ticks, four of a kind."""
    edge = Tick(Answer.ATTESTED)
    return [(draw([edge, *(cell * 4), edge], "", "keymark"), word) for cell, word in EXAMPLES]
