"""A whole log: every entry, every tile, every statement (C2SP tlog-tiles, FORMATS §2 and §10).

The tree is built again from the entries. Every hash in every tile is compared with it, and its root
with the checkpoint's: no byte of the log is left unread.
"""

from __future__ import annotations

import re
from collections import deque
from hashlib import sha256
from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.record import evidence
from memcon.record.beat import SIZE as BEAT
from memcon.tlog.merkle import HASH_SIZE, Frontier, leaf_hash, root
from memcon.tlog.tiles import (
    ENTRIES,
    WIDTH,
    Tile,
    TileReader,
    decode_bundle,
    encode_bundle,
    level_size,
    tiles_between,
)
from memcon.verify.beats import BeatCheck
from memcon.verify.findings import Report
from memcon.verify.keys import Trust, check_stated, read_checkpoint
from memcon.verify.rounds import MOST, names_round, read_rounds
from memcon.verify.seen import check_seen, read_seen
from memcon.verify.sources import open_source
from memcon.verify.stamped import Stamps
from memcon.verify.words import count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from memcon.record.beat import Beat
    from memcon.verify.keys import SignedCheckpoint
    from memcon.verify.seen import Kept
    from memcon.verify.sources import Source

_STATEMENT = re.compile(r"statement/([0-9a-f]{64})")
MAX_ABSENT = 64
"""Entry bundles missing in a row, with their tiles, after which the rest of a stated size is not asked for:
a checkpoint may state any size, up to 2^63 - 1."""


def verify_log(
    where: str | Path,
    trusted: Trust | None = None,
    *,
    seen: Iterable[Kept] = (),
    progress: Callable[[int, int], None] | None = None,
    roots: bytes | None = None,
) -> Report:
    """Check a log in a directory or behind an http(s) address; `seen` are checkpoints kept from before.

    `roots`: PEM, those of time-stamping authorities whose word counts.

    Raises UsageError if there is no such place and MachineError if it cannot be read.
    """
    trusted = trusted or Trust()
    report = Report(str(where), "log")
    source = open_source(where)
    signed = read_checkpoint(report, source.fetch("checkpoint"), trusted)
    if signed is None:
        report.headline = "There is no checkpoint that can be read: nothing of this log is proved."
        return report
    check = LogCheck(report, source, signed, trusted, progress, seen)
    check.run()
    read_rounds(source, check.dated, report, check.rounds)
    Stamps(source, report, roots).read(signed.checkpoint, TileReader(source.fetch, signed.checkpoint.size))
    return report


