"""The log: one object a line, no more of them than an operator can read."""

from __future__ import annotations

from tests.capture.kit import Lines

from memcon.capture.log import LINES, WHILE_NS, Log
from memcon.clock import NS, ManualClock


def test_a_line_says_when_how_bad_and_what() -> None:
    lines = Lines()
    log = Log(ManualClock(wall_ns=1_800_000_000 * NS + 7_000_000), lines)
    log.info("start", pid=1)
    log.warning("call refused", status=503)
    log.error("journal trouble begins", why=ValueError("odd"))
    assert lines.events() == [
        {"time": "2027-01-15T08:00:00.007Z", "level": "info", "event": "start", "pid": 1},
        {"time": "2027-01-15T08:00:00.007Z", "level": "warning", "event": "call refused", "status": 503},
        {
            "time": "2027-01-15T08:00:00.007Z",
            "level": "error",
            "event": "journal trouble begins",
            "why": "odd",
        },
    ]


def test_a_flood_of_one_event_is_cut_and_counted_and_hides_no_other() -> None:
    clock, lines = ManualClock(), Lines()
    log = Log(clock, lines)
    for _ in range(LINES + 30):
        log.warning("call refused")
    log.error("defect")
    assert len(lines.events("call refused")) == LINES
    assert len(lines.events("defect")) == 1
    clock.advance(WHILE_NS)
    log.warning("call refused")
    assert lines.events("lines left out")[0]["of"] == "call refused"
    assert lines.events("lines left out")[0]["count"] == 30
    assert len(lines.events("call refused")) == LINES + 1


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    lines = Lines()
    log = Log(ManualClock(), lines)
    lines.close()
    log.info("start")
    assert lines.closed
