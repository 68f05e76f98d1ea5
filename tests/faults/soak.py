"""Record for hours while everything goes wrong: `scripts/soak [--minutes N] [--calls N] [--seed N]`.

A recorder as it is served, beside it calls from the project's own client: some for the whole time, some that
come and go over a network that loses, repeats, reorders and delays packets, some of SRTP. At seeded moments
its processes are killed, singly and all at once, or stopped; its disk takes seconds for a sync; its clock is
stepped. At the end: is every packet in a recording or in exactly one declared loss, does everything verify,
is the down time silent in the log, and has the recorder let go of every descriptor?
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.faults.clock import SteppedClock, followed
from tests.faults.slow import SlowDisk

from memcon.client.load_plan import read_sent
from memcon.clock import NS, SystemClock
from memcon.service.archive import Archive
from memcon.service.chaos import ROLES, Blow, Serving
from memcon.service.checks import verify_home
from memcon.service.config import load, template
from memcon.service.demo import wait_for
from memcon.service.load_check import LoadCheck, check_load
from memcon.service.overseers import POLICY, Overseers, make_overseers
from memcon.service.setup import init_home
from memcon.store.paths import RUN_VARIABLE, Home
from memcon.store.tiles import LogStore
from memcon.verify.asking import Asker
from memcon.verify.attest import WORDS, Answer
from memcon.verify.findings import CODES, NOTE
from memcon.verify.keys import Trust
from memcon.verify.was_it_on import Question

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from memcon.client.load_plan import CallSent
    from memcon.service.config import Config

    Say = Callable[[str], None]

MAIN = "from memcon.cli.main import main; main()"
STEP_NS = 3 * NS
SETTLE_S = 120
FILES = 4
BYTES_A_PACKET = 600
"""On the disk at most: 184 in the journal, as much in the work directory and in the vault."""
FAULTY = ("--loss", "0.01", "--duplicate", "0.01", "--reorder", "0.01", "--jitter", "30")


@dataclass(frozen=True, slots=True)
class Plan:
    """`calls` at any time for so many `minutes`; a fault every `every_s` or so, `rounds` of KINDS in turn."""

    minutes: float = 120.0
    calls: int = 100
    seed: int = 1
    every_s: float = 40.0
    down_s: float = 6.0
    slow_s: float = 3.0
    witnesses: bool = True
    kinds: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        return 60 * self.minutes

    @property
    def room(self) -> int:
        """Bytes that it may need."""
        return round(self.calls * 2 * 50 * self.seconds * BYTES_A_PACKET)


BLOWS = {
    "kill -9 of office": Blow("office"),
    "kill -9 of seal": Blow("seal"),
    "kill -9 of capture": Blow("capture"),
    "SIGSTOP of capture": Blow("capture", signal.SIGSTOP),
    "SIGSTOP of seal": Blow("seal", signal.SIGSTOP),
    "kill -9 of the supervisor": Blow("supervisor"),
}
DOWN, SLOW, FORWARD, BACK = "kill -9 of everything", "a slow disk", "clock forward", "clock back"
KINDS = (*BLOWS, DOWN, SLOW, FORWARD, BACK)


SHORT = Plan(
    minutes=0.2,
    calls=5,
    every_s=2.2,
    down_s=2.0,
    slow_s=1.0,
    witnesses=False,
    kinds=("kill -9 of capture", SLOW, FORWARD, BACK, DOWN),
)
"""A quarter of a minute of it, for the suite."""


def schedule(plan: Plan) -> Iterator[tuple[float, str]]:
    """When (s from the beginning) what happens: each kind once in each round, in an order drawn anew.

    The clock goes forward before it goes back, so that no slot is lived through twice for long.
    """
    chance = random.Random(plan.seed)
    at = 0.0
    while True:
        kinds = list(plan.kinds or KINDS)
        chance.shuffle(kinds)
        if {FORWARD, BACK} <= set(kinds):
            a, b = sorted((kinds.index(FORWARD), kinds.index(BACK)))
            kinds[a], kinds[b] = FORWARD, BACK
        for kind in kinds:
            at += plan.every_s * chance.uniform(0.6, 1.4)
            yield at, kind


@dataclass(slots=True)
class Summary:
    """What came of it."""

    plan: Plan
    faults: list[dict[str, Any]] = field(default_factory=list)
    taken: int = 0
    refused: int = 0
    check: LoadCheck = field(default_factory=LoadCheck)
    findings: list[str] = field(default_factory=list)
    down: list[dict[str, Any]] = field(default_factory=list)
    descriptors: dict[str, tuple[int, int]] = field(default_factory=dict)
    states: dict[str, int] = field(default_factory=dict)

    @property
    def left(self) -> dict[str, int]:
        """Descriptors more than at the beginning, by process: a call has four sockets, and a file or two are
        opened when the first call comes and stay."""
        more = {role: after - before for role, (before, after) in self.descriptors.items()}
        return {role: count for role, count in more.items() if count >= FILES}

    @property
    def good(self) -> bool:
        """Whether nothing was lost unsaid, nothing is left over, and everything verifies."""
        silent = all(one["good"] for one in self.down)
        return self.check.good and silent and not (self.refused or self.findings or self.left)

    def to_json(self) -> dict[str, Any]:
        checked = self.check.to_json()
        checked["calls"] = len(checked["calls"])
        return {
            "plan": asdict(self.plan),
            "faults": self.faults,
            "taken": self.taken,
            "refused": self.refused,
            "check": checked,
            "findings": self.findings,
            "down": self.down,
            "slots": self.states,
            "descriptors": self.descriptors,
            "good": self.good,
        }

    def words(self) -> str:
        lines = [
            f"{self.plan.minutes:g} minutes, {self.plan.calls} calls at a time, seed {self.plan.seed}: "
            f"{len(self.faults)} faults, {self.taken} calls taken, {self.refused} not.",
            *self.check.words().splitlines(),
            *(f"  found: {text}" for text in self.findings),
            *(f"down for {one['seconds']:.1f} s: {one['says']}" for one in self.down),
        ]
        if self.states:
            lines.append(
                "slots, as the witnesses saw them: " + ", ".join(f"{n} {s}" for s, n in self.states.items())
            )
        lines += [f"{role}: {n} descriptors more than at the beginning" for role, n in self.left.items()]
        lines.append("Good." if self.good else "NOT GOOD.")
        return "\n".join(lines)


class Load:
    """One `memcon load` in a process of its own; its report goes to a file."""

    def __init__(self, path: Path, target: str, *words: str) -> None:
        self._path = path
        command = [sys.executable, "-c", MAIN, "load", "--to", target, "--json", "--answer-seconds", "60"]
        with path.open("wb") as out:
            self._process = subprocess.Popen([*command, *words], stdin=subprocess.DEVNULL, stdout=out)

    def end(self) -> tuple[CallSent, ...]:
        """Wait for it, and read what it sent."""
        self._process.wait()
        return read_sent(self._path.read_bytes())

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def loads(plan: Plan, root: Path, target: str) -> list[Load]:
    """The calls: two fifths stay, as many come and go over a bad network, the rest come and go as SRTP."""
    stay, secure = max(1, plan.calls * 2 // 5), max(1, plan.calls // 5)
    come = max(1, plan.calls - stay - secure)
    # short calls, but no more of them than one load places
    length = max(10.0, min(60.0, plan.seconds / 4), come * plan.seconds / 9000)
    made = [
        Load(root / "stay.json", target, "--calls", str(stay), "--seconds", str(plan.seconds), "--rate", "20")
    ]
    for name, at_once, more in (("come", come, ()), ("secure", secure, ("--srtp",))):
        rate = at_once / length
        # the last begin one length before the end; at least those that fit at once
        count = max(at_once, round(rate * (plan.seconds - length)))
        words = [
            "--calls",
            str(count),
            "--seconds",
            f"{length:.1f}",
            "--rate",
            f"{min(20.0, max(rate, 0.2)):.3f}",
        ]
        made.append(Load(root / f"{name}.json", target, *words, *FAULTY, *more, "--seed", str(plan.seed)))
    return made


class Soak:
    """One run in `root`, a directory of its own; the home's disk can be slowed where that is possible."""

    def __init__(self, plan: Plan, root: Path, say: Say) -> None:
        self._plan, self._root, self._say = plan, root, say
        self._summary = Summary(plan)
        self._clock = SteppedClock(root / "clock")
        self._disk = SlowDisk(root, plan.room)
        self._home = Home(self._disk.path / "home")
        self._overseers: Overseers | None = None

    def run(self) -> Summary:
        """Raises MachineError where the recorder does not come back."""
        with contextlib.ExitStack() as after:
            after.callback(self._disk.close)
            after.enter_context(followed(self._clock))
            config = self._make()
            serving = Serving(self._home, self._clock)
            if self._plan.witnesses:
                log = after.enter_context((self._root / "witnesses.log").open("ab"))
                self._overseers = Overseers(self._home, config, SystemClock(), self._say, log)
                after.callback(self._overseers.stop)
            after.callback(serving.stop)
            serving.start()
            before = self._descriptors(serving)
            calls = self._stand(serving, config)
            self._summary.taken = sum(call.status == 200 for call in calls)
            self._summary.refused = len(calls) - self._summary.taken
            self._say("The calls are over. Looking for every packet.")
            archive = Archive(self._home, config, self._clock)
            self._summary.check = check_load(archive, calls, SystemClock(), wait_s=SETTLE_S)
            self._let_go(serving, before)
            self._ask_for_down_time()
            serving.stop()
            self._verify(config)
        return self._summary

    def _make(self) -> Config:
        self._home.root.mkdir(parents=True, exist_ok=True)
        first = 20_000 + 2 * random.Random(os.getpid()).randrange(2000)
        text = template(
            "soak.memcon.example/recorder",
            period=1,
            sip_port=_free_port(),
            console_port=_free_port(),
            ports=f"{first}-{first + 4 * self._plan.calls + 4000}",
        )
        config = init_home(self._home, text, self._clock)
        if self._plan.witnesses:
            make_overseers(self._home, config)
        return load(self._home.config)

    # --- while it stands ---

    def _stand(self, serving: Serving, config: Config) -> list[CallSent]:
        end = next(e for e in config.sip_listen if e.transport == "udp")
        placed = loads(self._plan, self._root, f"udp://{end.host}:{end.port}")
        self._say(f"{self._plan.calls} calls at a time, for {self._plan.seconds:.0f} s.")
        pause, once = threading.Event(), len(self._plan.kinds or KINDS)
        try:
            # of each load a call is up
            wait_for(
                lambda: self._calls_up() >= len(placed), SETTLE_S, "the calls were not up", SystemClock()
            )
            began = time.monotonic()
            for n, (at, kind) in enumerate(schedule(self._plan)):
                if n >= once and at > self._plan.seconds - self._plan.every_s / 2:
                    break
                pause.wait(max(0.0, began + at - time.monotonic()))
                self._fault(kind, serving, time.monotonic() - began)
            return [call for one in placed for call in one.end()]
        finally:
            for one in placed:
                one.kill()

    def _calls_up(self) -> int:
        with contextlib.suppress(OSError, ValueError, KeyError):
            return int(json.loads(self._home.status("capture").read_bytes())["calls"])
        return 0

    def _fault(self, kind: str, serving: Serving, at: float) -> None:
        from_wall, from_mono = self._clock.wall_ns(), time.monotonic()
        note = ""
        if kind in BLOWS:
            note = f"at work again after {serving.strike(BLOWS[kind]).back_s:.1f} s"
        elif kind == DOWN:
            back = serving.strike(Blow("everything", down_s=self._plan.down_s)).back_s
            note = f"at work again after {back:.1f} s"
            self._summary.down.append({"from": from_wall, "until": from_wall + round(self._plan.down_s * NS)})
        elif kind == SLOW:
            note = self._disk.slow(self._plan.slow_s, [serving.pid(role) for role in ROLES])
        else:
            self._clock.step(STEP_NS if kind == FORWARD else -STEP_NS)
        took = time.monotonic() - from_mono
        self._summary.faults.append(
            {"at_s": round(at, 1), "what": kind, "note": note, "took_s": round(took, 1)}
        )
        self._say(f"  {at:7.1f} s  {kind}{': ' if note else ''}{note}")

    # --- afterwards ---

    def _descriptors(self, serving: Serving) -> dict[str, int]:
        pids = {role: serving.pid(role) for role in ROLES} | {"supervisor": serving.supervisor}
        found = {}
        for role, pid in pids.items():
            with contextlib.suppress(OSError):
                found[role] = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        return found

    def _let_go(self, serving: Serving, before: dict[str, int]) -> None:
        """Ports rest for a while after a call; then there must be no more than at the beginning."""
        until = time.monotonic() + SETTLE_S
        while True:
            after = self._descriptors(serving)
            self._summary.descriptors = {role: (n, after.get(role, 0)) for role, n in before.items()}
            if not self._summary.left or time.monotonic() > until:
                return
            time.sleep(0.5)

    def _ask_for_down_time(self) -> None:
        """While everything was dead the log has no leaf; whoever asks the witnesses is told that it was
        silent."""
        slots = _slots(self._home)
        asker = None
        if self._overseers is not None:
            asker = Asker(str(self._home.log), (self._home.root / POLICY).read_bytes())
            self._summary.states = _states(asker, min(slots) + 1, max(slots))
        for one in self._summary.down:
            inside = range(one["from"] // NS + 1, one["until"] // NS)  # the period is a second
            there = [slot for slot in inside if slot in slots]
            one["seconds"] = (one["until"] - one["from"]) / NS
            one["good"], one["says"] = not there, f"{len(there)} of {len(inside)} slots have a leaf"
            if asker is not None and inside:
                states = _states(asker, inside.start, inside.stop)
                one["says"] = ", ".join(f"{n} {name}" for name, n in states.items())
                one["good"] = not there and states.keys() <= {WORDS[Answer.SILENT]}

    def _verify(self, config: Config) -> None:
        for report in verify_home(self._home, config, Trust()):
            wrong = [f for f in report.findings if CODES[f.code].severity != NOTE]
            self._summary.findings += [f"{f.code} {f.where} {f.text}" for f in wrong]


def _free_port() -> int:
    from tests.running import quiet_port

    return quiet_port()


def _slots(home: Home) -> set[int]:
    store = LogStore(home.log)
    return {int.from_bytes(leaf[24:32], "big") for leaf in store.entries(0, store.checkpoint().size)}


def _states(asker: Asker, first: int, end: int) -> dict[str, int]:
    """How many slots, from the first up to the end, were attested and how."""
    tally = asker.ask(Question(first * 1000, end * 1000)).tally
    return {WORDS[answer]: n for answer, n in tally.items() if n}


def soak(plan: Plan, root: Path, say: Say) -> Summary:
    """Run it in a directory; what the recorder says goes to `serve.log` in the home."""
    before = os.environ.get(RUN_VARIABLE)
    shared = Path("/dev/shm")
    run = Path(tempfile.mkdtemp(prefix="memcon-soak-", dir=shared if os.access(shared, os.W_OK) else None))
    os.environ[RUN_VARIABLE] = str(run)
    try:
        return Soak(plan, root, say).run()
    finally:
        if before is None:
            del os.environ[RUN_VARIABLE]
        else:
            os.environ[RUN_VARIABLE] = before
        shutil.rmtree(run, ignore_errors=True)


def main(argv: list[str] | None = None) -> int:
    default = Plan()
    parser = argparse.ArgumentParser(
        prog="scripts/soak", description="Record for hours while all goes wrong."
    )
    parser.add_argument("--minutes", type=float, default=default.minutes)
    parser.add_argument(
        "--calls", type=int, default=default.calls, help="going on at any time, two streams each"
    )
    parser.add_argument(
        "--seed", type=int, default=default.seed, help="of the moments and the order of the faults"
    )
    parser.add_argument(
        "--every", type=float, default=default.every_s, help="seconds between two faults, about"
    )
    parser.add_argument("--short", action="store_true", help="the suite's short form, with another --seed")
    parser.add_argument("--keep", type=Path, help="work in this directory, and leave it")
    parser.add_argument("--json", type=Path, help="write the summary there too")
    asked = parser.parse_args(argv)
    plan = Plan(asked.minutes, asked.calls, asked.seed, asked.every)
    plan = replace(SHORT, seed=asked.seed) if asked.short else plan
    root = asked.keep.absolute() if asked.keep else Path(tempfile.mkdtemp(prefix="memcon-soak-"))
    root.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(root).free < plan.room:
        parser.error(
            f"{root} has no room for {plan.room / 1e9:.0f} GB: fewer --calls or --minutes, or --keep DIR"
        )
    try:
        summary = soak(plan, root, lambda text: print(text, flush=True))
    finally:
        if asked.keep is None:
            shutil.rmtree(root, ignore_errors=True)
    if asked.json:
        asked.json.write_text(json.dumps(summary.to_json(), indent=2) + "\n")
    print(summary.words())
    return 0 if summary.good else 1


if __name__ == "__main__":
    sys.exit(main())
