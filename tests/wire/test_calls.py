"""Calls that the recording server has taken: changed, ended by either side, taken up after a restart."""

from __future__ import annotations

import pytest
from tests.wire.conftest import HOLD, METADATA, OFFER, SECOND, SIPREC, TCP, UDP, Bench, invite, request

from memcon.errors import LocalError
from memcon.wire import calls, sdp
from memcon.wire import events as ev
from memcon.wire.sip import parse

MS = SECOND // 1000


# --- inside a call ---


def hold_body(direction: bytes = b"inactive") -> bytes:
    """The offer with another direction."""
    return OFFER.replace(b"sendonly", direction)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_pause_and_resume_by_sdp(bench: Bench, method: str) -> None:
    tag = bench.take_call().dialog.local_tag
    bench.feed(request(method, cseq=2, to_tag=tag, content="application/sdp", body=hold_body()))
    ok = bench.sent()[-1]
    assert [(m.port, m.direction, m.label) for m in sdp.parse(ok.body).media] == [
        (40000, "inactive", "1"),
        (40002, "inactive", "2"),
    ]
    assert sdp.parse(ok.body).origin.split()[2] == "2"  # a new version of the same session
    assert [(e.index, e.label) for e in bench.events(ev.StreamPaused)] == [(0, "1"), (1, "2")]
    (updated,) = bench.events(ev.CallUpdated)
    assert (updated.method, updated.sdp, updated.metadata) == (method, True, False)
    bench.feed(request("ACK", cseq=2, to_tag=tag, branch="z9hG4bKa2"))
    bench.feed(request(method, cseq=3, to_tag=tag, content="application/sdp", body=OFFER))
    assert [(e.index, e.label) for e in bench.events(ev.StreamResumed)] == [(0, "1"), (1, "2")]
    assert bench.allocated == [40000, 40002]


def test_broadworks_pauses_by_address(bench: Bench) -> None:
    tag = bench.take_call().dialog.local_tag
    body = OFFER.replace(b"c=IN IP4 10.0.0.1", b"c=IN IP4 0.0.0.0")
    bench.feed(request(cseq=2, to_tag=tag, content="application/sdp", body=body))
    assert len(bench.events(ev.StreamPaused)) == 2


def test_a_refresh_keeps_the_version(bench: Bench) -> None:
    tag = bench.take_call().dialog.local_tag
    bench.feed(request(cseq=2, to_tag=tag, content="application/sdp", body=OFFER))
    assert sdp.parse(bench.sent()[-1].body).origin.split()[2] == "1"


def test_a_reinvite_without_sdp_is_answered_with_one(bench: Bench) -> None:
    """Else the media of a transfer stops: the description offers every line again, paused or not."""
    tag = bench.take_call().dialog.local_tag
    bench.feed(request(cseq=2, to_tag=tag, content="application/sdp", body=hold_body()))
    bench.feed(request("ACK", cseq=2, to_tag=tag, branch="z9hG4bKa2"))
    bench.feed(request(cseq=3, to_tag=tag, content="application/rs-metadata+xml", body=HOLD))
    offer = sdp.parse(bench.sent()[-1].body)
    assert [(m.port, m.direction, m.label) for m in offer.media] == [
        (40000, "recvonly", "1"),
        (40002, "recvonly", "2"),
    ]
    (updated,) = bench.events(ev.CallUpdated)
    assert (updated.sdp, updated.metadata) == (False, True)
    bench.feed(request("ACK", cseq=3, to_tag=tag, branch="z9hG4bKa3", content="application/sdp", body=OFFER))
    assert [e.index for e in bench.events(ev.StreamResumed)] == [1]  # the first is still held by the metadata


