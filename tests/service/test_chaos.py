"""Each process killed in turn in the middle of calls: what is lost is what was named, and is declared."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from tests.running import new_home

from memcon.clock import NS, SystemClock
from memcon.service.chaos import BLOWS, Blow, Outcome, run_chaos, say_outcome
from memcon.service.checks import verify_home
from memcon.service.load_check import LoadCheck
from memcon.service.losses import CallLoss, Claims, Gap, StreamLoss, Takeover, settle
from memcon.store.paths import Home
from memcon.verify.keys import Trust

if TYPE_CHECKING:
    from pathlib import Path

LONG = os.environ.get("MEMCON_FAULTS") == "long"
CALLS = 50 if LONG else 8
PACKET_NS = NS // 50
READ_NS = NS // 4
"""What may be lost of what had been read, or had come, when everything is killed."""
STARVED_NS = NS
"""And for how long the machine may have kept the process from running, beside other tests."""
SHORT = (Blow("office"), Blow("seal"), Blow("capture"), Blow("everything"))


def test_each_process_killed_in_the_middle_of_calls(tmp_path: Path) -> None:
    config = new_home(tmp_path / "home")
    home, clock, said = Home(tmp_path / "home"), SystemClock(), list[str]()
    blows = BLOWS if LONG else SHORT
    every = 8.0 if LONG else 1.0
    outcome = run_chaos(home, config, clock, said.append, calls=CALLS, every_s=every, blows=blows)
    assert len(outcome.check.losses) == CALLS
    assert (outcome.check.lost, outcome.check.findings) == ([], [])
    assert outcome.unexplained == 0
    killed = outcome.struck[-1].wall
    kept = [blow.who == "capture" for blow in blows if blow.who in ("capture", "everything")]
    for loss in outcome.check.losses:
        assert loss.cause == 1, "the call did not go on"
        # one for each blow that hit capture, none for those that hit seal and office: these cost nothing,
        # since every packet that is missing stands in the account of a takeover, or was counted by its socket
        assert [t.kept for t in loss.takeovers] == kept
        assert loss.accounts.keys() <= {"takeover", "kernel"}
        for gap in loss.gaps:
            assert gap.takeover is not None, gap
            takeover = loss.takeovers[gap.takeover]
            if takeover.kept:
                assert gap.accounts["takeover"] <= READ_NS // PACKET_NS, (
                    "more than was read and not yet written"
                )
            else:
                assert gap.accounts["takeover"] <= (takeover.end - takeover.start + READ_NS) / PACKET_NS + 1
        last = loss.takeovers[-1]
        assert loss.started + last.start > killed - READ_NS - STARVED_NS
    assert [report.findings for report in verify_home(home, config, Trust())] == [[], []]
    say_outcome(outcome, said.append)
    assert said[-1] == f"Verified: {CALLS} calls, 0 findings."
    assert outcome.good


def test_a_loss_that_nothing_declares_is_told() -> None:
    takeovers = (Takeover(10 * NS, 12 * NS, True),)
    gaps = (Gap(0, 3, 11 * NS, 13 * NS), Gap(0, 4, 5 * NS, 6 * NS))
    settle(gaps, [], takeovers, Claims(0, 0, ended=False))
    loss = CallLoss(1, 0, (StreamLoss(0, "1", 100, 93, gaps=gaps),), takeovers, 1)
    assert (loss.missing, loss.undeclared) == (7, 4)
    outcome = Outcome(check=LoadCheck([loss], findings=["call 1: x: y"], lost=["id"]))
    said: list[str] = []
    say_outcome(outcome, said.append)
    assert not outcome.good
    assert (
        "  takeover 1, sockets kept: 2.00 s declared in each call, 3 packets missing (3 at most in a call)"
        in said
    )
    assert {"declared nowhere: 4", "  call 1: 4 of 100", "  not there: id", "  found: call 1: x: y"} <= set(
        said
    )
    assert str(Blow("capture", signal.SIGSTOP)) == "SIGSTOP of capture"
