"""A whole log: cut, altered or contradictory, and what of that shows in it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.verify import builder as b
from tests.verify.found import log_codes

from memcon.errors import FormatError
from memcon.record import beat as beats
from memcon.record import canonical
from memcon.record.hashing import sha256
from memcon.record.statement import Explanation, Genesis, Off, On
from memcon.record.statement import decode as decode_statement
from memcon.verify import trust, verify_log

if TYPE_CHECKING:
    from pathlib import Path


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
