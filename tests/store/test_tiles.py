from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memcon.errors import FormatError, LocalError, MachineError, UsageError
from memcon.store import durable
from memcon.store.tiles import LogStore
from memcon.tlog.merkle import leaf_hash, root
from memcon.tlog.note import Note, Signature

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.tlog.checkpoint import Checkpoint

ORIGIN = "log.example/x"


def sign(checkpoint: Checkpoint) -> bytes:
    return Note(checkpoint.to_bytes(), (Signature(ORIGIN, b"abcd", b"sig"),)).to_bytes()


def entry(n: int) -> bytes:
    return hashlib.sha256(b"%d" % n).digest() * 8


def check(store: LogStore, size: int) -> None:
    head = store.checkpoint()
    assert head.size == size
    assert head.root == root([leaf_hash(entry(n)) for n in range(size)])
    reader = store.reader()
    assert reader.root() == head.root
    reader.check()
    assert list(reader.entries()) == [entry(n) for n in range(size)]


def grown(path: Path, sizes: list[int]) -> LogStore:
    store = LogStore(path)
    store.create(ORIGIN, [entry(n) for n in range(sizes[0])], sign)
    for size in sizes[1:]:
        store.publish(ORIGIN, [entry(n) for n in range(store.size, size)], sign)
    return store


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=4))
def test_a_log_grows_and_opens_again(tmp_path_factory: pytest.TempPathFactory, steps: list[int]) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    sizes = [sum(steps[: n + 1]) for n in range(len(steps))]
    check(grown(path, sizes), sizes[-1])
    again = LogStore(path)
    assert again.open(sign).size == sizes[-1]
    again.publish(ORIGIN, [entry(sizes[-1])], sign)
    check(again, sizes[-1] + 1)


def test_partial_tiles_go_when_the_full_one_is_there(tmp_path: Path) -> None:
    store = grown(tmp_path / "log", [1, 100, 255, 257])
    assert store.size == 257
    names = sorted(str(p.relative_to(tmp_path / "log")) for p in (tmp_path / "log").rglob("*") if p.is_file())
    assert names == [
        "checkpoint",
        "tile/0/000",
        "tile/0/001.p/1",
        "tile/1/000.p/1",
        "tile/entries/000",
        "tile/entries/001.p/1",
    ]
    assert list(store.entries(255, 257)) == [entry(255), entry(256)]


class Stop:
    """Fails the n-th file that is written: before, or after it is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at, self.count, self.after = -1, 0, False
        real = durable.write_file

        def write(*args: Any, **keys: Any) -> None:
            self.count += 1
            if self.count == self.at and not self.after:
                raise MachineError("stop")
            real(*args, **keys)
            if self.count == self.at:
                raise MachineError("stop")

        monkeypatch.setattr(durable, "write_file", write)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("old", "new"), [(3, 4), (255, 256), (256, 257), (250, 600)])
def test_a_crash_between_any_two_writes_leaves_a_log_that_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: int, new: int, *, after: bool
) -> None:
    grown(tmp_path / "base", [old])
    stop = Stop(monkeypatch)
    for at in range(1, 12):
        path = tmp_path / f"{at}"
        shutil.copytree(tmp_path / "base", path)
        store = LogStore(path)
        store.open(sign)
        stop.count, stop.at, stop.after = 0, at, after
        try:
            store.publish(ORIGIN, [entry(n) for n in range(old, new)], sign)
        except MachineError:
            pass
        else:
            check(store, new)
            return
        stop.at = -1
        again = LogStore(path)
        size = again.open(sign).size
        assert old <= size <= new
        check(again, size)
        if size < new:
            again.publish(ORIGIN, [entry(n) for n in range(size, new)], sign)
        check(again, new)
    pytest.fail("more writes than were tried")


def test_partial_tiles_that_a_power_cut_took_are_made_again(tmp_path: Path) -> None:
    grown(tmp_path / "log", [300])
    (tmp_path / "log" / "tile/0/001.p/44").write_bytes(b"")
    shutil.rmtree(tmp_path / "log" / "tile/1")
    store = LogStore(tmp_path / "log")
    store.open(sign)
    check(store, 300)


def test_older_partial_tiles_that_a_power_cut_emptied_are_made_again(tmp_path: Path) -> None:
    """Their names may reach the disk before their bytes; whoever fetches them must not be misled."""
    store = grown(tmp_path / "log", [256, 257, 259, 262])
    before = {p: p.read_bytes() for p in (tmp_path / "log").rglob("*") if p.is_file()}
    assert len(before) > 8
    for path in before:
        if ".p" in path.parent.name and "entries" not in path.parts:
            path.write_bytes(b"")
    left = tmp_path / "log" / "tile/0/000.p/9"  # the crash came before its removal
    left.parent.mkdir()
    left.write_bytes(b"")
    store.open(sign)
    assert {p: p.read_bytes() for p in (tmp_path / "log").rglob("*") if p.is_file()} == before


def test_a_checkpoint_that_a_power_cut_took_back_is_signed_again(tmp_path: Path) -> None:
    store = grown(tmp_path / "log", [5])
    old = store.fetch("checkpoint") or b""
    new = store.publish(ORIGIN, [entry(5)], sign)
    durable.write_file(tmp_path / "log" / "checkpoint", old)
    again = LogStore(tmp_path / "log")
    again.open(sign)
    assert again.fetch("checkpoint") == new


@pytest.mark.parametrize("name", ["tile/entries/000", "tile/0/000", "tile/entries/001.p/44"])
def test_a_damaged_log_is_not_continued(tmp_path: Path, name: str) -> None:
    grown(tmp_path / "log", [300])
    path = tmp_path / "log" / name
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    store = LogStore(tmp_path / "log")
    if name == "tile/entries/000":  # shows when it is read
        store.open(sign)
        with pytest.raises(FormatError, match="differs from its hash"):
            list(store.entries(0, 1))
    else:
        with pytest.raises(FormatError, match="do not give the checkpoint's root"):
            store.open(sign)


@pytest.mark.parametrize(
    ("name", "match"), [("tile/entries/001.p/44", "entries from 256 on"), ("tile/0/000", "is not there")]
)
def test_a_log_without_a_file_it_needs_says_so(tmp_path: Path, name: str, match: str) -> None:
    grown(tmp_path / "log", [300])
    (tmp_path / "log" / name).unlink()
    with pytest.raises(FormatError, match=match):
        LogStore(tmp_path / "log").open(sign)


def test_what_is_no_log_says_so(tmp_path: Path) -> None:
    store = LogStore(tmp_path / "log")
    with pytest.raises(UsageError, match="there is no log"):
        store.checkpoint()
    with pytest.raises(LocalError, match="neither open nor created"):
        store.publish(ORIGIN, [b"x"], sign)
    grown(tmp_path / "log", [1])
    with pytest.raises(UsageError, match=r"a log in .* already"):
        store.create(ORIGIN, [b"x"], sign)


def test_statements_are_kept_by_their_hash(tmp_path: Path) -> None:
    store = LogStore(tmp_path / "log")
    digest = store.add_statement(b"{}")
    assert store.add_statement(b"{}") == digest == hashlib.sha256(b"{}").digest()
    assert store.fetch(f"statement/{digest.hex()}") == b"{}"
    mode = (tmp_path / "log" / "statement" / digest.hex()).stat().st_mode
    assert mode & 0o777 == 0o644