@pytest.mark.parametrize("method", ["UPDATE", "INFO"])
@pytest.mark.parametrize("kind", ["application/rs-metadata+xml", "application/rs-metadata"])
def test_hold_and_resume_by_metadata(bench: Bench, method: str, kind: str) -> None:
    tag = bench.take_call().dialog.local_tag
    bench.feed(request(method, cseq=2, to_tag=tag, content=kind, body=HOLD))
    (ok,) = bench.sent()
    assert (ok.status, ok.body) == (200, b"")
    assert [(e.index, e.label) for e in bench.events(ev.StreamHeld)] == [(0, "1")]
    (updated,) = bench.events(ev.CallUpdated)
    assert (updated.sdp, updated.metadata, updated.call.metadata_raw) == (False, True, HOLD)
    bench.feed(request(method, cseq=3, to_tag=tag, content=kind, body=METADATA))
    assert [(e.index, e.label) for e in bench.events(ev.StreamResumed)] == [(0, "1")]


def test_sdp_and_metadata_in_one_update(bench: Bench) -> None:
    tag = bench.take_call().dialog.local_tag
    bench.feed(request("UPDATE", cseq=2, to_tag=tag, content=SIPREC[0], body=SIPREC[1]))
    (updated,) = bench.events(ev.CallUpdated)
    assert (updated.sdp, updated.metadata) == (True, True)
    assert sdp.parse(bench.sent()[0].body).media[1].label == "2"


def test_an_info_with_sdp_negotiates_nothing(bench: Bench) -> None:
    call = bench.take_call()
    bench.feed(
        request("INFO", cseq=2, to_tag=call.dialog.local_tag, content="application/sdp", body=hold_body())
    )
    assert bench.sent()[0].body == b""
    assert bench.server.calls()[0].streams == call.streams


def test_a_line_more_and_a_line_gone(bench: Bench) -> None:
    tag = bench.take_call().dialog.local_tag
    more = OFFER + b"m=audio 20004 RTP/AVP 0\r\na=label:3\r\n"
    bench.feed(
        request("UPDATE", cseq=2, to_tag=tag, content="application/sdp", body=more.replace(b"20000", b"0"))
    )
    assert [m.port for m in sdp.parse(bench.sent()[0].body).media] == [0, 40002, 40004]
    bench.ports_left = 0
    more += b"m=audio 20006 RTP/AVP 0\r\na=label:4\r\n"
    bench.feed(request("UPDATE", cseq=3, to_tag=tag, content="application/sdp", body=more))
    assert [m.port for m in sdp.parse(bench.sent()[0].body).media] == [40000, 40002, 40004, 0]
    assert "no port for 1 new m-lines" in bench.server.calls()[0].oddities
    assert bench.events(ev.StreamResumed) == []  # a line that was refused begins, it does not go on


def test_unreadable_sdp_inside_a_call_leaves_it_as_it_is(bench: Bench) -> None:
    call = bench.take_call()
    bench.feed(request("UPDATE", cseq=2, to_tag=call.dialog.local_tag, content="application/sdp", body=b"?"))
    assert bench.statuses() == [488]
    assert bench.events(ev.CallRefused) == []
    assert bench.server.call(call.dialog) == call


@pytest.mark.parametrize(
    ("method", "status"),
    [
        ("OPTIONS", 200),
        ("INFO", 200),
        ("UPDATE", 200),
        ("PRACK", 200),
        ("NOTIFY", 481),
        ("MESSAGE", 405),
        ("REFER", 405),
    ],
)
def test_other_methods_inside_a_call(bench: Bench, method: str, status: int) -> None:
    call = bench.take_call()
    bench.feed(request(method, cseq=2, to_tag=call.dialog.local_tag))
    assert bench.statuses() == [status]
    assert len(bench.events(ev.MessageReceived)) == 1
    assert len(bench.events(ev.MessageSent)) == 1


def test_an_unknown_extension_inside_a_call(bench: Bench) -> None:
    call = bench.take_call()
    bench.feed(request("INFO", cseq=2, to_tag=call.dialog.local_tag, more=["Require: x"]))
    assert bench.statuses() == [420]


