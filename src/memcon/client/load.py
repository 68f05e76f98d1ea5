"""Many recorded calls at once, to see what a recorder bears: real SIP for each, paced RTP for all.

    memcon load --to udp://127.0.0.1:5060 --calls 500 --seconds 60 --json

Every call is counted stream by stream, so that a recorder's account can be set beside what was sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import secrets
import statistics
import threading
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from memcon.client.caller import new_id64, receipt_of
from memcon.client.link import Link
from memcon.client.media import Faults
from memcon.client.media_thread import MediaThread, Play
from memcon.client.voice import demo_voices
from memcon.clock import NS, SystemClock
from memcon.errors import UsageError
from memcon.wire.codec import STATIC
from memcon.wire.src_client import Answered, ClientConfig, Party, RecordingClient, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memcon.client.link import Line
    from memcon.client.media_thread import Played
    from memcon.clock import Clock

DRAIN_S: Final = 0.2  # between the last packet and BYE, as a client's own latency would be
LOOK_S: Final = 0.5
MAX_CALLS: Final = 10_000


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What to do: `ramp` calls a second are begun, each lasts `seconds` from its answer.

    `lose`, `repeat` and `reorder` are probabilities per packet, drawn from `seed`.
    """

    target: str
    calls: int = 500
    seconds: float = 60.0
    ramp: float = 100.0
    streams: int = 2
    lose: float = 0.0
    repeat: float = 0.0
    reorder: float = 0.0
    seed: int = 1
    sockets: int = 1
    connections: int = 1
    answer_seconds: float = 16.0


@dataclass(frozen=True, slots=True)
class StreamSent:
    """One stream: `port` is the recorder's; `sent` what the kernel took, repeated packets included."""

    label: str
    port: int
    ssrc: int
    sent: int


