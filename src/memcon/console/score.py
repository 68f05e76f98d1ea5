"""The score: a call as systems of one minute, its lanes above, the seal of each second below.

Pure. A lane's second is one of the codes of `deps`; the picture, the sentence of each minute and the
counts under the score all come from the same codes, so that they cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import escape

from memcon.console.deps import DAMAGED, EDGE, HEARD, HELD, NOTHING, UNSEALED
from memcon.console.strip import runs, svg
from memcon.console.words import at, count, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from memcon.console.deps import Lane

MINUTE = 60
SHORT = 120  # seconds: a call up to this long is drawn twice as wide
FIRST_LANE = 36
LANE_STEP = 46
SWING = 18  # half the height of the loudest bar
SEAL_HEIGHT = 16
STUB = (SEAL_HEIGHT - 5, 5)
COMPLETE = (HEARD, HELD, EDGE)  # nothing that was owed is missing


@dataclass(frozen=True, slots=True)
class Scale:
    """How wide a second is drawn, px; `character` is the rough width of one in a label.

    Labels that would collide are left to the table. On a phone every second is 5 px (the style sheet),
    and a label of a short call is drawn larger to stay legible, so that it takes more room.
    """

    cell: int
    tick: int
    character: float
    css: str

    @property
    def width(self) -> int:
        """Of a whole minute."""
        return self.cell * MINUTE


LONG_CALL = Scale(3, 2, 6.4, "w60 score")
SHORT_CALL = Scale(6, 4, 7.4, "w60 score short")


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of a call that is not sound: `kind` is hold, lost or unsealed; `lane` a letter or all."""

    start: int
    end: int
    kind: str
    lane: str

    @property
    def words(self) -> str:
        """`3 s lost, B`; `hold 31 s`."""
        length = f"{self.end - self.start} s"
        if self.kind == "hold":
            return f"hold {length}" if self.lane == "" else f"hold {length}, {self.lane}"
        word = "not sealed" if self.kind == "unsealed" else "lost"
        return f"{length} {word}" if self.lane == "" else f"{length} {word}, {self.lane}"

    @property
    def sentence(self) -> str:
        """For a label: `3 s lost on lane B at 4:21`, `hold from 3:02 to 3:33`."""
        where = f" on lane {self.lane}" if self.lane else ""
        if self.kind == "hold":
            return f"hold{where} from {at(self.start)} to {at(self.end)}"
        word = "not sealed" if self.kind == "unsealed" else "lost"
        return f"{count(self.end - self.start, 'second')} {word}{where} at {at(self.start)}"


@dataclass(frozen=True, slots=True)
class Minute:
    """One system of the score, ready to show. `start` in seconds."""

    start: int
    at: str
    picture: Markup


def total_seconds(lanes: Sequence[Lane]) -> int:
    """Seconds of the call: those of its longest lane."""
    return max((len(lane.seconds) for lane in lanes), default=0)


def code_at(lane: Lane, second: int) -> int:
    """A lane that the record does not yet reach is not sealed there."""
    return lane.seconds[second] if second < len(lane.seconds) else UNSEALED


def sealed_as(codes: Sequence[int]) -> int:
    """What the seal of one second shows, over all lanes.

    HEARD all that was owed is there, HELD every lane on hold, EDGE nothing was owed, DAMAGED a lane is
    missing, NOTHING no lane came, UNSEALED no seal.
    """
    if not codes or UNSEALED in codes:
        return UNSEALED
    missing = codes.count(NOTHING)
    if missing == len(codes):
        return NOTHING
    if missing:
        return DAMAGED
    if HEARD in codes or DAMAGED in codes:
        return HEARD
    return EDGE if EDGE in codes else HELD


class _Sealed(dict[tuple[int, ...], int]):
    """`sealed_as` of a second's codes, worked out once for each combination that comes."""

    def __missing__(self, codes: tuple[int, ...]) -> int:
        self[codes] = sealed_as(codes)
        return self[codes]


def seal_of(lanes: Sequence[Lane]) -> bytes:
    """The seal of every second of a call: one code each."""
    total = total_seconds(lanes)
    whole = (lane.seconds.ljust(total, bytes([UNSEALED])) for lane in lanes)
    return bytes(map(_Sealed().__getitem__, zip(*whole, strict=True)))


