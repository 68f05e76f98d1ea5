"""Media sockets read while a take-over still goes on, where it takes longer than they can wait.

A socket holds five seconds of a stream. Going on with the calls of a capturing process that died means to
read its journal and to serve every call's messages again: a second of work for 300 calls, and on a machine
that has much else to do it takes as long as the machine likes. So a thread reads the sockets that the
supervisor held once its predecessor has been silent for `WAITS_NS`, and keeps what it finds; when the calls
stand in the journal the media thread writes it there, by the descriptor it came from, before its first sweep.

Not before that: what is in the kernel survives this process too, what is in its memory does not.
"""

from __future__ import annotations

import os
import resource
import socket
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from memcon.capture.receiver import Receiver, Sweep
from memcon.clock import NS
from memcon.errors import MemconError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memcon.capture.handover import Held
    from memcon.capture.log import Log
    from memcon.clock import Clock

WAITS_NS = 5 * NS // 2
"""Since the last sign of life: with half of what the kernel holds to spare."""
EVERY_S = 0.2
MOST_BYTES = 64 << 20
"""Kept at most; the rest waits in the kernel. 600 streams of G.711 for twelve seconds."""
DESCRIPTORS_LEFT = 256
"""Not used for this: calls are taken up meanwhile."""
DESCRIPTORS = Path("/proc/self/fd")


class EarlyReading(threading.Thread):
    """Reads held media sockets from `silent_since` (monotonic, ns) + `WAITS_NS` on, until told to stop."""

    def __init__(self, held: Mapping[str, Held], silent_since: int, clock: Clock, log: Log) -> None:
        super().__init__(name="early", daemon=True)
        self._clock, self._log = clock, log
        self._due = silent_since + WAITS_NS
        # duplicates: one that is closed meanwhile must not be another socket when it is read
        self._descriptors = [
            fd for name, each in held.items() if name.startswith("media:") for fd in each.fds
        ]
        self._sweeps: list[Sweep] = []
        self._over = threading.Event()

    def run(self) -> None:
        if not self._descriptors or self._over.wait(max(0, self._due - self._clock.monotonic_ns()) / NS):
            return
        receiver = Receiver(self._clock)
        try:
            self._add(receiver)
            kept = 0
            while not self._over.is_set() and kept < MOST_BYTES:
                sweep = receiver.sweep()
                if len(sweep.stream):
                    self._sweeps.append(_copied(sweep))
                    kept += len(sweep.data)
                self._over.wait(EVERY_S)
        except (OSError, MemconError) as error:  # what was not read waits in the kernel
            self._log.error("not read early", why=str(error))
        finally:
            receiver.close()

    def _add(self, receiver: Receiver) -> None:
        room = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - len(list(DESCRIPTORS.iterdir()))
        for fd in self._descriptors[: max(0, room - DESCRIPTORS_LEFT)]:
            receiver.add(fd, socket.socket(fileno=os.dup(fd)))

    def stop(self) -> list[Sweep]:
        """Read no more; what was read, each packet under the descriptor that was held."""
        self._over.set()
        self.join()
        if self._sweeps:
            packets = sum(len(sweep.stream) for sweep in self._sweeps)
            self._log.info("read early", packets=packets, sweeps=len(self._sweeps))
        return self._sweeps


def _copied(sweep: Sweep) -> Sweep:
    """One that is ours: a receiver uses its memory again."""
    return replace(
        sweep,
        stream=sweep.stream.copy(),
        arrival=sweep.arrival.copy(),
        length=sweep.length.copy(),
        data=sweep.data.copy(),
    )
