"""The sockets of SIP: one UDP endpoint or TCP listener per `listen` entry, one core behind all."""

from __future__ import annotations

import asyncio
import itertools
import socket
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from memcon.clock import NS
from memcon.errors import MachineError
from memcon.wire.events import Send, Transport
from memcon.wire.framing import StreamParser

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memcon.capture.calls import Recorder
    from memcon.clock import Clock
    from memcon.wire.events import Output

MAX_CONNECTIONS = 2_000  # a recording client needs one; more than this is a flood
IDLE_SECONDS = 3_600  # a connection that says nothing for an hour while a call lasts is no fault


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where SIP is heard: `protocol` udp or tcp."""

    protocol: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.protocol}://{host}:{self.port}"


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, sip: SipServer, local: tuple[str, int]) -> None:
        self._sip = sip
        self._local = local

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._sip.udp[self._local] = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        where = Transport("udp", self._local, (addr[0], addr[1]))
        self._sip.perform(self._sip.recorder.server.receive(data, where, self._sip.now()))


class _Tcp(asyncio.Protocol):
    def __init__(self, sip: SipServer, local: tuple[str, int]) -> None:
        self._sip = sip
        self._local = local
        self._flow = f"tcp-{next(sip.flows)}"
        self._parser = StreamParser()
        self._transport: asyncio.Transport | None = None
        self._where: Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if len(self._sip.tcp) >= MAX_CONNECTIONS:
            self._transport.abort()
            return
        peer = self._transport.get_extra_info("peername")
        here = self._transport.get_extra_info("sockname")
        self._where = Transport("tcp", (here[0], here[1]), (peer[0], peer[1]), self._flow)
        self._sip.tcp[self._flow] = self._transport

    def data_received(self, data: bytes) -> None:
        if self._where is None or self._transport is None:
            return
        for item in self._parser.feed(data):
            self._sip.perform(self._sip.recorder.server.receive(item, self._where, self._sip.now()))
        if self._parser.closed:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._sip.tcp.pop(self._flow, None)


class SipServer:
    """Puts bytes into the core and what comes out onto the wire and into the recorder."""

    def __init__(self, recorder: Recorder, clock: Clock) -> None:
        self.recorder = recorder
        self._clock = clock
        self.udp: dict[tuple[str, int], asyncio.DatagramTransport] = {}
        self.tcp: dict[str, asyncio.Transport] = {}
        self.flows = itertools.count(1)
        self._servers: list[asyncio.Server] = []
        self._timer: asyncio.TimerHandle | None = None

    def now(self) -> int:
        return self._clock.monotonic_ns()

    async def listen(self, endpoints: Iterable[Endpoint]) -> list[Endpoint]:
        """Open every endpoint. Raises MachineError naming the one that cannot be, and the cure."""
        loop = asyncio.get_running_loop()
        opened = []
        for end in endpoints:
            try:
                if end.protocol == "udp":
                    sock = _bound(end, socket.SOCK_DGRAM)
                    local = sock.getsockname()[:2]
                    await loop.create_datagram_endpoint(partial(_Udp, self, local), sock=sock)
                else:
                    sock = _bound(end, socket.SOCK_STREAM)
                    local = sock.getsockname()[:2]
                    factory = partial(_Tcp, self, local)
                    self._servers.append(await loop.create_server(factory, sock=sock, backlog=512))
            except OSError as error:
                raise MachineError(
                    f"SIP cannot listen on {end}: {error.strerror or error}",
                    cure="Change [sip] listen in memcon.toml, or stop the program that holds the port",
                ) from error
            opened.append(Endpoint(end.protocol, local[0], local[1]))
        return opened

    def perform(self, outputs: Iterable[Output]) -> None:
        """Do what the core says, in order; then set its next timer."""
        for output in outputs:
            if isinstance(output, Send):
                self._send(output)
            else:
                self.recorder.take(output)
        self._set_timer()

    def _send(self, send: Send) -> None:
        if send.transport.flow:
            stream = self.tcp.get(send.transport.flow)
            if stream is not None:
                stream.write(send.data)
            return
        endpoint = self.udp.get(send.transport.local)
        if endpoint is not None:
            endpoint.sendto(send.data, send.transport.remote)

    def _set_timer(self) -> None:
        deadline = self.recorder.server.next_deadline()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            wait = max(0.0, (deadline - self.now()) / NS)
            self._timer = asyncio.get_running_loop().call_later(wait, self._fire)

    def _fire(self) -> None:
        self._timer = None
        self.perform(self.recorder.server.timer(self.now()))

    async def close(self) -> None:
        """Close every socket."""
        if self._timer is not None:
            self._timer.cancel()
        for server in self._servers:
            server.close()
        for transport in [*self.tcp.values(), *self.udp.values()]:
            transport.close()
        await asyncio.sleep(0)


def _bound(end: Endpoint, kind: socket.SocketKind) -> socket.socket:
    family = socket.AF_INET6 if ":" in end.host else socket.AF_INET
    sock = socket.socket(family, kind)
    try:
        sock.setblocking(False)
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)  # bursts of set-ups
        sock.bind((end.host, end.port))
    except OSError:
        sock.close()
        raise
    return sock
