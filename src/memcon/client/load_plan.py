"""What a load is to be, what was done, and the truth of what was sent, packet by packet."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from memcon.errors import FormatError, UsageError
from memcon.wire.sdes import SUITES

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_CALLS: Final = 10_000
MAX_JITTER_MS: Final = 10_000.0


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What to do: `ramp` calls a second are begun, each lasts `seconds` from its answer.

    `lose`, `repeat` and `reorder` are probabilities per packet, `jitter_ms` is how late one may leave; all
    are drawn from `seed`. `srtp` names a crypto suite, "" is plain RTP.
    """

    target: str
    calls: int = 500
    seconds: float = 60.0
    ramp: float = 100.0
    streams: int = 2
    lose: float = 0.0
    repeat: float = 0.0
    reorder: float = 0.0
    jitter_ms: float = 0.0
    srtp: str = ""
    seed: int = 1
    sockets: int = 1
    connections: int = 1
    answer_seconds: float = 16.0


@dataclass(frozen=True, slots=True)
class StreamSent:
    """One stream: `port` is the recorder's; `sent` what the kernel took, repeated packets included.

    It used `packets` sequence numbers from `first` on; of these, counted from 0, `left_out` never left this
    machine, and `twice` left it twice.
    """

    label: str
    port: int
    ssrc: int
    sent: int
    first: int = 0
    packets: int = 0
    left_out: tuple[int, ...] = ()
    twice: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class CallSent:
    """One call: `status` of the INVITE (408: no answer, `problem` says why), `bye` of the BYE, 0 where none
    was sent."""

    call_id: str
    session_id: str
    status: int = 408
    bye: int = 0
    answer_ms: float = 0.0
    receipt: bool = False
    ended_by: str = "client"
    problem: str = ""
    streams: tuple[StreamSent, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """How it stands: calls `begun`, `up` now and `over`, packets `sent`, `elapsed` s."""

    begun: int
    up: int
    over: int
    sent: int
    elapsed: float


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
        """Whether every call was taken with all its streams, and ended."""
        return all(
            call.status == 200 and call.bye in (0, 200) and len(call.streams) == self.plan.streams
            for call in self.calls
        )

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
    if not 0 <= plan.jitter_ms <= MAX_JITTER_MS:
        raise UsageError(f"a jitter of {plan.jitter_ms:g} ms", cure=f"0 to {MAX_JITTER_MS:g} ms")
    if plan.srtp and plan.srtp not in SUITES:
        raise UsageError(f"crypto suite {plan.srtp!r} is unknown", cure=f"One of {', '.join(SUITES)}")
    if plan.sockets < 1 or plan.connections < 1:
        raise UsageError("at least one media socket and one SIP socket are needed")


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


def read_sent(data: bytes) -> tuple[CallSent, ...]:
    """The calls of a report that `memcon load --json` has printed. Raises FormatError."""
    try:
        calls = json.loads(data)["calls"]
        return tuple(_call_sent(call) for call in calls)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise FormatError(
            "report of a load", f"cannot be read: {error!r}", cure="Give what memcon load --json printed"
        ) from error


def _call_sent(call: dict[str, Any]) -> CallSent:
    streams = tuple(
        StreamSent(**{**s, "left_out": _numbers(s["left_out"]), "twice": _numbers(s["twice"])})
        for s in call["streams"]
    )
    return CallSent(**{**call, "streams": streams})


def _numbers(value: Iterable[object]) -> tuple[int, ...]:
    found = tuple(value)
    if not all(isinstance(n, int) for n in found):
        raise TypeError("a packet that has no number")
    return tuple(int(str(n)) for n in found)
