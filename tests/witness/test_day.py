"""Half an hour of an honest day; the whole one is a program of its own (`day.py`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.witness.day import Day

from memcon.verify.attest import Answer
from memcon.witness import submit

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_an_honest_recorder_is_attested_whatever_befalls_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submit, "LOOK_SECONDS", 0)
    day = Day(tmp_path, seed=7, period=10)
    try:
        day.run(1500)
        reply = day.ask()
    finally:
        day.close()
    assert reply.tally == {Answer.ATTESTED: reply.slots}
    assert reply.slots > 130
    assert not reply.report.counts
    assert min(day.steps, day.outages, day.calls) > 0
    assert day.pauses < 500  # for the first beat alone, a period at most
