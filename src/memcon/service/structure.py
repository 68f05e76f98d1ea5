"""The structure feed (FORMATS §19): made of slot records and the structure key, sealed to an overseer.

Files of consecutive beats, in a directory that the overseer fetches from. Which were made is told from
their names, so that a feed goes on where it stopped, whoever writes it.
"""

from __future__ import annotations

import mmap
import re
from typing import TYPE_CHECKING

from memcon.clock import utc
from memcon.errors import FormatError, UsageError
from memcon.record import beat as beats
from memcon.record import slottree, structure
from memcon.record.hashing import slot_key
from memcon.seal.custody import (
    Custodian,
    decode_custodians,
    encode_custodians,
    make_custodian,
    open_sealed,
    seal_to,
)
from memcon.seal.keys import load_keys
from memcon.store.durable import make_dirs, read_bytes, write_file
from memcon.store.tiles import LogStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from memcon.record.beat import Beat
    from memcon.record.slottree import SlotRecord
    from memcon.seal.keys import Keys
    from memcon.service.config import Config
    from memcon.store.paths import Home

SLOTS_PER_FILE = 360
PUBLIC_SUFFIX, PRIVATE_SUFFIX = ".overseer.json", ".overseer.key"
MAX_CONTENT = 64 << 20
_NAME = re.compile(r"([0-9]{12})-([0-9]{12})\.mctx")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DAY = 10


def make_overseer(name: str, to: Path) -> tuple[Path, Path]:
    """A new overseer's key pair: the public key's file, and the private key's, theirs alone to keep.

    Raises UsageError where the name is no file's name, or has keys there.
    """
    if not _WORD.fullmatch(name):
        raise UsageError(f"{name!r} cannot be a file's name", cure="Letters, digits, dots and hyphens")
    paths = to / f"{name}{PUBLIC_SUFFIX}", to / f"{name}{PRIVATE_SUFFIX}"
    for path in paths:
        if path.exists():
            raise UsageError(f"{path} is there already", cure="Give another name: a key is never replaced")
    overseer, seed = make_custodian(name, name)
    make_dirs(to)
    write_file(paths[1], seed)
    write_file(paths[0], encode_custodians([overseer]), 0o644)
    return paths


def read_overseer(path: Path) -> Custodian:
    """An overseer's public key file. Raises UsageError, FormatError."""
    found = decode_custodians(read_bytes(path))
    if len(found) != 1:
        raise FormatError("overseer", f"{len(found)} keys in one file, not 1", where=str(path))
    return found[0]


class StructureFeed:
    """Writes one overseer's feed of one home into a directory."""

    def __init__(
        self, home: Home, keys: Keys, overseer: Custodian, to: Path, *, slots: int = SLOTS_PER_FILE
    ) -> None:
        if slots < 1:
            raise UsageError(f"{slots} slots to a file", cure="One at the least")
        self._home = home
        self._structure = keys.structure
        self._overseer = overseer
        self._to = to
        self._slots = slots
        self._log = LogStore(home.log)

    def export(self, first: int, last: int) -> list[Path]:
        """Files for the beats `first` to `last`, which must be in the log.

        Raises FormatError where the record of a beat is not there.
        """
        made = []
        while first <= last:
            path = self._file(first, min(last, first + self._slots - 1))
            made.append(path)
            first = _indexes(path)[1] + 1
        return made

    def advance(self, *, finish: bool = False) -> list[Path]:
        """The files that are due by now, `finish`: the beats of a last, shorter one too."""
        size = self._log.checkpoint().size
        done = [_indexes(path)[1] for path in self._to.glob("*") if _NAME.fullmatch(path.name)]
        first = max(done, default=0) + 1
        last = size - 1 if finish else first + (size - first) // self._slots * self._slots - 1
        return self.export(first, last)

    def between(self, since_ms: int | None, until_ms: int | None) -> tuple[int, int]:
        """The indexes of the beats whose slots begin in a stretch; UsageError where there are none."""
        found = [
            beat.index
            for beat in map(beats.decode, self._log.entries(1, self._log.checkpoint().size))
            if (since_ms is None or beat.slot * beat.period_ms >= since_ms)
            and (until_ms is None or beat.slot * beat.period_ms < until_ms)
        ]
        if not found:
            raise UsageError("the log has no beat in this stretch")
        return found[0], found[-1]

    def _file(self, first: int, last: int) -> Path:
        content: list[bytes] = []
        size = 0
        for beat, record in self._records(first, last):
            key = slot_key(self._structure, beat.index, beat.slot)
            slot = structure.SlotStructure(beat.index, beat.slot, key, tuple(record.leaves.items())).encode()
            if content and size + len(slot) > MAX_CONTENT:
                break
            content.append(slot)
            size += len(slot)
        head = structure.Head(self._log.checkpoint().origin, first, first + len(content) - 1)
        clear = structure.sealed_head(head, self._overseer.key)
        sealed = seal_to(self._overseer.key, structure.encode(head, content), structure.sealed_info(clear))
        make_dirs(self._to)
        path = self._to / f"{head.stem}{structure.SEALED_SUFFIX}"
        write_file(path, clear + sealed, 0o644)
        return path

    def _records(self, first: int, last: int) -> Iterator[tuple[Beat, SlotRecord]]:
        """Beats with their records, one day's files after the other."""
        found: dict[int, list[tuple[str, SlotRecord]]] = {}
        day = ""
        for beat in map(beats.decode, self._log.entries(first, last + 1)):
            if (here := utc(beat.slot_start_ns())[:_DAY]) != day:
                day, found = here, _day(self._home.slots / here, first, last)
            yield beat, _of(beat, found.get(beat.index, []))


