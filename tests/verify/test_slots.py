"""Slot records: the structure of every slot, and what an overseer sees in it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.verify import builder as b

from memcon.errors import UsageError
from memcon.record import beat as beats
from memcon.record import call as calls
from memcon.record import slottree
from memcon.record.hashing import ZERO32
from memcon.record.slottree import SLOTS_MAGIC, NoteLeaf, SlotLeaf
from memcon.verify import trust, verify_slots

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.verify import Report


def busy() -> b.World:
    """Two calls at once, a third later, and NOTEs."""
    world = b.begun()
    one = b.Call(world, packets=b.speech(5, 0))
    two = b.Call(world, number=2, lane=99, duration=9 * b.NS, packets=b.speech(9, 0))
    world.beat([one, two], notes=2)
    world.beat([one, two])
    world.beat([one, two], notes=1)
    while not two.done:
        world.beat([two])
    three = b.Call(world, number=3, lane=4711, duration=b.NS)
    world.beat([three])
    world.beat()
    return world


def check(
    world: b.World, folder: Path, records: list[bytes] | None = None, *, key: bytes | None = b.STRUCTURE
) -> Report:
    """Write the log and the records, and check them."""
    log = b.write_files(folder / "log", world.files())
    kept = SLOTS_MAGIC + b"".join(world.records if records is None else records)
    file = folder / "slots" / "2027-01-15" / f"{b.INSTANCE.hex()}.mcl"
    b.write_files(file.parent, {file.name: kept})
    return verify_slots([folder / "slots"], log, trust(world.vkeys()), key)


def resealed(world: b.World, index: int, leaves: dict[int, bytes]) -> bytes:
    """A record of other leaves for a beat."""
    beat = beats.decode(world.entries[index])
    return slottree.encode_slot_record(index, beat.slot, leaves)


def leaves_of(world: b.World, n: int) -> dict[int, bytes]:
    """The leaves of record n."""
    return dict(slottree.decode_slot_records(SLOTS_MAGIC + world.records[n])[0][0].leaves)


def test_honest_slots(tmp_path: Path) -> None:
    world = busy()
    report = check(world, tmp_path)
    assert not report.counts
    assert report.exit_code == 0
    assert (
        f"{len(world.records)} of {len(world.records)} slot records lead to the roots in their beats"
        in report.checked
    )
    assert report.facts["calls begun, ended, open at the end"] == [3, 3, 0]
    assert report.facts["NOTEs in all"] == 3
    assert "and nothing else is in them" in report.headline


def test_without_the_structure_key_the_limit_is_said(tmp_path: Path) -> None:
    report = check(busy(), tmp_path, key=None)
    assert not report.counts
    assert report.exit_code == 3
    assert "No structure key" in report.limits[0]


def test_one_file_from_the_middle(tmp_path: Path) -> None:
    world = busy()
    report = check(world, tmp_path, world.records[3:])
    assert not report.counts
    file = next((tmp_path / "slots").rglob("*.mcl"))
    again = verify_slots([file], tmp_path / "log", trust(world.vkeys()), b.STRUCTURE)
    assert not again.counts


@pytest.mark.parametrize(
    ("n", "change", "expected"),
    [
        (2, lambda leaves: leaves.pop(99), {"slots-root", "slots-cut", "slots-count"}),
        (2, lambda leaves: leaves.pop(0), {"slots-root", "slots-leaf"}),
        (1, lambda leaves: leaves.pop(60000), {"slots-root", "slots-number", "slots-count"}),
        (2, lambda leaves: leaves.update({7: b"what is this"}), {"slots-root", "slots-leaf"}),
        (2, lambda leaves: leaves.update({100: leaves.pop(99)}), {"slots-root", "slots-cut", "slots-leaf"}),
        (
            0,
            lambda leaves: leaves.update({5: NoteLeaf(4, 5, 1, 0, 0, ZERO32).encode()}),
            {"slots-root", "slots-leaf"},
        ),
        (
            0,
            lambda leaves: leaves.update({0: SlotLeaf(0, 0, 1, 1, 0, 0).encode()}),
            {"slots-root", "slots-leaf"},
        ),
        (6, lambda leaves: leaves.pop(4711), {"slots-root", "slots-number", "slots-count"}),
    ],
)
def test_records_that_leave_out_or_invent(tmp_path: Path, n: int, change: Any, expected: set[str]) -> None:
    world = busy()
    leaves = leaves_of(world, n)
    change(leaves)
    records = list(world.records)
    records[n] = resealed(world, n + 1, leaves)
    found = check(world, tmp_path, records)
    assert expected <= set(found.counts)
    assert "finding" in found.headline


def test_a_call_whose_chain_breaks_between_slots(tmp_path: Path) -> None:
    world = busy()
    leaves = leaves_of(world, 2)
    leaves[99] = replace(calls.decode(leaves[99]), chain=b"\1" * 32).encode()
    records = list(world.records)
    records[2] = resealed(world, 3, leaves)
    assert {"slots-root", "slots-cut"} == set(check(world, tmp_path, records).counts)


def test_records_missing_doubled_strange_or_damaged(tmp_path: Path) -> None:
    world = busy()
    missing = check(world, tmp_path / "a", world.records[:2] + world.records[3:])
    assert set(missing.counts) == {"slots-missing"}
    stray = slottree.encode_slot_record(99, 5, {})
    doubled = check(world, tmp_path / "b", [*world.records, stray, world.records[0]])
    assert set(doubled.counts) == {"slots-stray"}
    assert doubled.exit_code == 0
    damaged = bytearray(world.records[1])
    damaged[30] ^= 1
    report = check(world, tmp_path / "c", [world.records[0], bytes(damaged), *world.records[2:]])
    assert set(report.counts) == {"slots-form", "slots-missing"}
    moved = slottree.encode_slot_record(2, 5, leaves_of(world, 1))
    assert {"slots-leaf", "slots-root"} <= set(check(world, tmp_path / "d", [moved]).counts)


def test_of_two_records_that_of_the_beats_own_instance_is_taken(tmp_path: Path) -> None:
    world = busy()
    log = b.write_files(tmp_path / "log", world.files())
    lost = resealed(world, 1, {})
    folder = b.write_files(
        tmp_path / "slots",
        {
            "00000000000000000000000000000000.mcl": SLOTS_MAGIC + lost,
            f"{b.INSTANCE.hex()}.mcl": SLOTS_MAGIC + b"".join(world.records),
            "ff.mcl": SLOTS_MAGIC + lost,
        },
    )
    report = verify_slots([folder], log, trust(world.vkeys()), b.STRUCTURE)
    assert report.counts == {"slots-stray": 2}


def test_a_log_with_leaves_that_cannot_be_read(tmp_path: Path) -> None:
    world = busy()
    for n, entry in enumerate((b"no beat", bytes(256))):
        world.entries[2] = entry
        report = check(world, tmp_path / str(n))
        assert {"beat-form", "slots-stray", "slots-missing"} == set(report.counts)


def test_a_file_that_is_none_and_a_log_that_is_none(tmp_path: Path) -> None:
    world = busy()
    log = b.write_files(tmp_path / "log", world.files())
    file = tmp_path / "x.mcl"
    file.write_bytes(b"something else")
    assert "slots-form" in verify_slots([file], log).counts
    (log / "checkpoint").unlink()
    report = verify_slots([file], log)
    assert report.headline.startswith("The log has no checkpoint")
    with pytest.raises(UsageError):
        verify_slots([tmp_path / "nothing"], log)
    with pytest.raises(UsageError):
        verify_slots([file], log, structure_key=b"short")


def test_an_entry_bundle_that_is_missing(tmp_path: Path) -> None:
    world = busy()
    log = b.write_files(tmp_path / "log", world.files())
    for file in (log / "tile" / "entries").rglob("*"):
        if file.is_file():
            file.unlink()
    file = tmp_path / "x.mcl"
    file.write_bytes(SLOTS_MAGIC + b"".join(world.records))
    assert {"log-missing", "slots-stray"} <= set(verify_slots([file], log).counts)


class Liar(b.Call):
    """A call whose operator changes leaf `at` before it is sealed, and everything follows from it."""

    at: int = 1
    lie: Any = None

    def change(self, leaf: calls.CallLeaf) -> calls.CallLeaf:
        return self.lie(leaf) if len(self.leaves) == self.at else leaf


@pytest.mark.parametrize(
    ("at", "lie", "code"),
    [
        (1, lambda leaf: replace(leaf, first_segment=leaf.first_segment + 1), "call-sequence"),
        (1, lambda leaf: replace(leaf, first_event=0), "call-sequence"),
        (1, lambda leaf: replace(leaf, streams=leaf.streams[:1]), "call-counters"),
        (0, lambda leaf: replace(leaf, streams=leaf.streams[::-1]), "call-counters"),
        (2, lambda leaf: replace(leaf, last=replace(leaf.last, segments=3)), "call-totals"),
        (2, lambda leaf: replace(leaf, last=replace(leaf.last, duration=99 * b.NS)), "call-arithmetic"),
        (1, lambda leaf: replace(leaf, segments=0), "call-arithmetic"),
    ],
)
def test_an_overseer_sees_counts_that_do_not_add_up(tmp_path: Path, at: int, lie: Any, code: str) -> None:
    """Sealed and signed like this: the roots fit, and without any content the structure convicts."""
    world = b.begun()
    call = Liar(world, packets=[*b.speech(5, 0), *b.speech(5, 2)])
    call.at, call.lie = at, lie
    while not call.done:
        world.beat([call])
    report = check(world, tmp_path)
    assert code in report.counts
    assert "slots-root" not in report.counts


def test_two_calls_with_one_handle(tmp_path: Path) -> None:
    world = b.begun()
    one, two = b.Call(world), b.Call(world, number=2, lane=99)
    two.handle = one.handle
    while not one.done:
        world.beat([one, two])
    assert check(world, tmp_path).counts == {"slots-twin": 1}


def test_a_call_sealed_twice_in_one_slot_or_begun_again(tmp_path: Path) -> None:
    world = b.begun()
    one, twin = b.Call(world), b.Call(world, lane=99)
    while not one.done:
        world.beat([one, twin])
    assert {"slots-number", "slots-cut", "slots-count", "slots-lane"} <= set(check(world, tmp_path).counts)


def test_beats_without_records_at_the_ends_are_a_limit(tmp_path: Path) -> None:
    world = busy()
    for n, records in enumerate((world.records[2:], world.records[:-2], [])):
        report = check(world, tmp_path / str(n), records)
        assert not report.counts
        assert report.exit_code == 3
        assert "were not looked into" in report.limits[0]
