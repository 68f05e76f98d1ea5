"""The seconds of a call against its leaves: which match their seal, which do not, which are not there."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from memcon.record.config import hash_root
from memcon.verify.locate import changed_bytes
from memcon.verify.media import scan
from memcon.verify.words import count, span, utc

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from memcon.record.call import CallLeaf
    from memcon.verify.calls import Call, Sealed
    from memcon.verify.container import Buffer, Contents
    from memcon.verify.findings import Report
    from memcon.verify.media import Scan

MATCH, DIFFER, ABSENT = "match their seal", "do not match their seal", "are not there"
UNANCHORED = "match a seal that is not proved"
_NAME = "media.mcb"
MAX_SEARCH = 16 << 20
"""Bytes that are searched for the one that was changed: the seconds of any real slot, in some seconds."""


@dataclass(slots=True)
class Media:
    """The media after the check: bytes to read audio from, and the seconds that match their seals."""

    data: Buffer
    offsets: list[int]
    good: set[int] = field(default_factory=set)


def check_media(
    report: Report, contents: Contents, call: Call, progress: Callable[[int, int], None] | None = None
) -> Media:
    """Check `media.mcb` of a bundle: seals, then what blocks and leaves say of each other."""
    entry = contents.entries[_NAME]
    found = scan(entry.content, progress)
    media = Media(entry.content, found.offsets)
    changed: int | None = None
    bad = _first_bad(call, found.hashes)
    if (bad is not None or found.torn) and contents.changed(_NAME):
        repaired = _repair(report, contents, found, bad)
        if repaired is not None:
            media.data, found, changed = repaired
            media.offsets = found.offsets
    if found.call != call.number:
        report.add("manifest-facts", _NAME, f"is of call {found.call}, the leaves of call {call.number}")
    _report_problems(report, found)
    states = seal_states(call, found.hashes)
    if changed is not None and changed in states:
        states[changed] = DIFFER
    media.good = {n for n, state in states.items() if state == MATCH}
    report_states(report, call, states, len(found.hashes), _NAME, named=changed)
    check_call_root(report, call, found.hashes, _NAME)
    if not found.torn:
        _check_counts(report, call, found)
    blocks = found.shown + found.withheld
    if found.withheld:
        report.add("media-withheld", _NAME, f"{found.withheld:,} of {count(blocks, 'block')} are withheld")
    report.facts["blocks shown"] = f"{found.shown:,} of {blocks:,}"
    report.facts["packets in them"] = found.packets
    return media


def _report_problems(report: Report, found: Scan) -> None:
    for code, text, second, stream in found.problems:
        report.add(code, _NAME, text, second=second, stream=stream)
    for code, more in found.more.items():
        report.counts[code] += max(0, more)
    if found.torn:
        problem, at = found.torn
        text = f"{problem}, at byte {at}; nothing after it was read"
        report.add("media-form", _NAME, text, second=len(found.hashes))
    if found.late:
        after = f"{found.latest // 1_000_000:,} ms"
        text = (
            f"{count(found.late, 'packet')} with the true arrival times, the latest {after} after its arrival"
        )
        report.add("media-late", _NAME, text)


def _first_bad(call: Call, hashes: Sequence[bytes]) -> CallLeaf | None:
    """The first leaf whose seconds do not match."""
    for sealed in call.leaves:
        if not _matches(sealed.leaf, hashes):
            return sealed.leaf
    return None


def _matches(leaf: CallLeaf, hashes: Sequence[bytes]) -> bool:
    part = hashes[leaf.first_segment : leaf.first_segment + leaf.segments]
    return len(part) == leaf.segments and hash_root(list(part)) == leaf.segment_root


def _repair(
    report: Report, contents: Contents, found: Scan, bad: CallLeaf | None
) -> tuple[Buffer, Scan, int | None] | None:
    """If one changed byte explains it all, name it, and read the media again as they were."""
    entry = contents.entries[_NAME]
    listed = contents.listed[_NAME][1]
    start, end = _window(found, bad)
    for place, old in changed_bytes(entry.content, entry.crc, start, end):
        repaired = bytearray(entry.content)
        repaired[place] = old
        if sha256(repaired).digest() != listed:
            continue
        again = scan(repaired)
        second = again.second_at(place)
        new = entry.content[place]
        report.add(
            "byte-changed",
            _NAME,
            f"byte {place} is {new:#04x}; with {old:#04x} in its place the file is what the manifest names",
            second=second,
            stream=None if second is None else _stream_at(repaired, again, second, place),
        )
        return repaired, again, second
    return None


def _window(found: Scan, bad: CallLeaf | None) -> tuple[int, int]:
    """The bytes among which the changed one must be: those of the first leaf that does not match."""
    offsets, start, end = found.offsets or [0], 0, 0
    if bad is not None:
        start = offsets[min(bad.first_segment, len(offsets) - 1)]
        end = offsets[min(bad.first_segment + bad.segments, len(offsets) - 1)]
    if found.torn:
        end = max(end, found.torn[1] + 64)  # what was read when it stopped making sense
    return start, min(end, start + MAX_SEARCH)


def _stream_at(data: Buffer, found: Scan, second: int, place: int) -> int | None:
    """The stream of the block that holds `place`, or None for the second's head."""
    view = memoryview(data)
    at = found.offsets[second] + 44
    while at <= place:
        stream = int.from_bytes(view[at : at + 2], "big")
        at += 41 + int.from_bytes(view[at + 37 : at + 41], "big") if view[at + 4] == 1 else 37
        if place < at:
            return stream
    return None


