"""The leaves of a call: what a dishonest operator seals in them, and what an honest one may."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.verify import builder as b
from tests.verify.found import codes

from memcon.record import call as calls
from memcon.record.config import hash_root
from memcon.record.hashing import ZERO32, sha256
from memcon.verify import trust, verify_bundle

if TYPE_CHECKING:
    from collections.abc import Callable

NS = b.NS


class Liar(b.Call):
    """A call whose operator changes leaf n before it is sealed."""

    lies: dict[int, Callable[[calls.CallLeaf], calls.CallLeaf]]

    def change(self, leaf: calls.CallLeaf) -> calls.CallLeaf:
        lie = self.lies.get(len(self.leaves))
        return lie(leaf) if lie else leaf


def sealed_lie(n: int, lie: Callable[[calls.CallLeaf], calls.CallLeaf], **settings: Any) -> set[str]:
    """What is found when leaf n of an otherwise honest call is sealed like this."""
    world = b.begun()
    packets = settings.pop("packets", [*b.speech(5, 0), *b.speech(5, 2)])
    call = Liar(world, packets=packets, **settings)
    call.lies = {n: lie}
    while not call.done:
        world.beat([call])
    return codes(b.bundle(world, call))


def last(leaf: calls.CallLeaf, **changes: Any) -> calls.CallLeaf:
    assert leaf.last is not None
    return replace(leaf, last=replace(leaf.last, **changes))


def first(leaf: calls.CallLeaf, **changes: Any) -> calls.CallLeaf:
    assert leaf.first is not None
    return replace(leaf, first=replace(leaf.first, **changes))


def counter(leaf: calls.CallLeaf, n: int = 0, **changes: Any) -> calls.CallLeaf:
    streams = list(leaf.streams)
    streams[n] = replace(streams[n], **changes)
    return replace(leaf, streams=tuple(streams))


@pytest.mark.parametrize(
    ("n", "lie", "expected"),
    [
        (1, lambda leaf: replace(leaf, index=leaf.index + 1), {"call-place"}),
        (1, lambda leaf: replace(leaf, slot=leaf.slot + 1), {"call-place"}),
        (1, lambda leaf: replace(leaf, lane=leaf.lane + 1), {"call-place"}),
        (1, lambda leaf: replace(leaf, number=9), {"call-place"}),
        (1, lambda leaf: replace(leaf, chain=sha256(b"another")), {"call-chain"}),
        (1, lambda leaf: replace(leaf, first_segment=3), {"call-sequence", "media-segment"}),
        (1, lambda leaf: replace(leaf, first_event=1, events=1), {"events-root"}),
        (1, lambda leaf: replace(leaf, first_event=0), {"call-sequence"}),
        (2, lambda leaf: replace(leaf, table_entries=1), {"call-sequence", "streams-root"}),
        (1, lambda leaf: replace(leaf, table_root=sha256(b"x")), {"streams-root"}),
        (1, lambda leaf: replace(leaf, segment_root=sha256(b"x")), {"media-segment"}),
        (1, lambda leaf: replace(leaf, segments=0, segment_root=hash_root([])), {"call-sequence"}),
        (2, lambda leaf: last(leaf, segments=4), {"call-totals", "call-arithmetic"}),
        (2, lambda leaf: last(leaf, events=9), {"call-totals"}),
        (2, lambda leaf: last(leaf, duration=9 * NS), {"call-arithmetic"}),
        (2, lambda leaf: last(leaf, call_root=sha256(b"x")), {"media-call-root"}),
        (2, lambda leaf: last(leaf, end_wall=b.START * NS), {"call-time"}),
        (2, lambda leaf: last(leaf, bye=sha256(b"x")), {"openings-seal"}),
        (0, lambda leaf: first(leaf, start_wall=b.START * NS + 9 * NS), {"call-time", "call-arithmetic"}),
        (0, lambda leaf: first(leaf, start_wall=b.START * NS - 9 * NS), {"call-time", "call-arithmetic"}),
        (0, lambda leaf: first(leaf, custodians=sha256(b"x")), {"custodians-differ"}),
        (0, lambda leaf: first(leaf, parties=sha256(b"x")), {"openings-seal"}),
        (1, lambda leaf: counter(leaf, received=1), {"media-received", "call-counters"}),
        (2, lambda leaf: counter(leaf, received=99), {"media-received"}),
        (1, lambda leaf: counter(leaf, duplicates=9), {"call-counters"}),
        (1, lambda leaf: counter(leaf, empty=b"\x80" + bytes(15)), {"media-empty"}),
        (1, lambda leaf: replace(leaf, streams=leaf.streams[:1]), {"call-counters", "media-stream"}),
        (1, lambda leaf: replace(leaf, streams=leaf.streams[::-1]), {"call-counters"}),
        (1, lambda leaf: replace(leaf, streams=(*leaf.streams, leaf.streams[1])), {"call-counters"}),
        (1, lambda leaf: replace(leaf, event_root=sha256(b"x")), {"events-root"}),
    ],
)
def test_a_leaf_sealed_with_a_lie(
    n: int, lie: Callable[[calls.CallLeaf], calls.CallLeaf], expected: set[str]
) -> None:
    assert expected <= sealed_lie(n, lie)


def test_a_call_that_begins_twice() -> None:
    world = b.begun()
    call = Liar(world, packets=b.speech(5, 0))
    begun: list[calls.CallLeaf] = []

    def keep(leaf: calls.CallLeaf) -> calls.CallLeaf:
        begun.append(leaf)
        return leaf

    call.lies = {
        0: keep,
        1: lambda leaf: replace(leaf, chain=ZERO32, first=begun[0].first),
    }
    while not call.done:
        world.beat([call])
    assert {"call-first", "call-chain"} <= codes(b.bundle(world, call))


def test_a_bundle_that_lacks_the_calls_first_leaf() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    del made.leaves[0], made.beats[1]
    assert {"call-first", "call-sequence", "openings-form", "openings-seal"} <= codes(made)


def test_a_leaf_after_the_last() -> None:
    world = b.begun()
    call = b.Call(world, duration=NS, packets=b.speech(1, 0))
    world.beat([call])
    call.done = False
    call.duration = 3 * NS
    world.beat([call])
    assert "call-last" in codes(b.bundle(world, call))


def test_seconds_dropped_before_sealing_do_not_fit_the_time() -> None:
    """He seals 2 seconds fewer than passed, with everything else in order."""
    world = b.begun()
    call = b.Call(world, duration=9 * NS, packets=b.speech(9, 0))
    world.beat([call])
    world.beat([call])
    call.start_wall += 2 * NS
    world.beat([call])
    call.start_wall -= 2 * NS
    while not call.done:
        world.beat([call])
    assert "call-arithmetic" in codes(b.bundle(world, call))


def test_a_declared_clock_step_excuses_the_arithmetic() -> None:
    world = b.begun()
    call = b.Call(world, duration=9 * NS, packets=b.speech(9, 0), flags=calls.FLAG_CLOCK_STEP)
    world.beat([call])
    world.slot += 50
    world.beat([call])
    report = verify_bundle(b.bundle(world, call).pack(), trust(world.vkeys()))
    assert not report.counts
    assert report.facts["oddities of sealing"] == ["clock step"]
    assert report.facts["slots without a beat"] == 50


def test_a_leaf_sealed_late_may_be_of_a_later_slot() -> None:
    world = b.begun()
    call = b.Call(world, duration=NS, packets=b.speech(1, 0), flags=calls.FLAG_LATE)
    world.slot += 5
    world.beat([call])
    assert codes(b.bundle(world, call)) == set()
    call = b.Call(world, number=2, duration=NS, packets=b.speech(1, 0))
    world.slot += 5
    world.beat([call])
    assert codes(b.bundle(world, call)) == {"call-time"}


def test_more_seconds_than_a_leaf_holds_follow_in_the_next() -> None:
    world = b.begun(period_ms=60_000)
    call = Liar(world, duration=400 * NS, streams=[(0, 1)], packets=[], flags=calls.FLAG_RECOVERED)
    call.lies = {}
    world.slot += 2
    seen = calls.MAX_SEGMENTS
    end = (world.slot + 1) * 60 * NS
    call.start_wall = end - (seen + 3) * NS
    short = call.start_wall + seen * NS

    index, slot = len(world.entries), world.slot
    made = call.step(index, slot, short)
    assert made is not None
    real = call.step
    call.step = lambda *_: made  # type: ignore[method-assign]  # the leaf is made already
    world.beat([call])
    call.step = real  # type: ignore[method-assign]  # back to the honest one
    while not call.done:
        world.beat([call])
    assert codes(b.bundle(world, call)) == set()


def test_a_call_of_one_slot_has_one_leaf_that_is_first_and_last() -> None:
    world = b.begun()
    call = b.Call(world, duration=NS // 2, packets=b.speech(0.5, 0))
    world.beat([call])
    assert call.done
    assert codes(b.bundle(world, call)) == set()


def test_a_call_without_any_packet() -> None:
    world = b.begun()
    call = b.Call(world, duration=3 * NS, streams=[], packets=[])
    while not call.done:
        world.beat([call])
    assert codes(b.bundle(world, call)) == set()


def test_loss_is_a_fact_and_no_finding() -> None:
    world = b.begun()
    packets = [p for n, p in enumerate(b.speech(5, 0)) if n % 7]
    call = b.Call(world, packets=packets, lost={0: 8})
    while not call.done:
        world.beat([call])
    report = verify_bundle(b.bundle(world, call).pack(), trust(world.vkeys()))
    assert not report.counts
    stream = report.facts["streams, by the recorder's counters"][0]
    assert (stream["received"], stream["expected"]) == (42, 50)


def test_a_leaf_kept_under_a_lane_that_does_not_exist() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    made.leaves[1] = replace(made.leaves[1], lane=70_000)
    assert {"call-place", "call-path"} <= codes(made)
