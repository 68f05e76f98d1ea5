"""The media thread: sweeps the sockets, journals what came, says how far it got.

The SIP side hands it work through a queue; whatever it hands over is done at the start of a sweep,
so that a socket is known before its first packet can be older than a tick, and a call's last
packets stand in the journal before its end.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memcon.capture.facts import source_facts, stamp
from memcon.clock import NS

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from memcon.capture.journal import JournalWriter
    from memcon.capture.receiver import Receiver, Sweep
    from memcon.clock import Clock
    from memcon.errors import MachineError

SWEEP_NS = 100_000_000
DROPS_NS = NS
RTCP_EVERY = 2  # sweeps; more would hold the watermark, and with it each slot's end, back as long


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose media handle this is: the call's key and the stream number there."""

    key: str
    stream: int


@dataclass(frozen=True, slots=True)
class Add:
    handle: int
    sock: socket.socket
    owner: Owner
    every: int = 1


@dataclass(frozen=True, slots=True)
class Remove:
    """Drain and forget these handles, then journal `facts` (a call's end), then call `then`."""

    handles: tuple[int, ...]
    facts: dict[str, Any]
    attachment: bytes
    then: Callable[[], None]


class MediaLoop(threading.Thread):
    """Owns the receiver. Start it once; `stop` lets it finish what is queued."""

    def __init__(self, receiver: Receiver, journal: JournalWriter, clock: Clock) -> None:
        super().__init__(name="media", daemon=True)
        self._receiver = receiver
        self._journal = journal
        self._clock = clock
        self._work: queue.SimpleQueue[Add | Remove] = queue.SimpleQueue()
        self._stop_asked = threading.Event()
        self._owners: dict[int, Owner] = {}
        self._drops: dict[int, int] = {}
        self._next_drops = 0
        self.packets = 0
        self.ended = threading.Event()  # set early means: the thread died, the process must too

    def put(self, work: Add | Remove) -> None:
        """Hand over work; it is done at the start of the next sweep."""
        self._work.put(work)

    def stop(self) -> None:
        """Finish what is queued, sweep once more and end."""
        self._stop_asked.set()

    def run(self) -> None:
        due = self._clock.monotonic_ns()
        try:
            while not self._stop_asked.is_set():
                self.turn()
                due = max(due + SWEEP_NS, self._clock.monotonic_ns())
                self._stop_asked.wait((due - self._clock.monotonic_ns()) / NS)
            self.turn()
        finally:
            self.ended.set()

    def turn(self) -> None:
        """Do what is queued, sweep, journal. Nothing is read while the journal can take no more."""
        self._do_work()
        if self._journal.full:
            self._journal.commit()
            return
        sweep = self._receiver.sweep()
        self._keep(sweep)
        if sweep.monotonic_ns >= self._next_drops:
            self._next_drops = sweep.monotonic_ns + DROPS_NS
            self._report_drops(sweep.wall_ns, sweep.monotonic_ns)
        self._journal.tick(sweep.wall_ns, sweep.monotonic_ns, sweep.watermark_ns)

    def _keep(self, sweep: Sweep) -> None:
        self.packets += len(sweep.stream)
        self._journal.media(sweep)
        for _, handle, address in sweep.sources:
            owner = self._owners.get(handle)
            if owner is not None:
                facts = source_facts(owner.stream, address)
                self._journal.control(
                    {"type": "event", "key": owner.key, "facts": facts}
                    | stamp(sweep.wall_ns, sweep.monotonic_ns),
                    [b""],
                )

    def _report_drops(self, wall: int, mono: int) -> None:
        drops = {handle: n for handle, n in self._receiver.drops().items() if n}
        if drops != self._drops:
            self._drops = drops
            counts = {str(handle): n for handle, n in drops.items()}
            self._journal.control({"type": "drops", "drops": counts} | stamp(wall, mono))

    def _do_work(self) -> None:
        while True:
            try:
                work = self._work.get_nowait()
            except queue.Empty:
                return
            if isinstance(work, Add):
                self._owners[work.handle] = work.owner
                self._receiver.add(work.handle, work.sock, every=work.every)
            else:
                self._remove(work)

    def _remove(self, work: Remove) -> None:
        try:
            for handle in work.handles:
                self._keep(self._receiver.remove(handle))
                self._owners.pop(handle, None)
            drops = self._receiver.drops(work.handles)
            counts = {str(handle): n for handle, n in drops.items() if n}
            self._journal.control(work.facts | {"drops": counts}, [work.attachment])
        finally:
            work.then()

    @property
    def trouble(self) -> MachineError | None:
        """What the disk refuses, while it does."""
        return self._journal.trouble
