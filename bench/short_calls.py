"""Many short calls, one after another, leave nothing behind: no descriptor, no port, no key, no memory.

    python bench/short_calls.py --calls 10000 --rate 50

Starts `memcon serve` in a home of its own, places a tenth of the calls to warm up, looks, places the
calls, waits until all are in the vault, and looks again. What is compared: open descriptors and
resident memory of the supervisor and each worker, media ports that the supervisor holds, keys in the
run directory, calls still on their way. Exit code 1 where a descriptor, a port, a key or a call is
left, or a process has grown by more than `--kib` a call.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import socket
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from memcon.client.load import run_load
from memcon.client.load_plan import LoadPlan
from memcon.clock import SystemClock
from memcon.service.chaos import ROLES, Serving
from memcon.service.config import template
from memcon.service.demo import free_port, free_sip_port
from memcon.service.setup import init_home
from memcon.store.paths import Home

FIRST, LAST = 20_000, 29_999
SETTLE_S = 300.0


@dataclass
class Look:
    """What the recorder holds at one moment."""

    descriptors: dict[str, int]
    resident_kib: dict[str, int]
    ports: int
    keys: int
    on_their_way: int


def look(serving: Serving) -> Look:
    """Count now."""
    pids = {"supervisor": serving.supervisor, **{role: serving.pid(role) for role in ROLES}}
    home = serving.home
    return Look(
        {role: descriptors(pid) for role, pid in pids.items()},
        {role: resident(pid) for role, pid in pids.items()},
        ports_held(pids["supervisor"]),
        len(list(home.run.glob("call-*.key"))),
        sum(len(list(d.iterdir())) for d in (home.work_open, home.work_done) if d.is_dir()),
    )


def descriptors(pid: int) -> int:
    """The fewest of several looks: a worker opens a file now and then, and closes it again.

    A database counts once: its pool, which is bounded, opens one more when two threads happen to meet.
    """
    counts = []
    for _ in range(8):
        targets = [target(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
        databases = {name for name in targets if ".sqlite" in name}
        counts.append(len(databases) + sum(name not in databases for name in targets))
        time.sleep(0.05)
    return min(counts)


def target(link: Path) -> str:
    """What a descriptor is of; "" when it has just been closed."""
    with contextlib.suppress(OSError):
        return str(link.readlink())
    return ""


def resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


def ports_held(pid: int) -> int:
    """Media ports that a process has a socket of."""
    mine = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            mine.add(str(fd.readlink()))
    fields = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    ports = [int(f[1].partition(":")[2], 16) for f in fields if f"socket:[{f[9]}]" in mine]
    return sum(FIRST <= port <= LAST for port in ports)


def settle(serving: Serving) -> None:
    """Wait until every call is kept and no media port is held; then for what is done once a second."""
    end = time.monotonic() + SETTLE_S
    while time.monotonic() < end:
        now = look(serving)
        if not now.on_their_way and not now.ports:
            break
        time.sleep(0.2)
    time.sleep(1.5)


def place(target: str, calls: int, rate: float, seconds: float) -> int:
    """Place the calls; how many were answered and ended by their BYE."""
    # Whoever gives up early on a busy machine leaves calls that nobody ends.
    plan = LoadPlan(target, calls=calls, seconds=seconds, ramp=rate, answer_seconds=60.0)
    report = asyncio.run(run_load(plan))
    return sum(call.status == 200 and call.bye == 200 for call in report.calls)


def measure(serving: Serving, target: str, options: argparse.Namespace) -> tuple[Look, Look, int]:
    """Before, after, and how many calls went as they should."""
    serving.start()
    try:
        place(target, max(20, options.calls // 10), options.rate, options.seconds)
        settle(serving)
        before = look(serving)
        good = place(target, options.calls, options.rate, options.seconds)
        settle(serving)
        return before, look(serving), good
    finally:
        serving.stop()


def left_behind(before: Look, after: Look, calls: int) -> dict[str, Any]:
    """What is more than it was."""
    grown = {role: after.resident_kib[role] - kib for role, kib in before.resident_kib.items()}
    return {
        "descriptors": {role: after.descriptors[role] - n for role, n in before.descriptors.items()},
        "ports": after.ports,
        "keys": after.keys,
        "calls": after.on_their_way,
        "kib": grown,
        "kib_a_call": {role: round(kib / calls, 2) for role, kib in grown.items()},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=50.0, help="calls begun a second")
    parser.add_argument("--seconds", type=float, default=0.3, help="length of each call")
    parser.add_argument("--kib", type=float, default=2.0, help="memory a call may leave in a process, KiB")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="memcon-short-"))
    os.environ["MEMCON_RUN"] = str(directory / "run")
    try:
        home, sip, clock = Home(directory / "home"), free_sip_port(), SystemClock()
        console = free_port(socket.SOCK_STREAM)
        origin, ports = "bench.memcon.example/short", f"{FIRST}-{LAST}"
        text = template(origin, period=1, sip_port=sip, console_port=console, ports=ports)
        init_home(home, text, clock)
        before, after, good = measure(Serving(home, clock), f"udp://127.0.0.1:{sip}", options)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    left = left_behind(before, after, options.calls)
    said = {"calls": options.calls, "good": good, "left": left}
    if options.json:
        print(json.dumps(said | {"before": asdict(before), "after": asdict(after)}))
    else:
        print(f"calls        {good} of {options.calls} answered and ended")
        for name, value in left.items():
            print(f"{name:<12} {value}")
    clean = good == options.calls and not (left["ports"] or left["calls"] or left["keys"])
    clean = clean and not any(n > 0 for n in left["descriptors"].values())
    return 0 if clean and all(kib <= options.kib for kib in left["kib_a_call"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
