"""The recorder's state: its beats as they come, what its processes say, the log's key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.routing import BaseRoute, Route

from memcon.clock import NS
from memcon.console import strip
from memcon.console.log_keys import POLICY_FILE, call_command, log_command, log_keys, policy_command
from memcon.console.words import clock_time, count, length, short_day, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup
    from starlette.requests import Request
    from starlette.responses import Response

    from memcon.console.deps import Beat, RecorderStatus
    from memcon.console.render import Pages

HOUR = 3600 * NS
SEGMENT = 60
MOST_SLOTS = 600
TABLE_ROWS = 12
_FLAGS = ((1, "late backlog"), (2, "clock step"), (4, "restored from a copy"))


@dataclass(frozen=True, slots=True)
class Answer:
    """The recorder's state in a sentence; `person` when somebody has to look."""

    sentence: str
    person: bool
    mark: str


def name_of(status: RecorderStatus) -> str:
    """The page's title: `Recorder arland-1`; a name that says no more than that is not said twice."""
    return "The recorder" if status.name.lower() == "recorder" else f"Recorder {status.name}"


@dataclass(frozen=True, slots=True)
class BeatLine:
    """A beat, or the place of one that did not come, for the table."""

    slot: int
    begins: str
    index: str
    state: str
    mark: str
    late: int | None
    flags: str


def first_slot(now_ns: int, period_ns: int) -> int:
    """Where the strip begins: whole segments of 60 slots that reach an hour back, 600 slots at most.

    The last segment is the one that grows.
    """
    shown = min(MOST_SLOTS, max(SEGMENT, HOUR // period_ns)) // SEGMENT
    last = now_ns // period_ns - 1
    return max(0, (last // SEGMENT - shown + 1) * SEGMENT)


def answer(status: RecorderStatus, states: Sequence[strip.SlotState], now_ns: int) -> Answer:
    """What the beats say, in the order of what a person needs to know first."""
    beats = [beat for beat in status.beats if beat.index > 0]
    if not beats:
        return Answer("The log has begun and no beat has come yet.", person=False, mark="none")
    newest = beats[-1]
    end = (newest.slot + 1) * status.period_ns
    overdue = now_ns // status.period_ns - 1 - newest.slot - strip.GRACE_SLOTS
    if overdue > 0 and newest.state != 4:
        since = f"{short_day(end)}, {clock_time(end)} UTC"
        return Answer(
            f"Silent for {length(now_ns - end)}: the last beat came for the slot that ended {since}.",
            True,
            "none",
        )
    if newest.state == 4:
        why = f" {status.off}" if status.off else ""
        return Answer(f"Off, by declaration.{why}", person=False, mark="off")
    calls = (
        "no call is going on"
        if not status.live_calls
        else (f"{count(status.live_calls, 'call')} {'is' if status.live_calls == 1 else 'are'} going on")
    )
    told = {2: "Recording on a degraded machine", 3: "Recording, some lines declared off"}
    word = told.get(newest.state, "Recording")
    text = f"{word}: the last beat sealed the slot that ended {clock_time(end)} UTC; {calls}."
    silent = states.count("silent")
    if silent:
        text += f" In the span below {count(silent, 'beat')} did not come."
    return Answer(text, person=False, mark={2: "degraded", 3: "partly"}.get(newest.state, "recorded"))


def segments(states: Sequence[strip.SlotState], first: int, period_ns: int) -> list[tuple[str, Markup]]:
    """The strip cut into segments of 60 ticks: (when it starts, its picture)."""
    cut = []
    for i in range(0, len(states), SEGMENT):
        label = clock_time((first + i) * period_ns)
        cut.append((label, strip.beats_strip(states[i : i + SEGMENT], label, css="w60", cells=SEGMENT)))
    return cut


def beat_lines(
    beats: Sequence[Beat], states: Sequence[strip.SlotState], first: int, period_ns: int
) -> list[BeatLine]:
    """The newest slots, newest first; a slot without a beat has its line too."""
    by_slot = {beat.slot: beat for beat in beats}
    lines = []
    for offset in range(len(states) - 1, -1, -1):
        slot, state = first + offset, states[offset]
        beat = by_slot.get(slot)
        if beat is None and state == "no claim":
            continue
        lines.append(
            BeatLine(
                slot=slot,
                begins=clock_time(slot * period_ns),
                index="" if beat is None else f"{beat.index:,}",
                state="the log begins" if beat is not None and beat.index == 0 else state,
                mark={
                    "silent": "none",
                    "declared off": "off",
                    "degraded": "degraded",
                    "partly off": "partly",
                }.get(state, "recorded"),
                late=None
                if beat is None or beat.published is None
                else beat.published - (slot + 1) * period_ns,
                flags="" if beat is None else ", ".join(word for bit, word in _FLAGS if beat.flags & bit),
            )
        )
        if len(lines) == TABLE_ROWS:
            break
    return lines


def disk_words(status: RecorderStatus) -> str:
    """`212 GB of 500 GB free`."""
    disk = status.disk
    return "" if disk is None else f"{size(disk.free)} of {size(disk.total)} free on {disk.path}"


def routes(pages: Pages) -> list[BaseRoute]:
    """`/status` and the fragment that grows it."""
    deps = pages.deps
    packed = deps.verifier_file is not None

    def show(request: Request, template: str = "status.html") -> Response:
        now = deps.clock.wall_ns()
        status = deps.register.status(MOST_SLOTS)
        first = first_slot(now, status.period_ns)
        states = strip.slot_states(
            status.beats, first, now_ns=now, period_ns=status.period_ns, genesis_slot=status.genesis_slot
        )
        return pages.page(
            request,
            template,
            recorder=status,
            status=status,
            title=name_of(status),
            now=now,
            answer=answer(status, states, now),
            segments=segments(states, first, status.period_ns),
            counts=strip.counts_by_state(states),
            lines=beat_lines(status.beats, states, first, status.period_ns),
            disk=disk_words(status),
            since=clock_time(first * status.period_ns),
            keys=log_keys(status.vkeys),
            policy_file=POLICY_FILE,
            verifier=packed,
            commands=(
                call_command(status.vkeys, "CALL.bundle", packed=packed),
                policy_command("CALL.bundle", packed=packed),
                log_command(status.vkeys, f"{request.url.scheme}://{request.url.netloc}/log", packed=packed),
            ),
            grow="/fragments/status",
            switch=deps.switch is not None,
        )

    def fragment(request: Request) -> Response:
        return show(request, "fragment_status.html")

    return [Route("/status", show, name="status"), Route("/fragments/status", fragment)]
