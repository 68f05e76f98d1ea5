"""`memcon witness serve`: the witness, and with `mirror` the keeper of mirrors and the watch."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import resource
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from memcon.clock import NS, SystemClock
from memcon.errors import FormatError, MachineError, MemconError, UsageError
from memcon.record.evidence import Conflict
from memcon.tlog.checkpoint import Checkpoint
from memcon.witness.archive import Archive
from memcon.witness.client import WitnessClient
from memcon.witness.core import Witness
from memcon.witness.keys import QuickVerifier, quicken
from memcon.witness.ledger import Ledger
from memcon.witness.mirror import Mirror
from memcon.witness.notify import Notifier
from memcon.witness.resuming import begun_anew, ready_ledger, resume
from memcon.witness.server import App, make_server, serve
from memcon.witness.settings import load
from memcon.witness.site import KeptSite
from memcon.witness.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from memcon.clock import Clock
    from memcon.tlog.note import Note, Signature
    from memcon.tlog.policy import Policy
    from memcon.verify.sources import Source
    from memcon.witness.settings import Settings
    from memcon.witness.watch import Tell

    Beside = Callable[[threading.Event], object]

STOP_SECONDS = 5
QUICK_TURNS = 8
SLOW_TURNS = 4
SLOW_NS = 2 * NS
MOST_FILES = 65_536
START_SECONDS = 0.005
SWITCH_SECONDS = 0.0005
"""How long a thread may compute while others wait."""
IDLE_LOOKS = 4
"""Looks left out where the last one found no new leaf: a witness is told of new leaves, and need not poll."""
LOG_SECONDS = 5.0
"""A log's web server may be silent so long."""


def about(settings: Settings) -> str:
    """What the front page says first: who this is, and the lines for other people's policies."""
    lines = [f"{settings.name}: a witness of transparency logs (C2SP tlog-witness)."]
    lines += [str(key) for key in settings.cosigner().vkeys]
    lines += [
        f"Begun anew at {time}: what it had cosigned before, it no longer knows."
        for time in begun_anew(settings)
    ]
    return "\n".join(lines) + "\n"


