"""Lets a test step the wall clock of a running recorder, as an administrator's hand would.

The machine's own clock cannot be stepped for one program alone: there is no namespace for it, and other
programs would not like it. So the processes of a recorder under test are started with this directory on
PYTHONPATH, and Python runs this module first in each. It moves the house's clock, and likewise the time that
the kernel has stamped on packets, by what a file says (`tests.faults.clock`), from the moment of each step
on: what lay in a socket before is stamped by the clock as it was. Nothing of this is in the program: who may
set another's PYTHONPATH can run anything there.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import mmap
import os
import struct
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

COUNT = struct.Struct("=Q")
STEP = struct.Struct("=qq")
"""When, by the machine's clock, and the offset from then on; both ns."""


class _Steps:
    """The file of steps, shared with the test."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def all(self) -> list[tuple[int, int]]:
        (count,) = COUNT.unpack_from(self._map)
        return [STEP.unpack_from(self._map, COUNT.size + n * STEP.size) for n in range(count)]

    def offset(self) -> int:
        (count,) = COUNT.unpack_from(self._map)
        if not count:
            return 0
        offset: int = STEP.unpack_from(self._map, COUNT.size + (count - 1) * STEP.size)[1]
        return offset


class _Finder(importlib.abc.MetaPathFinder):
    """Changes two modules of memcon when they are imported, and no other."""

    def __init__(self, steps: _Steps) -> None:
        self._steps = steps

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        change = {"memcon.clock": self._clock, "memcon.capture.media_rows": self._stamps}.get(name)
        if change is None:
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            sys.meta_path.insert(0, self)
        if spec is None or spec.loader is None:
            return spec
        run = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            run(module)
            change(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec

    def _clock(self, module: Any) -> None:  # a module's names are its own
        steps = self._steps
        module.SystemClock.wall_ns = lambda self: time.time_ns() + steps.offset()

    def _stamps(self, module: Any) -> None:
        import numpy as np

        steps, before = self._steps, module.Rows._stamps

        def stamps(self: object, n: int, arrival: Any, fallback_ns: int) -> None:
            before(self, n, arrival, fallback_ns)
            table = np.array([(0, 0), *steps.all()], np.int64)
            arrival += table[np.searchsorted(table[:, 0], arrival, "right") - 1, 1]

        module.Rows._stamps = stamps


if path := os.environ.get("MEMCON_TEST_CLOCK"):
    sys.meta_path.insert(0, _Finder(_Steps(Path(path))))
