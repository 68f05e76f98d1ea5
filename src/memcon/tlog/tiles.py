"""Tiled logs (C2SP tlog-tiles): the tree and the entries as files that never change.

    tile/<level>/<index>[.p/<width>]     256 hashes of 32 bytes; hash i of tile n at level l is the
                                         root over the leaves [(256 n + i) 256^l, (256 n + i + 1) 256^l)
    tile/entries/<index>[.p/<width>]     256 entries, each u16 big-endian length || bytes

An index is written in groups of three digits, all but the last with an x in front (1234067 is
x001/x234/067). Only the last tile of a level is partial, width 1 to 255. Partial tiles stay until
the full one exists; nothing is ever pruned.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.tlog.encoding import MAX_INTEGER
from memcon.tlog.merkle import (
    EMPTY_ROOT,
    HASH_SIZE,
    ProofError,
    complete_subtrees,
    consistency_ranges,
    fold,
    inclusion_ranges,
    leaf_hash,
    range_root,
    root,
    root_of,
    verify_consistency,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

WIDTH = 256
ENTRIES = -1
"""The level of entry bundles."""
MAX_LEVEL = 63
_TILES_KEPT = 1024  # some 20 MB
MAX_ENTRY_SIZE = 65535

_PATH = re.compile(
    r"tile/(?P<level>entries|0|[1-9][0-9]?)/(?P<index>(?:x[0-9]{3}/){0,6}[0-9]{3})"
    r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


class TileError(FormatError):
    """A tile, entry bundle or tile path that does not follow the format, or does not fit the tree."""


@dataclass(frozen=True, slots=True)
class Tile:
    """The place of a tile: level 0 to 63 (or `ENTRIES`), index in the level, width 1 to 256."""

    level: int
    index: int
    width: int = WIDTH

    def __post_init__(self) -> None:
        if not ENTRIES <= self.level <= MAX_LEVEL or not 0 <= self.index <= MAX_INTEGER // WIDTH:
            raise TileError("tile", f"no tile {self.index} at level {self.level}", where="path")
        if not 1 <= self.width <= WIDTH:
            raise TileError("tile", f"width {self.width} is not 1 to 256", where="path")

    @property
    def path(self) -> str:
        """The path below the log's prefix."""
        groups = [f"{self.index % 1000:03d}"]
        rest = self.index // 1000
        while rest:
            groups.insert(0, f"x{rest % 1000:03d}")
            rest //= 1000
        level = "entries" if self.level == ENTRIES else str(self.level)
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{level}/{'/'.join(groups)}{partial}"

    @classmethod
    def parse(cls, path: str) -> Tile:
        """Read a path; raises `TileError` for any other spelling than `path` gives."""
        match = _PATH.fullmatch(path)
        if match is None:
            raise TileError("tile path", f"{path!r} is no tile's path", where="path")
        level = ENTRIES if match["level"] == "entries" else int(match["level"])
        tile = cls(level, int(match["index"].replace("/", "").replace("x", "")), int(match["width"] or WIDTH))
        if tile.path != path:
            raise TileError("tile path", f"{path!r} should be {tile.path!r}", where="path")
        return tile

    def full(self) -> Tile:
        """The full tile at the same place."""
        return Tile(self.level, self.index)


def level_size(level: int, size: int) -> int:
    """How many hashes (entries) a level of a tree of `size` leaves has."""
    return size if level == ENTRIES else size >> 8 * level


