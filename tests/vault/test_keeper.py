"""The keeper: from work/done to the vault, whenever it is killed and whatever the disk does."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from tests.release.synthetic import ORIGIN, START, Call, Recorder, rtp

from memcon.clock import ManualClock
from memcon.errors import MachineError, UsageError
from memcon.record.opened import read_beats
from memcon.store import durable
from memcon.store.paths import Home
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.merkle import leaf_hash, verify_inclusion
from memcon.tlog.note import Note
from memcon.vault.keeper import Keeper, call_id, slots_id
from memcon.vault.ocfl import StorageRoot, object_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NS = 1_000_000_000
VAULT_FILES = {
    "media.mcs", "events.mce", "leaves.mcl", "record.mcr", "wraps.json", "custodians.json",
    "beats.mcb", "checkpoint",
}  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START + 60 * NS)


def a_call(number: int = 1) -> Call:
    return Call(number, media={0: [(n * 20_000_000, rtp(n, 160 * n, b"\xff" * 160)) for n in range(600)]})


def test_a_call_becomes_an_object_with_proofs_into_the_checkpoint(home: Home, clock: ManualClock) -> None:
    recorder = Recorder(home.root)
    work = recorder.seal(a_call())
    files = {p.name: p.read_bytes() for p in work.iterdir()}
    outcome = Keeper(home, ORIGIN, clock).keep_done()
    assert (outcome.kept, outcome.waiting, outcome.problems) == ([1], [], [])
    assert not work.exists()
    root = StorageRoot(home.vault)
    kept = {name: root.read(call_id(ORIGIN, 1), name) for name in root.files(call_id(ORIGIN, 1))}
    assert set(kept) == VAULT_FILES
    assert {name: kept[name] for name in files} == files
    assert root.check(call_id(ORIGIN, 1)) == []
    head = Checkpoint.parse(Note.parse(kept["checkpoint"]).text)
    size, beats = read_beats(kept["beats.mcb"])
    assert size == head.size
    assert [b.index for b in beats] == [0, 1, 2]
    for beat in beats:
        assert beat.leaf == recorder.beats[beat.index].encode()
        verify_inclusion(leaf_hash(beat.leaf), beat.index, size, beat.proof, head.root)


def test_it_waits_until_the_log_covers_the_last_leaf(home: Home, clock: ManualClock) -> None:
    recorder = Recorder(home.root)
    work = recorder.seal(a_call(), publish=False)
    keeper = Keeper(home, ORIGIN, clock)
    assert keeper.keep_done().waiting == [1]
    assert work.is_dir()
    assert set(keeper.find(1)) == VAULT_FILES - {"beats.mcb", "checkpoint"}
    recorder.publish()
    assert keeper.keep_done().kept == [1]
    assert set(keeper.find(1)) == VAULT_FILES
    with pytest.raises(UsageError, match="call 2 is not in the vault"):
        keeper.find(2)


def test_one_damaged_call_does_not_hold_up_the_others(home: Home, clock: ManualClock) -> None:
    recorder = Recorder(home.root)
    for number in (1, 2, 3, 4):
        recorder.seal(a_call(number))
    (home.work_done / "1" / "leaves.mcl").write_bytes(b"x")
    (home.work_done / "2" / "record.mcr").unlink()
    leaves = home.work_done / "3" / "leaves.mcl"
    leaves.write_bytes(leaves.read_bytes()[:16])
    outcome = Keeper(home, ORIGIN, clock).keep_done()
    assert outcome.kept == [4]
    assert [p.split(":")[0] for p in outcome.problems] == ["call 1", "call 2", "call 3"]
    assert "lacks record.mcr" in outcome.problems[1]
    assert all((home.work_done / n).is_dir() for n in "123")


def test_an_object_that_differs_from_the_work_directory_is_told_and_both_are_kept(
    home: Home, clock: ManualClock
) -> None:
    recorder = Recorder(home.root)
    work = recorder.seal(a_call())
    keeper = Keeper(home, ORIGIN, clock)
    keeper.keep_done()
    work.mkdir()
    (work / "media.mcs").write_bytes(b"other")
    outcome = keeper.keep_done()
    assert outcome.kept == []
    assert "differs from the object" in outcome.problems[0]
    assert (work / "media.mcs").read_bytes() == b"other"


class Killed(Exception):
    """The process is killed."""


def _kill(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    left = [at]
    for name in ("write_file", "rename_dir", "make_dirs", "remove_tree"):
        real = getattr(durable, name)

        def step(*args: object, real: Callable[..., object] = real, **kw: object) -> object:
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return real(*args, **kw)

        monkeypatch.setattr(durable, name, step)


def test_killed_at_any_point_the_next_run_makes_the_same_object(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def objects(home: Home) -> dict[str, bytes]:
        top = home.vault
        return {
            p.relative_to(top).as_posix(): p.read_bytes()
            for p in top.rglob("*")
            if p.is_file() and "memcon-staging" not in p.parts
        }

    start, clean = tmp_path / "start", Home(tmp_path / "clean")
    Recorder(start).seal(a_call())
    shutil.copytree(start, clean.root)
    Keeper(clean, ORIGIN, clock).keep_done()
    for step in range(60):
        home = Home(tmp_path / str(step))
        shutil.copytree(start, home.root)
        killed = False
        with monkeypatch.context() as patch:
            _kill(patch, step)
            try:
                Keeper(home, ORIGIN, clock).keep_done()
            except Killed:
                killed = True
        assert (home.work_done / "1").is_dir() or StorageRoot(home.vault).has(call_id(ORIGIN, 1))
        Keeper(home, ORIGIN, clock).keep_done()
        assert objects(home) == objects(clean)
        assert not (home.work_done / "1").exists()
        if not killed:
            assert step > 10
            return
    pytest.fail("the keeper never ended")


def _refuse(monkeypatch: pytest.MonkeyPatch, below: Path) -> None:
    """Nothing can be written below this directory, as on a full or absent disk."""
    real = durable.make_dirs

    def refuse(path: Path, mode: int = 0o700, *, durable: bool = True) -> None:
        if path.is_relative_to(below):
            raise MachineError(f"creating {path}: No space left on device")
        real(path, mode, durable=durable)

    monkeypatch.setattr(durable, "make_dirs", refuse)


def test_a_vault_that_refuses_sends_calls_to_the_fallback_and_home_later(
    home: Home, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(home.root)
    recorder.seal(a_call())
    keeper = Keeper(home, ORIGIN, clock, tmp_path / "spare")
    with monkeypatch.context() as patch:
        _refuse(patch, home.vault)
        outcome = keeper.keep_done()
        assert (outcome.kept, outcome.fallback) == ([], [1])
        assert "No space left" in outcome.problems[0]
        found = keeper.find(1)
        assert set(found) == VAULT_FILES
        assert all(p.is_relative_to(tmp_path / "spare") for p in found.values())
        again = keeper.keep_done()
        assert again.brought_home == []
        assert "stays in the fallback" in again.problems[0]
    outcome = keeper.keep_done()
    assert outcome.brought_home == [call_id(ORIGIN, 1)]
    assert outcome.problems == []
    assert StorageRoot(home.vault).check(call_id(ORIGIN, 1)) == []
    assert not StorageRoot(tmp_path / "spare").has(call_id(ORIGIN, 1))
    assert all(p.is_relative_to(home.vault) for p in keeper.find(1).values())


def test_without_a_fallback_a_call_stays_in_work(
    home: Home, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Recorder(home.root).seal(a_call())
    with monkeypatch.context() as patch:
        _refuse(patch, home.vault)
        outcome = Keeper(home, ORIGIN, clock).keep_done()
    assert "No space left" in outcome.problems[0]
    assert work.is_dir()


def test_different_bytes_in_vault_and_fallback_are_told(
    home: Home, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Recorder(home.root).seal(a_call())
    keeper = Keeper(home, ORIGIN, clock, tmp_path / "spare")
    with monkeypatch.context() as patch:
        _refuse(patch, home.vault)
        keeper.keep_done()
    vault, user = StorageRoot.create(home.vault), keeper._user
    vault.add_object(call_id(ORIGIN, 1), {"a": b""}, message="m", user=user, created="2026-01-01T00:00:00Z")
    outcome = keeper.keep_done()
    assert "other bytes than the fallback" in outcome.problems[0]
    assert StorageRoot(tmp_path / "spare").has(call_id(ORIGIN, 1))


def test_a_day_of_slots_is_kept_when_it_is_over_and_at_a_stop(home: Home, clock: ManualClock) -> None:
    today, before = home.slots / "2026-09-21", home.slots / "2026-09-20"
    for day in (today, before, home.slots / "notes"):
        day.mkdir(parents=True)
        (day / "aa.mcl").write_bytes(b"1")
    root, keeper = StorageRoot(home.vault), Keeper(home, ORIGIN, clock)
    keeper.keep_slots()
    assert list(root.object_ids()) == [slots_id(ORIGIN, "2026-09-20")]
    keeper.keep_slots(stopping=True)
    assert root.read(slots_id(ORIGIN, "2026-09-21"), "aa.mcl") == b"1"
    (today / "aa.mcl").write_bytes(b"12")
    clock.advance(24 * 3600 * NS)
    Keeper(home, ORIGIN, clock).keep_slots()
    assert root.inventory(slots_id(ORIGIN, "2026-09-21")).head == "v2"
    Keeper(home, ORIGIN, clock).keep_slots(stopping=True)
    assert root.inventory(slots_id(ORIGIN, "2026-09-21")).head == "v2"
    assert not root.has(slots_id(ORIGIN, "notes"))


def test_a_day_that_cannot_be_kept_is_told_and_tried_again(
    home: Home, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = home.slots / "2026-09-20"
    day.mkdir(parents=True)
    (day / "aa.mcl").write_bytes(b"1")
    keeper = Keeper(home, ORIGIN, clock)
    with monkeypatch.context() as patch:
        _refuse(patch, home.vault)
        assert "slots of 2026-09-20" in keeper.keep_slots().problems[0]
    assert keeper.keep_slots().problems == []
    where = home.vault / object_path(slots_id(ORIGIN, "2026-09-20"))
    assert (where / "v1/content/aa.mcl").read_bytes() == b"1"


def test_an_error_of_the_disk_is_told_and_stops_nothing_else(
    home: Home, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(home.root)
    for number in (1, 2):
        recorder.seal(a_call(number))
    keeper = Keeper(home, ORIGIN, clock)
    real = keeper._files

    def failing(number: int, work: Path) -> dict[str, Path | bytes] | None:
        if number == 1:
            raise OSError(5, "Input/output error")
        return real(number, work)

    monkeypatch.setattr(keeper, "_files", failing)
    outcome = keeper.keep_done()
    assert outcome.kept == [2]
    assert "Input/output error" in outcome.problems[0]
    assert (home.work_done / "1").is_dir()


def test_a_sweep_removes_what_a_crash_left_half_stored(
    home: Home, clock: ManualClock, tmp_path: Path
) -> None:
    keeper = Keeper(home, ORIGIN, clock)
    staging = home.vault / "extensions" / "memcon-staging" / "half"
    staging.mkdir(parents=True)
    (staging / "media.mcs").write_bytes(b"half")
    keeper.sweep()
    assert not staging.parent.exists()
    keeper.sweep()
