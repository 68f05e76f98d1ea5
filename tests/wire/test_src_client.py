"""The recording client against the recording server, and alone."""

from __future__ import annotations

import dataclasses
from typing import Literal

import pytest
import sipmessage
from tests.wire.conftest import SECOND, Bench, request

from memcon.errors import FormatError, LocalError
from memcon.wire import events as ev
from memcon.wire import sdp, siprec
from memcon.wire.sip import parse
from memcon.wire.src_client import (
    Answered,
    ClientConfig,
    ClientOutput,
    Ended,
    Party,
    RecordingClient,
    Refused,
    metadata,
)

PARTIES = (
    Party("sip:ann@x", "Ann <&> Co", 20000, "1", "p1", "m1"),
    Party("sip:bob@x", "Bob", 20002, "2", "p2", "m2"),
)
NEAR = ev.Transport("udp", ("10.0.0.1", 5070), ("10.0.0.9", 5060))


class Wire:
    """A client and a server with nothing lost between them."""

    def __init__(self, protocol: Literal["udp", "tcp"] = "udp", parties: tuple[Party, ...] = PARTIES) -> None:
        self.bench = Bench()
        self.near = dataclasses.replace(NEAR, protocol=protocol)
        self.far = ev.Transport(protocol, self.near.remote, self.near.local, "c1")
        self._ids = 0
        config = ClientConfig(
            "sip:srs@10.0.0.9", self.near, "10.0.0.1", parties, group_id="g", session_id="s"
        )
        self.client = RecordingClient(config, self._new_id)
        self.results: list[ClientOutput] = []

    def _new_id(self) -> str:
        self._ids += 1
        return f"c{self._ids}"

    def run(self, outputs: list[ClientOutput]) -> list[ev.Output]:
        """Carry messages to and fro until nobody has anything to say; what the server said happened."""
        self.results = []
        seen: list[ev.Output] = []
        todo = list(outputs)
        while todo:
            output = todo.pop(0)
            if not isinstance(output, ev.Send):
                self.results.append(output)
                continue
            said = self.bench.server.receive(output.data, self.far, self.bench.now)
            seen += said
            todo += self.back(said)
        return seen

    def back(self, said: list[ev.Output]) -> list[ClientOutput]:
        """Let the client hear what the server sent."""
        out: list[ClientOutput] = []
        for item in said:
            if isinstance(item, ev.Send):
                out += self.client.receive(item.data, self.bench.now)
        return out


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_a_whole_session(protocol: Literal["udp", "tcp"]) -> None:
    wire = Wire(protocol)
    client, now = wire.client, wire.bench.now
    seen = wire.run(client.invite(now))
    (started,) = [e for e in seen if isinstance(e, ev.CallStarted)]
    assert started.call.oddities == ()
    assert started.call.kind == "siprec"
    assert [p.names[-1].name for p in started.call.metadata.participants] == ["Ann <&> Co", "Bob"]  # type: ignore[union-attr]  # checked by the oddities
    (answered,) = wire.results
    assert isinstance(answered, Answered)
    assert answered.streams == (("10.0.0.9", 40000, "1"), ("10.0.0.9", 40002, "2"))
    assert ("memcon-receipt", f"for {client.call_id}") in answered.headers
    assert [type(e) for e in seen if isinstance(e, ev.CallAcked)] == [ev.CallAcked]
    states = [client.state]

    seen = wire.run(client.hold(now))
    assert [e.label for e in seen if isinstance(e, ev.StreamPaused)] == ["1", "2"]
    seen = wire.run(client.resume(now, method="UPDATE"))
    assert [e.label for e in seen if isinstance(e, ev.StreamResumed)] == ["1", "2"]
    carol = dataclasses.replace(PARTIES[1], aor="sip:carol@x", name="Carol")
    seen = wire.run(client.update(now, parties=(PARTIES[0], carol)))
    (updated,) = [e for e in seen if isinstance(e, ev.CallUpdated)]
    assert updated.call.metadata is not None
    assert updated.call.metadata.participants_of("2")[0].names[-1].name == "Carol"
    wire.run(client.options(now))
    assert [(type(r), r.method) for r in wire.results if isinstance(r, Answered)] == [(Answered, "OPTIONS")]

    seen = wire.run(client.bye(now))
    assert [e.by for e in seen if isinstance(e, ev.CallEnded)] == ["peer"]
    assert wire.results == [Ended("client")]
    assert [*states, client.state] == ["up", "ended"]
    assert client.next_deadline() is None


