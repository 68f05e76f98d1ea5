"""Each vendor's quirk has its test, by name (facts of real captures; `synthetic` where we have none of it).

Real bodies come from MEMCON_TEST_DATA and are skipped where it is absent; synthetic ones are written after
the vendor's published description of the field, never copied.
"""

from __future__ import annotations

import re

import pytest
from tests.wire.conftest import (
    DATA,
    METADATA,
    OFFER,
    Bench,
    content_type_of,
    invite,
    multipart,
    real_body,
    request,
)

from memcon.wire import events as ev
from memcon.wire import multipart as mime
from memcon.wire import sdp, siprec, vendors
from memcon.wire.sip import parse

SDP, XML = "application/sdp", "application/rs-metadata+xml"


def begin(bench: Bench, body: bytes, *more: str, content: str = "", contact: str = "") -> ev.Call:
    data = request(content=content or content_type_of(body), body=body, more=list(more))
    if contact:
        data = re.sub(rb"Contact: [^\r]*", b"Contact: " + contact.encode(), data)
    bench.feed(data)
    (started,) = bench.events(ev.CallStarted)
    assert bench.statuses() == [100, 200]
    tag = started.call.dialog.local_tag
    bench.out = []
    bench.server.receive(request("ACK", to_tag=tag, branch="z9hG4bKack"), started.call.transport, bench.now)
    return started.call


def change(bench: Bench, call: ev.Call, body: bytes, content: str, *, cseq: int = 2, method: str = "UPDATE",
           more: tuple[str, ...] = ()) -> ev.Call:  # fmt: skip
    bench.feed(
        request(method, cseq=cseq, to_tag=call.dialog.local_tag, content=content, body=body, more=list(more))
    )
    assert bench.statuses()[-1] == 200
    now = bench.server.call(call.dialog)
    assert now is not None
    return now


def names(call: ev.Call) -> list[str]:
    assert call.metadata is not None
    return [p.names[-1].aor if p.names else "" for p in call.metadata.participants]


def speakers(call: ev.Call) -> list[list[str]]:
    """Who speaks in each stream, by id."""
    assert call.metadata is not None
    return [[p.id for p in call.metadata.participants_of(s.label or "", s.index)] for s in call.streams]


# --- Oracle ---


def test_oracle_old_namespace_links_inside_participants_and_large_labels(bench: Bench) -> None:
    """Namespace without `:1`, `id=` and `session=`, <send> in <participant>, labels 16777227 and up."""
    call = begin(bench, real_body("acme-siprec-offer.txt"), "Require: siprec")
    assert [s.label for s in call.streams] == ["16777227", "16777228"]
    assert all(len(who) == 1 for who in speakers(call))
    assert any("namespace" in text for text in call.metadata.oddities) if call.metadata else False
    assert any(link.startswith("session:") for link in call.links)


def test_oracle_extension_facts_are_kept(bench: Bench) -> None:
    call = begin(bench, real_body("acme-siprec-offer.txt"))
    assert call.metadata is not None
    assert any("callingparty" in fact.path.lower() for fact in call.metadata.facts)


def test_oracle_asks_by_options_whether_the_recording_lives(bench: Bench) -> None:
    """Recording Session Refresh: OPTIONS inside the dialog; anything but 200 would end the recording."""
    call = bench.take_call()
    for cseq in range(2, 6):
        bench.feed(request("OPTIONS", cseq=cseq, to_tag=call.dialog.local_tag))
        assert bench.statuses() == [200]
    bench.feed(request("OPTIONS", cseq=9, to_tag="nobody"))
    assert bench.statuses() == [481]


# --- Sonus, Ribbon ---


def test_sonus_prefix_crossed_sends_and_call_data(bench: Bench) -> None:
    """tns: prefix, namespace without `:1`, ids that cross the labels, the real Call-ID in callData."""
    call = begin(bench, real_body("sonus-siprec-offer.txt"), "Require: siprec")
    assert [s.label for s in call.streams] == ["1", "2"]
    assert call.metadata is not None
    assert call.metadata.facts
    assert len(call.metadata.participants) == 2