def test_requests_out_of_order(bench: Bench) -> None:
    call = bench.take_call()
    bench.feed(request("INFO", cseq=5, to_tag=call.dialog.local_tag))
    bench.feed(request("INFO", cseq=4, to_tag=call.dialog.local_tag))
    assert bench.statuses() == [500]
    assert [e.text for e in bench.events(ev.Oddity)] == ["CSeq 4 after 5"]
    bench.feed(request("BYE", cseq=3, to_tag=call.dialog.local_tag))
    assert bench.statuses() == [200]


# --- the end ---


def test_bye(bench: Bench) -> None:
    call = bench.take_call()
    content = "application/rs-metadata+xml"
    bye = request(
        "BYE",
        cseq=2,
        to_tag=call.dialog.local_tag,
        more=["Require: siprec", "Reason: Q.850;cause=16"],
        content=content,
        body=HOLD,
    )
    out = bench.feed(bye)
    assert [type(o).__name__ for o in out] == ["MessageReceived", "Send", "MessageSent", "CallEnded"]
    (ended,) = bench.events(ev.CallEnded)
    assert (ended.cause, ended.by, ended.bye) == ("Q.850;cause=16", "peer", bye)
    assert ended.call.metadata_raw == HOLD
    assert bench.server.calls() == []
    bench.feed(bye)
    assert bench.statuses() == [200]  # the transaction outlives the call
    bench.feed(request("BYE", cseq=3, to_tag=call.dialog.local_tag))
    assert bench.statuses() == [481]


def test_bye_before_the_ack(bench: Bench) -> None:
    call = bench.take_call(ack=False)
    bench.feed(request("BYE", cseq=2, to_tag=call.dialog.local_tag, content="application/sdp", body=b"?"))
    (ended,) = bench.events(ev.CallEnded)
    assert ended.cause == "BYE"
    assert any("in the BYE" in text for text in ended.call.oddities)
    assert bench.wait(40 * SECOND) == []


def test_hanging_up(bench: Bench) -> None:
    call = bench.take_call(more=["Record-Route: <sip:10.0.0.5:5062;lr>", "Record-Route: <sip:10.0.0.6;lr>"])
    bench.out = bench.server.end_call(call.dialog, 'shut"down', bench.now)
    (bye,) = bench.sent()
    assert (bye.method, bye.uri, bye.cseq, bye.call_id) == ("BYE", "sip:src@10.0.0.1:5060", 1, "call-1")
    assert (bye.from_.tag, bye.to.tag) == ("id1", "src1")
    assert bye.headers.all("route") == ["<sip:10.0.0.5:5062;lr>", "<sip:10.0.0.6;lr>"]
    assert bye.headers.get("reason") == 'SIP;cause=200;text="shut down"'
    (send,) = [o for o in bench.out if isinstance(o, ev.Send)]
    assert send.transport.remote == ("10.0.0.5", 5062)
    (ended,) = bench.events(ev.CallEnded)
    assert (ended.cause, ended.by, ended.bye) == ('shut"down', "recorder", bye.raw)
    assert [m.raw for m in (bench.wait(600 * MS), bench.sent())[1]] == [bye.raw]  # said again
    bench.feed(request("INFO", cseq=7, to_tag="id1"))
    assert bench.statuses() == [481]
    reply = bye.raw.replace(bye.raw.split(b"\r\n")[0], b"SIP/2.0 100 Trying")
    assert [type(o) for o in bench.feed(reply)] == [ev.MessageReceived]
    bench.feed(reply.replace(b"100 Trying", b"200 OK"))
    assert bench.feed(reply.replace(b"100 Trying", b"200 OK")) == []
    assert bench.wait(60 * SECOND) == []
    assert bench.server.call(call.dialog) is None
    with pytest.raises(LocalError):
        bench.server.end_call(call.dialog, "again", bench.now)


