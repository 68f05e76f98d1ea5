"""The client's SIP socket: one UDP socket or TCP connection to a recorder, many calls on it.

`Link` moves bytes and finds the call a message belongs to; `Line` is one call, whose requests are
awaited. What to say is decided by `memcon.wire.src_client`.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, cast

from memcon.clock import NS
from memcon.errors import FormatError, UsageError
from memcon.wire.address import parse_host_port
from memcon.wire.events import Send, Transport
from memcon.wire.framing import StreamParser
from memcon.wire.sip import Message, SipError, parse
from memcon.wire.src_client import Answered, Ended, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memcon.clock import Clock
    from memcon.wire.framing import Framed
    from memcon.wire.src_client import ClientOutput, RecordingClient

RECEIVE_BUFFER: Final = 4 << 20  # answers of hundreds of calls set up at once
Result = Answered | Refused | Ended


@dataclass(frozen=True, slots=True)
class Target:
    """Where a recorder listens: `protocol` and a literal address."""

    protocol: Literal["udp", "tcp"]
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.protocol}://{self.netloc}"

    @property
    def netloc(self) -> str:
        """`host:port`, the host in brackets where it is IPv6."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def uri(self) -> str:
        """The recorder's SIP URI."""
        return f"sip:memcon@{self.netloc}" + (";transport=tcp" if self.protocol == "tcp" else "")


async def resolve(text: str) -> Target:
    """Read `udp://host:port` or `tcp://host:port` and look the name up. Raises UsageError."""
    protocol, _, netloc = text.partition("://")
    cure = "Write it as udp://127.0.0.1:5060 or tcp://127.0.0.1:5060"
    if protocol not in ("udp", "tcp"):
        raise UsageError(f"{text!r} is no recorder's address", cure=cure)
    try:
        host, port = parse_host_port(netloc)
    except FormatError as error:
        raise UsageError(f"{text!r} is no recorder's address: {error.problem}", cure=cure) from error
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port or 5060, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"{host!r} cannot be found: {error}", cure=cure) from error
    address = found[0][4]
    return Target("udp" if protocol == "udp" else "tcp", str(address[0]), int(address[1]))


def unreachable(target: Target, problem: str) -> UsageError:
    """Nobody serves the call."""
    return UsageError(
        f"nobody answers at {target}: {problem}",
        cure="Start the recorder there with `memcon serve`, or name the address it listens on",
    )


