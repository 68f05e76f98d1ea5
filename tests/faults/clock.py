"""The wall clock of a recorder under test, in the test's hand: `stepping/sitecustomize.py` follows it."""

from __future__ import annotations

import contextlib
import mmap
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults.stepping.sitecustomize import COUNT, STEP

from memcon.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE = 65_536
STEPPING = Path(__file__).parent / "stepping"


class SteppedClock(SystemClock):
    """The recorder's clock: the machine's, and the steps so far. Raises ValueError after 4,095 of them."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(SIZE))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), SIZE)
        self._count = self._offset = 0
        self.path = path

    def wall_ns(self) -> int:
        return super().wall_ns() + self._offset

    def step(self, ns: int) -> None:
        """Step it, now, for every process of the recorder."""
        at = COUNT.size + self._count * STEP.size
        if at + STEP.size > SIZE:
            raise ValueError("no room for another step")
        self._offset += ns
        self._count += 1
        STEP.pack_into(self._map, at, SystemClock().wall_ns(), self._offset)
        COUNT.pack_into(self._map, 0, self._count)


@contextlib.contextmanager
def followed(clock: SteppedClock) -> Iterator[None]:
    """Processes that are started meanwhile follow the clock."""
    before = {name: os.environ.get(name) for name in ("PYTHONPATH", "MEMCON_TEST_CLOCK")}
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(STEPPING), before["PYTHONPATH"])))
    os.environ["MEMCON_TEST_CLOCK"] = str(clock.path)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value
