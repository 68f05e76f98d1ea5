"""What the server core says of calls, as it stands in the journal (ARCHITECTURE)."""

from __future__ import annotations

import base64
import itertools
import re
import socket
from typing import TYPE_CHECKING, Any

import pytest
from tests.capture.kit import (
    HOST,
    PORTS,
    RECEIPT,
    Lines,
    controls,
    events,
    packets,
    parties,
    read_journal,
    sdp,
    settings,
    sip,
)

from memcon.capture.calls import Moment, Recorder
from memcon.capture.journal import JournalWriter
from memcon.capture.log import Log
from memcon.capture.media_loop import MediaLoop
from memcon.capture.receiver import Receiver
from memcon.capture.sockets import PortPool
from memcon.clock import NS, ManualClock
from memcon.record.hashing import handle_hash, receipt_message
from memcon.seal.controls import read_call, read_end
from memcon.wire.events import Send, Transport
from memcon.wire.src_client import Answered, ClientConfig, RecordingClient, metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.capture.kit import Record

    from memcon.store.paths import Home
    from memcon.wire.events import Output
    from memcon.wire.src_client import ClientOutput

HERE = Transport("udp", (HOST, 5060), (HOST, 5555))


class Bench:
    """A recorder without SIP sockets: messages are put into its core, the media loop is turned by hand."""

    def __init__(self, home: Home, ports: str = PORTS) -> None:
        self.home = home
        self.clock = ManualClock()
        self.lines = Lines()
        log = Log(self.clock, self.lines)
        self.journal = JournalWriter(home, self.clock, bytes(16), bytes(32), log)
        self.receiver = Receiver(self.clock, settle_ns=0)
        self.media = MediaLoop(self.receiver, self.journal, self.clock, log)
        self.pool = PortPool(self.clock, address=HOST, ports=ports)
        chosen = settings()
        self.recorder = Recorder(
            chosen.recorder, chosen.receipt_key, self.pool, self.media, self.journal, self.clock, log
        )
        self.ids = itertools.count(1)

    def receive(self, data: bytes) -> list[bytes]:
        """Give the core a message; what it sends."""
        return self.do(self.recorder.server.receive(data, HERE, self.clock.monotonic_ns()))

    def do(self, outputs: Iterable[Output]) -> list[bytes]:
        at = Moment(self.clock.wall_ns(), self.clock.monotonic_ns())
        sent = []
        for output in outputs:
            if isinstance(output, Send):
                sent.append(output.data)
            else:
                self.recorder.take(output, at)
        self.recorder.settle_message()
        return sent

    def client(self, *ports: int) -> RecordingClient:
        config = ClientConfig(
            f"sip:desk@{HOST}",
            Transport("udp", HERE.remote, HERE.local),
            HOST,
            parties(*ports),
            session_id="cs-1",
        )
        return RecordingClient(config, lambda: f"id{next(self.ids)}")

    def exchange(self, client: RecordingClient, outputs: Iterable[ClientOutput]) -> list[ClientOutput]:
        """Go back and forth until both are silent; what the client learned."""
        learned: list[ClientOutput] = []
        for output in outputs:
            if not isinstance(output, Send):
                learned.append(output)
                continue
            for answer in self.receive(output.data):
                learned += self.exchange(client, client.receive(answer, self.clock.monotonic_ns()))
        return learned

    def call(self, *ports: int) -> tuple[RecordingClient, Answered]:
        client = self.client(*(ports or (7000, 7002)))
        (answered,) = self.exchange(client, client.invite(self.clock.monotonic_ns()))
        assert isinstance(answered, Answered)
        return client, answered

    def now(self) -> int:
        return self.clock.monotonic_ns()

    def records(self) -> list[Record]:
        return read_journal(self.home)

    def close(self) -> None:
        self.journal.close()
        self.receiver.close()
        self.pool.close()


@pytest.fixture
def bench(home: Home) -> Iterator[Bench]:
    made = Bench(home)
    yield made
    made.close()


def kinds(records: Iterable[Record]) -> list[str]:
    """Types of the control records; of messages with their direction and first words."""
    found = []
    for control in controls(records):
        facts = control.facts
        if facts["type"] == "sip":
            start = control.attachments[0].split(b"\r\n")[0].decode()
            words = start.split()
            found.append(f"{facts['direction']} {words[1] if words[0] == 'SIP/2.0' else words[0]}")
        elif facts["type"] == "event":
            found.append(facts["facts"]["type"])
        else:
            found.append(facts["type"])
    return found


