"""The journal's writer: everything that arrives goes here first, encrypted, in order (FORMATS §12).

`control` writes a frame at once (a killed process loses nothing the kernel has); `media` collects
until `commit`. A thread of its own syncs every 200 ms and opens files, so that nobody who writes ever
waits for either. Writing itself waits now and then, for seconds where the file system commits its own
journal to a slow disk: `tick` can leave it to another thread, so that the sockets are swept on.

Two locks: `_writing` is held while a frame goes to the file, and while files are changed or closed;
`_lock` for what is in memory alone, and taken after it. Nobody who only collects waits for the disk.

When the disk refuses:
- a frame that could not be written is cut off again and waits in memory; it and those behind it are
  tried again twice a second, in order, so that the file's frames stay dense. Where there is a fallback
  directory the next file is begun there (`journal_places`);
- after a failed sync nobody knows what of the file is on the disk. Every frame is therefore kept in
  memory until a sync has covered it and all files before its own; the files that hold unsafe ones are
  cut back and given up, and these frames go again, byte for byte and under their old numbers, into a
  new file. A reader that has met a frame before passes over it;
- beyond a bound `full` says so: the media loop then leaves packets in the kernel, which counts what
  it has to drop. What calls say of themselves is still taken, up to a second bound: `exhausted`.
- a `host` record says that it refuses, another that it does no more: beats between them are degraded.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from memcon.capture.facts import stamp
from memcon.capture.journal_file import JournalFile
from memcon.capture.journal_frames import Collected, FrameMaker
from memcon.capture.journal_places import Places
from memcon.clock import NS, Durations
from memcon.errors import MachineError
from memcon.record import journal as frames
from memcon.store.durable import make_dirs, write_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from memcon.capture.log import Log
    from memcon.capture.receiver import Sweep
    from memcon.clock import Clock
    from memcon.store.paths import Home

SYNC_SECONDS = 0.2
FILE_BYTES = 256 << 20  # a new file after this, so that what is sealed can be removed piece by piece
FILE_NS = 20 * NS  # but none sooner: each has to say of every open call what a successor needs
LARGEST_FILE = 640 << 20  # unless it is as large as that: a successor reads two at most before it receives
LEAST_MEMORY, MOST_MEMORY = 64 << 20, 512 << 20
FRAME_BYTES = 16 << 20  # a media frame is cut here: far below the reader's limit
RETRY_NS = NS // 2
LAST_TRIES = 20  # at a stop, one a SYNC_SECONDS: the supervisor waits longer


def _memory_bytes() -> int:
    """A sixteenth of the machine's memory: seconds of a slow disk, and no danger to anything else."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(LEAST_MEMORY, min(whole // 16, MOST_MEMORY))


MEMORY_BYTES = _memory_bytes()  # frames kept in memory while the disk refuses; beyond, the kernel buffers
CONTROL_BYTES = 32 << 20  # and as much more of messages and events, which nothing else would keep


