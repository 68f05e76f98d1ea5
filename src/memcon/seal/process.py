"""The sealing process: one sealer, stepped until it is told to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.clock import NS, SystemClock
from memcon.seal.sealer import Sealer

if TYPE_CHECKING:
    import threading

    from memcon.clock import Clock
    from memcon.store.paths import Home

IDLE_SECONDS = 0.02
LINGER_NS = 10 * NS


def run_seal(home: Home, stop: threading.Event, clock: Clock | None = None) -> None:
    """Seal what the journals of `home` say until `stop` is set and nothing is left to read.

    Raises MachineError where the disk refuses; whoever supervises starts a new process then, which
    takes up what is on the disk. After `stop` the rest of the journal is still sealed, for 10 s at
    most: capture should have written its stop record by then.
    """
    clock = clock or SystemClock()
    sealer = Sealer(home, clock)
    sealer.say()
    asked: int | None = None
    try:
        while True:
            did = sealer.step()
            if stop.is_set():
                asked = clock.monotonic_ns() if asked is None else asked
                if not did or clock.monotonic_ns() - asked > LINGER_NS:
                    return
            elif not did:
                stop.wait(IDLE_SECONDS)
    finally:
        sealer.close()
