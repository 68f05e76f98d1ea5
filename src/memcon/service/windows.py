"""Between which times the beats of a call were made, by the witnesses of the log's own policy."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from memcon.record import evidence
from memcon.store.tiles import LogStore
from memcon.tlog.policy import Policy
from memcon.verify.findings import Report
from memcon.verify.sources import Directory
from memcon.verify.window import windows
from memcon.witness.keys import check_quickly

if TYPE_CHECKING:
    from memcon.store.paths import Home
    from memcon.verify.window import Window

KEPT_CALLS = 200
"""Calls whose windows are kept, of those whose every beat has one: these do not change any more."""


def windows_of(home: Home, first: int, last: int) -> list[Window]:
    """The window of each leaf `first` to `last`; empty where the log names no witnesses."""
    policy = LogStore(home.log).fetch(evidence.POLICY)
    if policy is None:
        return []
    report = Report(str(home.log), "log")
    return windows(Directory(home.log), Policy.parse(policy), first, last, report, check_quickly)


class CallWindows:
    """The windows of a home's calls, kept while there is room."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[int, int], list[Window]] = OrderedDict()

    def of(self, first: int, last: int) -> list[Window]:
        """As `windows_of`. Raises FormatError for a log or policy that cannot be read."""
        with self._lock:
            kept = self._kept.get((first, last))
        if kept is not None:
            return kept
        made = windows_of(self._home, first, last)
        if made and all(one.not_before is not None and one.not_after is not None for one in made):
            with self._lock:
                self._kept[first, last] = made
                while len(self._kept) > KEPT_CALLS:
                    self._kept.popitem(last=False)
        return made
