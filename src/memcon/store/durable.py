"""Bytes that are still there after the power went: the only place that syncs and renames files.

Expected system calls
    write_file    openat(temporary, O_CREAT|O_TRUNC|O_WRONLY) write fsync close rename fsync(directory)
    AppendFile    openat(O_CREAT|O_APPEND|O_WRONLY) fsync(directory, once, if it was created);
                  write...; fdatasync; with `named` false the directory is the caller's to sync
    rename_dir    rename fsync(new parent) fsync(old parent)
    make_dirs     mkdir fsync(parent), from the top

The hole that remains: a disk that says it has written and has not; and an fsync that failed. After
a failed fsync Linux may drop the dirty pages and let the next fsync succeed, so a failure is never
retried here: it is raised, and the caller must stop using the file.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from memcon.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

_IOV_MAX = 512
_CURES = {
    errno.ENOSPC: "Free space on this file system",
    errno.EDQUOT: "Raise this user's disk quota",
    errno.EROFS: "Mount this file system writable",
    errno.EMFILE: "Raise the limit of open files (ulimit -n)",
    errno.ENFILE: "Raise the machine's limit of open files (fs.file-max)",
    errno.EACCES: "Give the user that runs memcon access to it",
    errno.EPERM: "Give the user that runs memcon access to it",
    errno.EIO: "Check this disk: it reports read or write errors",
}


@contextmanager
def machine_errors(path: Path, doing: str) -> Iterator[None]:
    """Turn an OSError into a MachineError that names the path, what was being done and the cure."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        named = error.filename if isinstance(error.filename, str) and path.is_dir() else path
        raise MachineError(f"{doing} {named}: {reason}", cure=_CURES.get(error.errno or 0)) from error


def _write_all(fd: int, data: bytes | memoryview) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _write_pieces(fd: int, pieces: Sequence[bytes | memoryview]) -> None:
    """Write pieces in a row without joining them first."""
    for at in range(0, len(pieces), _IOV_MAX):
        some = pieces[at : at + _IOV_MAX]
        written = os.writev(fd, some)
        for piece in some:
            if written < len(piece):  # the kernel took a part
                _write_all(fd, memoryview(piece)[written:])
            written = max(0, written - len(piece))


def fsync_dir(path: Path) -> None:
    """Make the names in a directory durable."""
    with machine_errors(path, "syncing the directory"):
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def make_dirs(path: Path, mode: int = 0o700, *, durable: bool = True) -> None:
    """Create a directory and its missing parents; nothing happens where it exists.

    With `durable` false nothing is synced: the caller syncs the parent later.
    """
    if path.is_dir():
        return
    make_dirs(path.parent, mode, durable=durable)
    with machine_errors(path, "creating the directory"):
        path.mkdir(mode=mode, exist_ok=True)
    if durable:
        fsync_dir(path.parent)


def write_file(
    path: Path,
    data: bytes | memoryview,
    mode: int = 0o600,
    *,
    durable: bool = True,
    sync_name: bool = True,
) -> None:
    """Write or replace a file whole: a reader or a crash meets the old bytes or the new ones.

    With `durable` false nothing is synced: for what a reboot may forget. With `sync_name` false the
    bytes are synced and the name is not: a power cut may bring the old file back, never a torn one.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    with machine_errors(path, "writing"):
        # O_TRUNC: a killed process of the same number may have left one
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        try:
            _write_all(fd, data)
            if durable:
                os.fsync(fd)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        finally:
            os.close(fd)
        temporary.replace(path)
    if durable and sync_name:
        fsync_dir(path.parent)


def read_bytes(path: Path) -> bytes:
    """A file's bytes; raises MachineError where it cannot be read."""
    with machine_errors(path, "reading"):
        return path.read_bytes()


def read_if_there(path: Path) -> bytes | None:
    """A file's bytes, or None where there is no such file."""
    with machine_errors(path, "reading"):
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None


def read_from(path: Path, offset: int) -> bytes:
    """A file's bytes from `offset` on; none where there is no such file (yet)."""
    with machine_errors(path, "reading"):
        try:
            with path.open("rb") as file:
                file.seek(offset)
                return file.read()
        except FileNotFoundError:
            return b""


