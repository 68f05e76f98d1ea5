"""The recording server, message by message."""

from __future__ import annotations

import pytest
from tests.wire.conftest import (
    HOLD,
    METADATA,
    OFFER,
    SECOND,
    SIPREC,
    TCP,
    UDP,
    Bench,
    invite,
    multipart,
    request,
)

from memcon.errors import LocalError
from memcon.wire import calls, sdp
from memcon.wire import events as ev
from memcon.wire.framing import Ping, StreamParser
from memcon.wire.sip import parse
from memcon.wire.srs import ServerConfig

MS = SECOND // 1000


# --- taking a call ---


def test_an_invite_is_answered_at_once(bench: Bench) -> None:
    out = bench.feed(invite(more=["Require: siprec", "Record-Route: <sip:10.0.0.5;lr>"]))
    assert [type(o).__name__ for o in out] == [
        "CallStarted",
        "MessageReceived",
        "Send",
        "MessageSent",
        "Send",
        "MessageSent",
    ]
    trying, ok = bench.sent()
    assert (trying.status, trying.to.tag) == (100, None)
    assert ok.to.tag == "id1"
    assert ok.headers.get("contact") == "<sip:memcon@10.0.0.9:5060>;+sip.srs"
    assert ok.headers.get("record-route") == "<sip:10.0.0.5;lr>"
    assert ok.headers.get("memcon-receipt") == "for call-1"
    assert ok.headers.tokens("supported") == {"siprec", "timer"}
    assert "update" in ok.headers.tokens("allow")
    assert ok.content_type == "application/sdp"
    assert [(m.port, m.label, m.direction) for m in sdp.parse(ok.body).media] == [
        (40000, "1", "recvonly"),
        (40002, "2", "recvonly"),
    ]


def test_what_is_known_of_a_call(bench: Bench) -> None:
    call = bench.take_call()
    assert call.dialog == ev.DialogId("call-1", "id1", "src1")
    assert (call.kind, call.request_uri, call.transport, call.started_ns) == (
        "siprec",
        "sip:srs@10.0.0.9",
        UDP,
        bench.now,
    )
    assert (call.session_ids, call.group_ids) == (("s1",), ("g1",))
    assert (call.invite, call.offer, call.metadata_raw) == (invite(), OFFER, METADATA)
    assert call.oddities == ()
    first, second = call.streams
    assert (first.index, first.label, first.port, first.state, first.remote) == (
        0,
        "1",
        40000,
        "active",
        ("10.0.0.1", 20000),
    )
    assert [c.name for c in first.codecs] == ["PCMU", "TELEPHONE-EVENT"]
    assert (second.label, second.port) == ("2", 40002)
    assert [c.dialog for c in bench.server.calls()] == [call.dialog]
    assert bench.server.call(call.dialog) == call
    assert bench.server.call(ev.DialogId("x", "y", "z")) is None


def test_every_message_of_the_call_is_reported(bench: Bench) -> None:
    bench.feed(invite())
    assert [e.raw for e in bench.events(ev.MessageReceived)] == [invite()]
    assert [e.raw for e in bench.events(ev.MessageSent)] == [
        o.data for o in bench.out if isinstance(o, ev.Send)
    ]


@pytest.mark.parametrize(
    ("more", "contact", "kind"),
    [
        ([], "<sip:a@h>", "direct"),
        (["Require: siprec"], "<sip:a@h>", "siprec"),
        (["k: siprec"], "<sip:a@h>", "siprec"),
        ([], "<sip:a@h>;src", "siprec"),
        ([], "<sip:a@h>;+sip.src", "siprec"),
    ],
)
def test_recording_sessions_and_plain_calls(bench: Bench, more: list[str], contact: str, kind: str) -> None:
    data = invite(content="application/sdp", body=OFFER.replace(b"sendonly", b"sendrecv"), more=more)
    bench.feed(data.replace(b"Contact: <sip:src@10.0.0.1:5060>;+sip.src", f"Contact: {contact}".encode()))
    (started,) = bench.events(ev.CallStarted)
    assert started.call.kind == kind
    assert (started.call.oddities != ()) == (kind == "siprec")  # it says that there is no metadata
    assert all(m.direction == "recvonly" for m in sdp.parse(bench.sent()[1].body).media)