@dataclass(frozen=True, slots=True)
class CallSent:
    """One call: `status` of the INVITE (408: no answer), `bye` of the BYE, 0 where none was sent."""

    call_id: str
    session_id: str
    status: int = 408
    bye: int = 0
    answer_ms: float = 0.0
    receipt: bool = False
    ended_by: str = "client"
    streams: tuple[StreamSent, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What was done; counts are packets, `octets` UDP payload, times s (wall clock ns for start and end)."""

    plan: LoadPlan
    started: int
    ended: int
    calls: tuple[CallSent, ...]
    sent: int
    octets: int
    lost: int
    repeated: int
    reordered: int
    late_ticks: int
    refused: dict[int, int]
    cpu: float

    @property
    def answered(self) -> int:
        """Calls that were taken."""
        return sum(call.status == 200 for call in self.calls)

    @property
    def good(self) -> bool:
        """Whether every call was taken and ended."""
        return all(call.status == 200 and call.bye in (0, 200) for call in self.calls)

    def summary(self) -> dict[str, Any]:
        """Everything as JSON values."""
        delays = sorted(call.answer_ms for call in self.calls if call.status == 200)
        return asdict(self) | {
            "answered": self.answered,
            "answer_ms": {
                "median": round(statistics.median(delays), 3) if delays else None,
                "p99": round(delays[len(delays) * 99 // 100], 3) if delays else None,
                "max": round(delays[-1], 3) if delays else None,
            },
        }


def check(plan: LoadPlan) -> None:
    """Raises UsageError for a plan that cannot be."""
    if not 1 <= plan.calls <= MAX_CALLS or plan.ramp <= 0 or plan.seconds <= 0 or not 1 <= plan.streams <= 64:
        raise UsageError(
            f"{plan.calls} calls of {plan.streams} streams, {plan.ramp:g} a second, {plan.seconds:g} s each",
            cure=f"1 to {MAX_CALLS} calls of 1 to 64 streams, ramp and seconds above 0",
        )
    if not all(0 <= p <= 1 for p in (plan.lose, plan.repeat, plan.reorder)):
        raise UsageError("a fault's probability is not from 0 to 1", cure="Write one per cent as 0.01")
    if plan.sockets < 1 or plan.connections < 1:
        raise UsageError("at least one media socket and one SIP socket are needed")


async def run_load(
    plan: LoadPlan, clock: Clock | None = None, until: threading.Event | None = None
) -> LoadReport:
    """Do it. Raises UsageError where nobody listens or the plan cannot be; refusals are counted.

    Calls end after `plan.seconds`, or when `until` is set.
    """
    check(plan)
    clock = clock or SystemClock()
    links = [await Link.open(plan.target, clock)]
    try:
        links += [await Link.open(plan.target, clock) for _ in range(plan.connections - 1)]
        faults = None
        if plan.lose or plan.repeat or plan.reorder:
            generator = np.random.default_rng(plan.seed)
            faults = Faults(generator, lose=plan.lose, repeat=plan.repeat, reorder=plan.reorder)
        media = MediaThread(clock, links[0].local[0], sockets=plan.sockets, faults=faults)
        try:
            media.start()
            return await _Load(plan, links, media, clock, until or threading.Event()).run()
        finally:
            media.close()
    finally:
        for link in links:
            await link.close()


class _Load:
    def __init__(
        self, plan: LoadPlan, links: Sequence[Link], media: MediaThread, clock: Clock, until: threading.Event
    ) -> None:
        self._plan = plan
        self._until = until
        self._links = links
        self._media = media
        self._clock = clock
        self._voices = demo_voices()

    async def run(self) -> LoadReport:
        started, began, cpu = self._clock.wall_ns(), self._clock.monotonic_ns(), _cpu_seconds()
        tasks = []
        for number in range(self._plan.calls):
            due = began + round(number / self._plan.ramp * NS)
            await asyncio.sleep(max(0, due - self._clock.monotonic_ns()) / NS)
            tasks.append(asyncio.create_task(self._call(number)))
        calls = await asyncio.gather(*tasks)
        totals = self._media.totals()
        return LoadReport(
            self._plan,
            started,
            self._clock.wall_ns(),
            tuple(calls),
            totals.sent,
            totals.octets,
            totals.lost,
            totals.repeated,
            totals.reordered,
            totals.late_ticks,
            dict(self._media.refused()),
            _cpu_seconds() - cpu,
        )

    def _client(self, link: Link, number: int, session_id: str) -> RecordingClient:
        port = self._media.ports[number % self._plan.sockets]
        parties = tuple(
            Party(
                f"sip:load-{number}-{n}@load.example",
                f"Load {number}-{n}",
                port,
                str(n),
                new_id64(),
                new_id64(),
            )
            for n in range(1, self._plan.streams + 1)
        )
        config = ClientConfig(
            target=link.target.uri,
            transport=link.transport,
            media_address=link.local[0],
            parties=parties,
            codec=STATIC[self._voices[0].payload_type],
            session_id=session_id,
        )
        return RecordingClient(config, lambda: secrets.token_hex(8))

    async def _call(self, number: int) -> CallSent:
        link = self._links[number % len(self._links)]
        session_id = new_id64()
        client = self._client(link, number, session_id)
        line = link.add(client)
        count = CallSent(client.call_id, session_id)
        began = self._clock.monotonic_ns()
        try:
            result = await line.ask(client.invite(began), self._plan.answer_seconds)
            if isinstance(result, Answered):
                delay = round((self._clock.monotonic_ns() - began) / 1e6, 3)
                count = replace(count, status=200, answer_ms=delay, receipt=receipt_of(result) is not None)
                count = await self._speak(line, result, number, count)
            elif isinstance(result, Refused):
                count = replace(count, status=result.status)
        except UsageError:
            pass  # no answer: the status says so
        finally:
            link.remove(line)
        return count

    async def _last(self, line: Line) -> None:
        """Wait for the end: the other side's, or ours."""
        end = self._clock.monotonic_ns() + round(self._plan.seconds * NS)
        while not self._until.is_set() and (left := end - self._clock.monotonic_ns()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(line.over.wait(), min(left / NS, LOOK_S))
                return

    async def _speak(self, line: Line, answer: Answered, number: int, count: CallSent) -> CallSent:
        plays = [
            Play(host, port, self._voices[n % 2].audio, self._voices[n % 2].payload_type)
            for n, (host, port, _) in enumerate(answer.streams)
            if port
        ]
        playing = await self._media.add(plays, number % self._plan.sockets)
        try:
            await self._last(line)
        finally:
            played = await self._media.remove(playing)
        count = replace(count, streams=_streams(answer, played), ended_by=line.ended_by or "client")
        if line.client.state != "up":
            return count
        await asyncio.sleep(DRAIN_S)
        try:
            result = await line.ask(line.client.bye(self._clock.monotonic_ns()), self._plan.answer_seconds)
        except UsageError:
            return replace(count, bye=408)
        return replace(count, bye=result.status if isinstance(result, Refused) else 200)


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _streams(answer: Answered, played: Sequence[Played]) -> tuple[StreamSent, ...]:
    labels = {(host, port): label or "" for host, port, label in answer.streams}
    return tuple(StreamSent(labels[one.remote], one.remote[1], one.ssrc, one.sent) for one in played)


def words(report: LoadReport) -> str:
    """The report in three lines."""
    plan, delays = report.plan, report.summary()["answer_ms"]
    each = report.cpu / max(1, report.sent) * 1e6
    lines = [
        f"{report.answered} of {plan.calls} calls taken; answered in {delays['median']} ms (median), "
        f"{delays['p99']} ms (99 %), {delays['max']} ms (longest)",
        f"{report.sent} packets sent, {sum(report.refused.values())} refused by this machine's kernel, "
        f"{report.lost} left out, {report.repeated} repeated, {report.reordered} out of order",
        f"{report.late_ticks} batches late; {each:.2f} us CPU a packet sent",
    ]
    return "\n".join(lines)
