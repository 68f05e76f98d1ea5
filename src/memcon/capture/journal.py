"""The journal's writer: everything that arrives goes here first, encrypted, in order (FORMATS §12).

`control` writes a frame at once (a killed process loses nothing the kernel has); `media` collects
until `commit`. A thread syncs every 200 ms. When the disk refuses, frames wait in memory up to a
bound, then `full` tells the media loop to leave packets in the kernel, which counts what it drops.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from memcon.errors import MachineError
from memcon.record import journal as frames
from memcon.store.durable import AppendFile, make_dirs, write_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memcon.capture.receiver import Sweep
    from memcon.clock import Clock
    from memcon.store.paths import Home

SYNC_SECONDS = 0.2
FILE_BYTES = 256 << 20  # a new file after this, so that what is sealed can be removed piece by piece
BACKLOG_BYTES = 64 << 20  # frames kept in memory while the disk refuses; beyond, the kernel buffers
FRAME_BYTES = 16 << 20  # a media frame is cut here: far below the reader's limit


class JournalWriter:
    """Writes one instance's journal. Safe to use from the SIP thread and the media thread at once."""

    def __init__(self, home: Home, clock: Clock, instance: bytes, key: bytes) -> None:
        self.instance = instance
        self._home = home
        self._clock = clock
        self._key_id = hashlib.sha256(key).digest()[:8]
        self._aead = AESGCM(key)
        self._lock = threading.RLock()
        self._sync_lock = threading.Lock()
        self._frame = 0
        self._file_number = 0
        self._pending: list[bytes | memoryview] = []
        self._pending_bytes = 0
        self._backlog: deque[bytes] = deque()
        self._backlog_bytes = 0
        self._trouble: MachineError | None = None
        make_dirs(home.journal)
        make_dirs(home.run)
        write_file(home.journal_key(instance), key)
        self._file = self._open()
        self._synced = self._file.size
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sync_loop, name="journal-sync", daemon=True)
        self._thread.start()

    def _open(self) -> AppendFile:
        file = AppendFile(self._home.journal_file(self.instance, self._file_number))
        header = frames.JournalHeader(
            self.instance, self._file_number, self._frame, self._clock.wall_ns(), self._key_id
        )
        file.write(header.encode())
        return file

    # --- what callers write ---

    def control(self, facts: dict[str, Any], attachments: Sequence[bytes] = ()) -> None:
        """Write a control record, and all media collected before it, as a frame of their own."""
        body = frames.encode_control(facts, attachments)
        with self._lock:
            self._collect(frames.encode_record(frames.TYPE_CONTROL, body))
            self.commit()

    def media(self, sweep: Sweep) -> None:
        """Collect one sweep's packets; the arrays are copied before this returns."""
        count = len(sweep.stream)
        if not count:
            return
        with self._lock:
            body = (
                frames.media_head(sweep.wall_ns, sweep.monotonic_ns, count),
                sweep.stream.astype(">u4").tobytes(),
                sweep.arrival.astype(">u8").tobytes(),
                sweep.length.astype(">u2").tobytes(),
                np.ascontiguousarray(sweep.data).tobytes(),
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
        """Write the clean end (canonical JSON), sync and close. Raises MachineError if that fails."""
        with self._lock:
            self._collect(frames.encode_record(frames.TYPE_STOP, facts))
            self.commit()
            if self._trouble is not None:
                raise self._trouble
        self.close()

    def close(self) -> None:
        """End the syncing thread, sync a last time, close the file."""
        self._stop.set()
        self._thread.join()
        try:
            self._sync()
        finally:
            self._file.close()

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
                head = frames.frame_head(len(plaintext) + frames.GCM_TAG, self._frame)
                nonce = frames.frame_nonce(self._frame)
                self._frame += 1
                frame = head + self._aead.encrypt(nonce, plaintext, self.instance + head)
                self._backlog.append(frame)
                self._backlog_bytes += len(frame)
            self._flush()

    def _flush(self) -> None:
        """Write waiting frames in order; after a failure cut the torn one off and try again later."""
        while self._backlog:
            frame = self._backlog[0]
            whole = self._file.size
            try:
                if whole > FILE_BYTES:
                    self._rotate()
                    whole = self._file.size
                self._file.write(frame)
            except MachineError as error:
                self._trouble = error
                with contextlib.suppress(MachineError):
                    self._file.truncate(whole)
                return
            self._trouble = None
            self._backlog.popleft()
            self._backlog_bytes -= len(frame)

    def _rotate(self) -> None:
        self._file.sync()
        first = int.from_bytes(self._backlog[0][8:16], "big")
        self._file_number += 1
        file = AppendFile(self._home.journal_file(self.instance, self._file_number))
        file.write(
            frames.JournalHeader(
                self.instance, self._file_number, first, self._clock.wall_ns(), self._key_id
            ).encode()
        )
        with self._sync_lock:
            self._file.close()
            self._file = file

    # --- state ---

    @property
    def full(self) -> bool:
        """Whether the memory for frames that the disk refused is used up: leave packets in the kernel."""
        return self._backlog_bytes > BACKLOG_BYTES

    @property
    def trouble(self) -> MachineError | None:
        """Why the disk refuses, while it does."""
        return self._trouble

    @property
    def waiting(self) -> int:
        """Bytes that wait in memory for the disk."""
        return self._backlog_bytes

    # --- syncing ---

    def _sync(self) -> None:
        with self._sync_lock:
            size = self._file.size
            if size != self._synced:
                self._file.sync()
                self._synced = size

    def _sync_loop(self) -> None:
        while not self._stop.wait(SYNC_SECONDS):
            try:
                self._sync()
            except MachineError as error:
                self._trouble = error
