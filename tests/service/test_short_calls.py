"""Short calls in a row leave nothing behind: the short form of bench/short_calls.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "bench" / "short_calls.py"
A_CALL = 1000.0
"""KiB: so few calls say nothing of memory; ten thousand do (docs/PERFORMANCE.md)."""


def test_short_calls_leave_no_descriptor_port_or_key() -> None:
    order = [sys.executable, str(SCRIPT), "--calls", "40", "--rate", "40", "--kib", str(A_CALL), "--json"]
    done = subprocess.run(order, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert said["good"] == 40
    left = said["left"]
    assert (left["ports"], left["keys"], left["calls"]) == (0, 0, 0)
    assert not any(count > 0 for count in left["descriptors"].values())
    assert said["before"]["descriptors"]["supervisor"] > 3  # it does hold the listeners