def test_a_call_as_the_journal_tells_it(bench: Bench) -> None:
    bench.clock.advance(5)
    client, _ = bench.call()
    bench.exchange(client, client.bye(bench.now()))
    bench.media.turn()
    records = bench.records()
    assert kinds(records) == [
        "call", "metadata", "in INVITE", "out 100", "out 200", "in ACK", "in BYE", "out 200", "end",
    ]  # fmt: skip
    call, end = controls(records, "call")[0], controls(records, "end")[0]
    facts = call.facts
    assert facts["key"] == end.facts["key"] == "1"
    assert (facts["mode"], facts["line"], facts["transport"]) == ("siprec", "desk", "udp")
    assert (facts["local"], facts["remote"]) == ("127.0.0.1:5060", "127.0.0.1:5555")
    assert facts["mono"] == str(NS + 5)
    assert [s["stream"] for s in facts["streams"]] == [0, 2]
    handles = [h for s in facts["streams"] for h in (s["handle"], s["rtcp_handle"])]
    assert handles == [1, 2, 3, 4]
    assert [p["name"] for p in facts["parties"]] == ["Ada", "Ben"]
    assert facts["source_ids"]["session_ids"] == ["cs-1"]
    assert call.attachments[0] == controls(records, "sip")[0].attachments[0]
    assert (end.facts["cause"], end.facts["who"], end.facts["drops"]) == (1, 1, {})
    assert end.attachments[0].startswith(b"BYE ")
    # and sealing reads it so
    assert read_call(call).key == "1"
    assert read_end(end).message == end.attachments[0]


def test_the_receipt_verifies_and_names_the_handle_of_the_journal(bench: Bench) -> None:
    _, answered = bench.call()
    value = dict(answered.headers)["memcon-receipt"]
    match = re.fullmatch(
        r'v=1;origin="(.+)";slot=(\d+);handle=([0-9a-f]{64});key=([0-9a-f]{8});sig=(.+)', value
    )
    assert match
    call = controls(bench.records(), "call")[0]
    handle = bytes.fromhex(call.facts["handle"])
    assert match[3] == handle_hash(handle).hex()
    message = receipt_message(match[1], int(match[2]), handle, call.attachments[0])
    RECEIPT.public_key().verify(base64.b64decode(match[5]), message)
    assert int(match[2]) == bench.clock.wall_ns() // NS


def test_a_late_message_bears_the_time_of_its_receipt(bench: Bench) -> None:
    invite = sip(body=sdp("x"))
    received = Moment(77, 5)
    outputs = bench.recorder.server.receive(invite, HERE, 5)
    bench.clock.advance(NS)
    for output in outputs:
        if not isinstance(output, Send):
            bench.recorder.take(output, received)
    call = controls(bench.records(), "call")[0]
    assert (call.facts["wall"], call.facts["mono"]) == ("77", "5")


def test_a_direct_line(bench: Bench) -> None:
    sent = bench.receive(sip(body=sdp("")))
    assert b"a=recvonly" in sent[-1]
    call = controls(bench.records(), "call")[0]
    assert call.facts["mode"] == "direct"
    assert [p["role"] for p in call.facts["parties"]] == ["caller", "called"]
    assert call.facts["streams"][0]["participant"] == "from"
    assert kinds(bench.records()) == ["call", "in INVITE", "out 100", "out 200"]


def test_hold_and_pause_and_going_on(bench: Bench) -> None:
    client, _ = bench.call()
    bench.exchange(client, client.hold(bench.now()))
    bench.exchange(client, client.resume(bench.now()))
    found = [e for e in events(bench.records()) if e["type"] != "metadata"]
    assert {(e["type"], e["stream"], e["label"]) for e in found} == {
        ("pause", 0, "1"), ("pause", 2, "2"), ("unpause", 0, "1"), ("unpause", 2, "2"),
    }  # fmt: skip


def test_hold_by_the_metadata_alone(bench: Bench) -> None:
    client, _ = bench.call()
    held = metadata(client._config, "partial", sending=False)
    going = metadata(client._config, "partial")
    for body in (held, going):
        request = client._request(
            "UPDATE", bench.now(), [("Require", "siprec")], "application/rs-metadata+xml", body
        )
        bench.exchange(client, request)
    found = [(e["type"], e["stream"]) for e in events(bench.records()) if e["type"] != "metadata"]
    assert found == [("hold", 0), ("hold", 2), ("resume", 0), ("resume", 2)]
    told = [c for c in controls(bench.records(), "event") if c.facts["facts"]["type"] == "metadata"]
    assert [c.attachments[0] for c in told[1:]] == [held, going]


