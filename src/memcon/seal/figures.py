"""What sealing counts for those who watch: how late beats are, how long they take, what is missing.

Each lost packet stands in one account. `socket`: dropped by the kernel for want of room, as it counts
itself; `sequence`: missing in the RTP numbering and not among those, so lost before it reached our
sockets, or in a take-over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memcon.clock import Durations

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memcon.seal.call_state import Call

NAMES = ("received", "socket", "sequence", "duplicates", "reordered")


def totals(call: Call) -> list[int]:
    """A call's packets by its latest leaf, in the order of NAMES."""
    found = [0] * len(NAMES)
    streams: Any = call.progress()[1]
    for _, received, expected, dropped, duplicates, reordered in streams:
        missing = max(0, expected - (received - duplicates) - dropped)
        for place, count in enumerate((received, dropped, missing, duplicates, reordered)):
            found[place] += count
    return found


class Figures:
    """Counted since this sealer began; what it reads of the journal again is counted again."""

    def __init__(self) -> None:
        self._late = Durations()
        self._made = Durations()
        self._ended = [0] * len(NAMES)
        self._calls = 0

    def beat(self, late_ns: int, made_ns: int) -> None:
        """A beat stands in the log, so long after its slot's end; making and publishing it took so long."""
        self._late.add(late_ns)
        self._made.add(made_ns)

    def ended(self, call: Call) -> None:
        """A call has its last leaf."""
        self._calls += 1
        self._ended = [a + b for a, b in zip(self._ended, totals(call), strict=True)]

    def to_json(self, going_on: Iterable[Call]) -> dict[str, object]:
        """For seal.json: the packets of all calls, ended or `going_on`, and both histograms."""
        sums = self._ended
        for call in going_on:
            if not call.complete:
                sums = [a + b for a, b in zip(sums, totals(call), strict=True)]
        return {
            "packets": dict(zip(NAMES, sums, strict=True)),
            "calls_ended": self._calls,
            "beats_late": self._late.to_json(),
            "beats_made": self._made.to_json(),
        }
