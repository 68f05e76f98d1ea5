"""Whether a worker hangs. Killing one that merely waits would lose what it has in memory: so be sure.

A process hangs
- where it has been stopped (state T in /proc: SIGSTOP, Ctrl-Z) for a second. The kernel's buffers
  hold five seconds of a stream, and a new capture needs one or two;
- where it has given no sign of life for long, while none of its threads is in state D: a slow disk
  is no hang, and a kill would not end it either.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from memcon.clock import NS

if TYPE_CHECKING:
    from memcon.clock import Clock

PROC = Path("/proc")
STOPPED_NS = NS
SILENT_NS = {"capture": 20 * NS, "seal": 120 * NS, "office": 120 * NS}
"""A role that is not named gives no sign of life."""


def thread_states(pid: int) -> str:
    """The states of a process's threads (proc_pid_stat(5)), a letter each; "" when it is gone."""
    return "".join(map(_state, (PROC / str(pid) / "task").glob("*/stat")))


def _state(stat: Path) -> str:
    try:
        return stat.read_text(encoding="latin-1").rpartition(")")[2].split()[0]
    except (OSError, IndexError):  # a thread that has just ended
        return ""


class Watchdog:
    """Watches one process of a role. `hangs` is to be asked a few times a second."""

    def __init__(self, role: str, pid: int, clock: Clock) -> None:
        self._pid = pid
        self._clock = clock
        self._silent_ns = SILENT_NS.get(role)
        self._stopped: int | None = None

    def hangs(self, heard: int) -> str:
        """Why it is taken for hung, or "". `heard`: when it last gave a sign of life (monotonic, ns)."""
        now = self._clock.monotonic_ns()
        states = thread_states(self._pid)
        if not states or set(states) != {"T"}:
            self._stopped = None
        elif self._stopped is None:
            self._stopped = now
        elif now - self._stopped >= STOPPED_NS:
            return "it has been stopped"
        silent = now - heard
        if states and self._silent_ns is not None and silent > self._silent_ns and "D" not in states:
            return f"no sign of life for {silent // NS} s"
        return ""