def test_a_stream_added_by_a_re_invite(bench: Bench) -> None:
    bench.receive(sip(body=sdp("x")))
    (answer,) = [c for c in controls(bench.records(), "sip") if b"200 OK" in c.attachments[0][:20]]
    tag = re.search(rb"To: .*?;tag=(\S+)", answer.attachments[0])
    assert tag
    to = f"<sip:desk@example.org>;tag={tag[1].decode()}"
    bench.receive(sip("ACK", to=to, branch="z9hG4bKack"))
    bench.receive(sip(to=to, cseq=2, branch="z9hG4bK2", body=sdp("x", "y")))
    (streams,) = controls(bench.records(), "streams")
    assert [(s["stream"], s["handle"], s["label"]) for s in streams.facts["streams"]] == [(2, 3, "y")]
    assert bench.pool.taken == 2
    bench.media.turn()
    assert len(bench.receiver) == 4
    # a re-INVITE that says the same again says nothing new
    bench.receive(sip("ACK", to=to, cseq=2, branch="z9hG4bKack2"))
    bench.receive(sip(to=to, cseq=3, branch="z9hG4bK3", body=sdp("x", "y")))
    assert len(controls(bench.records(), "streams")) == 1


def test_ports_come_back_after_an_end_and_rest(bench: Bench) -> None:
    client, _ = bench.call()
    assert bench.pool.taken == 2
    free = bench.pool.free
    bench.exchange(client, client.bye(bench.now()))
    bench.recorder.settle()
    assert bench.pool.taken == 2  # the media thread has not drained them yet
    bench.media.turn()
    bench.recorder.settle()
    assert (bench.pool.taken, bench.pool.free) == (0, free)
    bench.clock.advance(6 * NS)
    assert bench.pool.free == free + 2


def test_no_port_left_refuses_the_call_and_leaves_nothing(home: Home) -> None:
    bench = Bench(home, "42000-42003")
    try:
        bench.call(7000)
        sent = bench.receive(sip(body=sdp("x", "y"), call_id="two", branch="z9hG4bKtwo"))
        assert sent[-1].startswith(b"SIP/2.0 503 ")
        assert bench.pool.taken == 1
        assert (bench.recorder.started, bench.recorder.refused) == (1, 1)
        line = bench.lines.events("call refused")[0]
        assert line["status"] == 503
        assert "no media port is left" in line["why"]
        bench.media.turn()
        bench.clock.advance(NS)
        bench.media.turn()
        assert bench.media._holds == {}
        assert len(controls(bench.records(), "call")) == 1
    finally:
        bench.close()


def test_a_stream_for_which_no_port_is_left_is_an_oddity_of_the_call(home: Home) -> None:
    bench = Bench(home, "42000-42001")
    try:
        bench.receive(sip(body=sdp("x")))
        sent = bench.receive(b"")
        assert sent == []
        (answer,) = [c for c in controls(bench.records(), "sip") if b"200 OK" in c.attachments[0][:20]]
        tag = re.search(rb"To: .*?;tag=(\S+)", answer.attachments[0])
        assert tag
        to = f"<sip:desk@example.org>;tag={tag[1].decode()}"
        bench.receive(sip("ACK", to=to, branch="z9hG4bKack"))
        bench.receive(sip(to=to, cseq=2, branch="z9hG4bK2", body=sdp("x", "y")))
        texts = [e["text"] for e in events(bench.records()) if e["type"] == "oddity"]
        assert texts == ["no port for 1 new m-lines"]
        bench.media.turn()
        assert bench.media._holds == {}
    finally:
        bench.close()


def test_a_call_is_answered_until_not_even_its_messages_can_be_kept(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JournalWriter, "full", property(lambda _: True))
    assert bench.receive(sip(body=sdp("x"), call_id="zero", branch="z9hG4bK0"))[-1].startswith(
        b"SIP/2.0 200 "
    )
    monkeypatch.setattr(JournalWriter, "exhausted", property(lambda _: True))
    sent = bench.receive(sip(body=sdp("x")))
    assert sent[-1].startswith(b"SIP/2.0 503 ")
    assert bench.lines.events("call refused")[0]["why"] == "the journal takes no more"
    assert [c.facts["key"] for c in controls(bench.records(), "call")] == ["1"]


