"""An honest day on a simulated clock: 24 hours under load, and the troubles of an honest recorder.

Sealer, submitter, witnesses and judge are the real ones; only time, the network and capture are played.
Calls come and go, the recorder's clock is stepped by up to a second, answers of witnesses take their
time, and of three witnesses (two are a quorum) one at a time is away. Afterwards a third party asks about
the whole day: no slot may be silent, early or late. All chance comes from the seed.

    scripts/in-tests tests.witness.day [--hours 24] [--period 10] [--seed 1] [--folder /dev/shm]
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.seal.synthetic import Capture, rtp

from memcon.clock import NS
from memcon.seal import custody, genesis
from memcon.seal.freshness import NewestNote
from memcon.seal.keys import create_keys
from memcon.seal.sealer import Sealer
from memcon.service.inside import StageHome
from memcon.store import durable
from memcon.tlog.policy import Policy
from memcon.verify.asking import Asker
from memcon.verify.attest import WORDS
from memcon.verify.was_it_on import Question
from memcon.witness import submit
from memcon.witness.client import Outcome, WitnessClient, WitnessError
from memcon.witness.core import Witness
from memcon.witness.keys import Cosigner, check_quickly, quicken

if TYPE_CHECKING:
    from collections.abc import Callable

    from memcon.verify.was_it_on import Reply
    from memcon.witness.submit import Newest, Round

ORIGIN = "day.example/recorder"
T0 = 1_800_000_000 * NS
TICK_NS = NS // 2
STEP_NS = NS
"""The most by which the clock is stepped, and may be wrong."""
TIMEOUT_NS = 5 * NS
NAMES = ("court", "press", "university")


class RecorderClock:
    """The recorder's clocks: the wall may be wrong by as much as it was stepped."""

    def __init__(self) -> None:
        self.true = T0
        self.offset = 0

    def wall_ns(self) -> int:
        return self.true + self.offset

    def monotonic_ns(self) -> int:
        return self.true - T0 + NS


class WitnessClock:
    """A witness's clock: right to a tenth of a second or so."""

    def __init__(self, of: RecorderClock, skew: int) -> None:
        self._of = of
        self._skew = skew

    def wall_ns(self) -> int:
        return self._of.true + self._skew

    def monotonic_ns(self) -> int:
        return self._of.monotonic_ns()


class Wire:
    """What stands for a connection: the witness's answer, or none while it is away."""

    def __init__(self, witness: Witness) -> None:
        self.witness = witness
        self.away = False

    def ask(
        self, method: str, path: str | None, body: bytes | None = None, *, kind: str = ""
    ) -> tuple[int, bytes]:
        if self.away:
            raise WitnessError("away")
        answer = self.witness.decide(body or b"")
        return answer.status, answer.body

    def close(self) -> None:
        """Nothing is open."""


class Speaker:
    """A witness's thread in the submitter, played: always the newest checkpoint, one at a time."""

    def __init__(self, day: Day, client: WitnessClient, wire: Wire) -> None:
        self._day = day
        self._client = client
        self.wire = wire
        self._done: Round | None = None
        self._retry = 0
        self._busy = False

    def look(self) -> None:
        of, now = self._day.submitter._current(), self._day.clock.true
        if self._busy or of is None or (of is self._done and (not self._retry or now < self._retry)):
            return
        self._busy = True
        takes = TIMEOUT_NS if self.wire.away and self._day.chance.random() < 0.5 else self._day.latency()
        self._day.at(now + takes, lambda: self._answer(of))

    def _answer(self, of: Round) -> None:
        outcome: Outcome = self._day.submitter._submit(self._client, of)
        self._busy, self._done = False, of
        self._retry = 0 if outcome.signatures else self._day.clock.true + 5 * NS
        self._day.submitter._came.put((self._client.url, of, outcome))


