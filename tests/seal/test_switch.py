"""Off and on again: announced, cosigned, in effect, in every leaf, over restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.seal.synthetic import ORIGIN, PERIOD_MS, T0, World

from memcon.clock import NS
from memcon.record.beat import State
from memcon.record.hashing import ZERO32, line_pseudonym
from memcon.record.statement import Explanation, Off, On, Statement, decode
from memcon.seal.sealer import Sealer
from memcon.seal.switch import States
from memcon.store import durable, switch
from memcon.store.switch import EXPLANATION, OFF, ON, Asked, Switched
from memcon.store.tiles import LogStore
from memcon.verify import trust, verify_log

if TYPE_CHECKING:
    import pytest

WHO = ("J. Ruiz", "by hand", "monthly test")
FIRST = T0 // (PERIOD_MS * 1_000_000)


class Desk:
    """A recorder that talks on, slot by slot, and whose capture follows the switch at once."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.capture = world.capture()
        self.capture.start()
        self.sealer = world.run(self._frames())
        self.told = Switched()

    def _frames(self) -> list:  # type: ignore[type-arg]
        frames, self.capture.frames = self.capture.frames, []
        return frames

    def pass_slots(self, many: int = 1, *, follow: bool = True) -> None:
        for _ in range(many):
            now = switch.read(self.world.home)
            if follow and (now.whole, now.lines) != (self.told.whole, self.told.lines):
                self.capture.control(
                    "switch", whole=now.whole, lines=list(now.lines), statement=now.statement
                )
                self.told = now
            self.capture.talk((), PERIOD_MS / 1000)
            self.world.run(self._frames(), self.sealer)

    def again(self) -> None:
        """The sealing process dies and comes back."""
        self.sealer.close()
        self.sealer = Sealer(self.world.home, self.world.clock)
        self.world.settle(self.sealer)

    def said(self) -> list[tuple[str, Statement | None]]:
        """Each beat from the recorder's start: its state, what it names."""
        store = LogStore(self.world.home.log)
        found = []
        for beat in self.world.beats():
            if beat.slot < FIRST:
                continue
            data = None if beat.statement == ZERO32 else store.fetch(f"statement/{beat.statement.hex()}")
            found.append((beat.state.name.lower(), None if data is None else decode(data)))
        return found


def kinds(desk: Desk) -> list[tuple[str, str]]:
    return [(state, "" if said is None else type(said).__name__) for state, said in desk.said()]


def test_without_witnesses_off_takes_effect_when_a_leaf_has_said_so(world: World) -> None:
    desk = Desk(world)
    desk.pass_slots()
    switch.ask(world.home, Asked(OFF, *WHO))
    desk.pass_slots(3)
    switch.ask(world.home, Asked(ON, "K. Lind", "by hand", "test over"))
    world.settle(desk.sealer)  # it is on at once: capture need not wait for the leaf that says so
    assert not switch.read(world.home).anything
    desk.pass_slots(2)
    assert kinds(desk) == [
        ("recording", ""), ("recording", "Off"), ("off", "Off"), ("off", "Off"), ("recording", "On"),
        ("recording", ""),
    ]  # fmt: skip
    off, on = desk.said()[1][1], desk.said()[4][1]
    assert off == Off(ORIGIN, FIRST + 1, *WHO, ())
    assert on == On(ORIGIN, FIRST + 4, "K. Lind", "by hand", "test over", ())
    assert switch.waiting(world.home) == []
    report = verify_log(str(world.home.log), trust([str(k) for k in world.keys.vkeys(ORIGIN)]))
    assert not [f for f in report.findings if f.severity != "note"]


