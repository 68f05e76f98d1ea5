"""The memory that `recvmmsg` writes into, and its reading back without a Python step per packet.

One `Rows` holds a few hundred message headers, each pointing at a 2 KiB row for the packet, an
overflow area for what does not fit there, room for the sender's address and for control data. All of
it is allocated and faulted in once: fresh pages, not Python, are the main cost of a receiver.

Layouts are those of 64-bit Linux (`struct mmsghdr`, recvmmsg(2); `struct cmsghdr`, cmsg(3)).
"""

from __future__ import annotations

import ctypes
import socket
import sys
from typing import TYPE_CHECKING, Final

import numpy as np

from memcon.clock import NS
from memcon.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

SCM_TIMESTAMPNS: Final = 35  # asm-generic/socket.h; Python's socket module does not name it
SO_TIMESTAMPNS: Final = 35
LARGEST: Final = 65_536  # more than any UDP payload: 65,507 over IPv4, 65,527 over IPv6 (RFC 768, RFC 8200)
NAME_BYTES: Final = 32  # sockaddr_in6 is 28, kept in four words
STAMP_BYTES: Final = 32  # CMSG_LEN(sizeof(struct timespec))

# struct mmsghdr { struct msghdr { void *name; socklen_t namelen; struct iovec *iov; size_t iovlen;
#                  void *control; size_t controllen; int flags; }; unsigned int len; }
HEADER: Final = np.dtype(
    {
        "names": ["name", "namelen", "iov", "iovlen", "control", "controllen", "flags", "len"],
        "formats": ["u8", "u4", "u8", "u8", "u8", "u8", "i4", "u4"],
        "offsets": [0, 8, 16, 24, 32, 40, 48, 56],
        "itemsize": 64,
    }
)
IOVEC: Final = np.dtype([("base", "u8"), ("len", "u8")])
# The first control message when only SO_TIMESTAMPNS is on; the kernel writes the timestamp first anyway.
CONTROL: Final = np.dtype(
    [("len", "u8"), ("level", "i4"), ("type", "i4"), ("sec", "i8"), ("nsec", "i8"), ("rest", "V32")]
)


def load_recvmmsg() -> Callable[..., int]:
    """The C library's recvmmsg(2), called with the interpreter's lock held.

    A non-blocking receive never waits, and giving the lock away at each socket would let any busy
    thread keep it for 5 ms, two thousand times a sweep.
    """
    if sys.platform != "linux" or sys.maxsize <= 2**32:
        raise MachineError(
            f"the media receiver needs 64-bit Linux, this is {sys.platform}", cure="Record on a Linux host"
        )
    # Without argtypes ctypes hands plain ints over as C ints and c_void_p objects as pointers, with no
    # conversion object per argument: about 0.3 us a call less.
    function: Callable[..., int] = ctypes.PyDLL(None, use_errno=True).recvmmsg
    return function


class Output:
    """Growing, reused arrays that hold one sweep; memory is faulted in when it grows, not when it is used."""

    def __init__(self, packets: int, octets: int) -> None:
        self.count = 0
        self.octets = 0
        self._allocate(packets, octets)

    def _allocate(self, packets: int, octets: int) -> None:
        self.slot = np.full(packets, 0, np.int64)
        self.stream = np.full(packets, 0, np.uint32)
        self.arrival = np.full(packets, 0, np.int64)
        self.length = np.full(packets, 0, np.uint16)
        self.data = np.full(octets, 0, np.uint8)

    def clear(self) -> None:
        self.count = 0
        self.octets = 0

    def reserve(self, packets: int, octets: int) -> None:
        """Make room for so many more packets and bytes, keeping what is there."""
        have_packets, have_octets = len(self.arrival), len(self.data)
        need_packets, need_octets = self.count + packets, self.octets + octets
        if need_packets <= have_packets and need_octets <= have_octets:
            return
        slot, stream, arrival, length, data = self.slot, self.stream, self.arrival, self.length, self.data
        self._allocate(
            have_packets if need_packets <= have_packets else max(2 * have_packets, need_packets),
            have_octets if need_octets <= have_octets else max(2 * have_octets, need_octets),
        )
        kept = slice(0, self.count)
        self.slot[kept] = slot[kept]
        self.stream[kept] = stream[kept]
        self.arrival[kept] = arrival[kept]
        self.length[kept] = length[kept]
        self.data[: self.octets] = data[: self.octets]


