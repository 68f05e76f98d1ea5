"""What was sent beside what was kept, packet by packet, and whether each gap is declared.

For a call placed by our own recording client, which knows how many packets of each stream the
kernel took. A gap is declared where the call's own sealed events say that the recorder was not
receiving then (`takeover`), or where the kernel's drops account for it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memcon.record.call import decode as decode_leaf
from memcon.record.segment import KIND_RTP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memcon.client.load import CallSent
    from memcon.release.media import OpenCall

_HALF = 1 << 15


@dataclass(frozen=True, slots=True)
class Takeover:
    """The recording process was replaced: nothing was read from `start` to `end`, ns since the call began."""

    start: int
    end: int
    kept: bool
    """Whether the sockets were kept: then what came meanwhile was read later."""


@dataclass(frozen=True, slots=True)
class Gap:
    """`count` packets of a stream are missing between two that came (ns since the call's start)."""

    stream: int
    count: int
    after: int
    before: int

    def declared_by(self, takeovers: Sequence[Takeover]) -> Takeover | None:
        """The takeover that it falls into."""
        return next((t for t in takeovers if self.after <= t.end and self.before >= t.start), None)


@dataclass(frozen=True, slots=True)
class CallLoss:
    """One call: packets `sent` and `kept` (each sequence number once), kernel drops, gaps, takeovers.

    `started` is its start, wall ns.
    """

    number: int
    started: int
    sent: int
    kept: int
    dropped: int
    gaps: tuple[Gap, ...]
    takeovers: tuple[Takeover, ...]
    cause: int

    @property
    def missing(self) -> int:
        return self.sent - self.kept

    @property
    def undeclared(self) -> int:
        """Packets that are missing and that nothing in the record accounts for."""
        declared = sum(gap.count for gap in self.gaps if gap.declared_by(self.takeovers))
        return max(0, self.missing - declared - self.dropped)


def loss_of(call: OpenCall, sent: CallSent) -> CallLoss:
    """Compare a kept call with what its client sent. Raises FormatError for a call that does not open."""
    last = decode_leaf(list(call.leaves())[-1].leaf)
    arrivals = _arrivals(call)
    kept = sum(len(found) for found in arrivals.values())
    gaps = tuple(gap for stream, found in arrivals.items() for gap in _gaps(stream, found))
    return CallLoss(
        call.number,
        call.first().start_wall,
        sum(stream.sent for stream in sent.streams),
        kept,
        sum(count.kernel_drops for count in last.streams if count.kind == KIND_RTP),
        gaps,
        tuple(_takeovers(call)),
        last.last.cause if last.last is not None else 0,
    )


def _arrivals(call: OpenCall) -> dict[int, dict[int, int]]:
    """By RTP stream: extended sequence number -> when it came."""
    found: dict[int, dict[int, int]] = {}
    highest: dict[int, int] = {}
    for block in call.blocks():
        if block.kind != KIND_RTP:
            continue
        into = found.setdefault(block.stream, {})
        for arrival, packet in zip(block.arrivals, block.packets, strict=True):
            number = int.from_bytes(packet[2:4], "big")
            near = highest.get(block.stream, number)
            number = near + (number - near + _HALF) % (2 * _HALF) - _HALF
            highest[block.stream] = max(near, number)
            into.setdefault(number, arrival)
    return found


def _gaps(stream: int, found: dict[int, int]) -> list[Gap]:
    numbers = sorted(found)
    return [
        Gap(stream, following - number - 1, found[number], found[following])
        for number, following in itertools.pairwise(numbers)
        if following > number + 1
    ]


def _takeovers(call: OpenCall) -> list[Takeover]:
    start = call.first().start_wall
    found = []
    for event in call.events():
        facts: dict[str, Any] = event.facts
        if facts.get("type") == "takeover":
            began, ended = int(facts["from"]) - start, int(facts["until"]) - start
            found.append(Takeover(began, ended, facts.get("sockets") == "kept"))
    return found
