"""The media thread: sweeps the sockets, journals what came, says how far it got.

The SIP side hands it work through a queue; whatever it hands over is done at the start of a sweep,
so that a call's last packets stand in the journal before its end. Between the binding of a socket
and its first sweep a packet may already lie there: `hold` keeps the ticks' watermark before it.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from memcon.capture.facts import source_facts, stamp
from memcon.clock import NS
from memcon.errors import LocalError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Mapping

    from memcon.capture.journal import JournalWriter
    from memcon.capture.log import Log
    from memcon.capture.receiver import Receiver, Sweep
    from memcon.clock import Clock

SWEEP_NS = 150_000_000
"""A packet waits so long in the kernel, and for the sweep itself: that is what is lost where everything is
killed at once, and 250 ms of it are promised. The shorter, the more system calls for the same packets."""
DROPS_NS = NS
PATIENCE_NS = 3 * NS
"""While a write to the journal takes its time packets are left in the kernel, where no kill can lose them;
after so long they are read all the same: the kernel's buffers hold 5 s."""
AGAIN_NS = 20_000_000
"""So soon it is looked again whether the write has come back."""
MAX_SOURCES = 64  # changes of a stream's source that are noted: each is an event of the call, sealed and kept


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose media handle this is: the call's key and the stream number there."""

    key: str
    stream: int


@dataclass(frozen=True, slots=True)
class Add:
    """Sweep this socket from now on; `since_ns` (wall) is from before it was bound."""

    handle: int
    sock: socket.socket
    owner: Owner
    since_ns: int
    quiet: bool = False  # one that brings something now and then, as RTCP does


@dataclass(frozen=True, slots=True)
class Remove:
    """Drain and forget these handles, then journal `facts` (a call's end), then call `then`."""

    handles: tuple[int, ...]
    facts: dict[str, Any]
    attachment: bytes
    then: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Muted:
    """The handles of one m-line, its call's key, and the event of the call that says it."""

    handles: tuple[int, ...]
    key: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Mute:
    """Keep nothing of what these receive from now on, or (`off` False) keep it again.

    When that is done each call's event is journalled, at the end with what was not kept as `count`.
    """

    off: bool
    lines: tuple[Muted, ...]


@dataclass(frozen=True, slots=True)
class Release:
    """The sockets that a hold was for have been handed over, or were never used."""

    hold: int


Work = Add | Remove | Mute | Release


@dataclass(slots=True)
class _Stream:
    """What is known of an open handle: its owner, the changes of its source."""

    owner: Owner
    sources: int = 0


