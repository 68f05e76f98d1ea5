"""The one place that reads a clock.

Pure rooms take time as an argument; shells take a `Clock`, so that tests can step it.
All times are integers in nanoseconds.
"""

from __future__ import annotations

import bisect
import time
from datetime import UTC, datetime
from typing import Protocol

NS = 1_000_000_000


class Clock(Protocol):
    """Reads the machine's two clocks, in nanoseconds."""

    def wall_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC, by the machine's own clock; may step."""
        ...

    def monotonic_ns(self) -> int:
        """Nanoseconds since an arbitrary start; never steps, same for all processes of one boot."""
        ...


class SystemClock:
    """The machine's clocks: CLOCK_REALTIME and CLOCK_MONOTONIC."""

    def wall_ns(self) -> int:
        return time.time_ns()

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


class ManualClock:
    """A clock for tests: both hands move only when told to."""

    def __init__(self, wall_ns: int = 1_800_000_000 * NS, monotonic_ns: int = NS) -> None:
        self._wall = wall_ns
        self._monotonic = monotonic_ns

    def wall_ns(self) -> int:
        return self._wall

    def monotonic_ns(self) -> int:
        return self._monotonic

    def advance(self, ns: int) -> None:
        """Let `ns` nanoseconds pass on both hands."""
        self._wall += ns
        self._monotonic += ns

    def step_wall(self, ns: int) -> None:
        """Step the wall clock alone, as an administrator or NTP would."""
        self._wall += ns


def utc(wall_ns: int, *, digits: int = 0) -> str:
    """ISO 8601 in UTC, `2026-11-24T03:42:00Z`, with `digits` (0 to 9) decimals, cut not rounded."""
    seconds, rest = divmod(wall_ns, NS)
    text = datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{rest:09d}"[: digits + 1] if digits else ""
    return f"{text}{fraction}Z"


BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Durations:
    """How long something took, counted by upper bounds: what a histogram of Prometheus is made of."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self._total_ns = 0

    def add(self, ns: int) -> None:
        """One more, which took `ns`; a negative one (a clock was stepped) counts as none at all."""
        self._counts[bisect.bisect_left(BOUNDS_S, max(ns, 0) / NS)] += 1
        self._total_ns += max(ns, 0)

    def to_json(self) -> dict[str, object]:
        """`counts` up to each of BOUNDS_S and beyond the last, not added up; `total_s` in seconds."""
        return {"counts": list(self._counts), "total_s": self._total_ns / NS}
