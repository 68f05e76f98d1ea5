"""Waiting for the workers of `memcon serve`: on a machine that is slow to start them, calls go on."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, cast

import pytest

from memcon.cli import serve
from memcon.cli.serve import wait_ready
from memcon.clock import NS, ManualClock
from memcon.errors import MachineError

if TYPE_CHECKING:
    from memcon.service.supervisor import Supervisor


class Workers:
    """Workers of which each is up after so many seconds; a look takes ten."""

    def __init__(self, **seconds: int) -> None:
        self.clock = ManualClock()
        self._began = self.clock.monotonic_ns()
        self._seconds = seconds
        self.said: list[str] = []

    def late(self) -> list[str]:
        now = (self.clock.monotonic_ns() - self._began) // NS
        return [role for role, due in self._seconds.items() if now < due]

    def watch(self) -> None:
        self.clock.advance(10 * NS)

    def wait(self, stop: threading.Event | None = None) -> int:
        """Wait for them; how long that took, s."""
        wait_ready(cast("Supervisor", self), self.clock, stop or threading.Event(), self.said.append)
        return (self.clock.monotonic_ns() - self._began) // NS


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "LOOK_SECONDS", 0)


def test_when_all_are_up_it_goes_on() -> None:
    workers = Workers(capture=10, seal=20, office=40)
    assert (workers.wait(), workers.said) == (40, [])


def test_an_office_that_is_late_ends_no_call() -> None:
    workers = Workers(capture=10, seal=20, office=1000)
    assert workers.wait() == 70
    assert workers.said == ["office not up within 60 s; recording goes on"]
    both = Workers(capture=10, seal=300, office=1000)
    both.wait()
    assert both.said == ["seal and office not up within 60 s; recording goes on"]


def test_without_capture_nothing_is_recorded() -> None:
    with pytest.raises(MachineError, match="not up within 60 s"):
        Workers(capture=1000, seal=20, office=20).wait()


def test_a_stop_ends_the_waiting() -> None:
    stop = threading.Event()
    stop.set()
    assert Workers(capture=1000).wait(stop) == 0