def test_sonus_whole_invite_with_session_timer(bench: Bench) -> None:
    """Supported: timer,100rel; Session-Expires 1800; two blanks before the length."""
    path = DATA / "sonus-full-invite" / "sonus_invite_headers_only.txt"
    if not path.is_file():
        pytest.skip("real SIPREC headers are not there (set MEMCON_TEST_DATA)")
    body = real_body("sonus-siprec-offer.txt")
    boundary = re.search(rb"(?m)^--(\S+?)\s*$", body)
    assert boundary is not None
    head = path.read_bytes().rstrip().replace(b"\r\n", b"\n")
    head = re.sub(rb"Content-Length:  \d+", b"Content-Length:  %d" % len(body), head)
    head = head.replace(b"sonus-content-delim", boundary.group(1))
    bench.feed(head + b"\n\n" + body)
    assert bench.statuses() == [100, 200]
    assert bench.sent()[1].headers.get("session-expires") == "1800;refresher=uac"


# --- Cisco ---


def test_cube_third_part_and_media_level_addresses(bench: Bench) -> None:
    """Content-Disposition before Content-Type, application/gtd as a third part, c= in each section."""
    body = real_body("cisco-siprec-offer.txt")
    call = begin(bench, body, "Require: siprec")
    kinds = [part.kind for part in mime.parse(content_type_of(body), body).parts]
    assert kinds == ["application/sdp", "application/rs-metadata+xml", "application/gtd"]
    assert all(len(who) == 1 for who in speakers(call))
    assert all(stream.remote[0] for stream in call.streams)


def test_cube_holds_by_inactive_and_an_empty_association(bench: Bench) -> None:
    call = begin(bench, real_body("inactive-sdp-offer.txt"), "Require: siprec")
    assert {stream.state for stream in call.streams} == {"paused"}
    assert speakers(call) == [[], []]


CUBE = (
    'X-Cisco-Recording-Participant: <sip:708090@192.0.2.30>;media-index="0"',
    'X-Cisco-Recording-Participant: "Bob" <sip:1002@192.0.2.31>;media-index="1"',
)
PLAIN = re.sub(rb"a=label:\d\r\n", b"", OFFER)


def test_cube_network_based_synthetic(bench: Bench) -> None:
    """No multipart, no label: a plain offer, the parties in headers that count the media lines."""
    call = begin(bench, PLAIN, *CUBE, content=SDP, contact="<sip:cube@10.0.0.1:5060>")
    assert call.kind == "siprec"
    assert names(call) == ["sip:708090@192.0.2.30", "sip:1002@192.0.2.31"]
    assert speakers(call) == [["sip:708090@192.0.2.30"], ["sip:1002@192.0.2.31"]]
    assert [stream.label for stream in call.streams] == [None, None]
    assert not any("without metadata" in text for text in call.oddities)


def test_cube_network_based_transfer_synthetic(bench: Bench) -> None:
    """After a transfer a re-INVITE names another party on the same line; nobody is forgotten."""
    call = begin(bench, PLAIN, *CUBE, content=SDP)
    moved = "X-Cisco-Recording-Participant: sip:1003@192.0.2.32;media-index=1"
    now = change(bench, call, PLAIN, SDP, method="INVITE", more=(CUBE[0], moved))
    assert names(now) == ["sip:708090@192.0.2.30", "sip:1002@192.0.2.31", "sip:1003@192.0.2.32"]
    assert speakers(now) == [["sip:708090@192.0.2.30"], ["sip:1003@192.0.2.32"]]
    assert bench.events(ev.CallUpdated)[0].metadata


@pytest.mark.parametrize(
    "header", ["<sip:x", ";;", "", 'sip:a@b;media-index="x 99999 1"', 'sip:a@b;media-index="² ٣"']
)
def test_cube_damaged_participants_stop_no_call_synthetic(bench: Bench, header: str) -> None:
    begin(bench, PLAIN, f"X-Cisco-Recording-Participant: {header}", content=SDP)


CUCM = (
    "x-refci=24474914;x-nearendclusterid=c1;x-nearenddevice=SEP0011;x-nearendaddr=2001;"
    "x-farendrefci=24474915;x-farenddevice=GW;x-farendaddr=5551234"
)


@pytest.mark.parametrize("inside", [True, False])
def test_cucm_calls_twice_for_one_call_synthetic(bench: Bench, inside: bool) -> None:
    """The built-in bridge sends each voice in its own INVITE; x-refci says that they are one call."""
    calls = []
    for side in ("nearend", "farend"):
        said = f"x-{side};{CUCM}"
        from_ = f"<sip:2001@10.0.0.1;{said}>" if inside else f"<sip:2001@10.0.0.1>;{said}"
        data = request(content=SDP, body=PLAIN, call_id=side, branch=f"z9hG4bK{side}")
        bench.feed(data.replace(b"<sip:src@10.0.0.1>", from_.encode()))
        calls.append(bench.events(ev.CallStarted)[0].call)
    near, far = calls
    assert near.links == far.links == ("refci:24474914@c1",)
    assert names(near) == ["2001", "5551234"]
    assert (speakers(near)[0], speakers(far)[0]) == (["nearend"], ["farend"])