def counts(lanes: Sequence[Lane]) -> str:
    """`348 seconds: 314 whole, 31 on hold, 3 with one lane lost`: the parts add up.

    Where packets were lost a second with audio is not called whole: no seal says which one lacks some.
    """
    seal = seal_of(lanes)
    named = (
        (HEARD, "with audio" if missing(lanes) else "whole"),
        (HELD, "on hold"),
        (EDGE, "empty at the start or the end"),
        (DAMAGED, "with a lane lost"),
        (NOTHING, "empty"),
        (UNSEALED, "not sealed"),
    )
    parts = [f"{seal.count(code):,} {word}" for code, word in named if code in seal]
    return f"{count(len(seal), 'second')}: {', '.join(parts)}" if seal else count(0, "second")


def missing(lanes: Sequence[Lane]) -> int:
    """Packets of all lanes that are known to be missing: lost on the way or dropped by this machine."""
    return sum(lane.lost + lane.dropped for lane in lanes)


def gaps(lanes: Sequence[Lane]) -> list[Gap]:
    """Every stretch that is not sound, in order of time; what all lanes share is said once."""
    total = total_seconds(lanes)
    found: list[Gap] = []
    kinds = ((HELD, "hold"), (NOTHING, "lost"), (UNSEALED, "unsealed"))
    for code, kind in kinds:
        if code != UNSEALED and not any(code in lane.seconds for lane in lanes):
            continue
        flags = [[code_at(lane, second) == code for second in range(total)] for lane in lanes]
        shared = [all(column) for column in zip(*flags, strict=True)] if flags else []
        found += [Gap(start, end, kind, "") for start, end, on in runs(shared) if on]
        if len(lanes) > 1:
            for lane, own in zip(lanes, flags, strict=True):
                alone = [mine and not both for mine, both in zip(own, shared, strict=True)]
                found += [Gap(start, end, kind, lane.letter) for start, end, on in runs(alone) if on]
    return sorted(found, key=lambda gap: (gap.start, gap.lane, gap.end))


def minutes(lanes: Sequence[Lane], *, ended: bool, first: int = 0, taken: bool = False) -> list[Minute]:
    """The score from minute `first` on; `taken`: sealed at intake only, as low stubs."""
    total = total_seconds(lanes)
    all_gaps = gaps(lanes)
    scale = SHORT_CALL if total <= SHORT else LONG_CALL
    return [
        Minute(start, at(start), _draw(scale, lanes, all_gaps, start, total, ended=ended, taken=taken))
        for start in range(first * MINUTE, total, MINUTE)
    ]


def first_minute(asked: int) -> int:
    """Where a growing score has to be drawn from: when it outgrows `SHORT`, its first minutes change too."""
    return asked if asked * MINUTE > SHORT else 0


def _draw(
    scale: Scale,
    lanes: Sequence[Lane],
    all_gaps: Sequence[Gap],
    start: int,
    total: int,
    *,
    ended: bool,
    taken: bool,
) -> Markup:
    end = min(start + MINUTE, total)
    here = [gap for gap in all_gaps if gap.start < end and gap.end > start]
    parts = [_lane(scale, lane, start, end, _middle(i)) for i, lane in enumerate(lanes)]
    seal_top = _middle(len(lanes) - 1) + 28
    parts.append(_seal(scale, lanes, start, end, seal_top, taken=taken))
    parts += [_gap_marks(scale, gap, lanes, start, end, seal_top) for gap in here]
    parts.append(_labels(scale, here, start, end, total, ended=ended))
    said = "sealed at intake only" if taken and not here else _in_words(here, lanes, start, end)
    text = f"Minute {start // MINUTE}: {said}"
    return svg(scale.width, seal_top + SEAL_HEIGHT + 2, "".join(parts), text, scale.css)


def _middle(lane: int) -> int:
    return FIRST_LANE + LANE_STEP * lane


def _in_words(here: Sequence[Gap], lanes: Sequence[Lane], start: int, end: int) -> str:
    if not here:
        return "all seconds sealed" if lanes else "no lanes"
    if len(here) > 6:
        seal = [sealed_as([code_at(lane, s) for lane in lanes]) for s in range(start, end)]
        whole = sum(code in COMPLETE for code in seal)
        return f"{whole} of {count(end - start, 'second')} whole, {len(here)} gaps; see the table"
    return listed(gap.sentence for gap in here)