def run_witness(
    settings: Settings,
    clock: Clock,
    say: Callable[[str], None],
    beside: Sequence[Beside] = (),
    *,
    begin_anew: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT. Raises UsageError or FormatError for what is not set up well.

    `beside`: what else goes on meanwhile, each in a thread, until its event is set. `begin_anew`: go on
    without the ledger, which is lost.
    """
    with only_one(settings.home):
        ready_ledger(settings, clock, begin_anew=begin_anew)
        _run(settings, clock, say, beside)


@contextlib.contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Hold a witness's home: two writers of one ledger could cosign two histories."""
    with (home / "lock").open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(f"a witness runs in {home} already", cure="Stop it first") from error
        yield


def _run(settings: Settings, clock: Clock, say: Callable[[str], None], beside: Sequence[Beside]) -> None:
    cosigner, policy = settings.cosigner(), settings.policy()
    own = {(key.name, key.key_id) for key in cosigner.vkeys}
    ledger = Ledger(settings.ledger, own)
    resume(settings, cosigner, ledger, say)
    witness = Witness(
        cosigner, [log.key for log in policy.logs], clock, ledger.latest, conflict=_keep_conflict(settings)
    )
    where = f"{settings.host}:{settings.port}"
    keepers = [] if not settings.mirror else _keepers(settings, policy, clock, ledger, say)
    wakes = {keeper.origin: keeper.wake for keeper in keepers}

    def cosigned(origin: str) -> None:
        if origin in wakes:
            wakes[origin].set()

    mirrors = settings.mirrors if settings.mirror else None
    app = App(witness, ledger, mirror=mirrors, about=about(settings), cosigned=cosigned)
    say(f"Witness {settings.name} on http://{where}/ for {', '.join(witness.origins)}")
    stop = threading.Event()
    if keepers:  # who asks for a cosignature must not wait its turn behind hundreds of mirrors
        sys.setswitchinterval(SWITCH_SECONDS)
    work = [*(keeper.run for keeper in keepers), *(keeper.run_watch for keeper in keepers), *beside]
    threads = [threading.Thread(target=each, args=(stop,), daemon=True) for each in work]

    def start() -> None:
        """One after another: 1,000 at once would keep the server from coming up."""
        for thread in threads:
            if stop.wait(START_SECONDS):
                return
            thread.start()

    starter = threading.Thread(target=start, daemon=True)
    starter.start()
    try:
        serve(make_server(app, settings.host, settings.port), where)
    finally:
        stop.set()
        for keeper in keepers:
            keeper.wake.set()
        until = SystemClock().monotonic_ns() + STOP_SECONDS * NS
        starter.join()
        for thread in filter(threading.Thread.is_alive, threads):
            thread.join(max(0, until - SystemClock().monotonic_ns()) / NS)
        ledger.close()


def _keep_conflict(settings: Settings) -> Callable[[Note, Note], object]:
    """Two signed histories of one size are evidence, kept whether the log is mirrored or not."""

    def keep(seen: Note, refused: Note) -> None:
        origin = Checkpoint.parse(seen.text).origin
        Archive(settings.mirror_of(origin)).add_conflict(Conflict("fork", seen, refused))

    return keep


class Turns:
    """How many mirrors look at once: with 1,000 of them nobody else would come to compute.

    A log whose last look took long, as its site is slow or hostile, waits for others of its kind.
    """

    def __init__(self) -> None:
        self._quick = threading.BoundedSemaphore(QUICK_TURNS)
        self._slow = threading.BoundedSemaphore(SLOW_TURNS)

    def of(self, *, slow: bool) -> threading.Semaphore:
        return self._slow if slow else self._quick


class Keeper:
    """Two threads for one log: its mirror, and its watch, which no slow site may keep waiting."""

    def __init__(
        self, mirror: Mirror, watch: Watch | None, say: Callable[[str], None], turns: Turns | None = None
    ) -> None:
        self._mirror = mirror
        self._watch = watch
        self._say = say
        self._turns = turns or Turns()
        self._slow = False
        self._said: dict[str, list[str]] = {}
        self.wake = threading.Event()
        """Set when the witness has cosigned a checkpoint of the log: there is a new leaf to fetch."""

    @property
    def origin(self) -> str:
        return self._mirror.origin

    def step(self) -> None:
        """Mirror what is new, look whether the beats go on; what goes wrong is said once."""
        self.step_mirror()
        self.step_watch()

    def step_mirror(self) -> None:
        self._do("mirror", self._mirror.step)

    def step_watch(self) -> None:
        if self._watch is not None:
            self._do("watch", self._watch.step)

    def _do(self, name: str, work: Callable[[], object]) -> None:
        problem = []
        try:
            work()
        except MemconError as error:
            problem = [str(error)]
        troubles = [*(self._mirror.troubles if name == "mirror" else ()), *problem]
        for text in troubles:
            if text not in self._said.get(name, ()):
                self._say(f"{self._mirror.origin}: {text}")
        self._said[name] = troubles

    def run(self, stop: threading.Event) -> None:
        """Keep the mirror until `stop`.

        At each beat that this witness cosigns, again soon after for what came behind it, else now and then.
        """
        clock = SystemClock()
        while not stop.is_set():
            size = self._mirror.size
            with self._turns.of(slow=self._slow):
                if stop.is_set():
                    return
                begun = clock.monotonic_ns()
                self.step_mirror()
                self._slow = clock.monotonic_ns() - begun > SLOW_NS
            look = self._mirror.look_seconds
            self.wake.wait(look if self._mirror.size != size else IDLE_LOOKS * look)
            self.wake.clear()

    def run_watch(self, stop: threading.Event) -> None:
        """Watch until `stop`."""
        while not stop.wait(self._mirror.look_seconds):
            self.step_watch()


def _keepers(
    settings: Settings, policy: Policy, clock: Clock, ledger: Ledger, say: Callable[[str], None]
) -> list[Keeper]:
    notifier = Notifier(settings.notify)

    def tell(subject: str, event: Mapping[str, object]) -> None:
        say(str(event["text"]))
        for problem in notifier.send(subject, event):
            say(problem)

    addresses = {log.key.name: log.url for log in policy.logs if log.url is not None}
    keep = len(addresses) < more_files() // 4
    keepers, turns = [], Turns()
    for origin, url in addresses.items():
        site = KeptSite(url, LOG_SECONDS, keep=keep)
        own = tuple(log for log in policy.logs if log.key.name == origin)
        only = quicken(replace(policy, logs=own, _verifiers={}))  # of 1,000 logs each note is of one
        try:
            keepers.append(_keeper(settings, only, clock, ledger, origin, site, say, tell, turns))
        except (FormatError, MachineError) as error:  # one bad directory must not stop all that it cosigns
            say(f"{origin} is cosigned, and neither mirrored nor watched: {error}")
    return keepers


def more_files() -> int:
    """Ask the system for as many open files as it allows; how many these are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return most
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most


def _keeper(
    settings: Settings,
    policy: Policy,
    clock: Clock,
    ledger: Ledger,
    origin: str,
    site: Source,
    say: Callable[[str], None],
    tell: Tell,
    turns: Turns,
) -> Keeper:
    def own(text: bytes) -> tuple[Signature, ...]:
        seen = ledger.latest.get(origin)
        return seen.own if seen is not None and seen.text == text else ()

    def last() -> tuple[int, int]:
        seen = ledger.latest.get(origin)
        return (seen.checkpoint.size, seen.time) if seen is not None else (0, 0)

    mine = {str(key) for key in settings.cosigner().vkeys}
    others = [
        WitnessClient(w.url, [QuickVerifier(w.key)])
        for w in {w.url: w for w in policy.witnesses if str(w.key) not in mine}.values()
        if w.url is not None
    ]
    root = settings.mirror_of(origin)
    mirror = Mirror(root, origin, site, policy, clock, own=own, others=others)
    watch = None
    if policy.quorum is not None:
        watch = Watch(mirror, policy, clock, seen=last, tell=tell, name=settings.name)
    return Keeper(mirror, watch, say, turns)


def main(argv: list[str] | None = None) -> int:
    """One witness as a process; returns the exit code."""
    parser = argparse.ArgumentParser(prog="memcon.witness.process")
    parser.add_argument("--home", type=Path, required=True)
    home = parser.parse_args(argv).home

    def say(text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    try:
        run_witness(load(home), SystemClock(), say)
    except MemconError as error:
        sys.stderr.write(f"memcon witness: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
