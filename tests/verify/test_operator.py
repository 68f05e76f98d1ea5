"""The dishonest operator: has all keys, leaves out or replaces, and is found out by what must fit."""

from __future__ import annotations

from dataclasses import replace

from tests.verify import builder as b
from tests.verify.found import codes

from memcon.record.bundle import write_bundle
from memcon.record.hashing import sha256
from memcon.record.opened import Opened, OpenedSegment
from memcon.verify import trust, verify_bundle
from memcon.verify.findings import MAX_PER_CODE


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


def test_findings_of_one_kind_are_counted_when_there_are_too_many() -> None:
    world = b.begun()
    call = b.Call(world, duration=130 * b.NS, packets=[])
    while not call.done:
        world.beat([call])
    made = b.bundle(world, call)
    made.media = [OpenedSegment(n + 1, s.ct_length, s.ct_hash, s.blocks) for n, s in enumerate(made.media)]
    report = verify_bundle(made.pack(), trust(world.vkeys()))
    assert report.counts["media-number"] == 130
    assert sum(f.code == "media-number" for f in report.findings) == MAX_PER_CODE
    assert report.more == {"media-number": 30}