def test_ports_of_a_message_that_came_to_nothing_go_back(bench: Bench) -> None:
    """The core asked for ports and a defect of ours kept it from using them."""
    outputs = bench.recorder.server.receive(sip(body=sdp("x")), HERE, 1)
    assert bench.pool.taken == 1
    assert len(outputs) > 0
    bench.recorder.settle_message()
    assert bench.pool.taken == 0
    bench.media.turn()
    assert bench.media._holds == {}


def test_a_call_that_cannot_be_journalled_leaves_no_socket_behind(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    with monkeypatch.context() as patch:
        patch.setattr(bench.journal, "control", broken)
        with pytest.raises(RuntimeError):
            bench.receive(sip(body=sdp("x")))
    assert (bench.recorder.open_calls, bench.recorder.started, bench.pool.taken) == (0, 0, 0)
    bench.media.turn()
    assert (len(bench.receiver), bench.media._holds) == (0, {})


def test_metadata_and_oddities_that_a_bye_brings_are_kept(bench: Bench) -> None:
    client, _ = bench.call()
    body = b"<recording xmlns='urn:ietf:params:xml:ns:recording:1'><broken"
    outputs = client._request("BYE", bench.now(), [], "application/rs-metadata+xml", body)
    bench.exchange(client, outputs)
    bench.media.turn()
    last = kinds(bench.records())[-5:]
    assert last == ["in BYE", "out 200", "metadata", "oddity", "end"]
    told = [c for c in controls(bench.records(), "event") if c.facts["facts"]["type"] == "metadata"][-1]
    assert told.attachments == (body,)


def test_out_of_order_requests_are_oddities(bench: Bench) -> None:
    client, _ = bench.call()
    client._cseq = 0
    bench.exchange(client, client.options(bench.now()))
    (oddity,) = [e for e in events(bench.records()) if e["type"] == "oddity"]
    assert "CSeq" in oddity["text"]


def test_what_belongs_to_no_call_is_counted_and_not_journalled(bench: Bench) -> None:
    bench.receive(b"INVITE nonsense\r\n\r\n")
    assert bench.recorder.odd == 1
    assert bench.records() == []


def test_our_own_hanging_up(bench: Bench) -> None:
    bench.call()
    dialog = bench.recorder.server.calls()[0].dialog
    assert bench.recorder.recording(dialog)
    bench.recorder.stopping = True
    sent = bench.do(bench.recorder.server.end_call(dialog, "recorder stopped", bench.now()))
    assert sent[0].startswith(b"BYE ")
    bench.media.turn()
    (end,) = controls(bench.records(), "end")
    assert (end.facts["cause"], end.facts["who"], end.attachments[0]) == (3, 3, sent[0])
    assert not bench.recorder.recording(dialog)


def test_a_call_that_was_never_acknowledged(bench: Bench) -> None:
    bench.receive(sip(body=sdp("x")))
    for _ in range(64):
        bench.clock.advance(NS // 2 + 1)
        bench.do(bench.recorder.server.timer(bench.now()))
    bench.media.turn()
    (end,) = controls(bench.records(), "end")
    assert (end.facts["cause"], end.facts["who"]) == (4, 2)


def test_what_is_left_at_a_stop_is_ended_all_the_same(bench: Bench) -> None:
    bench.call()
    bench.recorder.end_left_over()
    bench.media.turn()
    (end,) = controls(bench.records(), "end")
    assert (end.facts["cause"], end.facts["who"], end.attachments) == (3, 3, (b"",))
    assert bench.recorder.open_calls == 0


def test_media_of_two_calls_is_kept_apart(bench: Bench) -> None:
    (_, one), (second, two) = bench.call(7000), bench.call(7000)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for answered, data in ((one, b"first"), (two, b"second")):
            sender.sendto(data, (HOST, answered.streams[0][1]))
            sender.sendto(data + b" rtcp", (HOST, answered.streams[0][1] + 1))
        bench.media.turn()
    handles: dict[int, Any] = {}
    for call in controls(bench.records(), "call"):
        for stream in call.facts["streams"]:
            handles[stream["handle"]] = call.facts["key"], stream["stream"]
            handles[stream["rtcp_handle"]] = call.facts["key"], stream["stream"] + 1
    found = {(handles[p.handle], p.data) for p in packets(bench.records())}
    assert found == {
        (("1", 0), b"first"), (("1", 1), b"first rtcp"), (("2", 0), b"second"), (("2", 1), b"second rtcp"),
    }  # fmt: skip
    bench.exchange(second, second.bye(bench.now()))
    bench.media.turn()
    assert [e.facts["key"] for e in controls(bench.records(), "end")] == ["2"]
