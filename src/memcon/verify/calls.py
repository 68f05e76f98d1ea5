"""The call leaves of one call against the beats that hold them (FORMATS §3, §4 and §13).

Exactly one leaf in every beat from the first to the last, each under the slot root of its beat,
each chained to the one before: that is what makes a missing second show.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from memcon.errors import FormatError
from memcon.record import call as calls
from memcon.record import opened
from memcon.record.beat import Beat, wrap_slot_root
from memcon.record.call import FLAG_CLOCK_STEP, FLAG_LATE, FLAG_RECOVERED, CallLeaf, PlacedLeaf
from memcon.record.segment import KIND_RTCP, KIND_RTP, KIND_WIRE
from memcon.record.slottree import DEPTH, root_from_path
from memcon.tlog.merkle import leaf_hash, verify_inclusion
from memcon.verify.beats import BeatCheck
from memcon.verify.clocks import CallClock
from memcon.verify.words import count, utc

if TYPE_CHECKING:
    from memcon.tlog.checkpoint import Checkpoint
    from memcon.verify.container import Buffer
    from memcon.verify.findings import Report

_KINDS = {KIND_RTP: "RTP", KIND_RTCP: "RTCP", KIND_WIRE: "SRTP as it came"}


@dataclass(slots=True)
class Sealed:
    """A call leaf, its beat, and whether both are anchored in the checkpoint's tree."""

    leaf: CallLeaf
    raw: bytes
    beat: Beat | None
    anchored: bool


@dataclass(slots=True)
class Call:
    """What the leaves of a call say, in order."""

    number: int
    leaves: list[Sealed] = field(default_factory=list)

    @property
    def first(self) -> calls.First | None:
        """The first leaf's own part."""
        return self.leaves[0].leaf.first if self.leaves else None

    @property
    def last(self) -> calls.Last | None:
        """The last leaf's own part, or None if the call had not ended."""
        return self.leaves[-1].leaf.last if self.leaves else None


@dataclass(slots=True)
class ProvenBeats:
    """The beats beside a call: by index, those that could be read, and those proved to be in the tree."""

    check: BeatCheck
    by_index: dict[int, Beat]
    proved: set[int]


def read_beats(
    report: Report, data: bytes | None, checkpoint: Checkpoint | None, *, leaps: bool = False
) -> ProvenBeats:
    """Check `beats.mcb`: genesis, then beats, each proved to be in the checkpoint's tree; consecutive unless
    `leaps`."""
    origin = "" if checkpoint is None else checkpoint.origin
    check = BeatCheck(report, origin)
    result = ProvenBeats(check, {}, set())
    where = "beats.mcb"
    if data is None:
        report.add("beats-form", where, "is not there")
        return result
    try:
        size, proven = opened.read_beats(data)
    except FormatError as error:
        report.add("beats-form", where, str(error))
        return result
    if checkpoint is not None and size != checkpoint.size:
        report.add("beats-form", where, f"is of a tree of {size} leaves, the checkpoint of {checkpoint.size}")
    if not proven or proven[0].index != 0:
        report.add("genesis-missing", where, "does not begin with the genesis leaf")
    previous = None
    for one in proven:
        if previous and (one.index <= previous if leaps else one.index != previous + 1):
            report.add("beat-order", where, f"beat {one.index} after beat {previous}")
        previous = one.index
        beat = check.take(one.index, one.leaf)
        if beat is not None:
            result.by_index[one.index] = beat
        if checkpoint is not None and _proved(report, one, checkpoint):
            result.proved.add(one.index)
    report.checked.append(
        f"{len(result.proved)} of {count(len(proven), 'beat')} are proved to be in the checkpoint's tree"
    )
    return result


def _proved(report: Report, one: opened.ProvenBeat, checkpoint: Checkpoint) -> bool:
    try:
        verify_inclusion(leaf_hash(one.leaf), one.index, checkpoint.size, one.proof, checkpoint.root)
    except FormatError as error:
        report.add("beat-proof", f"beat {one.index}", str(error))
        return False
    return True


