from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.errors import MachineError
from memcon.record.hashing import sha256
from memcon.seal import starts
from memcon.seal.finisher import Finisher
from memcon.seal.starts import Starts

if TYPE_CHECKING:
    from pathlib import Path


def every(_: int) -> bool:
    return True


def files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_what_was_added_is_found_by_the_hash_of_its_wraps(tmp_path: Path) -> None:
    first = Starts(tmp_path, every)
    first.add(1, b"one", b"custodians")
    first.add(2, b"two", b"custodians")
    first.add(2, b"again", b"others")  # the number was free again: its first leaf never came
    first.sync()
    for book in (first, Starts(tmp_path, every)):
        assert book.find(1, sha256(b"one")) == (b"one", b"custodians")
        assert book.find(2, sha256(b"two")) == (b"two", b"custodians")
        assert book.find(2, sha256(b"again")) == (b"again", b"others")
        assert book.find(2, sha256(b"one")) is None
        assert book.find(3, sha256(b"one")) is None
        assert list(book.latest()) == [(1, b"one", b"custodians"), (2, b"again", b"others")]


def test_a_file_goes_with_its_last_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starts, "ENTRIES", 2)
    book = Starts(tmp_path, every)
    for number in range(1, 6):
        book.add(number, b"%d" % number, b"")
    assert files(tmp_path) == ["00000000.mcw", "00000001.mcw", "00000002.mcw"]
    book.forget(1)
    assert len(files(tmp_path)) == 3
    book.forget(2)
    assert files(tmp_path) == ["00000001.mcw", "00000002.mcw"]
    book.forget(5)  # its file is the one being written
    assert files(tmp_path) == ["00000001.mcw", "00000002.mcw"]
    book.close()
    assert files(tmp_path) == ["00000001.mcw"]
    later = Starts(tmp_path, lambda number: number == 4)
    later.add(6, b"6", b"")
    assert files(tmp_path) == ["00000001.mcw", "00000002.mcw"]
    later.forget(4)
    assert files(tmp_path) == ["00000002.mcw"]


def test_files_that_nobody_asks_for_are_removed(tmp_path: Path) -> None:
    book = Starts(tmp_path, every)
    book.add(1, b"one", b"")
    book.close()
    Starts(tmp_path, lambda _: False)
    assert files(tmp_path) == []


@given(st.data())
def test_a_torn_or_changed_end_costs_only_itself(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("starts")
    book = Starts(directory, every)
    ends = []
    for number in range(3):
        book.add(number, b"wraps %d" % number, b"custodians")
        book.sync()
        ends.append((directory / "00000000.mcw").stat().st_size)
    path = directory / "00000000.mcw"
    content = path.read_bytes()
    cut = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[:cut])
    read = Starts(directory, every)
    for number, end in enumerate(ends):
        there = read.find(number, sha256(b"wraps %d" % number)) is not None
        assert there == (end <= cut)
    at = data.draw(st.integers(0, len(content) - 1))
    path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    read = Starts(directory, every)
    for number, end in enumerate(ends):
        if end <= at:
            assert read.find(number, sha256(b"wraps %d" % number)) is not None


def test_calls_are_finished_beside_and_collected_in_order() -> None:
    finisher = Finisher()
    made: list[int] = []
    assert finisher.collect(idle=True) == []
    for number in (3, 1, 2):
        finisher.submit(number, lambda number=number: made.append(number))  # type: ignore[misc]
    collected: list[int] = []
    while len(collected) < 3:
        collected += finisher.collect(idle=True)
    assert sorted(collected) == sorted(made) == [1, 2, 3]
    assert not finisher.busy


def until_done(finisher: Finisher) -> None:
    while finisher.busy:
        finisher.collect(idle=True)


def test_what_finishing_raises_is_raised_to_who_collects() -> None:
    def refused() -> None:
        raise MachineError("the disk is full")

    finisher = Finisher()
    finisher.submit(1, refused)
    with pytest.raises(MachineError, match="the disk is full"):
        until_done(finisher)
    finisher.submit(2, refused)
    finisher.submit(3, lambda: None)
    assert finisher.close() == [3]
