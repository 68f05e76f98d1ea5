"""The journal's writer: everything that arrives goes here first, encrypted, in order (FORMATS §12).

`control` writes a frame at once (a killed process loses nothing the kernel has); `media` collects
until `commit`. A thread syncs every 200 ms.

When the disk refuses:
- a frame that could not be written is cut off again and waits in memory; it and those behind it are
  tried again twice a second, in order, so that the file's frames stay dense;
- after a failed sync nobody knows what of the file is on the disk. Every frame is therefore kept in
  memory until a sync has covered it; the file is cut back to what is safe and given up, and the
  frames that are not go again, byte for byte and under their old numbers, into a new file. A reader
  that has met a frame before passes over it;
- beyond a bound `full` says so: the media loop then leaves packets in the kernel, which counts what
  it has to drop, and new calls are refused.
"""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from memcon.capture.journal_file import JournalFile
from memcon.clock import NS
from memcon.errors import MachineError
from memcon.record import journal as frames
from memcon.store.durable import make_dirs, write_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from memcon.capture.log import Log
    from memcon.capture.receiver import Sweep
    from memcon.clock import Clock
    from memcon.store.paths import Home

SYNC_SECONDS = 0.2
FILE_BYTES = 256 << 20  # a new file after this, so that what is sealed can be removed piece by piece
MEMORY_BYTES = 64 << 20  # frames kept in memory while the disk refuses; beyond, the kernel buffers
FRAME_BYTES = 16 << 20  # a media frame is cut here: far below the reader's limit
RETRY_NS = NS // 2
LAST_TRIES = 20  # at a stop, one a SYNC_SECONDS: the supervisor waits longer


