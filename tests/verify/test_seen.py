"""Checkpoints kept from before: what convicts a log that was rewritten and signed again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.verify import builder as b

from memcon.record import beat as beats
from memcon.record.slottree import SLOTS_MAGIC
from memcon.verify import Report, trust, verify_log, verify_slots
from memcon.verify.main import main
from memcon.verify.seen import Seen

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.verify.seen import Kept


def check(world: b.World, folder: Path, *seen: Kept) -> Report:
    """The report on a log, held against kept checkpoints."""
    return verify_log(str(b.write_files(folder, world.files())), trust(world.vkeys()), seen=seen)


def test_checkpoints_of_the_logs_own_past(tmp_path: Path) -> None:
    world, _ = b.simple()
    kept: list[Kept] = [(f"day {n}", world.checkpoint(n)) for n in range(len(world.entries) + 1)]
    report = check(world, tmp_path, *kept)
    assert not report.counts
    assert (
        f"{len(kept)} of {len(kept)} checkpoints kept from before are of this log's own past"
        in report.checked
    )
    assert any("Older checkpoints: none" in line for line in check(world, tmp_path).not_checked)


def test_a_log_rewritten_and_signed_again(tmp_path: Path) -> None:
    world, _ = b.simple()
    kept = [(f"day {n}", world.checkpoint(n)) for n in range(1, 5)]
    world.entries[2] = replace(beats.decode(world.entries[2]), config_root=bytes(32)).encode()
    report = check(world, tmp_path, *kept)
    assert report.counts == {"checkpoint-fork": 2}
    assert [finding.where for finding in report.findings] == ["day 3", "day 4"]
    assert "there are two logs" in report.findings[0].text


def test_a_log_cut_and_signed_again(tmp_path: Path) -> None:
    world, _ = b.simple()
    kept = world.checkpoint()
    world.entries.pop()
    report = check(world, tmp_path, ("mine", kept))
    assert report.counts == {"checkpoint-fork": 1}
    assert "leaves were taken away, or are withheld" in report.findings[0].text


def test_what_is_no_evidence(tmp_path: Path) -> None:
    world, _ = b.simple()
    other = b.World(mldsa=False, key_name="another")
    other.entries = world.entries
    report = check(world, tmp_path, ("a", b"nothing"), ("b", other.checkpoint()))
    assert set(report.counts) == {"checkpoint-form", "checkpoint-signature"}
    unkeyed = verify_log(str(tmp_path), seen=[("b", other.checkpoint())])
    assert not unkeyed.counts
    elsewhere = Seen("c", "elsewhere.example", 1, bytes(32))
    assert check(world, tmp_path, elsewhere).counts == {"checkpoint-fork": 1}


def test_on_the_command_line_for_a_log_and_for_slots(tmp_path: Path) -> None:
    world, _ = b.simple()
    kept = tmp_path / "kept"
    kept.write_bytes(world.checkpoint())
    world.entries.pop()
    log = b.write_files(tmp_path / "log", world.files())
    b.write_files(tmp_path, {"x.mcl": SLOTS_MAGIC + b"".join(world.records)})
    key = ["--key", world.vkeys()[0], "--quiet"]
    assert main(["log", str(log), *key]) == 0
    assert main(["log", str(log), *key, "--seen", str(kept)]) == 1
    slots = ["slots", str(tmp_path / "x.mcl"), "--log", str(log), *key]
    assert main(slots) == 3
    assert main([*slots, "--seen", str(kept)]) == 1
    report = verify_slots([tmp_path / "x.mcl"], log, trust(world.vkeys()), seen=[("kept", kept.read_bytes())])
    assert "checkpoint-fork" in report.counts
