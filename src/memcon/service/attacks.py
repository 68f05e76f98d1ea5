"""Each attack that docs/THREAT-MODEL.md names, played on a stage: what is done, and what anybody sees.

The operator has root and every key of the log. The third party has the files of the log (or of a
mirror), the log's key and a policy of three witnesses, two of whom must agree.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.record.beat import State
from memcon.service.stage import ORIGIN, PERIOD, Stage
from memcon.verify.attest import WORDS, Answer
from memcon.verify.was_it_on import sentence

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a third party was told: the answer's word or `refused`, in a sentence, and finding codes."""

    outcome: str
    told: str
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Attack:
    """`done`: what the operator does. `named`: the outcome that THREAT-MODEL names."""

    done: str
    named: str
    play: Callable[[Path], Shown]
    code: str = ""


def _ask(stage: Stage, first: int, last: int, where: Path | None = None) -> Shown:
    try:
        reply = stage.ask(first, last, where)
    except FormatError as error:
        return Shown(REFUSED, str(error))
    codes = tuple(sorted(reply.report.counts))
    return Shown(WORDS[reply.answer], sentence(reply, UTC), codes)


def _later(stage: Stage, until: int, first: int, last: int) -> Shown:
    """Time goes by, the witnesses see whatever the log shows then, and somebody asks."""
    stage.wait_until(until)
    stage.submit()
    return _ask(stage, first, last)


def ahead(root: Path) -> Shown:
    stage = Stage(root)
    last = stage.begin(5)
    stage.leaves(last + 1, last + 7)
    stage.submit()
    return _later(stage, last + 20, last + 1, last + 7)


def ahead_in_time(root: Path) -> Shown:
    stage = Stage(root)
    last = stage.begin(5)
    old = stage.newest
    for slot in range(last + 1, last + 10):
        stage.wait_until(slot + 1)
        stage.newest = old
        stage.leaf(slot)
        stage.submit()
    return _later(stage, last + 20, last + 6, last + 9)


def back_filled(root: Path) -> Shown:
    stage = Stage(root)
    last = stage.begin(5)
    stage.wait_until(last + 10)
    stage.submit()
    stage.leaves(last + 1, last + 5)
    stage.submit()
    return _ask(stage, last + 1, last + 5)


