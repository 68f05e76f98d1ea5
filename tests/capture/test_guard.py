"""One step that may fail as nobody has foreseen."""

from __future__ import annotations

import pytest
from tests.capture.kit import Lines

from memcon.capture.guard import Guard
from memcon.capture.log import Log
from memcon.clock import ManualClock


def test_a_defect_is_told_and_what_follows_goes_on() -> None:
    lines = Lines()
    with Guard(Log(ManualClock(), lines), "take-over") as guard:
        raise ZeroDivisionError("a defect")
    assert guard.failed
    (told,) = lines.events("defect")
    assert (told["doing"], told["error"]) == ("take-over", "ZeroDivisionError('a defect')")
    assert "test_guard.py" in told["where"][0]


def test_a_step_that_is_done_is_not_told_of() -> None:
    lines = Lines()
    with Guard(Log(ManualClock(), lines), "receive") as guard:
        pass
    assert not guard.failed
    assert not lines.events()


def test_an_order_to_stop_is_none_of_its_business() -> None:
    lines = Lines()
    with pytest.raises(KeyboardInterrupt), Guard(Log(ManualClock(), lines), "receive"):
        raise KeyboardInterrupt
    assert not lines.events()
