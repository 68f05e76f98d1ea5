"""From `kill -9` of the capturing process to the first datagram that its successor reads, while calls go on.

    python bench/takeover.py [calls ...] [--seconds N] [--kills N]

The recorder is the one that `memcon serve` starts; the calls are SIP and RTP from the project's own client,
on the same machine. A socket holds about five seconds of a stream: reading has to begin before that. Beside
it, in the same run, how long Python alone takes to be started and to load what capture works with: what a
successor would cost that is not waiting already.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from memcon.clock import NS, SystemClock
from memcon.record import journal
from memcon.service.archive import Archive
from memcon.service.chaos import Blow, Serving, _Load
from memcon.service.config import load, template
from memcon.service.load_check import check_load
from memcon.service.setup import init_home
from memcon.store.journal_reader import JournalReader
from memcon.store.paths import RUN_VARIABLE, Home


def first_read(home: Home, since: int) -> tuple[float, float]:
    """(s from `since` to the first sweep that brought media, s to the first carry) of the newest instance."""
    reader = JournalReader(home)
    reader.scan()
    reader.seek(len(reader.instances) - 1, 0)
    carried = 0.0
    try:
        while (frame := reader.read()) is not None:
            for record in journal.decode_records(frame.plaintext):
                if isinstance(record, journal.Control) and record.facts["type"] == "carried" and not carried:
                    carried = (int(str(record.facts["wall"])) - since) / NS
                if isinstance(record, journal.Media):  # what was read early stands there with its own time
                    return (record.wall - since) / NS, carried
    finally:
        reader.close()
    return float("nan"), carried


def imported() -> float:
    """s to start Python with all that capture needs."""
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-c", "import memcon.capture.process, memcon.service.capturing"], check=True
    )
    return time.monotonic() - began


def run(calls: int, seconds: float, kills: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="memcon-takeover-") as folder:
        os.environ[RUN_VARIABLE] = str(Path(folder) / "run")
        clock, home = SystemClock(), Home(Path(folder) / "home")
        home.root.mkdir()
        sip, console = (40_000 + 2 * (os.getpid() % 5000) + n for n in (0, 1))
        text = template("bench.example/log", period=10, sip_port=sip, console_port=console)
        init_home(home, text, clock)
        config = load(home.config)
        serving = Serving(home, clock)
        serving.start()
        rows = []
        try:
            placed = _Load(config, calls)
            placed.wait_for_calls(calls, home, clock)
            for _ in range(kills):
                threading.Event().wait(seconds)
                struck = serving.strike(Blow("capture"))
                threading.Event().wait(3.0)
                read, carried = first_read(home, struck.wall)
                taken = {"first_read_s": read, "carried_s": carried, "status_s": struck.back_s}
                taken |= {"start_alone_s": imported()}
                rows.append({what: round(s, 2) for what, s in taken.items()})
            report = placed.end()
            check = check_load(Archive(home, config, clock), report.calls, clock)
        finally:
            serving.stop()
        lines = (home.root / "serve.log").read_text().splitlines()
        told = [json.loads(line) for line in lines if line.startswith("{")]
        return {
            "calls": calls,
            "kills": rows,
            "taken_over": [t for t in told if t["event"] in ("taken over", "read early")],
            "packets_missing": check.accounts,
            "good": check.good,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("calls", type=int, nargs="*", default=[50, 300])
    parser.add_argument("--seconds", type=float, default=15.0, help="of calls before each kill")
    parser.add_argument("--kills", type=int, default=2)
    args = parser.parse_args()
    json.dump([run(calls, args.seconds, args.kills) for calls in args.calls], sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
