"""Place one recorded call as a session recording client does: for the demonstration and canary calls.

SIP and RTP are the real ones (RFC 7866, RFC 3550); only the voices are played.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from memcon.client.link import Link, unreachable
from memcon.client.media import MS
from memcon.client.receipt import HEADER
from memcon.client.voice import PTIME_MS, StreamReport, Voice, VoiceSender
from memcon.clock import NS, SystemClock
from memcon.errors import UsageError
from memcon.wire.codec import STATIC
from memcon.wire.events import Send
from memcon.wire.src_client import Answered, ClientConfig, Party, RecordingClient, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from memcon.client.link import Line, Result
    from memcon.clock import Clock
    from memcon.wire.src_client import ClientOutput

PROGRESS_NS: Final = 100_000_000
FIRST_REPORT_NS: Final = 500_000_000

State = Literal["calling", "talking", "held", "ended"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How a call stands: `elapsed` s since its first packet was due, `played` s of audio so far."""

    state: State
    elapsed: float
    played: float
    streams: tuple[StreamReport, ...]


@dataclass(frozen=True, slots=True)
class CallReport:
    """What became of a call. Times are wall clock, ns; `answer_ms` is INVITE to 200."""

    target: str
    call_id: str
    session_id: str
    started: int
    ended: int
    answer_ms: float
    streams: tuple[StreamReport, ...]
    receipt: str | None  # the value of the 200's Memcon-Receipt
    invite: bytes  # as sent: the receipt signs it
    answer: bytes
    statuses: tuple[tuple[str, int], ...]  # method and final status, in order; 408 where none came
    ended_by: Literal["client", "recorder"]
    held: tuple[int, int] | None  # from and to, where there was a hold


@dataclass(frozen=True, slots=True)
class Plan:
    """What the call is to be: `hold` is (after so many s of audio, for so many s)."""

    voices: tuple[Voice, ...]
    seconds: float
    hold: tuple[float, float] | None
    session_id: str
    group_id: str
    uri: str
    answer_seconds: float
    rtcp_seconds: float


def new_id64() -> str:
    """A UUID as the metadata carries ids: base64 (RFC 7865, section 6)."""
    return base64.b64encode(uuid.UUID(bytes=secrets.token_bytes(16), version=4).bytes).decode("ascii")


async def place_call(
    target: str,
    *,
    voices: Sequence[Voice],
    seconds: float | None = None,
    hold: tuple[float, float] | None = None,
    session_id: str = "",
    group_id: str = "",
    uri: str = "",
    progress: Callable[[Progress], None] | None = None,
    stop: asyncio.Event | None = None,
    answer_seconds: float = 8.0,
    rtcp_seconds: float = 2.5,
    clock: Clock | None = None,
) -> CallReport:
    """Call the recorder at `udp://host:port` or `tcp://host:port`, let the voices speak, hang up.

    `seconds` of audio are played, by default as much as the longest voice has (each starts again at its
    end); a `hold` of (after s of audio, for s) comes on top. `stop` hangs up early. `progress` is called
    ten times a second and at every change.

    Raises UsageError, with the cure, where nobody answers, the call is refused or the voices do not fit;
    MachineError where no port is free.
    """
    people = tuple(voices)
    if not people or len({v.payload_type for v in people}) > 1 or people[0].payload_type not in (0, 8):
        raise UsageError(
            "the voices of a call must be there and of one G.711 law",
            cure="Give each the payload type 8 (A-law), or each 0 (mu-law)",
        )
    length = max(v.seconds for v in people) if seconds is None else seconds
    plan = Plan(people, length, hold, session_id or new_id64(), group_id, uri, answer_seconds, rtcp_seconds)
    clock = clock or SystemClock()
    link = await Link.open(target, clock)
    try:
        call = _Call(link, plan, clock, progress)
        try:
            return await call.run(stop or asyncio.Event())
        finally:
            call.close()
    finally:
        await link.close()


