"""Waiting for the workers of `memcon serve`: on a machine that is slow to start them, calls go on."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, cast

import pytest
from click.testing import CliRunner

from memcon.cli import serve
from memcon.cli.main import main
from memcon.cli.serve import wait_ready
from memcon.clock import NS, ManualClock
from memcon.errors import MachineError
from memcon.service.config import template
from memcon.service.setup import check_terms, init_home
from memcon.store.durable import remove_tree
from memcon.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

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


@pytest.mark.parametrize(
    ("said", "wrong", "told"),
    [
        ("period = 10", "period = 1", "one beat every 10 s, for its life"),
        ('origin = "a.example/one"', 'origin = "b.example/one"', "the log is 'a.example/one'"),
    ],
)
def test_what_a_log_was_begun_with_is_not_changed_by_a_line(
    tmp_path: Path, said: str, wrong: str, told: str
) -> None:
    """Receipts would name slots that the log does not have."""
    home = tmp_path / "home"
    assert CliRunner().invoke(main, ["init", "--home", str(home), "--origin", "a.example/one"]).exit_code == 0
    settings = (home / "memcon.toml").read_text()
    assert said in settings
    (home / "memcon.toml").write_text(settings.replace(said, wrong))
    done = CliRunner().invoke(main, ["serve", "--home", str(home)])
    assert done.exit_code == 2
    assert told in " ".join(done.output.split())


def test_a_log_that_cannot_be_read_stops_no_recorder(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    config = init_home(home, template("a.example/one"), ManualClock())
    check_terms(home, config)
    remove_tree(home.log)
    check_terms(home, config)
