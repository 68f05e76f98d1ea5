"""The strip of beats, drawn as SVG: one slot, one tick (UI.md §4). Pure: numbers in, markup out.

Cells are a whole number of pixels wide; a tick takes two thirds of its cell. What did not come is
not drawn: no tick, no fill, and the base line stops. All colour comes from the style sheet.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Literal, TypeVar

from markupsafe import Markup, escape

from memcon.console.deps import DAMAGED, EDGE, HEARD, HELD, NOTHING, UNSEALED
from memcon.console.words import count, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from memcon.console.deps import Beat, CallState

T = TypeVar("T")
SlotState = Literal["recording", "degraded", "partly off", "declared off", "silent", "no claim"]

CELL = 3
TICK = 2
REGISTER_PARTS = 30
GRACE_SLOTS = 2  # a beat may stand this many slots after its slot's end before we call it silent
_ORDER: tuple[SlotState, ...] = (
    "recording",
    "degraded",
    "partly off",
    "declared off",
    "silent",
    "no claim",
)
_WORST = (NOTHING, DAMAGED, UNSEALED, HELD, HEARD, EDGE)


def runs(values: Sequence[T]) -> Iterator[tuple[int, int, T]]:
    """Stretches of equal values: (start, end, value), end exclusive."""
    start = 0
    for value, group in groupby(values):
        end = start + sum(1 for _ in group)
        yield start, end, value
        start = end


def slot_states(
    beats: Sequence[Beat], first: int, *, now_ns: int, period_ns: int, genesis_slot: int | None
) -> list[SlotState]:
    """The states of the slots from `first` to the last that has ended by `now_ns`.

    The operator's own view, no witness asked: a slot after the newest beat is *no claim* until its
    beat is overdue by `GRACE_SLOTS`. A slot after a leaf in state off is off until a beat says other.
    """
    last = now_ns // period_ns - 1
    by_slot = {beat.slot: beat for beat in beats}
    newest = max(by_slot, default=None)
    overdue = now_ns // period_ns - 1 - GRACE_SLOTS
    off = False
    for beat in sorted(beats, key=_slot):
        if beat.slot < first and beat.index > 0:
            off = beat.state == 4
    states: list[SlotState] = []
    for slot in range(first, last + 1):
        found = by_slot.get(slot)
        if found is not None and found.index > 0:
            off = found.state == 4
            states.append(_spoken(found.state))
        elif genesis_slot is None or slot <= genesis_slot or ((newest or 0) < slot and slot > overdue):
            states.append("no claim")
        else:
            states.append("declared off" if off else "silent")
    return states


def _slot(beat: Beat) -> int:
    return beat.slot


def _spoken(state: int) -> SlotState:
    return {2: "degraded", 3: "partly off", 4: "declared off"}.get(state, "recording")  # type: ignore[return-value] # every value is a SlotState


def counts_by_state(states: Sequence[SlotState]) -> str:
    """`60 slots: 58 recording, 2 silent`: the parts add up to the whole."""
    parts = [f"{states.count(state):,} {state}" for state in _ORDER if state in states]
    return f"{count(len(states), 'slot')}: {', '.join(parts)}"


def described(states: Sequence[SlotState]) -> str:
    """A segment in words, for those who do not see it."""
    if not states:
        return "no slots"
    kinds = [state for state in _ORDER if state in states]
    if len(kinds) == 1:
        return (
            "no claim: before the log began, or not yet"
            if kinds == ["no claim"]
            else f"{kinds[0]} throughout"
        )
    return listed(f"{count(states.count(state), 'slot')} {state}" for state in kinds)


def beats_strip(
    states: Sequence[SlotState], label: str, *, height: int = 22, css: str = "", cells: int = 0
) -> Markup:
    """One segment of the recorder's strip; `label` says when it is, its content is added in words.

    `cells` is the room of a segment that is still filling, so that its ticks are as wide as the others'.
    """
    width = CELL * max(len(states), cells)
    ticks: list[str] = []
    parts: list[str] = []
    for i, state in enumerate(states):
        x = i * CELL
        if state == "recording":
            ticks.append(bar(x, 0, height))
        elif state == "degraded":
            ticks.append(bar(x, height // 2, height - height // 2))
        elif state == "partly off":
            stub = height // 4
            ticks.append(bar(x, 0, stub) + bar(x, height - stub, stub))
            parts.append(f'<path class="hatchline" d="M{x} {height // 2 + 2}l2 -3"/>')
    flags: list[str] = []
    for start, end, state in runs(states):
        x, wide = start * CELL, (end - start) * CELL
        if state == "declared off":
            parts.append(f'<rect class="off" x="{x}.5" y=".5" width="{wide - 2}" height="{height - 1}"/>')
        if state == "silent":
            middle = x + wide / 2
            flags.append(f"M{middle - 4:g} {height + 10}h8l-4 -7z")
            continue
        css_line = "base-none" if state == "no claim" else "base"
        parts.append(f'<path class="{css_line}" d="M{x} {height}.5h{wide}"/>')
    if ticks:
        parts.insert(0, f'<path class="tick" d="{"".join(ticks)}"/>')
    if flags:
        parts.append(f'<path class="flag" d="{"".join(flags)}"/>')
    text = f"{label}: {described(states)}" if label else described(states)
    return svg(width, height + (10 if flags else 1), "".join(parts), text, css)


def bar(x: int, y: int, height: int) -> str:
    return f"M{x} {y}h{TICK}v{height}h-{TICK}z"


def svg(width: int, height: int, inner: str, label: str, css: str = "") -> Markup:
    """An SVG image with its content as a sentence. `inner` is markup made here, never a stranger's text."""
    kind = f' class="{css}"' if css else f' width="{width}" height="{height}"'
    return Markup(  # noqa: S704 - the label is escaped, the rest is ours
        f'<svg{kind} viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">{inner}</svg>'
    )