def test_a_late_offer_is_answered_in_the_ack() -> None:
    wire = Wire()
    seen = wire.run(wire.client.invite(wire.bench.now, with_sdp=False))
    (updated,) = [e for e in seen if isinstance(e, ev.CallUpdated)]
    assert [s.remote for s in updated.call.streams] == [("10.0.0.1", 20000), ("10.0.0.1", 20002)]


def test_neither_sdp_nor_metadata() -> None:
    wire = Wire(parties=PARTIES[:1])
    seen = wire.run(wire.client.invite(wire.bench.now, with_sdp=False, with_metadata=False))
    (started,) = [e for e in seen if isinstance(e, ev.CallStarted)]
    assert started.call.oddities == ("a recording session without metadata",)


def test_the_recorder_hangs_up() -> None:
    wire = Wire()
    wire.run(wire.client.invite(wire.bench.now))
    (call,) = wire.bench.server.calls()
    bye = wire.bench.server.end_call(call.dialog, "over", wire.bench.now)
    wire.run(wire.back(bye))
    assert wire.results == [Ended("recorder")]
    assert wire.bench.server.next_deadline() is not None  # only transactions die out
    wire.run(wire.back(bye))
    assert wire.results == []


def test_a_refusal_ends_the_attempt() -> None:
    wire = Wire()
    wire.bench.ports_left = 0
    wire.run(wire.client.invite(wire.bench.now))
    (refused,) = wire.results
    assert isinstance(refused, Refused)
    assert (refused.method, refused.status, wire.client.state) == ("INVITE", 503, "ended")


def test_a_refused_change_leaves_the_call_up() -> None:
    wire = Wire()
    wire.run(wire.client.invite(wire.bench.now))
    (send,) = wire.client.hold(wire.bench.now)
    assert isinstance(send, ev.Send)
    reply = send.data.replace(send.data.split(b"\r\n")[0], b"SIP/2.0 491 Request Pending")
    (ack, refused) = wire.client.receive(reply, wire.bench.now)
    assert isinstance(ack, ev.Send)
    assert parse(ack.data).via.branch == parse(send.data).via.branch
    assert refused == Refused("INVITE", 491, reply)
    assert wire.client.state == "up"


def test_sending_again_and_giving_up() -> None:
    wire = Wire()
    client, now = wire.client, wire.bench.now
    (first,) = client.invite(now)
    times = []
    while client.state == "inviting":
        deadline = client.next_deadline()
        assert deadline is not None
        times.append((deadline - now) / SECOND)
        out = client.timer(deadline)
    assert times == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 32]
    assert out == [Refused("INVITE", 408, b"")]
    assert isinstance(first, ev.Send)


def test_a_bye_nobody_answers() -> None:
    wire = Wire()
    wire.run(wire.client.invite(wire.bench.now))
    wire.client.bye(wire.bench.now)
    out: list[ClientOutput] = []
    while (deadline := wire.client.next_deadline()) is not None:
        out += wire.client.timer(deadline)
    assert len([o for o in out if isinstance(o, ev.Send)]) == 10
    assert out[-1] == Ended("client")


def test_an_update_nobody_answers_leaves_the_call_up() -> None:
    wire = Wire("tcp")
    wire.run(wire.client.invite(wire.bench.now))
    wire.client.update(wire.bench.now, sdp=True)
    deadline = wire.client.next_deadline()
    assert deadline is not None
    assert wire.client.timer(deadline) == [Refused("UPDATE", 408, b"")]
    assert wire.client.state == "up"


def test_an_ack_lost_is_said_again() -> None:
    wire = Wire()
    said = wire.bench.server.receive(_data(wire.client.invite(wire.bench.now)), wire.far, wire.bench.now)
    first = wire.back(said)
    again = wire.back(wire.bench.server.timer(wire.bench.now + SECOND))
    assert again == first[:1]
    stray = (
        said[-1].raw.replace(b"CSeq: 1 INVITE", b"CSeq: 9 INFO")
        if isinstance(said[-1], ev.MessageSent)
        else b""
    )
    assert wire.client.receive(stray, wire.bench.now) == []


