"""10,000 circular shifts of 1,000 calls over 10,000,000 events on one core, beside a peer in the same run.

    python bench/coincidence.py [--events 10000000] [--calls 1000] [--shifts 10000] [--json]

The peer does what one writes first: for each shift, numpy's `searchsorted` of the moved calls, and the
trigger rate alone. It is given `--peer-shifts` of them and its time is scaled; memcon counts precursor,
trigger and total of the same window. Both must find the same rate. The process is bound to one core.
"""

from __future__ import annotations

import argparse
import json
import os
import time

import numpy as np

from memcon.aftermath.frame import Frame
from memcon.aftermath.tally import Tally
from memcon.aftermath.testing import Question, examine
from memcon.aftermath.windows import Window

YEARS, DAY = 10, 86_400
SPAN = YEARS * 365 * DAY


def peer(events: np.ndarray, calls: np.ndarray, width: int, shifts: int, rng: np.random.Generator) -> float:
    """Seconds for `shifts` shifts, one after the other."""
    begin = time.perf_counter()
    for by in rng.integers(0, SPAN, shifts):
        moved = np.sort((calls + by) % SPAN)
        first = np.searchsorted(events, moved, side="left")
        last = np.searchsorted(events, moved + width, side="right")
        np.count_nonzero(last > first)
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--calls", type=int, default=1_000)
    parser.add_argument("--shifts", type=int, default=10_000)
    parser.add_argument("--peer-shifts", type=int, default=1_000)
    parser.add_argument("--width", type=int, default=60, help="seconds")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rng = np.random.default_rng(4)
    # half of them spread, half in a thousand outbreaks of about a day
    outbreaks = rng.integers(0, SPAN - 8 * DAY, 1000)
    half = args.events // 2
    burst = rng.choice(outbreaks, args.events - half) + np.abs(rng.normal(0, DAY, args.events - half)).astype(
        np.int64
    )
    events = np.sort(np.concatenate([rng.integers(0, SPAN, half), burst % SPAN]))
    calls = np.sort(rng.integers(0, SPAN, args.calls))

    begin, cpu = time.perf_counter(), time.process_time()
    tally = Tally(events)
    question = Question((Window(args.width),), draws=args.shifts)
    found = examine(tally, calls, Frame.of(0, SPAN, "second"), question)
    ours, ours_cpu = time.perf_counter() - begin, time.process_time() - cpu

    theirs = peer(events, calls, args.width, args.peer_shifts, rng) * args.shifts / args.peer_shifts
    last = np.searchsorted(events, calls + args.width, side="right")
    rate = np.count_nonzero(last > np.searchsorted(events, calls)) / len(calls)
    assert found.outcomes[1].rate == rate
    report = {
        "events": args.events,
        "calls": args.calls,
        "shifts": found.draws,
        "memcon_s": round(ours, 2),
        "memcon_cpu_s": round(ours_cpu, 2),
        "peer_s": round(theirs, 2),
        "p": {o.statistic: o.p for o in found.outcomes},
    }
    if args.json:
        print(json.dumps(report))
        return
    print(f"{args.events:,} events, {args.calls:,} calls, {found.draws:,} circular shifts, one core")
    print(f"memcon, index and three statistics: {ours:6.2f} s ({ours_cpu:.2f} s of processor)")
    print(f"searchsorted, one statistic:        {theirs:6.2f} s")
    print("p: " + ", ".join(f"{k} {v:.4f}" for k, v in report["p"].items()))


if __name__ == "__main__":
    main()