def register_strip(seal: bytes, state: CallState) -> Markup:
    """A call as at most 30 ticks, 90 by 15 pixels: each stands for the worst of its seconds."""
    height = 14
    if state == "none":
        inner = '<path class="bracket" d="M5 .75h-4v13h4M84 .75h4v13h-4"/>'
        return svg(90, 15, inner, "no packet came: empty")
    if state == "accounts":
        return svg(
            90,
            15,
            '<path class="base-none" d="M0 14.5H90"/>',
            "nothing recorded here, nothing sealed of its sound",
        )
    if state == "taken":
        stubs = "".join(bar(i * CELL, height - 5, 5) for i in range(REGISTER_PARTS))
        inner = f'<path class="tick" d="{stubs}"/><path class="base" d="M0 14.5H90"/>'
        return svg(90, 15, inner, "sealed at intake only")
    room = REGISTER_PARTS - 3 if state == "live" else REGISTER_PARTS
    groups = parts_of(seal, room)
    ticks = "".join(_part(i * CELL, group, height) for i, group in enumerate(groups))
    end = len(groups) * CELL
    inner = f'<path class="tick" d="{ticks}"/>' if ticks else ""
    silent = [not any(code not in (NOTHING, UNSEALED) for code in group) for group in groups]
    line = "".join(f"M{s * CELL} 14.5h{(e - s) * CELL}" for s, e, bare in runs(silent) if not bare)
    if line:
        inner += f'<path class="base" d="{line}"/>'
    if state == "live":
        inner += f'<rect class="hollow" x="{end}.5" y=".5" width="2" height="13"/>'
        inner += f'<path class="base-none" d="M{end + 4} 14.5H90"/>'
    return svg(90, 15, inner, _register_words(seal, state))


def parts_of(seal: bytes, most: int) -> list[bytes]:
    """Seconds in at most `most` equal parts, none of them empty, none of them left out."""
    n = len(seal)
    parts = min(n, most)
    return [seal[i * n // parts : (i + 1) * n // parts] for i in range(parts)]


def worst(codes: bytes) -> int:
    """The worst code in a stretch, in the order nothing, lost in part, unsealed, held, heard."""
    return next((code for code in _WORST if code in codes), UNSEALED)


def _part(x: int, group: bytes, height: int) -> str:
    lost = NOTHING in group or UNSEALED in group
    if lost and not any(code in group for code in (HEARD, HELD, EDGE, DAMAGED)):
        return ""
    if lost:
        return bar(x, 0, 4) + bar(x, height - 4, 4)
    code = worst(group)
    if code == DAMAGED:
        return bar(x, 0, height // 2)
    return bar(x, height - 4, 4) if code in (HELD, EDGE) else bar(x, 0, height)


def _register_words(seal: bytes, state: CallState) -> str:
    bad = seal.count(NOTHING) + seal.count(UNSEALED)
    half = seal.count(DAMAGED)
    words = [f"{count(bad, 'second')} empty"] if bad else []
    if half:
        words.append(f"{count(half, 'second')} with one lane missing")
    if seal.count(HELD):
        words.append(f"{count(seal.count(HELD), 'second')} on hold")
    text = f"sealed, {listed(words)}" if words else "every second sealed"
    return f"{text}; still going on" if state == "live" else text