class _Call:
    """One call while it lasts."""

    def __init__(
        self, link: Link, plan: Plan, clock: Clock, progress: Callable[[Progress], None] | None
    ) -> None:
        self._link = link
        self._plan = plan
        self._clock = clock
        self._progress = progress
        self._statuses: list[tuple[str, int]] = []
        self._senders: list[VoiceSender] = []
        self._first_ns = 0  # when the first packet was due, and the like for progress and reports
        self._said_ns = 0
        self._report_ns = 0
        self._held: tuple[int, int] | None = None

    def close(self) -> None:
        for sender in self._senders:
            sender.close()

    async def run(self, stop: asyncio.Event) -> CallReport:
        host = self._link.local[0]
        for number, voice in enumerate(self._plan.voices, 1):
            self._senders.append(VoiceSender(self._clock, voice, str(number), host))
        client = RecordingClient(self._config(host), lambda: secrets.token_hex(8))
        line = self._link.add(client)
        self._say("calling")
        started, began = self._clock.wall_ns(), self._clock.monotonic_ns()
        outputs = client.invite(began)
        answer = self._accepted(await line.ask(outputs, self._plan.answer_seconds))
        answer_ms = (self._clock.monotonic_ns() - began) / 1e6
        await self._converse(line, stop)
        await self._hang_up(line)
        ended = self._clock.wall_ns()
        self._say("ended")
        return CallReport(
            target=str(self._link.target),
            call_id=client.call_id,
            session_id=self._plan.session_id,
            started=started,
            ended=ended,
            answer_ms=answer_ms,
            streams=self._reports(),
            receipt=receipt_of(answer),
            invite=next(o.data for o in outputs if isinstance(o, Send)),
            answer=answer.raw,
            statuses=tuple(self._statuses),
            ended_by="recorder" if line.ended_by == "recorder" else "client",
            held=self._held,
        )

    def _config(self, host: str) -> ClientConfig:
        parties = tuple(
            Party(s.voice.aor, s.voice.name, s.port, str(n), new_id64(), new_id64())
            for n, s in enumerate(self._senders, 1)
        )
        return ClientConfig(
            target=self._plan.uri or self._link.target.uri,
            transport=self._link.transport,
            media_address=host,
            parties=parties,
            codec=STATIC[self._plan.voices[0].payload_type],
            session_id=self._plan.session_id,
            group_id=self._plan.group_id,
        )

    def _accepted(self, result: Result) -> Answered:
        """Take the answer's media addresses. Raises UsageError for a refusal and an answer without media."""
        self._note("INVITE", result)
        if not isinstance(result, Answered):
            raise unreachable(self._link.target, f"it refused the call with {self._statuses[-1][1]}")
        if len(result.streams) != len(self._senders) or not all(port for _, port, _ in result.streams):
            raise unreachable(
                self._link.target, f"its answer takes {len(result.streams)} streams of {len(self._senders)}"
            )
        for sender, (host, port, _) in zip(self._senders, result.streams, strict=True):
            sender.answered(host, port)
        return result

    def _note(self, method: str, result: Result) -> None:
        status = 200 if not isinstance(result, Refused) else result.status
        self._statuses.append((method, status))

    async def _request(self, line: Line, method: str, outputs: list[ClientOutput]) -> None:
        """Make a request inside the call; that it failed is noted, and the call goes on."""
        try:
            self._note(method, await line.ask(outputs, self._plan.answer_seconds))
        except UsageError:
            self._statuses.append((method, 408))

    async def _converse(self, line: Line, stop: asyncio.Event) -> None:
        """Talk, hold and talk again as planned, until all is said or somebody hangs up."""
        self._first_ns = self._clock.monotonic_ns()
        self._report_ns = self._first_ns + FIRST_REPORT_NS
        packets = max(1, round(self._plan.seconds * 1000 / PTIME_MS))
        hold = self._plan.hold
        before = packets if hold is None else min(packets, round(hold[0] * 1000 / PTIME_MS))
        await self._talk(line, stop, before)
        if hold is None or line.over.is_set() or stop.is_set():
            return
        await self._hold(line, stop, hold[1])
        if not line.over.is_set() and not stop.is_set():
            await self._talk(line, stop, packets - before)

    async def _talk(self, line: Line, stop: asyncio.Event, packets: int) -> None:
        for sender in self._senders:
            sender.start(packets)
        self._say("talking")
        while not line.over.is_set() and not stop.is_set():
            due = [at for sender in self._senders if (at := sender.next_due_ns()) is not None]
            if not due:
                break
            await asyncio.sleep(max(0.0, (min(due) - self._clock.monotonic_ns()) / NS))
            for sender in self._senders:
                sender.send_due()
            self._now_and_then("talking")
        for sender in self._senders:
            sender.pause()
            sender.send_report()  # so that the recorder can count what it was sent

    async def _hold(self, line: Line, stop: asyncio.Event, seconds: float) -> None:
        began = self._clock.wall_ns()
        await self._request(line, "INVITE", line.client.hold(self._clock.monotonic_ns()))
        self._say("held")
        end = self._clock.monotonic_ns() + round(seconds * NS)
        while (left := end - self._clock.monotonic_ns()) > 0:
            if line.over.is_set() or stop.is_set():
                break
            await asyncio.sleep(min(left, PTIME_MS * MS) / NS)
            self._now_and_then("held")
        else:
            await self._request(line, "INVITE", line.client.resume(self._clock.monotonic_ns()))
        self._held = (began, self._clock.wall_ns())

    async def _hang_up(self, line: Line) -> None:
        if line.client.state == "up":
            await self._request(line, "BYE", line.client.bye(self._clock.monotonic_ns()))

    def _now_and_then(self, state: State) -> None:
        now = self._clock.monotonic_ns()
        if now >= self._report_ns:
            self._report_ns = now + round(self._plan.rtcp_seconds * NS)
            for sender in self._senders:
                sender.send_report()
        if now >= self._said_ns + PROGRESS_NS:
            self._say(state)

    def _reports(self) -> tuple[StreamReport, ...]:
        return tuple(sender.report() for sender in self._senders)

    def _say(self, state: State) -> None:
        self._said_ns = self._clock.monotonic_ns()
        if self._progress is None:
            return
        elapsed = (self._said_ns - self._first_ns) / NS if self._first_ns else 0.0
        streams = self._reports()
        played = max(s.sent + s.refused for s in streams) * PTIME_MS / 1000
        self._progress(Progress(state, elapsed, played, streams))


def receipt_of(answer: Answered) -> str | None:
    """The value of the answer's `Memcon-Receipt`, if it has one."""
    return next((value for name, value in answer.headers if name.lower() == HEADER.lower()), None)
