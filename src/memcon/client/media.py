"""A paced RTP sender for demonstrations and load: many streams from one socket, each packet in its time.

Streams are spread over `slices` of the packet time, and each slice has an absolute deadline, so that
neither a late wake-up nor the cost of sending adds up. What was really sent is counted packet by
packet, and so is what the kernel refused.
"""

from __future__ import annotations

import socket
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from memcon.client.media_batch import Batch, load_sendmmsg, sockaddr
from memcon.client.media_late import Late, Waiting
from memcon.errors import LocalError

if TYPE_CHECKING:
    import threading

    import numpy.typing as npt

    from memcon.client.media_late import Faults
    from memcon.clock import Clock

MS: Final = 1_000_000
SILENCE: Final = b"\xd5"  # a zero sample in A-law, and close to one in mu-law (ITU-T G.711)

# What a slice keeps of each stream, one array each.
COLUMNS: Final = ("payload_type", "sequence", "timestamp", "first_frame", "frames", "position", "sent")


class Protect(Protocol):
    """Makes SRTP of a stream's RTP: `roc` is the rollover counter of its sequence number."""

    def rtp(self, packet: bytes, roc: int) -> bytes: ...


@dataclass(frozen=True, slots=True)
class StreamCount:
    """What one stream has done, as for an RTCP sender report (RFC 3550, section 6.4.1)."""

    ssrc: int
    sent: int  # packets handed to the network, repeated ones included
    next_sequence: int
    next_timestamp: int
    packets: int = 0  # sequence numbers used so far
    left_out: tuple[int, ...] = ()  # which of them, from 0, the network never got
    twice: tuple[int, ...] = ()  # and which it got twice

    @property
    def first_sequence(self) -> int:
        """The sequence number of packet 0."""
        return (self.next_sequence - self.packets) & 0xFFFF


@dataclass(slots=True)
class Totals:
    """Packets of all streams of a sender so far."""

    sent: int = 0
    octets: int = 0  # UDP payload of what was sent
    lost: int = 0  # left out on purpose
    repeated: int = 0
    reordered: int = 0
    late_ticks: int = 0  # slices sent more than a packet time after their deadline


class _Slice:
    """The streams that are sent together."""

    def __init__(self, payload_bytes: int, name_bytes: int, trailer: int) -> None:
        self.batch = Batch(16, payload_bytes, name_bytes, trailer)
        self.handles: list[int] = []
        self.payload_type = np.zeros(16, np.int64)
        self.sequence = np.zeros(16, np.int64)
        self.timestamp = np.zeros(16, np.int64)
        self.first_frame = np.zeros(16, np.int64)
        self.frames = np.ones(16, np.int64)
        self.position = np.zeros(16, np.int64)
        self.sent = np.zeros(16, np.int64)

    def grow(self) -> None:
        before = self.batch
        self.batch = before.of(2 * before.capacity)
        self.batch.copy_from(before)
        for name in COLUMNS:
            old = getattr(self, name)
            setattr(self, name, np.concatenate([old, np.ones_like(old)]))

    def move(self, source: int, target: int) -> None:
        """Put the stream of one row in another's place."""
        for name in COLUMNS:
            column = getattr(self, name)
            column[target] = column[source]
        self.batch.names[target] = self.batch.names[source]
        self.batch.packets[target] = self.batch.packets[source]
        self.handles[target] = self.handles[source]


