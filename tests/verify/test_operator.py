"""The dishonest operator: has all keys, seals and signs what suits him, and is found out by what must fit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from tests.verify import builder as b

from memcon.errors import FormatError
from memcon.record import beat as beats
from memcon.record import call as calls
from memcon.record import canonical, hashing, segment
from memcon.record.bundle import MANIFEST, ORDER, make_manifest, write_bundle, write_zip
from memcon.record.config import commit_parts, hash_root
from memcon.record.hashing import ZERO32, sha256
from memcon.record.opened import Opened, OpenedEvent, OpenedSegment
from memcon.record.segment import KIND_RTCP
from memcon.record.statement import Explanation, Genesis, Off, On
from memcon.record.statement import decode as decode_statement
from memcon.verify import trust, verify_bundle, verify_log
from memcon.verify.findings import MAX_PER_CODE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NS = b.NS


def codes(made: b.Bundle) -> set[str]:
    """What is found in a bundle whose manifest fits, by the reader's key of its log."""
    return set(verify_bundle(made.pack(), trust(made.world.vkeys())).counts)


def log_codes(world: b.World, folder: Path, files: dict[str, bytes] | None = None) -> set[str]:
    """What is found in a log."""
    b.write_files(folder, world.files() if files is None else files)
    return set(verify_log(str(folder), trust(world.vkeys())).counts)


# What he leaves out, reorders or replaces in a bundle


def test_the_last_beat_and_leaf_are_left_out() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    made.beats.pop()
    made.leaves.pop()
    assert {"call-cut", "media-extra", "events-root"} <= codes(made)


def test_the_last_seconds_are_left_out_with_their_leaf_and_events() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    made.beats.pop()
    made.leaves.pop()
    del made.media[3:]
    made.events.pop()
    made.openings.pop()
    assert codes(made) == {"call-cut"}


def test_an_open_call_at_the_newest_beat_is_only_noted() -> None:
    world = b.begun()
    call = b.Call(world, ends=False, packets=[*b.speech(4, 0), *b.speech(4, 2)])
    world.beat([call])
    world.beat([call])
    made = b.bundle(world, call)
    report = verify_bundle(made.pack(), trust(world.vkeys()))
    assert set(report.counts) == {"call-open"}
    assert report.exit_code == 0
    assert "it had not ended" in report.headline


def test_a_beat_in_the_middle_is_left_out() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    del made.beats[2], made.leaves[1]
    assert {"beat-order", "call-chain", "call-sequence"} <= codes(made)


def test_a_leaf_in_the_middle_is_left_out() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    del made.leaves[1]
    assert {"call-beats", "call-chain", "call-sequence"} <= codes(made)


def test_a_beat_is_left_out_and_its_leaf_stays() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    del made.beats[3]
    assert {"call-beats"} <= codes(made)


def test_a_leaf_stands_twice() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    made.leaves.insert(1, made.leaves[1])
    assert "call-beats" in codes(made)


def test_a_second_is_dropped_and_the_rest_renumbered() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    del made.media[2]
    made.media = [replace(s, number=n) for n, s in enumerate(made.media)]
    found = verify_bundle(made.pack(), trust(world.vkeys()))
    assert {"media-segment", "media-missing", "media-call-root", "media-block"} <= set(found.counts)
    assert {f.second for f in found.findings if f.code == "media-missing"} == {4}


def test_two_seconds_are_swapped() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    made.media[1], made.media[3] = made.media[3], made.media[1]
    found = verify_bundle(made.pack(), trust(world.vkeys()))
    assert {"media-number", "media-segment"} <= set(found.counts)
    assert {f.second for f in found.findings if f.code == "media-number"} == {1, 3}


def test_two_seconds_are_swapped_and_renumbered() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    one, other = made.media[1], made.media[3]
    made.media[1], made.media[3] = replace(other, number=1), replace(one, number=3)
    assert {"media-segment", "media-block", "media-arrival"} <= codes(made)


def test_a_block_is_replaced() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    old = made.media[2]
    first = old.blocks[0]
    assert first.item.data is not None
    forged = bytes(first.item.data)[:-1] + b"\x00"
    blocks = [replace(first, item=Opened(forged, first.item.salt)), *old.blocks[1:]]
    made.media[2] = replace(old, blocks=blocks)
    found = verify_bundle(made.pack(), trust(world.vkeys()))
    named = [(f.second, f.through) for f in found.findings if f.code == "media-segment"]
    assert named == [(1, 2)]


