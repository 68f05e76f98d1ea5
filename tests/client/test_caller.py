"""A call placed against the server core on loopback, by UDP and by TCP."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import pytest

from memcon.client.caller import CallReport, Progress, place_call
from memcon.client.voice import Voice, demo_voices
from memcon.errors import UsageError
from memcon.wire import events as ev
from memcon.wire import rtp

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from tests.client.conftest import Uas

    Serve = Callable[[str], AbstractAsyncContextManager[str]]

SHORT = (
    Voice("Anna", "sip:anna@x.example", b"\x01" * 1600),
    Voice("Ben", "sip:ben@y.example", b"\x02" * 800),
)


def call(serve: Serve, protocol: str, voices: tuple[Voice, ...] = SHORT, **options: Any) -> CallReport:
    async def run() -> CallReport:
        async with serve(protocol) as target:
            report = await place_call(target, voices=voices, **options)
            await asyncio.sleep(0.05)  # what is in the sockets is read
            return report

    return asyncio.run(run())


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_what_is_said_is_what_arrives(uas: Uas, serve: Serve, protocol: str) -> None:
    uas.receipt = lambda _: [("Memcon-Receipt", "v=1;...")]
    report = call(serve, protocol)
    assert report.statuses == (("INVITE", 200), ("BYE", 200))
    assert report.ended_by == "client"
    assert report.receipt == "v=1;..."
    assert report.answer_ms > 0
    assert report.target.startswith(f"{protocol}://127.0.0.1:")
    for stream, voice, number in zip(report.streams, SHORT, "12", strict=True):
        heard = uas.media[stream.remote[1]]
        assert (stream.label, stream.name, stream.aor) == (number, voice.name, voice.aor)
        assert stream.sent == len(heard) == 10  # 0.2 s, the shorter voice twice
        assert {p[12:] for p in heard} == {voice.audio[:160]}
        assert {rtp.parse(p).ssrc for p in heard} == {stream.ssrc}
        assert [r.packets for r in uas.reports[stream.remote[1]]] == [10]
    (started,) = uas.of(ev.CallStarted)
    assert isinstance(started, ev.CallStarted)
    assert started.call.invite == report.invite
    assert started.call.session_ids == (report.session_id,)
    assert [s.codecs[0].name for s in started.call.streams] == ["PCMA", "PCMA"]
    assert [s.remote for s in started.call.streams] == [s.local for s in report.streams]
    assert started.call.metadata is not None
    names = [p.names[-1].name for p in started.call.metadata.participants]
    assert names == ["Anna", "Ben"]
    (ended,) = uas.of(ev.CallEnded)
    assert isinstance(ended, ev.CallEnded)
    assert ended.by == "peer"


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_a_hold_is_seen_as_one_and_nothing_is_sent_meanwhile(uas: Uas, serve: Serve, protocol: str) -> None:
    said: list[Progress] = []
    report = call(
        serve, protocol, seconds=0.2, hold=(0.1, 0.15), progress=said.append, session_id="s-1", group_id="g"
    )
    assert report.statuses == (("INVITE", 200), ("INVITE", 200), ("INVITE", 200), ("BYE", 200))
    assert report.held is not None
    assert report.held[1] - report.held[0] >= 150_000_000
    kinds = [type(e) for e in uas.events if isinstance(e, ev.StreamPaused | ev.StreamResumed)]
    assert kinds == [ev.StreamPaused] * 2 + [ev.StreamResumed] * 2
    for stream in report.streams:
        heard = [rtp.parse(p) for p in uas.media[stream.remote[1]]]
        assert len(heard) == stream.sent == 10
        assert [p.marker for p in heard] == [n in (0, 5) for n in range(10)]
        assert (heard[5].timestamp - heard[4].timestamp) % (1 << 32) >= 1200
    (started,) = uas.of(ev.CallStarted)
    assert isinstance(started, ev.CallStarted)
    assert (started.call.session_ids, started.call.group_ids) == (("s-1",), ("g",))
    states = [p.state for p in said]
    assert [s for n, s in enumerate(states) if n == 0 or states[n - 1] != s] == [
        "calling", "talking", "held", "talking", "ended",
    ]  # fmt: skip
    assert said[0].elapsed == 0
    assert said[-1].played == 0.2
    assert [s.sent for s in said[-1].streams] == [10, 10]


def test_mu_law_is_offered_as_such(uas: Uas, serve: Serve) -> None:
    call(serve, "udp", (Voice("A", "sip:a@x", b"\xff" * 160, 0),))
    (started,) = uas.of(ev.CallStarted)
    assert isinstance(started, ev.CallStarted)
    assert [c.name for s in started.call.streams for c in s.codecs] == ["PCMU"]


def test_the_recorder_may_hang_up(uas: Uas, serve: Serve) -> None:
    def hang_up(progress: Progress) -> None:
        if progress.state == "talking" and progress.played > 0.05:
            uas.hang_up()

    report = call(serve, "udp", seconds=20.0, hold=(10.0, 1.0), progress=hang_up)
    assert report.ended_by == "recorder"
    assert report.statuses == (("INVITE", 200),)
    assert 0 < report.streams[0].sent < 100


@pytest.mark.parametrize("when", ["talking", "held"])
def test_a_call_can_be_stopped_early(uas: Uas, serve: Serve, when: str) -> None:
    stop = asyncio.Event()

    def look(progress: Progress) -> None:
        if progress.state == when:
            stop.set()

    report = call(serve, "udp", seconds=20.0, hold=(0.04, 20.0), progress=look, stop=stop)
    assert report.statuses[-1] == ("BYE", 200)
    assert report.ended_by == "client"
    assert report.streams[0].sent <= 2


def test_a_recorder_that_stops_answering_is_in_the_statuses(uas: Uas, serve: Serve) -> None:
    def deafen(progress: Progress) -> None:
        uas.deaf = uas.deaf or progress.state == "talking"

    report = call(serve, "udp", seconds=0.04, progress=deafen, answer_seconds=0.3)
    assert report.statuses == (("INVITE", 200), ("BYE", 408))
    assert report.ended_by == "client"


def test_reports_are_sent_in_their_rhythm(uas: Uas, serve: Serve) -> None:
    report = call(serve, "udp", seconds=0.9, rtcp_seconds=0.2)
    counts = [r.packets for r in uas.reports[report.streams[0].remote[1]]]
    assert len(counts) >= 3
    assert counts == sorted(counts)
    assert counts[-1] == 45


def test_nobody_there_is_said_with_the_cure() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    for protocol in ("udp", "tcp"):
        with pytest.raises(UsageError, match="nobody answers") as caught:
            asyncio.run(place_call(f"{protocol}://127.0.0.1:{port}", voices=SHORT))
        assert caught.value.cure is not None
        assert "memcon serve" in caught.value.cure


def test_silence_is_not_waited_for_for_ever(uas: Uas, serve: Serve) -> None:
    uas.deaf = True
    with pytest.raises(UsageError, match=r"no answer within 0\.2 s"):
        call(serve, "udp", answer_seconds=0.2)


def test_a_refusal_names_its_status(uas: Uas, serve: Serve) -> None:
    uas.ports_left = 1
    with pytest.raises(UsageError, match="refused the call with 503"):
        call(serve, "tcp")


@pytest.mark.parametrize(
    "voices",
    [(), (Voice("A", "sip:a@x", b"", 0), Voice("B", "sip:b@x", b"", 8)), (Voice("A", "sip:a@x", b"", 18),)],
)
def test_voices_that_do_not_fit_are_refused(voices: tuple[Voice, ...]) -> None:
    with pytest.raises(UsageError, match=r"one G\.711 law"):
        asyncio.run(place_call("udp://127.0.0.1:5060", voices=voices))


def test_the_demo_voices_can_be_played(uas: Uas, serve: Serve) -> None:
    voices = demo_voices()
    report = call(serve, "udp", voices, seconds=0.1)
    for stream, voice in zip(report.streams, voices, strict=True):
        heard = b"".join(p[12:] for p in uas.media[stream.remote[1]])
        assert heard == voice.audio[:800]