def tiles_between(old_size: int, new_size: int) -> Iterator[Tile]:
    """The tiles to publish when a log grows from `old_size` to `new_size`, entry bundles first.

    From 0, these are all tiles of the tree. Raises `TileError` if the log would shrink.
    """
    if not 0 <= old_size <= new_size <= MAX_INTEGER:
        raise TileError("tiles", f"a log of {old_size} does not grow to {new_size}", where="size")
    level = ENTRIES
    # A level that does not grow has no growing level above it.
    while (old := level_size(level, old_size)) != (new := level_size(level, new_size)):
        for index in range(old // WIDTH, (new - 1) // WIDTH + 1):
            yield Tile(level, index, min(WIDTH, new - index * WIDTH))
        level += 1


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """Entries, each with its u16 length in front; raises `TileError` for one over 65,535 bytes."""
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > MAX_ENTRY_SIZE:
            raise TileError("entry bundle", f"an entry of {len(entry)} bytes does not fit 65535")
        parts += (len(entry).to_bytes(2, "big"), entry)
    return b"".join(parts)


def decode_bundle(data: bytes, count: int) -> list[bytes]:
    """Exactly `count` entries and nothing after them; raises `TileError`."""
    entries: list[bytes] = []
    at = 0
    for _ in range(count):
        start = at + 2
        end = start + int.from_bytes(data[at:start], "big")
        if start > len(data) or end > len(data):
            raise TileError("entry bundle", f"ends within entry {len(entries)} of {count}", where=at)
        entries.append(data[start:end])
        at = end
    if at != len(data):
        raise TileError("entry bundle", f"{len(data) - at} bytes after the last entry", where=at)
    return entries


class TileReader:
    """A log of a given size, read through `fetch(path)`, which gives a file's bytes or None if there is none.

    A partial tile that is no longer there is cut from the full one. Lengths are checked; whether
    the hashes are the right ones shows in `root`, which the caller compares with a checkpoint, and
    in `entries` and `check`. The last tiles fetched are kept, so one reader serves many proofs.
    """

    def __init__(self, fetch: Callable[[str], bytes | None], size: int) -> None:
        if not 0 <= size <= MAX_INTEGER:
            raise TileError("log", f"no log has size {size}", where="size")
        self._fetch = fetch
        self._tiles: dict[tuple[int, int], list[bytes]] = {}
        self.size = size

    def root(self) -> bytes:
        """The root over all leaves, from the widest subtrees the tiles hold."""
        return root_of(self.size, self._subtree)

    def root_at(self, size: int) -> bytes:
        """The root over the first `size` leaves; raises `ProofError` if there are not so many."""
        if not 0 <= size <= self.size:
            raise ProofError("root", f"no {size} leaves in a tree of {self.size}", where="size")
        return root_of(size, self._subtree)

    def leaf_hash(self, index: int) -> bytes:
        """The hash of one leaf, from its level 0 tile; raises `ProofError` if there is no such leaf."""
        if not 0 <= index < self.size:
            raise ProofError("leaf hash", f"no leaf {index} in a tree of {self.size}", where="index")
        return self._subtree(0, index)

    def inclusion_proof(self, index: int) -> list[bytes]:
        """The audit path of one leaf in this tree; raises `ProofError` if there is no such leaf."""
        return [range_root(start, end, self._subtree) for start, end in inclusion_ranges(index, self.size)]

    def consistency_proof(self, size1: int) -> list[bytes]:
        """The proof that the tree of `size1` is a prefix of this one; raises `ProofError`."""
        ranges = consistency_ranges(size1, self.size)
        return [range_root(start, end, self._subtree) for start, end in ranges]

    def begins(self, size: int, root: bytes, whole: bytes) -> bool:
        """Whether the tree (`size`, `root`) is the beginning of this one, whose signed root is `whole`.

        Raises `TileError` where the tiles cannot tell, as some are missing or do not lead to `whole`: that
        a log has two histories is a heavy word, and a bad disk must not speak it. `ProofError` if there
        are not so many leaves.
        """
        own = self.root_at(size)
        try:
            verify_consistency(size, self.size, self.consistency_proof(size), own, whole)
        except ProofError as error:
            raise TileError("tiles", "do not lead to the root that was signed") from error
        return own == root

    def entries(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The entries [start, end), each checked against its hash in the level 0 tile."""
        end = self.size if end is None else end
        if not 0 <= start <= end <= self.size:
            raise TileError("log", f"no entries {start} to {end} in a log of {self.size}", where="size")
        for number in range(start // WIDTH, -(-end // WIDTH)):
            first = number * WIDTH
            hashes = self._hashes(0, number)
            for offset, entry in enumerate(self._bundle(number)):
                if leaf_hash(entry) != hashes[offset]:
                    raise TileError("entry bundle", "differs from its hash in the tile", where=first + offset)
                if start <= first + offset < end:
                    yield entry

    def check(self) -> None:
        """Check that every hash above level 0 is the root of the full tile below it; raises `TileError`.

        With `root` compared to a checkpoint and `entries` read to the end, no byte of the log is
        left unchecked.
        """
        for tile in tiles_between(0, self.size):
            if tile.level > 0:
                for offset, stored in enumerate(self._hashes(tile.level, tile.index)):
                    below = tile.index * WIDTH + offset
                    if root(self._hashes(tile.level - 1, below)) != stored:
                        raise TileError(tile.path, "not the root of the tile below", where=offset * HASH_SIZE)

    def _subtree(self, level: int, index: int) -> bytes:
        """The root of the complete subtree at binary level `level`."""
        tile_level, height = divmod(level, 8)
        number, offset = divmod(index << height, WIDTH)
        return root(self._hashes(tile_level, number)[offset : offset + (1 << height)])

    def _hashes(self, level: int, number: int) -> list[bytes]:
        key = level, number
        if key not in self._tiles:
            tile, source, data = self._read(level, number)
            if len(data) != source.width * HASH_SIZE:
                problem = f"{len(data)} bytes, not {source.width * HASH_SIZE}"
                raise TileError(source.path, problem, where="length")
            if len(self._tiles) >= _TILES_KEPT:
                self._tiles.clear()
            self._tiles[key] = [
                data[at : at + HASH_SIZE] for at in range(0, tile.width * HASH_SIZE, HASH_SIZE)
            ]
        return self._tiles[key]

    def _bundle(self, number: int) -> list[bytes]:
        tile, source, data = self._read(ENTRIES, number)
        return decode_bundle(data, source.width)[: tile.width]

    def _read(self, level: int, number: int) -> tuple[Tile, Tile, bytes]:
        """The tile as this size has it, the one that is there (it or the full one), and its bytes."""
        tile = Tile(level, number, min(WIDTH, level_size(level, self.size) - number * WIDTH))
        for source in dict.fromkeys((tile, tile.full())):
            data = self._fetch(source.path)
            if data is not None:
                return tile, source, data
        raise TileError(tile.path, "not there", where="path")


@dataclass(frozen=True, slots=True)
class TileWriter:
    """The right edge of a growing log: what is needed to make its next tiles. It writes nothing itself.

    `append` gives the next edge and the files; a caller whose write fails keeps the old edge.
    `levels` holds the hashes of each level's partial tile, lowest level first; `bundle` the entries
    of the partial bundle.
    """

    size: int = 0
    levels: tuple[tuple[bytes, ...], ...] = ()
    bundle: tuple[bytes, ...] = ()

    @classmethod
    def resume(cls, fetch: Callable[[str], bytes | None], size: int) -> TileWriter:
        """The edge of a stored log; the caller compares its `root` with the checkpoint."""
        reader = TileReader(fetch, size)
        levels, level = [], 0
        while count := level_size(level, size):
            partial = count % WIDTH
            levels.append(tuple(reader._hashes(level, count // WIDTH)) if partial else ())
            level += 1
        return cls(size, tuple(levels), tuple(reader.entries(size - size % WIDTH)))

    def append(self, entries: Sequence[bytes]) -> tuple[TileWriter, dict[str, bytes]]:
        """The edge after these entries, and every file that is new: {path: bytes}.

        Files are in the order of writing: bundles, then tiles from the lowest level; the caller
        makes them durable before it signs the new size. Raises `TileError` for an entry over
        65,535 bytes.
        """
        new_size = self.size + len(entries)
        bundle = [*self.bundle, *entries]
        columns = [list(level) for level in self.levels]
        start = {ENTRIES: self.size - len(self.bundle)}
        start |= {n: level_size(n, self.size) - len(column) for n, column in enumerate(columns)}
        _grow(columns, [leaf_hash(entry) for entry in entries])
        files = {}
        for tile in tiles_between(self.size, new_size):
            at = tile.index * WIDTH - start.get(tile.level, 0)
            if tile.level == ENTRIES:
                files[tile.path] = encode_bundle(bundle[at : at + tile.width])
            else:
                files[tile.path] = b"".join(columns[tile.level][at : at + tile.width])
        levels = tuple(tuple(column[len(column) - len(column) % WIDTH :]) for column in columns)
        return TileWriter(new_size, levels, tuple(bundle[len(bundle) - new_size % WIDTH :])), files

    def root(self) -> bytes:
        """The root at the present size."""
        hashes: list[bytes] = []
        for column in reversed(self.levels):
            hashes += [
                root(column[index << level : (index + 1) << level])
                for level, index in complete_subtrees(0, len(column))
            ]
        return fold(hashes) if hashes else EMPTY_ROOT


def _grow(columns: list[list[bytes]], hashes: list[bytes]) -> None:
    """Add leaf hashes to the lowest column and every full tile's root to the column above.

    Columns start at a tile's edge and keep the full tiles that are new.
    """
    level = 0
    while hashes:
        if level == len(columns):
            columns.append([])
        column = columns[level]
        done = len(column) // WIDTH
        column += hashes
        full = range(done * WIDTH, len(column) - WIDTH + 1, WIDTH)
        hashes = [root(column[at : at + WIDTH]) for at in full]
        level += 1