def test_a_block_is_withheld_under_another_commitment() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    old = made.media[2]
    blocks = [replace(old.blocks[0], item=Opened(None, commitment=sha256(b"x"))), *old.blocks[1:]]
    made.media[2] = replace(old, blocks=blocks)
    assert {"media-segment", "media-withheld"} <= codes(made)


def test_withheld_blocks_are_counted_and_the_call_still_matches() -> None:
    world, call = b.simple()
    report = verify_bundle(b.bundle(world, call, withhold=[(1, 0), (2, 2)]).pack(), trust(world.vkeys()))
    assert set(report.counts) == {"media-withheld"}
    assert report.exit_code == 0
    assert report.facts["blocks shown"] == "40 of 50"
    assert "5 of 5 seconds match their seals" in report.checked
    assert "except that parts are withheld" in report.headline


def test_blocks_out_of_order_in_a_second() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    made.media[0] = replace(made.media[0], blocks=list(made.media[0].blocks)[::-1])
    assert {"media-order", "media-segment"} <= codes(made)


def test_a_leaf_of_another_call() -> None:
    world = b.begun()
    one = b.Call(world, packets=b.speech(5, 0))
    other = b.Call(world, number=2, lane=99, packets=b.speech(5, 0))
    while not one.done:
        world.beat([one, other])
    made = b.bundle(world, one)
    made.leaves[1] = b.placed(world, other)[1]
    assert {"call-place", "call-chain", "media-segment"} <= codes(made)


def test_media_and_openings_of_another_call() -> None:
    world = b.begun()
    one = b.Call(world, packets=b.speech(5, 0))
    other = b.Call(world, number=2, lane=99, packets=b.speech(5, 0))
    while not one.done:
        world.beat([one, other])
    mine, theirs = b.bundle(world, one).files(), b.bundle(world, other).files()
    for name, expected in (
        ("media.mcb", {"manifest-facts"}),
        ("events.mcb", {"manifest-facts", "events-root"}),
        ("streams.mcb", {"manifest-facts", "streams-root"}),
        ("openings.mcb", {"manifest-facts", "openings-seal"}),
        ("leaves.mcl", {"manifest-facts"}),
        ("beats.mcb", set()),
    ):
        data = write_bundle(world.origin, 1, mine | {name: theirs[name]})
        assert expected <= set(verify_bundle(data, trust(world.vkeys())).counts), name


def test_a_bundle_of_another_log_is_not_of_the_key_given() -> None:
    world, call = b.simple()
    other = b.World(origin="elsewhere.example/2", mldsa=False)
    report = verify_bundle(b.bundle(world, call).pack(), trust(other.vkeys()))
    assert set(report.counts) == {"checkpoint-origin"}


def test_the_same_name_with_another_key() -> None:
    world, call = b.simple()
    other = b.World(mldsa=False, key_name="another")
    report = verify_bundle(b.bundle(world, call).pack(), trust(other.vkeys()))
    assert set(report.counts) == {"checkpoint-unsigned"}
    assert report.exit_code == 1


def test_one_of_two_given_keys_has_not_signed() -> None:
    world, call = b.simple(world=b.begun(mldsa=True))
    made = b.bundle(world, call)
    lines = made.checkpoint.split(b"\n\n")
    made.checkpoint = lines[0] + b"\n\n" + lines[1].splitlines(keepends=True)[0]
    assert codes(made) == {"checkpoint-unsigned"}
    ed = trust(world.vkeys()[:1])
    assert set(verify_bundle(made.pack(), ed).counts) == {"checkpoint-stated"}


def test_a_signature_over_another_text() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    older = world.checkpoint(4).split(b"\n\n")[1]
    made.checkpoint = made.checkpoint.split(b"\n\n")[0] + b"\n\n" + older
    assert codes(made) == {"checkpoint-signature"}
    assert set(verify_bundle(made.pack()).counts) == {"checkpoint-stated"}


def test_a_checkpoint_of_a_shorter_log_signed_again() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    made.checkpoint = world.checkpoint(4)
    assert {"beats-form", "beat-proof"} <= codes(made)


