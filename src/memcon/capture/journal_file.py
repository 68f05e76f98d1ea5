"""One file of the journal on the disk: its header, its frames, and what of it is safe.

A file whose sync has failed once is never synced again: the kernel reports such an error to one
caller and may then say that all is well (see `memcon.store.durable`), so the failure is kept here,
where the writing and the syncing thread both find it.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from memcon.errors import MachineError
from memcon.store.durable import AppendFile, fsync_dir

if TYPE_CHECKING:
    from pathlib import Path


class JournalFile:
    """Begins a file with `header` (bytes). Raises MachineError; the same path can then be tried again."""

    def __init__(self, path: Path, header: bytes) -> None:
        self.path = path
        self._guard = threading.Lock()
        self._failed: MachineError | None = None
        self._file = AppendFile(path)
        try:
            if self._file.size:  # what an attempt that failed has left
                self._file.truncate(0)
            self._file.write(header)
            self._file.sync()
            fsync_dir(path.parent)
        except MachineError:
            # A reader waits for a header that is not whole, so the next attempt must take the same path.
            with contextlib.suppress(MachineError):
                self._file.truncate(0)
            self._file.close()
            raise
        self.safe = len(header)  # bytes that a sync has covered

    @property
    def size(self) -> int:
        """Bytes written."""
        return self._file.size

    def write(self, frame: bytes) -> None:
        """Append one frame whole, or raise MachineError with the file as it was before.

        When not even that can be had, the file is marked as failed: it must be given up.
        """
        whole = self._file.size
        try:
            self._file.write(frame)
        except MachineError:
            with self._guard:
                try:
                    self._file.truncate(whole)  # syncs what is left
                    self.safe = whole
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
            except MachineError as error:
                self._failed = error
                raise
            self.safe = size

    @property
    def failed(self) -> bool:
        """Whether the file can no longer be trusted."""
        return self._failed is not None

    def cut_unsafe(self) -> None:
        """Cut off what no sync has covered, as far as the disk lets us: it will stand in the next file."""
        with self._guard, contextlib.suppress(MachineError):
            self._file.truncate(self.safe)

    def close(self) -> None:
        """Close the file; nothing is synced by it."""
        self._file.close()