class JournalWriter:
    """Writes one instance's journal. Safe to use from the SIP thread and the media thread at once."""

    def __init__(self, home: Home, clock: Clock, instance: bytes, key: bytes, log: Log) -> None:
        self.instance = instance
        self._home = home
        self._clock = clock
        self._log = log
        self._key_id = hashlib.sha256(key).digest()[:8]
        self._maker = FrameMaker(instance, key)
        self._lock = threading.RLock()  # never held while the disk does anything
        self._writing = threading.Lock()
        self._next_frame = 0
        self._next_file = 0
        self._pending = Collected()
        self._together = False
        self._backlog: deque[memoryview] = deque()  # not written
        self._backlog_bytes = 0
        self._stuck_since = 0
        self._unsafe: deque[memoryview] = deque()  # written, not synced
        self._unsafe_bytes = 0
        self._written = 0  # frames written so far; those in _unsafe are the last of them
        self._trouble: MachineError | None = None
        self._retry_at = 0
        self._open_at = 0
        self._begun_at = 0  # the present file
        self._synced_at = clock.monotonic_ns()
        self.syncs = Durations()
        """How long the disk took to make safe what was written."""
        self._places = Places(home, clock)
        self._file: JournalFile | None = None
        self._leave = False  # the present file's folder has refused, and there is another
        self._behind: list[JournalFile] = []  # before the present file, in order, with unsafe frames
        self._retired: list[JournalFile] = []  # given up: cut and closed by the syncing thread
        make_dirs(home.run)
        write_file(home.journal_key(instance), key)
        self._open_next()  # where the disk refuses even that, frames wait in memory
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sync_loop, name="journal-sync", daemon=True)
        self._thread.start()
        self._wake = threading.Event()
        self._writer = threading.Thread(target=self._write_loop, name="journal-write", daemon=True)
        self._writer.start()

    # --- what callers write ---

    def control(self, facts: dict[str, Any], attachments: Sequence[bytes] = ()) -> None:
        """Write a control record, and all that was collected before it, in one frame: now, or at the end of
        what is being written `together`."""
        with self._lock:
            self.note(facts, attachments)
            wait = self._together
        if not wait:
            self.commit()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """What is written in here goes into one frame, which stands when this ends. For one thread at a time;
        another may commit it earlier."""
        self._together = True
        try:
            yield
        finally:
            self._together = False
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
                    sweep.stream[rows].astype(">u4").view(np.uint8).data,
                    sweep.arrival[rows].astype(">u8").view(np.uint8).data,
                    sweep.length[rows].astype(">u2").view(np.uint8).data,
                    sweep.data[octets].data,
                )
                self._collect(frames.encode_record(frames.TYPE_MEDIA, *body))
                if self._pending.size > FRAME_BYTES:
                    self._make_frame()

    def tick(self, wall: int, mono: int, watermark: int, *, later: bool = False) -> None:
        """Say that every packet that arrived before `watermark` (wall ns) is in the journal; commit.

        With `later` another thread hands it to the kernel, at once unless the disk makes it wait.
        """
        with self._lock:
            self._collect(frames.encode_record(frames.TYPE_TICK, frames.encode_tick(wall, mono, watermark)))
        self.commit(later=later)

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
        """End both threads, write and sync what waits, close the files. Raises MachineError."""
        self._stop.set()
        self._wake.set()
        self._thread.join()
        self._writer.join()
        pause = threading.Event()
        for _ in range(LAST_TRIES):
            self._attend()
            if not self._backlog and not self._unsafe:
                break
            pause.wait(SYNC_SECONDS)
            with self._lock:
                self._retry_at = self._open_at = 0
            self._flush()
        trouble, waiting = self._trouble, self.waiting
        for file in (*self._retired, *self._behind, *([self._file] if self._file else [])):
            file.close()
        self._retired, self._behind, self._file = [], [], None
        if trouble is not None and waiting:
            text = f"{waiting} bytes of the journal are lost: {trouble.message}"
            raise MachineError(text, cure=trouble.cure)

    # --- frames ---

    def _collect(self, record: list[bytes | memoryview]) -> None:
        self._pending.add(record)

    def commit(self, *, later: bool = False) -> None:
        """Encrypt what was collected into one frame and hand it to the kernel, `later` as in `tick`."""
        with self._lock:
            self._make_frame()
        if later:
            self._wake.set()
        else:
            self._flush()

    def _make_frame(self) -> None:
        if self._pending.size:
            if not self._backlog:
                self._stuck_since = self._clock.monotonic_ns()
            frame = self._maker.make(self._next_frame, self._pending.take())
            self._next_frame += 1
            self._backlog.append(frame)
            self._backlog_bytes += len(frame)

    def _flush(self) -> None:
        """Write waiting frames in order, unless the disk has refused just now."""
        with self._writing:
            while self._write_one():
                pass

    def _write_one(self) -> bool:
        """Write the first of the waiting frames; False where there is none, or no disk to take it."""
        with self._lock:
            refused = self._trouble is not None and self._clock.monotonic_ns() < self._retry_at
            if refused or not self._backlog or self._file is None:
                return False
            frame, file = self._backlog[0], self._file
        try:
            file.write(frame)
        except MachineError as error:
            with self._lock:
                self._refused(error, file.folder)
            return False
        with self._lock:
            # A sync that failed meanwhile has taken everything back: the frame goes again, behind others.
            if self._file is file:
                self._backlog.popleft()
                self._backlog_bytes -= len(frame)
                self._unsafe.append(frame)
                self._unsafe_bytes += len(frame)
                self._written += 1
                self._stuck_since = self._clock.monotonic_ns()
        return True

    def _refused(self, error: MachineError, folder: Path) -> None:
        """Note why the disk refuses; give files up that cannot be trusted any more."""
        self._retry_at = self._clock.monotonic_ns() + RETRY_NS
        self._places.refused(folder)
        if self._trouble is None:
            self._log.error("journal trouble begins", why=str(error))
            self._say_host(error.message)
        self._trouble = error
        if self._file is not None and (self._file.failed or any(file.failed for file in self._behind)):
            self._take_back()
        elif self._file is not None and self._places.other_than(self._file.folder):
            self._leave = True

    def _take_back(self) -> None:
        """The frames that no sync has covered wait again, for a new file."""
        self._retired += [*self._behind, *([self._file] if self._file else [])]
        self._behind, self._file, self._leave = [], None, False
        self._open_at = self._retry_at
        self._backlog.extendleft(reversed(self._unsafe))
        self._backlog_bytes += self._unsafe_bytes
        self._written -= len(self._unsafe)
        self._unsafe.clear()
        self._unsafe_bytes = 0

    def _safe_up_to(self, written: int) -> None:
        """A sync has covered the first `written` frames."""
        while self._unsafe and self._written - len(self._unsafe) < written:
            frame = self._unsafe.popleft()
            self._unsafe_bytes -= len(frame)
            self._maker.give_back(frame)
        if not self._backlog:
            self._synced_at = self._clock.monotonic_ns()
            if self._trouble is not None and self._file is not None and self._places.at_home(self._file):
                self._trouble = None
                self._log.info("journal trouble ends")
                self._say_host("")

    def _say_host(self, trouble: str) -> None:
        now = stamp(self._clock.wall_ns(), self._clock.monotonic_ns())
        self.note({"type": "host", "trouble": trouble} | now)

    # --- state ---

    @property
    def full(self) -> bool:
        """Whether the memory for what the disk has not taken is used up: leave packets in the kernel."""
        return self.waiting > MEMORY_BYTES

    @property
    def exhausted(self) -> bool:
        """Whether not even messages can be taken any more: refuse calls, leave SIP in the kernel."""
        return self.waiting > MEMORY_BYTES + CONTROL_BYTES

    @property
    def stuck_ns(self) -> int:
        """How long a disk that does not refuse has kept the first of the waiting frames waiting; 0: none."""
        if not self._backlog or self._trouble is not None:
            return 0
        return max(1, self._clock.monotonic_ns() - self._stuck_since)

    @property
    def trouble(self) -> MachineError | None:
        """Why the disk refuses, while it does; until all that waited is on it."""
        return self._trouble

    @property
    def waiting(self) -> int:
        """Bytes in memory that are not safely on the disk."""
        return self._backlog_bytes + self._unsafe_bytes

    @property
    def file_number(self) -> int:
        """The newest file, in which what is written next stands, or a later one."""
        return self._next_file - 1

    @property
    def lag_ns(self) -> int:
        """How long ago everything written was on the disk."""
        return self._clock.monotonic_ns() - self._synced_at

    # --- syncing and opening: in the thread of the journal alone ---

    def _sync(self) -> None:
        """Make everything written so far safe, file by file in their order."""
        with self._lock:
            chain = [*self._behind, *([self._file] if self._file else [])]
            written = self._written
            retired, self._retired = self._retired, []
        for old in retired:
            with self._writing:  # of the last frame that went to it
                old.give_up()
        if not chain:
            return
        at = chain[0]
        began = self._clock.monotonic_ns()
        try:
            for at in chain:
                at.sync()
        except MachineError as error:
            with self._lock:
                if at is self._file or at in self._behind:
                    self._refused(error, at.folder)
            return
        self.syncs.add(self._clock.monotonic_ns() - began)
        with self._lock:
            # Files given up meanwhile took their frames back: this sync says nothing of them.
            if chain[-1] is self._file or chain[-1] in self._behind:
                done = [file for file in self._behind if file in chain]
                self._behind = [file for file in self._behind if file not in chain]
                self._safe_up_to(written)
                for file in done:
                    file.close()

    def _open_next(self) -> None:
        """Begin a new file where one is due: none is there, this one has its size, or its place is bad."""
        with self._lock:
            file = self._file
            due = file is None or self._leave or self._is_full(file) or self._places.may_return(file)
        if not due or self._clock.monotonic_ns() < self._open_at:
            return
        folder = self._places.choose()
        try:
            fresh = JournalFile(folder)
        except MachineError as error:
            self._open_failed(error, folder)
            return
        try:
            with self._writing:
                self._begin(fresh)
        except MachineError as error:
            fresh.discard()
            self._open_failed(error, folder)
            return
        self._flush()

    def _is_full(self, file: JournalFile) -> bool:
        old = self._clock.monotonic_ns() - self._begun_at >= FILE_NS
        return file.size > (FILE_BYTES if old else LARGEST_FILE)

    def _open_failed(self, error: MachineError, folder: Path) -> None:
        with self._lock:
            self._open_at = self._clock.monotonic_ns() + RETRY_NS
            if self._file is None or self._leave:
                self._refused(error, folder)
            else:  # the present file is as good as before
                self._places.refused(folder)

    def _begin(self, fresh: JournalFile) -> None:
        """From here on `fresh` is written to; what stands before it is complete. For who is `_writing`."""
        with self._lock:
            # Were the files before it to fail, their frames would come after it: it must not claim more.
            first = self._written - len(self._unsafe)
            number, wall = self._next_file, self._clock.wall_ns()
        header = frames.JournalHeader(self.instance, number, first, wall, self._key_id).encode()
        fresh.begin(self._home.journal_file(self.instance, number, fresh.folder), header)
        with self._lock:
            if self._file is not None:
                self._behind.append(self._file)
            self._file, self._leave, self._next_file = fresh, False, number + 1
            self._begun_at = self._clock.monotonic_ns()
            self._retry_at = 0
            if self._trouble is not None and not self._places.at_home(fresh):
                text = f"the journal goes to {fresh.folder}: {self._trouble.message}"
                self._trouble = MachineError(text, cure=self._trouble.cure)
                self._log.warning("journal goes to the fallback", folder=str(fresh.folder))

    def _attend(self) -> None:
        """One round of the thread."""
        self._sync()
        self._open_next()

    def _sync_loop(self) -> None:
        while not self._stop.wait(SYNC_SECONDS):
            self._attend()

    # --- writing what `tick` leaves: in a thread of its own ---

    def _write_loop(self) -> None:
        while not self._stop.is_set():
            if self._wake.wait(SYNC_SECONDS):
                self._wake.clear()
                self._flush()


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
