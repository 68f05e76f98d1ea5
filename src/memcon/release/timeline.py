"""Where each RTP packet of a stream belongs in the call: order, duplicates, gaps, restarts.

A packet's place is its RTP timestamp, unwrapped, tied to the recorder's clock by the least delayed
packet of the first five seconds (least transit, RFC 3550 §6.4.1): network jitter does not move audio,
gaps keep their true length, and a sender's clock drift is left as it is. A stream is placed anew where
its sender starts anew: another SSRC, another clock rate, sequence numbers far back, or a timestamp that
no longer fits the arrivals (a sender that stops counting during a hold).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from memcon.wire.rtp import parse_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

NS = 1_000_000_000
RESYNC_NS = 500_000_000
"""A timestamp that is off its arrival by more than this, for good, starts a new run."""
WINDOW = 250
"""Packets looked at for the least delayed one: five seconds at 20 ms."""
MISORDER = 1000
"""A sequence number further back than this is a restart, not a late packet."""

Ints: TypeAlias = "NDArray[np.int64]"


class PacketStore:
    """The packets of one stream in order of arrival, packed: 12 bytes a packet beside its own."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.arrivals = array("q")
        self.lengths = array("q")

    def add(self, since: int, packet: memoryview | bytes) -> None:
        """Append one packet; `since` in ns since the call's start."""
        self.data += packet
        self.arrivals.append(since)
        self.lengths.append(len(packet))

    def since(self, first: int) -> PacketStore:
        """The packets that arrived from `first` on (ns), apart from few that came out of order."""
        at = bisect_left(self.arrivals, first)
        rest = PacketStore()
        rest.data = self.data[sum(self.lengths[:at]) :]
        rest.arrivals, rest.lengths = self.arrivals[at:], self.lengths[at:]
        return rest

    def moved(self, by: int) -> PacketStore:
        """The same packets, `by` ns later."""
        other = PacketStore()
        other.data, other.lengths = self.data, self.lengths
        other.arrivals = array("q", [since + by for since in self.arrivals])
        return other


@dataclass(frozen=True, slots=True)
class Headers:
    """The RTP headers of a stream's valid packets (RFC 3550 §5.1), as arrays over the packets.

    `start` and `end` bound the payload, in bytes of the store; padding and extension are outside.
    """

    since: Ints
    payload_type: Ints
    sequence: Ints
    timestamp: Ints
    ssrc: Ints
    start: Ints
    end: Ints


def read_headers(store: PacketStore) -> tuple[Headers, int]:
    """Headers of all RTP packets, and the number of packets that are neither RTP nor multiplexed RTCP."""
    lengths = np.array(store.lengths, dtype=np.int64)
    ends = np.cumsum(lengths)
    rows = parse_headers(
        np.frombuffer(bytes(store.data), dtype=np.uint8), ends - lengths, lengths.astype(np.uint16)
    )
    valid = rows["valid"]
    start = rows["payload_offset"][valid]
    headers = Headers(
        np.array(store.arrivals, dtype=np.int64)[valid],
        rows["payload_type"][valid].astype(np.int64),
        rows["sequence"][valid].astype(np.int64),
        rows["timestamp"][valid].astype(np.int64),
        rows["ssrc"][valid].astype(np.int64),
        start,
        start + rows["payload_length"][valid],
    )
    return headers, int((~valid & ~rows["rtcp"]).sum())


@dataclass(frozen=True, slots=True)
class Run:
    """Packets of one sender that share one anchor, in playing order.

    Packet i starts `ticks[i]` clock ticks after the call's instant `anchor` (ns since its start, may be
    negative); `packets` are indexes into the headers.
    """

    ssrc: int
    clock_rate: int
    anchor: int
    ticks: Ints
    packets: Ints


@dataclass(slots=True)
class Placed:
    """One stream's runs, and what was left out of them, in packets."""

    runs: list[Run] = field(default_factory=list)
    duplicates: int = 0
    reordered: int = 0
    stray: int = 0


def place(headers: Headers, clock_rate: Callable[[int], int | None]) -> Placed:
    """Place all packets whose payload type has a clock rate (Hz); the others are no audio."""
    placed = Placed()
    rates = {int(pt): clock_rate(int(pt)) for pt in np.unique(headers.payload_type)}
    clocks = np.array([rates[int(pt)] or 0 for pt in headers.payload_type], dtype=np.int64)
    for packets, extended in _senders(headers, placed):
        keep = clocks[packets] > 0
        packets, extended = packets[keep], extended[keep]
        order = np.argsort(extended, kind="stable")
        packets, extended = packets[order], extended[order]
        if not len(packets):
            continue
        for part in np.split(packets, np.flatnonzero(np.diff(clocks[packets])) + 1):
            _runs(headers, part, int(clocks[part[0]]), placed)
    placed.runs.sort(key=lambda run: run.anchor)
    return placed


