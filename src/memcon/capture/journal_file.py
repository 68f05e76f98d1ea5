"""One file of the journal on the disk: its header, its frames, and what of it is safe.

A file is opened under a hidden name, which may take the disk its time, and gets its own name with its
header in it when its first frame is due, which takes none: a reader that sees it may take the file
before it for finished.

A file whose sync has failed once is never synced again: the kernel reports such an error to one
caller and may then say that all is well (see `memcon.store.durable`), so the failure is kept here,
where the writing and the syncing thread both find it.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from memcon.errors import MachineError
from memcon.record.journal import HEADER_SIZE
from memcon.store.durable import AppendFile, fsync_dir, make_dirs, remove_file

if TYPE_CHECKING:
    from pathlib import Path

HIDDEN = ".next.mcj"


class JournalFile:
    """A file of the journal in `folder`, which has no name until `begin`. Raises MachineError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.safe = 0  # bytes that a sync has covered
        self._guard = threading.Lock()
        self._failed: MachineError | None = None
        self._named = False  # durably
        make_dirs(folder)
        self._file = AppendFile(folder / HIDDEN, named=False)
        if self._file.size:  # what a crash or an attempt that failed has left
            self._file.cut(0)

    def begin(self, path: Path, header: bytes) -> None:
        """Write the header and take the name; where the disk refuses, nothing of that name is there."""
        self._file.write(header)
        self._file.rename(path)

    @property
    def path(self) -> Path:
        return self._file.path

    @property
    def size(self) -> int:
        """Bytes written."""
        return self._file.size

    def write(self, frame: bytes | memoryview) -> None:
        """Append one frame whole, or raise MachineError with the file as it was before.

        When not even that can be had, the file is marked as failed: it must be given up.
        """
        whole = self._file.size
        try:
            self._file.write(frame)
        except MachineError:
            try:
                self._file.cut(whole)
            except MachineError as error:
                self._failed = self._failed or error
            raise

    def sync(self) -> None:
        """Make what was written durable; once this has failed it fails for good. Raises MachineError."""
        with self._guard:
            if self._failed is not None:
                raise self._failed
            size = self._file.size
            if size == self.safe:
                return
            try:
                self._file.sync()
                if not self._named:
                    fsync_dir(self.folder)
                    self._named = True
            except MachineError as error:
                self._failed = error
                raise
            self.safe = size

    @property
    def failed(self) -> bool:
        """Whether the file can no longer be trusted."""
        return self._failed is not None

    def give_up(self) -> None:
        """Cut off what no sync has covered, as far as the disk lets us (it will stand in the next file)."""
        with self._guard, contextlib.suppress(MachineError):
            self._file.truncate(max(self.safe, min(self.size, HEADER_SIZE)))
        self.close()

    def discard(self) -> None:
        """Forget a file that could not be begun."""
        self.close()
        with contextlib.suppress(MachineError):
            remove_file(self._file.path)

    def close(self) -> None:
        """Close the file; nothing is synced by it."""
        self._file.close()
