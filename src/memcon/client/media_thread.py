"""Many paced RTP streams from few sockets, in a thread of their own that signalling cannot stall."""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, TypeVar

from memcon.client.media import MediaSender, Totals
from memcon.client.voice import SAMPLES, sender_report
from memcon.clock import NS
from memcon.errors import MemconError

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence

    from memcon.client.media import StreamCount
    from memcon.client.media_late import Faults
    from memcon.clock import Clock
    from memcon.wire.srtp_client import Protector

T = TypeVar("T")

NAP_S: Final = 0.005  # s, at most, between looks at what is asked
CATCH_UP_NS: Final = 100_000_000  # of packets that are late, before who asks has a turn
SEND_BUFFER: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Play:
    """A stream to send: `audio` over and over to a literal address, as SRTP where there is a protector."""

    host: str
    port: int
    audio: bytes
    payload_type: int
    protector: Protector | None = None


@dataclass(frozen=True, slots=True)
class Playing:
    """A stream being sent: which sender has it under which handle."""

    sender: int
    handle: int
    play: Play


@dataclass(frozen=True, slots=True)
class Played:
    """What a stream sent, and where to."""

    count: StreamCount
    remote: tuple[str, int]

    @property
    def sent(self) -> int:
        """Packets that the kernel took, repeated ones included."""
        return self.count.sent


class MediaThread:
    """Owns the sockets and senders; `add` and `remove` are awaited, and done between two packets."""

    def __init__(
        self, clock: Clock, host: str, *, sockets: int = 1, trailer: int = 0, faults: Faults | None = None
    ) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._clock = clock
        self._sockets = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(sockets)]
        for sock in self._sockets:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            sock.bind((host, 0))
        self._senders = [MediaSender(clock, sock, trailer=trailer, faults=faults) for sock in self._sockets]
        self._asked: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._stop = threading.Event()
        self._next = 0
        self._thread = threading.Thread(target=self._run, name="media", daemon=True)

    @property
    def ports(self) -> list[int]:
        """The ports RTP comes from, by sender."""
        return [sock.getsockname()[1] for sock in self._sockets]

    def start(self) -> None:
        """Begin to send what is added."""
        self._thread.start()

    def close(self) -> None:
        """End the thread and close the sockets."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        for sock in self._sockets:
            sock.close()

    async def add(self, plays: Sequence[Play], sender: int) -> list[Playing]:
        """Start streams from one of the senders."""
        return await self._ask(lambda: [self._add(play, sender) for play in plays])

    async def remove(self, playing: Sequence[Playing]) -> list[Played]:
        """End streams, each with an RTCP report of what it sent."""
        return await self._ask(lambda: [self._remove(one) for one in playing])

    def totals(self) -> Totals:
        """Packets of all senders so far. Exact once every stream has been removed."""
        total = Totals()
        for sender in self._senders:
            for name in Totals.__slots__:
                setattr(total, name, getattr(total, name) + getattr(sender.totals, name))
        return total

    def refused(self) -> Counter[int]:
        """Packets that the kernel did not take, by errno."""
        first, *others = (sender.refused for sender in self._senders)
        return sum(others, first.copy())

    async def _ask(self, work: Callable[[], T]) -> T:
        future: Future[T] = Future()

        def do() -> None:
            try:
                future.set_result(work())
            except (MemconError, OSError) as error:
                future.set_exception(error)

        self._asked.put(do)
        return await asyncio.wrap_future(future)

    def _add(self, play: Play, sender: int) -> Playing:
        handle = self._senders[sender].add(
            play.host,
            play.port,
            ssrc=secrets.randbits(32),
            audio=play.audio,
            payload_type=play.payload_type,
            sequence=secrets.randbelow(1 << 16),
            timestamp=secrets.randbits(32),
            protect=play.protector,
        )
        return Playing(sender, handle, play)

    def _remove(self, playing: Playing) -> Played:
        count = self._senders[playing.sender].remove(playing.handle)
        play = playing.play
        report = sender_report(
            count.ssrc, self._clock.wall_ns(), count.next_timestamp, count.sent, count.sent * SAMPLES, "load"
        )
        if play.protector is not None:
            report = play.protector.rtcp(report)
        self._sockets[playing.sender].sendto(report, (play.host, play.port + 1))
        return Played(count, (play.host, play.port))

    def _run(self) -> None:
        for sender in self._senders:
            sender.restart()
        while not self._stop.is_set():
            self._serve()
            for sender in self._senders:
                # where the machine cannot keep up, who asks must not wait until all is caught up
                sender.send_due(sender.next_due_ns() + CATCH_UP_NS)
            wait = min(sender.next_due_ns() for sender in self._senders) - self._clock.monotonic_ns()
            if wait > 0:
                time.sleep(min(wait / NS, NAP_S))

    def _serve(self) -> None:
        while True:
            try:
                self._asked.get_nowait()()
            except Empty:
                return