def test_a_signature_by_a_stranger_is_said_not_to_be_judged() -> None:
    world, call = b.simple()
    stranger = b.World(mldsa=False, key_name="stranger", origin="witness.example")
    made = b.bundle(world, call)
    text = made.checkpoint.split(b"\n\n")[0] + b"\n"
    made.checkpoint += stranger.sign(text).split(b"\n\n")[1]
    report = verify_bundle(made.pack(), trust(world.vkeys()))
    assert not report.counts
    assert "1 signature lines by keys that nobody named here" in report.not_checked


# What he seals


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


# What he writes into blocks


Blocks = list[tuple[int, int, int, bytes]]
Forge: TypeAlias = "Callable[[Blocks], Blocks]"


class Forger(b.Call):
    """A call whose operator changes the blocks of second 1 before they are sealed."""

    forge: Forge

    def cut(self, second: int) -> list[tuple[int, int, int, bytes]]:
        blocks = super().cut(second)
        return self.forge(blocks) if second == 1 else blocks


def patch(at: int, value: bytes) -> Forge:
    """A forgery: bytes put into the first block."""

    def forge(blocks: list[tuple[int, int, int, bytes]]) -> list[tuple[int, int, int, bytes]]:
        stream, position, kind, data = blocks[0]
        return [(stream, position, kind, data[:at] + value + data[at + len(value) :]), *blocks[1:]]

    return forge


@pytest.mark.parametrize(
    ("forge", "expected"),
    [
        (patch(0, b"X"), "media-block"),
        (patch(8, b"\0\0\0\x09"), "media-block"),
        (patch(14, b"\x04"), "media-block"),
        (patch(15, b"\x09"), "media-block"),
        (patch(16, b"\0\0\0\0"), "media-block"),
        (patch(16, b"\0\0\0\x03"), "media-block"),
        (patch(16, b"\xff\0\0\0"), "media-block"),
        (patch(20, b"\xff"), "media-timestamps"),
        (patch(24, b"\xff"), "media-timestamps"),
        (patch(28, b"\xff"), "media-block"),
        (patch(32, b"\xff"), "media-arrival"),
        (patch(32, bytes(8)), "media-late"),
        (patch(48, b"\0\x01"), "media-block"),
        (lambda blocks: [(*blocks[0][:3], blocks[0][3][:20]), *blocks[1:]], "media-block"),
        (lambda blocks: blocks[1:], "media-received"),
    ],
)
def test_a_forged_block(forge: Forge, expected: str) -> None:
    world = b.begun()
    call = Forger(world, packets=[*b.speech(5, 0), *b.speech(5, 2)])
    call.forge = forge
    while not call.done:
        world.beat([call])
    report = verify_bundle(b.bundle(world, call).pack(), trust(world.vkeys()))
    assert expected in report.counts
    assert "5 of 5 seconds match their seals" in report.checked
    if expected != "media-received" and expected != "media-late":
        assert {f.second for f in report.findings if f.code == expected} == {1}


def varied() -> list[b.Packet]:
    """Packets of all kinds: several lengths, other versions, RTCP on both ports, a wrap of timestamps."""
    packets = []
    for n in range(60):
        since = n * 80_000_000
        data = b.rtp(n, 0xFFFFE000 + 640 * n, bytes(20 + n % 3))
        if n % 10 == 3:
            data = b"\x00" * 30
        if n % 10 == 5:
            data = b"\x80\xc8" + bytes(30)
        if n % 10 == 7:
            data = b"short"
        packets.append(b.Packet(since, 0, 1, data))
    packets += [b.Packet(n * NS, 1, KIND_RTCP, b"\x80\xc8" + bytes(26)) for n in range(4)]
    return packets


class Varied(b.Call):
    """Makes blocks as the recorder does, whatever arrives."""

    def cut(self, second: int) -> list[tuple[int, int, int, bytes]]:
        blocks = []
        for stream, position, kind, data in super().cut(second):
            block = segment.decode_block(data)
            stamps = [
                int.from_bytes(p[4:8], "big")
                for p in block.packets
                if kind == 1 and len(p) >= 12 and p[0] >> 6 == 2 and not 192 <= p[1] <= 223
            ]
            distances = [(s - stamps[0] + (1 << 31)) % (1 << 32) - (1 << 31) for s in stamps] or [0]
            origin = stamps[0] if stamps else 0
            least, greatest = (origin + min(distances)) % (1 << 32), (origin + max(distances)) % (1 << 32)
            head = least.to_bytes(4, "big") + greatest.to_bytes(4, "big")
            blocks.append((stream, position, kind, data[:20] + head + data[28:]))
        return blocks


