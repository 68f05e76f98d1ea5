"""The SIP socket: addresses read, messages given to their call, connections that break."""

from __future__ import annotations

import asyncio
import secrets
import socket
from typing import TYPE_CHECKING

import pytest

from memcon.client.link import Line, Link, Target, resolve
from memcon.clock import SystemClock
from memcon.errors import UsageError
from memcon.wire import events as ev
from memcon.wire.src_client import Answered, ClientConfig, Ended, Party, RecordingClient, Refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from tests.client.conftest import Uas

    Serve = Callable[[str], AbstractAsyncContextManager[str]]


@pytest.mark.parametrize(
    ("text", "expected", "uri"),
    [
        ("udp://127.0.0.1:5060", Target("udp", "127.0.0.1", 5060), "sip:memcon@127.0.0.1:5060"),
        ("tcp://127.0.0.1:5070", Target("tcp", "127.0.0.1", 5070), "sip:memcon@127.0.0.1:5070;transport=tcp"),
        ("udp://127.0.0.1", Target("udp", "127.0.0.1", 5060), "sip:memcon@127.0.0.1:5060"),
        ("tcp://[::1]:5070", Target("tcp", "::1", 5070), "sip:memcon@[::1]:5070;transport=tcp"),
    ],
)
def test_targets_are_read(text: str, expected: Target, uri: str) -> None:
    got = asyncio.run(resolve(text))
    assert got == expected
    assert got.uri == uri


@pytest.mark.parametrize(
    "text", ["", "127.0.0.1:5060", "sip:x@y", "tls://127.0.0.1:5061", "udp://", "udp://127.0.0.1:70000",
             "udp://[::1", "tcp://no-such-host.invalid:5060", "udp://" + "a" * 70 + ".example"],
)  # fmt: skip
def test_other_targets_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        asyncio.run(resolve(text))
    assert caught.value.cure is not None
    assert "udp://127.0.0.1:5060" in caught.value.cure


def client(link: Link) -> RecordingClient:
    party = Party("sip:a@x", "A", 40_000, "1", "p1", "s1")
    config = ClientConfig(link.target.uri, link.transport, "127.0.0.1", (party,))
    return RecordingClient(config, lambda: secrets.token_hex(8))


async def invite(link: Link) -> Line:
    line = link.add(client(link))
    result = await line.ask(line.client.invite(link.now()), 60)
    assert isinstance(result, Answered)
    return line


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_calls_share_a_link_and_are_told_apart(uas: Uas, serve: Serve, protocol: str) -> None:
    async def run() -> None:
        async with serve(protocol) as target:
            link = await Link.open(target, SystemClock())
            first, second = await asyncio.gather(invite(link), invite(link))
            assert isinstance(await first.ask(first.client.bye(link.now()), 60), Ended)
            assert first.over.is_set()
            assert not second.over.is_set()
            uas.hang_up()
            await asyncio.wait_for(second.over.wait(), 60)
            assert (first.ended_by, second.ended_by) == ("client", "recorder")
            await link.close()

    asyncio.run(run())
    assert len(uas.of(ev.CallEnded)) == 2
    assert uas.connections == (1 if protocol == "tcp" else 0)


def test_a_request_that_got_no_answer_is_sent_again(uas: Uas, serve: Serve) -> None:
    async def run() -> None:
        async with serve("udp") as target:
            link = await Link.open(target, SystemClock())
            uas.deaf = True
            asyncio.get_running_loop().call_later(0.3, setattr, uas, "deaf", False)
            await invite(link)
            await link.close()

    asyncio.run(run())
    assert len(uas.of(ev.CallStarted)) == 1
    again = [e for e in uas.of(ev.MessageReceived) if isinstance(e, ev.MessageReceived) and e.retransmission]
    assert again


