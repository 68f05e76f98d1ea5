"""Where SIP is heard: taking the ports, before anything else of an instance is begun."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from memcon.capture.handover import Handover, Held


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where SIP is heard: `protocol` udp, tcp or tls."""

    protocol: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.protocol}://{host}:{self.port}"

    @property
    def wildcard(self) -> bool:
        """Whether it is heard on every address of the machine."""
        return ipaddress.ip_address(self.host).is_unspecified


@dataclass(frozen=True, slots=True)
class Bound:
    """An endpoint whose port is ours; `endpoint` has the real port where 0 was asked for."""

    endpoint: Endpoint
    sock: socket.socket


def bind(
    endpoints: Iterable[Endpoint], handover: Handover | None = None, held: Mapping[str, Held] | None = None
) -> list[Bound]:
    """Take every port, or take over its socket from what the supervisor has `held`.

    Raises MachineError naming the one that cannot be had, and the cure.
    """
    bound: list[Bound] = []
    for end in endpoints:
        kept = (held or {}).get(str(end))
        if kept is not None and kept.fds:
            sock = socket.socket(fileno=kept.fds[0])
            bound.append(Bound(Endpoint(end.protocol, end.host, sock.getsockname()[1]), sock))
            continue
        try:
            sock = _bound(end)
        except OSError as error:
            for other in bound:
                other.sock.close()
            raise MachineError(
                f"SIP cannot listen on {end}: {error.strerror or error}",
                cure="Change [sip] listen in memcon.toml, or stop the program that holds the port",
            ) from error
        bound.append(Bound(Endpoint(end.protocol, end.host, sock.getsockname()[1]), sock))
        if handover is not None:
            handover.keep(str(end), sock)
    return bound


def _bound(end: Endpoint) -> socket.socket:
    udp = end.protocol == "udp"
    family = socket.AF_INET6 if ":" in end.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if udp:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)  # bursts of set-ups
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((end.host, end.port))
        if not udp:
            sock.listen(512)  # here, not later: two may bind a TCP port, and only one listen
    except OSError:
        sock.close()
        raise
    return sock
