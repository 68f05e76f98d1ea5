"""UDP ports for media: even for RTP, the next odd one for RTCP (RFC 3550, section 11), each its own stream.

A port that a call has used rests before another call gets it, since late packets of the old call
would otherwise enter the record of the new one. What is taken is also given to the supervisor to
hold, so that a successor of this process finds it bound and full.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import re
import resource
import socket
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from memcon.capture.media_rows import SO_TIMESTAMPNS
from memcon.clock import NS
from memcon.errors import LocalError, MachineError, UsageError

if TYPE_CHECKING:
    from memcon.capture.handover import Handover
    from memcon.clock import Clock

QUARANTINE_NS: Final = 5 * NS
# What to do when the machine refuses a socket for a reason that no other port would cure.
CURES: Final = {
    errno.EADDRNOTAVAIL: "Set the media address to one this machine has (see `ip address`)",
    errno.EACCES: "Choose media ports above 1023, or grant CAP_NET_BIND_SERVICE",
    errno.EAFNOSUPPORT: "Enable IPv6 on this machine, or use an IPv4 address",
    errno.ENFILE: "Raise the machine's limit: sysctl fs.file-max",
    errno.ENOBUFS: "Free memory, or record fewer calls on this machine",
    errno.ENOMEM: "Free memory, or record fewer calls on this machine",
}


@dataclass(frozen=True, slots=True)
class PortPair:
    """Two bound, non-blocking UDP sockets with kernel timestamps on."""

    port: int  # of RTP, even; RTCP is at port + 1
    rtp: socket.socket
    rtcp: socket.socket

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()


def held_name(port: int) -> str:
    """The name under which the supervisor holds a pair."""
    return f"media:{port}"


def raise_file_limit() -> int:
    """Raise this process's soft limit of open files to the hard one; returns the limit in force.

    To be called once at the start: the usual soft limit of 1,024 is 500 streams.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class PortPool:
    """Hands out port pairs of one address and a range such as "20000-29999", both ends included.

    Pairs are handed out in turn, so that a port rests as long as the range allows, and for `quarantine_ns`
    at the least. `receive_buffer` is the SO_RCVBUF to ask for, in bytes (the kernel doubles it for its
    book-keeping and limits it to net.core.rmem_max); without it the default stays: 212,992 bytes hold
    256 packets of G.711, 5.1 s, for which no privilege is needed.

    Raises UsageError for a range or an address that cannot be.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        address: str,
        ports: str,
        quarantine_ns: int = QUARANTINE_NS,
        receive_buffer: int | None = None,
        handover: Handover | None = None,
    ) -> None:
        self._clock = clock
        self._family, self.address = _parse_address(address)
        self.ports = ports
        self._quarantine_ns = quarantine_ns
        self._receive_buffer = receive_buffer
        self._free = deque(_even_ports(ports))
        self.pairs = len(self._free)
        self._resting: deque[tuple[int, int]] = deque()  # (monotonic ns when free again, port)
        self._taken: dict[int, PortPair] = {}
        self._handover = handover

    @property
    def taken(self) -> int:
        """How many pairs are in use."""
        return len(self._taken)

    @property
    def free(self) -> int:
        """How many pairs could be taken now, unless other programs hold their ports."""
        self._wake()
        return len(self._free)

    def take(self) -> PortPair:
        """Bind the next free pair. A port that another program holds is left alone and tried again later.

        Raises MachineError when no pair is left, the limit of open files is reached, or the address cannot
        be bound.
        """
        self._wake()
        for _ in range(len(self._free)):
            port = self._free.popleft()
            try:
                return self._take(port)
            except OSError as error:
                self._free.append(port)
                if error.errno != errno.EADDRINUSE:
                    raise self._refused(error, port) from error
        raise MachineError(
            f"no media port is left on {self.address} in {self.ports}: {len(self._taken)} pairs in use, "
            f"{len(self._resting)} resting after a call, {len(self._free)} held by other programs",
            cure="Widen the range of media ports",
        )

    def take_again(self, port: int) -> PortPair:
        """Bind a pair that a call of a former instance had. Raises MachineError when it cannot be had."""
        try:
            pair = self._take(port)
        except OSError as error:
            raise self._refused(error, port) from error
        self._not_free(port)
        return pair

    def adopt(self, pair: PortPair) -> PortPair:
        """Take over a pair that is bound already, and that the supervisor holds."""
        self._taken[pair.port] = pair
        self._not_free(pair.port)
        return pair

    def _not_free(self, port: int) -> None:
        with contextlib.suppress(ValueError):  # the range may be another now
            self._free.remove(port)

    def _take(self, port: int) -> PortPair:
        pair = self._taken[port] = self._bind_pair(port)
        if self._handover is not None:
            self._handover.keep(held_name(port), pair.rtp, pair.rtcp)
        return pair

    def give_back(self, pair: PortPair) -> None:
        """Close the pair's sockets if still open, and let its ports rest. Raises LocalError if not ours."""
        if self._taken.get(pair.port) is not pair:
            raise LocalError(f"port {pair.port} was not taken from this pool")
        del self._taken[pair.port]
        pair.close()
        if self._handover is not None:
            self._handover.forget(held_name(pair.port))
        self._resting.append((self._clock.monotonic_ns() + self._quarantine_ns, pair.port))

    def close(self) -> None:
        """Close all pairs in use."""
        for pair in self._taken.values():
            pair.close()
        self._taken.clear()

    def _wake(self) -> None:
        now = self._clock.monotonic_ns()
        while self._resting and self._resting[0][0] <= now:
            self._free.append(self._resting.popleft()[1])

    def _bind_pair(self, port: int) -> PortPair:
        rtp = self._bind(port)
        try:
            return PortPair(port, rtp, self._bind(port + 1))
        except OSError:
            rtp.close()
            raise

    def _bind(self, port: int) -> socket.socket:
        sock = socket.socket(self._family, socket.SOCK_DGRAM)
        try:
            # Before the bind, so that the very first packet is stamped when it arrives.
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            if self._receive_buffer is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
            if self.address == "::":
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # whatever the machine's default
            sock.setblocking(False)
            sock.bind((self.address, port))
        except OSError:
            sock.close()
            raise
        return sock

    def _refused(self, error: OSError, port: int) -> MachineError:
        what = f"media port {port} on {self.address} cannot be opened: {error.strerror}"
        if error.errno == errno.EMFILE:
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            return MachineError(
                f"{what}; this process may open {soft} files (hard limit {hard}) and a stream takes two",
                cure="Raise the limit: LimitNOFILE= in the systemd unit, or `ulimit -n` before the start",
            )
        return MachineError(what, cure=CURES.get(error.errno or 0))


def _parse_address(text: str) -> tuple[socket.AddressFamily, str]:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise UsageError(
            f"media address {text!r} is not an IP address", cure="Write it as 192.0.2.1 or 2001:db8::1"
        ) from None
    return (socket.AF_INET if address.version == 4 else socket.AF_INET6), str(address)


def _even_ports(text: str) -> range:
    """The even ports whose odd neighbour is in the range too."""
    match = re.fullmatch(r"\s*([0-9]{1,5})\s*-\s*([0-9]{1,5})\s*", text)
    first, last = (int(match[1]), int(match[2])) if match else (0, 0)
    evens = range(first + first % 2, last, 2)
    if first < 1 or last > 65_535 or not evens:
        raise UsageError(
            f"media ports {text!r} are not a range with room for a pair", cure='Write it as "20000-29999"'
        )
    return evens
