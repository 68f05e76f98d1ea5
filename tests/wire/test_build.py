"""Writing SIP messages, checked against our own reader and a foreign one."""

from __future__ import annotations

import pytest
import sipmessage
from tests.wire.conftest import request

from memcon.errors import LocalError
from memcon.wire.build import build_request, build_response
from memcon.wire.sip import Headers, parse


def test_a_request_reads_back() -> None:
    fields: list[tuple[str, str | bytes]] = [
        ("Via", "SIP/2.0/UDP h;branch=z9hG4bK1"),
        ("From", "<sip:a@h>;tag=1"),
        ("To", b"<sip:b@h>"),
        ("Call-ID", "c"),
        ("CSeq", "1 BYE"),
    ]
    data = build_request("BYE", "sip:b@h", fields, content="text/plain", body=b"x")
    message = parse(data)
    assert message.oddities == ()
    assert (message.body, message.content_type) == (b"x", "text/plain")
    theirs = sipmessage.Message.parse(data)
    assert theirs.body == b"x"


def test_a_response_repeats_what_it_must() -> None:
    asked = parse(
        request(more=["Via: SIP/2.0/UDP far;branch=z9hG4bK9", "Record-Route: <sip:p1;lr>, <sip:p2;lr>"])
    )
    data = build_response(
        asked.headers,
        200,
        source=("10.0.0.1", 5060),
        to_tag="t1",
        fields=[("Server", "m")],
        record_route=True,
        content="application/sdp",
        body=b"v=0\r\n",
    )
    answer = parse(data)
    assert (answer.status, answer.reason) == (200, "OK")
    assert answer.headers.all("via") == [
        "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKINVITE1",
        "SIP/2.0/UDP far;branch=z9hG4bK9",
    ]
    assert answer.headers.members("record-route") == ["<sip:p1;lr>", "<sip:p2;lr>"]
    assert answer.to.tag == "t1"
    assert (answer.cseq, answer.cseq_method, answer.call_id) == (1, "INVITE", "call-1")
    assert sipmessage.Message.parse(data).body == b"v=0\r\n"


@pytest.mark.parametrize(
    ("via", "marked"),
    [
        ("SIP/2.0/UDP 10.0.0.1;branch=b", "SIP/2.0/UDP 10.0.0.1;branch=b"),
        ("SIP/2.0/UDP host;branch=b", "SIP/2.0/UDP host;branch=b;received=10.0.0.1"),
        ("SIP/2.0/UDP 10.0.0.1;rport;branch=b", "SIP/2.0/UDP 10.0.0.1;branch=b;rport=7777;received=10.0.0.1"),
        ("SIP/2.0/UDP h;rport=1, SIP/2.0/UDP g", "SIP/2.0/UDP h;rport=7777;received=10.0.0.1, SIP/2.0/UDP g"),
        ("nonsense", "nonsense"),
    ],
)
def test_where_it_came_from_is_written_into_the_via(via: str, marked: str) -> None:
    headers = Headers(
        (("via", via.encode()), ("from", b"f"), ("to", b"<t>;tag=1"), ("call-id", b"c"), ("cseq", b"1 X"))
    )
    data = build_response(headers, 400, source=("10.0.0.1", 7777), to_tag="new")
    assert f"Via: {marked}\r\n".encode() in data
    assert b"To: <t>;tag=1\r\n" in data


def test_an_unreadable_to_still_gets_a_tag() -> None:
    headers = Headers((("via", b"v"), ("from", b"f"), ("to", b"<t"), ("call-id", b"c"), ("cseq", b"1 X")))
    assert b"To: <t;tag=new\r\n" in build_response(headers, 499, to_tag="new")


@pytest.mark.parametrize(
    ("name", "value"), [("Subject", "a\r\nVia: b"), ("Subject", b"a\nb"), ("Sub ject", "a")]
)
def test_a_field_cannot_break_the_message(name: str, value: str | bytes) -> None:
    with pytest.raises(LocalError):
        build_request("BYE", "sip:h", [(name, value)])


def test_a_uri_with_a_blank_is_our_own_mistake() -> None:
    with pytest.raises(LocalError):
        build_request("BYE", "sip:h SIP/2.0", [])
