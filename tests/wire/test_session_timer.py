"""Session timers: what is agreed, who refreshes, and what happens when nobody does (RFC 4028)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.conftest import SECOND, Bench, request

from memcon.wire import events as ev
from memcon.wire.calls import EXPIRED
from memcon.wire.session_timer import SessionTimer, granted, negotiate, read
from memcon.wire.sip import parse

ASKED = ["Supported: timer", "Session-Expires: 90"]
OURS = ["Supported: timer", "Allow: INVITE, UPDATE", "Session-Expires: 90;refresher=uas"]


@pytest.mark.parametrize(
    ("headers", "agreed"),
    [
        (["Supported: timer", "Session-Expires: 1800"], SessionTimer(1800, "uac")),
        (["Require: timer", "x: 1800;refresher=uac"], SessionTimer(1800, "uac")),  # the compact form
        (["Supported: 100rel, timer", "Session-Expires: 90 ; Refresher=UAC"], SessionTimer(90, "uac")),
        (OURS, SessionTimer(90, "uas")),
        (["Supported: timer", "Session-Expires: 90;refresher=uas"], None),  # it takes no UPDATE of ours
        (["Session-Expires: 1800"], None),  # a proxy's header: the client knows no timers
        (["Supported: timer"], None),
        (["Supported: timer", "Session-Expires: 0"], None),
        (["Supported: timer", "Session-Expires: soon"], None),
        (["Supported: timer", "Session-Expires: 99999999999"], None),
    ],
)
def test_what_is_agreed(headers: list[str], agreed: SessionTimer | None) -> None:
    assert negotiate(parse(request(more=headers))) == agreed


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=60))
def test_any_header_is_a_timer_or_none(text: str) -> None:
    message = parse(request(more=["Supported: timer", f"Session-Expires: {text}"]))
    seconds, _ = read(message)
    assert (negotiate(message) is not None) <= (seconds > 0)


def test_the_answer_says_who_refreshes(bench: Bench) -> None:
    bench.take_call(more=ASKED, ack=False)
    ok = bench.sent()[1]
    assert ok.headers.get("session-expires") == "90;refresher=uac"
    assert ok.headers.tokens("require") == {"timer"}


def test_a_call_that_nobody_refreshes_ends_and_says_so(bench: Bench) -> None:
    call = bench.take_call(more=ASKED)
    assert bench.wait(89 * SECOND) == []
    bench.wait(2 * SECOND)
    (ended,) = bench.events(ev.CallEnded)
    assert (ended.cause, ended.by, ended.call.dialog) == (EXPIRED, "recorder", call.dialog)
    assert [m.method for m in bench.sent()] == ["BYE", "BYE", "BYE"][: len(bench.sent())]
    assert ended.bye


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
def test_a_refresh_begins_the_interval_anew(bench: Bench, method: str) -> None:
    call = bench.take_call(more=ASKED)
    tag = call.dialog.local_tag
    for turn in range(3):
        bench.wait(60 * SECOND)
        assert not bench.events(ev.CallEnded)
        bench.feed(request(method, cseq=2 + turn, to_tag=tag, more=ASKED))
        assert bench.sent()[-1].headers.get("session-expires") == "90;refresher=uac"
        if method == "INVITE":
            bench.feed(request("ACK", cseq=2 + turn, to_tag=tag, branch=f"z9hG4bKa{turn}"))
    bench.wait(91 * SECOND)
    assert [ended.cause for ended in bench.events(ev.CallEnded)] == [EXPIRED]


def test_an_options_request_is_no_refresh(bench: Bench) -> None:
    call = bench.take_call(more=ASKED)
    bench.wait(60 * SECOND)
    bench.feed(request("OPTIONS", cseq=2, to_tag=call.dialog.local_tag))
    assert bench.statuses() == [200]
    bench.wait(31 * SECOND)
    assert len(bench.events(ev.CallEnded)) == 1


def test_a_refresh_without_a_timer_ends_the_timer(bench: Bench) -> None:
    call = bench.take_call(more=ASKED)
    bench.feed(request("UPDATE", cseq=2, to_tag=call.dialog.local_tag))
    assert bench.sent()[0].headers.get("session-expires") is None
    assert bench.wait(600 * SECOND) == []


def test_the_end_of_a_call_ends_its_timer(bench: Bench) -> None:
    call = bench.take_call(more=OURS)
    bench.feed(request("BYE", cseq=2, to_tag=call.dialog.local_tag))
    bench.wait(600 * SECOND)
    assert bench.sent() == []


def answer(message: bytes, status: int, *more: str) -> bytes:
    """The peer's answer to a request of ours."""
    asked = parse(message)
    lines = [f"SIP/2.0 {status} Answer", f"Via: {asked.via.raw}"]
    lines += [f"{n}: {asked.headers.get(n)}" for n in ("from", "to", "call-id", "cseq")]
    return "\r\n".join([*lines, *more, "Content-Length: 0", "", ""]).encode()


