"""Each attack that docs/THREAT-MODEL.md names, played on a stage: what is done, and what anybody sees.

The operator has root and every key of the log. The third party has the files of the log (or of a
mirror), the log's key and a policy of three witnesses, two of whom must agree. Whether time is told or
waited for, and where the witnesses are, is the scene's (`stage.py`, `live.py`).
"""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.record.beat import State
from memcon.service.inside import FOUND, CallStage, EarlyEnder, Twinner, UnderCounter
from memcon.service.stage import ORIGIN, REFUSED, Scene, Shown, Stage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HONEST = 3
"""Slots recorded honestly before the operator begins."""


@dataclass(frozen=True, slots=True)
class Attack:
    """`done`: what the operator does. `named`: the outcome that THREAT-MODEL names."""

    done: str
    named: str
    play: Callable[[Scene], Shown]
    code: str = ""


def _later(stage: Stage, until: int, first: int, last: int) -> Shown:
    """Time goes by, the witnesses see whatever the log shows then, and somebody asks."""
    stage.wait_until(until)
    stage.submit()
    return stage.ask(first, last)


def ahead(scene: Scene) -> Shown:
    stage = scene.stage()
    last = stage.begin(HONEST)
    stage.leaves(last + 1, last + 7)
    stage.submit()
    return _later(stage, last + 12, last + 1, last + 7)


def ahead_in_time(scene: Scene) -> Shown:
    stage = scene.stage()
    last = stage.begin(HONEST)
    old = stage.newest
    for slot in range(last + 1, last + 10):
        stage.wait_until(slot + 1)
        stage.newest = old
        stage.leaf(slot)
        stage.submit()
    return _later(stage, last + 14, last + 6, last + 9)


def back_filled(scene: Scene) -> Shown:
    stage = scene.stage()
    last = stage.begin(HONEST)
    stage.wait_until(last + 10)
    stage.submit()
    stage.leaves(last + 1, last + 5)
    stage.submit()
    return stage.ask(last + 1, last + 5)