class Rows:
    """A fixed set of message headers with their buffers; `pointers[i]` is the address of header i."""

    def __init__(self, rows: int, row_bytes: int) -> None:
        self.rows = rows
        self.row_bytes = row_bytes
        self.unstamped = 0  # packets whose control data held no timestamp
        self.truncated = 0  # packets the kernel had to cut; the overflow area makes that impossible
        self._bytes = np.full((rows, row_bytes), 0, np.uint8)
        self._overflow = np.zeros((rows, LARGEST), np.uint8)  # untouched, hence free, until a large packet
        self._names = np.full((rows, NAME_BYTES // 8), 0, np.uint64)
        self._control = np.full(rows, 0, CONTROL)
        self._iovecs = np.full((rows, 2), 0, IOVEC)
        self._headers = np.full(rows, 0, HEADER)
        self._namelen = self._headers["namelen"]
        self._controllen = self._headers["controllen"]
        self._lengths = self._headers["len"]
        self._flags = self._headers["flags"]
        self._point()
        base = self._headers.ctypes.data
        self.pointers = [ctypes.c_void_p(base + row * HEADER.itemsize) for row in range(rows)]

    def _point(self) -> None:
        each = np.arange(self.rows, dtype=np.uint64)
        self._iovecs["base"][:, 0] = self._bytes.ctypes.data + each * np.uint64(self.row_bytes)
        self._iovecs["len"][:, 0] = self.row_bytes
        self._iovecs["base"][:, 1] = self._overflow.ctypes.data + each * np.uint64(LARGEST)
        self._iovecs["len"][:, 1] = LARGEST
        self._headers["iov"] = self._iovecs.ctypes.data + each * np.uint64(2 * IOVEC.itemsize)
        self._headers["iovlen"] = 2
        self._headers["name"] = self._names.ctypes.data + each * np.uint64(NAME_BYTES)
        self._headers["control"] = self._control.ctypes.data + each * np.uint64(CONTROL.itemsize)
        self._reset(self.rows)

    def _reset(self, count: int) -> None:
        # The kernel overwrites both sizes with what it used; a short address leaves the tail of a long one.
        self._namelen[:count] = NAME_BYTES
        self._controllen[:count] = CONTROL.itemsize
        self._names[:count] = 0

    def unload(
        self,
        out: Output,
        slots: list[int],
        counts: list[int],
        streams: npt.NDArray[np.uint32],
        known: npt.NDArray[np.uint64],
        fallback_ns: int,
    ) -> list[tuple[int, int, bytes]]:
        """Move the first sum(counts) rows to the end of `out`, and free them.

        `slots[i]` filled `counts[i]` rows, in row order. `streams` maps a slot to its stream id, `known`
        (four words a slot) is the slot's last source address and is brought up to date. `fallback_ns`
        stands in for a missing timestamp. Returns (row of the sweep, stream id, sockaddr) for each
        packet whose source differs from the one before.
        """
        n = sum(counts)
        lengths = self._lengths[:n].astype(np.int64)
        octets = int(lengths.sum())
        out.reserve(n, octets)
        here = slice(out.count, out.count + n)
        slot = out.slot[here]
        slot[:] = np.repeat(np.array(slots, np.int64), counts)
        out.stream[here] = streams[slot]
        out.length[here] = lengths
        self._stamps(n, out.arrival[here], fallback_ns)
        self._compact(lengths, out.data[out.octets : out.octets + octets])
        self.truncated += int(np.count_nonzero(self._flags[:n] & socket.MSG_TRUNC))
        sources = self._sources(n, slots, counts, out, known)
        out.count += n
        out.octets += octets
        self._reset(n)
        return sources

    def _stamps(self, n: int, arrival: npt.NDArray[np.int64], fallback_ns: int) -> None:
        control = self._control[:n]
        good = (
            (self._controllen[:n] >= STAMP_BYTES)
            & (control["len"] == STAMP_BYTES)
            & (control["level"] == socket.SOL_SOCKET)
            & (control["type"] == SCM_TIMESTAMPNS)
        )
        np.multiply(control["sec"], NS, out=arrival)
        arrival += control["nsec"]
        if not good.all():
            for row in np.flatnonzero(~good).tolist():
                stamp = find_stamp(control[row].tobytes()[: int(self._controllen[row])])
                self.unstamped += stamp is None
                arrival[row] = fallback_ns if stamp is None else stamp

    def _compact(self, lengths: npt.NDArray[np.int64], data: npt.NDArray[np.uint8]) -> None:
        """Copy the packets back to back: one strided copy per distinct length."""
        n = len(lengths)
        shortest, longest = int(lengths.min()), int(lengths.max())
        if shortest == longest <= self.row_bytes:  # the ordinary case: one codec everywhere
            data.reshape(n, longest)[:] = self._bytes[:n, :longest]
            return
        starts = np.cumsum(lengths) - lengths
        order = np.argsort(lengths, kind="stable")
        edges = np.flatnonzero(np.diff(lengths[order])) + 1
        for group in np.split(order, edges):
            size = int(lengths[group[0]])
            if size > self.row_bytes:
                self._copy_large(group.tolist(), starts, size, data)
            elif size:
                # Items of `size` bytes at every byte of `data`: fancy assignment then copies whole packets.
                windows = np.ndarray((len(data) - size + 1,), f"V{size}", data, strides=(1,))
                rows = np.ndarray((n,), f"V{size}", self._bytes, strides=(self.row_bytes,))
                windows[starts[group]] = rows[group]

    def _copy_large(
        self, group: list[int], starts: npt.NDArray[np.int64], size: int, data: npt.NDArray[np.uint8]
    ) -> None:
        for row in group:
            start, middle = int(starts[row]), int(starts[row]) + self.row_bytes
            data[start:middle] = self._bytes[row]
            data[middle : start + size] = self._overflow[row, : size - self.row_bytes]

    def _sources(
        self, n: int, slots: list[int], counts: list[int], out: Output, known: npt.NDArray[np.uint64]
    ) -> list[tuple[int, int, bytes]]:
        names = self._names[:n]
        ends = np.cumsum(counts)
        before = np.empty_like(names)
        before[1:] = names[:-1]
        before[ends - counts] = known[slots]  # the first row of a run follows the run of an earlier sweep
        known[slots] = names[ends - 1]
        changed = np.flatnonzero((names != before).any(axis=1))
        return [
            (
                out.count + row,
                int(out.stream[out.count + row]),
                names[row].tobytes()[: int(self._namelen[row])],
            )
            for row in changed.tolist()
        ]


def find_stamp(control: bytes) -> int | None:
    """The SCM_TIMESTAMPNS of a control buffer in any layout, ns since 1970, or None.

    Control messages are `size_t len; int level; int type;` and data, each padded to 8 bytes (cmsg(3)).
    """
    at = 0
    while at + 16 <= len(control):
        size = int.from_bytes(control[at : at + 8], sys.byteorder)
        level = int.from_bytes(control[at + 8 : at + 12], sys.byteorder, signed=True)
        kind = int.from_bytes(control[at + 12 : at + 16], sys.byteorder, signed=True)
        if size < 16 or at + size > len(control):
            return None
        if (level, kind) == (socket.SOL_SOCKET, SCM_TIMESTAMPNS) and size >= STAMP_BYTES:
            seconds = int.from_bytes(control[at + 16 : at + 24], sys.byteorder, signed=True)
            rest = int.from_bytes(control[at + 24 : at + 32], sys.byteorder, signed=True)
            return seconds * NS + rest
        at += (size + 7) & ~7
    return None