def read_leaves(
    report: Report, data: Buffer | None, beats: ProvenBeats, number: int | None, size: int | None
) -> Call:
    """Check `leaves.mcl` against the beats. `size` is the tree size, which tells whether beats follow."""
    where = "leaves.mcl"
    placed: list[PlacedLeaf] = []
    if data is None:
        report.add("call-form", where, "is not there")
        return Call(number or 0)
    raw = bytes(data)
    try:
        placed.extend(calls.read_leaves(raw))
    except FormatError as error:
        report.add("call-form", where, f"{error}; {len(placed)} leaves before it were read")
    stated = int.from_bytes(raw[8:16], "big")
    if number is not None and stated != number:
        report.add("manifest-facts", where, f"is of call {stated}, the manifest of call {number}")
    call = Call(stated)
    for n, place in enumerate(placed):
        sealed = _leaf(report, f"call leaf {n}", place, beats)
        if sealed is not None:
            call.leaves.append(sealed)
    _check_beats(report, [place.index for place in placed], beats)
    _check_sequence(report, call)
    if not call.leaves:
        return call
    if call.last is None:
        _check_open(report, call, size)
    _check_times(report, call)
    anchored = sum(sealed.anchored for sealed in call.leaves)
    leaves = count(len(placed), "call leaf", "call leaves")
    report.checked.append(f"{anchored} of {leaves} lead to the slot roots of their beats in the log")
    _facts(report, call)
    return call


def _leaf(report: Report, where: str, place: PlacedLeaf, beats: ProvenBeats) -> Sealed | None:
    try:
        leaf = calls.decode(place.leaf)
    except FormatError as error:
        report.add("call-form", where, str(error))
        return None
    if (leaf.index, leaf.slot, leaf.lane) != (place.index, place.slot, place.lane):
        report.add(
            "call-place",
            where,
            f"says index {leaf.index}, slot {leaf.slot}, lane {leaf.lane}; it is kept under index "
            f"{place.index}, slot {place.slot}, lane {place.lane}",
        )
    beat = beats.by_index.get(place.index)
    anchored = False
    if beat is not None:
        if beat.slot != leaf.slot:
            report.add("call-place", where, f"says slot {leaf.slot}, its beat is of slot {beat.slot}")
        anchored = on_path(report, where, place, beat, beats.check.origin) and place.index in beats.proved
    return Sealed(leaf, place.leaf, beat, anchored)


def on_path(
    report: Report, where: str, place: PlacedLeaf, beat: Beat, origin: str, code: str = "call-path"
) -> bool:
    """Whether a leaf in its lane leads to the slot root of its beat; a finding where it does not."""
    try:
        root = root_from_path(place.lane, place.salt, place.leaf, place.path)
    except FormatError as error:
        report.add(code, where, str(error))
        return False
    if wrap_slot_root(origin, beat.index, beat.slot, DEPTH, root) != beat.slot_root:
        report.add(code, where, f"does not lead to the slot root of beat {beat.index}")
        return False
    return True


def _check_beats(report: Report, indexes: list[int], beats: ProvenBeats) -> None:
    held = {index for index in beats.by_index if index}
    for index in sorted(held - set(indexes)):
        report.add("call-beats", f"beat {index}", "has no call leaf")
    for index in sorted(set(indexes) - held):
        report.add("call-beats", f"beat {index}", "a call leaf names it, and it is not there")
    if len(set(indexes)) != len(indexes):
        report.add("call-beats", "leaves.mcl", "has two leaves for one beat")


def _check_sequence(report: Report, call: Call) -> None:
    """First only first, last only last, chain, lane, and seconds, events, entries without a gap."""
    before: Sealed | None = None
    for n, sealed in enumerate(call.leaves):
        leaf, where = sealed.leaf, f"call leaf {n}"
        if leaf.number != call.number:
            report.add("call-place", where, f"is of call {leaf.number}, not {call.number}")
        if (leaf.first is not None) != (n == 0):
            report.add("call-first", where, "begins a call" if leaf.first else "does not begin the call")
        if before is not None:
            _check_follow(report, where, before, leaf)
        check_counts(report, where, None if before is None else before.leaf, leaf)
        before = sealed


