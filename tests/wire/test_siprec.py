"""Reading recording metadata, hostile documents included."""

from __future__ import annotations

import pytest
from tests.wire.conftest import METADATA

from memcon.errors import FormatError
from memcon.wire.recording import Fact, Group, NameId, Session
from memcon.wire.siprec import parse

SENDS_X = "<participantstreamassoc participant_id='p'><send>x</send></participantstreamassoc>"


def document(inner: str, *, root: str = 'recording xmlns="urn:ietf:params:xml:ns:recording:1"') -> bytes:
    """A document with this inside."""
    return f"<{root}>{inner}</{root.split()[0]}>".encode()


def test_a_document() -> None:
    recording = parse(METADATA)
    assert recording.oddities == ()
    assert recording.datamode == "complete"
    assert recording.groups == (Group("g1"),)
    assert recording.sessions == (Session("s1", "g1"),)
    assert {label: stream.id for label, stream in recording.streams_by_label().items()} == {
        "1": "m1",
        "2": "m2",
    }
    assert [p.names for p in recording.participants_of("2")] == [(NameId("sip:bob@example.org", "Bob"),)]
    assert recording.participants_of("3") == ()
    assert recording.labels_with_sender() == {"1", "2"}
    assert recording.participant("p1") == recording.participants_of("1")[0]
    assert recording.participant("p9") is None


def test_times_and_links() -> None:
    recording = parse(
        document(
            "<datamode>complete</datamode>"
            "<group id='g'><associate-time>t1</associate-time>"
            "<disassociate-time>t2</disassociate-time></group>"
            "<session session_id='s'><sipSessionID>a;remote=b</sipSessionID><sipSessionID>c</sipSessionID>"
            "<start-time>t3</start-time><stop-time>t4</stop-time><reason>done</reason></session>"
            "<sessionrecordingassoc session_id='s'>"
            "<disassociate-time>t5</disassociate-time></sessionrecordingassoc>"
            "<participantsessionassoc participant_id='p' session_id='s'><associate-time>t6</associate-time>"
            "<param/></participantsessionassoc>"
            "<stream stream_id='m' session_id='s'><label>any text</label><mode>mixed</mode></stream>"
            "<participantstreamassoc participant_id='p'><send>m</send>"
            "<disassociate-time>t7</disassociate-time>"
            "</participantstreamassoc>"
        )
    )
    assert recording.groups == (Group("g", "t1", "t2"),)
    assert recording.sessions == (Session("s", "", ("a;remote=b", "c"), "t3", "t4", "done"),)
    assert recording.facts == (Fact("s", "sessionrecordingassoc/disassociate-time", "t5"),)
    assert (recording.session_links[0].associate_time, recording.streams[0].mode) == ("t6", "mixed")
    assert recording.labels_with_sender() == frozenset()  # the sender has left
    assert recording.participants_of("any text") == ()


@pytest.mark.parametrize(
    ("inner", "oddity"),
    [
        ("<dataMode>Partial</dataMode>", "element dataMode instead of datamode"),
        ("<datamode>odd</datamode>", "unknown datamode 'odd'"),
        ("", "no datamode; taken as complete"),
        ("<datamode>complete</datamode><stream stream_id=''/>", "a stream without id"),
        ("<datamode>complete</datamode><participant/>", "a participant without id"),
        ("<datamode>complete</datamode>" + SENDS_X, "participant 'p' names a stream that is not described"),
        (
            "<datamode>complete</datamode><participant id='p'><recv>x</recv></participant><stream id='x'/>",
            "send or recv inside participant",
        ),
    ],
)
def test_what_is_odd_is_said(inner: str, oddity: str) -> None:
    assert oddity in parse(document(inner)).oddities


def test_partial_documents_may_name_streams_they_do_not_describe() -> None:
    recording = parse(document("<dataMode>Partial</dataMode>" + SENDS_X))
    assert recording.datamode == "partial"
    assert recording.oddities == ("element dataMode instead of datamode",)


def test_other_namespaces_and_roots() -> None:
    for root in (
        "recording",
        "recording xmlns='urn:ietf:params:xml:ns:recording'",
        "recording_metadata xmlns='urn:ietf:params:xml:ns:siprec'",
    ):
        recording = parse(
            document(
                "<datamode>complete</datamode><participant id='p'><aor>sip:a@b</aor></participant>", root=root
            )
        )
        assert recording.participants[0].names == (NameId("sip:a@b"),)
        assert len(recording.oddities) == 1
        assert recording.oddities[0].startswith("namespace")


def test_vendor_words_are_facts() -> None:
    recording = parse(
        document(
            "<datamode>complete</datamode><participant participant_id='p'>"
            "<extensiondata><x:u xmlns:x='v' k='1'>text</x:u>"
            "</extensiondata></participant><own xmlns='v'><deep><er>2</er></deep></own>"
        )
    )
    assert recording.facts == (
        Fact("p", "participant/extensiondata/u/@k", "1"),
        Fact("p", "participant/extensiondata/u", "text"),
        Fact("", "own/deep/er", "2"),
    )


def test_schemes() -> None:
    assert [NameId(aor).scheme for aor in ("sip:a@b", "TEL:+1", "a@b", "a b:c")] == ["sip", "tel", "", ""]


def test_encodings() -> None:
    latin = document(
        "<datamode>complete</datamode>"
        "<participant id='p'><nameID><name>M\xfcller</name></nameID></participant>"
    )
    recording = parse(b"\xef\xbb\xbf" + latin.decode().encode("latin-1") + b"\0\r\n")
    assert recording.participants[0].names[0].name == "Müller"
    assert any("read as ISO 8859-1" in text for text in recording.oddities)
    assert parse(METADATA.decode().replace("UTF-8", "UTF-16").encode("utf-16")).participants[0].id == "p1"
    assert parse(b"\n\n  " + METADATA).oddities == ()


LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "' + "&a;" * 1000 + '">]>'
    '<recording xmlns="urn:ietf:params:xml:ns:recording:1"><datamode>&b;</datamode></recording>'
)
OUTSIDE = (
    '<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    '<recording xmlns="urn:ietf:params:xml:ns:recording:1"><datamode>&a;</datamode></recording>'
)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "the document is empty"),
        (b"<recording>", "no XML"),
        (b"<html/>", "the root element is 'html'"),
        (b"\xff\xfe\0", "no XML"),
        (LAUGHS.encode(), "a document type declaration is not accepted"),
        (OUTSIDE.encode(), "a document type declaration is not accepted"),
        (document("<a/>" * 10001), "more than 10000 elements"),
        (document("<a>" * 300 + "</a>" * 300), "no XML"),
    ],
)
def test_refused_documents(data: bytes, problem: str) -> None:
    with pytest.raises(FormatError, match=problem):
        parse(data)


def test_facts_are_bounded() -> None:
    inner = "<x xmlns='v'>" + "<y>1</y>" * 5000 + "</x>"
    assert len(parse(document(inner)).facts) == 1000


def test_a_prefix_that_nobody_declared_costs_nothing_but_its_attribute() -> None:
    """The library lets such a name pass where a later namespace is no address, and then refuses to take it
    apart: once an INVITE with it went without an answer."""
    text = '<odd group_:id="g1"/><group a:group_id="x" group_id="g"/><session session_id="s1"/><x xmlns="#"/>'
    found = parse(document(text))
    assert [session.id for session in found.sessions] == ["s1"]
    assert found.groups == (Group("g"),)
    assert Fact("", "odd/@group_:id", "g1") in found.facts