# --- Avaya ---


def test_avaya_dummy_party_capital_datamode_and_the_real_party_later(bench: Bench) -> None:
    """sip:ASBCE@asbce.com stands for who is not known yet; the real party comes in an UPDATE."""
    call = begin(bench, real_body("broadworks-offer-2.txt"), "Require: siprec")
    assert names(call)[1] == "sip:ASBCE@asbce.com"
    assert [vendors.is_dummy(aor) for aor in names(call)] == [False, True]
    update = b"""<recording xmlns="urn:ietf:params:xml:ns:recording:1"><dataMode>partial</dataMode>
<participant participant_id="real"><nameID aor="sip:5550100@10.0.0.7"/></participant>
<participantstreamassoc participant_id="abcdef12345678901234"/>
<participantstreamassoc participant_id="real"><send>261ddd3615629f108092</send></participantstreamassoc>
</recording>"""
    now = change(bench, call, update, XML)
    assert names(now) == [*names(call), "sip:5550100@10.0.0.7"]  # appended, nobody moved
    assert speakers(now)[1] == ["real"]


def test_avaya_empty_stream_id_synthetic() -> None:
    read = siprec.parse(b"""<recording xmlns="urn:ietf:params:xml:ns:recording:1">
<datamode>complete</datamode>
<participant participant_id="p"/><stream stream_id=""><label>10</label></stream>
<participantstreamassoc participant_id="p"><send></send></participantstreamassoc></recording>""")
    assert read.participants_of("10") == ()


# --- BroadWorks, Webex Calling ---

WEBEX = b"""<?xml version="1.0"?><recording_metadata xmlns="urn:ietf:params:xml:ns:siprec">
<dataMode>complete</dataMode><group id="urn:uuid:11111111-2222-3333-4444-555555555555"/>
<session id="urn:uuid:aaaaaaaa-2222-3333-4444-555555555555"><group-ref>x</group-ref></session>
<participant id="urn:uuid:p1" session="urn:uuid:aaaaaaaa-2222-3333-4444-555555555555">
<aor>sip:ann@example.org</aor><send>urn:uuid:m1</send></participant>
<stream id="urn:uuid:m1" session="urn:uuid:aaaaaaaa-2222-3333-4444-555555555555"><label>1</label></stream>
<extensiondata xmlns:bw="http://example.org/bw"><bw:callingPartyNumber>5550100</bw:callingPartyNumber>
<bw:extTrackingID>12345:1</bw:extTrackingID></extensiondata></recording_metadata>"""


def test_webex_metadata_before_the_sdp_and_no_blank_after_colons_synthetic(bench: Bench) -> None:
    content, body = multipart(("application/rs-metadata", WEBEX), (SDP, OFFER))
    body = body.replace(b"Content-Type: ", b"Content-Type:")
    call = begin(bench, body, content=content, contact="<sip:bw@10.0.0.1:5060>;src")
    assert call.kind == "siprec"
    assert names(call) == ["sip:ann@example.org"]
    assert speakers(call)[0] == ["urn:uuid:p1"]
    assert "group:urn:uuid:11111111-2222-3333-4444-555555555555" in call.links
    assert "call:12345:1" in call.links
    assert call.metadata is not None
    assert any(fact.value == "5550100" for fact in call.metadata.facts)


def test_broadworks_pauses_by_a_zero_address(bench: Bench) -> None:
    """c=0.0.0.0 without a=inactive is a pause, and the answer keeps the port (RFC 3264 §8.4)."""
    call = bench.take_call()
    paused = OFFER.replace(b"c=IN IP4 10.0.0.1", b"c=IN IP4 0.0.0.0")
    now = change(bench, call, paused, SDP, method="INVITE")
    assert {s.state for s in now.streams} == {"paused"}
    assert [s.port for s in now.streams] == [s.port for s in call.streams]
    assert len(bench.events(ev.StreamPaused)) == 2


# --- Metaswitch ---


