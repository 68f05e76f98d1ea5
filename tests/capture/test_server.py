"""SIP over real sockets on loopback, and the media of the calls it takes."""

from __future__ import annotations

import asyncio
import base64
import re
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.capture.kit import (
    HOST,
    RECEIPT,
    controls,
    events,
    late_packets,
    packets,
    peer,
    running,
    sdp,
    settings,
    sip,
    until,
)

from memcon.capture import server as serving
from memcon.capture.calls import Recorder
from memcon.capture.endpoints import bind
from memcon.capture.journal import JournalWriter
from memcon.capture.server import Endpoint
from memcon.clock import SystemClock
from memcon.errors import MachineError
from memcon.record.hashing import handle_hash, receipt_message
from memcon.wire.events import CallEnded, CallStarted
from memcon.wire.sip import Message

if TYPE_CHECKING:
    from tests.capture.kit import Peer, Record, Running

    from memcon.capture.calls import Moment
    from memcon.store.paths import Home
    from memcon.wire.events import Event
    from memcon.wire.src_client import Answered


def rtp(sequence: int, ssrc: int, payload: bytes) -> bytes:
    return (
        b"\x80\x08"
        + sequence.to_bytes(2, "big")
        + (160 * sequence).to_bytes(4, "big")
        + ssrc.to_bytes(4, "big")
        + payload
    )


def sent_rtp(answered: Answered, count: int, seed: int = 1) -> dict[int, list[bytes]]:
    """Send so many packets to each answered port; what was sent, by port."""
    rng = np.random.default_rng(seed)
    sent: dict[int, list[bytes]] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for n in range(count):
            for host, port, _ in answered.streams:
                packet = rtp(n, port, rng.bytes(160))
                sender.sendto(packet, (host, port))
                sent.setdefault(port, []).append(packet)
                if n % 10 == 0:
                    report = b"\x80\xc8" + bytes(26)
                    sender.sendto(report, (host, port + 1))
                    sent.setdefault(port + 1, []).append(report)
    return sent


def heard(records: list[Record]) -> dict[int, list[bytes]]:
    """The packets of the journal by port, as the `call` and `streams` records assign the handles."""
    ports = {}
    for control in controls(records, "call", "streams"):
        for stream in control.facts["streams"]:
            ports[stream["handle"]] = stream["port"]
            ports[stream["rtcp_handle"]] = stream["port"] + 1
    found: dict[int, list[bytes]] = {}
    for packet in packets(records):
        found.setdefault(ports[packet.handle], []).append(packet.data)
    return found


async def ended(server: Running, count: int = 1) -> list[Record]:
    await until(lambda: len(server.lines.events("call ended")) == count)
    return await server.journal()


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_a_recording_session_from_invite_to_bye(home: Home, protocol: str) -> None:
    async def scenario() -> None:
        async with running(home) as server, peer(protocol, server.port(protocol)) as client:
            before = SystemClock().wall_ns()
            answered = await client.call()
            sent = await asyncio.to_thread(sent_rtp, answered, 100)
            after = SystemClock().wall_ns()
            await client.bye()
            records = await ended(server)
        assert heard(records) == sent  # byte for byte, in number and in order
        assert all(before <= p.arrival <= after for p in packets(records))
        assert late_packets(records) == []
        (call,), (end,) = controls(records, "call"), controls(records, "end")
        assert call.facts["transport"] == protocol
        assert call.facts["local"] == f"{HOST}:{server.port(protocol)}"
        assert (end.facts["cause"], end.facts["who"], end.facts["drops"]) == (1, 1, {})
        at_end = records.index(end)
        assert max(p.order for p in packets(records)) < at_end
        assert min(p.order for p in packets(records)) > records.index(call)
        sources = [e for e in events(records) if e["type"] == "source"]
        assert {e["stream"] for e in sources} == {0, 1, 2, 3}
        value = dict(answered.headers)["memcon-receipt"]
        match = re.fullmatch(r'v=1;origin="(.+)";slot=(\d+);handle=(\w{64});key=\w{8};sig=(.+)', value)
        assert match
        handle = bytes.fromhex(call.facts["handle"])
        assert match[3] == handle_hash(handle).hex()
        message = receipt_message(match[1], int(match[2]), handle, call.attachments[0])
        RECEIPT.public_key().verify(base64.b64decode(match[4]), message)

    asyncio.run(scenario())


