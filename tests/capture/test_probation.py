"""Calls taken up on new sockets: heard of, asked, given up."""

from __future__ import annotations

from memcon.capture.probation import ASK_NS, GIVE_UP_NS, Probation
from memcon.clock import NS
from memcon.wire.calls import GONE
from memcon.wire.events import DialogId

ONE, TWO, THREE = (DialogId(name, "a", "b") for name in ("one", "two", "three"))


class Sip:
    def __init__(self) -> None:
        self.done: list[tuple[str, DialogId]] = []

    def probe(self, dialog: DialogId) -> None:
        self.done.append(("ask", dialog))

    def end_call(self, dialog: DialogId, reason: str) -> None:
        assert reason == GONE
        self.done.append(("end", dialog))


def test_silent_calls_are_asked_once_and_then_given_up() -> None:
    heard: dict[DialogId, int | None] = {ONE: 3, TWO: 0, THREE: 1}
    sip = Sip()
    probation = Probation([ONE, TWO, THREE], heard.get, sip, 5 * NS)
    probation.look(6 * NS)
    assert (sip.done, len(probation)) == ([], 3)
    heard[ONE] = 4  # a packet
    heard[THREE] = None  # its BYE, said again
    probation.look(5 * NS + ASK_NS + 1)
    probation.look(5 * NS + ASK_NS + NS)
    assert (sip.done, len(probation)) == ([("ask", TWO)], 1)
    probation.look(5 * NS + GIVE_UP_NS + 1)
    probation.look(5 * NS + GIVE_UP_NS + NS)
    assert (sip.done, len(probation)) == ([("ask", TWO), ("end", TWO)], 0)


def test_a_call_that_answers_goes_on() -> None:
    heard: dict[DialogId, int | None] = {TWO: 0}
    sip = Sip()
    probation = Probation([TWO], heard.get, sip, 0)
    probation.look(ASK_NS + 1)
    heard[TWO] = 1  # the 200 to our OPTIONS
    probation.look(ASK_NS + NS)
    probation.look(GIVE_UP_NS + NS)
    assert sip.done == [("ask", TWO)]
