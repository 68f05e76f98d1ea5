"""Lines that are switched off: calls are answered and journalled, their audio is not."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from tests.capture.kit import controls, events, packets, peer, running, until

from memcon.store import durable, switch
from memcon.store.switch import Switched

if TYPE_CHECKING:
    from tests.capture.kit import Running

    from memcon.store.paths import Home
    from memcon.wire.src_client import Answered

OFF = Switched(True, (), "ab" * 32, "J. Ruiz", "by hand", "monthly test")
ON = Switched()


def send(answered: Answered, text: bytes) -> None:
    """One packet to each stream, and one to its RTCP port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for n, (host, port, _) in enumerate(answered.streams):
            sender.sendto(b"\x80\x08" + bytes(10) + text + b"%d" % n, (host, port))
            sender.sendto(b"\x80\xc8" + bytes(26) + text, (host, port + 1))


async def switched(server: Running, to: Switched) -> None:
    before = len(server.lines.events("switch"))
    switch.write(server.home, to)
    await until(lambda: len(server.lines.events("switch")) > before)
    await asyncio.sleep(0.3)  # two sweeps: the media thread has done what it was told


def test_a_call_that_goes_on_is_not_kept_while_off(home: Home) -> None:
    async def scenario() -> None:
        async with running(home) as server, peer("udp", server.port("udp")) as client:
            answered = await client.call()
            send(answered, b"before")
            await switched(server, OFF)
            send(answered, b"secret")
            await asyncio.sleep(0.3)
            assert server.capture.status()["off"] == {"whole": True, "lines": []}
            await switched(server, ON)
            send(answered, b"after")
            await client.bye()
            await until(lambda: bool(server.lines.events("call ended")))
            journal = await server.journal()
        kept = b" ".join(p.data for p in packets(journal))
        assert kept.count(b"before") == kept.count(b"after") == 2 * len(answered.streams)
        assert b"secret" not in kept
        told = [(e["type"], e.get("count")) for e in events(journal) if e["type"] in ("off", "on")]
        assert told == [("off", None)] * 2 + [("on", 2)] * 2
        switches = [(c.facts["whole"], c.facts["statement"]) for c in controls(journal, "switch")]
        assert switches[0] == (True, "ab" * 32)
        assert switches[-1] == (False, "")

    asyncio.run(scenario())


def test_a_call_that_begins_while_its_line_is_off_is_answered_and_counted(home: Home) -> None:
    async def scenario() -> None:
        durable.make_dirs(home.root)
        switch.write(home, Switched(False, ("desk", "all"), "cd" * 32, "J. Ruiz", "by hand", "test"))
        async with running(home) as server, peer("udp", server.port("udp")) as client:
            answered = await client.call()
            send(answered, b"secret")
            await asyncio.sleep(0.3)
            await client.bye()
            await until(lambda: bool(server.lines.events("call ended")))
            journal = await server.journal()
        assert packets(journal) == []
        order = [c.facts["type"] for c in controls(journal, "start", "switch", "call", "end")]
        assert [t for t in order if t != "switch"] == ["start", "call", "end"]
        assert order[1] == "switch"
        told = [e for e in events(journal) if e["type"] == "off"]
        assert [e.get("statement", "")[:2] for e in told[:2]] == ["cd", "cd"]
        assert told[-1]["count"] == 2 * len(answered.streams)

    asyncio.run(scenario())


def test_what_cannot_be_read_switches_nothing(home: Home) -> None:
    async def scenario() -> None:
        durable.make_dirs(home.root)
        switch.write(home, OFF)
        async with running(home) as server:
            home.switch.write_bytes(b"{")
            await until(lambda: bool(server.lines.events("the off switch cannot be read")))
            assert server.capture.status()["off"]["whole"]

    asyncio.run(scenario())
