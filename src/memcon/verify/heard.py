"""What people have said of a log: who switched it off, and what was explained afterwards, by slots.

A log of years has thousands of statements and as many stretches that they are asked for: each is read once.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from memcon.record.statement import Explanation, Off, On

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memcon.verify.history import Said


class Heard:
    """The statements of a log; `said` in the order of the leaves that name them."""

    def __init__(self, said: Iterable[Said]) -> None:
        self._switches: list[tuple[int, Off | On]] = []
        explained: list[Explanation] = []
        for one in said:
            read = one.statement
            if isinstance(read, Off | On):
                self._switches.append((one.slot, read))
            elif isinstance(read, Explanation):
                explained.append(read)
        self._slots = [slot for slot, _ in self._switches]
        self._explained = sorted(explained, key=lambda read: read.first)
        self._firsts = [read.first for read in self._explained]
        self._reach = list(accumulate((read.last for read in self._explained), max))

    def off(self, first: int, last: int, *, whole: bool) -> Off | None:
        """The off statement by which the slots `first` to `last` are off, wholly or in part.

        The one in force when they begin, else the first in them: it is named before it takes effect, and
        what others add later is theirs.
        """
        begin = bisect_left(self._slots, first)
        for _, read in reversed(self._switches[:begin]):
            if isinstance(read, On):
                if not read.lines:
                    break
            elif whole is not bool(read.lines):
                return read
        inside = self._switches[begin : bisect_right(self._slots, last)]
        named = (read for _, read in inside if isinstance(read, Off) and whole is not bool(read.lines))
        return next(named, None)

    def last_switch_before(self, slot: int) -> int:
        """The slot of the newest switch of any kind before a slot; -1 where there is none."""
        before = bisect_right(self._slots, slot - 1)
        return self._slots[before - 1] if before else -1

    def explanations(self, first: int, last: int) -> list[Explanation]:
        """Those about any of the slots `first` to `last`, by the slot that they begin with."""
        end = bisect_right(self._firsts, last)
        start = bisect_right(self._reach, first - 1, 0, end)
        return [read for read in self._explained[start:end] if read.last >= first]
