"""A call's seconds against the clock: what is left out before it is sealed must not fit the time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.verify import builder as b

from memcon.record import call as calls
from memcon.record.beat import State
from memcon.verify import Report, trust, verify_bundle

if TYPE_CHECKING:
    from collections.abc import Callable

NS = b.NS


class Stepped(b.Call):
    """A call during which the wall clock jumps: `steps` says by how many seconds before which leaf."""

    steps: dict[int, int]
    flagged: frozenset[int] = frozenset()
    late: frozenset[int] = frozenset()

    def step(self, index: int, slot: int, slot_end: int) -> bytes | None:
        shift = NS * sum(by for leaf, by in self.steps.items() if leaf <= len(self.leaves))
        self.shift = shift
        return super().step(index, slot, slot_end - shift)

    def change(self, leaf: calls.CallLeaf) -> calls.CallLeaf:
        n = len(self.leaves)
        flags = calls.FLAG_CLOCK_STEP if n in self.flagged else 0
        flags |= calls.FLAG_LATE if n in self.late else 0
        last = leaf.last
        if last is not None:
            last = replace(last, end_wall=last.end_wall + self.shift)
        return replace(leaf, flags=flags, last=last)


def sealed(
    steps: dict[int, int], *, flagged: tuple[int, ...] = (), late: tuple[int, ...] = (), seconds: int = 16
) -> Report:
    """The report on such a call; the slots follow the stepped clock."""
    world = b.begun()
    call = Stepped(world, duration=seconds * NS, packets=[], streams=[])
    call.steps, call.flagged, call.late = steps, frozenset(flagged), frozenset(late)
    while not call.done:
        skip = max(0, steps.get(len(call.leaves), 0)) // 2
        world.beat([call], skip=skip)
    return verify_bundle(b.bundle(world, call).pack(), trust(world.vkeys()))


def test_a_step_that_is_declared_is_told_with_its_size() -> None:
    report = sealed({3: 10}, flagged=(3,))
    assert report.counts == {"call-step": 1}
    assert "forward by about 10 seconds" in report.findings[0].text
    assert report.exit_code == 0


def test_a_step_that_nobody_declared() -> None:
    assert set(sealed({3: 10}).counts) == {"call-arithmetic"}


def test_one_declared_step_does_not_excuse_the_next() -> None:
    """Once declared, the clocks must stay as far apart as they are then: what is cut later shows."""
    report = sealed({2: 10, 5: 10}, flagged=(2,))
    assert set(report.counts) == {"call-step", "call-arithmetic"}
    assert {f.where for f in report.findings if f.code == "call-arithmetic"} >= {"call leaf 5", "call leaf 6"}
    assert sealed({2: 10, 5: 10}, flagged=(2, 5)).counts == {"call-step": 2}


def test_a_step_back() -> None:
    report = sealed({3: -1, 4: -1}, flagged=(3, 4))
    assert report.counts == {"call-step": 1}
    assert "back by about 2 seconds" in report.findings[0].text


def test_a_step_in_the_last_leaf_leaves_nothing_to_compare() -> None:
    report = sealed({3: 10}, flagged=(3,), seconds=7)
    assert report.counts == {}


def test_a_declared_step_that_was_none_is_not_told() -> None:
    assert sealed({}, flagged=(3,)).counts == {}


class Liar(b.Call):
    """Changes one leaf before it is sealed."""

    at: int
    lie: Callable[[calls.CallLeaf], calls.CallLeaf]

    def change(self, leaf: calls.CallLeaf) -> calls.CallLeaf:
        return self.lie(leaf) if len(self.leaves) == self.at else leaf


@pytest.mark.parametrize(("end", "found"), [(5, False), (3, False), (9, True), (-4, True)])
def test_an_end_that_does_not_fit_the_duration(end: int, found: bool) -> None:
    """The tail is cut before it is sealed: the slot says that more time passed than there are seconds."""
    world = b.begun(period_ms=20_000)
    call = Liar(world, duration=5 * NS, packets=[], streams=[])
    call.at = 0

    def lie(leaf: calls.CallLeaf) -> calls.CallLeaf:
        assert leaf.last is not None
        return replace(leaf, last=replace(leaf.last, end_wall=call.start_wall + end * NS))

    call.lie = lie
    world.beat([call])
    counts = verify_bundle(b.bundle(world, call).pack(), trust(world.vkeys())).counts
    assert ("call-arithmetic" in counts) is found


class Lagging(b.Call):
    """The recorder knows nothing new for one slot and has it all in the next."""

    lag: int = 2
    says: int = calls.FLAG_LATE

    def step(self, index: int, slot: int, slot_end: int) -> bytes | None:
        lagging = len(self.leaves) == self.lag
        return super().step(index, slot, slot_end - 2 * NS if lagging else slot_end)

    def change(self, leaf: calls.CallLeaf) -> calls.CallLeaf:
        return replace(leaf, flags=self.says) if len(self.leaves) == self.lag else leaf


def test_fewer_seconds_only_where_the_leaf_says_late_and_only_until_the_next() -> None:
    for says, expected in ((calls.FLAG_LATE, set()), (0, {"call-arithmetic"})):
        world = b.begun()
        call = Lagging(world, duration=12 * NS, packets=[], streams=[])
        call.says = says
        while not call.done:
            world.beat([call])
        assert set(verify_bundle(b.bundle(world, call).pack(), trust(world.vkeys())).counts) == expected


def test_a_call_whose_recording_process_was_replaced() -> None:
    world = b.begun()
    call = Lagging(world, duration=12 * NS, packets=[], streams=[])
    while not call.done:
        n = len(call.leaves)
        if n == call.lag:
            world.beat([call], instance=bytes(16), state=State.DEGRADED)
        else:
            world.beat([call], instance=bytes([1 + (n > call.lag)]) * 16)
    report = verify_bundle(b.bundle(world, call).pack(), trust(world.vkeys()))
    assert not report.counts
    assert report.facts["recording processes, one after the other"] == 2
    assert report.facts["oddities of sealing"] == ["sealed late"]