def test_a_refresh_that_is_ours_is_sent(bench: Bench) -> None:
    call = bench.take_call(more=OURS)
    for turn in range(3):
        bench.wait(46 * SECOND)
        update = bench.sent()[0]
        assert (update.method, update.cseq) == ("UPDATE", 1 + turn)
        assert update.headers.get("session-expires") == "90;refresher=uac"
        assert update.headers.get("contact") == "<sip:memcon@10.0.0.9:5060>;+sip.srs"
        assert (update.to.tag, update.from_.tag) == (call.dialog.remote_tag, call.dialog.local_tag)
        bench.feed(answer(update.raw, 200, "Session-Expires: 90;refresher=uac"))
        assert not bench.events(ev.CallEnded)
    assert bench.server.call(call.dialog) is not None


@pytest.mark.parametrize("status", [481, 408])
def test_a_peer_that_does_not_know_the_call_any_more_ends_it(bench: Bench, status: int) -> None:
    bench.take_call(more=OURS)
    bench.wait(46 * SECOND)
    bench.feed(answer(bench.sent()[0].raw, status))
    (ended,) = bench.events(ev.CallEnded)
    assert ended.cause == EXPIRED


def test_a_refresh_that_is_refused_leaves_the_rest_of_the_interval(bench: Bench) -> None:
    bench.take_call(more=OURS)
    bench.wait(46 * SECOND)
    bench.feed(answer(bench.sent()[0].raw, 500))
    assert not bench.events(ev.CallEnded)
    bench.wait(45 * SECOND)
    assert [ended.cause for ended in bench.events(ev.CallEnded)] == [EXPIRED]


def test_a_refresh_that_nobody_answers_ends_the_call(bench: Bench) -> None:
    bench.take_call(more=OURS)
    bench.wait(45 * SECOND + 33 * SECOND)
    (ended,) = bench.events(ev.CallEnded)
    assert ended.cause == EXPIRED


def test_an_answer_that_comes_after_the_end_is_dropped(bench: Bench) -> None:
    call = bench.take_call(more=OURS)
    bench.wait(46 * SECOND)
    update = bench.sent()[0]
    bench.feed(request("BYE", cseq=2, to_tag=call.dialog.local_tag))
    assert bench.feed(answer(update.raw, 200))[1:] == []


def test_the_timer_goes_on_after_a_restart(bench: Bench) -> None:
    call = bench.take_call(more=ASKED, ack=False)
    ok = bench.sent()[1]
    assert granted(ok) == SessionTimer(90, "uac")
    assert granted(parse(ok.raw.replace(b"Session-Expires", b"X-Other"))) is None
    again = Bench()
    again.server.restore(call.invite, ok.raw, call.transport, again.now)
    again.feed(request("ACK", to_tag=call.dialog.local_tag, branch="z9hG4bKack"))
    again.wait(91 * SECOND)
    assert [ended.cause for ended in again.events(ev.CallEnded)] == [EXPIRED]


def test_our_own_requests_count_on_after_a_restart(bench: Bench) -> None:
    """The answer to an earlier refresh is fed again; a BYE under a CSeq used before would be refused."""
    call = bench.take_call(more=OURS, ack=False)
    ok = bench.sent()[1]
    ack = request("ACK", to_tag=call.dialog.local_tag, branch="z9hG4bKack")
    bench.feed(ack)
    bench.wait(46 * SECOND)
    answered = answer(bench.sent()[0].raw, 200)
    again = Bench()
    again.server.restore(call.invite, ok.raw, call.transport, again.now)
    for message in (ack, answered, answered.replace(b"CSeq: 1 ", b"CSeq: 999999 ")):
        assert not [o for o in again.feed(message) if isinstance(o, ev.Send)]
    again.out = again.server.end_call(call.dialog, "done", again.now)
    assert again.sent()[0].cseq == 2