def test_with_witnesses_off_waits_for_their_quorum(world: World) -> None:
    durable.write_file(world.home.log / "policy", b"quorum none\n")
    desk = Desk(world)
    switch.ask(world.home, Asked(OFF, *WHO))
    desk.pass_slots(3)
    assert [state for state, _ in kinds(desk)] == ["recording"] * 3
    announced = switch.read(world.home).announced
    assert announced is not None
    store = LogStore(world.home.log)
    durable.write_file(world.home.log / "cosigned", b"none")
    world.settle(desk.sealer)
    assert not switch.read(world.home).anything
    assert store.checkpoint().size > announced.index
    durable.write_file(world.home.log / "cosigned", store.fetch("checkpoint") or b"")
    world.settle(desk.sealer)
    assert switch.read(world.home).whole
    desk.pass_slots(2)
    assert kinds(desk)[-2:] == [("off", "Off"), ("off", "Off")]


def test_on_is_on_however_busy_sealing_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(world)
    switch.ask(world.home, Asked(OFF, *WHO))
    desk.pass_slots(2)
    monkeypatch.setattr(desk.sealer.switch, "look", lambda: False)  # it never has a moment to look
    switch.ask(world.home, Asked(ON, *WHO))
    desk.pass_slots(2)
    assert not switch.read(world.home).anything
    assert [name for _, name in kinds(desk)][-2:] == ["On", ""]


def test_an_announced_off_is_withdrawn_while_witnesses_are_away(world: World) -> None:
    durable.write_file(world.home.log / "policy", b"quorum none\n")
    desk = Desk(world)
    switch.ask(world.home, Asked(OFF, *WHO, ("desk", "cabinet")))
    desk.pass_slots(1)
    switch.ask(world.home, Asked(ON, *WHO, ("desk",)))
    desk.pass_slots(1)
    announced = switch.read(world.home).announced
    assert announced is not None
    assert (announced.asked.lines, announced.statement) == (("cabinet",), "")
    switch.ask(world.home, Asked(ON, *WHO, ("cabinet",)))
    desk.pass_slots(1)
    store = LogStore(world.home.log)
    durable.write_file(world.home.log / "cosigned", store.fetch("checkpoint") or b"")
    desk.pass_slots(2)
    assert switch.read(world.home) == Switched()
    assert {state for state, _ in kinds(desk)} == {"recording"}


def test_what_is_left_of_an_announced_off_is_said_anew(world: World) -> None:
    durable.write_file(world.home.log / "policy", b"quorum none\n")
    desk = Desk(world)
    switch.ask(world.home, Asked(OFF, *WHO, ("desk", "cabinet")))
    desk.pass_slots(1)
    switch.ask(world.home, Asked(ON, *WHO, ("desk",)))
    desk.pass_slots(1)
    durable.write_file(world.home.log / "cosigned", LogStore(world.home.log).fetch("checkpoint") or b"")
    desk.pass_slots(3)
    said = desk.said()[-1][1]
    assert isinstance(said, Off)
    assert said.lines == (line_pseudonym(world.keys.structure, "cabinet"),)
    assert switch.read(world.home).lines == ("cabinet",)


def test_lines_by_pseudonym_and_what_is_left_is_said_anew(world: World) -> None:
    desk = Desk(world)
    switch.ask(world.home, Asked(OFF, *WHO, ("desk",)))
    desk.pass_slots(2)
    switch.ask(world.home, Asked(OFF, *WHO, ("cabinet",)))
    desk.pass_slots(2)
    switch.ask(world.home, Asked(ON, *WHO, ("desk",)))
    desk.pass_slots(2)
    name = {line: line_pseudonym(world.keys.structure, line) for line in ("desk", "cabinet")}
    told = [
        (state, type(said).__name__, said.lines) for state, said in desk.said() if isinstance(said, Off | On)
    ]
    desk_, cabinet = name["desk"], name["cabinet"]
    assert told == [
        ("recording", "Off", (desk_,)),
        ("partly_off", "Off", (desk_,)),
        ("partly_off", "Off", (desk_, cabinet)),
        ("partly_off", "Off", (desk_, cabinet)),
        ("partly_off", "On", (desk_,)),
        ("partly_off", "Off", (cabinet,)),
    ]
    assert "desk" not in str(told)
    switch.ask(world.home, Asked(ON, *WHO, ("nobody's",)))
    desk.pass_slots(1)
    assert switch.read(world.home).lines == ("cabinet",)