def test_whatever_arrives_is_read_as_it_was_sealed() -> None:
    world = b.begun()
    call = Varied(world, streams=[(0, 1), (1, 2)], packets=varied())
    while not call.done:
        world.beat([call])
    assert codes(b.bundle(world, call)) == set()


# What he writes into the other parts


def test_events_that_cannot_be_read_or_are_misnumbered() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    made.events[1] = replace(made.events[1], number=7)
    assert codes(made) == {"events-form"}
    made = b.bundle(world, call)
    made.events.append(made.events[1])
    assert "events-root" in codes(made)


@pytest.mark.parametrize("data", [b"no event", segment.Event(5, 0, 0, {"type": "hold"}).encode()])
def test_an_event_sealed_wrongly(data: bytes) -> None:
    class Odd(b.Call):
        def event(self, since: int, facts: dict[str, Any], raw: bytes = b"") -> None:
            super().event(since, facts, raw)
            if facts["type"] == "end":
                n = len(self.events) - 1
                commitment = segment.event_commitment(hashing.event_salt(self.key, n), data)
                ciphertext = self.event_ciphertexts[n]
                self.events[n] = data
                self.event_hashes[n] = segment.event_hash(n, len(ciphertext), commitment, sha256(ciphertext))

    world = b.begun()
    call = Odd(world, packets=b.speech(5, 0))
    while not call.done:
        world.beat([call])
    assert codes(b.bundle(world, call)) == {"events-form"}


def test_withheld_events_entries_openings_and_parts_are_named() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    made.events[0] = OpenedEvent(
        0,
        made.events[0].ct_length,
        made.events[0].ct_hash,
        Opened(None, commitment=call.event_commitments[0]),
    )
    made.streams[1] = Opened(None, commitment=call.stream_hashes()[1])
    made.openings[2] = (3, Opened(None, commitment=call.opening(3)))
    name, item = made.config[3]
    assert item.data is not None
    commitment = commit_parts(b.STRUCTURE, world.config)[name]
    made.config[3] = (name, Opened(None, commitment=commitment))
    report = verify_bundle(made.pack(), trust(world.vkeys()))
    assert set(report.counts) == {"withheld"}
    text = report.findings[0].text
    assert text == "1 event, 1 entry of the stream table, the INVITE, part lines of the configuration"


def test_the_stream_table_has_an_entry_that_nobody_sealed() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    made.streams.append(made.streams[0])
    assert codes(made) == {"streams-form", "streams-root"}


@pytest.mark.parametrize("entry", [b"no JSON", b"[]", b'{"entry":5}'])
def test_a_stream_entry_sealed_wrongly(entry: bytes) -> None:
    world = b.begun()
    call = b.Call(world, packets=b.speech(5, 0))
    call.table[1] = entry
    while not call.done:
        world.beat([call])
    assert codes(b.bundle(world, call)) == {"streams-form"}


def test_openings_missing_or_no_json() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    del made.openings[0]
    assert codes(made) == {"openings-form"}
    made.openings.clear()
    assert codes(made) == {"openings-form"}
    call = b.Call(world, number=2, packets=b.speech(5, 0))
    call.openings[1] = b"{"
    call.openings[2] = b"[]"
    while not call.done:
        world.beat([call])
    assert codes(b.bundle(world, call)) == {"openings-form"}


def test_parties_may_have_any_shape() -> None:
    world = b.begun()
    call = b.Call(world, packets=b.speech(5, 0))
    spoof = {"name": 'A" <sip:a@example>', "aor": "sip:c@example"}
    call.openings[1] = canonical.dumps(["somebody", {"aor": "sip:b@example"}, spoof])
    while not call.done:
        world.beat([call])
    report = verify_bundle(b.bundle(world, call).pack(), trust(world.vkeys()))
    assert report.facts["parties, as the sender named them"] == [
        "somebody",
        "<sip:b@example>",
        '"A\\" <sip:a@example>" <sip:c@example>',
    ]
    call = b.Call(world, number=2, packets=b.speech(5, 0))
    call.openings[1] = canonical.dumps({"a": 1})
    while not call.done:
        world.beat([call])
    assert codes(b.bundle(world, call)) == set()


def test_the_opened_invite_is_not_the_message_that_came() -> None:
    world = b.begun()
    call = b.Call(world, packets=b.speech(5, 0))
    call.openings[3] = b"INVITE sip:another@example SIP/2.0\r\n\r\n"
    while not call.done:
        world.beat([call])
    assert codes(b.bundle(world, call)) == {"invite-differs"}


