"""A structure feed against the log: an honest recorder, and each lie an overseer must see."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.verify import builder as b
from tests.verify.test_slots import Liar, busy

from memcon.errors import UsageError
from memcon.record import slottree, structure
from memcon.record.hashing import ZERO32, slot_key
from memcon.record.slottree import SLOTS_MAGIC, NoteLeaf
from memcon.record.structure import Head, SlotStructure
from memcon.verify import trust
from memcon.verify.main import main
from memcon.verify.structure import read_files, structure_files, verify_structure

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.verify import Report


def structures(world: b.World) -> list[SlotStructure]:
    """What an honest operator gives of every slot."""
    records = slottree.decode_slot_records(SLOTS_MAGIC + b"".join(world.records))[0]
    return [
        SlotStructure(r.index, r.slot, slot_key(b.STRUCTURE, r.index, r.slot), tuple(r.leaves.items()))
        for r in records
    ]


def file(slots: list[SlotStructure], origin: str = b.ORIGIN) -> tuple[str, bytes]:
    head = Head(origin, slots[0].index, slots[-1].index)
    return f"{head.stem}.mct", structure.encode(head, [slot.encode() for slot in slots])


def check(world: b.World, folder: Path, *files: tuple[str, bytes]) -> Report:
    log = b.write_files(folder / "log", world.files())
    return verify_structure(files, log, trust(world.vkeys()))


def sealed_falsely(**lie: Any) -> b.World:
    """A log whose second slot was sealed with a lie in it: every root fits."""
    world = b.begun()
    call = Liar(world, packets=b.speech(5, 0))
    call.at, call.lie = 1, lambda leaf: replace(leaf, **lie)
    while not call.done:
        world.beat([call])
    return world


def test_an_honest_feed_in_several_files(tmp_path: Path) -> None:
    world = busy()
    slots = structures(world)
    report = check(world, tmp_path, file(slots[:3]), file(slots[3:]))
    assert not report.counts
    assert report.exit_code == 0
    assert "and nothing else is in them" in report.headline
    assert f"{len(slots)} of {len(slots)} slots lead to the roots in their beats" in report.checked
    assert report.facts["calls begun, ended, open at the end"] == [3, 3, 0]
    assert "content" in " ".join(report.not_checked)


def test_a_slot_given_twice_is_counted_once(tmp_path: Path) -> None:
    world = busy()
    slots = structures(world)
    report = check(world, tmp_path, file(slots), file(slots[2:4]))
    assert not report.counts
    assert report.facts["slots with a record"] == len(slots)


def test_a_range_is_a_limit_and_a_gap_a_finding(tmp_path: Path) -> None:
    world = busy()
    slots = structures(world)
    part = check(world, tmp_path / "a", file(slots[2:4]))
    assert (part.counts, part.exit_code) == ({}, 3)
    assert "were not looked into" in part.limits[0]
    gap = check(world, tmp_path / "b", file(slots[:2]), file(slots[3:]))
    assert set(gap.counts) == {"slots-missing"}


@pytest.mark.parametrize(
    ("n", "change", "expected"),
    [
        # a call left out of one slot: its chain breaks, the count of the slot is another, the root too
        (2, lambda lanes: lanes.pop(99), {"slots-root", "slots-cut", "slots-count"}),
        # a call left out altogether: its number is missing
        (6, lambda lanes: lanes.pop(4711), {"slots-root", "slots-number", "slots-count"}),
        # a leaf that the beat does not commit to
        (4, lambda lanes: lanes.update({9: b"?"}), {"slots-root", "slots-leaf"}),
    ],
)
def test_a_feed_that_tells_another_story_than_the_log(
    tmp_path: Path, n: int, change: Any, expected: set[str]
) -> None:
    world = busy()
    slots = structures(world)
    lanes = dict(slots[n].lanes)
    change(lanes)
    slots[n] = replace(slots[n], lanes=tuple(sorted(lanes.items())))
    report = check(world, tmp_path, file(slots))
    assert expected <= set(report.counts)


def test_another_slot_key(tmp_path: Path) -> None:
    world = busy()
    slots = structures(world)
    slots[1] = replace(slots[1], key=bytes(32))
    assert check(world, tmp_path, file(slots)).counts == {"slots-root": 1}


def test_a_lane_that_stands_twice(tmp_path: Path) -> None:
    world = busy()
    slots = structures(world)
    slots[1] = replace(slots[1], lanes=(*slots[1].lanes, slots[1].lanes[-1]))
    report = check(world, tmp_path, file(slots))
    assert report.counts == {"slots-lane": 1}
    assert "stands twice" in report.findings[0].text


def test_a_call_in_the_lane_of_another_that_goes_on(tmp_path: Path) -> None:
    """Sealed and signed so: the roots fit, and the lane convicts."""
    world = b.begun()
    one = b.Call(world, packets=b.speech(5, 0))
    world.beat([one])
    world.beat([b.Call(world, number=2, lane=one.lane, duration=b.NS)])
    report = check(world, tmp_path, file(structures(world)))
    assert set(report.counts) == {"slots-lane", "slots-cut"}


def test_a_note_in_the_lane_of_an_open_call(tmp_path: Path) -> None:
    world = busy()
    slots = structures(world)
    lanes = dict(slots[2].lanes)
    lanes[99] = NoteLeaf(4, 99, 4, slots[2].slot, slots[2].index, ZERO32).encode()
    slots[2] = replace(slots[2], lanes=tuple(sorted(lanes.items())))
    assert {"slots-lane", "slots-cut", "slots-root"} <= set(check(world, tmp_path, file(slots)).counts)


def test_one_call_in_two_lanes(tmp_path: Path) -> None:
    world = b.begun()
    one, twin = b.Call(world), b.Call(world, lane=99)
    while not one.done:
        world.beat([one, twin])
    report = check(world, tmp_path, file(structures(world)))
    assert {"slots-lane", "slots-number", "slots-count", "slots-cut"} <= set(report.counts)
    assert "slots-root" not in report.counts


@pytest.mark.parametrize(
    ("lie", "expected"),
    [
        ({"chain": b"\1" * 32}, "slots-cut"),
        ({"first_segment": 4}, "call-sequence"),
        ({"first_event": 9}, "call-sequence"),
        ({"segments": 0, "streams": ()}, "call-arithmetic"),
        ({"streams": ()}, "call-counters"),
    ],
)
def test_what_was_sealed_falsely_shows_without_any_content(
    tmp_path: Path, lie: dict[str, Any], expected: str
) -> None:
    world = sealed_falsely(**lie)
    report = check(world, tmp_path, file(structures(world)))
    assert expected in report.counts
    assert "slots-root" not in report.counts


def test_files_that_are_none_or_of_other_logs(tmp_path: Path) -> None:
    world = busy()
    slots = structures(world)
    log = b.write_files(tmp_path / "log", world.files())
    beyond = replace(slots[-1], index=len(world.entries))
    for files, code in (
        ([("x.mct", b"nothing")], "structure-form"),
        ([file(slots, "another.example")], "structure-origin"),
        ([file([*slots, beyond])], "structure-beat"),
        ([file([replace(slots[0], index=0)])], "structure-beat"),
    ):
        assert code in verify_structure(files, log, trust(world.vkeys())).counts
    (log / "checkpoint").unlink()
    report = verify_structure([file(slots)], log)
    assert report.headline.startswith("The log has no checkpoint")


def test_a_leaf_of_the_log_that_cannot_be_read(tmp_path: Path) -> None:
    world = busy()
    world.entries[2] = bytes(256)
    report = check(world, tmp_path, file(structures(world)))
    assert {"beat-form", "structure-beat"} <= set(report.counts)


def test_the_stand_alone_verifier(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = busy()
    log = b.write_files(tmp_path / "log", world.files())
    slots = structures(world)
    feed = b.write_files(tmp_path / "feed", dict([file(slots[:2]), file(slots[2:])]))
    keys = [word for key in world.vkeys() for word in ("--key", str(key))]
    assert main(["structure", str(feed), "--log", str(log), *keys]) == 0
    assert "Every call in 8 slots" in capsys.readouterr().out
    one = sorted(feed.iterdir())[0]
    assert main([str(one), "--log", str(log), *keys]) == 3
    assert main(["structure", str(feed), *keys]) == 2
    assert "--log" in capsys.readouterr().err


def test_files_under_other_names_are_read_in_the_order_of_the_log(tmp_path: Path) -> None:
    """A feed whose first file is named behind the others is looked into as a whole all the same."""
    world = busy()
    slots = structures(world)
    (_, one), (_, two), (_, again) = file(slots[:3]), file(slots[3:]), file(slots[2:5])
    feed = b.write_files(tmp_path / "feed", {"z.mct": one, "a.mct": two, "m.mct": again})
    (feed / "d.mct").mkdir()
    os.mkfifo(feed / "f.mct")
    assert [path.name for path in structure_files([feed])] == ["z.mct", "m.mct", "a.mct"]
    log = b.write_files(tmp_path / "log", world.files())
    report = verify_structure(read_files(structure_files([feed])), log, trust(world.vkeys()))
    assert (report.exit_code, report.facts["slots with a record"]) == (0, len(slots))


def test_a_file_cut_in_the_middle_of_a_slot(tmp_path: Path) -> None:
    world = busy()
    slots = structures(world)
    name, data = file(slots)
    for end in range(24, len(data.rstrip(b"\0")), 37):
        report = check(world, tmp_path, (name, data[:end]))
        assert "structure-form" in report.counts
        assert report.exit_code == 1


def test_places_that_hold_no_feed(tmp_path: Path) -> None:
    for wrong in (tmp_path / "nothing", tmp_path):
        with pytest.raises(UsageError):
            structure_files([wrong])
    sealed = tmp_path / "a.mctx"
    sealed.write_bytes(structure.SEALED_MAGIC)
    with pytest.raises(UsageError, match="sealed to an overseer"):
        list(read_files([sealed]))
