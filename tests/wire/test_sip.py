"""Reading SIP messages: what is accepted, what is said of it, and what is refused with which status."""

from __future__ import annotations

import pytest
import sipmessage
from tests.wire.conftest import invite, request

from memcon.errors import FormatError
from memcon.wire.build import build_response
from memcon.wire.sip import MAX_MESSAGE, SipError, media_type, parse


def test_a_request() -> None:
    data = invite()
    message = parse(data)
    assert (message.method, message.uri, message.status) == ("INVITE", "sip:srs@10.0.0.9", 0)
    assert (message.call_id, message.cseq, message.cseq_method) == ("call-1", 1, "INVITE")
    assert message.is_request
    assert message.from_.tag == "src1"
    assert message.to.tag is None
    assert message.contact is not None
    assert message.contact.has("+sip.src")
    assert message.raw == data
    assert message.oddities == ()


def test_a_response() -> None:
    message = parse(request().replace(b"INVITE sip:srs@10.0.0.9 SIP/2.0", b"SIP/2.0 486 Busy  Here"))
    assert (message.status, message.reason, message.is_request) == (486, "Busy  Here", False)


def test_what_real_senders_write() -> None:
    """LF line ends, folding, compact names, blanks before the colon, any case, Content-Length first."""
    data = (
        b"\r\n\nINVITE sip:srs@h SIP/2.0\nl:  3\nv: SIP/2.0/UDP a,\n SIP/2.0/UDP b\nVIA : SIP/2.0/UDP c\n"
        b"f: <sip:a@b>;tag=1\nt: <sip:srs@h>\ni: x\nCSEQ:\t7 INVITE\nc: application/sdp\n"
        b"k: timer, 100rel\n\nv=0"
    )
    message = parse(data)
    assert message.headers.members("via") == ["SIP/2.0/UDP a", "SIP/2.0/UDP b", "SIP/2.0/UDP c"]
    assert message.via.host == "a"
    assert message.cseq == 7
    assert message.content_type == "application/sdp"
    assert message.headers.tokens("supported") == {"timer", "100rel"}
    assert message.body == b"v=0"
    assert message.raw == data.lstrip()
    assert message.contact is None


def test_odd_lines_are_noted_not_refused() -> None:
    message = parse(
        request(more=["no header at all", "Subject: \rx\0y", "To: <sip:other@h>", "Contact: <broken"])
    )
    assert message.oddities == (
        "line 9 is no header: 'no header at all'",
        "more than one to header; the first counts",
    )
    assert message.headers.get("subject") == "x y"
    assert message.to.uri_text == "sip:srs@10.0.0.9"


def test_a_lone_cr_in_a_folded_value_can_be_answered() -> None:
    """What is read of a value is what an answer repeats: it must not end the line there."""
    folded = request().replace(b"Call-ID: call-1", b"Call-ID: call\r\r\n -1\r\0\r\n -2")
    message = parse(folded)
    assert message.headers.raw("call-id") == [b"call -1 -2"]
    assert b"\r\nCall-ID: call -1 -2\r\n" in build_response(message.headers, 481)


def test_an_unreadable_contact_is_none() -> None:
    data = request().replace(b"Contact: <sip:src@10.0.0.1:5060>;+sip.src", b"Contact: <broken")
    assert parse(data).contact is None


def test_without_a_blank_line() -> None:
    message = parse(request().rstrip(b"\r\n"))
    assert message.oddities == ("no blank line after the headers",)
    assert list(message.headers) == list(message.headers.fields)


def test_bytes_that_are_no_text_are_shown_as_escapes() -> None:
    message = parse(request(more=["Subject: x"]).replace(b"Subject: x", b"Subject: \xff\xc3\xa9"))
    assert message.headers.get("subject") == "\\xffé"


def test_a_body_longer_than_stated_is_cut() -> None:
    message = parse(request(content="application/sdp", body=b"v=0") + b"tail")
    assert (message.body, message.trailing) == (b"v=0", b"tail")
    assert message.oddities == ("4 bytes after the body",)