class MediaSender:
    """Sends RTP for many streams from one unconnected UDP socket, which stays the caller's.

    All streams share the packet time `ptime_ms` (ms), the payload size (bytes), the `trailer` that SRTP adds
    (bytes, 0 for RTP) and the `samples` of RTP timestamp a packet; the defaults are G.711. Owned by one
    thread: drive it with `run`, or with
    `next_due_ns` and `send_due`. Raises LocalError for streams that do not fit these.
    """

    def __init__(
        self,
        clock: Clock,
        sock: socket.socket,
        *,
        ptime_ms: int = 20,
        payload_bytes: int = 160,
        samples: int = 160,
        slices: int = 10,
        trailer: int = 0,
        faults: Faults | None = None,
    ) -> None:
        if not 1 <= payload_bytes <= 65_000 or ptime_ms < 1 or slices < 1:
            raise LocalError(f"sender of {payload_bytes} bytes each {ptime_ms} ms in {slices} slices")
        self._clock = clock
        self._sock = sock
        self._family = int(sock.family)
        self._payload_bytes = payload_bytes
        self._samples = samples
        self._trailer = trailer
        self._faults = faults
        self._ptime_ns = ptime_ms * MS
        self._slice_ns = self._ptime_ns // slices
        sizes = payload_bytes, 16 if self._family == socket.AF_INET else 28, trailer
        self._slices = [_Slice(*sizes) for _ in range(slices)]
        self._late = Late()
        self._later = Batch(16, *sizes)
        self._protect: dict[int, Protect] = {}
        self._odd: dict[int, dict[int, int]] = {}  # by stream and packet: how often it was sent, if not once
        self._places: dict[int, tuple[_Slice, int]] = {}
        self._next_handle = 0
        self._audio: dict[bytes, int] = {}
        self._frames = np.zeros((0, payload_bytes), np.uint8)
        self._start_ns = clock.monotonic_ns()
        self._ticks = 0
        self._sendmmsg = load_sendmmsg()
        self.totals = Totals()
        self.refused: Counter[int] = Counter()  # packets the kernel did not take, by errno

    def __len__(self) -> int:
        return len(self._places)

    def add(
        self,
        host: str,
        port: int,
        *,
        ssrc: int,
        audio: bytes = b"",
        payload_type: int = 8,
        sequence: int = 0,
        timestamp: int = 0,
        protect: Protect | None = None,
    ) -> int:
        """Start a stream to a literal address, with `audio` played over and over; returns its handle.

        `audio` is cut into packets, the last filled up with A-law silence. The first packet has the marker
        bit (RFC 3551, section 4.1). With a trailer each stream needs what makes SRTP of its packets.
        """
        if (protect is None) == bool(self._trailer):
            raise LocalError("a sender of SRTP has streams of SRTP alone, and one of RTP has none")
        chosen = min(self._slices, key=lambda each: len(each.handles))
        row = len(chosen.handles)
        if row == chosen.batch.capacity:
            chosen.grow()
        batch = chosen.batch
        address = sockaddr(self._family, host, port)
        batch.names[row, : len(address)] = np.frombuffer(address, np.uint8)
        batch.fields["vpxcc"][row] = 0x80
        batch.fields["ssrc"][row] = ssrc
        chosen.payload_type[row] = payload_type & 0x7F
        chosen.sequence[row] = sequence
        chosen.timestamp[row] = timestamp
        chosen.first_frame[row], chosen.frames[row] = self._store_audio(audio)
        chosen.position[row] = 0
        chosen.sent[row] = 0
        handle = self._next_handle
        self._next_handle += 1
        chosen.handles.append(handle)
        self._places[handle] = chosen, row
        self._odd[handle] = {}
        if protect is not None:
            self._protect[handle] = protect
        return handle

    def _store_audio(self, audio: bytes) -> tuple[int, int]:
        """First frame and number of frames in the store; the same audio is stored once."""
        size = self._payload_bytes
        count = max(1, -(-len(audio) // size))
        if audio not in self._audio:
            frames = np.frombuffer(audio.ljust(count * size, SILENCE), np.uint8).reshape(count, size)
            self._audio[audio] = len(self._frames)
            self._frames = np.concatenate([self._frames, frames])
        return self._audio[audio], count

    def count(self, handle: int) -> StreamCount:
        """What the stream has done so far."""
        piece, row = self._place(handle)
        odd = self._odd[handle]
        return StreamCount(
            ssrc=int(piece.batch.fields["ssrc"][row]),
            sent=int(piece.sent[row]),
            next_sequence=int(piece.sequence[row]) & 0xFFFF,
            next_timestamp=int(piece.timestamp[row]) & 0xFFFFFFFF,
            packets=int(piece.position[row]),
            left_out=tuple(sorted(n for n, times in odd.items() if times <= 0)),
            twice=tuple(sorted(n for n, times in odd.items() if times > 1)),
        )

    def remove(self, handle: int) -> StreamCount:
        """End a stream; a packet that was to leave later is never sent."""
        piece, row = self._place(handle)
        self._odd[handle] |= dict.fromkeys(self._late.drop(handle), 0)
        result = self.count(handle)
        del self._places[handle], self._odd[handle]
        self._protect.pop(handle, None)
        last = len(piece.handles) - 1
        piece.move(last, row)
        piece.handles.pop()
        if row != last:
            self._places[piece.handles[row]] = piece, row
        return result

    def _place(self, handle: int) -> tuple[_Slice, int]:
        try:
            return self._places[handle]
        except KeyError:
            raise LocalError(f"no stream {handle} in this sender") from None

    def next_due_ns(self) -> int:
        """When the next slice is to be sent, ns of the monotonic clock."""
        return self._start_ns + self._ticks * self._slice_ns

    def send_due(self, end_ns: int | None = None) -> None:
        """Send all slices whose time has come; those of a late wake-up follow at once, none is skipped.

        Slices due at `end_ns` (monotonic clock) or later are left alone.
        """
        while (due := self.next_due_ns()) <= (now := self._clock.monotonic_ns()):
            if end_ns is not None and due >= end_ns:
                return
            self.totals.late_ticks += now - due > self._ptime_ns
            self._tick(self._slices[self._ticks % len(self._slices)])
            self._ticks += 1

    def run(self, seconds: float, stop: threading.Event | None = None) -> None:
        """Send what is due in so many seconds from now on, or until `stop` is set."""
        self.restart()
        end = self._start_ns + int(seconds * 1e9)
        while self.next_due_ns() < end and not (stop is not None and stop.is_set()):
            wait = self.next_due_ns() - self._clock.monotonic_ns()
            if wait > 0:
                time.sleep(wait / 1e9)
            self.send_due(end)

    def restart(self) -> None:
        """Let the first slice be due now: after a pause that is not to be caught up."""
        self._start_ns = self._clock.monotonic_ns()
        self._ticks = 0

    def _tick(self, piece: _Slice) -> None:
        n = len(piece.handles)
        if n:
            self._fill(piece, n)
            rows = self._rows(piece, n)
            taken = self._send(piece.batch, rows)
            piece.sent[:n] += np.bincount(rows[taken], minlength=n)
            for row in rows[~taken].tolist():
                self._unsent(piece.handles[row], int(piece.position[row]))
            piece.sequence[:n] += 1
            piece.timestamp[:n] += self._samples
            piece.position[:n] += 1
        for waiting in self._late.take(self._ticks):
            self._send_late(waiting)

    def _fill(self, piece: _Slice, n: int) -> None:
        """Write the next packet of each stream."""
        batch = piece.batch
        marker = np.where(piece.position[:n] == 0, 0x80, 0)
        batch.fields["mpt"][:n] = piece.payload_type[:n] | marker
        batch.fields["sequence"][:n] = piece.sequence[:n] & 0xFFFF
        batch.fields["timestamp"][:n] = piece.timestamp[:n] & 0xFFFFFFFF
        frame = piece.first_frame[:n] + piece.position[:n] % piece.frames[:n]
        np.take(self._frames, frame, axis=0, out=batch.payload[:n], mode="clip")
        if self._trailer:
            for row, handle in enumerate(piece.handles):
                plain = batch.packets[row, : -self._trailer].tobytes()
                secret = self._protect[handle].rtp(plain, int(piece.sequence[row]) >> 16)
                batch.packets[row] = np.frombuffer(secret, np.uint8)

    def _send(self, batch: Batch, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Send these rows in this order; which the kernel took."""
        taken, refused = batch.send(self._sendmmsg, self._sock.fileno(), rows)
        count = int(np.count_nonzero(taken))
        self.totals.sent += count
        self.totals.octets += count * batch.packets.shape[1]
        self.refused.update(refused)
        return taken

    def _rows(self, piece: _Slice, n: int) -> npt.NDArray[np.int64]:
        """The rows to send now, each as often as it is sent; what leaves later is put aside."""
        rows = np.arange(n)
        if self._faults is None:
            return rows
        slices = len(self._slices)
        times, late, reordered = self._faults.draw(n, self._ptime_ns / MS / slices, slices)
        self.totals.lost += int(np.count_nonzero(times == 0))
        self.totals.repeated += int(np.count_nonzero(times == 2))
        self.totals.reordered += reordered
        for row in np.flatnonzero(times != 1).tolist():
            self._odd[piece.handles[row]][int(piece.position[row])] = int(times[row])
        later = np.repeat(rows, np.where(late > 0, times, 0))
        if len(later):
            handles = np.array(piece.handles, np.int64)[later]
            batch = piece.batch
            packets = Waiting(handles, piece.position[later], batch.names[later], batch.packets[later])
            self._late.put(self._ticks + late[later], packets)
        return np.repeat(rows, np.where(late > 0, 0, times))

    def _send_late(self, waiting: Waiting) -> None:
        n = len(waiting.handles)
        if n > self._later.capacity:
            self._later = self._later.of(2 * n)
        self._later.names[:n], self._later.packets[:n] = waiting.names, waiting.packets
        taken = self._send(self._later, np.arange(n))
        for handle, index, gone in zip(waiting.handles.tolist(), waiting.index.tolist(), taken, strict=True):
            piece, row = self._places[handle]
            piece.sent[row] += bool(gone)
            if not gone:
                self._unsent(handle, index)

    def _unsent(self, handle: int, index: int) -> None:
        """The kernel did not take this packet of a stream, once."""
        odd = self._odd[handle]
        odd[index] = odd.get(index, 1) - 1
