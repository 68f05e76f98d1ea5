"""The evidence beside a log's tiles, as files: notes by hash, their index, loose cosignatures (FORMATS §15).

The order of an archived note, so that a crash leaves nothing that leads nowhere:

    1. note/<hex>            written and synced
    2. note/index-<day>      its entry appended and synced
    3. cosigned              put in place (what a power cut takes back is in the index)
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from memcon.record import evidence
from memcon.record.evidence import ENTRY_SIZE, Conflict, Entry
from memcon.record.hashing import sha256
from memcon.store import durable
from memcon.store.tiles import PUBLIC, PUBLIC_DIR

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from memcon.tlog.note import Note


MAX_LOOSE = 16 << 20
"""Bytes of a day's loose cosignatures: a late one of ML-DSA-44 has 3.4 kB, readers take 32 MiB."""


class Archive:
    """The notes, cosignatures, certificates and conflicts of one log's directory.

    Several threads may write through one of these; nobody writes beside it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = threading.Lock()

    def add_note(self, data: bytes, size: int, time: int, *, newest: bool = True) -> bytes:
        """Keep a quorum-cosigned note (its bytes, tree size, quorum time); its hash."""
        digest = sha256(data)
        if self.add_file("note", data):
            self._append(evidence.index_path(time), Entry(size, time, digest).encode(), ENTRY_SIZE)
        if newest:
            durable.write_file(self.root / evidence.COSIGNED, data, PUBLIC, sync_name=False)
        return digest

    def add_certificate(self, data: bytes, size: int, time: int) -> bytes:
        """Keep a silence certificate; its hash."""
        digest = sha256(data)
        if self.add_file("silence", data):
            self._append(evidence.SILENCE_INDEX, Entry(size, time, digest).encode(), ENTRY_SIZE)
        return digest

    def add_stamp(self, data: bytes, size: int, time: int) -> bytes:
        """Keep a time stamp (its answer's bytes, the note's tree size, the time it says); its hash."""
        digest = sha256(data)
        if self.add_file("timestamp", data):
            self._append(evidence.STAMP_INDEX, Entry(size, time, digest).encode(), ENTRY_SIZE)
        return digest

    def add_conflict(self, conflict: Conflict) -> bytes:
        """Keep two notes that convict the log; their hash."""
        data = conflict.encode()
        self.add_file("conflict", data)
        return sha256(data)

    def add_file(self, kind: str, data: bytes) -> bool:
        """Keep a file by its hash; whether it was not there yet."""
        path = self.root / evidence.hashed_path(kind, sha256(data))
        if durable.read_if_there(path) == data:
            return False
        durable.make_dirs(path.parent, PUBLIC_DIR)
        durable.write_file(path, data, PUBLIC)
        return True

    def add_cosignatures(self, note: Note, time: int) -> None:
        """Keep cosignatures that stand in no archived note, up to `MAX_LOOSE` bytes a day.

        Not synced: others have them too.
        """
        path = self.root / evidence.cosignature_path(time)
        record = evidence.encode_cosignatures(note)
        if path.exists() and path.stat().st_size + len(record) > MAX_LOOSE:
            return
        durable.make_dirs(path.parent, PUBLIC_DIR)
        durable.append(path, record, mode=PUBLIC)

    def certificates(self) -> Iterator[Entry]:
        """The certificates there are, oldest first."""
        return evidence.read_entries(durable.read_if_there(self.root / evidence.SILENCE_INDEX) or b"")

    def _append(self, path: str, record: bytes, unit: int) -> None:
        target = self.root / path
        durable.make_dirs(target.parent, PUBLIC_DIR)
        with self._lock, durable.AppendFile(target, PUBLIC) as file:
            if file.size % unit:  # a crash cut an entry
                file.truncate(file.size - file.size % unit)
            file.write(record)
            file.sync()
