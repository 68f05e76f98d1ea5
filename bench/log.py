"""Beat made to checkpoint published, beside a bare 4 KiB append with fdatasync in the same run.

Each beat is a slot record (synced), an entry bundle, tiles and a checkpoint signed with Ed25519 and
ML-DSA-44, all on the disk that `--folder` names (default: the temporary directory).

    python bench/log.py [beats] [calls in each]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from memcon.clock import NS, SystemClock
from memcon.record import beat
from memcon.record.slottree import SlotLeaf
from memcon.seal import genesis
from memcon.seal.keys import create_keys
from memcon.seal.sequencer import Sequencer
from memcon.store.durable import AppendFile
from memcon.store.paths import Home


def percentiles(times: list[float]) -> dict[str, float]:
    """p50, p99 and the longest, in ms."""
    ordered = sorted(times)
    at = (len(ordered) // 2, len(ordered) * 99 // 100, len(ordered) - 1)
    return {name: round(ordered[i] * 1000, 3) for name, i in zip(("p50", "p99", "max"), at, strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("beats", type=int, nargs="?", default=500)
    parser.add_argument("calls", type=int, nargs="?", default=0)
    parser.add_argument("--folder")
    args = parser.parse_args()
    beats, bare = [], []
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        home = Home(Path(folder) / "home")
        keys = create_keys(home.keys)
        clock = SystemClock()
        genesis.create_log(home, keys, "bench.example/log", clock.wall_ns() - 20 * NS)
        sequencer = Sequencer(home, keys, clock)
        leaf = os.urandom(456)
        file = AppendFile(Path(folder) / "bare")
        page = os.urandom(4096)
        for n in range(args.beats):
            index, slot = sequencer.next_index, sequencer.last.slot + 1
            leaves = {0: SlotLeaf(slot, index, 1, 1, 0, 0).encode()} | {
                3 + 7 * c: leaf for c in range(args.calls)
            }
            published = sequencer.publish(
                slot, leaves, state=beat.State.RECORDING, flags=0, instance=bytes(16), config_root=bytes(32)
            )
            beats.append(published.elapsed / NS)
            started = time.perf_counter()
            file.write(page)
            file.sync()
            bare.append(time.perf_counter() - started)
            if n % 100 == 99:
                time.sleep(0.05)
    json.dump({"beat_ms": percentiles(beats), "append_fdatasync_ms": percentiles(bare)}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
