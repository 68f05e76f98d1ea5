"""Files made to exhaust who checks them: every check ends soon, in a report."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.verify import builder as b

from memcon.record import canonical
from memcon.record.config import hash_root
from memcon.record.hashing import sha256
from memcon.record.statement import Genesis
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.merkle import leaf_hash
from memcon.verify import seconds, trust, verify_bundle, verify_log
from memcon.verify.keys import MAX_STATED
from memcon.verify.log import MAX_ABSENT
from memcon.verify.seen import prefix_roots

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from memcon.record import call as calls


def test_a_checkpoint_of_a_tree_that_nobody_could_hold(tmp_path: Path) -> None:
    world, _ = b.simple()
    files = world.files()
    files["checkpoint"] = world.sign(Checkpoint(world.origin, (1 << 63) - 1, bytes(32)).to_bytes())
    report = verify_log(str(b.write_files(tmp_path, files)), trust(world.vkeys()))
    assert {"log-missing", "checkpoint-root"} <= set(report.counts)
    assert report.counts["log-missing"] <= 2 * MAX_ABSENT + 8


def test_entries_that_are_no_beats_are_not_kept(tmp_path: Path) -> None:
    world = b.begun()
    world.entries += [bytes(60_000)] * 8
    report = verify_log(str(b.write_files(tmp_path, world.files())), trust(world.vkeys()))
    assert report.counts == {"beat-form": 8}


def test_a_beginning_that_states_a_thousand_keys(tmp_path: Path) -> None:
    for n, keys in enumerate(((), tuple(f"k{n}" for n in range(1000)))):
        world = b.World(mldsa=False)
        world.genesis(Genesis(world.origin, world.period_ms, 3, 2, "2027", keys))
        report = verify_log(str(b.write_files(tmp_path / str(n), world.files())), trust(world.vkeys()))
        assert set(report.counts) == {"genesis-statement"}
        assert report.counts["genesis-statement"] <= MAX_STATED + 1


def test_leaves_that_all_claim_every_event() -> None:
    """Each would have the root over all events worked out again."""

    class Greedy(b.Call):
        def change(self, leaf: calls.CallLeaf) -> calls.CallLeaf:
            everything = hash_root(self.event_hashes)
            return replace(leaf, first_event=0, events=len(self.event_hashes), event_root=everything)

    world = b.begun()
    call = Greedy(world, packets=b.speech(5, 0))
    while not call.done:
        world.beat([call])
    report = verify_bundle(b.bundle(world, call).pack(), trust(world.vkeys()))
    assert {"call-sequence", "events-root"} <= set(report.counts)


def test_table_roots_are_worked_out_in_one_pass() -> None:
    hashes = [sha256(b"%d" % n) for n in range(40)]
    roots = prefix_roots([leaf_hash(value) for value in hashes], set(range(50)))
    assert roots == {n: hash_root(hashes[:n]) for n in range(41)}


def test_the_search_for_a_changed_byte_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seconds, "MAX_SEARCH", 100)
    world, call = b.simple()
    data = bytearray(b.bundle(world, call).pack())
    place = data.index(b.pseudo("2/39", 20))  # the last packet of second 3, stream 2
    data[place] ^= 1
    report = verify_bundle(data, trust(world.vkeys()))
    assert "byte-changed" not in report.counts
    assert {(f.second, f.through) for f in report.findings if f.code == "media-segment"} == {(3, 4)}


def test_parties_nested_to_exhaust_the_reader() -> None:
    for data in (b"[" * 200_000, b'{"a":' * 200_000, b'"' + b"\\u0041" * 10 + b'"', b'{"a":1,"a":2}', b"NaN"):
        world = b.begun()
        call = b.Call(world, packets=b.speech(5, 0))
        call.openings[1] = data
        while not call.done:
            world.beat([call])
        report = verify_bundle(b.bundle(world, call).pack(), trust(world.vkeys()))
        assert set(report.counts) == {"openings-form"}, data[:20]
    assert canonical.loads(b'"A"') == "A"