def check_counts(report: Report, where: str, before: CallLeaf | None, leaf: CallLeaf) -> None:
    """What a leaf counts against the leaf before it (None: it should be the first), and its totals."""
    segments = 0 if before is None else before.first_segment + before.segments
    events = 0 if before is None else before.first_event + before.events
    entries = 0 if before is None else before.table_entries
    if leaf.first_segment != segments:
        report.add("call-sequence", where, f"begins with second {leaf.first_segment}, {segments} was due")
    if leaf.first_event != events:
        report.add("call-sequence", where, f"begins with event {leaf.first_event}, {events} was due")
    if leaf.table_entries < entries:
        report.add("call-sequence", where, f"{leaf.table_entries} stream entries, {entries} before")
    segments, events = leaf.first_segment + leaf.segments, leaf.first_event + leaf.events
    last = leaf.last
    if last is not None and (last.segments, last.events) != (segments, events):
        text = f"{last.segments} seconds and {last.events} events in all; the leaves: {segments} and {events}"
        report.add("call-totals", where, text)
    counts = [(s.stream, s.kind) for s in leaf.streams]
    if counts != sorted({c[0]: c for c in counts}.values()):
        report.add("call-counters", where, "streams stand twice or out of order")
    if before is not None:
        _check_counters(report, where, before, leaf)


def _check_follow(report: Report, where: str, before: Sealed, leaf: CallLeaf) -> None:
    if before.leaf.last is not None:
        report.add("call-last", where, "the leaf before it ended the call")
    if leaf.chain != calls.chain_hash(before.raw):
        report.add("call-chain", where, "its chain is not the hash of the leaf before it")
    if leaf.lane != before.leaf.lane:
        report.add("call-place", where, f"in lane {leaf.lane}, the leaf before it in lane {before.leaf.lane}")


def _check_counters(report: Report, where: str, before: CallLeaf, leaf: CallLeaf) -> None:
    now = {(s.stream, s.kind): s for s in leaf.streams}
    for old in before.streams:
        new = now.get((old.stream, old.kind))
        if new is None:
            report.add("call-counters", where, "the stream is no longer listed", stream=old.stream)
        elif any(
            getattr(new, name) < getattr(old, name)
            for name in ("received", "expected", "kernel_drops", "duplicates", "reordered")
        ):
            report.add("call-counters", where, "a counter is less than in the leaf before", stream=old.stream)


def _check_open(report: Report, call: Call, size: int | None) -> None:
    last = call.leaves[-1].leaf
    if size is not None and last.index + 1 < size:
        report.add(
            "call-cut",
            f"beat {last.index}",
            f"the call goes on in beat {last.index + 1} and later; the log has {size} leaves, "
            "and the call's leaves in them are not here",
        )
    else:
        report.add("call-open", f"beat {last.index}", "the call had not yet ended at the newest beat")


def _check_times(report: Report, call: Call) -> None:
    first = call.first
    if first is None:
        return
    clock = CallClock(first.start_wall)
    for n, sealed in enumerate(call.leaves):
        if sealed.beat is not None:
            clock.take(report, f"call leaf {n}", sealed.leaf, sealed.beat)


def _facts(report: Report, call: Call) -> None:
    first, last = call.first, call.last
    facts = report.facts
    facts["call"] = call.number
    if first is not None:
        facts["start, by the recorder's clock"] = utc(first.start_wall)
        facts["handle"] = first.handle.hex()
    if last is not None:
        facts["end, by the recorder's clock"] = utc(last.end_wall)
        facts["duration (ms)"] = last.duration // 1_000_000
        facts["ended by"] = f"{calls.CAUSES[last.cause]}, {calls.WHO[last.who]}"
    streams: list[dict[str, Any]] = [
        {
            "stream": s.stream,
            "kind": _KINDS.get(s.kind, str(s.kind)),
            "received": s.received,
            "expected": s.expected,
            "kernel drops": s.kernel_drops,
            "duplicates": s.duplicates,
            "out of order": s.reordered,
        }
        for s in call.leaves[-1].leaf.streams
    ]
    facts["streams, by the recorder's counters"] = streams
    instances = {sealed.beat.instance for sealed in call.leaves if sealed.beat is not None}
    facts["recording processes, one after the other"] = len(instances - {bytes(16)})
    flags = 0
    for sealed in call.leaves:
        flags |= sealed.leaf.flags
    names = {FLAG_RECOVERED: "sealed from the journal after a crash", FLAG_CLOCK_STEP: "clock step",
             FLAG_LATE: "sealed late"}  # fmt: skip
    facts["oddities of sealing"] = [name for flag, name in names.items() if flags & flag]