def test_noise_is_counted_and_answers_to_strangers_are_dropped(uas: Uas, serve: Serve) -> None:
    async def run() -> None:
        async with serve("udp") as target:
            link = await Link.open(target, SystemClock())
            line = await invite(link)
            link.remove(line)
            assert uas.udp is not None
            for data in (b"\x80noise", b"SIP/2.0 200 OK\r\n\r\n", b"\xff" * 40):
                uas.udp.sendto(data, link.local)
            for answer in uas.of(ev.MessageSent):
                assert isinstance(answer, ev.MessageSent)
                uas.udp.sendto(answer.raw, link.local)
            await asyncio.sleep(0.05)
            assert link.unreadable == 3
            await link.close()

    asyncio.run(run())


def test_a_stream_that_cannot_be_followed_is_closed_and_opened_again(uas: Uas, serve: Serve) -> None:
    async def run() -> None:
        async with serve("tcp") as target:
            link = await Link.open(target, SystemClock())
            line = await invite(link)
            (connection,) = uas.tcp.values()
            connection.write(b"SIP/2.0 200 OK\r\nContent-Length: never\r\n\r\n")
            await asyncio.sleep(0.05)
            assert link.unreadable == 1
            assert isinstance(await line.ask(line.client.bye(link.now()), 60), Ended)
            await link.close()

    asyncio.run(run())
    assert uas.connections == 2


def test_what_waits_when_the_connection_breaks_fails_and_the_next_request_goes_over_a_new_one(
    uas: Uas, serve: Serve
) -> None:
    async def run() -> None:
        async with serve("tcp") as target:
            link = await Link.open(target, SystemClock())
            line = await invite(link)
            uas.deaf = True
            asyncio.get_running_loop().call_later(0.05, next(iter(uas.tcp.values())).abort)
            with pytest.raises(UsageError, match="the connection broke"):
                await line.ask(line.client.hold(link.now()), 60)
            uas.deaf = False
            assert isinstance(await line.ask(line.client.bye(link.now()), 60), Ended)
            await link.close()

    asyncio.run(run())
    assert uas.connections == 2


def test_a_recorder_that_is_gone_for_good_is_said_to_be(uas: Uas, serve: Serve) -> None:
    async def run() -> None:
        async with serve("tcp") as target:
            link = await Link.open(target, SystemClock())
            line = await invite(link)
        await asyncio.sleep(0.05)
        with pytest.raises(UsageError, match="nobody answers"):
            await line.ask(line.client.bye(link.now()), 60)
        await link.close()
        link.send(b"after the end")  # dropped: no new connection is opened

    asyncio.run(run())


def test_a_recorder_that_answered_before_may_come_back() -> None:
    """A datagram that finds nobody ends a call at an address where nobody ever was, and no other."""
    gone = b"SIP/2.0 404 Not here\r\n"

    async def go() -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as theirs:
            theirs.bind(("127.0.0.1", 0))
            theirs.setblocking(False)
            where = theirs.getsockname()
            link = await Link.open(f"udp://127.0.0.1:{where[1]}", SystemClock())
            line = link.add(client(link))
            asked = loop.create_task(line.ask(line.client.invite(link.now()), 60))
            data, back = await loop.sock_recvfrom(theirs, 65_535)
            head = data.split(b"\r\n\r\n")[0].split(b"\r\n")
            answer = gone + b"\r\n".join(
                h for h in head[1:] if h[:3] in (b"Via", b"Fro", b"To:", b"Cal", b"CSe")
            )
            await loop.sock_sendto(theirs, answer + b"\r\nContent-Length: 0\r\n\r\n", back)
            assert isinstance(await asked, Refused)
        line = link.add(client(link))
        asked = loop.create_task(line.ask(line.client.invite(link.now()), 60))
        await asyncio.sleep(0.3)  # nobody is there now, and the kernel says so
        assert not asked.done()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
            again.bind(where)
            again.setblocking(False)
            data, _ = await asyncio.wait_for(loop.sock_recvfrom(again, 65_535), 30)
            assert data.startswith(b"INVITE")
        asked.cancel()
        await link.close()

    asyncio.run(go())
