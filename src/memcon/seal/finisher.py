"""Hands ended calls over beside the sealing: what is synced at a call's end must not hold up a beat.

A few calls at a time are finished in threads (the disk takes their syncs together); the sealer collects
them between frames. Until a call is collected, its journal and its key stay.
"""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

WORKERS = 4
WAIT_SECONDS = 0.02
"""How long the sealer waits for one when it has nothing else to do."""


class Finisher:
    """Calls on their way to `work/done`."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(WORKERS, "finish")
        self._pending: dict[Future[None], int] = {}

    @property
    def busy(self) -> bool:
        """Whether calls are being finished."""
        return bool(self._pending)

    def submit(self, number: int, finish: Callable[[], None]) -> None:
        """Finish a call: write, sync, rename."""
        self._pending[self._pool.submit(finish)] = number

    def collect(self, *, idle: bool = False) -> list[int]:
        """The numbers of calls that are handed over; `idle`: wait a moment for one.

        Raises what finishing raised: MachineError, where the disk refuses.
        """
        if not self._pending:
            return []
        wait(self._pending, WAIT_SECONDS if idle else 0, FIRST_COMPLETED)
        done = [future for future in self._pending if future.done()]
        numbers = {self._pending.pop(future): future for future in done}
        for future in numbers.values():
            future.result()
        return sorted(numbers)

    def close(self) -> list[int]:
        """Wait for all; the numbers handed over that were not collected. An error of one is left to the next
        sealer, which finds that call unfinished."""
        self._pool.shutdown()
        finished = [number for future, number in self._pending.items() if future.exception() is None]
        self._pending.clear()
        return sorted(finished)
