"""A call's seconds against the clock (FORMATS §4, Arithmetic): how many must there be by now?

What holds: after a leaf that is not the last, the call has as many whole seconds as lie between its
start and its slot's end, one more or less. Fewer only where the leaf says that it was sealed late, and
then a later leaf has them all. Where the clock was stepped, by the operator's word, both clocks part by
some seconds; from the next leaf on they must stay as far apart as they are then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.record.beat import FLAG_CLOCK_STEP as BEAT_CLOCK_STEP
from memcon.record.call import FLAG_CLOCK_STEP, FLAG_LATE, FLAG_RECOVERED, MAX_SEGMENTS
from memcon.verify.words import utc

if TYPE_CHECKING:
    from memcon.record.beat import Beat
    from memcon.record.call import CallLeaf, Last
    from memcon.verify.findings import Report

NS = 1_000_000_000
_SLACK = 2
"""Seconds by which the call's duration and its clock times may differ without a step."""


@dataclass(slots=True)
class CallClock:
    """Takes a call's leaves in order. `apart`: seconds there are beyond those that the clock demands."""

    start: int
    apart: int = 0
    stepping: bool = False
    begun: bool = False

    def take(self, report: Report, where: str, leaf: CallLeaf, beat: Beat) -> None:
        """Check one leaf against its beat."""
        stepped = bool(leaf.flags & FLAG_CLOCK_STEP or beat.flags & BEAT_CLOCK_STEP)
        self.stepping |= stepped
        if not self.begun:
            self.begun = True
            self._inside(report, where, "start", self.start, leaf, beat)
        if leaf.last is not None:
            self._inside(report, where, "end", leaf.last.end_wall, leaf, beat)
            self._check_last(report, where, leaf.last)
            return
        have = leaf.first_segment + leaf.segments
        due = max(0, (beat.slot_end_ns() - self.start) // NS)
        behind = bool(leaf.flags & FLAG_LATE) or leaf.segments == MAX_SEGMENTS
        more = have - due - self.apart
        if self.stepping:
            if not stepped and not behind:
                self._anchor(report, where, have - due)
        elif more > 1 or (more < -1 and not behind):
            text = f"{have} seconds after it, by its slot's end {due + self.apart} were due"
            report.add("call-arithmetic", where, text)

    def _anchor(self, report: Report, where: str, apart: int) -> None:
        """After a step: how far the clocks are apart from here on."""
        by = self.apart - apart
        self.apart, self.stepping = apart, False
        if abs(by) > 1:
            text = f"forward by about {by}" if by > 0 else f"back by about {-by}"
            report.add("call-step", where, f"{text} seconds: such a number of seconds cannot be counted here")

    def _check_last(self, report: Report, where: str, last: Last) -> None:
        due = max(1, -(-last.duration // NS))
        if last.segments != due:
            report.add("call-arithmetic", where, f"{last.segments} seconds in all, {due} were due")
        apart = (last.duration - (last.end_wall - self.start)) // NS - self.apart
        if not self.stepping and abs(apart) > _SLACK:
            text = f"lasted {last.duration // NS} seconds, from {utc(self.start)} to {utc(last.end_wall)}"
            report.add("call-arithmetic", where, text)

    def _inside(self, report: Report, where: str, what: str, wall: int, leaf: CallLeaf, beat: Beat) -> None:
        if self.stepping:
            return
        late = leaf.flags & (FLAG_LATE | FLAG_RECOVERED)
        if wall >= beat.slot_end_ns() + NS or (not late and wall < beat.slot_start_ns() - NS):
            report.add("call-time", where, f"the call's {what}, {utc(wall)}, is not in slot {beat.slot}")