def test_metaswitch_bare_aor_requires_siprec_on_bye_synthetic(bench: Bench) -> None:
    """Namespace without `:1`, aor without scheme, streams with id=, Content-Length first, Require on BYE."""
    xml = METADATA.replace(b"recording:1", b"recording").replace(b"stream_id=", b"id=")
    xml = xml.replace(b'aor="sip:', b'aor="')
    content, body = multipart((SDP, OFFER), (XML, xml))
    call = begin(bench, body, content=content)
    assert names(call) == ["ann@example.org", "bob@example.org"]
    assert speakers(call) == [["p1"], ["p2"]]
    bench.feed(request("BYE", cseq=2, to_tag=call.dialog.local_tag, more=["Require: siprec"]))
    assert bench.statuses() == [200]
    data = request(call_id="c2", branch="z9hG4bKc2", content=content, body=body)
    length = b"Content-Length: %d\r\n" % len(body)
    bench.feed(data.replace(length, b"").replace(b"\r\nVia:", b"\r\n" + length + b"Via:", 1))
    assert bench.statuses() == [100, 200]


# --- NetSapiens ---


def test_netsapiens_begins_a_new_dialog_at_each_party_change(bench: Bench) -> None:
    """BYE and INVITE for a transfer: group ids, xferredGroupID and the SIP session join the dialogs."""
    found = {}
    for name in ("call_0720_v1.0.xml", "attended_transfer_post_v1.1.xml"):
        path = DATA / "netsapiens" / name
        if not path.is_file():
            pytest.skip("NetSapiens metadata is not there (set MEMCON_TEST_DATA)")
        content, body = multipart((SDP, OFFER), (XML, path.read_bytes()))
        found[name] = begin(Bench(), body, content=content)
    after = found["attended_transfer_post_v1.1.xml"]
    assert "group:5ed05251-7abca882-e05368bf@192.168.0.245" in after.links  # the group it came from
    assert "group:58cc3154ca0bdd2b0efbf9a04139526e" in after.links
    assert "sip-session:58cc3154ca0bdd2b0efbf9a04139526e" in after.links
    assert (
        any("@" in person.id or "-" in person.id for person in after.metadata.participants)
        if (after.metadata)
        else False
    )


# --- OpenSIPS ---


@pytest.mark.parametrize("name", ["connectel-offer.txt", "connectel-offer2.txt", "connectel-offer3.txt"])
def test_opensips_names_no_sender_and_none_is_guessed(bench: Bench, name: str) -> None:
    call = begin(bench, real_body(name), "Require: siprec")
    assert speakers(call) == [[], []]
    assert len(names(call)) >= 2
    assert {s.state for s in call.streams} == {"active"}


# --- SEMS ---


def test_sems_metadata_without_xml_suffix_and_labels_that_are_words(bench: Bench) -> None:
    call = begin(bench, real_body("procomm-siprec-offer.txt"))
    assert call.kind == "siprec"
    assert [s.label for s in call.streams] == ["a_leg", "b_leg"]
    assert [len(who) for who in speakers(call)] == [1, 1]


# --- AudioCodes ---


def test_audiocodes_says_src_without_a_plus_synthetic(bench: Bench) -> None:
    call = begin(bench, OFFER, content=SDP, contact="<sip:ac@10.0.0.1:5060>;src")
    assert call.kind == "siprec"
    assert [s.port for s in call.streams] == bench.allocated


# --- all of them ---


def test_a_client_without_siprec_is_told_what_is_missing(bench: Bench) -> None:
    bench.feed(invite(more=["Require: siprec, gruu, 199"]))
    assert bench.statuses() == [420]
    assert bench.sent()[0].headers.tokens("unsupported") == {"gruu", "199"}


@pytest.mark.parametrize("method", ["UPDATE", "INVITE", "INFO"])
@pytest.mark.parametrize("form", ["bare", "multipart"])
def test_metadata_alone(bench: Bench, method: str, form: str) -> None:
    """In a multipart of one part, or bare: the description stays, the parties change."""
    call = bench.take_call()
    xml = METADATA.replace(b"Bob", b"Robert").replace(b"<datamode>complete", b"<datamode>partial")
    content, body = multipart((XML, xml)) if form == "multipart" else (XML, xml)
    now = change(bench, call, body, content, method=method)
    (updated,) = bench.events(ev.CallUpdated)
    assert (updated.sdp, updated.metadata) == (False, True)
    assert now.metadata is not None
    assert [p.names[-1].name for p in now.metadata.participants] == ["Ann", "Robert"]
    assert [s.port for s in now.streams] == [s.port for s in call.streams]


