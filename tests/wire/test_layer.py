"""The transaction layer of the recording server: what is new, what is said again, where answers go."""

from __future__ import annotations

import pytest
from tests.wire.conftest import SECOND, TCP, UDP, Bench, invite, request

from memcon.wire import events as ev

MS = SECOND // 1000


def test_a_repeated_invite_is_answered_the_same(bench: Bench) -> None:
    bench.feed(invite())
    first = bench.sent()[1]
    bench.feed(invite())
    assert [m.raw for m in bench.sent()] == [first.raw]
    assert [e.retransmission for e in bench.events(ev.MessageReceived)] == [True]
    assert [e.retransmission for e in bench.events(ev.MessageSent)] == [True]
    assert len(bench.server.calls()) == 1


def test_the_200_is_said_again_until_the_ack(bench: Bench) -> None:
    """500 ms, doubling to 4 s; then BYE after 32 s."""
    bench.feed(invite())
    start, times = bench.now, []
    while bench.now < start + 31 * SECOND:
        deadline = bench.server.next_deadline()
        assert deadline is not None
        bench.wait(deadline - bench.now)
        times.append((bench.now - start) // MS)
    assert times[:10] == [500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]
    bench.wait(2 * SECOND)
    bye = bench.sent()[-1]
    assert (bye.method, bye.uri, bye.cseq) == ("BYE", "sip:src@10.0.0.1:5060", 1)
    (ended,) = bench.events(ev.CallEnded)
    assert (ended.cause, ended.by, ended.bye) == ("no ACK came", "recorder", bye.raw)
    assert bench.server.calls() == []


@pytest.mark.parametrize("transport", [UDP, TCP])
def test_the_ack_ends_the_repetition(bench: Bench, transport: ev.Transport) -> None:
    bench.feed(invite(), transport)
    bench.feed(request("ACK", to_tag="id1", branch="z9hG4bKa"), transport)
    assert [e.dialog.local_tag for e in bench.events(ev.CallAcked)] == ["id1"]
    assert bench.wait(40 * SECOND) == []
    bench.feed(request("ACK", to_tag="id1", branch="z9hG4bKa"), transport)
    assert [e.retransmission for e in bench.events(ev.MessageReceived)] == [True]
    assert bench.events(ev.CallAcked) == []


def test_an_ack_for_nothing_is_dropped(bench: Bench) -> None:
    assert bench.feed(request("ACK", to_tag="nobody")) == []


def test_a_refusal_is_said_again_until_its_ack(bench: Bench) -> None:
    bench.feed(invite(more=["Require: x"]))
    bench.wait(1600 * MS)
    assert bench.statuses() == [420, 420]
    bench.feed(request("ACK", branch="z9hG4bKINVITE1"))
    assert bench.out == []
    bench.feed(request("ACK", branch="z9hG4bKINVITE1"))
    assert bench.wait(60 * SECOND) == []
    assert bench.server.next_deadline() is None


def test_a_refusal_that_is_never_acked_is_forgotten(bench: Bench) -> None:
    bench.feed(invite(more=["Require: x"]))
    bench.wait(40 * SECOND)
    assert bench.server.next_deadline() is None
    bench.feed(invite())  # the same branch may begin anew
    assert bench.statuses() == [100, 200]


def test_a_refusal_by_stream_is_said_once(bench: Bench) -> None:
    bench.feed(invite(more=["Require: x"]), TCP)
    assert bench.wait(5 * SECOND) == []
    bench.feed(request("ACK", branch="z9hG4bKINVITE1"), TCP)
    assert bench.server.next_deadline() is None


def test_a_merged_request(bench: Bench) -> None:
    bench.feed(invite(branch="z9hG4bKone"))
    bench.feed(invite(branch="z9hG4bKtwo"))
    assert bench.statuses() == [482]
    assert len(bench.server.calls()) == 1


def test_where_answers_go(bench: Bench) -> None:
    far = ev.Transport("udp", UDP.local, ("10.9.9.9", 6060))
    for via, expected in (
        ("SIP/2.0/UDP 10.9.9.9:5070", ("10.9.9.9", 5070)),
        ("SIP/2.0/UDP inner.example", ("10.9.9.9", 5060)),
        ("SIP/2.0/UDP inner.example;rport", ("10.9.9.9", 6060)),
        ("SIP/2.0/UDP inner.example;maddr=10.1.1.1", ("10.9.9.9", 5060)),
    ):
        bench.feed(request("OPTIONS", branch=f"z9hG4bK{via[-9:]}", call_id=via, via=via), far)
        (send,) = [o for o in bench.out if isinstance(o, ev.Send)]
        assert send.transport.remote == expected


def test_options_outside_a_call(bench: Bench) -> None:
    bench.feed(request("OPTIONS"))
    (ok,) = bench.sent()
    assert ok.status == 200
    assert "application/rs-metadata+xml" in ok.headers.tokens("accept")
    assert (ok.headers.get("contact") or "").endswith(";+sip.srs")
    bench.feed(request("OPTIONS"))
    assert [m.raw for m in bench.sent()] == [ok.raw]  # the same answer for the same request
    bench.wait(40 * SECOND)
    assert bench.server.next_deadline() is None


@pytest.mark.parametrize(
    ("method", "status"),
    [
        ("BYE", 481),
        ("UPDATE", 481),
        ("INFO", 481),
        ("PRACK", 481),
        ("NOTIFY", 481),
        ("CANCEL", 481),
        ("REGISTER", 405),
        ("SUBSCRIBE", 405),
        ("MESSAGE", 405),
        ("REFER", 405),
        ("NONSENSE", 405),
    ],
)
def test_other_methods_outside_a_call(bench: Bench, method: str, status: int) -> None:
    bench.feed(request(method))
    (answer,) = bench.sent()
    assert answer.status == status
    assert (answer.headers.get("allow") is not None) == (status == 405)


@pytest.mark.parametrize("method", ["INVITE", "BYE", "UPDATE", "OPTIONS"])
def test_requests_of_a_call_we_do_not_know(bench: Bench, method: str) -> None:
    bench.feed(request(method, to_tag="gone"))
    assert bench.statuses() == [481]


def test_cancel_comes_too_late(bench: Bench) -> None:
    bench.feed(invite(branch="z9hG4bKi"))
    bench.feed(request("CANCEL", branch="z9hG4bKi"))
    (ok,) = bench.sent()
    assert (ok.status, ok.to.tag) == (200, "id1")
    assert len(bench.events(ev.MessageReceived)) == 1
    assert len(bench.server.calls()) == 1
    bench.feed(invite(more=["Require: x"], branch="z9hG4bKr", call_id="other"))
    bench.feed(request("CANCEL", branch="z9hG4bKr", call_id="other"))
    assert bench.statuses() == [200]