def test_two_calls_at_once_are_kept_apart(home: Home) -> None:
    async def scenario() -> None:
        async with (
            running(home) as server,
            peer("udp", server.port("udp")) as one,
            peer("tcp", server.port("tcp")) as two,
        ):
            first, second = await one.call(), await two.call()
            sent = await asyncio.to_thread(sent_rtp, first, 30, 1)
            sent |= await asyncio.to_thread(sent_rtp, second, 40, 2)
            assert len(sent) == 8
            await one.bye()
            await ended(server, 1)
            sent_late = await asyncio.to_thread(sent_rtp, second, 10, 3)
            await two.bye()
            records = await ended(server, 2)
        for port, many in sent_late.items():
            sent[port] += many
        assert heard(records) == sent
        assert late_packets(records) == []

    asyncio.run(scenario())


def test_a_re_invite_adds_a_stream_and_a_direct_line_is_taken(home: Home) -> None:
    async def scenario() -> None:
        async with running(home) as server, peer("tcp", server.port("tcp")) as client:
            loop = asyncio.get_running_loop()

            async def exchange(data: bytes) -> bytes:
                await loop.sock_sendall(client.sock, data)
                while True:
                    read = await asyncio.wait_for(loop.sock_recv(client.sock, 65_535), 60)
                    for item in client.parser.feed(read):
                        if isinstance(item, Message) and item.status == 200:
                            return item.raw

            answer = await exchange(sip(body=sdp("x")))
            tag = re.search(rb"To: .*?;tag=(\S+)", answer)
            assert tag
            to = f"<sip:desk@example.org>;tag={tag[1].decode()}"
            await loop.sock_sendall(client.sock, sip("ACK", to=to, branch="z9hG4bKa"))
            answer = await exchange(sip(to=to, cseq=2, branch="z9hG4bK2", body=sdp("x", "y")))
            ports = [int(p) for p in re.findall(rb"m=audio (\d+)", answer)]
            assert len(ports) == 2
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for port in ports:
                    sender.sendto(b"to %d" % port, (HOST, port))
            await loop.sock_sendall(client.sock, sip("BYE", to=to, cseq=3, branch="z9hG4bK3"))
            records = await ended(server)
        assert heard(records) == {port: [b"to %d" % port] for port in ports}
        assert controls(records, "call")[0].facts["mode"] == "direct"
        assert [s["label"] for s in controls(records, "streams")[0].facts["streams"]] == ["y"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (sip(extra=["Require: moonlight"], body=sdp("x")), 420),
        (sip(extra=["Content-Encoding: gzip"], body=sdp("x")), 415),
        (sip(body="this is no description"), 488),
        (sip("BYE"), 481),
        (sip("SUBSCRIBE"), 405),
        (sip().replace(b"CSeq: 1 INVITE", b"CSeq: one INVITE"), 400),
        (sip("OPTIONS"), 200),
    ],
)
def test_what_cannot_be_served_gets_its_status(home: Home, request_: bytes, status: int) -> None:
    async def scenario() -> None:
        async with running(home) as server, peer("udp", server.port("udp")) as client:
            loop = asyncio.get_running_loop()
            await loop.sock_sendto(client.sock, b"\x00\xffno SIP at all", client.server)
            await loop.sock_sendto(client.sock, b"\r\n\r\n", client.server)
            await loop.sock_sendto(client.sock, request_, client.server)
            answer = await asyncio.wait_for(loop.sock_recv(client.sock, 65_535), 60)
            assert int(answer.split()[1]) == status
            assert server.capture.status()["calls"] == 0
            assert server.capture.status()["defects"] == 0

    asyncio.run(scenario())


