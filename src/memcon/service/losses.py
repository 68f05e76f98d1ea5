"""What was sent beside what was kept, packet by packet, and in which account each missing one stands.

For a call placed by our own recording client, which knows which packets of each stream the kernel
took. What a record declares overlaps: packets that the kernel dropped while the recording process was
being replaced are missing in the numbering, fall into the takeover's span, and are counted by the socket.
Here each missing packet is put into one account, the first of `ACCOUNTS` that has room for it where and
when it went missing; what is left over is declared nowhere.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from memcon.clock import NS
from memcon.record.call import decode as decode_leaf
from memcon.record.segment import KIND_RTP

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from memcon.client.load_plan import CallSent, StreamSent
    from memcon.record.call import StreamCount
    from memcon.release.media import OpenCall

ACCOUNTS: Final = ("kernel", "journal", "srtp", "off", "takeover", "ended", "sequence", "report")
"""`kernel`, `journal`, `srtp`: counted by a `loss` event of that layer; `off`: by the switch; `takeover`:
while the recording process was replaced; `ended`: after the recorder itself had ended the call; `sequence`:
missing in the numbering of the stream, as its counts say; `report`: among those that the sender's own report
names."""
_HALF = 1 << 15
SLACK_NS: Final = NS // 5
"""A loss is noticed at a sweep, and told by another clock than packets are stamped with."""
DROPOUT: Final = 3000
"""A jump of as many numbers is a new beginning to whoever counts (seal.accounting)."""
BY_RECORDER: Final = frozenset({3, 4, 5, 6, 7, 8})
"""Causes of a call's end that are not its sender's word."""


@dataclass(frozen=True, slots=True)
class Takeover:
    """The recording process was replaced: nothing was read from `start` to `end`, ns since the call began."""

    start: int
    end: int
    kept: bool
    """Whether the sockets were kept: then what came meanwhile was read later."""


@dataclass(frozen=True, slots=True)
class Told:
    """An event declares `count` packets lost in one account, from `start` to `end` (ns since the start)."""

    account: str
    stream: int
    start: int
    end: int
    count: int


@dataclass(slots=True)
class Gap:
    """`count` packets of a stream are missing between two moments (ns since the call's start).

    `inside`: between two that came, so that the numbering shows it. `takeover` is the place of the one that
    it falls into, None for none; `accounts` says where the packets stand, once that has been worked out.
    """

    stream: int
    count: int
    after: int
    before: int
    inside: bool = True
    takeover: int | None = None
    accounts: Counter[str] = field(default_factory=Counter)

    @property
    def left(self) -> int:
        """Packets that stand in no account."""
        return self.count - self.accounts.total()

    def meets(self, start: int, end: int) -> bool:
        return self.after <= end + SLACK_NS and self.before >= start - SLACK_NS

    def take(self, account: str, room: int) -> int:
        """Put as many as there is room for into an account; returns how many."""
        count = min(self.left, room)
        if count > 0:
            self.accounts[account] += count
        return max(count, 0)


@dataclass(frozen=True, slots=True)
class Claims:
    """What a stream's last counts admit: packets missing in the `numbering`, and those of the sender's
    `report` that did not come; and whether the recorder itself `ended` the call."""

    numbering: int
    report: int
    ended: bool


def settle(gaps: Sequence[Gap], told: Iterable[Told], takeovers: Sequence[Takeover], claims: Claims) -> None:
    """Put each missing packet of one stream into one account."""
    for each in told:
        room = each.count
        # what an event tells happened just before it
        for gap in sorted(gaps, key=lambda gap: abs(gap.before - each.end)):
            if gap.meets(each.start, each.end):
                room -= gap.take(each.account, room)
    for gap in gaps:
        for place, takeover in enumerate(takeovers):
            if gap.meets(takeover.start, takeover.end):
                gap.takeover = place
                gap.take("takeover", gap.left)
                break
    numbered = [gap for gap in gaps if gap.inside and gap.count < DROPOUT]
    room = claims.numbering - sum(gap.accounts.total() for gap in numbered)
    for gap in numbered:
        room -= gap.take("sequence", room)
    if claims.ended and gaps and not gaps[-1].inside:
        gaps[-1].take("ended", gaps[-1].left)
    room = claims.report - sum(gap.accounts.total() for gap in gaps)
    for gap in gaps:
        room -= gap.take("report", room)


@dataclass(frozen=True, slots=True)
class StreamLoss:
    """One stream: packets that left their sender (`sent`) and that are in the record (`kept`), each number
    once; `repeats` that left and that are there; `strange` ones of another source; and the gaps."""

    stream: int
    label: str
    sent: int
    kept: int
    repeats_sent: int = 0
    repeats_kept: int = 0
    strange: int = 0
    gaps: tuple[Gap, ...] = ()

    @property
    def missing(self) -> int:
        return self.sent - self.kept

    @property
    def accounts(self) -> Counter[str]:
        return sum((gap.accounts for gap in self.gaps), Counter())

    @property
    def undeclared(self) -> int:
        """Packets that are missing and that nothing in the record accounts for."""
        return self.missing - self.accounts.total()


@dataclass(frozen=True, slots=True)
class CallLoss:
    """One call: its streams, the takeovers in it, the cause of its end. `started` is its start, wall ns."""

    number: int
    started: int
    streams: tuple[StreamLoss, ...]
    takeovers: tuple[Takeover, ...]
    cause: int

    @property
    def sent(self) -> int:
        return sum(stream.sent for stream in self.streams)

    @property
    def kept(self) -> int:
        return sum(stream.kept for stream in self.streams)

    @property
    def missing(self) -> int:
        return self.sent - self.kept

    @property
    def gaps(self) -> tuple[Gap, ...]:
        return tuple(gap for stream in self.streams for gap in stream.gaps)

    @property
    def accounts(self) -> Counter[str]:
        return sum((stream.accounts for stream in self.streams), Counter())

    @property
    def undeclared(self) -> int:
        """Packets that are missing and that nothing in the record accounts for."""
        return sum(stream.undeclared for stream in self.streams)

    def to_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "sent": self.sent,
            "kept": self.kept,
            "accounts": dict(self.accounts),
            "undeclared": self.undeclared,
            "takeovers": len(self.takeovers),
            "cause": self.cause,
        }


def loss_of(call: OpenCall, sent: CallSent) -> CallLoss:
    """Compare a kept call with what its client sent. Raises FormatError for a call that does not open."""
    last = decode_leaf(list(call.leaves())[-1].leaf)
    cause = last.last.cause if last.last is not None else 0
    duration = last.last.duration if last.last is not None else 0
    start = call.first().start_wall
    takeovers = tuple(_takeovers(call))
    told = _told(call, duration)
    record: Any = call.record()
    numbers = {int(e["port"]): int(e["stream"]) for e in record["streams"] if e["kind"] == KIND_RTP}
    counts = {count.stream: count for count in last.streams}
    arrivals = _arrivals(call)
    found = []
    for stream in sent.streams:
        number = numbers.get(stream.port, -1)
        loss = _stream_loss(number, stream, arrivals.get(number, []), duration)
        kept = loss.kept + loss.repeats_kept
        claims = _claims(counts.get(number), kept, loss.strange, ended=cause in BY_RECORDER)
        settle(loss.gaps, [each for each in told if each.stream == number], takeovers, claims)
        found.append(loss)
    return CallLoss(call.number, start, tuple(found), takeovers, cause)


def _claims(count: StreamCount | None, kept: int, strange: int, *, ended: bool) -> Claims:
    if count is None:
        return Claims(0, 0, ended)
    numbering = count.expected - (count.received - count.duplicates) + strange
    return Claims(numbering, count.sender_count - kept, ended)


Came = tuple[int, int, int]
"""A packet that came: SSRC, sequence number, when (ns since the call's start)."""


def _arrivals(call: OpenCall) -> Mapping[int, list[Came]]:
    """By RTP stream what came, in order."""
    found: dict[int, list[Came]] = {}
    for block in call.blocks():
        if block.kind == KIND_RTP:
            into = found.setdefault(block.stream, [])
            for arrival, packet in zip(block.arrivals, block.packets, strict=True):
                head = bytes(packet[:12]).ljust(12, b"\0")
                into.append((int.from_bytes(head[8:12], "big"), int.from_bytes(head[2:4], "big"), arrival))
    return found


def _stream_loss(number: int, sent: StreamSent, came: Sequence[Came], duration: int) -> StreamLoss:
    kept: dict[int, int] = {}
    left_out = frozenset(sent.left_out)
    strange = repeats = 0
    near = 0
    for ssrc, sequence, arrival in came:
        # the number counted on from the sender's first: the one closest to where the stream is
        index = near + ((sequence - sent.first - near + _HALF) & 0xFFFF) - _HALF
        if ssrc != sent.ssrc or not 0 <= index < sent.packets or index in left_out:
            strange += 1
        elif index in kept:
            repeats += 1
        else:
            kept[index] = arrival
            near = max(near, index)
    gaps = tuple(_gaps(number, sent, kept, left_out, duration))
    there = sent.packets - len(left_out)
    return StreamLoss(
        number, sent.label, there, len(kept), len(sent.twice), repeats, strange, gaps
    )  # fmt: skip


def _gaps(
    number: int, sent: StreamSent, kept: Mapping[int, int], left_out: frozenset[int], duration: int
) -> Iterable[Gap]:
    """What left its sender and did not come, stretch by stretch, those before the first and after the last
    packet included."""
    edges = [-1, *sorted(kept), sent.packets]
    for before, after in itertools.pairwise(edges):
        if after <= before + 1:
            continue
        count = sum(n not in left_out for n in range(before + 1, after))
        if count:
            inside = before >= 0 and after < sent.packets
            yield Gap(number, count, kept.get(before, 0), kept.get(after, duration), inside)


def _takeovers(call: OpenCall) -> Iterable[Takeover]:
    """Placed by the call's own time, which no step of the wall clock moves."""
    for event in call.events():
        facts: dict[str, Any] = event.facts
        if facts.get("type") == "takeover":
            length = int(facts["until"]) - int(facts["from"])
            yield Takeover(event.since - length, event.since, facts.get("sockets") == "kept")


def _told(call: OpenCall, duration: int) -> list[Told]:
    """The losses that the call's events count, each since the one before it of its kind."""
    found: list[Told] = []
    since: dict[tuple[str, int], int] = {}
    for event in call.events():
        facts: dict[str, Any] = event.facts
        stream = int(facts.get("stream", -1))
        kind = facts.get("type")
        if kind == "loss":
            account = str(facts["layer"])
            start = since.get((account, stream), 0)
            found.append(Told(account, stream, start, event.since, int(facts["count"])))
            since[account, stream] = event.since
        elif kind == "on":
            off = since.pop(("off", stream), 0)
            found.append(Told("off", stream, off, event.since, int(facts["count"])))
        elif kind == "off" and "count" in facts:  # of the whole call, at its end
            count = int(facts["count"])
            found += [Told("off", n, at, duration, count) for (what, n), at in since.items() if what == "off"]
        elif kind == "off":
            since["off", stream] = event.since
    return found
