"""The loudness of a call for its score, without making the page wait for it.

It is read from the call's audio once, which takes as long as the call is long, and kept by who makes it.
A page waits a moment; one that comes too early has a score without loudness and says so.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memcon.errors import MemconError

if TYPE_CHECKING:
    from memcon.console.deps import Waveform

PATIENCE = 0.05
"""How long a page waits, s: what has been made before is there by then."""
AT_ONCE = 2


@dataclass(slots=True)
class _Job:
    done: threading.Event = field(default_factory=threading.Event)
    peaks: dict[str, bytes] = field(default_factory=dict)
    error: MemconError | None = None


class Loudness:
    """Asks for peaks in threads of its own, at most two at once; one job a call, however many readers."""

    def __init__(self, waveform: Waveform) -> None:
        self._waveform = waveform
        self._turn = threading.Semaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._jobs: dict[int, _Job] = {}

    def peaks(self, call: int) -> dict[str, bytes] | None:
        """As `Waveform.peaks`, None while they are being made; raises what making them raised."""
        with self._lock:
            job = self._jobs.get(call)
            if job is None:
                job = self._jobs[call] = _Job()
                threading.Thread(target=self._work, args=(call, job), daemon=True).start()
        if not job.done.wait(PATIENCE):
            return None
        if job.error is not None:
            raise job.error
        return job.peaks

    def _work(self, call: int, job: _Job) -> None:
        try:
            with self._turn:
                job.peaks = self._waveform.peaks(call)
        except MemconError as error:
            job.error = error
        finally:
            with self._lock:
                del self._jobs[call]
            job.done.set()
