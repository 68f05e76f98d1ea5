"""Streams added to and taken from a running thread."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from memcon.client.media_late import Faults
from memcon.client.media_thread import MediaThread, Play, Playing
from memcon.client.voice import bind_pair
from memcon.clock import SystemClock
from memcon.errors import LocalError
from memcon.wire import rtcp, rtp

if TYPE_CHECKING:
    import socket


def drain(sock: socket.socket) -> list[bytes]:
    sock.setblocking(False)
    found = []
    while True:
        try:
            found.append(sock.recv(2000))
        except BlockingIOError:
            return found


@pytest.mark.parametrize("faulty", [False, True])
def test_each_stream_is_counted_as_it_was_sent(faulty: bool) -> None:
    generator = np.random.default_rng(3)
    faults = Faults(generator, lose=0.2, repeat=0.2, reorder=0.2) if faulty else None
    thread = MediaThread(SystemClock(), "127.0.0.1", sockets=2, faults=faults)
    pairs = [bind_pair("127.0.0.1") for _ in range(4)]

    async def run() -> list[int]:
        plays = [
            Play("127.0.0.1", pair[0].getsockname()[1], bytes([n]) * 160, 0) for n, pair in enumerate(pairs)
        ]
        first = await thread.add(plays[:2], 0)
        second = await thread.add(plays[2:], 1)
        await asyncio.sleep(0.3)
        return [one.sent for one in (*await thread.remove(first), *await thread.remove(second))]

    thread.start()
    sent = asyncio.run(run())
    time.sleep(0.02)
    totals, refused = thread.totals(), thread.refused()
    ports = thread.ports
    thread.close()
    assert not refused
    assert totals.sent == sum(sent) > 20
    assert totals.octets == 172 * totals.sent
    assert bool(totals.lost and totals.repeated and totals.reordered) == faulty
    assert len(set(ports)) == 2
    ssrcs = set()
    for number, (media, control) in enumerate(pairs):
        heard = drain(media)
        assert len(heard) == sent[number]
        assert {packet[12:] for packet in heard} == {bytes([number]) * 160}
        (report,) = [rtcp.last_sender_report(rtcp.parse(data)) for data in drain(control)]
        assert report is not None
        assert report.packets == sent[number]
        assert {rtp.parse(packet).ssrc for packet in heard} == {report.ssrc}
        ssrcs.add(report.ssrc)
        media.close()
        control.close()
    assert len(ssrcs) == 4


def test_an_error_reaches_the_one_who_asked_and_the_thread_goes_on() -> None:
    thread = MediaThread(SystemClock(), "127.0.0.1", sockets=1)
    thread.start()

    async def run() -> None:
        with pytest.raises(LocalError, match="no stream 9"):
            await thread.remove([Playing(0, 9, Play("127.0.0.1", 9, b"", 8))])
        with pytest.raises(LocalError, match="literal address"):
            await thread.add([Play("somewhere.example", 9, b"", 8)], 0)
        assert await thread.add([], 0) == []

    asyncio.run(run())
    thread.close()


def test_a_thread_that_never_ran_can_be_closed() -> None:
    thread = MediaThread(SystemClock(), "127.0.0.1")
    assert thread.totals().sent == 0
    thread.close()
