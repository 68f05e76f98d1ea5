"""Decoding that nobody waits for, in a thread of its own with a model of its own.

A careful reading of half a minute takes a second or more of processor. Where the text of an utterance waited
for one, it would be late; so careful readings run beside, at a lower priority, and what is quick goes first
wherever both want the processor. Not at the lowest: with much other work on the machine they must end too.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from memcon.transcribe.engine import Engine

Job: TypeAlias = "Callable[[], Callable[[], None]]"
"""Done in the thread; what it returns is done by whoever calls `collect`."""
MOST_WAITING = 8
"""Live readings that wait at most: with more, what was written first stays until the call is over."""
YIELDS = 6
"""How much nicer the thread is than its process: a quarter of what the other gets, where both want it."""


class Careful:
    """One worker. `soon` jobs go before those given `later`, also inside one that calls `others`."""

    def __init__(self, load: Callable[[], Engine]) -> None:
        """`load` gives its engine, which is loaded in the thread."""
        self._load = load
        self._engine: Engine | None = None
        self._soon: deque[Job] = deque()
        self._later: deque[Job] = deque()
        self._done: deque[Callable[[], None]] = deque()
        self._news = threading.Condition()
        self._working = self._over = False
        self._thread = threading.Thread(target=self._run, name="careful", daemon=True)
        self._thread.start()

    @property
    def engine(self) -> Engine:
        """The model of this thread. Only a job may ask for it. Raises what loading it raises."""
        if self._engine is None:
            self._engine = self._load()
        return self._engine

    @property
    def idle(self) -> bool:
        """Whether nothing is being done, waits, or is to be collected."""
        with self._news:
            return not (self._working or self._soon or self._later or self._done)

    def soon(self, job: Job) -> bool:
        """Have a job done next; False where too many wait."""
        with self._news:
            if len(self._soon) >= MOST_WAITING:
                return False
            self._soon.append(job)
            self._news.notify()
        return True

    def later(self, job: Job) -> None:
        """Have a job done when nothing else is to be."""
        with self._news:
            self._later.append(job)
            self._news.notify()

    def others(self) -> None:
        """Of a long job: let those go first that are to be done soon."""
        while True:
            with self._news:
                if not self._soon:
                    return
                job = self._soon.popleft()
            self._do(job)

    def collect(self) -> bool:
        """Do what the finished jobs have left to do; whether there was anything. Raises what a job raised."""
        any_ = False
        while self._done:
            self._done.popleft()()
            any_ = True
        return any_

    def end(self, seconds: float) -> None:
        """Take no more; wait so long for what is being done."""
        with self._news:
            self._over = True
            self._soon.clear()
            self._later.clear()
            self._news.notify()
        self._thread.join(seconds)

    def _do(self, job: Job) -> None:
        try:
            rest = job()
        except Exception as error:  # noqa: BLE001  # raised where it is collected
            rest = partial(_raise, error)
        with self._news:
            self._done.append(rest)

    def _run(self) -> None:
        # A thread's niceness is its own on Linux; what the model starts from here has it too.
        nice = min(os.getpriority(os.PRIO_PROCESS, 0) + YIELDS, 19)
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)
        while True:
            with self._news:
                self._working = False
                self._news.wait_for(lambda: self._over or self._soon or self._later)
                if self._over:
                    return
                job = (self._soon or self._later).popleft()
                self._working = True
            self._do(job)


def _raise(error: Exception) -> None:
    raise error