def _lane(scale: Scale, lane: Lane, start: int, end: int, middle: int) -> str:
    cell, tick = scale.cell, scale.tick
    sounding = [code_at(lane, second) in (HEARD, DAMAGED) for second in range(start, end)]
    line = "".join(f"M{s * cell} {middle}H{e * cell}" for s, e, on in runs(sounding) if on)
    bars: list[str] = []
    for i, on in enumerate(sounding):
        if on:
            peak = lane.peaks[start + i] if start + i < len(lane.peaks) else 0
            half = max(1, round(min(peak, 100) * SWING / 100))
            bars.append(f"M{i * cell} {middle - half}h{tick}v{2 * half}h-{tick}z")
    drawn = f'<path class="lane" d="{line}"/>' if line else ""
    return drawn + (f'<path class="tick" d="{"".join(bars)}"/>' if bars else "")


def _seal(scale: Scale, lanes: Sequence[Lane], start: int, end: int, top: int, *, taken: bool) -> str:
    cell, tick = scale.cell, scale.tick
    ticks: list[str] = []
    grounds: list[str] = []
    for i, second in enumerate(range(start, end)):
        codes = [code_at(lane, second) for lane in lanes]
        code = sealed_as(codes)
        grounds.append("base" if taken else {NOTHING: "", UNSEALED: "base-none"}.get(code, "base"))
        shape = STUB if taken else _seal_shape(code, codes)
        if shape is not None:
            ticks.append(f"M{i * cell} {top + shape[0]}h{tick}v{shape[1]}h-{tick}z")
    lines = "".join(
        f'<path class="{ground}" d="M{s * cell} {top + SEAL_HEIGHT}.5H{e * cell}"/>'
        for s, e, ground in runs(grounds)
        if ground
    )
    return (f'<path class="tick" d="{"".join(ticks)}"/>' if ticks else "") + lines


def _seal_shape(code: int, codes: Sequence[int]) -> tuple[int, int] | None:
    """(offset from the top, height) of a seal tick; the upper half is lane A, the lower the others."""
    if code == HEARD:
        return 0, SEAL_HEIGHT
    if code in (HELD, EDGE):
        return STUB
    if code == DAMAGED:
        return (SEAL_HEIGHT - 7, 7) if codes[0] == NOTHING else (0, 7)
    return None


def _gap_marks(scale: Scale, gap: Gap, lanes: Sequence[Lane], start: int, end: int, seal_top: int) -> str:
    cell = scale.cell
    if gap.kind == "unsealed":
        return ""
    left = max(gap.start, start) - start
    right = min(gap.end, end) - start
    opens, closes = gap.start >= start, gap.end <= end
    which = [i for i, lane in enumerate(lanes) if gap.lane in ("", lane.letter)]
    if gap.kind == "hold":
        lines = "".join(f"M{left * cell} {_middle(i)}H{right * cell - 1}" for i in which)
        top, bottom = (
            (14, seal_top - 3) if gap.lane == "" else (_middle(which[0]) - 20, _middle(which[0]) + 20)
        )
        bars = f"M{left * cell}.5 {top}V{bottom}" if opens else ""
        bars += f"M{right * cell - 1}.5 {top}V{bottom}" if closes else ""
        return f'<path class="holdline" d="{lines}"/>' + (
            f'<path class="holdbar" d="{bars}"/>' if bars else ""
        )
    wide = (right - left) * cell
    arm = 4 if wide >= 3 * cell else 2
    drawn = ""
    for i in which:
        top = _middle(i) - 20
        drawn += f"M{left * cell + arm - 1} {top}.5h-{arm}v39h{arm}" if opens else ""
        drawn += f"M{right * cell - arm} {top}.5h{arm}v39h-{arm}" if closes else ""
    return f'<path class="hollow" d="{drawn}"/>' if drawn else ""


def _labels(scale: Scale, here: Sequence[Gap], start: int, end: int, total: int, *, ended: bool) -> str:
    """The words above a system. One that would run into another is left out: the table has it."""
    cell = scale.cell
    wanted = [(0, "start")] if start == 0 else []
    wanted += [((max(gap.start, start) - start) * cell, gap.words) for gap in here if gap.kind != "unsealed"]
    last = "end" if end == total and ended else ""
    room = (end - start) * cell - len(last) * scale.character - 4 if last else scale.width
    if last and room < 30:
        room, last = scale.width, ""
    drawn, free = "", 0.0
    for x, text in wanted:
        wide = len(text) * scale.character
        place = x if x + wide <= room else max(0.0, room - wide)
        if place >= free and place + wide <= room + 1:
            drawn += f'<text x="{place:g}" y="11">{escape(text)}</text>'
            free = place + wide + 6
    if last:
        drawn += f'<text x="{(end - start) * cell}" y="11" text-anchor="end">{last}</text>'
    return drawn