class Feeds:
    """The feeds of all overseers that memcon.toml names, in `structure/<overseer's id>/` of the home."""

    def __init__(self, home: Home, config: Config) -> None:
        self._home = home
        self._config = config
        self._feeds: list[StructureFeed] | None = None

    def advance(self) -> None:
        """Write the files that are due. Raises what reading a key file or a slot record raises."""
        if self._feeds is None:  # here, not at the start: a wrong key file is told, and keeps nobody waiting
            keys = load_keys(self._home.keys)
            self._feeds = [self._feed(keys, read_overseer(path)) for path in self._config.overseers]
        for feed in self._feeds:
            feed.advance()

    def _feed(self, keys: Keys, overseer: Custodian) -> StructureFeed:
        to = self._home.structure / structure.overseer_id(overseer.key).hex()
        return StructureFeed(self._home, keys, overseer, to, slots=self._config.structure_slots)


def _indexes(path: Path) -> tuple[int, int]:
    """First and last index of a feed's file, from its name."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise FormatError("structure feed", "no name of a file of a feed", where=path.name)
    return int(match[1]), int(match[2])


def _day(folder: Path, first: int, last: int) -> dict[int, list[tuple[str, SlotRecord]]]:
    found: dict[int, list[tuple[str, SlotRecord]]] = {}
    for path in sorted(folder.glob("*.mcl")):
        for record in _wanted(path, first, last):
            found.setdefault(record.index, []).append((path.stem, record))
    return found


def _wanted(path: Path, first: int, last: int) -> Iterator[SlotRecord]:
    """The records of these indexes in a file. The others, of a day of many calls, are passed over unread."""
    if not path.stat().st_size:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = len(slottree.SLOTS_MAGIC)
        while at + 12 <= len(data):
            end = at + 4 + int.from_bytes(data[at : at + 4], "big")
            if end > len(data):
                return  # torn, or not yet written to its end: no beat came of it
            if first <= int.from_bytes(data[at + 4 : at + 12], "big") <= last:
                yield slottree.decode_slot_records(slottree.SLOTS_MAGIC + data[at:end])[0][0]
            at = end


def _of(beat: Beat, records: Sequence[tuple[str, SlotRecord]]) -> SlotRecord:
    """The record that the beat came of: a crash may leave another."""
    own = [record for stem, record in records if stem == beat.instance.hex()] or [r for _, r in records]
    if not own:
        raise FormatError(
            "structure feed",
            f"the slot record of beat {beat.index} is not there",
            cure="Restore the slots directory from the vault's slot objects",
        )
    return own[0]


def open_structure(data: bytes, seed: bytes) -> bytes:
    """A sealed file as the overseer reads it. Raises FormatError."""
    _, _, at = structure.read_sealed(data)
    return open_sealed(seed, data[at:], structure.sealed_info(data[:at]))


def open_files(files: Iterable[Path], seed: bytes | None) -> Iterator[tuple[str, bytes]]:
    """Names and opened bytes of a feed's files, one at a time; those that are open already as they are."""
    for path in files:
        data = read_bytes(path)
        if data.startswith(structure.SEALED_MAGIC):
            if seed is None:
                raise UsageError(f"{path} is sealed", cure="Give the overseer's private key: --overseer-key")
            data = open_structure(data, seed)
        yield path.name, data