class MediaLoop(threading.Thread):
    """Owns the receiver. Start it once; `stop` lets it finish what is queued."""

    def __init__(self, receiver: Receiver, journal: JournalWriter, clock: Clock, log: Log) -> None:
        super().__init__(name="media", daemon=True)
        self._receiver = receiver
        self._journal = journal
        self._clock = clock
        self._log = log
        self._work: queue.SimpleQueue[Work] = queue.SimpleQueue()
        self._muted: dict[int, int] = {}  # handle -> packets not kept
        self._stop_asked = threading.Event()
        self._streams: dict[int, _Stream] = {}
        self._drops: dict[int, int] = {}  # of open handles, as last journalled
        self._drops_before = 0  # of handles that are closed
        self._next_drops = 0
        self._holds: dict[int, int] = {}
        self._holds_lock = threading.Lock()
        self._next_hold = 0
        self.packets = 0
        self.octets = 0
        self.lost = 0  # packets read and not kept, for want of room in the journal
        self.sweep_ns = 0  # how long the last turn took, journal included
        self._later = False  # in the thread: what it journals is written by another
        self.ended = threading.Event()  # set early means: the thread died, the process must too

    # --- from the SIP thread ---

    def put(self, work: Work) -> None:
        """Hand over work; it is done at the start of the next sweep."""
        self._work.put(work)

    def hold(self) -> tuple[int, int]:
        """Before sockets are bound: keep every tick's watermark before now. Returns (hold, wall ns).

        To be followed by `put(Release(hold))`, after the sockets' `Add`s.
        """
        wall = self._clock.wall_ns()
        with self._holds_lock:
            self._next_hold += 1
            self._holds[self._next_hold] = wall
            return self._next_hold, wall

    def read_early(self, sweeps: Iterable[Sweep]) -> None:
        """Before the start, with the work of all calls that are gone on with put in: keep what was read of
        their sockets already, each packet under the descriptor that it came from.

        Now, and not in the thread: a descriptor that is closed soon may be another socket's then. What is
        of no call is of none any more. It stands before any end of a call, and before the first sweep.
        """
        later: list[Work] = []
        handles: dict[int, int] = {}
        for _ in range(self._work.qsize()):
            work = self._work.get_nowait()
            # what is off stays off: its Mute comes before its Add
            if isinstance(work, Add) or (isinstance(work, Mute) and not self._knows(work)):
                self._do(work)
            else:
                later.append(work)
            if isinstance(work, Add) and work.handle in self._streams:
                handles[work.sock.fileno()] = work.handle
        for sweep in sweeps:
            self._keep(_owned(sweep, handles))
            self._journal.commit()
        for work in later:
            self._do(work)

    def packets_of(self, handles: Iterable[int]) -> int:
        """Packets received so far on these handles, kept or not."""
        return sum(map(self._receiver.packets, handles))

    def stop(self) -> None:
        """Finish what is queued, sweep once more and end."""
        self._stop_asked.set()

    @property
    def drops(self) -> int:
        """Packets the kernel dropped for want of room, of all streams so far."""
        return self._drops_before + sum(self._drops.copy().values())

    # --- the thread ---

    def run(self) -> None:
        due = self._clock.monotonic_ns()
        self._later = True
        try:
            while not self._stop_asked.is_set():
                after = SWEEP_NS if self.turn() else AGAIN_NS
                due = max(due + after, self._clock.monotonic_ns())
                self._stop_asked.wait((due - self._clock.monotonic_ns()) / NS)
            self._later = False
            self.turn()
        finally:
            self.ended.set()

    def turn(self) -> bool:
        """Do what is queued, sweep, journal. False where nothing is read because the journal takes its time,
        or can take no more."""
        began = self._clock.monotonic_ns()
        self._do_work()
        if self._journal.full:
            self._journal.commit(later=self._later)
            return False
        if self._later and 0 < self._journal.stuck_ns < PATIENCE_NS:
            return False
        sweep = self._receiver.sweep()
        self._keep(sweep)
        if sweep.monotonic_ns >= self._next_drops:
            self._next_drops = sweep.monotonic_ns + DROPS_NS
            self._report_drops(sweep.wall_ns, sweep.monotonic_ns)
        self._journal.tick(
            sweep.wall_ns, sweep.monotonic_ns, self._honest(sweep.watermark_ns), later=self._later
        )
        self.sweep_ns = self._clock.monotonic_ns() - began
        return True

    def _honest(self, watermark: int) -> int:
        """The watermark, held before any socket that is bound and not swept yet."""
        with self._holds_lock:
            return min((watermark, *self._holds.values()))

    def _unmuted(self, sweep: Sweep) -> Sweep:
        """The sweep without what is switched off, which is counted and forgotten."""
        off = np.isin(sweep.stream, list(self._muted))
        if not off.any():
            return sweep
        for handle, count in zip(*np.unique(sweep.stream[off], return_counts=True), strict=True):
            self._muted[int(handle)] += int(count)
        keep = ~off
        return replace(
            sweep,
            stream=sweep.stream[keep],
            arrival=sweep.arrival[keep],
            length=sweep.length[keep],
            data=sweep.data[np.repeat(keep, sweep.length)],
            sources=[source for source in sweep.sources if source[1] not in self._muted],
        )

    def _keep(self, sweep: Sweep) -> None:
        if self._muted:
            sweep = self._unmuted(sweep)
        count = len(sweep.stream)
        if count:
            self.packets += count
            self.octets += len(sweep.data)
            self._journal.media(sweep)
        for _, handle, address in sweep.sources:
            self._source(self._streams[handle], address, sweep)

    def _lose(self, stream: _Stream, rest: Sweep) -> None:
        """What a socket held when its call ended while the journal can take no more: counted, not kept."""
        count = len(rest.stream)
        self.lost += count
        if count:
            facts = {"type": "loss", "stream": stream.owner.stream, "layer": "journal", "count": count}
            self._note(stream.owner.key, facts, rest.wall_ns, rest.monotonic_ns)

    def _source(self, stream: _Stream, address: bytes, sweep: Sweep) -> None:
        stream.sources += 1
        if stream.sources > MAX_SOURCES:
            return
        facts = source_facts(stream.owner.stream, address)
        self._note(stream.owner.key, facts, sweep.wall_ns, sweep.monotonic_ns)
        if stream.sources == MAX_SOURCES:
            text = f"stream {stream.owner.stream}: after {MAX_SOURCES} sources no more are noted"
            self._note(stream.owner.key, {"type": "oddity", "text": text}, sweep.wall_ns, sweep.monotonic_ns)

    def _note(self, key: str, facts: dict[str, Any], wall: int, mono: int) -> None:
        self._journal.note({"type": "event", "key": key, "facts": facts} | stamp(wall, mono), [b""])

    def _report_drops(self, wall: int, mono: int) -> None:
        drops = {handle: n for handle, n in self._receiver.drops().items() if n}
        if drops != self._drops:
            self._drops = drops
            counts = {str(handle): n for handle, n in drops.items()}
            self._journal.note({"type": "drops", "drops": counts} | stamp(wall, mono))

    # --- work ---

    def _do_work(self) -> None:
        while True:
            try:
                work = self._work.get_nowait()
            except queue.Empty:
                return
            self._do(work)

    def _do(self, work: Work) -> None:
        if isinstance(work, Add):
            self._add(work)
        elif isinstance(work, Remove):
            self._remove(work)
        elif isinstance(work, Mute):
            self._mute(work)
        else:
            with self._holds_lock:
                self._holds.pop(work.hold, None)

    def _add(self, work: Add) -> None:
        try:
            self._receiver.add(work.handle, work.sock, quiet=work.quiet, since_ns=work.since_ns)
        except (OSError, LocalError) as error:
            # One socket that cannot be read must not end the recording of all others.
            text = f"stream {work.owner.stream} cannot be received: {error}"
            self._log.error("stream lost", key=work.owner.key, stream=work.owner.stream, why=str(error))
            wall, mono = self._clock.wall_ns(), self._clock.monotonic_ns()
            self._note(work.owner.key, {"type": "oddity", "text": text}, wall, mono)
        else:
            self._streams[work.handle] = _Stream(work.owner)

    def _knows(self, work: Mute) -> bool:
        return any(handle in self._streams for line in work.lines for handle in line.handles)

    def _mute(self, work: Mute) -> None:
        """What lies in the sockets at this moment is of the time before the switch: it is taken first."""
        if self._knows(work) and not self._journal.full:
            self._keep(self._receiver.sweep())
        wall, mono = self._clock.wall_ns(), self._clock.monotonic_ns()
        for line in work.lines:
            if work.off:
                self._muted |= dict.fromkeys(line.handles, 0)
                self._note(line.key, line.facts, wall, mono)
            else:
                count = sum(self._muted.pop(handle, 0) for handle in line.handles)
                self._note(line.key, line.facts | {"count": count}, wall, mono)

    def _remove(self, work: Remove) -> None:
        handles = [handle for handle in work.handles if handle in self._streams]
        packets = unkept = 0
        try:
            for handle in handles:
                packets += self._receiver.packets(handle)
                rest = self._receiver.remove(handle)
                packets += len(rest.stream)
                if self._journal.full:
                    self._lose(self._streams[handle], rest)
                else:
                    self._keep(rest)
                del self._streams[handle]
                unkept += self._muted.pop(handle, 0)
            if unkept:
                wall, mono = self._clock.wall_ns(), self._clock.monotonic_ns()
                self._note(str(work.facts["key"]), {"type": "off", "count": unkept}, wall, mono)
            drops = {handle: n for handle, n in self._receiver.drops(handles).items() if n}
            counts = {str(handle): n for handle, n in drops.items()}
            self._journal.note(work.facts | {"drops": counts}, [work.attachment])
        finally:
            work.then()
        lost = sum(drops.values())
        self._drops_before += lost
        self._drops = {handle: n for handle, n in self._drops.items() if handle not in drops}
        self._log.info(
            "call ended",
            key=work.facts.get("key"),
            cause=work.facts.get("cause"),
            who=work.facts.get("who"),
            packets=packets - unkept,
            kernel_drops=lost,
        )


def _owned(sweep: Sweep, handles: Mapping[int, int]) -> Sweep:
    """A sweep by descriptor as one by handle; without what belongs to no call."""
    known, place = np.unique(sweep.stream, return_inverse=True)
    keep = np.array([fd in handles for fd in known.tolist()], np.bool_)[place]
    renamed = np.array([handles.get(fd, 0) for fd in known.tolist()], np.uint32)[place]
    return replace(
        sweep,
        stream=renamed[keep],
        arrival=sweep.arrival[keep],
        length=sweep.length[keep],
        data=sweep.data[np.repeat(keep, sweep.length)],
        sources=[(row, handles[fd], address) for row, fd, address in sweep.sources if fd in handles],
    )
