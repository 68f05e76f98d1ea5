"""Every saved body of a real recording client is read, and every complete one answered."""

from __future__ import annotations

import re

import pytest
from tests.wire.conftest import BODIES, DATA, TCP, Bench, content_type_of, real_body, request

from memcon.errors import FormatError
from memcon.wire import events as ev
from memcon.wire import multipart, sdp, siprec
from memcon.wire.framing import StreamParser
from memcon.wire.sip import Message

LABELS: dict[str, list[str | None]] = {
    "acme-siprec-offer.txt": ["16777227", "16777228"],
    "broadworks-offer-2.txt": ["10", "20"],
    "broadworks-offer.txt": ["1"],
    "cisco-siprec-offer.txt": ["1", "2"],
    "connectel-offer.txt": ["1", "2"],
    "connectel-offer2.txt": ["1", "2"],
    "connectel-offer3.txt": ["1", "2"],
    "inactive-sdp-offer.txt": ["1", "2"],
    "non-siprec-payload.txt": ["1"],
    "procomm-siprec-offer.txt": ["a_leg", "b_leg"],
    "sample-sdp2.txt": ["1", "2"],
    "sample-sdp3.txt": [None, None],
    "sample-sdps.txt": ["1", "2"],
    "sonus-siprec-offer.txt": ["1", "2"],
}
"""The SDP labels of each file's media lines; the samples hold two descriptions with a mark between."""

SPEAKERS: dict[str, dict[str, str]] = {
    "acme-siprec-offer.txt": {"16777227": "9000", "16777228": "1002"},
    "broadworks-offer-2.txt": {"10": "sip:9878942259@212.188.68.145", "20": "sip:ASBCE@asbce.com"},
    "broadworks-offer.txt": {},
    "cisco-siprec-offer.txt": {"1": "sip:7301@35.162.237.204", "2": "7300"},
    "connectel-offer.txt": {},
    "connectel-offer2.txt": {},
    "connectel-offer3.txt": {},
    "inactive-sdp-offer.txt": {},
    "procomm-siprec-offer.txt": {"a_leg": "016190200", "b_leg": "Speechpath-Main-Line 016190619"},
    "sonus-siprec-offer.txt": {"1": "2249888012@172.16.195.72", "2": "Extension 8500"},
}
"""Who the metadata says speaks under which label. OpenSIPS names nobody, and nobody is guessed; Sonus crosses
the ids, and what it says is kept."""

COMPLETE = sorted(SPEAKERS)


def _invite(name: str) -> bytes:
    body = real_body(name)
    return request(content=content_type_of(body), body=body, more=["Require: siprec"])


def test_the_table_names_every_file() -> None:
    if not BODIES.is_dir():
        pytest.skip("real SIPREC bodies are not there (set MEMCON_TEST_DATA)")
    assert {path.name for path in BODIES.iterdir()} == set(LABELS)


@pytest.mark.parametrize("name", LABELS)
def test_media_lines_and_labels(name: str) -> None:
    body = real_body(name)
    bodies = multipart.parse(content_type_of(body), body)
    assert bodies.sdp is not None
    offer = sdp.parse(bodies.sdp.body)
    assert [media.label for media in offer.media] == LABELS[name]
    assert all(media.is_rtp and media.port and media.codecs for media in offer.media)
    assert body.count(bodies.sdp.body) == 1  # the exact bytes, not a rewriting


@pytest.mark.parametrize("name", COMPLETE)
def test_who_speaks(name: str) -> None:
    body = real_body(name)
    part = multipart.parse(content_type_of(body), body).metadata
    assert part is not None
    recording = siprec.parse(part.body)
    found = {label: recording.participants_of(label) for label in recording.streams_by_label()}
    names = {label: (p[0].names[-1].name or p[0].names[-1].aor) for label, p in found.items() if p}
    assert names == SPEAKERS[name]


@pytest.mark.parametrize("name", LABELS)
def test_the_server_answers_each(name: str, bench: Bench) -> None:
    bench.feed(_invite(name))
    assert bench.statuses() == [100, 200]
    answer = sdp.parse(bench.sent()[1].body)
    assert [media.label for media in answer.media] == LABELS[name]
    assert [media.port for media in answer.media] == bench.allocated
    (started,) = bench.events(ev.CallStarted)
    offer = sdp.parse(started.call.offer)
    for theirs, ours in zip(offer.media, answer.media, strict=True):
        assert ours.formats == theirs.formats
        assert ours.direction == ("inactive" if theirs.paused else "recvonly")
        assert [c.name for c in ours.codecs] == [c.name for c in theirs.codecs]
    assert started.call.kind == "siprec"
    assert started.call.invite.endswith(real_body(name))
    assert (started.call.metadata is not None) == (name in SPEAKERS)


def test_inactive_from_the_start_is_a_pause(bench: Bench) -> None:
    bench.feed(_invite("inactive-sdp-offer.txt"))
    assert [(e.index, e.label) for e in bench.events(ev.StreamPaused)] == [(0, "1"), (1, "2")]


def test_damaged_metadata_is_kept_and_noted(bench: Bench) -> None:
    """The saved BroadWorks document lost its tags on the way: one text, no party."""
    bench.feed(_invite("broadworks-offer.txt"))
    (started,) = bench.events(ev.CallStarted)
    assert b"DemoCorp" in started.call.metadata_raw
    assert "text outside all elements" in started.call.oddities


