"""What a call's leaves say, without any key: counts, empty seconds, beats, the end; and its state.

`seconds` has one code a second of a stream: NOTHING, HEARD, HELD (empty, and a hold was declared).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from memcon.errors import FormatError
from memcon.record.call import FLAG_RECOVERED, CallLeaf, First, Last, decode, read_leaves
from memcon.record.segment import KIND_RTP, NS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

State: TypeAlias = Literal["live", "recorded", "partly", "none", "taken", "accounts"]
STATES: tuple[State, ...] = ("live", "recorded", "partly", "taken", "none", "accounts")
"""`none`: signalling and not one packet; `taken`: taken in from a file; `accounts`: a dossier
alone. docs/CODES.md has the words."""

NOTHING, HEARD, HELD = 0, 1, 2
CAUSES_PARTLY = frozenset({3, 6, 7})
"""Ends that were not the call's own: recorder stopped, recorder failed, media failed (FORMATS §4)."""
LEAD_IN = 2
"""Empty seconds at the start that are setting up the call, not a gap."""


@dataclass(frozen=True, slots=True)
class StreamTotals:
    """One RTP stream over the whole call."""

    received: int
    expected: int
    kernel_drops: int
    duplicates: int
    reordered: int
    seconds: bytes

    @property
    def lost(self) -> int:
        return lost(self.received, self.expected, self.duplicates)


@dataclass(frozen=True, slots=True)
class InBeat:
    """The call's leaf in one beat: segments [first, first + segments), packets lost so far."""

    index: int
    first: int
    segments: int
    lost: int


@dataclass(slots=True)
class Structure:
    """One call as its leaves tell it; `last` is None while it has no last leaf."""

    number: int
    first: First
    last: Last | None
    recovered: bool
    beats: list[InBeat] = field(default_factory=list)
    streams: dict[int, StreamTotals] = field(default_factory=dict)

    @property
    def segments(self) -> int:
        return self.beats[-1].first + self.beats[-1].segments if self.beats else 0


def lost(received: int, expected: int, duplicates: int) -> int:
    """Packets that never came, by sequence numbers."""
    return max(0, expected - (received - duplicates))


def read_structure(data: bytes) -> Structure:
    """Read a whole `leaves.mcl`; raises FormatError."""
    leaves = [decode(placed.leaf) for placed in read_leaves(data)]
    if not leaves or leaves[0].first is None:
        raise FormatError("leaves.mcl", "does not begin with the call's first leaf", where=16)
    recovered = any(leaf.flags & FLAG_RECOVERED for leaf in leaves)
    out = Structure(leaves[0].number, leaves[0].first, leaves[-1].last, recovered)
    seconds: dict[int, bytearray] = {}
    for leaf in leaves:
        out.beats.append(InBeat(leaf.index, leaf.first_segment, leaf.segments, _lost(leaf)))
        for count in leaf.streams:
            if count.kind == KIND_RTP:
                line = seconds.setdefault(count.stream, bytearray(leaf.first_segment))
                line += bytes(NOTHING if count.is_empty(i) else HEARD for i in range(leaf.segments))
    for count in leaves[-1].streams:
        if count.kind == KIND_RTP:
            out.streams[count.stream] = StreamTotals(
                count.received,
                count.expected,
                count.kernel_drops,
                count.duplicates,
                count.reordered,
                bytes(seconds[count.stream]),
            )
    return out


def _lost(leaf: CallLeaf) -> int:
    return sum(lost(s.received, s.expected, s.duplicates) for s in leaf.streams if s.kind == KIND_RTP)


def held(
    events: Iterable[tuple[int, Mapping[str, Any]]], end: int
) -> dict[int | None, list[tuple[int, int]]]:
    """{stream, or None for all: [(from, to) in ns]} of holds; `events` are (since, facts) in order."""
    spans: dict[int | None, list[tuple[int, int]]] = {}
    since_when: dict[int | None, int] = {}
    for since, facts in events:
        stream = facts.get("stream")
        stream = stream if isinstance(stream, int) else None
        if facts["type"] in ("hold", "pause"):
            since_when.setdefault(stream, since)
        elif facts["type"] in ("resume", "unpause") and stream in since_when:
            spans.setdefault(stream, []).append((since_when.pop(stream), since))
    for stream, since in since_when.items():
        spans.setdefault(stream, []).append((since, end))
    return spans


def mark_held(seconds: bytes, spans: Iterable[tuple[int, int]]) -> bytes:
    """Empty seconds that a declared hold touches become HELD."""
    marked = bytearray(seconds)
    for begin, end in spans:
        for n in range(begin // NS, min(-(-end // NS), len(marked))):
            if marked[n] == NOTHING:
                marked[n] = HELD
    return bytes(marked)


def gaps(seconds: bytes) -> int:
    """Empty seconds that nobody declared; neither the first two nor the last, which is cut short, count."""
    if HEARD not in seconds:
        return seconds.count(NOTHING)
    return seconds[LEAD_IN:-1].count(NOTHING)


def state_of(
    *, ended: bool, received: int, lost: int, drops: int, gaps: int, recovered: bool, cause: int | None
) -> State:
    """The state of a call, by what came, what is known to be missing, and how it ended."""
    if not ended:
        return "live"
    if received == 0:
        return "none"
    if lost or drops or gaps or recovered or cause in CAUSES_PARTLY:
        return "partly"
    return "recorded"


def total_gaps(streams: Sequence[tuple[str | None, bytes]]) -> int:
    """Gaps over (direction, seconds) of all streams; an inactive stream has nothing to send."""
    return sum(gaps(seconds) for direction, seconds in streams if direction != "inactive")
