"""INVITEs that nobody acknowledges: how far a source gets with them, and that it costs no other its calls."""

from __future__ import annotations

import pytest
from tests.wire.conftest import SECOND, TCP, UDP, Bench, invite, request

from memcon.wire import events as ev
from memcon.wire.calls import ServerConfig
from memcon.wire.unanswered import (
    MAX_KNOWN,
    MAX_OF_KNOWN,
    MAX_OF_STRANGER,
    MAX_OF_STRANGERS,
    Unanswered,
)


def source(n: int) -> ev.Transport:
    return ev.Transport("udp", UDP.local, (f"198.51.{n >> 8}.{n & 255}", 5060))


def offer(bench: Bench, n: int, transport: ev.Transport = UDP) -> int:
    """A new call; the final status it gets."""
    bench.feed(invite(branch=f"z9hG4bK{n}", call_id=f"call-{n}"), transport)
    return bench.statuses()[-1]


def test_a_stranger_who_acknowledges_nothing_is_stopped_and_others_are_not() -> None:
    bench = Bench(ports_left=100_000)
    assert {offer(bench, n) for n in range(MAX_OF_STRANGER)} == {200}
    assert offer(bench, 1000) == 503
    refused = bench.sent()[-1]
    assert (refused.headers.get("retry-after"), "64 calls wait for their ACK" in str(refused.headers)) == (
        "32",
        True,
    )
    (told,) = bench.events(ev.CallRefused)
    assert told.reason == "64 calls wait for their ACK"
    assert offer(bench, 1001, source(1)) == 200
    assert offer(bench, 1002, TCP) == 200
    bench.wait(33 * SECOND)  # the calls that nobody acknowledged are over
    assert offer(bench, 1003) == 200


def test_strangers_with_invented_addresses_leave_those_who_record_alone() -> None:
    bench = Bench(ports_left=100_000)
    bench.take_call()  # acknowledged: its source is known from now on
    assert {offer(bench, n + 10, source(n)) for n in range(MAX_OF_STRANGERS)} == {200}
    assert offer(bench, 1000, source(1000)) == 503
    assert {offer(bench, n) for n in range(2000, 2000 + MAX_OF_STRANGERS)} == {200}


def test_invented_addresses_leave_those_alone_who_come_by_a_connection() -> None:
    bench = Bench(ports_left=100_000)
    assert {offer(bench, n, source(n)) for n in range(MAX_OF_STRANGERS)} == {200}
    assert offer(bench, 1000, source(1000)) == 503
    assert {offer(bench, n, TCP) for n in range(2000, 2000 + MAX_OF_STRANGER)} == {200}
    assert offer(bench, 3000, TCP) == 503


def test_who_has_acknowledged_is_known_when_it_connects_again() -> None:
    many = Many()
    (first,) = many.begin(TCP)
    many.counted.acknowledged(first)
    again = ev.Transport("tcp", TCP.local, (TCP.remote[0], 40999), "tcp-2")
    many.begin(again, MAX_OF_KNOWN - 1)
    assert many.counted.refusal(again) == ""
    assert many.counted.refusal(ev.Transport("udp", TCP.local, TCP.remote)) == ""  # another source altogether


def test_strangers_leave_three_quarters_of_the_ports() -> None:
    bench = Bench(ports_left=100_000, config=ServerConfig(pairs=200))
    assert [offer(bench, n, source(n)) for n in range(51)] == [200] * 50 + [503]


def test_a_call_that_ends_before_its_ack_waits_no_more(bench: Bench) -> None:
    for n in range(2 * MAX_OF_STRANGER):
        assert offer(bench, n) == 200
        tag = bench.sent()[-1].to.tag
        assert tag is not None
        bench.feed(request("BYE", cseq=2, to_tag=tag, branch=f"z9hG4bKbye{n}", call_id=f"call-{n}"))
        bench.ports_left = 100


class Many:
    """The count alone, without calls."""

    def __init__(self) -> None:
        self.counted, self.n = Unanswered(), 0

    def begin(self, transport: ev.Transport, count: int = 1) -> list[ev.DialogId]:
        made = []
        for _ in range(count):
            self.n += 1
            made.append(ev.DialogId(str(self.n), "a", "b"))
            self.counted.begin(made[-1], transport)
        return made


def test_one_who_has_acknowledged_has_a_wide_limit() -> None:
    many = Many()
    first, *_ = many.begin(UDP, MAX_OF_STRANGER)
    assert many.counted.refusal(UDP)
    many.counted.acknowledged(first)
    assert many.counted.refusal(UDP) == ""
    many.begin(UDP, MAX_OF_KNOWN - MAX_OF_STRANGER)
    assert many.counted.refusal(UDP) == ""
    last = many.begin(UDP)[0]
    assert many.counted.refusal(UDP) == "1000 calls wait for their ACK"
    for _ in range(2):  # an end is counted once
        many.counted.over(last)
        many.counted.acknowledged(last)
    assert many.counted.refusal(UDP) == ""
    many.begin(source(5), MAX_OF_STRANGER - 1)
    assert many.counted.refusal(source(5)) == ""


@pytest.mark.parametrize("acknowledge", [False, True])
def test_strangers_are_counted_as_they_come_and_go(acknowledge: bool) -> None:
    many = Many()
    waiting = [many.begin(source(n))[0] for n in range(MAX_OF_STRANGERS)]
    assert many.counted.refusal(source(9999)) == "256 calls wait for their ACK"
    for dialog in waiting:
        (many.counted.acknowledged if acknowledge else many.counted.over)(dialog)
    for n in range(10_000, 10_000 + MAX_OF_STRANGERS):
        assert many.counted.refusal(source(n)) == ""
        many.begin(source(n))
    assert many.counted.refusal(source(9999))


def test_who_has_not_acknowledged_for_longest_is_forgotten() -> None:
    many = Many()
    many.counted.acknowledged(many.begin(source(0))[0])
    many.begin(source(0), MAX_OF_STRANGER)
    assert many.counted.refusal(source(0)) == ""
    for n in range(1, MAX_KNOWN + 1):
        many.counted.acknowledged(many.begin(source(n))[0])
    assert many.counted.refusal(source(0)) == "64 calls wait for their ACK"
    assert many.counted.refusal(source(MAX_KNOWN)) == ""