class Day:
    """One recorder, its witnesses, and what befalls them."""

    def __init__(self, folder: Path, *, seed: int, period: int) -> None:
        self.chance = random.Random(seed)
        self.clock = RecorderClock()
        self.period = period
        self.home = StageHome(folder / "home")
        keys = create_keys(self.home.keys)
        custodian, own = custody.make_custodian("local", "Local custodian")
        durable.make_dirs(self.home.custody)
        durable.write_file(self.home.custodians, custody.encode_custodians([custodian]))
        durable.write_file(self.home.local_custodian, own)
        genesis.create_log(self.home, keys, ORIGIN, T0, period_ms=period * 1000)
        vkeys = keys.vkeys(ORIGIN)
        cosigners = [Cosigner(f"{name}.example", name.encode().ljust(32)) for name in NAMES]
        lines = [f"log {key}" for key in vkeys]
        lines += [
            f"witness {n} {c.vkeys[0]} http://{n}.example/" for n, c in zip(NAMES, cosigners, strict=True)
        ]
        lines += [f"group all 2 {' '.join(NAMES)}", "quorum all", ""]
        self.policy = "\n".join(lines).encode()
        (self.home.log / "policy").write_bytes(self.policy)
        self.submitter = submit.Submitter(
            self.home.log,
            quicken(Policy.parse(self.policy)),
            self.clock,
            period_ns=period * NS,
            tell=self._tell,
        )
        self.speakers = []
        for client, cosigner in zip(self.submitter._clients, cosigners, strict=True):
            skew = self.chance.randrange(-NS // 10, NS // 10)
            wire = Wire(Witness(cosigner, vkeys, WitnessClock(self.clock, skew)))
            client._connection = wire  # type: ignore[assignment]
            self.speakers.append(Speaker(self, client, wire))
        durable.make_dirs(self.home.run)
        self.sealer = Sealer(self.home, self.clock, witnessed=True)
        assert self.sealer._freshness is not None
        self.sealer._freshness._pause = self._pause
        self.capture = Capture(self.home, b"\1" * 16, T0, self.clock.monotonic_ns())
        self.pauses = self.steps = self.outages = self.calls = self.packets = 0
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._sent: dict[int, int] = {}
        self._number = 0

    # ------------------------------------------------------------------ time

    def at(self, when: int, what: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._events, (when, self._number, what))

    def latency(self) -> int:
        """Of an answer: some 50 ms, rarely two seconds."""
        return int(min(2.0, self.chance.lognormvariate(-3, 1)) * NS)

    def _next(self) -> None:
        when, _, what = heapq.heappop(self._events)
        self.clock.true = max(self.clock.true, when)
        what()
        self._serve()

    def _serve(self) -> None:
        self.submitter.step()
        for speaker in self.speakers:
            speaker.look()

    def _pause(self, seconds: float) -> None:
        """The sealer waits for a fresh note: the others go on meanwhile."""
        self.pauses += 1
        until = self.clock.true + int(seconds * NS)
        while self._events and self._events[0][0] <= until:
            when, _, what = heapq.heappop(self._events)
            if what == self._tick:  # capture goes on; what it writes is read when sealing goes on
                self.at(until + 1, what)
                continue
            self.clock.true = max(self.clock.true, when)
            what()
        self.clock.true = until
        self._serve()

    def _tell(self, newest: Newest) -> None:
        NewestNote(newest.digest, newest.size, newest.age_time).leave(self.home.newest_note)

    # ------------------------------------------------------------------ what befalls

    def _tick(self) -> None:
        """Capture writes what came in half a second, and sealing does what is to be done."""
        self.capture.wall, self.capture.mono = self.clock.wall_ns(), self.clock.monotonic_ns()
        packets = []
        for handle, first in self._sent.items():
            for n in range(5):
                packets.append(
                    (handle, self.capture.wall - (5 - n) * TICK_NS // 5, rtp(first + n, ssrc=handle))
                )
            self._sent[handle] = first + 5
        if packets:
            self.capture.sweep(packets)
            self.packets += len(packets)
        self.capture.tick()
        self._write()
        while self.sealer.step():
            pass
        self.at(self.clock.true + TICK_NS, self._tick)

    def _write(self) -> None:
        for frame in self.capture.frames:
            with frame.path.open("ab") as file:
                file.write(frame.data)
        self.capture.frames.clear()
        self.capture.sent.clear()

    def _begin_call(self) -> None:
        self.calls += 1
        handle, key = 2 * self.calls, f"call-{self.calls}"
        self.capture.wall, self.capture.mono = self.clock.wall_ns(), self.clock.monotonic_ns()
        self.capture.call(key, (handle,))
        self._sent[handle] = 0
        length = int(self.chance.expovariate(1 / 120) * NS)
        self.at(self.clock.true + length, lambda: self._end_call(handle, key))
        self.at(self.clock.true + int(self.chance.expovariate(1 / 60) * NS), self._begin_call)

    def _end_call(self, handle: int, key: str) -> None:
        self.capture.wall, self.capture.mono = self.clock.wall_ns(), self.clock.monotonic_ns()
        del self._sent[handle]
        self.capture.end(key)

    def _step_clock(self) -> None:
        """By up to a second, and never further from the truth than that."""
        self.steps += 1
        wanted = self.clock.offset + self.chance.randrange(-STEP_NS, STEP_NS)
        self.clock.offset = max(-STEP_NS, min(STEP_NS, wanted))
        self.at(self.clock.true + int(self.chance.expovariate(1 / 900) * NS), self._step_clock)

    def _outage(self) -> None:
        """One witness is away for a while; the next outage begins after it has ended."""
        self.outages += 1
        wire = self.chance.choice(self.speakers).wire
        wire.away = True
        over = self.clock.true + int(self.chance.expovariate(1 / 600) * NS)

        def back() -> None:
            wire.away = False
            self.at(self.clock.true + int(self.chance.expovariate(1 / 600) * NS), self._outage)

        self.at(over, back)

    # ------------------------------------------------------------------ the day

    def run(self, seconds: int) -> None:
        """Let so much time pass."""
        self.capture.start()
        self._write()
        self._serve()  # the checkpoint that is there is cosigned anew
        for what in (self._tick, self._begin_call, self._outage, self._step_clock):
            self.at(self.clock.true + 2 * NS, what)
        end = T0 + seconds * NS
        while self.clock.true < end:
            self._next()

    def ask(self) -> Reply:
        """What a third party is told of all slots from the first beat to the last but some."""
        leaves = self.sealer._sequencer
        first, last = leaves.beat_at(1).slot, leaves.last.slot - 6
        asker = Asker(str(self.home.log), self.policy, check=check_quickly)
        question = Question(first * self.period * 1000, (last + 1) * self.period * 1000)
        return asker.ask(question, now=self.clock.true // NS)

    def close(self) -> None:
        self.sealer.close()


def figures(day: Day, reply: Reply) -> dict[str, object]:
    """What the day held and how each slot was judged."""
    return {
        "slots": reply.slots,
        "answers": {WORDS[answer]: n for answer, n in reply.tally.items()},
        "calls": day.calls,
        "packets": day.packets,
        "clock_steps": day.steps,
        "outages": day.outages,
        "waits_for_a_note": day.pauses,
        "findings": dict(reply.report.counts),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--period", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", default="/dev/shm")
    args = parser.parse_args()
    submit.LOOK_SECONDS = 0
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        began = time.monotonic()
        day = Day(Path(folder), seed=args.seed, period=args.period)
        try:
            day.run(int(args.hours * 3600))
            reply = day.ask()
        finally:
            day.close()
        found = figures(day, reply) | {"seconds": round(time.monotonic() - began)}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
