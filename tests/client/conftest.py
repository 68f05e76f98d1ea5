"""A recorder in the same process: the server core of memcon.wire behind real sockets, media counted."""

from __future__ import annotations

import asyncio
import secrets
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, cast

import pytest

from memcon.clock import SystemClock
from memcon.wire import events as ev
from memcon.wire import rtcp, rtp
from memcon.wire.framing import StreamParser
from memcon.wire.srs import RecordingServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence
    from contextlib import AbstractAsyncContextManager


@dataclass
class Uas:
    """What reached the recorder: events in order, RTP and RTCP by our port."""

    receipt: Callable[[ev.Call], list[tuple[str, str]]] | None = None
    ports_left: int = 1000
    deaf: bool = False  # takes everything, answers nothing
    events: list[ev.Event] = field(default_factory=list)
    media: dict[int, list[bytes]] = field(default_factory=dict)
    reports: dict[int, list[rtcp.SenderReport]] = field(default_factory=dict)
    secure: bool = False  # SRTCP comes, and is kept as it came
    secured: dict[int, list[bytes]] = field(default_factory=dict)
    connections: int = 0

    def __post_init__(self) -> None:
        self.clock = SystemClock()
        self.server = RecordingServer(
            self, lambda: secrets.token_hex(8), receipt=self._receipt, new_key=secrets.token_bytes
        )
        self.udp: asyncio.DatagramTransport | None = None
        self.tcp: dict[str, asyncio.Transport] = {}
        self.endpoints: list[asyncio.DatagramTransport] = []
        self._timer: asyncio.TimerHandle | None = None
        self._todo: list[socket.socket] = []
        self._opening: list[asyncio.Task[None]] = []

    def _receipt(self, call: ev.Call) -> list[tuple[str, str]]:
        return [] if self.receipt is None else self.receipt(call)

    # --- media ---

    def allocate(self, dialog: ev.DialogId, count: int) -> Sequence[int] | None:
        if self.ports_left < count:
            return None
        self.ports_left -= count
        ports: list[int] = []
        while len(ports) < count:
            pair = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
            try:
                pair[0].bind(("127.0.0.1", 0))
                port = pair[0].getsockname()[1]
                pair[1].bind(("127.0.0.1", port + 1))
            except OSError:
                for sock in pair:
                    sock.close()
                continue
            self._todo += pair
            self.media[port], self.reports[port], self.secured[port] = [], [], []
            ports.append(port)
        return ports

    async def open_media(self) -> None:
        loop = asyncio.get_running_loop()
        while self._todo:
            sock = self._todo.pop()
            sock.setblocking(False)
            transport, _ = await loop.create_datagram_endpoint(
                partial(_Media, self, sock.getsockname()[1]), sock=sock
            )
            self.endpoints.append(transport)

    # --- signalling ---

    def take(self, outputs: Iterable[ev.Output]) -> None:
        for output in outputs:
            if not isinstance(output, ev.Send):
                self.events.append(output)
            elif self.deaf:
                continue
            elif output.transport.flow:
                self.tcp[output.transport.flow].write(output.data)
            elif self.udp is not None:
                self.udp.sendto(output.data, output.transport.remote)
        if self._todo:
            self._opening.append(asyncio.get_running_loop().create_task(self.open_media()))
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        deadline = self.server.next_deadline()
        if deadline is not None:
            wait = max(0.0, (deadline - self.clock.monotonic_ns()) / 1e9)
            self._timer = asyncio.get_running_loop().call_later(wait, self._due)

    def _due(self) -> None:
        self.take(self.server.timer(self.clock.monotonic_ns()))

    def hang_up(self) -> None:
        """End every call from the recorder's side."""
        for call in self.server.calls():
            self.take(self.server.end_call(call.dialog, "enough", self.clock.monotonic_ns()))

    def of(self, kind: type[ev.Event]) -> list[ev.Event]:
        """The events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    async def close(self) -> None:
        await asyncio.gather(*self._opening)
        if self._timer is not None:
            self._timer.cancel()
        for transport in [*self.endpoints, *self.tcp.values(), *([self.udp] if self.udp else [])]:
            transport.close()
        await asyncio.sleep(0)  # they close in the loop's next turn


class _Media(asyncio.DatagramProtocol):
    def __init__(self, uas: Uas, port: int) -> None:
        self.uas, self.port = uas, port

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if rtp.is_rtcp(data):
            if self.uas.secure:
                self.uas.secured[self.port - 1].append(data)
                return
            report = rtcp.last_sender_report(rtcp.parse(data))
            assert report is not None
            self.uas.reports[self.port - 1].append(report)
        else:
            self.uas.media[self.port].append(data)


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, uas: Uas) -> None:
        self.uas = uas

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.uas.udp = cast("asyncio.DatagramTransport", transport)
        self.local = transport.get_extra_info("sockname")

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        where = ev.Transport("udp", self.local, addr)
        self.uas.take(self.uas.server.receive(data, where, self.uas.clock.monotonic_ns()))


class _Tcp(asyncio.Protocol):
    def __init__(self, uas: Uas) -> None:
        self.uas = uas
        self.parser = StreamParser()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.uas.connections += 1
        flow = f"tcp-{self.uas.connections}"
        self.uas.tcp[flow] = cast("asyncio.Transport", transport)
        here, there = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
        self.where = ev.Transport("tcp", here, there, flow)

    def data_received(self, data: bytes) -> None:
        for item in self.parser.feed(data):
            self.uas.take(self.uas.server.receive(item, self.where, self.uas.clock.monotonic_ns()))


@asynccontextmanager
async def serving(protocol: str, uas: Uas) -> AsyncIterator[str]:
    """Let the recorder listen on a free port of loopback; gives its address as a target."""
    loop = asyncio.get_running_loop()
    if protocol == "udp":
        transport, _ = await loop.create_datagram_endpoint(partial(_Udp, uas), local_addr=("127.0.0.1", 0))
        port = transport.get_extra_info("sockname")[1]
        try:
            yield f"udp://127.0.0.1:{port}"
        finally:
            await uas.close()
        return
    server = await loop.create_server(partial(_Tcp, uas), "127.0.0.1", 0)
    try:
        yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await uas.close()


@pytest.fixture
def uas() -> Uas:
    return Uas()


@pytest.fixture
def serve(uas: Uas) -> Callable[[str], AbstractAsyncContextManager[str]]:
    """Let `uas` listen by udp or tcp; an asynchronous context that gives the target."""
    return lambda protocol: serving(protocol, uas)
