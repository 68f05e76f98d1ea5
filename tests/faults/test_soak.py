"""The short form of `scripts/soak`, and what it says when something is wrong."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import pytest
from tests.faults.rig import LONG
from tests.faults.soak import BACK, FORWARD, KINDS, SHORT, Plan, Summary, schedule, soak

from memcon.service.load_check import LoadCheck
from memcon.service.losses import CallLoss, StreamLoss

if TYPE_CHECKING:
    from pathlib import Path

PLAN = Plan(minutes=5, calls=40, every_s=15) if LONG else SHORT


@pytest.mark.timeout(1200 if LONG else 300)
def test_whatever_happens_every_packet_is_accounted_for(tmp_path: Path) -> None:
    said: list[str] = []
    summary = soak(PLAN, tmp_path, said.append)
    told = json.loads(json.dumps(summary.to_json()))
    assert summary.good, "\n".join([*said, summary.words()])
    assert {fault["what"] for fault in told["faults"]} >= set(PLAN.kinds or KINDS)
    assert told["check"]["missing"] == sum(told["check"]["accounts"].values()) > 0
    assert told["taken"] >= PLAN.calls
    assert [one["good"] for one in told["down"]] == [True] * len(told["down"])
    assert summary.words().endswith("Good.")


def test_each_round_has_each_fault_once_and_the_clock_goes_forward_first() -> None:
    plan = Plan(seed=7)
    found = list(itertools.islice(schedule(plan), 3 * len(KINDS)))
    assert found == list(itertools.islice(schedule(plan), 3 * len(KINDS)))
    assert found != list(itertools.islice(schedule(Plan(seed=8)), 3 * len(KINDS)))
    assert [at for at, _ in found] == sorted(at for at, _ in found)
    for start in range(0, len(found), len(KINDS)):
        kinds = [kind for _, kind in found[start : start + len(KINDS)]]
        assert sorted(kinds) == sorted(KINDS)
        assert kinds.index(FORWARD) < kinds.index(BACK)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (Summary(PLAN, check=LoadCheck([CallLoss(3, 0, (StreamLoss(0, "1", 9, 7),), (), 1)])), "nowhere: 2"),
        (Summary(PLAN, refused=1), "0 calls taken, 1 not"),
        (Summary(PLAN, findings=["x y z"]), "found: x y z"),
        (Summary(PLAN, down=[{"seconds": 2.0, "good": False, "says": "1 of 2 slots have a leaf"}]), "1 of 2"),
        (Summary(PLAN, descriptors={"capture": (20, 25)}), "capture: 5 descriptors more"),
    ],
)
def test_what_is_wrong_is_said(wrong: Summary, words: str) -> None:
    assert not wrong.good
    assert words in wrong.words()
    assert "NOT GOOD" in wrong.words()
    assert Summary(PLAN).good