def test_a_stream_that_cannot_be_read_on_is_answered_and_closed(home: Home) -> None:
    async def scenario() -> None:
        async with running(home) as server, peer("tcp", server.port("tcp")) as client:
            loop = asyncio.get_running_loop()
            bad = sip(body=sdp("x")).replace(b"Content-Length: ", b"Content-Length: -")
            await loop.sock_sendall(client.sock, bad)
            data = b""
            while more := await asyncio.wait_for(loop.sock_recv(client.sock, 65_535), 60):
                data += more
            assert data.startswith(b"SIP/2.0 400 ")
            await until(lambda: server.capture.status()["tcp_connections"] == 0)

    asyncio.run(scenario())


def test_a_burst_of_pings_is_answered_once(home: Home) -> None:
    async def scenario() -> None:
        async with running(home) as server, peer("tcp", server.port("tcp")) as client:
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(client.sock, b"\r\n\r\n" * 1000)
            await loop.sock_sendall(client.sock, sip("OPTIONS"))
            data = b""
            while b"SIP/2.0 200" not in data:
                data += await asyncio.wait_for(loop.sock_recv(client.sock, 65_535), 60)
            assert 1 <= data.split(b"SIP/2.0")[0].count(b"\r\n") < 20

    asyncio.run(scenario())


def test_more_connections_than_there_is_room_for(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "MAX_CONNECTIONS", 1)

    async def scenario() -> None:
        async with running(home) as server, peer("tcp", server.port("tcp")) as first:
            await first.call()
            async with peer("tcp", server.port("tcp")) as second:
                assert await _closed(second)
            assert server.lines.events("connection refused")
            await first.bye()

    asyncio.run(scenario())


def test_an_idle_connection_is_closed_unless_it_has_a_call(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "IDLE_NS", 0)

    async def scenario() -> None:
        async with (
            running(home) as server,
            peer("tcp", server.port("tcp")) as caller,
        ):
            await caller.call()
            async with peer("tcp", server.port("tcp")) as idle:
                loop = asyncio.get_running_loop()
                await loop.sock_sendall(idle.sock, b"INVITE sip:slow")  # and never goes on
                assert await _closed(idle)
            assert server.capture.status()["tcp_connections"] == 1
            await caller.bye()
            await until(lambda: server.capture.status()["tcp_connections"] == 0)

    asyncio.run(scenario())


def test_a_peer_that_never_reads_is_not_read_either(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "WRITE_BYTES", 10_000)

    async def scenario() -> None:
        async with running(home) as server, peer("tcp", server.port("tcp")) as deaf:
            loop = asyncio.get_running_loop()
            options = b"".join(
                sip("OPTIONS", branch=f"z9hG4bK{n}", call_id=f"c{n}", cseq=n + 1) for n in range(50)
            )
            (connection,) = await _connections(server)
            for sock in (deaf.sock, connection._transport.get_extra_info("socket")):
                for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):  # so that it does not take megabytes
                    sock.setsockopt(socket.SOL_SOCKET, option, 4096)
            sending = asyncio.create_task(loop.sock_sendall(deaf.sock, 2_000 * options))
            await until(lambda: connection._blocked)
            assert connection._transport is not None
            assert connection._transport.get_write_buffer_size() < serving.ABORT_BYTES
            async with peer("udp", server.port("udp")) as other:  # the others are served meanwhile
                await other.call()
            while not connection._transport.is_reading():  # it reads again: it is served again
                await asyncio.wait_for(loop.sock_recv(deaf.sock, 1 << 20), 60)
            sending.cancel()

    asyncio.run(scenario())


def test_a_peer_whose_answers_pile_up_is_given_up(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "ABORT_BYTES", 0)

    async def scenario() -> None:
        async with running(home) as server, peer("tcp", server.port("tcp")) as client:
            (connection,) = await _connections(server)
            connection.send(bytes(32 << 20))
            assert server.lines.events("connection closed")[0]["why"] == "it does not read what it is sent"
            connection.send(b"more")  # to a connection that is closing: nothing happens
            await until(lambda: not server.capture._sip.tcp)
            del client

    asyncio.run(scenario())