def test_update_with_sdp_and_metadata_and_a_bare_one(bench: Bench) -> None:
    call = bench.take_call()
    content, body = multipart((SDP, OFFER.replace(b"1 1 IN", b"1 2 IN")), (XML, METADATA))
    change(bench, call, body, content)
    answered = sdp.parse(bench.sent()[0].body)
    assert [(m.port, m.label) for m in answered.media] == [(40000, "1"), (40002, "2")]
    bench.feed(request("UPDATE", cseq=3, to_tag=call.dialog.local_tag))
    assert bench.statuses() == [200]
    assert bench.sent()[0].body == b""


def test_a_third_party_joins_in_a_line_of_its_own(bench: Bench) -> None:
    """Three-way by a third m-line: it gets a port, the parties before keep theirs and their places."""
    call = bench.take_call()
    offer = OFFER + b"m=audio 20004 RTP/AVP 0\r\na=label:3\r\na=sendonly\r\n"
    xml = b"""<recording xmlns="urn:ietf:params:xml:ns:recording:1"><datamode>partial</datamode>
<participant participant_id="p3"><nameID aor="sip:cy@example.org"/></participant>
<stream stream_id="m3" session_id="s1"><label>3</label></stream>
<participantstreamassoc participant_id="p3"><send>m3</send><recv>m1</recv></participantstreamassoc>
</recording>"""
    content, body = multipart((SDP, offer), (XML, xml))
    now = change(bench, call, body, content, method="INVITE")
    assert names(now) == ["sip:ann@example.org", "sip:bob@example.org", "sip:cy@example.org"]
    assert speakers(now) == [["p1"], ["p2"], ["p3"]]
    assert [s.port for s in now.streams] == [40000, 40002, 40004]


def test_a_third_party_mixed_into_a_line_is_named_beside_the_other(bench: Bench) -> None:
    call = bench.take_call()
    xml = b"""<recording xmlns="urn:ietf:params:xml:ns:recording:1"><datamode>partial</datamode>
<participant participant_id="p3"><nameID aor="sip:cy@example.org"/></participant>
<participantstreamassoc participant_id="p3"><send>m2</send></participantstreamassoc></recording>"""
    now = change(bench, call, xml, XML)
    assert speakers(now) == [["p1"], ["p2", "p3"]]


def test_a_transfer_replaces_the_speaker_and_forgets_nobody(bench: Bench) -> None:
    call = bench.take_call()
    xml = b"""<recording xmlns="urn:ietf:params:xml:ns:recording:1"><datamode>complete</datamode>
<participant participant_id="p9"><nameID aor="sip:dora@example.org"/></participant>
<participant participant_id="p1"><nameID aor="sip:ann@example.org"><name>Ann</name></nameID></participant>
<stream stream_id="m1" session_id="s1"><label>1</label></stream>
<stream stream_id="m2" session_id="s1"><label>2</label></stream>
<participantstreamassoc participant_id="p1"><send>m1</send></participantstreamassoc>
<participantstreamassoc participant_id="p9"><send>m2</send></participantstreamassoc></recording>"""
    now = change(bench, call, xml, XML)
    assert names(now) == ["sip:ann@example.org", "sip:bob@example.org", "sip:dora@example.org"]
    assert speakers(now) == [["p1"], ["p9"]]


def test_ipv6_throughout() -> None:
    there = ev.Transport("udp", ("2001:db8::9", 5060), ("2001:db8::1", 5060))
    bench = Bench()
    offer = OFFER.replace(b"IN IP4 10.0.0.1", b"IN IP6 2001:db8::1")
    data = request(content=SDP, body=offer, via="SIP/2.0/UDP [2001:db8::1]:5060", uri="sip:s@[2001:db8::9]")
    bench.feed(data, there)
    ok = bench.sent()[1]
    assert b"c=IN IP6 2001:db8::9\r\n" in ok.body
    assert ok.headers.get("contact") == "<sip:memcon@[2001:db8::9]:5060>;+sip.srs"
    assert [o.transport.remote for o in bench.out if isinstance(o, ev.Send)] == [("2001:db8::1", 5060)] * 2


def test_ids_that_name_nothing_join_no_calls() -> None:
    """ "1" is everybody's session id, a nil UUID nobody's."""
    xml = METADATA.replace(b'"g1"', b'"1"').replace(
        b"<group-ref>g1</group-ref>", b"<sipSessionID>%s;remote=%s</sipSessionID>" % (b"0" * 32, b"ab" * 16)
    )
    assert vendors.links((), siprec.parse(xml)) == (f"sip-session:{'ab' * 16}",)
    assert vendors.links_of(parse(invite(more=["Cisco-Guid: 0123456789"]))) == ("guid:0123456789",)