def append(path: Path, *pieces: bytes | memoryview, mode: int = 0o600) -> None:
    """Add bytes to a file without syncing: for what another durable file can give again."""
    with machine_errors(path, "appending to"):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, mode)
        try:
            _write_pieces(fd, pieces)
        finally:
            os.close(fd)


def sync_file(path: Path) -> None:
    """Make the bytes of a file written earlier durable."""
    with machine_errors(path, "syncing"):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def sync_tree(path: Path) -> None:
    """Make every file directly in a directory durable, then their names."""
    with machine_errors(path, "listing"):
        files = sorted(p for p in path.iterdir() if p.is_file())
    for file in files:
        sync_file(file)
    fsync_dir(path)


def room(path: Path) -> int:
    """Bytes that this user may still write below a directory; 0 where it is read-only or not there."""
    try:
        found = os.statvfs(path)
    except OSError:
        return 0
    return 0 if found.f_flag & os.ST_RDONLY else found.f_bavail * found.f_frsize


def sync_deep(path: Path) -> None:
    """Make every file below a directory durable, then all names, from the innermost outwards."""
    with machine_errors(path, "listing"):
        below = sorted(p for p in path.rglob("*") if p.is_dir())
    for directory in (*reversed(below), path):
        sync_tree(directory)


def set_aside(path: Path, target: Path) -> None:
    """Give a file another name, in place of what has it; nothing is synced: for notices in memory."""
    with machine_errors(path, "renaming"):
        path.replace(target)


def rename_dir(source: Path, target: Path) -> None:
    """Move a directory to a name that is not taken, durably; its files must have been synced."""
    with machine_errors(source, "renaming"):
        source.rename(target)
    fsync_dir(target.parent)
    if source.parent != target.parent:
        fsync_dir(source.parent)


def remove_file(path: Path) -> None:
    """Remove a file if it is there; its absence is not synced (a second removal does no harm)."""
    with machine_errors(path, "removing"):
        path.unlink(missing_ok=True)


def remove_tree(path: Path) -> None:
    """Remove a directory and all it holds, if it is there."""
    with machine_errors(path, "removing"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, which is made: one at a time of all threads and processes."""
    with machine_errors(path, "locking"):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        with machine_errors(path, "locking"):
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


class AppendFile:
    """A file that grows at its end. What was written is durable after `sync` and not before."""

    def __init__(self, path: Path, mode: int = 0o600, *, named: bool = True) -> None:
        """Open or create; `named` false: the name is not for long, so that it need not be synced."""
        self.path = path
        flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        with machine_errors(path, "opening"):
            created = not path.exists()
            self._fd = os.open(path, flags | os.O_CREAT, mode)
        self._size = os.fstat(self._fd).st_size
        if created and named:
            fsync_dir(path.parent)

    @property
    def size(self) -> int:
        """Length in bytes, with what is written and not yet synced."""
        return self._size

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes whole. After an error the file may end in a part of them: truncate or stop."""
        with machine_errors(self.path, "appending to"):
            _write_all(self._fd, data)
        self._size += len(data)

    def sync(self) -> None:
        """Make all that was written durable; after an error it may be lost, whatever a later sync says."""
        with machine_errors(self.path, "syncing"):
            os.fdatasync(self._fd)

    def truncate(self, size: int) -> None:
        """Cut the file to `size` bytes, durably."""
        self.cut(size)
        with machine_errors(self.path, "truncating"):
            os.fsync(self._fd)

    def cut(self, size: int) -> None:
        """Cut the file to `size` bytes; nothing is synced."""
        with machine_errors(self.path, "truncating"):
            os.ftruncate(self._fd, size)
        self._size = size

    def rename(self, target: Path) -> None:
        """Give the file another name, in place of what has it; the directory is not synced."""
        with machine_errors(self.path, "renaming"):
            self.path.replace(target)
        self.path = target

    def close(self) -> None:
        """Close the file; nothing is synced by it."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
