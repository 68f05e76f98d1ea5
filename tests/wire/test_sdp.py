"""Session descriptions: lenient reading, exact answers."""

from __future__ import annotations

import pytest
from tests.wire.conftest import OFFER

from memcon.errors import FormatError
from memcon.wire.codec import codec_for
from memcon.wire.sdp import Accept, Offer, Sdp, answer, offer, parse


def reply(description: Sdp, *ports: int) -> Sdp:
    """Our answer, read back."""
    data = answer(description, [Accept(p) for p in ports], address="10.0.0.9", session_id=7, version=2)
    assert data.endswith(b"\r\n")
    return parse(data)


def test_an_offer() -> None:
    description = parse(OFFER)
    assert (description.origin, description.name, description.address) == (
        "src 1 1 IN IP4 10.0.0.1",
        "-",
        "10.0.0.1",
    )
    assert description.oddities == ()
    first, second = description.media
    assert (first.port, first.protocol, first.formats, first.label) == (20000, "RTP/AVP", ("0", "101"), "1")
    assert [(c.payload_type, c.name, c.kind, c.fmtp) for c in first.codecs] == [
        (0, "PCMU", "audio", ""),
        (101, "TELEPHONE-EVENT", "events", "0-15"),
    ]
    assert (second.index, second.address, second.direction, second.paused) == (
        1,
        "10.0.0.1",
        "sendonly",
        False,
    )


def test_the_answer_has_the_same_lines_in_order() -> None:
    ours = reply(parse(OFFER), 40000, 40002)
    assert ours.origin == "memcon 7 2 IN IP4 10.0.0.9"
    assert [(m.port, m.label, m.direction, m.formats) for m in ours.media] == [
        (40000, "1", "recvonly", ("0", "101")),
        (40002, "2", "recvonly", ("8",)),
    ]
    assert ours.media[0].codecs == parse(OFFER).media[0].codecs


LINE = "v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\n{session}t=0 0\r\nm={media}\r\n{lines}"


def one(media: str = "audio 9 RTP/AVP 0", lines: str = "", session: str = "c=IN IP4 10.0.0.1\r\n") -> Sdp:
    """A description of one line."""
    return parse(LINE.format(media=media, lines=lines, session=session).encode())


@pytest.mark.parametrize(
    ("lines", "session", "direction"),
    [
        ("a=sendonly\r\n", "c=IN IP4 10.0.0.1\r\n", "recvonly"),
        ("a=sendrecv\r\n", "c=IN IP4 10.0.0.1\r\n", "recvonly"),
        ("", "c=IN IP4 10.0.0.1\r\n", "recvonly"),
        ("a=sendonly\r\n", "", "recvonly"),
        ("a=inactive\r\n", "c=IN IP4 10.0.0.1\r\n", "inactive"),
        ("a=recvonly\r\n", "c=IN IP4 10.0.0.1\r\n", "inactive"),
        ("", "c=IN IP4 10.0.0.1\r\na=inactive\r\n", "inactive"),
        ("a=sendonly\r\n", "c=IN IP4 0.0.0.0\r\n", "inactive"),
        ("a=sendonly\r\nc=IN IP6 ::\r\n", "c=IN IP4 10.0.0.1\r\n", "inactive"),
        ("a=sendonly\r\nc=IN IP4 10.0.0.2/127\r\n", "c=IN IP4 0.0.0.0\r\n", "recvonly"),
    ],
)
def test_directions_and_pauses(lines: str, session: str, direction: str) -> None:
    ours = reply(one(lines=lines, session=session), 40000)
    assert (ours.media[0].direction, ours.media[0].port) == (direction, 40000)


def test_refused_lines() -> None:
    """Port 0 stays 0, a line given port 0 gets it; the label is still echoed, so that the rest lines up."""
    data = answer(
        one("audio 0 RTP/AVP 0", "a=label:x\r\n"), [Accept(40000)], address="::1", session_id=1, version=1
    )
    assert data.endswith(b"t=0 0\r\nm=audio 0 RTP/AVP 0\r\na=label:x\r\n")
    assert b"c=IN IP6 ::1\r\n" in data
    assert reply(one("message 2855 TCP/MSRP *"), 0).media[0].protocol == "TCP/MSRP"
    assert reply(one("audio"), 0).media[0].formats == ("0",)


def test_video_mux_and_crypto() -> None:
    description = one(
        "video 9/2 RTP/SAVP 96 x",
        "a=rtpmap:96 VP8/90000\r\na=rtcp-mux\r\na=rtcp:53 IN IP4 h\r\n"
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc\r\na=ptime:20\r\n",
    )
    (media,) = description.media
    assert (media.rtcp_mux, media.rtcp_port, media.ptime) == (True, 53, 20)
    assert media.crypto == ("1 AES_CM_128_HMAC_SHA1_80 inline:abc",)
    assert [(c.name, c.kind, c.clock_rate) for c in media.codecs] == [("VP8", "video", 90000)]
    data = answer(description, [Accept(4, ("1 X inline:ours",))], address="h", session_id=1, version=1)
    (ours,) = parse(data).media
    assert ours.rtcp_mux
    assert ours.crypto == ("1 X inline:ours",)


def test_odd_lines_are_kept_or_noted() -> None:
    description = parse(
        b"o=- 1 1 IN IP4 h\nz\n=x\n\nc=short\nm=audio port RTP/AVP 0\na=ptime:\na=rtcp:\nq=new\na=label:\0\n"
    )
    assert description.oddities == (
        "line 2 is no SDP line: 'z'",
        "line 3 is no SDP line: '=x'",
        "unreadable c= line: 'short'",
        "the description does not begin with v=",
        "m-line 1 is not readable: 'audio port RTP/AVP 0'",
        "m-line 1 has no connection address",
    )
    (media,) = description.media
    assert "q=new" in media.lines
    assert (media.port, media.label, media.ptime, media.rtcp_port) == (0, "", None, None)


def test_a_description_without_media_is_one() -> None:
    assert reply(parse(b"v=0\r\n")).media == ()


@pytest.mark.parametrize(
    "data", [b"", b"\r\n\r\n", b"<xml/>", b"\xff\xfe", b"v=0\n" + b"m=audio 1 RTP/AVP 0\n" * 65]
)
def test_no_description(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse(data)


def test_our_own_offer() -> None:
    stereo = codec_for(98, "L16/48000/2")
    data = offer(
        [Offer(40000), Offer(40002, "b", "inactive", (stereo,), 20)], address="h", session_id=1, version=1
    )
    first, second = parse(data).media
    assert [c.name for c in first.codecs] == ["PCMU", "PCMA", "G722", "L16", "L16", "TELEPHONE-EVENT"]
    assert (first.direction, first.label) == ("recvonly", None)
    assert b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n" in data
    assert (second.codecs, second.label, second.ptime, second.direction) == ((stereo,), "b", 20, "inactive")


def test_answers_need_one_accept_per_line() -> None:
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        answer(parse(OFFER), [Accept(1)], address="h", session_id=1, version=1)
