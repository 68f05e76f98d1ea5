"""The call's table."""

from __future__ import annotations

import pytest

from memcon.wire.dialog import CALL, Action, CallEvent, CallState

END, BYE, FORGET = Action.REPORT_END, Action.SEND_BYE, Action.FORGET


@pytest.mark.parametrize(
    "events",
    [
        [CallEvent.BYE],
        [CallEvent.ACK, CallEvent.BYE],
        [CallEvent.ACK, CallEvent.ANSWER, CallEvent.ACK, CallEvent.BYE],
        [CallEvent.ACK, CallEvent.HANG_UP, CallEvent.BYE_DONE],
        [CallEvent.HANG_UP, CallEvent.ACK, CallEvent.BYE_DONE],
        [CallEvent.HANG_UP, CallEvent.NO_ACK, CallEvent.BYE_DONE],
        [CallEvent.HANG_UP, CallEvent.BYE],
        [CallEvent.NO_ACK, CallEvent.BYE],
    ],
)
def test_every_way_through_a_call(events: list[CallEvent]) -> None:
    """The end is reported once, and the call forgotten last, whichever way it goes."""
    state = CallState.ANSWERED
    done: list[Action] = []
    for event in events:
        state, actions = CALL[state][event]
        done += actions
    assert state is CallState.ENDED
    assert done.count(END) == 1
    assert done[-1] is FORGET
    assert done.count(FORGET) == 1


def test_no_bye_before_the_ack_or_its_timeout() -> None:
    """RFC 3261 §15: the called side may not send BYE on a dialog that was not acknowledged."""
    for event, (_, actions) in CALL[CallState.ANSWERED].items():
        assert BYE not in actions or event is CallEvent.NO_ACK


def test_an_ended_call_stays_ended() -> None:
    assert CALL[CallState.ENDED] == {}
    assert set(CALL) == set(CallState)