def test_addresses_by_configuration() -> None:
    bench = Bench(config=ServerConfig("rec", "agent/1", "2001:db8::9", "2001:db8::5"))
    bench.feed(invite(), TCP)
    ok = bench.sent()[1]
    assert ok.headers.get("contact") == "<sip:rec@[2001:db8::9]:5060;transport=tcp>;+sip.srs"
    assert ok.headers.get("server") == "agent/1"
    assert sdp.parse(ok.body).address == "2001:db8::5"


def test_unreadable_metadata_does_not_stop_a_call(bench: Bench) -> None:
    content, body = multipart(("application/sdp", OFFER), ("application/rs-metadata+xml", b"<recording"))
    bench.feed(invite(content=content, body=body))
    (started,) = bench.events(ev.CallStarted)
    assert started.call.metadata is None
    assert started.call.metadata_raw == b"<recording"
    assert started.call.oddities[0].startswith("unreadable metadata")


def test_the_same_call_twice_is_two_calls(bench: Bench) -> None:
    first = bench.take_call()
    second = bench.take_call(call_id="call-2", branch="z9hG4bKsecond")
    assert first.session_ids == second.session_ids
    assert len(bench.server.calls()) == 2
    assert {s.port for s in first.streams}.isdisjoint({s.port for s in second.streams})


def test_lines_that_cannot_be_recorded_are_refused_alone(bench: Bench) -> None:
    body = (
        OFFER.replace(b"audio 20000 RTP/AVP", b"audio 20000 RTP/SAVP")
        + b"m=message 2855 TCP/MSRP *\r\nm=audio 0 RTP/AVP 0\r\n"
    )
    bench.feed(invite(content="application/sdp", body=body))
    (started,) = bench.events(ev.CallStarted)
    assert [(s.port, s.state) for s in started.call.streams] == [
        (0, "refused"),
        (40000, "active"),
        (0, "refused"),
        (0, "refused"),
    ]
    assert [t for t in started.call.oddities if "cannot be recorded" in t] == [
        "m-line 1 (RTP/SAVP) cannot be recorded",
        "m-line 3 (TCP/MSRP) cannot be recorded",
    ]


def test_an_offer_without_lines_is_still_a_call(bench: Bench) -> None:
    bench.feed(invite(content="application/sdp", body=b"v=0\r\n"))
    assert bench.statuses() == [100, 200]
    assert bench.allocated == []


# --- late offers ---


@pytest.mark.parametrize(("kind", "lines"), [("direct", 1), ("siprec", 2)])
def test_an_invite_without_sdp_gets_our_offer(bench: Bench, kind: str, lines: int) -> None:
    more = ["Require: siprec"] if kind == "siprec" else []
    bench.feed(invite(content="", body=b"", more=more).replace(b";+sip.src", b""))
    (started,) = bench.events(ev.CallStarted)
    offer = sdp.parse(bench.sent()[1].body)
    assert [(m.port, m.direction) for m in offer.media] == [(40000 + 2 * i, "recvonly") for i in range(lines)]
    assert [c.name for c in offer.media[0].codecs][:4] == ["PCMU", "PCMA", "G722", "L16"]
    assert len(started.call.streams) == lines
    tag = started.call.dialog.local_tag
    # meanwhile nobody may make another offer
    bench.feed(request("UPDATE", cseq=2, to_tag=tag, content="application/sdp", body=OFFER))
    assert bench.statuses() == [491]
    bench.feed(request(cseq=3, to_tag=tag, branch="z9hG4bKre"))
    assert bench.statuses() == [491]
    theirs = (
        b"v=0\r\nc=IN IP4 10.0.0.7\r\n" + b"m=audio 7000 RTP/AVP 8\r\na=sendonly\r\na=label:9\r\n" * lines
    )
    content, body = multipart(("application/sdp", theirs), ("application/rs-metadata+xml", METADATA))
    bench.feed(request("ACK", to_tag=tag, branch="z9hG4bKa", content=content, body=body))
    (updated,) = bench.events(ev.CallUpdated)
    assert (updated.method, updated.sdp, updated.metadata) == ("ACK", True, True)
    stream = updated.call.streams[0]
    assert (stream.remote, stream.label, stream.port) == (("10.0.0.7", 7000), "9", 40000)
    assert [c.name for c in stream.codecs] == ["PCMA"]
    assert updated.call.metadata is not None


