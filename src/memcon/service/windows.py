"""Between which times the beats of a call were made, by the witnesses of the log's own policy."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from memcon.clock import NS
from memcon.record import evidence
from memcon.store.durable import read_bytes
from memcon.store.tiles import LogStore
from memcon.tlog.policy import Policy
from memcon.verify.findings import Report
from memcon.verify.sources import Directory
from memcon.verify.window import windows
from memcon.witness.keys import check_quickly

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.clock import Clock
    from memcon.store.paths import Home
    from memcon.verify.window import Window

KEPT_CALLS = 200
SETTLED = 64
"""Leaves behind a call after which no witness dates its beats any more: a quorum comes within a few."""
YOUNG_NS = 30 * NS
"""How long the windows of a call are kept that may still gain some: the next look at its page has them."""


def windows_of(home: Home, first: int, last: int, roots: Path | None = None) -> list[Window]:
    """The window of each leaf `first` to `last`; empty where the log names no witnesses.

    `roots`: the PEM file of `[timestamps] roots`.
    """
    policy = LogStore(home.log).fetch(evidence.POLICY)
    if policy is None:
        return []
    report = Report(str(home.log), "log")
    pem = None if roots is None else read_bytes(roots)
    return windows(Directory(home.log), Policy.parse(policy), first, last, report, check_quickly, roots=pem)


class CallWindows:
    """The windows of a home's calls, kept while there is room: for good once they cannot change."""

    def __init__(self, home: Home, clock: Clock, roots: Path | None = None) -> None:
        self._home = home
        self._roots = roots
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[int, int], tuple[list[Window], int | None]] = OrderedDict()

    def of(self, first: int, last: int) -> list[Window]:
        """As `windows_of`. Raises FormatError for a log or policy that cannot be read."""
        now = self._clock.monotonic_ns()
        with self._lock:
            made, until = self._kept.get((first, last), ([], now))
        if until is None or now < until:
            return made
        made = windows_of(self._home, first, last, self._roots)
        dated = bool(made) and all(one.not_before is not None and one.not_after is not None for one in made)
        settled = dated or LogStore(self._home.log).checkpoint().size > last + SETTLED
        with self._lock:
            self._kept[first, last] = made, None if settled else now + YOUNG_NS
            self._kept.move_to_end((first, last))
            while len(self._kept) > KEPT_CALLS:
                self._kept.popitem(last=False)
        return made