def test_configuration_of_another_time_missing_parts_and_no_json() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    name, item = made.config[2]
    made.config[2] = (name, Opened(b'{"another":1}', item.salt))
    assert codes(made) == {"config-root", "config-keys"} or codes(made) == {"config-root"}
    made = b.bundle(world, call)
    del made.config[0]
    assert codes(made) == {"config-form"}
    world = b.World(mldsa=False)
    world.config["lines"] = b"{ }"
    world.genesis()
    world.beat()
    assert codes(b.bundle(*b.simple(world=world))) == {"config-form"}


@pytest.mark.parametrize("part", [b"[]", canonical.dumps({"log": ["x"], "receipt": ""})])
def test_the_configuration_states_other_keys(part: bytes) -> None:
    world = b.World(mldsa=False)
    world.config["keys"] = part
    world.genesis()
    world.beat()
    assert codes(b.bundle(*b.simple(world=world))) == {"config-keys"}


def test_the_configuration_changes_during_the_call() -> None:
    world = b.begun()
    call = b.Call(world, packets=b.speech(5, 0))
    world.beat([call])
    world.beat([call])
    made_before = dict(world.config)
    world.config["lines"] = canonical.dumps({"changed": True})
    world.beat([call])
    assert codes(b.bundle(world, call)) == {"config-changed"}
    world.config = made_before
    assert codes(b.bundle(world, call)) == {"config-changed"}


def test_the_policy_in_the_bundle_informs_only() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    made.policy = b"nonsense\n"
    assert codes(made) == {"policy-form"}
    other = b.World(mldsa=False, key_name="other")
    made.policy = f"log {other.vkeys()[0]}\nquorum none\n".encode()
    assert codes(made) == {"policy-keys"}


def test_statements_missing_extra_or_damaged() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    name, data = made.statements.popitem()
    assert codes(made) == {"statement-missing"}
    made.statements = {name: data, "0" * 64: b"{}"}
    assert codes(made) == {"container-entry"}
    made.statements = {name: data.replace(b"2027", b"2028")}
    assert codes(made) == {"statement-hash"}


# The container


def test_the_manifest_and_the_entries_disagree() -> None:
    world, call = b.simple()
    files = b.bundle(world, call).files()
    manifest = make_manifest(world.origin, 1, files)
    trusted = trust(world.vkeys())

    def found(changed: dict[str, bytes], said: bytes = manifest) -> set[str]:
        return set(verify_bundle(write_zip({MANIFEST: said, **changed}), trusted).counts)

    assert found(files | {"README.txt": b"other"}) == {"manifest-file"}
    less = {name: data for name, data in files.items() if name != "config.mcb"}
    assert found(less) == {"container-entry", "manifest-file"}
    extra = files | {f"statement/{'0' * 64}": b"{}"}
    assert found(extra) == {"container-entry", "manifest-file"}
    assert found(files, b"{}") == {"manifest-form"}
    elsewhere = make_manifest("elsewhere", 2, files)
    assert found(files, elsewhere) == {"manifest-facts"}
    assert set(verify_bundle(write_zip(files), trusted).counts) == {"container-entry"}


@pytest.mark.parametrize("name", [name for name in ORDER if name not in (MANIFEST, "README.txt")])
@pytest.mark.parametrize("content", [None, b"", b"no such thing", b"\0" * 64])
def test_an_entry_that_is_missing_or_nonsense_never_ends_the_check(name: str, content: bytes | None) -> None:
    world, call = b.simple()
    files = b.bundle(world, call).files()
    del files[name]
    if content is not None:
        files[name] = content
    report = verify_bundle(write_bundle(world.origin, 1, files), trust(world.vkeys()))
    assert report.exit_code == 1
    assert report.to_json()["findings"]


def zip_by_hand(entries: list[tuple[str, bytes]]) -> bytes:
    """A zip of any entries, as Python's own library writes it."""
    import io
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in entries:
            archive.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


