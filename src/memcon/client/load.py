"""Many recorded calls at once, to see what a recorder bears: real SIP for each, paced RTP for all.

    memcon load --to udp://127.0.0.1:5060 --calls 500 --seconds 60 --json

Every call is counted stream by stream, so that a recorder's account can be set beside what was sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import secrets
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from memcon.client.caller import new_id64, receipt_of
from memcon.client.link import Link
from memcon.client.load_plan import CallSent, LoadPlan, LoadProgress, LoadReport, StreamSent, check
from memcon.client.media_late import Faults
from memcon.client.media_thread import MediaThread, Play
from memcon.client.voice import demo_voices
from memcon.clock import NS, SystemClock
from memcon.errors import UsageError
from memcon.wire.codec import STATIC
from memcon.wire.sdes import parse as parse_crypto
from memcon.wire.src_client import Answered, ClientConfig, Party, RecordingClient, Refused
from memcon.wire.srtp_client import Protector, crypto_line, key_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from memcon.client.link import Line
    from memcon.client.media_thread import Played
    from memcon.clock import Clock

DRAIN_S: Final = 0.2  # between the last packet and BYE, as a client's own latency would be
LOOK_S: Final = 0.5


async def run_load(
    plan: LoadPlan,
    clock: Clock | None = None,
    until: threading.Event | None = None,
    progress: Callable[[LoadProgress], None] | None = None,
) -> LoadReport:
    """Do it. Raises UsageError where nobody listens or the plan cannot be; refusals are counted.

    Calls end after `plan.seconds`, or when `until` is set. `progress` is called twice a second.
    """
    check(plan)
    clock = clock or SystemClock()
    links = [await Link.open(plan.target, clock)]
    try:
        links += [await Link.open(plan.target, clock) for _ in range(plan.connections - 1)]
        media = MediaThread(
            clock,
            links[0].local[0],
            sockets=plan.sockets,
            trailer=_trailer(plan.srtp),
            faults=_faults(plan),
        )
        try:
            media.start()
            load = _Load(plan, links, media, clock, until or threading.Event())
            return await load.run(progress)
        finally:
            media.close()
    finally:
        for link in links:
            await link.close()


def _faults(plan: LoadPlan) -> Faults | None:
    if not (plan.lose or plan.repeat or plan.reorder or plan.jitter_ms):
        return None
    return Faults(
        np.random.default_rng(plan.seed),
        lose=plan.lose,
        repeat=plan.repeat,
        reorder=plan.reorder,
        jitter_ms=plan.jitter_ms,
    )


def _crypto(suite: str) -> str:
    """A new key line, "" where it is to be RTP."""
    return crypto_line(suite, secrets.token_bytes(key_bytes(suite))) if suite else ""


def _trailer(suite: str) -> int:
    return Protector(parse_crypto(_crypto(suite))).trailer if suite else 0


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
        self._begun = self._up = self._over = 0

    async def run(self, progress: Callable[[LoadProgress], None] | None) -> LoadReport:
        """Place all calls and wait for their ends."""
        if progress is None:
            return await self._place()
        saying = asyncio.create_task(self._say(progress))
        try:
            return await self._place()
        finally:
            saying.cancel()

    async def _say(self, progress: Callable[[LoadProgress], None]) -> None:
        began = self._clock.monotonic_ns()
        while True:
            elapsed = (self._clock.monotonic_ns() - began) / NS
            progress(LoadProgress(self._begun, self._up, self._over, self._media.totals().sent, elapsed))
            await asyncio.sleep(LOOK_S)

    async def _place(self) -> LoadReport:
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

    def _client(self, link: Link, number: int, session_id: str) -> tuple[RecordingClient, list[str]]:
        """The client of a call, and the key line of each stream."""
        port = self._media.ports[number % self._plan.sockets]
        parties = tuple(
            Party(
                f"sip:load-{number}-{n}@load.example",
                f"Load {number}-{n}",
                port,
                str(n),
                new_id64(),
                new_id64(),
                _crypto(self._plan.srtp),
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
        return RecordingClient(config, lambda: secrets.token_hex(8)), [party.crypto for party in parties]

    async def _call(self, number: int) -> CallSent:
        link = self._links[number % len(self._links)]
        session_id = new_id64()
        client, keys = self._client(link, number, session_id)
        line = link.add(client)
        self._begun += 1
        count = CallSent(client.call_id, session_id)
        began = self._clock.monotonic_ns()
        try:
            result = await line.ask(client.invite(began), self._plan.answer_seconds)
            if isinstance(result, Answered):
                delay = round((self._clock.monotonic_ns() - began) / 1e6, 3)
                count = replace(count, status=200, answer_ms=delay, receipt=receipt_of(result) is not None)
                self._up += 1
                try:
                    count = await self._speak(line, result, number, count, keys)
                finally:
                    self._up -= 1
            elif isinstance(result, Refused):
                count = replace(count, status=result.status)
        except UsageError as error:  # no answer
            count = replace(count, problem=error.message)
        finally:
            link.remove(line)
            self._over += 1
        return count

    async def _last(self, line: Line) -> None:
        """Wait for the end: the other side's, or ours."""
        end = self._clock.monotonic_ns() + round(self._plan.seconds * NS)
        while not self._until.is_set() and (left := end - self._clock.monotonic_ns()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(line.over.wait(), min(left / NS, LOOK_S))
                return

    async def _speak(
        self, line: Line, answer: Answered, number: int, count: CallSent, keys: Sequence[str]
    ) -> CallSent:
        plays = [
            Play(
                host,
                port,
                self._voices[n % 2].audio,
                self._voices[n % 2].payload_type,
                Protector(parse_crypto(keys[n])) if keys[n] else None,
            )
            for n, (host, port, _) in enumerate(answer.streams[: len(keys)])
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
    return tuple(
        StreamSent(
            labels[one.remote],
            one.remote[1],
            one.count.ssrc,
            one.count.sent,
            one.count.first_sequence,
            one.count.packets,
            one.count.left_out,
            one.count.twice,
        )
        for one in played
    )
