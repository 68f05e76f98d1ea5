"""One call of a former instance on its way into this one: where its sockets come from, what is said of it.

While its messages are served again this stands in for the journal and the media thread: nothing is
written twice, and the sockets are only swept when the call stands in the journal.
"""

from __future__ import annotations

import socket
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Literal

from memcon.capture.facts import endpoint, stamp
from memcon.capture.sockets import PortPair, held_name
from memcon.errors import FormatError, MachineError
from memcon.wire.address import parse_host_port
from memcon.wire.events import Transport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from memcon.capture.calls import Moment
    from memcon.capture.handover import Held
    from memcon.capture.left import Left, LeftCall
    from memcon.capture.media_loop import Work
    from memcon.capture.sockets import PortPool

NO_FLOW = "gone"
"""The flow of a connection that is no more: what is sent into it is lost, as it was with the connection."""


class Sockets:
    """The media sockets that the supervisor held, and those that have to be bound again."""

    def __init__(self, pool: PortPool, held: Mapping[str, Held]) -> None:
        self._pool = pool
        self._held = {name: each for name, each in held.items() if name.startswith("media:")}

    def take(self, port: int) -> tuple[PortPair, str]:
        """A pair, and whether it was "kept" or is "new". Raises MachineError when it cannot be had."""
        held = self._held.pop(held_name(port), None)
        if held is None or len(held.fds) != 2:
            return self._pool.take_again(port), "new"
        return self._pool.adopt(_pair(port, held)), "kept"

    def stand_in(self, port: int) -> PortPair:
        """A pair that receives nothing, in place of one that cannot be had."""
        rtp, rtcp = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        return self._pool.adopt(PortPair(port, rtp, rtcp))

    def close_rest(self) -> int:
        """Close those that belong to no call: their ports rest, as after a call. Returns how many."""
        for name, held in self._held.items():
            port = name.removeprefix("media:")
            if port.isdecimal() and len(held.fds) == 2:
                self._pool.give_back(self._pool.adopt(_pair(int(port), held)))
            else:
                held.close()
        return len(self._held)


def _pair(port: int, held: Held) -> PortPair:
    rtp, rtcp = (socket.socket(fileno=fd) for fd in held.fds)
    return PortPair(port, rtp, rtcp)


class Again:
    """What the recorder asks while it takes a call up: transports, sockets, and silence."""

    full = exhausted = False

    def __init__(
        self, left: Left, call: LeftCall, sockets: Sockets, flows: Mapping[tuple[str, str], str], at: Moment
    ) -> None:
        self.at = at
        self.stamp = stamp(at.wall, at.mono)
        self.since_ns = left.wall
        self.work: list[Work] = []
        self._left = left
        self._sockets = sockets
        self._flows = flows
        self._ports = [int(s["port"]) for s in call.facts["streams"] if s["port"]]
        self._found: set[str] = set()
        self._missing: list[str] = []

    def transport(self, facts: Mapping[str, Any]) -> Transport:
        """The transport of a message as the journal names it; its connection, if that is still there."""
        local, remote = (_host_port(str(facts[key])) for key in ("local", "remote"))
        protocol: Literal["udp", "tcp", "tls"] = facts["transport"]
        if protocol == "udp":
            return Transport(protocol, local, remote)
        flow = self._flows.get((endpoint(local), endpoint(remote)), NO_FLOW)
        return Transport(protocol, local, remote, flow)

    @property
    def sockets(self) -> str:
        """ "new" where any had to be bound again: what was sent meanwhile is lost."""
        return "new" if "new" in self._found else "kept"

    def take(self, ports: Sequence[int]) -> list[PortPair]:
        """The pairs of these ports; one that cannot be had is said, and stays silent."""
        self._ports = [port for port in self._ports if port not in ports]
        return [self._take(port) for port in ports]

    def take_next(self, count: int) -> list[PortPair]:
        """The pairs that the next so many new m-lines were given."""
        return self.take(self._ports[:count])

    def _take(self, port: int) -> PortPair:
        try:
            pair, found = self._sockets.take(port)
        except MachineError as error:
            self._missing.append(f"media port {port} is not received any more: {error}")
            pair, found = self._sockets.stand_in(port), "new"
        self._found.add(found)
        return pair

    def facts(self) -> list[dict[str, Any]]:
        """The events of the call that tell what has happened."""
        told: dict[str, Any] = {
            "type": "takeover",
            "from": str(self._left.wall),
            "until": str(self.at.wall),
            "sockets": self.sockets,
        }
        return [told, *({"type": "oddity", "text": text} for text in self._missing)]

    # --- silence ---

    def control(self, facts: dict[str, Any], attachments: Sequence[bytes] = ()) -> None:
        """Nothing: it stands in a journal already."""

    note = control

    def commit(self) -> None:
        """Nothing."""

    def together(self) -> AbstractContextManager[None]:
        """Nothing."""
        return nullcontext()

    def put(self, work: Work) -> None:
        """Keep it until the call stands in the journal."""
        self.work.append(work)

    def hold(self) -> tuple[int, int]:
        """No watermark is held: nothing is swept yet."""
        return 0, self.since_ns


def _host_port(text: str) -> tuple[str, int]:
    host, port = parse_host_port(text)
    if port is None:
        raise FormatError("journal", f"no port in {text!r}", where="local or remote")
    return host.removeprefix("[").removesuffix("]"), port
