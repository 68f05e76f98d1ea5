"""Sockets that outlive the process that reads them: the supervisor holds a second descriptor of each.

Between capture and its supervisor lies one socket pair (AF_UNIX, SOCK_SEQPACKET). Capture gives a
descriptor of every socket it opens (SCM_RIGHTS); what has left it is safe at once, in the kernel,
whether or not the supervisor has looked yet. While anyone holds a descriptor the port stays bound
and the kernel goes on receiving: 256 packets of a stream, some hundred datagrams of SIP. A capture
that is started after a death is first given all that is held, then goes on (see `takeover`).

One datagram is one message: u8 kind, u16 length of the name, name, then a note; the descriptors
stand in the ancillary data. Names: `udp://`, `tcp://` and `tls://ADDRESS:PORT` (what is listened on),
`flow:LOCAL|REMOTE` (a connection; its note is what was read of a message that has not ended),
`media:PORT` (RTP and RTCP).
"""

from __future__ import annotations

import array
import contextlib
import os
import select
import socket
import struct
from collections import deque
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from memcon.errors import FormatError, MachineError

if TYPE_CHECKING:
    from collections.abc import Sequence

WHAT = "hand-over message"
MAX_MESSAGE: Final = 96 << 10  # a note is the beginning of one SIP message
MAX_FDS: Final = 2
TAKE_SECONDS: Final = 10.0
_HEAD: Final = struct.Struct(">BH")
_INT: Final = array.array("i").itemsize


class Kind(IntEnum):
    """What a message says. ALIVE is the watchdog's; END closes what a new capture is given: its note says
    when the one before was last heard of (monotonic, ns, in decimal digits)."""

    KEEP = 1
    NOTE = 2
    FORGET = 3
    ALIVE = 4
    END = 5


@dataclass(slots=True)
class Held:
    """What is held under a name: descriptors, and what was noted with them."""

    fds: tuple[int, ...] = ()
    note: bytes = b""

    def close(self) -> None:
        """Let go of the descriptors."""
        for fd in self.fds:
            with contextlib.suppress(OSError):
                os.close(fd)
        self.fds = ()


def encode(kind: Kind, name: str = "", note: bytes = b"") -> bytes:
    """A message without its descriptors."""
    label = name.encode("utf-8")
    return _HEAD.pack(kind, len(label)) + label + note


def decode(data: bytes) -> tuple[Kind, str, bytes]:
    """(kind, name, note); raises FormatError."""
    try:
        kind, length = _HEAD.unpack_from(data)
        name = data[_HEAD.size : _HEAD.size + length]
        if len(name) != length:
            raise FormatError(WHAT, "ends within its name")
        return Kind(kind), name.decode("utf-8"), data[_HEAD.size + length :]
    except (struct.error, ValueError) as error:
        raise FormatError(WHAT, f"cannot be read: {error}") from error


def send(sock: socket.socket, data: bytes, fds: Sequence[int] = (), *, wait: bool = False) -> None:
    """Send one message whole. Raises OSError, a BlockingIOError where there is no room and no `wait`."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    sock.sendmsg([data], rights, 0 if wait else socket.MSG_DONTWAIT)


def receive(sock: socket.socket, flags: int = 0) -> tuple[bytes, tuple[int, ...]]:
    """One message and its descriptors, closed on exec; b"" when the other end is gone. Raises OSError."""
    size = socket.CMSG_SPACE(MAX_FDS * _INT)
    data, ancillary, _, _ = sock.recvmsg(MAX_MESSAGE, size, flags | socket.MSG_CMSG_CLOEXEC)
    fds = array.array("i")
    for level, kind, rights in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(rights[: len(rights) - len(rights) % _INT])
    return data, tuple(fds)


class Handover:
    """Capture's end. Without a socket (no supervisor) nothing is held and nothing is given."""

    def __init__(self, sock: socket.socket | None = None) -> None:
        self.sock = sock
        self._waiting: deque[tuple[bytes, tuple[int, ...]]] = deque()
        self.silent_since: int | None = None
        """When the one before gave its last sign of life (monotonic, ns); None where there was none."""

    def wait(self) -> None:
        """Wait until the supervisor speaks, or is gone: a spare has nothing to do before that."""
        if self.sock is not None:
            poll = select.poll()
            poll.register(self.sock, select.POLLIN)
            poll.poll()

    def take(self) -> dict[str, Held]:
        """What a former capture has left with the supervisor. Raises MachineError when it does not come."""
        held: dict[str, Held] = {}
        if self.sock is None:
            return held
        self.sock.settimeout(TAKE_SECONDS)
        try:
            while True:
                data, fds = receive(self.sock)
                if not data:
                    raise MachineError("the supervisor is gone")
                kind, name, note = decode(data)
                if kind is Kind.END:
                    self.silent_since = int(note) if note.isdigit() else None
                    return held
                held[name] = Held(fds, note)
        except OSError as error:
            raise MachineError(f"the supervisor does not hand over its sockets: {error}") from error
        finally:
            self.sock.setblocking(False)

    def keep(self, name: str, *sockets: socket.socket, note: bytes = b"") -> None:
        """Give the supervisor a descriptor of each."""
        self._put(encode(Kind.KEEP, name, note), tuple(sock.fileno() for sock in sockets))

    def note(self, name: str, note: bytes) -> None:
        """Replace what is noted with a name."""
        self._put(encode(Kind.NOTE, name, note))

    def forget(self, name: str) -> None:
        """These sockets are closed here: close them there too."""
        self._put(encode(Kind.FORGET, name))

    def alive(self) -> None:
        """Say that this process does its work; also what waited for room."""
        if self._waiting:
            self._flush()
        else:
            self._put(encode(Kind.ALIVE))

    def gone(self) -> bool:
        """Whether the supervisor has ended. To be asked when the socket can be read: it says no more."""
        if self.sock is None:
            return False
        try:
            return not receive(self.sock, socket.MSG_DONTWAIT)[0]
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _put(self, data: bytes, fds: tuple[int, ...] = ()) -> None:
        """Send in order. What finds no room waits, with descriptors of its own: its caller may close his."""
        if not self._waiting and self._sent(data, fds):
            return
        self._waiting.append((data, tuple(map(os.dup, fds))))
        self._flush()

    def _flush(self) -> None:
        while self._waiting and self._sent(*self._waiting[0]):
            Held(self._waiting.popleft()[1]).close()

    def _sent(self, data: bytes, fds: tuple[int, ...]) -> bool:
        """False where there is no room now. Where nobody is left to take it, it counts as sent."""
        if self.sock is None:
            return True
        try:
            send(self.sock, data, fds)
        except BlockingIOError:
            return False
        except OSError:
            return True  # the supervisor is gone: this process will find out, and end
        return True