def test_other_zips_are_read_and_found_to_be_of_another_form() -> None:
    world, call = b.simple()
    files = b.bundle(world, call).files()
    entries = [(MANIFEST, make_manifest(world.origin, 1, files)), *files.items()]
    trusted = trust(world.vkeys())
    assert set(verify_bundle(zip_by_hand(entries), trusted).counts) == {"container-form"}
    strange = zip_by_hand([*entries, ("../../etc/passwd", b"x")])
    assert {"container-entry"} <= set(verify_bundle(strange, trusted).counts)
    entries[2], entries[3] = entries[3], entries[2]
    assert set(verify_bundle(zip_by_hand(entries), trusted).counts) == {"container-form"}


def test_an_entry_that_stands_twice() -> None:
    import warnings

    world, call = b.simple()
    files = b.bundle(world, call).files()
    entries = [(MANIFEST, make_manifest(world.origin, 1, files)), *files.items()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        twice = zip_by_hand([*entries, ("policy", b"x")])
    assert "container-entry" in set(verify_bundle(twice, trust(world.vkeys())).counts)


@pytest.mark.parametrize(
    "data", [b"", b"PK", b"PK\x03\x04" + bytes(40), bytes(100), b"PK\x05\x06" + bytes(18)]
)
def test_what_is_no_bundle(data: bytes) -> None:
    report = verify_bundle(data)
    assert set(report.counts) == {"container-form"}
    assert report.headline == "This cannot be read as a bundle."


def test_a_bundle_cut_short_is_read_as_far_as_it_goes() -> None:
    world, call = b.simple()
    data = b.bundle(world, call).pack()
    for cut in range(1, len(data), len(data) // 40):
        assert verify_bundle(data[:cut], trust(world.vkeys())).exit_code == 1


def test_findings_of_one_kind_are_counted_when_there_are_too_many() -> None:
    world = b.begun()
    call = b.Call(world, duration=130 * NS, packets=[])
    while not call.done:
        world.beat([call])
    made = b.bundle(world, call)
    made.media = [OpenedSegment(n + 1, s.ct_length, s.ct_hash, s.blocks) for n, s in enumerate(made.media)]
    report = verify_bundle(made.pack(), trust(world.vkeys()))
    assert report.counts["media-number"] == 130
    assert sum(f.code == "media-number" for f in report.findings) == MAX_PER_CODE
    assert report.more == {"media-number": 30}


# The log


def test_a_log_whose_operator_hides_nothing(tmp_path: Path) -> None:
    world, _ = b.simple(world=b.begun(mldsa=True))
    assert log_codes(world, tmp_path) == set()


def test_a_log_cut_and_signed_again_is_whole_by_itself(tmp_path: Path) -> None:
    """Nothing inside it shows; that takes an older checkpoint or witnesses, and the report says so."""
    world, _ = b.simple()
    world.entries.pop()
    b.write_files(tmp_path, world.files())
    report = verify_log(str(tmp_path), trust(world.vkeys()))
    assert not report.counts
    assert any("everyone was shown this same log" in line for line in report.not_checked)


def test_a_log_with_entries_changed_after_signing(tmp_path: Path) -> None:
    world, _ = b.simple()
    files = world.files()
    other = replace(beats.decode(world.entries[3]), state=beats.State.DEGRADED)
    world.entries[3] = other.encode()
    changed = world.files()
    changed["checkpoint"] = files["checkpoint"]
    assert log_codes(world, tmp_path, changed) == {"checkpoint-root"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"index": 9}, {"beat-index"}),
        ({"slot": 5}, {"beat-slot"}),
        ({"period_ms": 1000}, {"beat-period"}),
        ({"note_size": 3}, {"beat-reference"}),
        ({"note_hash": sha256(b"x"), "note_size": 99}, {"beat-reference"}),
        ({"drand_round": 3}, {"beat-reference"}),
        ({"statement": sha256(b"x")}, {"statement-missing"}),
        ({"kind": beats.Kind.TOMBSTONE}, {"beat-end"}),
    ],
)
def test_a_beat_that_cannot_be(tmp_path: Path, changes: dict[str, Any], expected: set[str]) -> None:
    world = b.begun()
    world.beat(**changes)
    world.beat()
    assert log_codes(world, tmp_path) == expected


def test_two_beginnings(tmp_path: Path) -> None:
    world = b.begun()
    world.genesis()
    world.beat()
    assert {"genesis-again", "beat-index"} <= log_codes(world, tmp_path)


def test_a_beginning_that_is_none(tmp_path: Path) -> None:
    world = b.begun()
    world.entries.pop(0)
    assert {"genesis-missing", "beat-index"} <= log_codes(world, tmp_path)


