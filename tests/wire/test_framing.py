"""Cutting messages out of a stream."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.conftest import invite, request

from memcon.wire.framing import Framed, Ping, StreamParser
from memcon.wire.sip import Message, SipError

STREAM = (
    b"\r\n"
    + invite()
    + b"\r\n\r\n"
    + request("OPTIONS")
    + b"\n\r\n\r\n\r\n"
    + request("BYE", content="x/y", body=b"\r\n")
)


def shape(items: list[Framed]) -> list[object]:
    """What came out, in comparable form."""
    return [(i.raw, i.oddities) if isinstance(i, Message) else str(i) for i in items]


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_where_it_is_cut_does_not_matter(cuts: list[int]) -> None:
    whole = shape(StreamParser().feed(STREAM))
    assert [type(i) for i in StreamParser().feed(STREAM)] == [Message, Ping, Message, Ping, Message]
    parser, got, at = StreamParser(), [], 0
    for cut in [*sorted(cuts), len(STREAM)]:
        got += parser.feed(STREAM[at:cut])
        at = cut
    assert shape(got) == whole
    assert parser.pending == 0


def test_a_lone_line_end_waits_and_is_no_ping() -> None:
    parser = StreamParser()
    assert parser.feed(b"\r\n") == []
    assert parser.feed(b"\r\n") == [Ping()]
    assert parser.feed(b"\r") == []
    assert [type(i) for i in parser.feed(b"\n" + request())] == [Message]


def test_a_bad_message_is_answered_and_the_next_one_read() -> None:
    parser = StreamParser()
    first, second = parser.feed(request().replace(b"1 INVITE", b"x INVITE") + request())
    assert isinstance(first, SipError)
    assert (first.status, first.fatal, parser.closed) == (400, False, False)
    assert isinstance(second, Message)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request().replace(b"h: 0", b"h: x"), 400),
        (request().replace(b"Content-Length: 0", b"Content-Type: application/sdp"), 400),
        (request().replace(b"h: 0", b"h: 99999"), 413),
        (
            request()
            .replace(b"INVITE sip:srs@10.0.0.9 SIP/2.0", b"SIP/2.0 200 OK")
            .replace(b"h: 0", b"h: x"),
            None,
        ),
        (request()[:-4] + b"\r\nX: " + b"y" * 70000, 513),
        (b"x" * 70000, None),
    ],
)
def test_what_cannot_be_framed_ends_the_reading(data: bytes, status: int | None) -> None:
    parser = StreamParser()
    (error,) = parser.feed(data + request())
    assert isinstance(error, SipError)
    assert (error.status, error.fatal, parser.closed) == (status, True, True)
    assert parser.feed(request()) == []
    bytewise = StreamParser()
    (same,) = [i for k in range(0, len(data), 997) for i in bytewise.feed(data[k : k + 997])]
    assert isinstance(same, SipError)
    assert (same.status, str(same)) == (error.status, str(error))


def test_a_message_without_length_has_no_body() -> None:
    (message,) = StreamParser().feed(request().replace(b"Content-Length: 0\r\n", b""))
    assert isinstance(message, Message)
    assert message.body == b""


def test_a_smaller_limit() -> None:
    parser = StreamParser(max_message=100)
    (error,) = parser.feed(request())
    assert isinstance(error, SipError)
    assert error.problem == "headers longer than 100 bytes"