def year_ahead(scene: Scene) -> Shown:
    stage = scene.stage()
    last = stage.begin(HONEST)
    stage.wait_until(last + 2)
    stage.leaf(365 * 86_400 // stage.period)
    stage.submit()
    return _later(stage, last + 12, last + 1, last + 7)


def changed_period(scene: Scene) -> Shown:
    stage = scene.stage()
    last = stage.begin(HONEST)
    stage.wait_until(last + 2)
    stage.leaf(last + 1, period_ms=60_000)
    stage.submit()
    return stage.ask(1, last + 1)


def clock_forward(scene: Scene) -> Shown:
    stage = scene.stage()
    last = stage.begin(HONEST)
    stage.wait_until(last + 2)
    stage.leaves(last + 1, last + 60)
    stage.submit()
    return _later(stage, last + 14, last + 8, last + 10)


def clock_back(scene: Scene) -> Shown:
    stage = scene.stage()
    last = stage.begin(HONEST)
    # by its own clock it is in slots that have their beat: it makes none
    return _later(stage, last + 12, last + 1, last + 7)


def _as_served(scene: Scene, stage: Stage, mirror: Path) -> Path:
    """The leaves that the log serves now, beside the notes and cosignatures that a mirror has kept."""
    found = scene.root / "read"
    shutil.copytree(stage.home.log, found, dirs_exist_ok=True)
    for room in ("note", "cosignature", "silence"):
        (found / room).mkdir(exist_ok=True)
        for path in (mirror / room).glob("*"):
            with contextlib.suppress(FileNotFoundError):  # a mirror that is still at work renames its files
                shutil.copy(path, found / room)
    return found


def restored_snapshot(scene: Scene) -> Shown:
    stage = scene.stage()
    last = stage.begin(HONEST)
    shutil.copytree(stage.home.log, scene.root / "snapshot")
    for slot in range(last + 1, last + 7):
        stage.beat(slot)
    mirror = stage.mirrored()
    stage.go_back(scene.root / "snapshot")
    stage.wait_until(last + 12)
    return stage.ask(last + 1, last + 6, _as_served(scene, stage, mirror))


def twin(scene: Scene) -> Shown:
    stage = scene.stage()
    last = stage.begin(HONEST)
    other = scene.stage("two", like=stage)
    other.newest = (b"\2" * 32, 1)
    other.leaves(1, last)
    other.submit()  # every witness has seen another tree of this size
    shutil.copytree(stage.home.log / "note", other.home.log / "note")
    stage.wait_until(last + 8)
    return other.ask(1, last)


def two_histories(scene: Scene) -> Shown:
    stage = scene.stage()
    stage.wait_until(1)
    stage.submit(("court", "press"))
    other = scene.stage("two", like=stage)
    for slot in range(1, 6):
        stage.wait_until(slot + 1)
        stage.leaf(slot)
        stage.submit(("court", "press"))
        other.leaf(slot, State.DEGRADED)
        other.submit(("university",))
    stage.wait_until(12)
    other.submit()
    return other.ask(1, 5)


def tail_cut_before(scene: Scene) -> Shown:
    stage = scene.stage()
    last = stage.begin(HONEST)
    shutil.copytree(stage.home.log, scene.root / "kept")
    stage.wait_until(last + 2)
    stage.show(served=False)
    stage.leaf(last + 1)  # made, never shown, then removed
    stage.go_back(scene.root / "kept")
    stage.show(served=True)
    return _later(stage, last + 12, last + 1, last + 3)


def tail_cut_after(scene: Scene) -> Shown:
    stage = scene.stage()
    last = stage.begin(HONEST)
    shutil.copytree(stage.home.log, scene.root / "kept")
    stage.beat(last + 1)
    mirror = stage.mirrored()  # it and a quorum have seen the beat: now it goes
    stage.go_back(scene.root / "kept")
    stage.wait_until(last + 10)
    return stage.ask(last + 1, last + 1, _as_served(scene, stage, mirror))


def begun_anew(scene: Scene) -> Shown:
    stage = scene.stage()
    stage.begin(HONEST + 3)
    stage.wait_until(12)
    fresh = scene.stage("two", like=stage, begun_ns=stage.clock.wall_ns())
    fresh.submit()
    for slot in range(13, 16):
        fresh.wait_until(slot + 1)
        fresh.leaf(slot)
        fresh.submit()
    shutil.copytree(stage.home.log / "note", fresh.home.log / "note")  # what mirrors have kept
    return fresh.ask(13, 15)


def shadow_log(scene: Scene) -> Shown:
    stage = scene.stage()
    stage.begin(HONEST)
    shadow = scene.stage("two", origin=f"{ORIGIN}-2")
    shadow.begin(HONEST)
    shadow.policy = stage.policy
    return shadow.ask(1, HONEST)


def site_down(scene: Scene) -> Shown:
    stage = scene.stage()
    last = stage.begin(HONEST)
    stage.mirrored()
    stage.show(served=False)
    stage.wait_until(last + 12)
    stage.submit()  # anybody can, with the checkpoint that a mirror has
    return stage.ask(last + 1, last + 7)


def starved(scene: Scene) -> Shown:
    stage = scene.stage()
    last = stage.begin(HONEST)
    for slot in range(last + 1, last + 6):
        stage.wait_until(slot + 1)
        stage.leaf(slot)
        stage.submit(("court",))
    return _later(stage, last + 14, last + 1, last + 5)


def slow(scene: Scene) -> Shown:
    stage = scene.stage()
    last = stage.begin(HONEST)
    for slot in range(last + 1, last + 6):
        stage.wait_until(slot + 1)
        stage.leaf(slot)
    return _later(stage, last + 14, last + 1, last + 5)


def lying(scene: Scene) -> Shown:
    stage = scene.stage()
    last = stage.begin(HONEST)
    then = stage.clock.wall_ns()
    stage.wait_until(last + 12)
    stage.submit(("press", "university"))
    stage.leaves(last + 1, last + 5)
    stage.roll_back("court", then)
    stage.submit()
    return stage.ask(last + 1, last + 5)


def rolled_back(scene: Scene) -> Shown:
    stage = scene.stage()
    last = stage.begin(HONEST)
    other = scene.stage("two", like=stage)
    other.leaves(1, last, State.DEGRADED)
    stage.roll_back("university")
    other.submit()
    shutil.copytree(stage.home.log / "note", other.home.log / "note")  # what mirrors have kept
    stage.wait_until(last + 8)
    return other.ask(1, last)


def under_count(scene: Scene) -> Shown:
    return CallStage(scene.root / "recorder", UnderCounter).bundle()


def early_end(scene: Scene) -> Shown:
    return CallStage(scene.root / "recorder", EarlyEnder).bundle()


def call_twin(scene: Scene) -> Shown:
    stage = CallStage(scene.root / "recorder", Twinner)
    opened, overseen = stage.bundle(), stage.structure()
    told = f"Of the bundle alone: {opened.told} Who has the structure feed: {overseen.told}"
    return Shown(overseen.outcome, told, overseen.codes)


INSIDE = ("under-count", "early-end", "call-twin")
"""Attacks inside a call: witnesses do not see them, whoever holds the call or the structure does."""

ATTACKS: dict[str, Attack] = {
    "ahead": Attack(
        "beats are made ahead of time, shown at once, and the recorder switched off", "early", ahead
    ),
    "ahead-in-time": Attack(
        "beats are made ahead of time and shown one by one as if they were fresh", "early", ahead_in_time
    ),
    "back-filled": Attack("after an outage beats are made for the slots that had none", "late", back_filled),
    "year-ahead": Attack("one beat is numbered a year ahead, to leap over an outage", "silent", year_ahead),
    "changed-period": Attack("a beat says a longer period, to owe fewer of them", REFUSED, changed_period),
    "clock-forward": Attack(
        "the clock is set ten minutes ahead and its beats are made", "early", clock_forward
    ),
    "clock-back": Attack("the clock is set back, so that no slot ends", "silent", clock_back),
    "restored-snapshot": Attack(
        "a copy of the log from before is put in its place", "withheld", restored_snapshot
    ),
    "twin": Attack("a second copy of the recorder runs, with the same keys", "unknown", twin, "log-fork"),
    "two-histories": Attack(
        "two histories are shown to two halves of the witnesses", "unknown", two_histories
    ),
    "tail-cut": Attack("a beat is made, not shown, and removed again", "silent", tail_cut_before),
    "tail-cut-cosigned": Attack("a beat that a quorum has seen is removed again", "withheld", tail_cut_after),
    "begun-anew": Attack(
        "the log is thrown away and begun anew under its name", "unknown", begun_anew, "log-fork"
    ),
    "shadow-log": Attack("a second log under another name is shown instead", REFUSED, shadow_log),
    "site-down": Attack("the log's site is taken down, and the recorder with it", "silent", site_down),
    "starved": Attack("the checkpoints are kept from all witnesses but one", "late", starved),
    "slow": Attack("the beats are made in time and shown when it is too late", "late", slow),
    "lying": Attack("one witness dates back-filled beats as if it had seen them in time", "late", lying),
    "rolled-back": Attack(
        "one witness is put back from a copy and cosigns a second history", "unknown", rolled_back, "log-fork"
    ),
    "under-count": Attack(
        "the leaves of a call count fewer packets than came", FOUND, under_count, "media-received"
    ),
    "early-end": Attack(
        "the last leaf of a call says that it had fewer seconds", FOUND, early_end, "call-totals"
    ),
    "call-twin": Attack(
        "two recordings of one call are sealed, and the other one is opened", FOUND, call_twin, "slots-lane"
    ),
}
"""By name, in the order of THREAT-MODEL. Outcomes: answers of `attest.Answer`; `refused`: no answer at
all; `found`: a finding of the verifier."""


def holds(attack: Attack, shown: Shown) -> bool:
    """Whether the outcome is the one that is named."""
    return shown.outcome == attack.named and (not attack.code or attack.code in shown.codes)
