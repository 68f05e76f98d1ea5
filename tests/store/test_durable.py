from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from memcon.errors import MachineError
from memcon.store import durable
from memcon.store.durable import AppendFile

if TYPE_CHECKING:
    from pathlib import Path


def test_a_written_file_has_its_bytes_and_mode(tmp_path: Path) -> None:
    path = tmp_path / "a"
    durable.write_file(path, b"one")
    durable.write_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    durable.write_file(path, b"three", 0o644, durable=False)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"three", 0o644)
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_file_left_by_a_killed_process_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / f".a.{os.getpid()}.new").write_bytes(b"half of something longer")
    durable.write_file(tmp_path / "a", b"whole")
    assert (tmp_path / "a").read_bytes() == b"whole"


class Refusal:
    """Makes one system call of `os` fail, the first `good` times excepted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, number: int, good: int = 0) -> None:
        real = getattr(os, name)
        self.left = good

        def refuse(*args: Any, **keys: Any) -> Any:
            self.left -= 1
            if self.left >= 0:
                return real(*args, **keys)
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, name, refuse)


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "a"
    durable.write_file(path, b"old")
    Refusal(monkeypatch, call, errno.ENOSPC)
    with pytest.raises(MachineError, match=r"writing .*/a: No space left on device\. Free space"):
        durable.write_file(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(
    ("number", "cure"),
    [
        (errno.EROFS, "Mount this file system writable"),
        (errno.EMFILE, "ulimit -n"),
        (errno.EACCES, "Give the user that runs memcon access"),
    ],
)
def test_errors_name_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, cure: str
) -> None:
    Refusal(monkeypatch, "open", number)
    with pytest.raises(MachineError) as caught:
        AppendFile(tmp_path / "log")
    assert str(tmp_path / "log") in caught.value.message
    assert cure in (caught.value.cure or "")


def test_an_error_without_a_known_cure_says_what_the_machine_said(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"reading .*: Is a directory") as caught:
        durable.read_bytes(tmp_path)
    assert caught.value.cure is None
    with pytest.raises(MachineError, match="odd"), durable.machine_errors(tmp_path, "doing"):
        raise OSError("odd")


def test_a_file_that_is_not_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    assert durable.read_if_there(tmp_path / "no") is None
    assert durable.read_if_there(tmp_path / "file" / "below") is None
    assert durable.read_if_there(tmp_path / "file") == b"x"


def test_an_append_file_grows_and_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with AppendFile(path) as file:
        file.write(b"abc")
        file.write(memoryview(b"def"))
        file.sync()
        assert file.size == 6
    with AppendFile(path) as file:
        assert file.size == 6
        file.truncate(4)
        file.write(b"!")
        assert file.size == 5
    file.close()
    assert path.read_bytes() == b"abcd!"


def test_a_failed_sync_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with AppendFile(tmp_path / "log") as file:
        Refusal(monkeypatch, "fdatasync", errno.EIO)
        with pytest.raises(MachineError, match="Check this disk"):
            file.sync()


def test_pieces_are_appended_in_order_even_when_the_kernel_takes_a_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = [bytes([n % 251]) * (n % 7) for n in range(1500)]
    durable.append(tmp_path / "a", *pieces)
    assert (tmp_path / "a").read_bytes() == b"".join(pieces)

    def few(fd: int, some: list[bytes]) -> int:
        return os.write(fd, b"".join(some)[:5])

    monkeypatch.setattr(os, "writev", few)
    durable.append(tmp_path / "b", b"abc", b"", b"defg", memoryview(b"hi"))
    assert (tmp_path / "b").read_bytes() == b"abcdefghi"


def test_directories_are_made_moved_and_removed(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    durable.make_dirs(deep)
    durable.make_dirs(deep)
    (deep / "file").write_bytes(b"x")
    (deep / "sub").mkdir()
    durable.sync_tree(deep)
    durable.rename_dir(deep, tmp_path / "c")
    durable.rename_dir(tmp_path / "c", tmp_path / "d")
    assert (tmp_path / "d" / "file").read_bytes() == b"x"
    durable.remove_tree(tmp_path / "d")
    durable.remove_tree(tmp_path / "d")
    durable.remove_file(tmp_path / "d")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_directory_in_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(MachineError, match="creating the directory"):
        durable.make_dirs(tmp_path / "file" / "x")
    with pytest.raises(MachineError, match="renaming"):
        durable.rename_dir(tmp_path / "no", tmp_path / "other")