def _senders(headers: Headers, placed: Placed) -> Iterator[tuple[Ints, Ints]]:
    """(packets, extended sequence numbers) of each sender, first arrivals only, in order of arrival."""
    for ssrc in dict.fromkeys(headers.ssrc.tolist()):
        members = np.flatnonzero(headers.ssrc == ssrc)
        highest = int(headers.sequence[members[0]]) + 0x10000
        seen: set[int] = set()
        packets, extended = array("q"), array("q")
        for index in members.tolist():
            delta = ((int(headers.sequence[index]) - highest + 0x8000) & 0xFFFF) - 0x8000
            if delta < -MISORDER:
                yield np.array(packets, dtype=np.int64), np.array(extended, dtype=np.int64)
                seen, packets, extended = set(), array("q"), array("q")
                highest, delta = int(headers.sequence[index]) + 0x10000, 0
            number = highest + delta
            if number in seen:
                placed.duplicates += 1
                continue
            if number < highest:
                placed.reordered += 1
            seen.add(number)
            highest = max(highest, number)
            packets.append(index)
            extended.append(number)
        yield np.array(packets, dtype=np.int64), np.array(extended, dtype=np.int64)


def _runs(headers: Headers, packets: Ints, clock: int, placed: Placed) -> None:
    """Cut packets in sequence order into runs with one anchor each."""
    stamps = headers.timestamp[packets]
    steps = ((np.diff(stamps) + 0x80000000) & 0xFFFFFFFF) - 0x80000000
    ticks = np.concatenate(([0], np.cumsum(steps))).astype(np.int64)
    transit = headers.since[packets] - ticks * NS // clock
    start = 0
    while start < len(packets):
        anchor = _least(transit, start)
        end, strays = _run_end(transit, start, anchor)
        kept = np.setdiff1d(np.arange(start, end), strays)
        placed.stray += len(strays)
        placed.runs.append(Run(int(headers.ssrc[packets[0]]), clock, anchor, ticks[kept], packets[kept]))
        start = end


def _least(transit: Ints, start: int) -> int:
    """The least transit of the window from `start` on, not looking past a step to an earlier anchor."""
    window = transit[start : start + WINDOW]
    falls = np.flatnonzero(np.diff(window) < -RESYNC_NS)
    # A first packet that was itself held up falls back to the others at once: look past that.
    cut = next((int(at) + 1 for at in falls if at + 1 >= WINDOW // 10), len(window))
    return int(window[:cut].min())


def _run_end(transit: Ints, start: int, anchor: int) -> tuple[int, list[int]]:
    """Where the run that begins at `start` ends, and the packets in it that fit nowhere."""
    strays: list[int] = []
    off = np.flatnonzero(np.abs(transit[start:] - anchor) > RESYNC_NS) + start
    for at in off.tolist():
        if transit[at] > anchor:
            if _least(transit, at) - anchor > RESYNC_NS:  # late for good, not held up on the way
                return at, strays
        elif np.median(transit[at : at + 5]) - anchor < -RESYNC_NS:
            return at, strays
        else:
            strays.append(at)
    return len(transit), strays


def lost_spans(run: Run, headers: Headers) -> Iterator[tuple[int, int]]:
    """(from, to) in ns since the call's start where packets of a run never came.

    By sequence numbers: where a sender is silent on purpose (RFC 3389) or sends events (RFC 4733) under the
    same numbers, nothing was lost.
    """
    numbers = headers.sequence[run.packets]
    steps = np.diff(numbers) & 0xFFFF
    starts = run.anchor + run.ticks * NS // run.clock_rate
    for at in np.flatnonzero((steps > 1) & (steps < MISORDER)).tolist():
        low, high = sorted((int(run.packets[at]), int(run.packets[at + 1])))
        near = slice(max(0, low - WINDOW), high + WINDOW)
        ahead = (headers.sequence[near] - numbers[at]) & 0xFFFF
        others = (ahead > 0) & (ahead < steps[at]) & (headers.ssrc[near] == run.ssrc)
        missing = int(steps[at]) - 1 - len(np.unique(ahead[others]))
        if missing > 0:
            start, end = int(starts[at]), int(starts[at + 1])
            yield start + (end - start) // int(steps[at]), end
