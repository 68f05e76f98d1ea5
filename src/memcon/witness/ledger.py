"""Every note a witness cosigned, on the disk before the cosignature leaves; and from it, its state.

A ledger is a run of files `<number>.mcw`, each a cosignature file of FORMATS §15: per record u32
length, note. A file begins with the newest note of every log, so the newest file alone gives the
state. A note of a refresh (same size, later time) leaves out the log's signatures: they stand before.

Group commit: whoever writes while a sync runs waits for the next one, which serves all of them.
    append -> (writer thread) write all that wait, fdatasync, tell each
A failed write or sync ends the ledger: what follows it might contradict what was lost.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.errors import FormatError, LocalError, MemconError
from memcon.record.evidence import encode_cosignatures, read_cosignatures
from memcon.store import durable
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.cosignature import Cosignature
from memcon.tlog.note import Note

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

    from memcon.tlog.note import Signature

FILE_SIZE = 64 << 20
SUFFIX = ".mcw"


def has_ledger(directory: Path) -> bool:
    """Whether there is a ledger, be it an empty one."""
    return any(path.stem.isdecimal() for path in directory.glob(f"*{SUFFIX}"))


def begin_ledger(directory: Path) -> None:
    """An empty one, on the disk before a key is used: that there is none means later that it was lost."""
    durable.make_dirs(directory)
    durable.write_file(directory / f"{1:08d}{SUFFIX}", b"")


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest checkpoint a witness cosigned of a log: the log's signatures, its own, and when."""

    checkpoint: Checkpoint
    text: bytes
    log_signatures: tuple[Signature, ...]
    own: tuple[Signature, ...]
    time: int

    def note(self) -> Note:
        return Note(self.text, self.log_signatures + self.own)


class Ledger:
    """The notes of one witness. `own` are its key ids: they tell its signatures from the log's.

    `latest` is what the disk holds when the ledger is opened. Raises FormatError for a damaged file,
    MachineError where the disk refuses.
    """

    def __init__(
        self, directory: Path, own: Collection[tuple[str, bytes]], *, file_size: int = FILE_SIZE
    ) -> None:
        self._directory = directory
        self._own = own
        self._file_size = file_size
        self.latest: dict[str, Seen] = {}
        durable.make_dirs(directory)
        numbers = sorted(int(p.stem) for p in directory.glob(f"*{SUFFIX}") if p.stem.isdecimal())
        self._number = numbers[-1] if numbers else 0
        end = self._load() if numbers else 0
        self._file = self._open(end) if numbers else self._begin(())
        self._waiting: list[tuple[bytes, Callable[[MemconError | None], None]]] = []
        self._wake = threading.Condition()
        self._closed = False
        self.failed: MemconError | None = None
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def _path(self, number: int) -> Path:
        return self._directory / f"{number:08d}{SUFFIX}"

    def _load(self) -> int:
        """Take the state from the newest file; the byte after its last whole record."""
        end = 0
        data = durable.read_bytes(self._path(self._number))
        for note, end in read_cosignatures(data):  # noqa: B007 - the last end is what counts
            self._take(note)
        return end

    def _take(self, note: Note) -> None:
        checkpoint = Checkpoint.parse(note.text)
        own = tuple(s for s in note.signatures if (s.name, s.key_id) in self._own)
        others = tuple(s for s in note.signatures if (s.name, s.key_id) not in self._own)
        if not own:
            where = str(self._path(self._number))
            raise FormatError("ledger", "a note without this witness's signature", where=where)
        before = self.latest.get(checkpoint.origin)
        time = max(Cosignature.parse(s.blob).timestamp for s in own)
        if not others and before is not None:
            others = before.log_signatures
        self.latest[checkpoint.origin] = Seen(checkpoint, note.text, others, own, time)

    def _open(self, end: int) -> durable.AppendFile:
        file = durable.AppendFile(self._path(self._number))
        if file.size > end:  # what a crash left of a record that nobody was answered
            file.truncate(end)
        return file

    def _begin(self, seen: Iterable[Seen]) -> durable.AppendFile:
        """A new file that begins with the state; there is none before it is whole."""
        self._number += 1
        path = self._path(self._number)
        durable.write_file(path, b"".join(encode_cosignatures(one.note()) for one in seen))
        return durable.AppendFile(path)

    def append(self, note: Note | None, done: Callable[[MemconError | None], None]) -> None:
        """Write a note; `done` is called from the writer's thread, with None once it is on the disk.

        Without a note, `done` is called once all that was appended before is on the disk.
        """
        with self._wake:
            if self.failed is None and not self._closed:
                self._waiting.append((b"" if note is None else encode_cosignatures(note), done))
                self._wake.notify()
                return
        done(self.failed or LocalError("the ledger is closed"))

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._waiting and not self._closed:
                    self._wake.wait()
                batch, self._waiting = self._waiting, []
                if not batch:
                    return
            try:
                data = b"".join(record for record, _ in batch)
                self._file.write(data)
                self._file.sync()
                for note, _ in read_cosignatures(data):
                    self._take(note)
                self._rotate()
            except MemconError as error:
                self.failed = error
            for _, done in batch:
                done(self.failed)
            if self.failed is not None:
                self._refuse_the_rest()
                return

    def _rotate(self) -> None:
        if self._file.size > self._file_size:
            self._file.close()
            self._file = self._begin(self.latest.values())

    def _refuse_the_rest(self) -> None:
        with self._wake:
            rest, self._waiting = self._waiting, []
        for _, done in rest:
            done(self.failed)

    def close(self) -> None:
        """Write what waits, then close the file."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join()
        self._file.close()