def _data(outputs: list[ClientOutput]) -> bytes:
    (send,) = outputs
    assert isinstance(send, ev.Send)
    return send.data


def test_requests_of_the_recorder() -> None:
    wire = Wire()
    wire.run(wire.client.invite(wire.bench.now))
    for method, status in (("OPTIONS", 200), ("MESSAGE", 405)):
        answer = _data(wire.client.receive(request(method, call_id=wire.client.call_id), wire.bench.now))
        assert parse(answer).status == status
    assert wire.client.receive(request("ACK", call_id=wire.client.call_id), wire.bench.now) == []
    assert wire.client.receive(request("OPTIONS", call_id="another"), wire.bench.now) == []
    with pytest.raises(FormatError):
        wire.client.receive(b"?", wire.bench.now)


def test_routes_and_a_strange_contact() -> None:
    wire = Wire()
    data = _data(wire.client.invite(wire.bench.now))
    ok = data.replace(data.split(b"\r\n")[0], b"SIP/2.0 200 OK\r\nRecord-Route: <sip:a;lr>, <sip:b;lr>")
    ok = ok.replace(b";+sip.src", b"").replace(b"Contact: <sip:src@10.0.0.1:5070>", b"Contact: <sip:x y>")
    ack, answered = wire.client.receive(ok, wire.bench.now)
    assert isinstance(ack, ev.Send)
    assert parse(ack.data).headers.all("route") == ["<sip:b;lr>", "<sip:a;lr>"]
    assert parse(ack.data).uri == "sip:srs@10.0.0.9"
    assert isinstance(answered, Answered)


def test_an_answer_that_is_no_sdp_has_no_streams() -> None:
    wire = Wire()
    data = _data(wire.client.invite(wire.bench.now))
    head = data.split(b"Content-Type")[0].replace(data.split(b"\r\n")[0], b"SIP/2.0 200 OK")
    ok = head + b"Content-Type: application/sdp\r\nContent-Length: 1\r\n\r\n?"
    answered = wire.client.receive(ok, wire.bench.now)[1]
    assert isinstance(answered, Answered)
    assert answered.streams == ()


def test_out_of_turn() -> None:
    wire = Wire()
    with pytest.raises(LocalError):
        wire.client.bye(0)
    wire.client.invite(0)
    with pytest.raises(LocalError):
        wire.client.invite(0)


def test_a_provisional_answer_stops_the_repetition() -> None:
    wire = Wire()
    data = _data(wire.client.invite(0))
    assert wire.client.receive(data.replace(data.split(b"\r\n")[0], b"SIP/2.0 100 Trying"), 0) == []
    assert wire.client.next_deadline() == 32 * SECOND


def test_metadata_without_groups_and_by_ipv6() -> None:
    near = ev.Transport("tcp", ("2001:db8::1", 5070), ("2001:db8::9", 5060))
    config = ClientConfig("sip:srs@[2001:db8::9]", near, "2001:db8::1", PARTIES)
    recording = siprec.parse(metadata(config))
    assert recording.oddities == ()
    assert [s.id for s in recording.sessions] == ["session-1"]
    assert recording.participants_of("1")[0].id == "p1"
    message = parse(_data(RecordingClient(config, lambda: "x").invite(0)))
    assert message.via.host == "2001:db8::1"
    assert message.contact is not None
    assert message.contact.uri_text == "sip:src@[2001:db8::1]:5070;transport=tcp"


def test_foreign_parsers_read_what_we_send() -> None:
    wire = Wire()
    seen = wire.run(wire.client.invite(wire.bench.now))
    (call,) = wire.bench.server.calls()
    seen += wire.bench.server.end_call(call.dialog, "over", wire.bench.now)
    sent = [e.data for e in seen if isinstance(e, ev.Send)]
    sent += [e.raw for e in seen if isinstance(e, ev.MessageReceived)]
    assert len(sent) == 5
    for data in sent:
        ours, theirs = parse(data), sipmessage.Message.parse(data)
        assert ours.oddities == ()
        assert theirs.body == ours.body
        assert theirs.call_id == ours.call_id
        assert theirs.via[0].parameters["branch"] == ours.via.branch
        assert theirs.to_address.parameters.get("tag") == ours.to.tag
        if ours.content_type == "application/sdp":
            assert len(sdp.parse(theirs.body).media) == 2
