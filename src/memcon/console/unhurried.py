"""What takes as long as a call is long, without making its page wait: loudness, the windows of its beats.

It is made once and kept by who makes it. A page waits a moment; one that comes too early does without
and says so.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from memcon.errors import MemconError

if TYPE_CHECKING:
    from collections.abc import Callable

Key = TypeVar("Key")
Made = TypeVar("Made")

PATIENCE = 0.05
"""How long a page waits, s: what has been made before is there by then."""
AT_ONCE = 2


@dataclass(slots=True)
class _Job(Generic[Made]):
    done: threading.Event = field(default_factory=threading.Event)
    made: Made | None = None
    error: MemconError | None = None


class Unhurried(Generic[Key, Made]):
    """Runs `make` in threads of its own, two at once; one job of a key, however many readers."""

    def __init__(self, make: Callable[[Key], Made]) -> None:
        self._make = make
        self._turn = threading.Semaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._jobs: dict[Key, _Job[Made]] = {}

    def get(self, key: Key) -> Made | None:
        """What `make` gives, None while it is at it; raises what making it raised."""
        with self._lock:
            job = self._jobs.get(key)
            if job is None:
                job = self._jobs[key] = _Job()
                threading.Thread(target=self._work, args=(key, job), daemon=True).start()
        if not job.done.wait(PATIENCE):
            return None
        if job.error is not None:
            raise job.error
        return job.made

    def _work(self, key: Key, job: _Job[Made]) -> None:
        try:
            with self._turn:
                job.made = self._make(key)
        except MemconError as error:
            job.error = error
        finally:
            with self._lock:
                del self._jobs[key]
            job.done.set()