def test_hanging_up_twice_says_bye_once(bench: Bench) -> None:
    call = bench.take_call()
    bench.server.end_call(call.dialog, "x", bench.now)
    assert bench.server.end_call(call.dialog, "x", bench.now) == []


def test_both_hang_up_at_once(bench: Bench) -> None:
    call = bench.take_call()
    bench.out = bench.server.end_call(call.dialog, "x", bench.now)
    (bye,) = bench.sent()
    bench.feed(request("BYE", cseq=2, to_tag=call.dialog.local_tag))
    assert bench.statuses() == [200]
    assert bench.events(ev.CallEnded) == []
    bench.feed(bye.raw.replace(bye.raw.split(b"\r\n")[0], b"SIP/2.0 481 Gone"))
    assert len(bench.events(ev.MessageReceived)) == 1


def test_hanging_up_before_the_ack_waits_for_it(bench: Bench) -> None:
    call = bench.take_call(ack=False)
    bench.out = bench.server.end_call(call.dialog, "x", bench.now)
    assert bench.sent() == []
    assert len(bench.events(ev.CallEnded)) == 1
    bench.feed(request("ACK", to_tag="id1", branch="z9hG4bKa"))
    assert [m.method for m in bench.sent()] == ["BYE"]
    assert bench.events(ev.CallEnded) == []


def test_hanging_up_a_call_that_is_never_acked(bench: Bench) -> None:
    call = bench.take_call(ack=False)
    bench.server.end_call(call.dialog, "x", bench.now)
    bench.wait(70 * SECOND)
    assert [m.method for m in bench.sent() if m.method] == ["BYE"] * 11
    assert bench.server.call(call.dialog) is None


def test_hanging_up_after_a_bye_of_the_peer_in_the_same_wait(bench: Bench) -> None:
    call = bench.take_call(ack=False)
    bench.server.end_call(call.dialog, "x", bench.now)
    bench.feed(request("BYE", cseq=2, to_tag="id1"))
    assert bench.statuses() == [200]
    assert bench.server.call(call.dialog) is None


def test_a_bye_that_nobody_answers_is_given_up(bench: Bench) -> None:
    call = bench.take_call()
    bench.server.end_call(call.dialog, "x", bench.now)
    bench.wait(33 * SECOND)
    assert bench.server.call(call.dialog) is None
    assert bench.server.next_deadline() is None


@pytest.mark.parametrize(
    ("contact", "record_route", "remote"),
    [
        ("<sip:src@10.0.0.1:5060>", "", ("10.0.0.1", 5060)),
        ("<sip:src@10.0.0.1>", "", ("10.0.0.1", 5060)),
        ("<sip:src@10.0.0.44:5080>", "", ("10.0.0.1", 5060)),  # private and not where it came from: NAT
        ("<sip:src@8.8.8.8:5080>", "", ("8.8.8.8", 5080)),
        ("<sip:src@sbc.example.org>", "", ("10.0.0.1", 5060)),
        ("<tel:+1>", "", ("10.0.0.1", 5060)),
        ("<nothing at all>", "", ("10.0.0.1", 5060)),
        ("<sip:src@10.0.0.1:5060>", "<broken", ("10.0.0.1", 5060)),
        ("<sip:src@10.0.0.1:5060>", "<sip:10.0.0.77:5099;lr>", ("10.0.0.77", 5099)),
    ],
)
def test_where_our_bye_goes(bench: Bench, contact: str, record_route: str, remote: tuple[str, int]) -> None:
    more = [f"Record-Route: {record_route}"] if record_route else []
    bench.feed(invite(more=more).replace(b"<sip:src@10.0.0.1:5060>;+sip.src", contact.encode()))
    bench.feed(request("ACK", to_tag="id1", branch="z9hG4bKa"))
    (call,) = bench.server.calls()
    out = bench.server.end_call(call.dialog, "x", bench.now)
    assert [o.transport.remote for o in out if isinstance(o, ev.Send)] == [remote]