class LogCheck:
    """One run over a log."""

    def __init__(
        self,
        report: Report,
        source: Source,
        signed: SignedCheckpoint,
        trusted: Trust,
        progress: Callable[[int, int], None] | None,
        seen: Iterable[Kept] = (),
    ) -> None:
        self._report = report
        self._source = source
        self._signed = signed
        self._trusted = trusted
        self._progress = progress
        self._seen = read_seen(report, seen, trusted)
        self._size = signed.checkpoint.size
        self._beats = BeatCheck(report, signed.checkpoint.origin)
        self._columns: list[list[bytes]] = [[]]
        self._tree = Frontier()
        self._tiles = 0
        self._extent = self._size
        self.entries: list[bytes | None] = []
        self.dated: deque[Beat] = deque(maxlen=MOST)
        """The newest beats that name a drand round; `rounds`: how many do."""
        self.rounds = 0

    def run(self) -> None:
        """Check everything and say so."""
        self._read_entries()
        self._check_root()
        check_seen(self._report, self._seen, self._signed.checkpoint.origin, self._size, self._columns[0])
        self._check_tiles()
        self._beats.facts()
        genesis = self._beats.check_statements(self._source.fetch)
        if genesis is not None:
            check_stated(self._report, self._signed, genesis.keys, self._trusted)
        if not self._size:
            self._report.add("genesis-missing", "log", "has no leaf at all")
        self._check_others()
        self._say()

    def _read_entries(self) -> None:
        absent = 0
        for first in range(0, self._size, WIDTH):
            width = min(WIDTH, self._size - first)
            bundle, tile = (self._file(Tile(level, first // WIDTH, width)) for level in (ENTRIES, 0))
            absent = absent + 1 if bundle is None and tile is None else 0
            if absent == MAX_ABSENT:
                self._extent = first
                text = f"{MAX_ABSENT} bundles in a row; nothing from leaf {first} on was looked for"
                self._report.add("log-missing", "log", text)
                break
            entries = self._entries(first, width, bundle)
            hashes = [None if entry is None else leaf_hash(entry) for entry in entries]
            stored = _split(tile, width)
            leaves = [made or kept or bytes(HASH_SIZE) for made, kept in zip(hashes, stored, strict=True)]
            self._compare(first, hashes, stored)
            self._columns[0] += leaves
            self._tree.extend(leaves)
            for n, entry in enumerate(entries, first):
                beat = None if entry is None else self._beats.take(n, entry)
                if beat is not None and names_round(beat):
                    self.dated.append(beat)
                    self.rounds += 1
            # What is no beat is reported, and not kept: a log of other things must not fill the memory.
            self.entries += [entry if entry is not None and len(entry) == BEAT else None for entry in entries]
            if self._progress is not None:
                self._progress(first + width, self._size)

    def _entries(self, first: int, width: int, bundle: tuple[Tile, bytes] | None) -> list[bytes | None]:
        if bundle is None:
            return [None] * width
        stored, data = bundle
        try:
            return list(decode_bundle(data, stored.width)[:width])
        except FormatError as error:
            self._report.add("log-bundle", stored.path, str(error))
            return [None] * width

    def _compare(self, first: int, hashes: list[bytes | None], stored: list[bytes | None]) -> None:
        """Entries against the level 0 tile; which of the two is wrong, the root will tell."""
        for n, (made, kept) in enumerate(zip(hashes, stored, strict=True), first):
            if made is not None and kept is not None and made != kept:
                self._report.add("log-entry", f"leaf {n}", "its hash is not the one in the tile of level 0")

    def _file(self, tile: Tile) -> tuple[Tile, bytes] | None:
        """A tile's file, or the full one in its place; its length is checked."""
        for place in dict.fromkeys((tile, tile.full())):
            data = self._source.fetch(place.path)
            if data is None:
                continue
            if tile.level != ENTRIES and len(data) != place.width * HASH_SIZE:
                text = f"{len(data)} bytes, {place.width * HASH_SIZE} are due"
                self._report.add("log-tile", place.path, text)
                return None
            return place, data
        self._report.add("log-missing", tile.path, "is not there")
        return None

    def _check_root(self) -> None:
        made = self._tree.root()
        if made != self._signed.checkpoint.root:
            self._report.add("checkpoint-root", "log", f"the entries lead to {made.hex()}")
        else:
            leaves = count(self._size, "leaf", "leaves")
            self._report.checked.append(f"{self._size:,} of {leaves} lead to the checkpoint's root")

    def _check_tiles(self) -> None:
        """Every hash of every level above the entries, against the tree built from them."""
        level = 0
        while full := len(self._columns[level]) // WIDTH:
            column = self._columns[level]
            self._columns.append([root(column[n * WIDTH : (n + 1) * WIDTH]) for n in range(full)])
            level += 1
        for tile in tiles_between(0, self._extent):
            self._tiles += 1
            if tile.level <= 0:
                continue
            found = self._file(tile)
            due = self._columns[tile.level][tile.index * WIDTH : tile.index * WIDTH + tile.width]
            for n, (kept, made) in enumerate(zip(_split(found, tile.width), due, strict=True)):
                if kept is not None and kept != made:
                    self._report.add("log-tile", tile.path, f"hash {n} is not the root of the tile below it")

    def _check_others(self) -> None:
        """Whatever else lies there: older partial files must agree, statements must have their hash."""
        known = {tile.path for tile in tiles_between(0, self._extent)} | {"checkpoint"}
        known |= {f"statement/{digest.hex()}" for digest in self._beats.named}
        for path in self._source.paths():
            if evidence.is_evidence(path):
                self._evidence(path)
            elif path not in known:
                self._other(path)

    def _evidence(self, path: str) -> None:
        """What lies beside the tiles is judged elsewhere, by a policy; here only what its name promises."""
        promised = evidence.hash_in(path)
        if promised is not None and sha256(self._source.fetch(path) or b"").digest() != promised:
            code = "note-form" if path.startswith("note/") else "silence-form"
            self._report.add(code, path, "does not have the hash that it is named by")

    def _other(self, path: str) -> None:
        statement = _STATEMENT.fullmatch(path)
        if statement is not None:
            data = self._source.fetch(path) or b""
            if sha256(data).hexdigest() != statement[1]:
                self._report.add("statement-hash", path, f"has hash {sha256(data).hexdigest()}")
            else:
                self._report.add("log-stray", path, "no leaf of this tree names this statement")
            return
        try:
            tile = Tile.parse(path)
        except FormatError:
            self._report.add("log-stray", path, "is no file of a log")
            return
        have = level_size(tile.level, self._extent) - tile.index * WIDTH
        if tile.width > have:
            self._report.add("log-stray", path, "is of a larger tree than the checkpoint's")
        elif self._made(tile) not in (None, self._source.fetch(path)):
            self._report.add("log-partial", path, "differs from what the tree has there")

    def _made(self, tile: Tile) -> bytes | None:
        """A tile's or bundle's bytes by the tree that was built; None where entries could not be read."""
        start, end = tile.index * WIDTH, tile.index * WIDTH + tile.width
        if tile.level != ENTRIES:
            return b"".join(self._columns[tile.level][start:end])
        entries = [entry for entry in self.entries[start:end] if entry is not None]
        return encode_bundle(entries) if len(entries) == tile.width else None

    def _say(self) -> None:
        report, check = self._report, self._beats
        report.checked.append(
            f"{count(self._tiles, 'tile and entry bundle', 'tiles and entry bundles')} were read"
        )
        if check.last is not None:
            first = 0 if check.genesis is None else check.genesis.slot
            report.facts["slots"] = f"{first} to {check.last.slot}"
        report.not_checked += [
            "What the slots hold: the log shows no call; bundles and slot records do",
            "That the recorder recorded while it said so: a beat proves a live holder of the key",
            "Calls that never reached the recorder",
        ]
        if report.ok:
            whose = "whose key nobody has vouched for here" if report.limits else "whose key you gave"
            report.headline = (
                f"The log of {count(self._size, 'leaf', 'leaves')} {whose} agrees with its checkpoint "
                f"in every byte; {count(check.missing, 'slot')} without a beat."
            )
        else:
            report.headline = f"The log has {count(sum(report.counts.values()), 'finding')}."


def _split(found: tuple[Tile, bytes] | None, width: int) -> list[bytes | None]:
    if found is None:
        return [None] * width
    return [found[1][at : at + HASH_SIZE] for at in range(0, width * HASH_SIZE, HASH_SIZE)]
