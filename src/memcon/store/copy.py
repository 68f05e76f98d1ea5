"""A log kept for somebody else: the same files, written only once they are proved to be of its checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.store import durable
from memcon.store.tiles import CHECKPOINT, PUBLIC, PUBLIC_DIR, LogStore
from memcon.tlog.tiles import TileWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from memcon.tlog.checkpoint import Checkpoint


class LogCopy(LogStore):
    """One mirrored log's directory. What stands beyond its checkpoint after a crash is written again."""

    def resume(self) -> Checkpoint | None:
        """Take the copy up where its checkpoint stands; None where it has none yet.

        Raises FormatError where the tiles do not give the checkpoint's root.
        """
        durable.make_dirs(self.root, PUBLIC_DIR)
        if self.fetch(CHECKPOINT) is None:
            self._writer = TileWriter()
            return None
        head = self.checkpoint()
        self._mend(head.size)
        self._writer = TileWriter.resume(self.fetch, head.size)
        if self._writer.root() != head.root:
            text = f"the tiles in {self.root} do not give the checkpoint's root"
            raise FormatError("mirror", text, cure="Move the directory away: it is fetched again")
        return head

    def grow(self, entries: Sequence[bytes], check: Callable[[int, bytes], object]) -> None:
        """Append entries; `check` is given the new size and root, and raises before a byte is written."""
        writer, files = self._writer.append(entries)
        check(writer.size, writer.root())
        self._write_tiles(files)
        self._writer = writer
        for path in files:
            if ".p/" not in path:
                durable.remove_tree(self.root / f"{path}.p")

    def settle(self, note: bytes) -> None:
        """Put the checkpoint of what was appended in place."""
        durable.write_file(self.root / CHECKPOINT, note, PUBLIC)