def test_a_genesis_leaf_with_flags(tmp_path: Path) -> None:
    world = b.World(mldsa=False)
    world.genesis(flags=1)
    assert log_codes(world, tmp_path) == {"genesis-form"}


def test_leaves_that_are_no_beats(tmp_path: Path) -> None:
    world = b.begun()
    world.entries.append(b"whatever")
    world.entries.append(bytes(256))
    assert log_codes(world, tmp_path) == {"beat-form"}


def test_a_log_without_any_leaf(tmp_path: Path) -> None:
    assert log_codes(b.World(mldsa=False), tmp_path) == {"genesis-missing"}


def genesis(world: b.World, **changes: Any) -> Genesis:
    said = Genesis(world.origin, world.period_ms, 3, 2, "2027", tuple(world.vkeys()))
    return replace(said, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": "another"},
        {"period_ms": 4000},
        {"period_ms": 61_000},
        {"b": 7},
        {"g": 4},
        {"keys": ("no key",)},
        {"keys": (b.World(origin="another", mldsa=False).vkeys()[0],)},
    ],
)
def test_a_genesis_statement_that_contradicts_its_log(tmp_path: Path, changes: dict[str, Any]) -> None:
    world = b.World(mldsa=False)
    world.genesis(genesis(world, **changes))
    world.beat()
    assert log_codes(world, tmp_path) == {"genesis-statement"}


def test_a_genesis_leaf_that_names_an_off_statement(tmp_path: Path) -> None:
    world = b.World(mldsa=False)
    off = Off(world.origin, 1, "J. Ruiz", "by hand", "test", ())
    world.genesis(off)  # type: ignore[arg-type]  # the lie
    assert log_codes(world, tmp_path) == {"genesis-statement"}


def test_statements_of_off(tmp_path: Path) -> None:
    world = b.begun()
    off = Off(world.origin, world.slot, "J. Ruiz", "by hand", "monthly test", ("all",))
    world.beat(state=beats.State.OFF, statement=world.state(off.encode()))
    b.write_files(tmp_path / "good", world.files())
    report = verify_log(str(tmp_path / "good"), trust(world.vkeys()))
    assert not report.counts
    assert "by J. Ruiz: monthly test" in report.facts["declared off"][0]
    later = replace(off, slot=world.slot + 9)
    world.beat(state=beats.State.OFF, statement=world.state(later.encode()))
    assert log_codes(world, tmp_path / "later") == {"statement-fit"}
    world.beat(statement=world.state(replace(off, origin="another").encode()))
    world.beat(statement=world.state(b"{}"))
    assert log_codes(world, tmp_path / "bad") == {"statement-fit", "statement-form"}


def test_a_second_off_announced_in_the_first_leaf_that_is_partly_off(tmp_path: Path) -> None:
    world = b.begun()
    first = Off(world.origin, world.slot, "J. Ruiz", "by hand", "test", ("0011223344556677",))
    world.beat(statement=world.state(first.encode()))
    whole = Off(world.origin, world.slot, "J. Ruiz", "by hand", "test", ())
    world.beat(state=beats.State.PARTLY_OFF, statement=world.state(whole.encode()))
    world.beat(state=beats.State.OFF, statement=world.state(whole.encode()))
    assert log_codes(world, tmp_path / "good") == set()
    world.beat()
    world.beat(state=beats.State.PARTLY_OFF, statement=world.state(first.encode()))
    assert "statement-fit" in log_codes(world, tmp_path / "again")


def test_statements_of_on_and_explanations(tmp_path: Path) -> None:
    world = b.begun()
    on = On(world.origin, world.slot, "J. Ruiz", "by hand", "test over", ())
    world.beat(statement=world.state(on.encode()))
    said = Explanation(world.origin, world.slot - 2, world.slot - 1, "J. Ruiz", "by hand", "a fuse")
    world.beat(statement=world.state(said.encode()))
    b.write_files(tmp_path / "good", world.files())
    report = verify_log(str(tmp_path / "good"), trust(world.vkeys()))
    assert not report.counts
    assert "by J. Ruiz: test over" in report.facts["declared on"][0]
    assert "by J. Ruiz: a fuse" in report.facts["explained afterwards"][0]
    world.beat(statement=world.state(replace(said, last=world.slot).encode()))  # foretold, not explained
    assert log_codes(world, tmp_path / "foretold") == {"statement-fit"}


