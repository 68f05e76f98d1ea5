"""What the recorder's processes cost and hold while a load goes on: a look at them every few seconds."""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.peers import cpu_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

EVERY_S = 5.0


def resident_of(pid: int) -> int:
    """The memory that a process has resident now, MiB."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) // 1024 if found else 0


@dataclass(frozen=True, slots=True)
class Glance:
    """One look: monotonic s, open calls and packets so far by `capture.json`, CPU s and MiB by process."""

    at: float
    calls: int
    packets: int
    cpu: Mapping[str, float]
    memory: Mapping[str, int]


class Watch(threading.Thread):
    """Looks until `end`. The figures of a call's middle are those between the first and the last look at
    which all calls were up."""

    def __init__(self, pids: Callable[[], dict[str, int]], status: Path) -> None:
        super().__init__(name="watch", daemon=True)
        self._pids, self._status = pids, status
        self._over = threading.Event()
        self.glances: list[Glance] = []

    def run(self) -> None:
        while not self._over.wait(EVERY_S):
            said = json.loads(self._status.read_text())
            cpu = {role: cpu_of(pid) for role, pid in self._pids().items()}
            memory = {role: resident_of(pid) for role, pid in self._pids().items()}
            self.glances.append(Glance(time.monotonic(), said["calls"], said["packets"], cpu, memory))

    def end(self) -> None:
        self._over.set()
        self.join()

    def all_up(self, calls: int) -> list[Glance]:
        """The looks at which so many calls were up."""
        return [glance for glance in self.glances if glance.calls >= calls]


def each(first: Glance, last: Glance) -> dict[str, float]:
    """us of CPU a packet between two looks, by process."""
    packets = max(1, last.packets - first.packets)
    return {role: (last.cpu[role] - first.cpu[role]) / packets * 1e6 for role in first.cpu}


def say(watch: Watch, calls: int) -> None:
    """What a packet cost while all were up, and how memory went from minute to minute."""
    up = watch.all_up(calls)
    if len(up) < 2:
        return
    first, last = up[0], up[-1]
    cost = each(first, last)
    own = sum(us for role, us in cost.items() if role != "office")
    parts = ", ".join(f"{role} {us:.2f}" for role, us in cost.items())
    print(f"         {own:.2f} us in the {last.at - first.at:.0f} s in which all calls were up ({parts})")
    minutes = [up[0]]
    for glance in up:
        if glance.at - minutes[-1].at >= 60:
            minutes.append(glance)
    for role in ("capture", "seal", "office"):
        went = " ".join(str(glance.memory[role]) for glance in minutes)
        print(f"         {role} in MiB, from minute to minute: {went}")