class JournalWriter:
    """Writes one instance's journal. Safe to use from the SIP thread and the media thread at once."""

    def __init__(self, home: Home, clock: Clock, instance: bytes, key: bytes, log: Log) -> None:
        self.instance = instance
        self._home = home
        self._clock = clock
        self._log = log
        self._key_id = hashlib.sha256(key).digest()[:8]
        self._aead = AESGCM(key)
        self._lock = threading.RLock()  # never waited for by the syncing thread while it syncs
        self._next_frame = 0
        self._next_file = 0
        self._pending: list[bytes | memoryview] = []
        self._pending_bytes = 0
        self._backlog: deque[bytes] = deque()  # not written
        self._backlog_bytes = 0
        self._unsafe: deque[bytes] = deque()  # written, not synced
        self._unsafe_bytes = 0
        self._written = 0  # frames written so far; those in _unsafe are the last of them
        self._trouble: MachineError | None = None
        self._retry_at = 0
        self._synced_at = clock.monotonic_ns()
        self._retired: list[JournalFile] = []  # closed by the syncing thread, which may be using them
        make_dirs(home.journal)
        make_dirs(home.run)
        write_file(home.journal_key(instance), key)
        self._file: JournalFile | None = self._open(0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sync_loop, name="journal-sync", daemon=True)
        self._thread.start()

    # --- what callers write ---

    def control(self, facts: dict[str, Any], attachments: Sequence[bytes] = ()) -> None:
        """Write a control record, and all that was collected before it, in one frame."""
        with self._lock:
            self.note(facts, attachments)
            self.commit()

    def note(self, facts: dict[str, Any], attachments: Sequence[bytes] = ()) -> None:
        """Collect a control record: it is written with the next `control`, `tick` or `commit`."""
        body = frames.encode_control(facts, attachments)
        with self._lock:
            self._collect(frames.encode_record(frames.TYPE_CONTROL, body))

    def media(self, sweep: Sweep) -> None:
        """Collect one sweep's packets; the arrays are copied before this returns."""
        with self._lock:
            for rows, octets in _pieces(sweep):
                body = (
                    frames.media_head(sweep.wall_ns, sweep.monotonic_ns, rows.stop - rows.start),
                    sweep.stream[rows].astype(">u4").tobytes(),
                    sweep.arrival[rows].astype(">u8").tobytes(),
                    sweep.length[rows].astype(">u2").tobytes(),
                    sweep.data[octets].tobytes(),
                )
                self._collect(frames.encode_record(frames.TYPE_MEDIA, *body))
                if self._pending_bytes > FRAME_BYTES:
                    self.commit()

    def tick(self, wall: int, mono: int, watermark: int) -> None:
        """Say that every packet that arrived before `watermark` (wall ns) is in the journal; commit."""
        with self._lock:
            self._collect(frames.encode_record(frames.TYPE_TICK, frames.encode_tick(wall, mono, watermark)))
            self.commit()

    def stop(self, facts: bytes) -> None:
        """Write the clean end (canonical JSON), sync and close.

        Tries for four seconds when the disk refuses; then raises MachineError, and the instance ends
        as after a crash.
        """
        with self._lock:
            self._collect(frames.encode_record(frames.TYPE_STOP, facts))
            self.commit()
        self.close()

    def close(self) -> None:
        """End the syncing thread, write and sync what waits, close the files. Raises MachineError."""
        self._stop.set()
        self._thread.join()
        pause = threading.Event()
        for _ in range(LAST_TRIES):
            self._sync()
            if not self._backlog and not self._unsafe:
                break
            pause.wait(SYNC_SECONDS)
            with self._lock:
                self._retry_at = 0
                self._flush()
        trouble, waiting = self._trouble, self.waiting
        for file in (*self._retired, *([self._file] if self._file else [])):
            file.close()
        self._retired, self._file = [], None
        if trouble is not None:
            text = f"{waiting} bytes of the journal are lost: {trouble.message}"
            raise MachineError(text, cure=trouble.cure)

    # --- frames ---

    def _collect(self, record: list[bytes | memoryview]) -> None:
        self._pending += record
        self._pending_bytes += sum(len(part) for part in record)

    def commit(self) -> None:
        """Encrypt what was collected into one frame and hand it to the kernel."""
        with self._lock:
            if self._pending:
                plaintext = b"".join(self._pending)
                self._pending, self._pending_bytes = [], 0
                head = frames.frame_head(len(plaintext) + frames.GCM_TAG, self._next_frame)
                nonce = frames.frame_nonce(self._next_frame)
                self._next_frame += 1
                frame = head + self._aead.encrypt(nonce, plaintext, self.instance + head)
                self._backlog.append(frame)
                self._backlog_bytes += len(frame)
            self._flush()

    def _flush(self) -> None:
        """Write waiting frames in order, unless the disk has refused just now."""
        if self._trouble is not None and self._clock.monotonic_ns() < self._retry_at:
            return
        while self._backlog:
            try:
                self._writable().write(self._backlog[0])
            except MachineError as error:
                self._refused(error)
                return
            frame = self._backlog.popleft()
            self._backlog_bytes -= len(frame)
            self._unsafe.append(frame)
            self._unsafe_bytes += len(frame)
            self._written += 1

    def _writable(self) -> JournalFile:
        """The file to write to: a new one after a failure, or when this one has its size."""
        if self._file is not None and self._file.size > FILE_BYTES:
            # Before the next file begins, so that a crash of the machine leaves no hole between the two.
            self._file.sync()
            self._safe_up_to(self._written)
            self._retired.append(self._file)
            self._file = None
        if self._file is None:
            self._file = self._open(int.from_bytes(self._backlog[0][8:16], "big"))
        return self._file

    def _open(self, first_frame: int) -> JournalFile:
        number = self._next_file
        wall = self._clock.wall_ns()
        header = frames.JournalHeader(self.instance, number, first_frame, wall, self._key_id)
        file = JournalFile(self._home.journal_file(self.instance, number), header.encode())
        self._next_file = number + 1
        return file

    def _refused(self, error: MachineError) -> None:
        """Note why the disk refuses; give the file up if it cannot be trusted any more."""
        self._retry_at = self._clock.monotonic_ns() + RETRY_NS
        if self._trouble is None:
            self._log.error("journal trouble begins", why=str(error))
        self._trouble = error
        if self._file is not None and self._file.failed:
            self._file.cut_unsafe()
            self._retired.append(self._file)
            self._file = None
            self._backlog.extendleft(reversed(self._unsafe))
            self._backlog_bytes += self._unsafe_bytes
            self._written -= len(self._unsafe)
            self._unsafe.clear()
            self._unsafe_bytes = 0

    def _safe_up_to(self, written: int) -> None:
        """A sync has covered the first `written` frames."""
        while self._unsafe and self._written - len(self._unsafe) < written:
            self._unsafe_bytes -= len(self._unsafe.popleft())
        if not self._backlog:
            self._synced_at = self._clock.monotonic_ns()
            if self._trouble is not None:
                self._trouble = None
                self._log.info("journal trouble ends")

    # --- state ---

    @property
    def full(self) -> bool:
        """Whether the memory for what the disk has not taken is used up: leave packets in the kernel."""
        return self.waiting > MEMORY_BYTES

    @property
    def trouble(self) -> MachineError | None:
        """Why the disk refuses, while it does; until all that waited is on it."""
        return self._trouble

    @property
    def waiting(self) -> int:
        """Bytes in memory that are not safely on the disk."""
        return self._backlog_bytes + self._unsafe_bytes

    @property
    def lag_ns(self) -> int:
        """How long ago everything written was on the disk."""
        return self._clock.monotonic_ns() - self._synced_at

    # --- syncing ---

    def _sync(self) -> None:
        with self._lock:
            file, written = self._file, self._written
            retired, self._retired = self._retired, []
        for old in retired:
            old.close()
        if file is None:
            return
        try:
            file.sync()
        except MachineError as error:
            with self._lock:
                if self._file is file:
                    self._refused(error)
            return
        with self._lock:
            # A file given up meanwhile took its frames back: this sync says nothing of them.
            if self._file is file:
                self._safe_up_to(written)

    def _sync_loop(self) -> None:
        while not self._stop.wait(SYNC_SECONDS):
            self._sync()


def _pieces(sweep: Sweep) -> Iterator[tuple[slice, slice]]:
    """Cut a sweep into runs of packets (rows, octets) that fit a frame; usually it is one."""
    count = len(sweep.stream)
    if len(sweep.data) <= FRAME_BYTES:
        if count:
            yield slice(0, count), slice(0, len(sweep.data))
        return
    ends = np.cumsum(sweep.length, dtype=np.int64)
    row, octet = 0, 0
    while row < count:
        stop = max(row + 1, int(np.searchsorted(ends, octet + FRAME_BYTES, side="right")))
        end = int(ends[stop - 1])
        yield slice(row, stop), slice(octet, end)
        row, octet = stop, end