@pytest.mark.parametrize("name", COMPLETE)
def test_cutting_the_stream_changes_nothing(name: str) -> None:
    data = _invite(name)
    whole = StreamParser().feed(data)
    parser = StreamParser()
    bytewise = [item for byte in data for item in parser.feed(bytes([byte]))]
    assert whole == bytewise
    assert isinstance(whole[0], Message)
    assert whole[0].raw == data


@pytest.mark.parametrize("name", COMPLETE)
def test_trailing_data(name: str, bench: Bench) -> None:
    """By UDP what follows the body is set aside and noted; in a stream it is the next message's."""
    bench.feed(_invite(name) + b"\r\n\r\ntrailing")
    (started,) = bench.events(ev.CallStarted)
    assert "12 bytes after the body" in started.call.oddities
    assert started.call.invite == _invite(name)
    parser = StreamParser()
    assert len(parser.feed(_invite(name) + b"INVITE sip:")) == 1
    assert parser.pending == len(b"INVITE sip:")


def test_a_real_header_block_with_its_body(bench: Bench) -> None:
    path = DATA / "sonus-full-invite" / "sonus_invite_headers_only.txt"
    if not path.is_file():
        pytest.skip("the saved Sonus headers are not there (set MEMCON_TEST_DATA)")
    body = real_body("sonus-siprec-offer.txt")
    head = (
        re.sub(rb"Content-Length:\s+\d+", b"Content-Length:  %d" % len(body), path.read_bytes()).rstrip()
        + b"\n\n"
    )
    bench.feed(head + body, TCP)
    assert bench.statuses() == [100, 200]
    (started,) = bench.events(ev.CallStarted)
    assert started.call.dialog.remote_tag == "gK040028ac"
    assert started.call.from_.display == "SIPREC-SRC"
    assert started.call.group_ids == ("MTQ3YzA3YzAtNjdkNy0xMA==",)
    assert started.call.session_ids == ("MTQ3YzA3YzEtNjdkNy0xMA==",)
    assert bench.sent()[1].headers.get("contact") == "<sip:memcon@10.0.0.9:5060;transport=tcp>;+sip.srs"


@pytest.mark.parametrize(
    ("name", "labels", "action"),
    [
        ("call_0720_v1.0.xml", {}, "ForwardSRing"),
        ("attended_transfer_post_v1.1.xml", {"1": "Din Djarin", "2": "Obi Wan Kenobi"}, "XferSup"),
    ],
)
def test_netsapiens_metadata(name: str, labels: dict[str, str], action: str) -> None:
    path = DATA / "netsapiens" / name
    if not path.is_file():
        pytest.skip("the saved NetSapiens metadata is not there (set MEMCON_TEST_DATA)")
    recording = siprec.parse(path.read_bytes())
    speakers = {label: recording.participants_of(label) for label in ("1", "2")}
    assert {label: p[0].names[-1].name for label, p in speakers.items() if p} == labels
    facts = {fact.path: fact.value for fact in recording.facts}
    assert facts["netsapiensExtension/byAction"] == action


@pytest.mark.parametrize("name", ["uac_siprec_pcap.xml", "uac_siprec_pcap2.xml"])
def test_the_messages_of_a_sipp_scenario(name: str, bench: Bench) -> None:
    """Each request of the scenarios is answered, SIPp's keywords filled in; the call is over at the end."""
    path = DATA / "drachtio-sipp" / name
    if not path.is_file():
        pytest.skip("the saved SIPp scenarios are not there (set MEMCON_TEST_DATA)")
    values = {
        "service": "srs",
        "remote_ip": "10.0.0.9",
        "remote_port": "5060",
        "transport": "UDP",
        "local_ip": "10.0.0.1",
        "local_port": "5061",
        "pid": "7",
        "call_number": "1",
        "call_id": "sipp-1",
        "local_ip_type": "4",
        "auto_media_port": "6000",
        "branch": "z9hG4bK-x",
        "peer_tag_param": "",
    }
    tag, answered = "", []
    for number, raw in enumerate(
        re.findall(r"<!\[CDATA\[(.*?)\]\]>", path.read_text(encoding="latin-1"), re.S)
    ):
        text = re.sub(r"(?m)^\s+", "", raw.replace("\n\n", "\n\x01\n")).replace("\x01", "")
        values |= {"branch": f"z9hG4bK-{number}", "peer_tag_param": f";tag={tag}" if tag else ""}
        head, _, body = text.strip().partition("\n\n")
        for key, value in values.items():
            head, body = head.replace(f"[{key}]", value), body.replace(f"[{key}]", value)
        data = (
            head.replace("[len]", str(len(body))).replace("\n", "\r\n").encode() + b"\r\n\r\n" + body.encode()
        )
        bench.feed(data)
        answered.append(bench.statuses())
        for started in bench.events(ev.CallStarted):
            tag = started.call.dialog.local_tag
    assert next(s for s in answered if s) == [100, 200]
    assert [s for s in answered if s][-1] == [200]
    assert bench.server.calls() == []


def test_saved_metadata_is_refused_only_as_a_format_error() -> None:
    """The whole files are no XML documents: the reader says so in its own kind of error."""
    for name in LABELS:
        with pytest.raises(FormatError):
            siprec.parse(real_body(name))
