"""What an operator needs to know, as JSON lines: starts, calls, refusals, trouble, stops.

Nothing of a call's content or parties stands in a log line. A peer must not be able to fill the
disk with them: of one event so many are written in a while, and then how many were left out.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from typing import TYPE_CHECKING, TextIO

from memcon.clock import NS, utc

if TYPE_CHECKING:
    from memcon.clock import Clock

WHILE_NS = 10 * NS
LINES = 200  # of one event in a while: every call of a busy start, and no flood


class Log:
    """Writes one JSON object a line: `time` (UTC), `level`, `event`, then what the event says of itself."""

    def __init__(self, clock: Clock, stream: TextIO | None = None) -> None:
        self._clock = clock
        self._stream = sys.stderr if stream is None else stream
        self._lock = threading.Lock()
        self._since = clock.monotonic_ns()
        self._counts: dict[str, int] = {}

    def info(self, event: str, **fields: object) -> None:
        """Something happened as it should."""
        self._write("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Something was refused or lost, and recording goes on."""
        self._write("warning", event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Somebody has to do something about it."""
        self._write("error", event, fields)

    def _write(self, level: str, event: str, fields: dict[str, object]) -> None:
        with self._lock:
            for name, count in self._left_out():
                self._line("warning", "lines left out", {"of": name, "count": count})
            count = self._counts[event] = self._counts.get(event, 0) + 1
            if count <= LINES:
                self._line(level, event, fields)

    def _left_out(self) -> list[tuple[str, int]]:
        now = self._clock.monotonic_ns()
        if now - self._since < WHILE_NS:
            return []
        self._since = now
        counts, self._counts = self._counts, {}
        return [(name, count - LINES) for name, count in counts.items() if count > LINES]

    def _line(self, level: str, event: str, fields: dict[str, object]) -> None:
        time = utc(self._clock.wall_ns(), digits=3)
        line = json.dumps({"time": time, "level": level, "event": event} | fields, default=str)
        # A log that cannot be written (a closed pipe, a full disk) is no reason to stop recording.
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()
