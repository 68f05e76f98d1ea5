"""The newest verdict of each call that somebody had checked, in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memcon.console.render import Pages
    from memcon.verify.findings import Report

_KEPT_VERDICTS = 200


@dataclass(frozen=True, slots=True)
class Verdict:
    """A report of the verifier: when it was made, how long it took (ns), and who asked for it."""

    report: Report
    when: int
    took: int
    by: str


class Verdicts:
    """The newest verdict of each call, in memory: a page may show it, a restart forgets it.

    One check at a time: it is heavy, and the recorder beside it comes first.
    """

    def __init__(self, pages: Pages) -> None:
        self._deps = pages.deps
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, Verdict] = OrderedDict()

    def get(self, call: int) -> Verdict | None:
        """The newest one of a call."""
        return self._kept.get(call)

    def make(self, call: int, by: str) -> Verdict:
        """Check a call now. UsageError when it cannot be."""
        with self._lock:
            began = self._deps.clock.monotonic_ns()
            report = self._deps.verifier.verify_call(call)
            took = self._deps.clock.monotonic_ns() - began
            verdict = Verdict(report, self._deps.clock.wall_ns(), took, by)
            self._kept[call] = verdict
            self._kept.move_to_end(call)
            while len(self._kept) > _KEPT_VERDICTS:
                self._kept.popitem(last=False)
            return verdict