class Line:
    """One call on a link."""

    def __init__(self, link: Link, client: RecordingClient) -> None:
        self._link = link
        self.client = client
        self._waiting: asyncio.Future[Result] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.over = asyncio.Event()
        self.ended_by: Literal["", "client", "recorder"] = ""

    async def ask(self, outputs: Iterable[ClientOutput], seconds: float) -> Result:
        """Send a request of the client and wait for its final answer.

        Raises UsageError if there is none within `seconds`, or if the network says that there will be none.
        """
        self._waiting = asyncio.get_running_loop().create_future()
        self.perform(outputs)
        try:
            return await asyncio.wait_for(self._waiting, seconds)
        except TimeoutError:
            raise unreachable(self._link.target, f"no answer within {seconds:g} s") from None
        finally:
            self._waiting = None

    def perform(self, outputs: Iterable[ClientOutput]) -> None:
        """Do what the client says, then set its next timer."""
        for output in outputs:
            if isinstance(output, Send):
                self._link.send(output.data)
                continue
            if isinstance(output, Ended):
                self.ended_by = output.by
                self.over.set()
            if self._waiting is not None and not self._waiting.done():
                self._waiting.set_result(output)
        self._set_timer()

    def fail(self, problem: str) -> None:
        """Let a request that waits fail: it did not get through."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(unreachable(self._link.target, problem))

    def _set_timer(self) -> None:
        self.stop()
        deadline = self.client.next_deadline()
        if deadline is not None:
            wait = max(0.0, (deadline - self._link.now()) / NS)
            self._timer = asyncio.get_running_loop().call_later(wait, self._due)

    def _due(self) -> None:
        self._timer = None
        self.perform(self.client.timer(self._link.now()))

    def stop(self) -> None:
        """Let no timer run any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Link:
    """The socket and its calls. Used from one asyncio loop; `close` it."""

    def __init__(self, target: Target, clock: Clock) -> None:
        self.target = target
        self._clock = clock
        self._lines: dict[str, Line] = {}
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Transport | None = None
        self._again: asyncio.Task[None] | None = None
        self._unsent: list[bytes] = []
        self._closed = False
        self.local: tuple[str, int] = ("", 0)
        self._heard = False
        self.unreadable = 0  # messages of the recorder that are no SIP

    @classmethod
    async def open(cls, target: str, clock: Clock) -> Link:
        """Open a link to `udp://host:port` or `tcp://host:port`. Raises UsageError if nobody is there."""
        link = cls(await resolve(target), clock)
        if link.target.protocol == "udp":
            await link._open_udp()
        else:
            await link._open_tcp()
        return link

    async def _open_udp(self) -> None:
        where = self.target.host, self.target.port
        try:
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: _Udp(self), remote_addr=where
            )
        except OSError as error:
            raise unreachable(self.target, error.strerror or str(error)) from error
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self.local = tuple(transport.get_extra_info("sockname")[:2])
        self._udp = transport

    async def _open_tcp(self) -> None:
        try:
            transport, _ = await asyncio.get_running_loop().create_connection(
                lambda: _Tcp(self), self.target.host, self.target.port
            )
        except OSError as error:
            raise unreachable(self.target, error.strerror or str(error)) from error
        self.local = tuple(transport.get_extra_info("sockname")[:2])
        self._tcp = transport

    @property
    def transport(self) -> Transport:
        """Both ends, as the client core names them."""
        return Transport(self.target.protocol, self.local, (self.target.host, self.target.port))

    def now(self) -> int:
        """The monotonic clock, ns."""
        return self._clock.monotonic_ns()

    def add(self, client: RecordingClient) -> Line:
        """Let a call use this link."""
        line = Line(self, client)
        self._lines[client.call_id] = line
        return line

    def remove(self, line: Line) -> None:
        """Forget a call: what still comes for it is dropped."""
        line.stop()
        self._lines.pop(line.client.call_id, None)

    def send(self, data: bytes) -> None:
        """Put a message on the wire; a TCP connection that broke is opened again."""
        if self._udp is not None:
            self._udp.sendto(data)
        elif self._tcp is not None and not self._tcp.is_closing():
            self._tcp.write(data)
        elif not self._closed:
            self._unsent.append(data)
            if self._again is None:
                self._again = asyncio.get_running_loop().create_task(self._reopen())

    async def _reopen(self) -> None:
        try:
            await self._open_tcp()
        except UsageError as error:
            self.fail(error.message)
            self._unsent.clear()
        else:
            unsent, self._unsent = self._unsent, []
            for data in unsent:
                self.send(data)
        finally:
            self._again = None

    def take(self, item: Framed | bytes) -> None:
        """Give a message to the call it belongs to; `item` is a datagram, or what a `StreamParser` gave."""
        try:
            message = parse(item) if isinstance(item, bytes) else item
            if isinstance(message, SipError):
                raise message
            self._heard = True
            line = self._lines.get(message.call_id) if isinstance(message, Message) else None
            if line is not None and isinstance(message, Message):
                line.perform(line.client.receive(message, self.now()))
        except FormatError:
            self.unreadable += 1

    def fail(self, problem: str) -> None:
        """Let every request fail that waits for its first answer.

        Where a datagram found nobody and somebody has answered here before, he may come back: then a
        request is said again until its own time is over.
        """
        if self._udp is not None and self._heard:
            return
        for line in list(self._lines.values()):
            if line.client.state in ("inviting", "new") or self._udp is None:
                line.fail(problem)

    def lost(self, transport: asyncio.BaseTransport) -> None:
        """A TCP connection is gone."""
        if self._tcp is transport:
            self._tcp = None
        if not self._closed:
            self.fail("the connection broke")

    async def close(self) -> None:
        """Close the socket and forget all calls."""
        self._closed = True
        for line in list(self._lines.values()):
            self.remove(line)
        if self._again is not None:
            self._again.cancel()
        for transport in (self._udp, self._tcp):
            if transport is not None:
                transport.close()
        await asyncio.sleep(0)  # the transports close in the loop's next turn


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, link: Link) -> None:
        self._link = link

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._link.take(data)

    def error_received(self, exc: Exception) -> None:
        self._link.fail(str(exc))


class _Tcp(asyncio.Protocol):
    def __init__(self, link: Link) -> None:
        self._link = link
        self._parser = StreamParser()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        for item in self._parser.feed(data):
            self._link.take(item)
        if self._parser.closed:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._link.lost(self._transport)