async def _closed(client: Peer) -> bool:
    """Whether the server closes the connection."""
    loop = asyncio.get_running_loop()
    try:
        return not await asyncio.wait_for(loop.sock_recv(client.sock, 10), 60)
    except ConnectionError:
        return True


async def _connections(server: Running) -> list[Any]:
    await until(lambda: bool(server.capture._sip.tcp))
    return list(server.capture._sip.tcp.values())


def test_while_the_journal_is_full_nothing_is_read(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with (
            running(home) as server,
            peer("udp", server.port("udp")) as one,
            peer("tcp", server.port("tcp")) as two,
        ):
            await _connections(server)
            now = SystemClock().monotonic_ns()
            with monkeypatch.context() as patch:
                patch.setattr(JournalWriter, "exhausted", property(lambda _: True))
                patch.setattr(JournalWriter, "full", property(lambda _: True))
                await until(lambda: server.capture._sip.paused)
                await one.put(one.client.invite(now))
                await two.put(two.client.invite(now))
                async with peer("tcp", server.port("tcp")):
                    await until(lambda: len(server.capture._sip.tcp) == 2)
                await asyncio.sleep(0.1)
                assert server.capture.status()["calls_started"] == 0
                assert server.capture.status()["journal_full"]
            assert (await one.result()) is not None  # afterwards all is as it would have been
            assert (await two.result()) is not None
            assert server.capture.status()["calls"] == 2

    asyncio.run(scenario())


def test_a_defect_in_one_call_ends_no_other_and_that_call_is_hung_up(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller of a call that could not be journalled must not go on believing that it is recorded."""
    take = Recorder.take

    def broken(self: Recorder, output: Event, at: Moment) -> None:
        if isinstance(output, CallStarted) and output.call.kind == "direct":
            raise ZeroDivisionError("a defect")
        take(self, output, at)

    monkeypatch.setattr(Recorder, "take", broken)

    async def scenario() -> None:
        async with running(home) as server, peer("udp", server.port("udp")) as good:
            answered = await good.call()
            async with peer("udp", server.port("udp")) as bad:
                loop = asyncio.get_running_loop()
                await loop.sock_sendto(bad.sock, sip(body=sdp("x")), bad.server)
                answers = b""
                while b"SIP/2.0 200" not in answers:
                    answers = await asyncio.wait_for(loop.sock_recv(bad.sock, 65_535), 60)
                tag = re.search(rb"To: .*?;tag=(\S+)", answers)
                assert tag
                to = f"<sip:desk@example.org>;tag={tag[1].decode()}"
                await loop.sock_sendto(bad.sock, sip("ACK", to=to, branch="z9hG4bKa"), bad.server)
                # the BYE goes to the Contact, a port that nobody holds; the core has sent it
                await until(lambda: len(server.capture._recorder.server.calls()) == 1)
            sent = await asyncio.to_thread(sent_rtp, answered, 20)
            await good.bye()
            records = await ended(server)
            assert server.capture.status()["defects"] == 1
            assert server.capture.status()["calls_started"] == 1
        assert heard(records) == sent
        assert "ZeroDivisionError" in server.lines.events("defect")[0]["error"]
        assert len(controls(records, "call")) == 1

    asyncio.run(scenario())


def test_a_defect_within_a_call_is_an_oddity_of_it(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    take = Recorder.take
    once = iter([True])

    def broken(self: Recorder, output: Event, at: Moment) -> None:
        if isinstance(output, CallEnded) and next(once, False):
            raise ZeroDivisionError("a defect")
        take(self, output, at)

    monkeypatch.setattr(Recorder, "take", broken)

    async def scenario() -> None:
        async with running(home) as server, peer("udp", server.port("udp")) as client:
            await client.call()
            await client.bye()
            await until(lambda: bool(server.lines.events("defect")))
        records = await server.journal()
        texts = [e["text"] for e in events(records) if e["type"] == "oddity"]
        assert texts == ["a defect of the recorder: see its log"]
        (end,) = controls(records, "end")  # the stop ends what is left over
        assert (end.facts["cause"], end.facts["who"]) == (3, 3)

    asyncio.run(scenario())


def test_an_answer_that_cannot_be_sent_is_noted(home: Home) -> None:
    async def scenario() -> None:
        async with running(home) as server:
            (udp,) = server.capture._sip._udp.values()
            udp.send(b"x" * 70_000, (HOST, 9))
            assert server.lines.events("not sent")[0]["why"]

    asyncio.run(scenario())


def test_a_wildcard_is_shown_as_the_media_address(home: Home) -> None:
    async def scenario() -> None:
        chosen = settings(Endpoint("udp", "0.0.0.0", 0), Endpoint("tcp", "::", 0))  # noqa: S104
        async with running(home, chosen) as server, peer("udp", server.port("udp")) as client:
            answered = await client.call()
            assert f"@{HOST}:{server.port('udp')}" in dict(answered.headers)["contact"]
            await client.bye()

    asyncio.run(scenario())


def test_a_flood_of_datagrams_does_not_cost_a_packet(home: Home) -> None:
    async def scenario() -> None:
        async with running(home) as server, peer("udp", server.port("udp")) as client:
            answered = await client.call()
            flood = asyncio.create_task(asyncio.to_thread(_flood, server.port("udp"), 5_000))
            sent = await asyncio.to_thread(sent_rtp, answered, 200)
            await flood
            await client.bye()
            records = await ended(server)
        assert heard(records) == sent
        assert late_packets(records) == []

    asyncio.run(scenario())


def _flood(port: int, count: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(count):
            sender.sendto(b"INVITE nonsense SIP/2.0\r\nVia: x\r\n\r\n", (HOST, port))


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_a_port_in_use_is_named_with_its_cure_and_nothing_stays_open(protocol: str) -> None:
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind((HOST, 0))
        if protocol == "tcp":
            other.listen()
        port = other.getsockname()[1]
        free = Endpoint(protocol, HOST, 0)
        with pytest.raises(
            MachineError, match=rf"cannot listen on {protocol}://{HOST}:{port}: .*in use"
        ) as e:
            bind([free, Endpoint(protocol, HOST, port)])
        assert "[sip] listen" in str(e.value)
    again = bind([Endpoint(protocol, HOST, port)])
    again[0].sock.close()
    assert str(Endpoint("tcp", "::1", 5060)) == "tcp://[::1]:5060"


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_a_call_over_ipv6(home: Home, protocol: str) -> None:
    """Signalling, description, media and its source, all of it IPv6."""
    chosen = settings(Endpoint("udp", "::1", 0), Endpoint("tcp", "::1", 0))
    six = replace(chosen, recorder=replace(chosen.recorder, media_address="::1"))
    offer = sdp("1").replace("IN IP4 127.0.0.1", "IN IP6 ::1")

    async def scenario() -> None:
        async with running(home, six) as server:
            kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
            with (
                socket.socket(socket.AF_INET6, kind) as sock,
                socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as media,
            ):
                sock.setblocking(False)
                sock.bind(("::1", 0))
                loop = asyncio.get_running_loop()
                await loop.sock_connect(sock, ("::1", server.port(protocol)))
                here = f"[::1]:{sock.getsockname()[1]}"
                via = f"{protocol.upper()} {here}"
                invite = sip(body=offer).replace(b"UDP 127.0.0.1:5555", via.encode())
                await loop.sock_sendall(sock, invite)
                got = b""
                async with asyncio.timeout(10):
                    while b"a=label" not in got:
                        got += await loop.sock_recv(sock, 65_535)
                assert b"c=IN IP6 ::1\r\n" in got
                assert b"Contact: <sip:memcon@[::1]:" in got
                port = int(re.search(rb"m=audio (\d+) ", got)[1])  # type: ignore[index]  # an answer has one
                packet = rtp(1, 7, b"six")
                media.sendto(packet, ("::1", port))
                await until(lambda: server.capture.status()["packets"] > 0)
            records = await server.journal()
        assert heard(records)[port] == [packet]
        assert [e["address"] for e in events(records) if e["type"] == "source"] == ["::1"]
        (call,) = controls(records, "call")
        assert call.facts["remote"] == here

    asyncio.run(scenario())