def test_a_leaf_is_off_when_any_of_its_slot_was(world: World) -> None:
    desk = Desk(world)
    switch.ask(world.home, Asked(OFF, *WHO))
    desk.pass_slots(1)
    desk.capture.control("switch", whole=True, lines=[], statement="")
    desk.capture.talk((), 0.5)
    desk.capture.control("switch", whole=False, lines=[], statement="")
    desk.capture.talk((), 1.5)
    desk.pass_slots(1, follow=False)
    assert [state for state, _ in kinds(desk)] == ["recording", "off", "recording"]


def test_off_outlives_the_sealing_process_and_the_journal_that_told_of_it(world: World) -> None:
    desk = Desk(world)
    switch.ask(world.home, Asked(OFF, *WHO))
    desk.pass_slots(2)
    desk.again()
    desk.pass_slots(1)
    assert kinds(desk)[1:] == [("off", "Off"), ("off", "Off")]
    assert States(switch.read(world.home)).during(0, 1) is State.OFF


def test_a_kill_right_after_an_announcement_announces_once_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(world)
    switch.ask(world.home, Asked(OFF, *WHO))
    published = desk.sealer.switch.published
    monkeypatch.setattr(desk.sealer.switch, "published", lambda index: None)
    desk.pass_slots(1)
    assert not switch.read(world.home).anything
    monkeypatch.setattr(desk.sealer.switch, "published", published)
    desk.again()
    desk.pass_slots(2)
    assert kinds(desk) == [("recording", "Off"), ("recording", "Off"), ("off", "Off")]


def test_a_second_off_waits_until_the_first_has_taken_effect(world: World) -> None:
    durable.write_file(world.home.log / "policy", b"quorum none\n")
    desk = Desk(world)
    switch.ask(world.home, Asked(OFF, *WHO, ("desk",)))
    switch.ask(world.home, Asked(OFF, *WHO, ("cabinet",)))
    desk.pass_slots(2)
    assert [kind for _, kind in kinds(desk)] == ["Off", ""]
    assert len(switch.waiting(world.home)) == 1


def test_an_explanation_is_kept_and_one_of_the_future_is_not(world: World) -> None:
    desk = Desk(world)
    desk.pass_slots(1)
    switch.ask(world.home, Asked(EXPLANATION, *WHO, first=FIRST - 3, last=FIRST))
    desk.pass_slots(1)
    assert desk.said()[1][1] == Explanation(ORIGIN, FIRST - 3, FIRST, *WHO)
    switch.ask(world.home, Asked(EXPLANATION, *WHO, first=FIRST, last=FIRST + 2))
    (world.home.switch_asked / ("0" * 16 + ".json")).write_text("{")
    desk.pass_slots(1)
    assert kinds(desk)[2] == ("recording", "")
    assert switch.waiting(world.home) == []


def test_a_switch_record_that_is_none_is_a_finding(world: World) -> None:
    desk = Desk(world)
    desk.capture.control("switch", whole="yes", lines=[], statement="")
    desk.pass_slots(1)
    assert [f for f in desk.sealer.findings if "neither true nor false" in f.text]


def test_states_forget_what_lies_behind() -> None:
    states = States(Switched())
    for second, whole, some in ((1, True, True), (5, False, True), (9, False, False)):
        states.change(second * NS, whole=whole, some=some)
    found = [states.during(s * NS, (s + 2) * NS) for s in (0, 2, 4, 6, 8, 10)]
    assert found == [State.OFF, State.OFF, State.OFF, State.PARTLY_OFF, State.PARTLY_OFF, State.RECORDING]
    assert len(states._changes) == 1