def seal_states(call: Call, hashes: Sequence[bytes]) -> dict[int, str]:
    """One word for every second that a leaf covers; for one that two cover, the worse."""
    states: dict[int, str] = {}
    for sealed in call.leaves:
        leaf = sealed.leaf
        matching = MATCH if sealed.anchored else UNANCHORED
        state = matching if _matches(leaf, hashes) else DIFFER
        for n in range(leaf.first_segment, leaf.first_segment + leaf.segments):
            if states.get(n, MATCH) == MATCH:
                states[n] = state if n < len(hashes) else ABSENT
    return states


def report_states(
    report: Report,
    call: Call,
    states: Mapping[int, str],
    there: int,
    where: str,
    *,
    named: int | None = None,
) -> None:
    """Say of every leaf's seconds how they stand; `named` is a second already named exactly."""
    for sealed in call.leaves:
        leaf = sealed.leaf
        for first, last in _runs(states, leaf.first_segment, leaf.first_segment + leaf.segments):
            _report_run(report, sealed, states[first], first, last, where, named)
    extra = [n for n in range(there) if n not in states]
    if extra:
        text = f"{count(len(extra), 'second')}: no call leaf here covers them"
        report.add("media-extra", where, text, second=extra[0], through=extra[-1])
    good = sum(state == MATCH for state in states.values())
    report.checked.append(f"{good:,} of {count(len(states) + len(extra), 'second')} match their seals")


def _runs(states: Mapping[int, str], start: int, end: int) -> list[tuple[int, int]]:
    """Stretches of one state from `start` to before `end`, as (first, last)."""
    runs: list[tuple[int, int]] = []
    for n in range(start, end):
        if runs and states[n] == states[n - 1]:
            runs[-1] = runs[-1][0], n
        else:
            runs.append((n, n))
    return runs


def _report_run(
    report: Report, sealed: Sealed, state: str, first: int, last: int, where: str, named: int | None
) -> None:
    if state == DIFFER and first != named:
        leaf = sealed.leaf
        text = (
            f"the seal in beat {leaf.index} covers {count(leaf.segments, 'second')} together and does not "
            "match; it cannot tell which of them"
        )
        report.add("media-segment", where, text, second=first, through=last)
    elif state == DIFFER:
        report.add("media-segment", where, "does not match its seal", second=first)
    elif state == ABSENT:
        report.add(
            "media-missing", where, f"{span(first, last)}: sealed, and not here", second=first, through=last
        )
    beat = sealed.beat
    report.seconds.append(
        {
            "first": first,
            "last": last,
            "beat": sealed.leaf.index,
            "slot": sealed.leaf.slot,
            "slot_start": None if beat is None else utc(beat.slot_start_ns()),
            "slot_end": None if beat is None else utc(beat.slot_end_ns()),
            "clock": "operator's clock only",
            "state": state,
        }
    )


def check_call_root(report: Report, call: Call, hashes: Sequence[bytes], where: str) -> None:
    """All seconds together against the last leaf."""
    last = call.last
    if last is not None and hash_root(list(hashes)) != last.call_root:
        report.add("media-call-root", where, "all seconds together do not lead to the root in the last leaf")


def _check_counts(report: Report, call: Call, found: Scan) -> None:
    """The leaves' counters and maps of empty seconds against the blocks that are there."""
    totals: dict[tuple[int, int], int] = {}
    for n, sealed in enumerate(call.leaves):
        leaf = sealed.leaf
        listed = {(s.stream, s.kind): s for s in leaf.streams}
        for offset in range(leaf.segments):
            second = leaf.first_segment + offset
            if second >= len(found.streams):
                return
            present = found.streams[second]
            for stream, kind in present.keys() - listed.keys():
                report.add(
                    "media-stream",
                    _NAME,
                    f"kind {kind} is not in call leaf {n}",
                    second=second,
                    stream=stream,
                )
            for key, entry in listed.items():
                if entry.is_empty(offset) == (key in present):
                    says = "empty" if entry.is_empty(offset) else "not empty"
                    text = f"call leaf {n} says {says}, the blocks say otherwise"
                    report.add("media-empty", _NAME, text, second=second, stream=entry.stream)
            for key, packets in present.items():
                before = totals.get(key, 0)
                totals[key] = -1 if before < 0 or packets < 0 else before + packets
        for key, entry in listed.items():
            total = totals.get(key, 0)
            if total > entry.received or (leaf.last is not None and 0 <= total != entry.received):
                text = f"{total} packets are here, call leaf {n} counts {entry.received}"
                report.add("media-received", _NAME, text, stream=entry.stream)