GOOD = request()


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (GOOD.replace(b"SIP/2.0\r\nVia", b"SIP/3.0\r\nVia"), 505),
        (GOOD.replace(b"SIP/2.0\r\nVia", b"HTTP/1.1\r\nVia"), 400),
        (GOOD.replace(b"INVITE sip:srs@10.0.0.9 ", b"INVITE sip:a b "), 400),
        (GOOD.replace(b"INVITE sip:srs@10.0.0.9 SIP/2.0", b"{"), 400),
        (GOOD.replace(b"Content-Length: 0", b"Content-Length: x"), 400),
        (GOOD.replace(b"Content-Length: 0", b"Content-Length: 9"), 400),
        (GOOD.replace(b"Content-Length: 0", b"Content-Length: 0\r\nl: 1"), 400),
        (GOOD.replace(b"1 INVITE", b"1 BYE"), 400),
        (GOOD.replace(b"1 INVITE", b"one INVITE"), 400),
        (GOOD.replace(b"1 INVITE", b"4294967296 INVITE"), 400),
        (GOOD.replace(b"1 INVITE", b"1 {}"), 400),
        (GOOD.replace(b"SIP/2.0/UDP 10", b"SIP/2.0/UDP [10"), 400),
        (GOOD.replace(b"From: <sip:src@10.0.0.1>", b"From: <sip:src@10.0.0.1"), 400),
        (request(more=[f"X-{i}: y" for i in range(300)]), 513),
        (request(more=["X: " + "y" * MAX_MESSAGE]), 513),
        (GOOD.replace(b"Call-ID: call-1\r\n", b""), None),
        (GOOD.replace(b"Via", b"Vie"), None),
        (b"", None),
        (b"\0\1\0\0!\x12\xa4B", None),
        (GOOD.replace(b"INVITE sip:srs@10.0.0.9 SIP/2.0", b"SIP/2.0 two OK"), None),
        (
            GOOD.replace(b"INVITE sip:srs@10.0.0.9 SIP/2.0", b"SIP/2.0 200 OK").replace(b"1 INVITE", b"x"),
            None,
        ),
        (GOOD.replace(b"INVITE sip:srs@10.0.0.9 SIP/2.0", b"SIP/2.0 200 OK").replace(b"h: 0", b"h: 4"), None),
        (GOOD.replace(b"INVITE", b"ACK").replace(b"SIP/2.0\r\nVia", b"SIP/4.0\r\nVia"), None),
    ],
)
def test_refused_with_the_right_status(data: bytes, status: int | None) -> None:
    with pytest.raises(SipError) as caught:
        parse(data)
    assert caught.value.status == status
    assert isinstance(caught.value, FormatError)
    assert caught.value.where is not None or status == 513


def test_the_error_says_what_and_where() -> None:
    with pytest.raises(
        SipError, match="SIP message at Content-Length: Content-Length 9, but only 0 bytes follow"
    ):
        parse(GOOD.replace(b"Content-Length: 0", b"Content-Length: 9"))


def test_media_types() -> None:
    assert media_type('Multipart/Mixed ; Boundary="a b"') == ("multipart/mixed", (("boundary", "a b"),))
    assert media_type("application/ +xml") == ("application/+xml", ())


def test_a_foreign_parser_reads_the_same() -> None:
    """sipmessage, which nobody here wrote, sees the same start line, headers and body."""
    data = invite(more=["Require: siprec", "Subject: hello, world"])
    ours, theirs = parse(data), sipmessage.Message.parse(data)
    assert isinstance(theirs, sipmessage.Request)
    assert (theirs.method, str(theirs.uri)) == (ours.method, ours.uri)
    assert theirs.body == ours.body
    assert (theirs.cseq.sequence, theirs.cseq.method) == (ours.cseq, ours.cseq_method)
    assert theirs.call_id == ours.call_id
    assert theirs.via[0].host == ours.via.host
    assert theirs.via[0].parameters["branch"] == ours.via.branch
    assert theirs.from_address.parameters["tag"] == ours.from_.tag
    assert str(theirs.from_address.uri) == ours.from_.uri_text