def year_ahead(root: Path) -> Shown:
    stage = Stage(root)
    last = stage.begin(5)
    stage.wait_until(last + 2)
    stage.leaf(365 * 86_400 // PERIOD)
    stage.submit()
    return _later(stage, last + 20, last + 1, last + 10)


def changed_period(root: Path) -> Shown:
    stage = Stage(root)
    last = stage.begin(5)
    stage.wait_until(last + 2)
    stage.leaf(last + 1, period_ms=60_000)
    stage.submit()
    return _ask(stage, 1, last + 1)


def clock_forward(root: Path) -> Shown:
    stage = Stage(root)
    last = stage.begin(5)
    stage.wait_until(last + 2)
    stage.leaves(last + 1, last + 60)  # ten minutes at once
    stage.submit()
    return _later(stage, last + 30, last + 2, last + 20)


def clock_back(root: Path) -> Shown:
    stage = Stage(root)
    last = stage.begin(5)
    # by its own clock it is in slots that have their beat: it makes none
    return _later(stage, last + 20, last + 1, last + 10)


def restored_snapshot(root: Path) -> Shown:
    stage = Stage(root / "recorder")
    stage.begin(5)
    shutil.copytree(stage.home.log, root / "snapshot")
    for slot in range(6, 12):
        stage.beat(slot)
    mirror = root / "mirror"
    shutil.copytree(stage.home.log, mirror)  # notes that a mirror has kept
    shutil.rmtree(mirror / "tile")
    shutil.copytree(root / "snapshot" / "tile", mirror / "tile")
    shutil.copy(root / "snapshot" / "checkpoint", mirror / "checkpoint")
    stage.wait_until(20)
    return _ask(stage, 6, 11, mirror)


def twin(root: Path) -> Shown:
    stage = Stage(root / "one")
    last = stage.begin(5)
    other = Stage(root / "two", like=stage)
    for slot in range(1, last + 1):
        other.newest = (b"\2" * 32, 1)
        other.leaf(slot)
    other.submit()  # every witness has seen another tree of this size
    shutil.copytree(stage.home.log / "note", other.home.log / "note")
    stage.wait_until(last + 10)
    return _ask(other, 1, last)


def two_histories(root: Path) -> Shown:
    stage = Stage(root / "one")
    stage.wait_until(1)
    stage.submit(("court", "press"))
    other = Stage(root / "two", like=stage)
    for slot in range(1, 6):
        stage.wait_until(slot + 1)
        stage.leaf(slot)
        stage.submit(("court", "press"))
        other.leaf(slot, State.DEGRADED)
        other.submit(("university",))
    stage.wait_until(20)
    other.submit()
    return _ask(other, 1, 5)


def tail_cut_before(root: Path) -> Shown:
    stage = Stage(root / "recorder")
    stage.begin(5)
    shutil.copytree(stage.home.log, root / "kept")
    stage.wait_until(7)
    stage.leaf(6)  # made, never shown, then removed
    shutil.rmtree(stage.home.log)
    shutil.move(root / "kept", stage.home.log)
    stage.store.open(stage.sign)
    return _later(stage, 20, 6, 8)


def begun_anew(root: Path) -> Shown:
    stage = Stage(root / "one")
    stage.begin(8)
    stage.wait_until(30)
    fresh = Stage(root / "two", like=stage, begun_ns=stage.clock.wall_ns())
    fresh.submit()
    for slot in range(31, 36):
        fresh.wait_until(slot + 1)
        fresh.leaf(slot)
        fresh.submit()
    shutil.copytree(stage.home.log / "note", fresh.home.log / "note")  # what mirrors have kept
    return _ask(fresh, 31, 35)


def shadow_log(root: Path) -> Shown:
    stage = Stage(root / "one")
    stage.begin(5)
    shadow = Stage(root / "two", origin=f"{ORIGIN}-2")
    shadow.begin(5)
    shadow.policy = stage.policy
    return _ask(shadow, 1, 5)


def starved(root: Path) -> Shown:
    stage = Stage(root)
    last = stage.begin(5)
    for slot in range(last + 1, last + 11):
        stage.wait_until(slot + 1)
        stage.leaf(slot)
        stage.submit(("court",))
    return _later(stage, last + 20, last + 1, last + 5)


def tail_cut_after(root: Path) -> Shown:
    stage = Stage(root / "recorder")
    stage.begin(5)
    shutil.copytree(stage.home.log / "tile", root / "tile")
    shutil.copy(stage.home.log / "checkpoint", root / "checkpoint")
    stage.beat(6)  # a quorum has seen it: now it goes, and its note stays with the mirrors
    shutil.rmtree(stage.home.log / "tile")
    shutil.move(root / "tile", stage.home.log / "tile")
    shutil.move(root / "checkpoint", stage.home.log / "checkpoint")
    stage.wait_until(20)
    return _ask(stage, 6, 6)


def site_down(root: Path) -> Shown:
    stage = Stage(root / "recorder")
    last = stage.begin(5)
    stage.wait_until(last + 20)
    stage.submit()  # anybody can, with the checkpoint that a mirror has
    shutil.move(stage.home.log, root / "mirror")
    return _ask(stage, last + 1, last + 10, root / "mirror")


def slow(root: Path) -> Shown:
    stage = Stage(root)
    last = stage.begin(5)
    for slot in range(last + 1, last + 6):
        stage.wait_until(slot + 1)
        stage.leaf(slot)
    return _later(stage, last + 20, last + 1, last + 5)


def lying(root: Path) -> Shown:
    stage = Stage(root)
    last = stage.begin(5)
    then = stage.clock.wall_ns()
    stage.wait_until(last + 20)
    stage.submit(("press", "university"))
    stage.leaves(last + 1, last + 5)
    stage.roll_back("court", then)
    stage.submit()
    return _ask(stage, last + 1, last + 5)


def rolled_back(root: Path) -> Shown:
    stage = Stage(root / "one")
    last = stage.begin(5)
    other = Stage(root / "two", like=stage)
    other.leaves(1, last, State.DEGRADED)
    other.roll_back("university", stage.clock.wall_ns())
    other.submit()
    shutil.copytree(stage.home.log / "note", other.home.log / "note")  # what mirrors have kept
    stage.wait_until(last + 10)
    return _ask(other, 1, last)


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
}
"""By name, in the order of THREAT-MODEL. Answers of `attest.Answer`, or `refused`: no answer at all."""

ANSWERS = tuple(WORDS[answer] for answer in Answer)


def holds(attack: Attack, shown: Shown) -> bool:
    """Whether the outcome is the one that is named."""
    return shown.outcome == attack.named and (not attack.code or attack.code in shown.codes)
