"""Messages for `sendmmsg`, built once and chosen by index: what the paced sender hands to the kernel.

Layouts are those of 64-bit Linux (`struct mmsghdr`, sendmmsg(2)).
"""

from __future__ import annotations

import ctypes
import errno
import socket
import sys
from typing import TYPE_CHECKING, Final

import numpy as np

from memcon.errors import LocalError, MachineError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

NAME_BYTES: Final = 32
RTP_BYTES: Final = 12
# struct mmsghdr { struct msghdr { void *name; socklen_t namelen; struct iovec *iov; size_t iovlen;
#                  void *control; size_t controllen; int flags; }; unsigned int len; }
HEADER: Final = np.dtype(
    {
        "names": ["name", "namelen", "iov", "iovlen"],
        "formats": ["u8", "u4", "u8", "u8"],
        "offsets": [0, 8, 16, 24],
        "itemsize": 64,
    }
)
IOVEC: Final = np.dtype([("base", "u8"), ("len", "u8")])
# The fixed header of RFC 3550, section 5.1, big-endian.
RTP: Final = np.dtype(
    [("vpxcc", "u1"), ("mpt", "u1"), ("sequence", ">u2"), ("timestamp", ">u4"), ("ssrc", ">u4")]
)


def load_sendmmsg() -> Callable[..., int]:
    """The C library's sendmmsg(2); a call sends a few dozen packets and gives the interpreter's lock away."""
    if sys.platform != "linux" or sys.maxsize <= 2**32:
        raise MachineError(f"the media sender needs 64-bit Linux, this is {sys.platform}")
    function: Callable[..., int] = ctypes.CDLL(None, use_errno=True).sendmmsg
    return function


def sockaddr(family: int, host: str, port: int) -> bytes:
    """The kernel's `struct sockaddr_in` or `sockaddr_in6` of a literal address (ip(7), ipv6(7))."""
    head = family.to_bytes(2, sys.byteorder) + port.to_bytes(2, "big")
    try:
        if family == socket.AF_INET:
            return head + socket.inet_pton(socket.AF_INET, host) + bytes(8)
        return head + bytes(4) + socket.inet_pton(socket.AF_INET6, host) + bytes(4)
    except OSError:
        raise LocalError(f"{host!r} is no literal address of the sender's family") from None


class Batch:
    """The messages of up to `capacity` streams: row i is stream i's packet and its address.

    `trailer` bytes follow the payload: what SRTP adds.
    """

    def __init__(self, capacity: int, payload_bytes: int, name_bytes: int, trailer: int = 0) -> None:
        self.capacity = capacity
        self._sizes = payload_bytes, name_bytes, trailer
        size = RTP_BYTES + payload_bytes + trailer
        self.packets = np.zeros((capacity, size), np.uint8)
        # Fields of packed rows: a view with the row as stride, unaligned, which numpy handles.
        self.fields = np.ndarray((capacity,), RTP, self.packets, strides=(size,))
        self.payload = self.packets[:, RTP_BYTES : RTP_BYTES + payload_bytes]
        self.names = np.zeros((capacity, NAME_BYTES), np.uint8)
        self._iovecs = np.zeros(capacity, IOVEC)
        self._ready = np.zeros(capacity, HEADER)
        self._chosen = np.zeros(2 * capacity, HEADER)  # each at most: sent, and once more
        self._at = self._chosen.ctypes.data
        each = np.arange(capacity, dtype=np.uint64)
        self._iovecs["base"] = self.packets.ctypes.data + each * np.uint64(size)
        self._iovecs["len"] = size
        self._ready["iov"] = self._iovecs.ctypes.data + each * np.uint64(IOVEC.itemsize)
        self._ready["iovlen"] = 1
        self._ready["namelen"] = name_bytes
        self._ready["name"] = self.names.ctypes.data + each * np.uint64(NAME_BYTES)

    def of(self, capacity: int) -> Batch:
        """An empty batch of another capacity for packets of the same kind."""
        return Batch(capacity, *self._sizes)

    def copy_from(self, other: Batch) -> None:
        """Take over the packets and addresses of a smaller batch."""
        self.packets[: other.capacity] = other.packets
        self.names[: other.capacity] = other.names

    def send(
        self, sendmmsg: Callable[..., int], fd: int, rows: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.bool_], dict[int, int]]:
        """Send these rows in this order; which of them the kernel took, and how often it refused, by errno.

        A refused packet is not tried again: a live sender's packet would be late.
        """
        count = len(rows)
        self._chosen[:count] = self._ready[rows]
        taken = np.ones(count, np.bool_)
        refused: dict[int, int] = {}
        done = 0
        while done < count:
            address = ctypes.c_void_p(self._at + done * HEADER.itemsize)
            got = sendmmsg(fd, address, min(count - done, 1024), int(socket.MSG_DONTWAIT))
            if got >= 0:
                done += got
                continue
            number = ctypes.get_errno()
            if number == errno.EINTR:
                continue
            refused[number] = refused.get(number, 0) + 1
            taken[done] = False
            done += 1
        return taken, refused
