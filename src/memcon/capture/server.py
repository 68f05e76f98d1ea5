"""The sockets of SIP: one UDP endpoint, TCP or TLS listener per `listen` entry, one core behind all.

Nothing a peer does may grow without bound or stop the others: datagrams are read a few at a time,
a connection that does not read its answers is not read either, one that says nothing and holds no
call is closed, and while the journal is full nothing is read at all.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
from functools import partial
from typing import TYPE_CHECKING, Literal, cast

from memcon.capture.calls import Moment
from memcon.capture.endpoints import Bound, Endpoint
from memcon.capture.facts import endpoint
from memcon.capture.guard import Guard
from memcon.capture.handover import Handover
from memcon.clock import NS
from memcon.errors import LocalError
from memcon.wire import events as ev
from memcon.wire.framing import Ping, StreamParser

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from memcon.capture.calls import Recorder
    from memcon.capture.handover import Held
    from memcon.capture.log import Log
    from memcon.capture.tls import Tls
    from memcon.clock import Clock
    from memcon.wire.sip import Message, SipError

__all__ = ["Endpoint", "SipServer"]

MAX_CONNECTIONS = 2_000  # a recording client needs one; more than this is a flood
IDLE_NS = 120 * NS  # a connection without an open call may be silent as long
WRITE_BYTES = 256 << 10  # answers that a peer has not read: beyond, we do not read from it
ABORT_BYTES = 1 << 20  # and beyond this (said again and again) the connection is given up
NOTED_BYTES = 16 << 10  # of a message that has not ended: what a successor is given to go on reading it
DATAGRAMS = 32  # read in one go, then TCP, timers and the rest have their turn
LARGEST = 65_535
HANDSHAKE_S = 10.0  # for a peer that connects and says nothing
SHUTDOWN_S = 2.0


class _Udp:
    """One UDP endpoint."""

    def __init__(self, sip: SipServer, bound: Bound, local: tuple[str, int]) -> None:
        self._sip = sip
        self._sock = bound.sock
        self._local = local
        self._loop = asyncio.get_running_loop()
        self.resume()

    def pause(self) -> None:
        """Leave datagrams in the kernel."""
        self._loop.remove_reader(self._sock)

    def resume(self) -> None:
        """Read again."""
        self._loop.add_reader(self._sock, self._read)

    def _read(self) -> None:
        for _ in range(DATAGRAMS):
            try:
                data, address = self._sock.recvfrom(LARGEST)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error about something sent earlier
                continue
            self._sip.receive(data, ev.Transport("udp", self._local, (address[0], address[1])))

    def send(self, data: bytes, remote: tuple[str, int]) -> None:
        """Send a datagram; one that the machine refuses is lost, as on any network, and SIP says it again."""
        try:
            self._sock.sendto(data, remote)
        except OSError as error:
            self._sip.log.warning("not sent", remote=f"{remote[0]}:{remote[1]}", why=error.strerror)

    def close(self) -> None:
        self.pause()
        self._sock.close()


class _Tcp(asyncio.Protocol):
    """One connection, TCP alone or with TLS over it.

    A new one; or `flow` of a former instance, which has read `begun` of a message. What TLS has agreed
    cannot be handed over: such a connection ends with its process, and its peer opens another.
    """

    def __init__(
        self,
        sip: SipServer,
        protocol: Literal["tcp", "tls"] = "tcp",
        flow: str = "",
        begun: bytes = b"",
    ) -> None:
        self._sip = sip
        self._protocol = protocol
        self.flow = flow or f"{protocol}-{next(sip.flows)}"
        self._parser = StreamParser()
        self._parser.feed(begun)
        self._noted = begun
        self._name = ""
        self._where: ev.Transport | None = None
        self._transport: asyncio.Transport | None = None
        self._blocked = False
        self.heard = sip.now()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast("asyncio.Transport", transport)
        peer, here = stream.get_extra_info("peername"), stream.get_extra_info("sockname")
        if len(self._sip.tcp) >= MAX_CONNECTIONS or peer is None:
            self._sip.log.warning("connection refused", open=len(self._sip.tcp))
            stream.abort()
            return
        stream.set_write_buffer_limits(high=WRITE_BYTES)
        self._transport = stream
        self._where = ev.Transport(self._protocol, (here[0], here[1]), (peer[0], peer[1]), self.flow)
        self._sip.tcp[self.flow] = self
        self._name = flow_name(here, peer)
        if self._protocol == "tcp":
            self._sip.handover.keep(self._name, stream.get_extra_info("socket"), note=self._noted)
        if self._sip.paused:
            self.pause()

    def data_received(self, data: bytes) -> None:
        if self._where is None or self._transport is None:
            return
        ponged = False
        for item in self._parser.feed(data):
            self.heard = self._sip.now()  # a message that never ends is silence
            if isinstance(item, Ping):
                if ponged:
                    continue  # a burst of pings is answered once
                ponged = True
            self._sip.receive(item, self._where)
        rest = self._parser.rest if self._parser.pending <= NOTED_BYTES else b""
        if rest != self._noted and self._protocol == "tcp":
            self._noted = rest
            self._sip.handover.note(self._name, rest)
        if self._parser.closed:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._sip.tcp.pop(self.flow, None)
        if self._name:
            self._sip.handover.forget(self._name)

    def pause_writing(self) -> None:
        self._blocked = True
        self.pause()

    def resume_writing(self) -> None:
        self._blocked = False
        self.resume()

    def pause(self) -> None:
        """Leave what comes in the kernel, and in the end with the peer."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again, unless the peer does not read us or nothing is read now."""
        if self._transport is not None and not self._blocked and not self._sip.paused:
            self._transport.resume_reading()

    def send(self, data: bytes) -> None:
        """Put bytes into the connection; give it up when they have piled up."""
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > ABORT_BYTES:
            self.abort("it does not read what it is sent")

    def abort(self, why: str) -> None:
        """Close at once."""
        if self._transport is not None:
            self._sip.log.warning("connection closed", remote=self._where and self._where.remote[0], why=why)
            self._transport.abort()

    def close(self) -> None:
        """Close when all is sent."""
        if self._transport is not None:
            self._transport.close()


