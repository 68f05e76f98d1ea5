"""Whether the machine has time for work that can wait, such as drawing a waveform that nobody asked for.

Recording comes first: what is derived is made when somebody looks, or in advance while little is recorded
and the processors are not busy. Said by two figures: what capture says of itself, and the system's load.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final

from memcon.clock import NS

if TYPE_CHECKING:
    from memcon.clock import Clock
    from memcon.store.paths import Home

FEW_CALLS: Final = 20
"""Open calls up to which the machine may be idle."""
LOAD_A_CORE: Final = 0.7
"""Processes that want to run, over the last minute, for each core."""
FRESH_NS: Final = 10 * NS
"""An older word of capture is no word: it may have too much to do to say so."""


def idle(home: Home, clock: Clock) -> bool:
    """Whether there is time for what can wait."""
    if os.getloadavg()[0] > LOAD_A_CORE * (os.cpu_count() or 1):
        return False
    try:
        said = json.loads(home.status("capture").read_bytes())
        calls, wall = int(said["calls"]), int(said["wall"])
    except FileNotFoundError:
        return True  # a home that records nothing
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return calls <= FEW_CALLS and clock.wall_ns() - wall < FRESH_NS
