"""What the journal says of a call."""

from __future__ import annotations

import socket
import struct

import pytest
from tests.capture.kit import parties, sdp, sip

from memcon.capture import facts as f
from memcon.record import canonical
from memcon.wire.events import Call, CallStarted, Send, Transport
from memcon.wire.src_client import ClientConfig, RecordingClient
from memcon.wire.srs import RecordingServer

HERE = Transport("udp", ("127.0.0.1", 5060), ("127.0.0.1", 5555))


class Ports:
    def allocate(self, dialog: object, count: int) -> list[int]:
        return [40_000 + 2 * n for n in range(count)]


def taken(invite: bytes) -> Call:
    """The call that the core makes of an INVITE."""
    ids = iter(f"id{n}" for n in range(100))
    outputs = RecordingServer(Ports(), lambda: next(ids)).receive(invite, HERE, 1)
    return next(o.call for o in outputs if isinstance(o, CallStarted))


def recorded() -> Call:
    ids = iter(f"c{n}" for n in range(100))
    config = ClientConfig(
        "sip:desk@127.0.0.1", HERE, "127.0.0.1", parties(7000, 7002), session_id="cs-1", group_id="g-1"
    )
    (send,) = RecordingClient(config, lambda: next(ids)).invite(1)
    assert isinstance(send, Send)
    return taken(send.data)


@pytest.mark.parametrize(
    ("address", "text"),
    [(("192.0.2.1", 5060), "192.0.2.1:5060"), (("2001:db8::1", 5060), "[2001:db8::1]:5060")],
)
def test_endpoint(address: tuple[str, int], text: str) -> None:
    assert f.endpoint(address) == text


def test_times_are_texts_because_they_exceed_what_json_numbers_hold() -> None:
    assert f.stamp(1 << 60, 5) == {"wall": "1152921504606846976", "mono": "5"}


def test_transport() -> None:
    assert f.transport_facts(HERE) == {
        "transport": "udp",
        "local": "127.0.0.1:5060",
        "remote": "127.0.0.1:5555",
    }


def test_streams_and_parties_of_a_recording_session() -> None:
    call = recorded()
    assert f.stream_facts(call, call.streams[1], f.Handles(11, 12)) == {
        "stream": 2,
        "handle": 11,
        "rtcp_handle": 12,
        "mline": 1,
        "label": "2",
        "port": 40_002,
        "codecs": [{"pt": 0, "name": "PCMU", "rate": 8000, "channels": 1}],
        "direction": "sendonly",
        "participant": "p2",
    }
    assert f.parties(call) == [
        {"id": "p1", "name": "Ada", "aor": "sip:ada@example.org", "label": "1", "role": ""},
        {"id": "p2", "name": "Ben", "aor": "sip:ben@example.org", "label": "2", "role": ""},
    ]
    ids = f.source_ids(call)
    assert (ids["session_ids"], ids["group_ids"]) == (["cs-1"], ["g-1"])
    assert ids["call_id"] == call.dialog.call_id
    assert ids["from_tag"] == call.dialog.remote_tag
    told = f.metadata_facts(call)
    assert (told["type"], told["datamode"], told["participants"]) == ("metadata", "complete", f.parties(call))
    assert canonical.loads(canonical.dumps(told)) == told


def test_a_direct_line_has_the_two_ends_of_the_sip_call() -> None:
    call = taken(sip(body=sdp("x"), to="The Desk <sip:desk@example.org>"))
    assert f.stream_facts(call, call.streams[0], f.Handles(1, 2))["participant"] == "from"
    assert f.parties(call) == [
        {"id": "from", "name": "Caller", "aor": "sip:caller@example.org", "label": "x", "role": "caller"},
        {"id": "to", "name": "The Desk", "aor": "sip:desk@example.org", "label": "", "role": "called"},
    ]
    assert f.source_ids(call)["session_ids"] == []


def test_a_recording_session_whose_metadata_cannot_be_read() -> None:
    body = (
        f"--b\r\nContent-Type: application/sdp\r\n\r\n{sdp('1')}\r\n--b\r\n"
        "Content-Type: application/rs-metadata+xml\r\n\r\n<recording\r\n--b--\r\n"
    )
    call = taken(sip(body=body, kind="multipart/mixed;boundary=b"))
    assert call.kind == "siprec"
    assert f.parties(call) == []
    assert f.stream_facts(call, call.streams[0], f.Handles(1, 2))["participant"] is None
    told = f.metadata_facts(call)
    assert told["datamode"] == "unreadable"
    assert any("metadata" in text for text in told["oddities"])


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        ([("desk", "sip:DESK@*"), ("all", "*")], "desk"),  # URIs are compared without regard to case
        ([("ada", "sip:ada@example.org"), ("all", "*")], "ada"),  # somebody the metadata names
        ([("other", "sip:other@*"), ("all", "*")], "all"),
        ([("other", "sip:other@*")], ""),
        ([], ""),
    ],
)
def test_the_first_line_that_fits_takes_the_call(lines: list[tuple[str, str]], name: str) -> None:
    assert f.line_of(recorded(), lines) == name


def test_source_of_either_family() -> None:
    four = struct.pack("=H", socket.AF_INET) + struct.pack(">H", 7000) + bytes([192, 0, 2, 1]) + bytes(8)
    assert f.source_facts(2, four) == {"type": "source", "stream": 2, "address": "192.0.2.1", "port": 7000}
    six = (
        struct.pack("=H", socket.AF_INET6)
        + struct.pack(">HI", 7001, 0)
        + socket.inet_pton(socket.AF_INET6, "2001:db8::1")
        + bytes(4)
    )
    assert f.source_facts(3, six) == {"type": "source", "stream": 3, "address": "2001:db8::1", "port": 7001}


@pytest.mark.parametrize(
    ("cause", "by", "stopping", "numbers"),
    [
        ("BYE", "peer", False, (1, 1)),
        ("BYE", "peer", True, (1, 1)),
        ("recorder stopped", "recorder", True, (3, 3)),
        ("no ACK came", "recorder", False, (4, 2)),
        ("no ACK came", "recorder", True, (3, 3)),
        ("the call cannot be recorded", "recorder", False, (3, 2)),
    ],
)
def test_how_a_call_ended(cause: str, by: str, stopping: bool, numbers: tuple[int, int]) -> None:
    assert f.end_numbers(cause, by, stopping=stopping) == numbers


def test_what_has_changed() -> None:
    before = {0: {"mline": 0, "port": 1}, 1: {"mline": 1, "port": 2}}
    now = [{"mline": 0, "port": 1}, {"mline": 1, "port": 3}, {"mline": 2, "port": 4}]
    assert f.changed(before, now) == now[1:]
    assert f.changed(before, now[:1]) == []
