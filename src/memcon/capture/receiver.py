"""The batch RTP receiver: a sweep over thousands of UDP sockets, one port per stream.

There is no callback. Every 150 ms or so the owner calls `Receiver.sweep`, which empties each socket with
one `recvmmsg(MSG_DONTWAIT)` into reused memory and reads lengths, kernel timestamps and source addresses as
arrays. Sockets that are seldom written to, such as those of RTCP, are asked for with one epoll all together,
and only those that have something are visited. Between sweeps the kernel's own buffers hold the packets: the
default of 212,992 bytes is 256 packets of G.711, 5.1 s of a stream, and needs no privilege, so a pause for
sealing or for a disk loses nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import select
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from memcon.capture.media_rows import SO_TIMESTAMPNS, Output, Rows, load_recvmmsg
from memcon.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from memcon.clock import Clock

SO_MEMINFO: Final = 55  # asm-generic/socket.h, Linux 4.12; nine u32, the last is sk_drops
SETTLE_NS: Final = 20_000_000  # a packet is stamped before it is queued: time the network stack may take
ERRORS_PER_VISIT: Final = 16  # errors a socket may return in one visit before it has to wait for the next
LAST_DRAIN: Final = 1 << 20  # packets at most when a socket is closed, so that a flood cannot hold us
NEVER: Final = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Sweep:
    """What one pass over the sockets found; packets of one stream are contiguous and in their order.

    The arrays of `Receiver.sweep` are views of reused memory, valid until the next `sweep`; those of
    `Receiver.remove` are the caller's own.
    """

    wall_ns: int  # both clocks, read together at the start of the sweep
    monotonic_ns: int
    watermark_ns: int  # CLOCK_REALTIME: every packet stamped before this is in this sweep or an earlier one
    stream: npt.NDArray[np.uint32]  # [n] stream id given to add()
    arrival: npt.NDArray[np.int64]  # [n] kernel receive time, ns CLOCK_REALTIME
    length: npt.NDArray[np.uint16]  # [n] bytes of UDP payload
    data: npt.NDArray[np.uint8]  # [sum(length)] the packets back to back
    sources: list[tuple[int, int, bytes]]  # (row, stream id, sockaddr) where a source is new or changed


class Receiver:
    """Receives from many UDP sockets; owned by one thread.

    `batch` messages are asked for per system call, `rows` of `row_bytes` are filled before they are
    moved out; larger packets continue in an overflow area. At most `burst` packets are taken from
    one socket per sweep, and a sweep stops after about `sweep_bytes` and goes on where it stopped next
    time: one flooded port never starves the others, and the watermark says what is still queued.

    The watermark covers the streams added before the sweep. It is the start of the sweep less `settle_ns`,
    and it may go back when the wall clock is stepped back.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        batch: int = 64,
        rows: int = 1024,
        row_bytes: int = 2048,
        burst: int = 4096,
        sweep_bytes: int = 64 << 20,
        settle_ns: int = SETTLE_NS,
    ) -> None:
        if not 1 <= batch <= rows or row_bytes < 1 or burst < 1:
            raise LocalError(f"receiver of batch {batch}, rows {rows}, row_bytes {row_bytes}, burst {burst}")
        self._clock = clock
        self._batch = batch
        self._burst = burst
        self._sweep_bytes = sweep_bytes
        self._settle_ns = settle_ns
        self._recvmmsg = load_recvmmsg()
        self._rows = Rows(rows, row_bytes)
        self._out = Output(16_384, 4 << 20)
        self._epoll = select.epoll()  # of the quiet sockets
        self._quiet_slots: dict[int, int] = {}  # descriptor -> slot
        self._resume = 0  # the slot at which an early stop left off
        self._watermark_ns = clock.wall_ns() - settle_ns
        self._socket_errors = 0
        self._broken: set[int] = set()
        # The kernel stamps packets only while some socket asks for it, and switches that on with a delay:
        # this socket keeps it on, so that a call's first packets are stamped on arrival too.
        self._keeper = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._keeper.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._slots: dict[int, int] = {}  # stream id -> slot
        self._sockets: dict[int, socket.socket] = {}  # slot -> socket
        self._closed_drops: dict[int, int] = {}
        self._free: list[int] = []
        self._allocate(256)
        # The rows filled so far and whose they are
        self._filled = 0
        self._run_slots: list[int] = []
        self._run_counts: list[int] = []

    def _allocate(self, capacity: int) -> None:
        self._stream = np.zeros(capacity, np.uint32)
        self._fd = np.full(capacity, -1, np.int64)
        self._quiet = np.zeros(capacity, np.bool_)
        self._fresh = np.zeros(capacity, np.bool_)
        self._connected = np.zeros(capacity, np.bool_)
        self._source = np.zeros((capacity, 4), np.uint64)
        self._complete = np.full(capacity, NEVER, np.int64)  # everything stamped before this was taken
        self._drops = np.zeros(capacity, np.int64)
        self._packets = np.zeros(capacity, np.int64)
        self._free.extend(range(capacity - 1, -1, -1))

    def _grow(self) -> None:
        before = len(self._fd)
        columns = ("_stream", "_fd", "_quiet", "_fresh", "_connected", "_source", "_complete", "_drops")
        for name in (*columns, "_packets"):
            old = getattr(self, name)
            new = np.zeros((2 * before, *old.shape[1:]), old.dtype)
            new[:before] = old
            setattr(self, name, new)
        self._fd[before:] = -1
        self._complete[before:] = NEVER
        self._free.extend(range(2 * before - 1, before - 1, -1))

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def socket_errors(self) -> int:
        """Errors the kernel reported on sockets (ICMP unreachable and the like); no packet is lost by one."""
        return self._socket_errors

    @property
    def broken(self) -> frozenset[int]:
        """Streams whose socket was closed by someone else: a defect; they are swept no more."""
        return frozenset(self._broken)

    @property
    def unstamped(self) -> int:
        """Packets without a kernel timestamp; they bear the start of their sweep."""
        return self._rows.unstamped

    @property
    def truncated(self) -> int:
        """Packets the kernel cut; stays 0, since the overflow area takes the largest UDP payload."""
        return self._rows.truncated

    def add(
        self, stream_id: int, sock: socket.socket, *, quiet: bool = False, since_ns: int | None = None
    ) -> None:
        """Take over a bound UDP socket; a `quiet` one is visited only in sweeps that find something in it.

        `since_ns` (wall) is a time before it was bound, where that was before the last sweep: packets may
        be as old, and the watermark goes back to there until it is swept.
        A socket that is to be connected to its peer must be so before: ICMP errors then reach it, and it is
        read until it says that it is empty.
        """
        if stream_id in self._slots:
            raise LocalError(f"stream {stream_id} has a socket already")
        self._closed_drops.pop(stream_id, None)
        if not 0 <= stream_id < 2**32:
            raise LocalError(f"stream {stream_id} is no 32-bit number")
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        if not self._free:
            self._grow()
        slot = self._free.pop()
        self._slots[stream_id] = slot
        self._sockets[slot] = sock
        self._stream[slot] = stream_id
        self._fd[slot] = sock.fileno()
        self._quiet[slot] = quiet
        if quiet:
            self._quiet_slots[sock.fileno()] = slot
            self._epoll.register(sock.fileno(), select.EPOLLIN)
        self._fresh[slot] = True
        self._connected[slot] = _is_connected(sock)
        self._source[slot] = 0
        known = self._watermark_ns + self._settle_ns
        self._complete[slot] = known if since_ns is None else min(known, since_ns)  # until it is swept
        self._drops[slot] = self._packets[slot] = 0

    def remove(self, stream_id: int) -> Sweep:
        """Drain a stream's socket a last time, note its drops, close it.

        The packets are the caller's own memory; the watermark is that of the last sweep.
        """
        slot = self._slot(stream_id)
        wall_ns, monotonic_ns = self._clock.wall_ns(), self._clock.monotonic_ns()
        out = Output(self._batch, self._batch * 256)
        sources: list[tuple[int, int, bytes]] = []
        if self._fd[slot] >= 0:
            self._drain(int(self._fd[slot]), slot, LAST_DRAIN, out, sources, wall_ns)
        self._unload(out, sources, wall_ns)
        sock = self._sockets.pop(slot)
        self._listen_no_more(slot, sock.fileno())
        self._closed_drops[stream_id] = self._read_drops(slot, sock)
        sock.close()
        self._broken.discard(stream_id)
        del self._slots[stream_id]
        self._fd[slot] = -1
        self._complete[slot] = NEVER
        self._fresh[slot] = False
        self._free.append(slot)
        return _sweep(wall_ns, monotonic_ns, self._watermark_ns, out, sources)

    def _listen_no_more(self, slot: int, fd: int) -> None:
        """To be done before a quiet socket is closed: it stays open where another process holds it too."""
        if self._quiet_slots.get(fd) == slot:
            del self._quiet_slots[fd]
            with contextlib.suppress(OSError):  # someone else has closed it
                self._epoll.unregister(fd)

    def _due(self) -> npt.NDArray[np.int64]:
        """The slots to visit. What is due and was not visited in the last sweep comes first."""
        wanted = (self._fd >= 0) & (self._fresh | ~self._quiet)
        if self._quiet_slots:
            ready = self._epoll.poll(0, len(self._quiet_slots))
            wanted[[self._quiet_slots[fd] for fd, _ in ready]] = True
        due = np.flatnonzero(wanted)
        return np.roll(due, -int(np.searchsorted(due, self._resume)))

    def _slot(self, stream_id: int) -> int:
        try:
            return self._slots[stream_id]
        except KeyError:
            raise LocalError(f"stream {stream_id} has no socket here") from None

    def sweep(self) -> Sweep:
        """Take what has arrived on every socket that is due.

        The arrays are views of reused memory, valid until the next sweep.
        """
        wall_ns, monotonic_ns = self._clock.wall_ns(), self._clock.monotonic_ns()
        out, sources = self._out, list[tuple[int, int, bytes]]()
        out.clear()
        due = self._due()
        before = self._complete[due]
        self._complete[due] = wall_ns
        self._complete[self._quiet & (self._fd >= 0)] = wall_ns  # nothing lay in those that are not due
        visited = self._pass(due, wall_ns, out, sources)
        self._complete[due[visited:]] = before[visited:]
        self._fresh[due[:visited]] = False
        self._resume = int(due[visited]) if visited < len(due) else 0
        held_back = int(self._complete.min()) if self._slots else wall_ns
        self._watermark_ns = min(held_back, wall_ns) - self._settle_ns
        return _sweep(wall_ns, monotonic_ns, self._watermark_ns, out, sources)

    def _pass(
        self, due: npt.NDArray[np.int64], wall_ns: int, out: Output, sources: list[tuple[int, int, bytes]]
    ) -> int:
        """Visit the due sockets; returns how many were visited before `sweep_bytes` was reached."""
        recvmmsg, pointers = self._recvmmsg, self._rows.pointers
        batch, dontwait = self._batch, int(socket.MSG_DONTWAIT)
        high = self._rows.rows - batch
        run_slots, run_counts = self._run_slots, self._run_counts
        filled = 0
        targets = zip(self._fd[due].tolist(), due.tolist(), self._connected[due].tolist(), strict=True)
        for visited, (fd, slot, connected) in enumerate(targets):
            if filled > high:
                self._filled = filled
                self._unload(out, sources, wall_ns)
                filled = 0
                if out.octets >= self._sweep_bytes:
                    return visited
            got = recvmmsg(fd, pointers[filled], batch, dontwait, None)
            if 0 < got < batch and not connected:  # fewer than asked for: the socket is empty
                run_slots.append(slot)
                run_counts.append(got)
                filled += got
            elif got >= 0 or ctypes.get_errno() != errno.EAGAIN:
                self._filled = filled
                self._go_on(fd, slot, got, out, sources, wall_ns)
                filled = self._filled
        self._filled = filled
        self._unload(out, sources, wall_ns)
        return len(due)

    def _go_on(
        self, fd: int, slot: int, got: int, out: Output, sources: list[tuple[int, int, bytes]], wall_ns: int
    ) -> None:
        """After a first call that did not show the socket empty."""
        if got < 0:
            if not self._note_error(slot):
                return
            got = 0
        self._keep(slot, got)
        if self._drain(fd, slot, self._burst - got, out, sources, wall_ns):
            return
        # What is left behind was queued after the last packet taken, so the watermark stops there.
        self._unload(out, sources, wall_ns)
        mine = out.count and out.slot[out.count - 1] == slot
        last = int(out.arrival[out.count - 1]) if mine else self._watermark_ns + self._settle_ns
        self._complete[slot] = min(last, wall_ns)

    def _drain(
        self, fd: int, slot: int, limit: int, out: Output, sources: list[tuple[int, int, bytes]], wall_ns: int
    ) -> bool:
        """Read until the socket says it is empty; False if `limit` packets or too many errors came first."""
        errors = 0
        while limit > 0 and errors < ERRORS_PER_VISIT:
            if self._filled > self._rows.rows - self._batch:
                self._unload(out, sources, wall_ns)
            got = self._recvmmsg(
                fd,
                self._rows.pointers[self._filled],
                min(self._batch, limit),
                int(socket.MSG_DONTWAIT),
                None,
            )
            if got >= 0:
                self._keep(slot, got)
                limit -= got
            elif ctypes.get_errno() == errno.EAGAIN or not self._note_error(slot):
                return True
            else:
                errors += 1
        return False

    def _keep(self, slot: int, got: int) -> None:
        if not got:
            return
        if self._run_slots and self._run_slots[-1] == slot:  # a slot is one run, however many calls it took
            self._run_counts[-1] += got
        else:
            self._run_slots.append(slot)
            self._run_counts.append(got)
        self._filled += got

    def _note_error(self, slot: int) -> bool:
        """Count an error of the last call; False if the socket is no socket any more, and is given up."""
        number = ctypes.get_errno()
        self._socket_errors += number != errno.EINTR
        if number not in (errno.EBADF, errno.ENOTSOCK):
            return True
        # Someone closed it behind our back: a defect, but no reason to lose what the others received.
        self._broken.add(int(self._stream[slot]))
        self._listen_no_more(slot, int(self._fd[slot]))
        self._fd[slot] = -1
        self._complete[slot] = NEVER
        return False

    def _unload(self, out: Output, sources: list[tuple[int, int, bytes]], wall_ns: int) -> None:
        if not self._filled:
            return
        self._packets[self._run_slots] += self._run_counts  # a slot has one run here
        sources += self._rows.unload(
            out, self._run_slots, self._run_counts, self._stream, self._source, wall_ns
        )
        self._filled = 0
        self._run_slots.clear()
        self._run_counts.clear()

    def packets(self, stream_id: int) -> int:
        """Packets received so far on a stream's socket; 0 where it has none here."""
        slot = self._slots.get(stream_id)
        return 0 if slot is None else int(self._packets[slot])

    def drops(self, only: Iterable[int] | None = None) -> dict[int, int]:
        """Packets the kernel dropped, by stream id, since each socket was opened; exact, about 1 us a socket.

        A removed stream's last figure is in the first answer after its removal, and then forgotten. With
        `only`, the answer is about those streams alone, as far as they are known.
        """
        wanted = [*self._slots, *self._closed_drops] if only is None else list(only)
        result = {}
        for stream_id in wanted:
            slot = self._slots.get(stream_id)
            if stream_id in self._closed_drops:
                result[stream_id] = self._closed_drops.pop(stream_id)
            elif slot is not None:
                result[stream_id] = self._read_drops(slot, self._sockets[slot])
        return result

    def _read_drops(self, slot: int, sock: socket.socket) -> int:
        so_far = int(self._drops[slot])
        if self._fd[slot] < 0:
            return so_far
        (now,) = struct.unpack_from("=I", sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36), 32)
        self._drops[slot] = so_far + (
            (now - so_far) & 0xFFFFFFFF
        )  # the kernel's counter is 32 bits and wraps
        return int(self._drops[slot])

    def close(self) -> None:
        """Close every socket without reading it."""
        for sock in self._sockets.values():
            sock.close()
        self._keeper.close()
        self._epoll.close()
        self._quiet_slots.clear()
        self._sockets.clear()
        self._slots.clear()
        self._fd[:] = -1
        self._complete[:] = NEVER


def _is_connected(sock: socket.socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


def _sweep(
    wall_ns: int, monotonic_ns: int, watermark_ns: int, out: Output, sources: list[tuple[int, int, bytes]]
) -> Sweep:
    return Sweep(
        wall_ns,
        monotonic_ns,
        watermark_ns,
        out.stream[: out.count],
        out.arrival[: out.count],
        out.length[: out.count],
        out.data[: out.octets],
        sources,
    )
