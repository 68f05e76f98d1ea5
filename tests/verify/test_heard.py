"""Who is said to have switched off, and what was explained, however many have spoken."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from tests.verify.watched import Watched
from tests.verify.witnesses import quick_check

from memcon.record.beat import State
from memcon.record.statement import Explanation, Off, On
from memcon.tlog.policy import Policy
from memcon.verify.findings import Report
from memcon.verify.heard import Heard
from memcon.verify.history import Said
from memcon.verify.sync import Sync
from memcon.verify.was_it_on import MAX_SAID, Question, Reply, ask, sentence, to_json, to_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memcon.record.statement import Statement

O = "log.example"  # noqa: E741


def said(slot: int, read: Statement) -> Said:
    return Said(slot, slot, read.encode())


def off(slot: int, by: str, lines: tuple[str, ...] = ()) -> Said:
    return said(slot, Off(O, slot, by, "console", "", lines))


def on(slot: int, lines: tuple[str, ...] = ()) -> Said:
    return said(slot, On(O, slot, "x", "console", "", lines))


def why(slot: int, first: int, last: int, by: str) -> Said:
    return said(slot, Explanation(O, first, last, by, "console", "a fuse"))


def test_an_off_is_named_for_its_own_stretch_alone() -> None:
    heard = Heard([off(10, "a"), on(20), off(30, "b", ("l",)), off(35, "c"), on(40, ("l",)), on(50)])
    for first, last, whole, by in (
        (11, 19, True, "a"),
        (11, 20, True, "a"),
        (20, 20, True, "a"),  # the slot that the on is named in
        (31, 35, False, "b"),  # c is named there, and not yet in effect
        (36, 50, True, "c"),
        (9, 12, True, "a"),
        (28, 33, False, "b"),
    ):
        found = heard.off(first, last, whole=whole)
        assert found is not None
        assert found.by == by
    for first, last, whole in ((21, 29, True), (51, 99, True), (1, 9, True), (31, 34, True), (11, 19, False)):
        assert heard.off(first, last, whole=whole) is None
    assert [heard.last_switch_before(slot) for slot in (10, 11, 31)] == [-1, 10, 30]


def test_two_at_once_are_named_each_for_what_is_theirs() -> None:
    """A line is off; the whole recorder follows, and while it is off somebody adds a line."""
    heard = Heard([off(10, "eve", ("l",)), off(12, "bob"), off(13, "carl"), on(20)])
    assert [heard.off(11, 12, whole=False), heard.off(13, 20, whole=True)] == [
        Off(O, 10, "eve", "console", "", ("l",)),
        Off(O, 12, "bob", "console", "", ()),
    ]
    stopped = Heard([off(13, "carl")]).off(13, 20, whole=True)  # a stop is named in the leaf that is off
    assert stopped is not None
    assert stopped.by == "carl"


def test_a_line_that_is_on_again_leaves_the_whole_recorder_off() -> None:
    found = Heard([off(10, "a"), on(12, ("l",))]).off(13, 14, whole=True)
    assert found is not None
    assert found.by == "a"


def test_explanations_of_a_stretch() -> None:
    heard = Heard([why(90, 50, 59, "late"), why(91, 10, 80, "all"), why(92, 10, 12, "early"), off(93, "a")])
    assert [read.by for read in heard.explanations(55, 56)] == ["all", "late"]
    assert [read.by for read in heard.explanations(12, 12)] == ["all", "early"]
    assert [read.by for read in heard.explanations(81, 99)] == []
    assert [read.by for read in heard.explanations(1, 9)] == []
    assert Heard([]).explanations(1, 9) == []


def reply(watched: Watched, last: float) -> Reply:
    policy, report, now = Policy.parse(watched.policy()), Report("log", "log"), watched.at(last + 5)
    history = Sync(_Files(watched.files()), policy, report, now, check=quick_check).run()
    return ask(history, policy, Question(watched.ms(1), watched.ms(last)), now, report)


class _Files(dict[str, bytes]):
    def fetch(self, path: str) -> bytes | None:
        return self.get(path)

    def paths(self) -> Iterator[str]:
        return iter(self)


def test_many_explanations_hide_no_name() -> None:
    """Somebody explains a silence so often that the list is full before the off is reached."""
    watched = Watched(period=60).beats(1, 2)
    world = watched.world
    for n in range(MAX_SAID + 5):
        text = Explanation(world.origin, watched.genesis + 1, watched.genesis + 2, "J", "c", f"{n}")
        watched.leaf(3 + n, statement=world.state(text.encode()))
    at = 3 + MAX_SAID + 5
    watched.cosign(watched.at(at))
    switched = watched.off(at, by="Ada")
    watched.beat(at, statement=switched)
    for slot in range(at + 1, at + 4):
        watched.beat(slot, State.OFF, statement=switched)
    told = reply(watched, at + 4)
    assert len(told.said) == MAX_SAID
    assert told.more_said == 6
    assert to_json(told, UTC)["more_statements"] == 6
    assert "And 6 statements more: ask about a shorter stretch" in to_text(told, UTC)
    assert "by Ada: monthly test" in to_text(told, UTC)
    short = reply(watched, at + 4)
    assert "by J" not in sentence(short, UTC)
