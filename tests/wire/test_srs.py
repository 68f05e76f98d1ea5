"""The recording server, message by message."""

from __future__ import annotations

import pytest
from tests.wire.conftest import METADATA, OFFER, TCP, UDP, Bench, invite, multipart, request

from memcon.wire import events as ev
from memcon.wire import sdp
from memcon.wire.framing import Ping, StreamParser
from memcon.wire.srs import ServerConfig

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
