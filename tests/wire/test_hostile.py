"""Whatever the bytes: a FormatError, an oddity or a status, and nothing else."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.wire.conftest import (
    BODIES,
    METADATA,
    OFFER,
    SECOND,
    TCP,
    UDP,
    Bench,
    content_type_of,
    invite,
    outcome,
    request,
)

from memcon.wire import events as ev
from memcon.wire import multipart, sdp, sip, siprec
from memcon.wire.address import parse_address, parse_uri, parse_via
from memcon.wire.codec import codec_for
from memcon.wire.framing import StreamParser

REAL = [path.read_bytes() for path in sorted(BODIES.iterdir())] if BODIES.is_dir() else []
SEEDS = [
    invite(),
    invite(more=["Require: siprec", 'Record-Route: "p" <sip:p;lr>;x="y"']),
    request("ACK", to_tag="id1", content="application/sdp", body=OFFER),
    request("UPDATE", cseq=2, to_tag="id1", content="application/rs-metadata", body=METADATA),
    request("BYE", cseq=3, to_tag="id1"),
    request("CANCEL"),
    request("OPTIONS"),
    b"SIP/2.0 200 OK\r\n" + request().split(b"\r\n", 1)[1],
    *(request(content=content_type_of(body), body=body) for body in REAL),
]


@st.composite
def mutated(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """A real message with a few bytes changed, cut out, doubled or put in."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        how = draw(st.integers(0, 3))
        if how == 0:
            data[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
        elif how == 1:
            del data[at : at + draw(st.integers(1, 40))]
        elif how == 2:
            data[at:at] = draw(
                st.sampled_from([b"\r\n", b"\n", b";", b",", b'"', b"<", b":", b"--", b"\0", b"\xff", b" "])
            )
        else:
            data[at:at] = data[at : at + draw(st.integers(1, 80))]
    # keep some of them framed, so that what lies behind is reached
    if draw(st.booleans()):
        head, blank, body = bytes(data).partition(b"\r\n\r\n")
        return re.sub(rb"Content-Length: *\d+", b"Content-Length: %d" % len(body), head) + blank + body
    return bytes(data)


ANY = st.one_of(st.binary(max_size=300), mutated(SEEDS))


@settings(max_examples=300, deadline=None)
@given(ANY)
def test_sip(data: bytes) -> None:
    refused = outcome(sip.parse, data)
    assert refused in ("", "SIP message")
    if not refused:
        message = sip.parse(data)
        assert data.lstrip(b"\r\n") == message.raw + message.trailing
        assert sip.parse(message.raw).raw == message.raw


@settings(max_examples=200, deadline=None)
@given(st.lists(ANY, max_size=4).map(b"".join), st.lists(st.integers(0, 2000), max_size=6))
def test_streams(data: bytes, cuts: list[int]) -> None:
    whole = StreamParser().feed(data)
    parser, pieces, at = StreamParser(), [], 0
    for cut in [*sorted(min(c, len(data)) for c in cuts), len(data)]:
        pieces += parser.feed(data[at:cut])
        at = cut
    assert [str(i) for i in pieces] == [str(i) for i in whole]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(ANY, st.booleans(), st.integers(0, 40)), max_size=5))
def test_the_server(steps: list[tuple[bytes, bool, int]]) -> None:
    bench = Bench(ports_left=4)
    bench.feed(SEEDS[0])
    for data, stream, seconds in steps:
        transport = TCP if stream else UDP
        for output in bench.feed(data, transport):
            if isinstance(output, ev.Send):
                assert output.data == b"\r\n" or output.data.startswith((b"SIP/2.0 ", b"BYE "))
        bench.wait(seconds * SECOND)
    for call in bench.server.calls():
        bench.server.end_call(call.dialog, "over", bench.now)
    bench.wait(200 * SECOND)
    assert bench.server.calls() == []
    assert bench.server.next_deadline() is None  # nothing lives for ever


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=300), mutated([OFFER, *REAL])))
def test_sdp(data: bytes) -> None:
    refused = outcome(sdp.parse, data)
    assert refused in ("", "SDP")
    if refused:
        return
    offer = sdp.parse(data)
    lines = [sdp.Accept(40000 + m.index) for m in offer.media]
    ours = sdp.parse(sdp.answer(offer, lines, address="10.0.0.9", session_id=1, version=1))
    assert len(ours.media) == len(offer.media)
    for theirs, answer in zip(offer.media, ours.media, strict=True):
        assert answer.port == (40000 + theirs.index if theirs.port else 0)
        assert answer.label == theirs.label


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=300), mutated([METADATA, *REAL])))
def test_metadata(data: bytes) -> None:
    refused = outcome(siprec.parse, data)
    assert refused in ("", "recording metadata")
    if not refused:
        recording = siprec.parse(data)
        assert (
            siprec.merge(siprec.merge(recording, recording), recording).participants
            == siprec.merge(recording, recording).participants
        )


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.text(max_size=60), st.just("multipart/mixed;boundary=b1")),
    st.one_of(st.binary(max_size=300), mutated([invite(), *REAL])),
)
def test_multipart(kind: str, data: bytes) -> None:
    for part in multipart.parse(kind, data).parts:
        assert part.raw in data
        assert part.body in part.raw
        part.content()


@given(st.text(max_size=60))
def test_addresses(text: str) -> None:
    assert outcome(parse_uri, text) in ("", "SIP URI", "SIP address")
    assert outcome(parse_address, text) in ("", "SIP address")
    assert outcome(parse_via, text) in ("", "SIP Via", "SIP address")


@given(st.integers(0, 127), st.text(max_size=30))
def test_codecs(number: int, text: str) -> None:
    assert codec_for(number, text).clock_rate > 0