@pytest.mark.parametrize(
    ("content", "body", "oddity"),
    [
        ("", b"", "the ACK has no answer to our offer"),
        (
            "application/sdp",
            b"?",
            "unreadable answer in the ACK: SDP at line 1: no line of the form letter=value",
        ),
        ("application/sdp", b"v=0\r\n", "the answer has 0 m-lines, the offer 1"),
    ],
)
def test_a_late_answer_that_is_none(bench: Bench, content: str, body: bytes, oddity: str) -> None:
    data = invite(content="", body=b"").replace(b";+sip.src", b"")
    bench.feed(data)
    bench.feed(request("ACK", to_tag="id1", branch="z9hG4bKa", content=content, body=body))
    (call,) = bench.server.calls()
    assert oddity in call.oddities


# --- refusals ---


@pytest.mark.parametrize(
    ("data", "status", "header"),
    [
        (invite(more=["Require: siprec, foo, bar"]), 420, ("unsupported", "bar, foo")),
        (invite(uri="mailto:a@h"), 416, None),
        (invite(uri="srs"), 400, None),
        (invite(more=["Content-Encoding: gzip"]), 415, ("accept-encoding", "identity")),
        (
            invite(content="application/sdp", body=b"\0\0"),
            488,
            ("warning", '399 memcon "SDP at line 1: no line of the form letter=value"'),
        ),
    ],
)
def test_calls_that_are_refused_are_reported(
    bench: Bench, data: bytes, status: int, header: tuple[str, str] | None
) -> None:
    bench.feed(data)
    (answer,) = bench.sent()
    assert answer.status == status
    assert answer.to.tag is not None
    if header:
        assert answer.headers.get(header[0]) == header[1]
    (refused,) = bench.events(ev.CallRefused)
    assert (refused.status, refused.invite) == (status, data)
    assert bench.server.calls() == []


def test_no_port_left() -> None:
    bench = Bench(ports_left=1)
    bench.feed(invite())
    assert bench.statuses() == [503]
    assert bench.sent()[0].headers.get("retry-after") == "1"
    bench.feed(invite(content="", body=b"", branch="z9hG4bK2", call_id="c2", more=["Require: siprec"]))
    assert bench.statuses() == [503]
    assert len(bench.events(ev.CallRefused)) == 1


def test_required_extensions_that_cost_nothing(bench: Bench) -> None:
    bench.feed(invite(more=["Require: 100rel, timer, siprec, record-aware"]))
    trying, ok = bench.sent()
    assert (trying.status, ok.status) == (100, 200)
    assert trying.headers.get("rseq") is None  # 100 is never sent reliably (RFC 3262 §3)
    assert ok.headers.get("require") is None


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request().replace(b"SIP/2.0\r\nVia", b"SIP/3.0\r\nVia"), 505),
        (request().replace(b"1 INVITE", b"x INVITE"), 400),
    ],
)
def test_malformed_requests_are_answered(bench: Bench, data: bytes, status: int) -> None:
    bench.feed(data)
    (send,) = [o for o in bench.out if isinstance(o, ev.Send)]
    assert send.data.startswith(f"SIP/2.0 {status} ".encode())
    assert b"\r\nWarning: 399 memcon " in send.data
    assert send.transport == UDP
    (oddity,) = bench.events(ev.Oddity)
    assert oddity.dialog is None
    assert oddity.text.startswith("from 10.0.0.1: SIP message")


@pytest.mark.parametrize("data", [b"\x00\x01\x00\x00!\x12\xa4B", b"GET / HTTP/1.1\r\n\r\n"])
def test_what_is_no_sip_gets_no_answer(bench: Bench, data: bytes) -> None:
    assert [type(o) for o in bench.feed(data)] == [ev.Oddity]


def test_keep_alives(bench: Bench) -> None:
    assert bench.feed(b"\r\n\r\n") == []
    assert bench.feed(b"\0") == []
    (item,) = StreamParser().feed(b"\r\n\r\n")
    assert isinstance(item, Ping)
    assert bench.server.receive(item, TCP, bench.now) == [ev.Send(b"\r\n", TCP)]


# --- transactions ---


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