def test_by_stream_our_bye_goes_into_the_connection(bench: Bench) -> None:
    call = bench.take_call(transport=TCP)
    bench.out = bench.server.end_call(call.dialog, "x", bench.now)
    assert [o.transport for o in bench.out if isinstance(o, ev.Send)] == [TCP]
    assert bench.sent()[0].via.protocol == "TCP"
    assert [m.method for m in (bench.wait(10 * SECOND), bench.sent())[1]] == []


def test_a_call_without_a_from_tag(bench: Bench) -> None:
    bench.feed(invite().replace(b";tag=src1", b""))
    assert bench.statuses() == [100, 200]
    (call,) = bench.server.calls()
    assert "From has no tag" in call.oddities


# --- a restart ---


def test_a_call_is_taken_up_again_after_a_restart(bench: Bench) -> None:
    call = bench.take_call()
    ok = next(o.data for o in Bench().feed(invite()) if isinstance(o, ev.Send) and b" 200 " in o.data)
    later = Bench(now=bench.now)
    restored = later.server.restore(invite(), ok, UDP, later.now)
    assert restored == call
    later.feed(invite())
    assert later.sent()[0].raw == ok  # the INVITE said again gets the answer it got, and no second call
    later.now += SECOND
    assert [o.data for o in later.server.timer(later.now) if isinstance(o, ev.Send)] == [ok]
    later.out.clear()
    later.feed(request("ACK", cseq=1, to_tag=call.dialog.local_tag))
    assert later.server.timer(later.now + 10 * SECOND) == []
    later.feed(
        request("UPDATE", cseq=2, to_tag=call.dialog.local_tag, content="application/sdp", body=hold_body())
    )
    answer = sdp.parse(later.sent()[0].body)
    assert [m.port for m in answer.media] == [40000, 40002]
    assert answer.origin.split()[2] == "2"
    later.feed(request("BYE", cseq=3, to_tag=call.dialog.local_tag))
    assert len(later.events(ev.CallEnded)) == 1


def test_a_late_offer_is_taken_up_again(bench: Bench) -> None:
    data = invite(content="", body=b"", more=["Require: siprec"])
    bench.feed(data)
    ok = bench.sent()[1]
    restored = Bench().server.restore(data, ok.raw.replace(b"o=memcon ", b"o=memconx"), UDP, 0)
    assert [(s.port, s.label) for s in restored.streams] == [(40000, "1"), (40002, "2")]
    assert parse(ok.raw).to.tag == restored.dialog.local_tag


def reply(asked: bytes, status: int) -> bytes:
    """The peer's answer to a request of ours."""
    rest = asked.partition(b"\r\n")[2]
    return b"SIP/2.0 %d Answer\r\n" % status + rest.replace(b"Max-Forwards: 70\r\n", b"")


@pytest.mark.parametrize(("status", "over"), [(200, False), (405, False), (408, False), (481, True)])
def test_a_call_of_which_nothing_is_heard_is_asked_for(bench: Bench, status: int, over: bool) -> None:
    call = bench.take_call()
    (asked,) = [o.data for o in bench.server.probe(call.dialog, bench.now) if isinstance(o, ev.Send)]
    assert asked.startswith(b"OPTIONS sip:src@10.0.0.1:5060 ")
    assert parse(asked).from_.tag == call.dialog.local_tag
    bench.feed(reply(asked, status))
    assert (bench.server.call(call.dialog) in bench.server.calls()) is not over
    assert [e.cause for e in bench.events(ev.CallEnded)] == [calls.GONE] * over


def test_no_answer_to_the_question_says_nothing(bench: Bench) -> None:
    call = bench.take_call()
    bench.server.probe(call.dialog, bench.now)
    bench.server.timer(bench.now + 40 * SECOND)
    assert bench.server.call(call.dialog) in bench.server.calls()
    assert bench.server.probe(ev.DialogId("no", "such", "call"), bench.now) == []
