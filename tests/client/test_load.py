"""Many calls against the server core on loopback: everything sent arrives and is counted."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from memcon.client.load import run_load
from memcon.client.load_plan import LoadPlan, LoadProgress, LoadReport, read_sent
from memcon.errors import FormatError, UsageError
from memcon.wire import events as ev
from memcon.wire import rtcp
from memcon.wire.sdes import parse as parse_crypto
from memcon.wire.srtp import Guard

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from tests.client.conftest import Uas

    Serve = Callable[[str], AbstractAsyncContextManager[str]]


def run(serve: Serve, protocol: str, **options: Any) -> LoadReport:
    async def go() -> LoadReport:
        async with serve(protocol) as target:
            report = await run_load(LoadPlan(target, **options))
            await asyncio.sleep(0.1)
            return report

    return asyncio.run(go())


def assert_counts_agree(report: LoadReport, uas: Uas) -> None:
    for call in report.calls:
        for stream in call.streams:
            assert stream.sent == len(uas.media[stream.port]) == uas.reports[stream.port][-1].packets
    assert report.sent == sum(s.sent for call in report.calls for s in call.streams)


@pytest.mark.parametrize(("protocol", "connections"), [("udp", 1), ("tcp", 3)])
def test_every_packet_of_every_call_arrives(uas: Uas, serve: Serve, protocol: str, connections: int) -> None:
    uas.receipt = lambda _: [("Memcon-Receipt", "v=1")]
    report = run(serve, protocol, calls=12, seconds=0.4, ramp=60, connections=connections)
    assert report.answered == 12
    assert {(c.status, c.bye, c.ended_by, c.receipt) for c in report.calls} == {(200, 200, "client", True)}
    assert [[s.label for s in c.streams] for c in report.calls] == [["1", "2"]] * 12
    assert report.sent >= 12 * 2 * 15
    assert not report.refused
    assert (report.lost, report.repeated, report.reordered) == (0, 0, 0)
    assert_counts_agree(report, uas)
    assert len(uas.of(ev.CallEnded)) == 12
    assert uas.connections == (connections if protocol == "tcp" else 0)
    assert report.ended - report.started >= 400_000_000 + 11 * 16_000_000
    assert report.cpu > 0
    summary = json.loads(json.dumps(report.summary()))
    assert summary["answered"] == 12
    assert 0 < summary["answer_ms"]["median"] <= summary["answer_ms"]["p99"] <= summary["answer_ms"]["max"]


def test_faults_are_made_and_counted(uas: Uas, serve: Serve) -> None:
    report = run(serve, "udp", calls=4, seconds=0.5, lose=0.1, repeat=0.1, reorder=0.1, streams=3, sockets=1)
    assert report.lost > 0
    assert report.repeated > 0
    assert report.reordered > 0
    assert_counts_agree(report, uas)
    assert [len(c.streams) for c in report.calls] == [3] * 4


def test_jitter_and_srtp_by_the_suite_that_was_asked_for(uas: Uas, serve: Serve) -> None:
    told: list[LoadProgress] = []
    uas.secure = True

    async def go() -> LoadReport:
        async with serve("udp") as target:
            suite = "AEAD_AES_256_GCM"
            plan = LoadPlan(target, calls=2, seconds=0.7, jitter_ms=60, srtp=suite)
            report = await run_load(plan, progress=told.append)
            await asyncio.sleep(0.1)
            return report

    report = asyncio.run(go())
    assert report.good
    for started, call in zip(uas.of(ev.CallStarted), report.calls, strict=True):
        assert isinstance(started, ev.CallStarted)
        assert b"RTP/SAVP" in started.call.invite
        lines = [each.key_line for each in started.call.streams]
        for stream, crypto in zip(call.streams, lines, strict=True):
            packets = uas.media[stream.port]
            assert len(packets) == stream.sent > 20
            guard = Guard(parse_crypto(crypto))
            opened = guard.open(packets)
            (control,) = guard.open(uas.secured[stream.port])
            assert control is not None
            said = rtcp.last_sender_report(rtcp.parse(control))
            assert said is not None
            assert said.packets == stream.sent
            numbers = {(int.from_bytes(p[2:4], "big") - stream.first) & 0xFFFF for p in opened if p}
            assert numbers == set(range(stream.packets)) - set(stream.left_out)
    assert told[-1].begun == 2
    assert any(each.up == 2 and each.sent > 0 for each in told)
    assert read_sent(json.dumps(report.summary()).encode()) == report.calls


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"{",
        b'{"calls": 7}',
        b'{"calls": [{}]}',
        b"\xff",
        b'{"calls": [{"call_id": "a", "session_id": "b", "streams": [{"left_out": ["x"], "twice": []}]}]}',
    ],
)
def test_what_is_no_report_of_a_load_is_said(data: bytes) -> None:
    with pytest.raises(FormatError, match="memcon load --json"):
        read_sent(data)


def test_refusals_are_counted_and_the_others_go_on(uas: Uas, serve: Serve) -> None:
    uas.ports_left = 5
    report = run(serve, "udp", calls=4, seconds=0.1)
    assert sorted(c.status for c in report.calls) == [200, 200, 503, 503]
    assert report.answered == 2
    assert_counts_agree(report, uas)


def test_a_recorder_that_hangs_up_is_told_apart(uas: Uas, serve: Serve) -> None:
    async def go() -> LoadReport:
        async with serve("udp") as target:
            asyncio.get_running_loop().call_later(0.3, uas.hang_up)
            return await run_load(LoadPlan(target, calls=2, seconds=20))

    report = asyncio.run(go())
    assert {(c.status, c.bye, c.ended_by) for c in report.calls} == {(200, 0, "recorder")}


def test_no_answer_and_no_answer_to_bye_are_told_apart(uas: Uas, serve: Serve) -> None:
    async def go() -> LoadReport:
        async with serve("udp") as target:
            asyncio.get_running_loop().call_later(0.3, setattr, uas, "deaf", True)
            return await run_load(LoadPlan(target, calls=2, seconds=0.4, ramp=2, answer_seconds=0.3))

    report = asyncio.run(go())
    assert [(c.status, c.bye) for c in report.calls] == [(200, 408), (408, 0)]
    assert report.summary()["answered"] == 1


@pytest.mark.parametrize(
    "options",
    [{"calls": 0}, {"calls": 10_001}, {"ramp": 0}, {"seconds": 0}, {"streams": 0}, {"streams": 65},
     {"jitter_ms": -1}, {"jitter_ms": 1e6}, {"srtp": "ROT13"},
     {"lose": 1.1}, {"repeat": -0.1}, {"reorder": 2}, {"sockets": 0}, {"connections": 0}],
)  # fmt: skip
def test_plans_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        asyncio.run(run_load(LoadPlan("udp://127.0.0.1:5060", **options)))
