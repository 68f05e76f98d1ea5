"""The public log on a disk: tiles, entry bundles, statements and the checkpoint (C2SP tlog-tiles).

The order of a commit, from `LogStore._commit`, which recovery calls too:

    1. entry bundles      written and synced      the beats cannot be lost or become others any more
    2. tiles              written; synced where full (a partial one follows from its bundle)
    3. checkpoint         signed, synced, put in place of the old one: now the size is public
    4. partial tiles that a full one replaces are removed

A crash before 1 leaves the old log. After the last bundle of 1, `open` finds beats beyond the
checkpoint and commits the same bytes again: a checkpoint that somebody may have seen is never
followed by another one of the same size. That is also why the name of the new checkpoint need not
be synced: where a power cut brings back the old one, the same size and root are signed once more.
Bundles are replaced whole, so there is no torn one; of several bundles only a run from the old size
on counts. Partial tiles that a power cut has taken are made again from the bundle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.errors import FormatError, LocalError, UsageError
from memcon.record.hashing import sha256
from memcon.store import durable
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.merkle import HASH_SIZE, leaf_hash, root
from memcon.tlog.note import Note
from memcon.tlog.tiles import ENTRIES, WIDTH, Tile, TileReader, TileWriter, decode_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    Sign = Callable[[Checkpoint], bytes]

CHECKPOINT = "checkpoint"
PUBLIC = 0o644
PUBLIC_DIR = 0o755


class LogStore:
    """One log's directory, read by anybody, written by one process: the one that seals."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._writer = TileWriter()

    @property
    def size(self) -> int:
        """Number of beats, after `create` or `open`."""
        return self._writer.size

    def fetch(self, path: str) -> bytes | None:
        """A file of the log by its path below the prefix, None where there is none."""
        return durable.read_if_there(self.root / path)

    def checkpoint(self) -> Checkpoint:
        """The published tree head; raises UsageError without one, FormatError for a damaged one."""
        data = self.fetch(CHECKPOINT)
        if data is None:
            raise UsageError(f"there is no log in {self.root}", cure="memcon init makes one")
        return Checkpoint.parse(Note.parse(data).text)

    def reader(self) -> TileReader:
        """Proofs and entries at the published size."""
        return TileReader(self.fetch, self.checkpoint().size)

    def entries(self, start: int, end: int) -> Iterator[bytes]:
        """The entries [start, end), checked against their tile."""
        return TileReader(self.fetch, self.checkpoint().size).entries(start, end)

    def add_statement(self, data: bytes) -> bytes:
        """Keep a public statement under its hash, which is returned; before the beat that names it."""
        digest = sha256(data)
        path = self.root / "statement" / digest.hex()
        durable.make_dirs(path.parent, PUBLIC_DIR)
        if durable.read_if_there(path) != data:
            durable.write_file(path, data, PUBLIC)
        return digest

    def create(self, origin: str, entries: Sequence[bytes], sign: Sign) -> bytes:
        """Begin a log with its first entries; UsageError where there is one already."""
        if self.fetch(CHECKPOINT) is not None:
            raise UsageError(f"there is a log in {self.root} already")
        durable.make_dirs(self.root, PUBLIC_DIR)
        self._writer = TileWriter()
        return self._commit(origin, entries, sign)

    def open(self, sign: Sign) -> Checkpoint:
        """Take the log up where it stood, committing what a crash left between bundle and checkpoint.

        Raises FormatError where the tiles do not give the checkpoint's root.
        """
        head = self.checkpoint()
        self._mend(head.size)
        self._writer = TileWriter.resume(self.fetch, head.size)
        if self._writer.root() != head.root:
            raise FormatError(
                "log",
                f"the tiles in {self.root} do not give the checkpoint's root",
                where=f"size {head.size}",
                cure="restore the log from a mirror: it must never be continued from other tiles",
            )
        ahead = self._bundled_beyond(head.size)
        if ahead:
            self._commit(head.origin, ahead, sign)
        return self.checkpoint()

    def publish(self, origin: str, entries: Sequence[bytes], sign: Sign) -> bytes:
        """Append entries; returns the signed checkpoint once it stands. `sign` makes the note."""
        if self.size == 0:
            raise LocalError("the log is neither open nor created")
        return self._commit(origin, entries, sign)

    def _commit(self, origin: str, entries: Sequence[bytes], sign: Sign) -> bytes:
        writer, files = self._writer.append(entries)
        self._write_tiles(files)
        note = sign(Checkpoint(origin, writer.size, writer.root()))
        durable.write_file(self.root / CHECKPOINT, note, PUBLIC, sync_name=False)
        self._writer = writer
        for path in files:
            if ".p/" not in path:
                durable.remove_tree(self.root / f"{path}.p")
        return note

    def _write_tiles(self, files: Mapping[str, bytes]) -> None:
        """Bundles first: `TileWriter.append` gives them in the order of writing."""
        for path, data in files.items():
            target = self.root / path
            durable.make_dirs(target.parent, PUBLIC_DIR)
            derived = ".p/" in path and not path.startswith("tile/entries/")
            durable.write_file(target, data, PUBLIC, durable=not derived)

    def _mend(self, size: int) -> None:
        """Make partial tiles again that are not what bundle and full tiles, which are synced, give.

        Older ones of the same tile too: somebody may still fetch them.
        """
        level, count = 0, size
        while count:
            index, width = divmod(count, WIDTH)
            if width:
                data = b"".join(self._below(Tile(level, index, width)))
                for one in {width, *self._widths(Tile(level, index))}:
                    if 0 < one <= width:
                        self._mend_tile(Tile(level, index, one), data[: one * HASH_SIZE])
            if index:
                durable.remove_tree(self.root / f"{Tile(level, index - 1).path}.p")
            level, count = level + 1, index

    def _mend_tile(self, tile: Tile, data: bytes) -> None:
        if self.fetch(tile.path) != data:
            durable.make_dirs((self.root / tile.path).parent, PUBLIC_DIR)
            durable.write_file(self.root / tile.path, data, PUBLIC)

    def _widths(self, full: Tile) -> list[int]:
        """The widths of the partial files of a tile or bundle on the disk."""
        partial = self.root / f"{full.path}.p"
        return [int(p.name) for p in partial.iterdir() if p.name.isdecimal()] if partial.is_dir() else []

    def _below(self, tile: Tile) -> list[bytes]:
        """The hashes of a tile, from the entries or the full tiles under it."""
        first = tile.index * WIDTH
        if tile.level == 0:
            width, data = self._widest(tile.index)
            if data is None or width < tile.width:
                raise FormatError("log", f"entries from {first} on are not there", where=str(self.root))
            return [leaf_hash(entry) for entry in decode_bundle(data, width)[: tile.width]]
        return [self._tile_root(Tile(tile.level - 1, first + n)) for n in range(tile.width)]

    def _tile_root(self, tile: Tile) -> bytes:
        data = self.fetch(tile.path)
        if data is None:
            raise FormatError("log", f"{tile.path} is not there", where=str(self.root))
        return root([data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)])

    def _bundled_beyond(self, size: int) -> list[bytes]:
        """Entries in bundles on the disk from `size` on."""
        found: list[bytes] = []
        while True:
            at = size + len(found)
            width, data = self._widest(at // WIDTH)
            if data is None or width <= at % WIDTH:
                return found
            found += decode_bundle(data, width)[at % WIDTH :]
            if width < WIDTH:
                return found

    def _widest(self, index: int) -> tuple[int, bytes | None]:
        """The widest bundle on the disk at an index: (entries, bytes)."""
        full = Tile(ENTRIES, index)
        data = self.fetch(full.path)
        if data is not None:
            return WIDTH, data
        widths = self._widths(full)
        if not widths:
            return 0, None
        return max(widths), self.fetch(Tile(ENTRIES, index, max(widths)).path)
