"""The shelf of calls taken in: numbered, chained, whole or not there, whenever it is killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from memcon.clock import ManualClock
from memcon.errors import FormatError, UsageError
from memcon.record.hashing import sha256
from memcon.record.intake import TakenFile, hash_of
from memcon.store import durable
from memcon.store.paths import Home
from memcon.vault.intakes import STAGING, IntakeShelf, intake_id
from memcon.vault.keeper import Keeper
from memcon.vault.ocfl import StorageRoot, object_path

if TYPE_CHECKING:
    from pathlib import Path

ORIGIN = "test.example/1"


class Shelf(IntakeShelf):
    def __init__(self, root: Path) -> None:
        self.home = Home(root / "home")
        self.root = root
        self.sealed: list[tuple[int, bytes]] = []
        super().__init__(
            self.home, ORIGIN, ManualClock(), lambda type_, hash_: self.sealed.append((type_, hash_))
        )

    def put(self, content: bytes) -> str:
        path = self.root / "file"
        path.write_bytes(content)
        file = TakenFile("original", sha256(content).hex(), len(content), "audio/wav")
        return self.add("A", "a.wav", [(file, path)], {"start": ""}, {"form": "media"})[1]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_each_names_the_one_before_and_is_handed_in(shelf: Shelf) -> None:
    hashes = [shelf.put(bytes([n])) for n in range(3)]
    assert shelf.last() == 3
    assert Shelf(shelf.root).last() == 3
    assert [shelf.read(n).previous for n in (1, 2, 3)] == ["0" * 64, *hashes[:2]]
    assert shelf.sealed == [(10, bytes.fromhex(one)) for one in hashes]
    assert hash_of(shelf.statement(3)) == hashes[2]
    shelf.hand_in(2)
    assert shelf.sealed[-1] == (10, bytes.fromhex(hashes[1]))
    shelf.check(1)


@pytest.mark.parametrize("n", [0, -1, 2])
def test_what_is_not_there_is_said(shelf: Shelf, n: int) -> None:
    shelf.put(b"x")
    with pytest.raises(UsageError, match="no call"):
        shelf.statement(n)


def test_a_twin_that_came_meanwhile_is_not_kept_twice(shelf: Shelf, tmp_path: Path) -> None:
    shelf.put(b"x")
    file = TakenFile("original", sha256(b"x").hex(), 1, "audio/wav")
    with pytest.raises(UsageError, match="T1"):
        shelf.add("A", "a", [(file, tmp_path / "file")], {}, {}, still_new=lambda: 1)
    assert shelf.last() == 1


def test_killed_anywhere_before_it_stands_nothing_was_taken_in(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.put(b"first")

    def killed(source: Path, target: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("memcon.vault.ocfl.durable.rename_dir", killed)
        with pytest.raises(KeyboardInterrupt):
            shelf.put(b"second")
    again = Shelf(shelf.root)
    assert again.last() == 1
    staging = shelf.home.vault / "extensions" / STAGING
    assert list(staging.iterdir())
    Keeper(shelf.home, ORIGIN, ManualClock()).sweep()
    assert list(staging.iterdir()), "the recorder's own sweep is of its own staging area"
    again.sweep()
    assert not staging.exists()
    again.put(b"second")
    assert [again.read(n).n for n in (1, 2)] == [1, 2]


def test_a_changed_byte_is_found(shelf: Shelf) -> None:
    shelf.put(b"first")
    path = shelf.files(1)["original"]
    path.write_bytes(b"fIrst")
    with pytest.raises(FormatError, match="original"):
        shelf.check(1)
    place = shelf.home.vault / object_path(intake_id(ORIGIN, 1))
    durable.write_file(StorageRoot(shelf.home.vault).files(intake_id(ORIGIN, 1))["intake.json"], b"{}")
    assert place.is_dir()
    with pytest.raises(FormatError):
        shelf.read(1)