@pytest.mark.parametrize(
    "changes", [{"first": 9, "last": 8}, {"first": -1}, {"kind": "on"}, {"origin": "é" * 200}]
)
def test_explanations_that_are_none(changes: dict[str, Any]) -> None:
    good = canonical.loads(Explanation("o", 1, 8, "J. Ruiz", "by hand", "a fuse").encode(), "statement")
    with pytest.raises(FormatError):
        decode_statement(canonical.dumps(good | changes))


def test_gaps_restarts_and_configurations_are_facts(tmp_path: Path) -> None:
    world = b.begun()
    world.beat(skip=3)
    world.beat(instance=sha256(b"another")[:16])
    world.config["lines"] = b"{}"
    world.beat(instance=sha256(b"another")[:16])
    b.write_files(tmp_path, world.files())
    facts = verify_log(str(tmp_path), trust(world.vkeys())).facts
    assert (facts["slots without a beat"], facts["restarts"], facts["changes of configuration"]) == (3, 1, 1)
    assert facts["gaps (first and last slot)"] == [[b.START // 2 + 2, b.START // 2 + 4]]


def test_many_gaps_are_counted_and_the_first_are_listed(tmp_path: Path) -> None:
    world = b.begun()
    template = world.beat()
    for n in range(150):
        made = replace(template, index=len(world.entries), slot=template.slot + 2 + 2 * n)
        world.entries.append(made.encode())
    b.write_files(tmp_path, world.files())
    facts = verify_log(str(tmp_path), trust(world.vkeys())).facts
    assert facts["slots without a beat"] == 150
    assert len(facts["gaps (first and last slot)"]) == 100


def test_files_of_a_log_that_are_missing_or_strange(tmp_path: Path) -> None:
    world, _ = b.simple()
    files = world.files(step=1)
    full = len(world.entries)

    def without(*names: str) -> dict[str, bytes]:
        return {name: data for name, data in files.items() if name not in names}

    unread = log_codes(world, tmp_path / "a", without(f"tile/entries/000.p/{full}"))
    assert unread == {"log-missing", "log-stray"}  # nothing names the statement that is there
    assert log_codes(world, tmp_path / "b", without(f"tile/0/000.p/{full}")) == {"log-missing"}
    both = without(f"tile/0/000.p/{full}", f"tile/entries/000.p/{full}")
    assert {"log-missing", "checkpoint-root"} <= log_codes(world, tmp_path / "c", both)
    strange = files | {
        "notes.txt": b"x",
        f"tile/0/000.p/{full + 1}": b"x",
        "tile/0/00": b"",
        "tile/3/000": b"",
    }
    assert log_codes(world, tmp_path / "d", strange) == {"log-stray"}
    short = files | {f"tile/0/000.p/{full}": b"x"}
    assert log_codes(world, tmp_path / "e", short) == {"log-tile"}
    bundle = files | {f"tile/entries/000.p/{full}": b"\xff\xff"}
    assert {"log-bundle"} <= log_codes(world, tmp_path / "f", bundle)
    old = files | {"tile/0/000.p/1": bytes(32)}
    assert log_codes(world, tmp_path / "g", old) == {"log-partial"}
    spare = files | {f"statement/{sha256(b'x').hex()}": b"x"}
    assert log_codes(world, tmp_path / "h", spare) == {"log-stray"}
    lost = without("checkpoint")
    assert log_codes(world, tmp_path / "i", lost) == {"checkpoint-form"}


def test_a_full_tile_serves_for_a_partial_one(tmp_path: Path) -> None:
    """A mirror may keep the full tiles alone, also for a checkpoint from before they were full."""
    world = b.begun()
    template = beats.decode(world.entries[1])
    for n in range(2, 256):
        made = replace(template, index=n, slot=template.slot + n - 1)
        world.entries.append(made.encode())
    files = world.files()
    files["checkpoint"] = world.checkpoint(200)
    assert log_codes(world, tmp_path, files) == {"log-stray"}  # the full tiles are of a larger tree


def test_a_statement_that_nobody_names_and_that_has_another_hash(tmp_path: Path) -> None:
    world, _ = b.simple()
    assert log_codes(world, tmp_path, world.files() | {f"statement/{'0' * 64}": b"x"}) == {"statement-hash"}


def test_a_leaf_kept_under_a_lane_that_does_not_exist() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    made.leaves[1] = replace(made.leaves[1], lane=70_000)
    assert {"call-place", "call-path"} <= codes(made)