class SipServer:
    """Puts bytes into the core and what comes out onto the wire and into the recorder."""

    def __init__(self, recorder: Recorder, clock: Clock, log: Log, handover: Handover | None = None) -> None:
        self.handover = handover or Handover()
        self.recorder = recorder
        self.log = log
        self.tcp: dict[str, _Tcp] = {}
        self.flows = itertools.count(1)
        self.paused = False
        self.defects = 0
        self._clock = clock
        self._udp: dict[tuple[str, int], _Udp] = {}
        self._servers: list[asyncio.Server] = []
        self._kept: list[tuple[str, str, Held]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0
        self._tls: Tls | None = None

    def now(self) -> int:
        return self._clock.monotonic_ns()

    def adopt(self, held: Mapping[str, Held]) -> dict[tuple[str, str], str]:
        """Take connections over that a former instance had: (local, remote) -> flow. `serve` reads them."""
        flows = {}
        for name, each in held.items():
            local, bar, remote = name.removeprefix("flow:").partition("|")
            if name.startswith("flow:") and bar and each.fds:
                flow = flows[local, remote] = f"tcp-{next(self.flows)}"
                self._kept.append((flow, name, each))
        return flows

    async def serve(self, bound: Sequence[Bound], media_address: str, tls: Tls | None = None) -> None:
        """Begin to read on ports taken with `bind`; `tls` has the certificate of those of TLS.

        A wildcard is shown to peers as `media_address`: an answer must name an address they can reach.
        """
        self._tls = tls
        loop = asyncio.get_running_loop()
        for each in bound:
            end = each.endpoint
            if end.protocol == "udp":
                local = (media_address if end.wildcard else end.host, end.port)
                self._udp[local] = _Udp(self, each, local)
            elif end.protocol == "tls":
                if tls is None:
                    raise LocalError(f"{end} without a certificate")
                secured = await loop.create_server(
                    partial(_Tcp, self, "tls"),
                    sock=each.sock,
                    backlog=512,
                    ssl=tls.context,
                    ssl_handshake_timeout=HANDSHAKE_S,
                    ssl_shutdown_timeout=SHUTDOWN_S,
                )
                self._servers.append(secured)
            else:
                factory = partial(_Tcp, self)
                self._servers.append(await loop.create_server(factory, sock=each.sock, backlog=512))
        for flow, name, held in self._kept:
            self.handover.forget(name)  # and keep it anew once it is known that its peer is still there
            sock = socket.socket(fileno=held.fds[0])
            await loop.connect_accepted_socket(partial(_Tcp, self, "tcp", flow, held.note), sock)
        self._kept.clear()

    # --- what comes in ---

    def receive(self, data: bytes | Message | Ping | SipError, where: ev.Transport) -> None:
        """Take a datagram or an item of a stream, and do what the core says about it."""
        at = Moment(self._clock.wall_ns(), self.now())
        self._perform(partial(self.recorder.server.receive, data, where, at.mono), at)

    def end_call(self, dialog: ev.DialogId, reason: str) -> None:
        """Hang up."""
        at = Moment(self._clock.wall_ns(), self.now())
        self._perform(partial(self.recorder.server.end_call, dialog, reason, at.mono), at)

    def probe(self, dialog: ev.DialogId) -> None:
        """Ask a call's peer whether it still knows it."""
        at = Moment(self._clock.wall_ns(), self.now())
        self._perform(partial(self.recorder.server.probe, dialog, at.mono), at)

    def _fire(self) -> None:
        self._timer = None
        at = Moment(self._clock.wall_ns(), self.now())
        self._perform(partial(self.recorder.server.timer, at.mono), at)

    def _perform(self, ask: Callable[[], list[ev.Output]], at: Moment) -> None:
        """Do what the core says; then set its next timer.

        What is to be kept comes before what is to be sent: when an answer leaves, all that a successor
        of this process needs for the call stands in the journal.
        """
        outputs: list[ev.Output] = []
        self._guarded("receive", lambda: outputs.extend(ask()))
        with self.recorder.together():
            for output in outputs:
                if not isinstance(output, ev.Send):
                    self._attend(output, at)
        for output in outputs:
            if isinstance(output, ev.Send):
                self._attend(output, at)
        for output in outputs:
            # Its sender must not go on believing that it is recorded.
            if isinstance(output, ev.CallStarted) and not self.recorder.recording(output.call.dialog):
                self.end_call(output.call.dialog, "the call cannot be recorded")
        self.recorder.settle_message()
        self._set_timer()

    def _attend(self, output: ev.Output, at: Moment) -> None:
        if self._guarded(type(output).__name__, partial(self._do, output, at)):
            return
        dialog = _dialog_of(output)
        if dialog is not None and not isinstance(output, ev.CallStarted):
            self.recorder.failed(dialog, at, "a defect of the recorder: see its log")

    def _guarded(self, doing: str, step: Callable[[], None]) -> bool:
        """Take one step; False if a defect of ours ended it."""
        with Guard(self.log, doing) as guard:
            step()
        self.defects += guard.failed
        return not guard.failed

    def _do(self, output: ev.Output, at: Moment) -> None:
        if isinstance(output, ev.Send):
            self._send(output)
        else:
            self.recorder.take(output, at)

    def _send(self, send: ev.Send) -> None:
        if send.transport.flow:
            stream = self.tcp.get(send.transport.flow)
            if stream is not None:
                stream.send(send.data)
            return
        endpoint = self._udp.get(send.transport.local)
        if endpoint is not None:
            endpoint.send(send.data, send.transport.remote)

    def _set_timer(self) -> None:
        """Be woken at the core's next deadline; waking early does no harm and spares the resetting."""
        deadline = self.recorder.server.next_deadline()
        if deadline is None or (self._timer is not None and self._timer_at <= deadline):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        wait = max(0.0, (deadline - self.now()) / NS)
        self._timer = asyncio.get_running_loop().call_later(wait, self._fire)

    # --- housekeeping ---

    def tidy(self, *, full: bool) -> None:
        """About once a second: stop reading while the journal is `full`, close idle connections, take up a
        renewed certificate."""
        if self._tls is not None:
            self._tls.look(self.now(), self.log)
        if full != self.paused:
            self.paused = full
            for each in self._readers():
                if full:
                    each.pause()
                else:
                    each.resume()
        in_use = self.recorder.flows()
        before = self.now() - IDLE_NS
        for connection in list(self.tcp.values()):
            if connection.heard < before and connection.flow not in in_use and not self.paused:
                connection.abort("it is idle and has no call")

    def _readers(self) -> list[_Udp | _Tcp]:
        return [*self._udp.values(), *self.tcp.values()]

    async def close(self) -> None:
        """Close every socket."""
        if self._timer is not None:
            self._timer.cancel()
        for server in self._servers:
            server.close()
        for each in self._readers():
            each.close()
        await asyncio.sleep(0)


def flow_name(local: tuple[str, int], remote: tuple[str, int]) -> str:
    """The name under which the supervisor holds a connection."""
    return f"flow:{endpoint((local[0], local[1]))}|{endpoint((remote[0], remote[1]))}"


def _dialog_of(output: ev.Output) -> ev.DialogId | None:
    if isinstance(output, ev.CallStarted):
        return output.call.dialog
    return getattr(output, "dialog", None)
