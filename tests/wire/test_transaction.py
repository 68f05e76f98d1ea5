"""Transaction tables, keys and timers."""

from __future__ import annotations

from tests.wire.conftest import UDP, request

from memcon.wire.events import DialogId
from memcon.wire.sip import parse
from memcon.wire.transaction import (
    IDLE_TIMERS,
    INVITE_SERVER,
    OTHER_SERVER,
    T1,
    T2,
    ClientTransaction,
    ServerEvent,
    ServerState,
    ServerTransaction,
    Timers,
    merge_key,
    server_key,
)


def test_every_state_ends_or_expires() -> None:
    for table in (INVITE_SERVER, OTHER_SERVER):
        for state, steps in table.items():
            assert all(following in table for following in steps.values())
            answered = ServerEvent.SUCCESS in steps and ServerEvent.FAILURE in steps
            assert answered or ServerEvent.EXPIRED in steps or state is ServerState.TERMINATED


def test_a_step_the_table_does_not_know_changes_nothing() -> None:
    tx = ServerTransaction(("k",), parse(request("OPTIONS")), UDP, UDP)
    assert not tx.step(ServerEvent.ACK)
    states = []
    for status in (180, 200, 200):
        tx.answered(status)
        states.append(tx.state)
    assert states == [ServerState.PROCEEDING, ServerState.COMPLETED, ServerState.COMPLETED]


def test_keys() -> None:
    invite = parse(request(branch="z9hG4bKa"))
    assert server_key(invite) == server_key(parse(request("ACK", branch="z9hG4bKa")))
    assert server_key(invite) != server_key(parse(request("CANCEL", branch="z9hG4bKa")))
    old = parse(request(branch="1"))
    assert server_key(old) == server_key(parse(request("ACK", branch="1")))
    assert server_key(old) != server_key(parse(request(branch="1", cseq=2)))
    assert merge_key(invite) == merge_key(parse(request(branch="z9hG4bKb")))


def test_client_intervals() -> None:
    tx = ClientTransaction("b", "BYE", b"", UDP, DialogId("c", "l", "r"))
    assert [tx.next_interval() for _ in range(4)] == [2 * T1, 4 * T1, T2, T2]
    tx = ClientTransaction("b", "BYE", b"", UDP, DialogId("c", "l", "r"), proceeding=True)
    assert tx.next_interval() == T2


def test_timers() -> None:
    timers = Timers()
    assert timers.next() is None
    assert timers.due(100) is None
    timers.set("a", 1, 10)
    timers.set("b", 1, 20)
    timers.set("a", 1, 30)  # moved
    assert timers.next() == 20
    assert timers.due(19) is None
    assert timers.due(25) == ("b", 1)
    timers.set("c", 1, 26)
    timers.cancel("c", 1)
    timers.cancel("c", 2)
    assert timers.due(100) == ("a", 1)
    assert timers.next() is None


def test_deadlines_of_calls_that_are_over_are_not_kept_for_half_an_hour() -> None:
    timers = Timers()
    for number in range(1000):
        timers.set("session", f"call {number}", 1_800_000 + number)
        timers.set("200", f"call {number}", number)
        timers.cancel("200", f"call {number}")
        if number % 100:
            timers.cancel("session", f"call {number}")
        assert len(timers._heap) <= 2 * len(timers._when) + IDLE_TIMERS
    due = [timers.due(1_900_000) for _ in range(11)]
    assert due == [*[("session", f"call {number}") for number in range(0, 1000, 100)], None]
