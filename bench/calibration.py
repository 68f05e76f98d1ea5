"""Does a coincidence test at 5 % cry wolf 5 times in 100? Each null model, on series that cluster and do not.

    python bench/calibration.py [--sims 400] [--ucdp FILE]

Calls are drawn without regard to the events: evenly, or in clusters. Events are clusters drawn likewise,
or, with `--ucdp`, the event days of a UCDP file (1 March 2015 to 31 December 2021). A share of alarms is
the share of draws with p <= 0.05; its own chance error is given.
"""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from memcon.aftermath.frame import Frame
from memcon.aftermath.reading import open_events
from memcon.aftermath.series import Selection, read_series
from memcon.aftermath.tally import Tally
from memcon.aftermath.testing import Question, examine
from memcon.aftermath.windows import STATISTICS, Window

if TYPE_CHECKING:
    from memcon.aftermath.chance import Null
    from memcon.aftermath.frame import Ints

FIRST, LAST = date(2015, 3, 1).toordinal(), date(2021, 12, 31).toordinal()
SPAN = LAST - FIRST + 1
NULLS: tuple[Null, ...] = ("circular", "stratified", "block", "poisson")


def clusters(rng: np.random.Generator, n: int, each: float) -> Ints:
    """Days around `n` chosen days, `each` + 1 on average, within three weeks."""
    days = [c + rng.integers(0, 20, 1 + rng.poisson(each)) for c in rng.integers(0, SPAN, n)]
    return np.unique(np.concatenate(days) % SPAN).astype(np.int64)


def evenly(rng: np.random.Generator, n: int) -> Ints:
    return np.sort(rng.choice(SPAN, n, replace=False)).astype(np.int64)


def ucdp(path: Path) -> Tally:
    with path.open("rb") as stream:
        read = read_series(open_events(stream, path.name), Selection("best"))
    inside = (read.first >= FIRST) & (read.first <= LAST)
    return Tally(read.first[inside] - FIRST, read.weights[inside], merge=True)


def alarms(null: Null, real: Tally | None, width: int, sims: int, *, clustered: bool) -> list[float]:
    """Share of alarms by statistic."""
    rng, cut = np.random.default_rng(7), SPAN // 2
    frame = Frame.of(0, SPAN).regimes([(0, "first half"), (cut, "second half")])
    counts = np.zeros(len(STATISTICS))
    for seed in range(sims):
        events = real or Tally(clusters(rng, 60, 6))
        calls = clusters(rng, 8, 4) if clustered else evenly(rng, 30)
        asked = Question((Window(width - 1, 1),), STATISTICS, null, draws=399, seed=seed, block=60)
        counts += [o.p <= 0.05 for o in examine(events, calls, frame, asked).outcomes]
    return [float(c) / sims for c in counts]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sims", type=int, default=400)
    parser.add_argument("--ucdp", type=Path)
    args = parser.parse_args()
    kinds: list[tuple[str, Tally | None]] = [("clusters", None)]
    if args.ucdp:
        kinds.append(("UCDP", ucdp(args.ucdp)))
    print(f"share of alarms at 0.05, {args.sims} draws, +- {2 * (0.05 * 0.95 / args.sims) ** 0.5:.3f}")
    print(f"{'events':10}{'calls':10}{'days':>5}  {'null':12}" + "".join(f"{s:>11}" for s in STATISTICS))
    for name, real in kinds:
        for clustered in (False, True):
            for width in (2, 8):
                for null in NULLS:
                    shares = alarms(null, real, width, args.sims, clustered=clustered)
                    how = "clusters" if clustered else "evenly"
                    print(f"{name:10}{how:10}{width:5}  {null:12}" + "".join(f"{s:11.3f}" for s in shares))


if __name__ == "__main__":
    main()
