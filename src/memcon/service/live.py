"""The stage on which nothing is told: witnesses in processes of their own, a site over HTTP, real time.

Three witnesses as `memcon witness serve` runs them, one of which mirrors every log and watches it; the
operator is this process, which serves its logs' directories as files; the third party is the stand-alone
verifier, a process too, which is given a mirror's files and a policy. Slots last two seconds,
and attacks are played side by side. A witness that an attack puts back, or makes lie, is that attack's
own: the others need theirs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import secrets
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

from memcon.clock import ManualClock, SystemClock
from memcon.errors import MachineError
from memcon.record.evidence import COSIGNED, hashed_path
from memcon.record.hashing import sha256
from memcon.seal.keys import create_keys
from memcon.service.attacks import ATTACKS, INSIDE
from memcon.service.demo import free_port, verifier_command, wait_for
from memcon.service.stage import NAMES, ORIGIN, REFUSED, Scene, Shown, Stage
from memcon.store.durable import read_if_there, remove_tree, write_file
from memcon.store.paths import Home
from memcon.store.tiles import CHECKPOINT
from memcon.witness.client import WitnessClient
from memcon.witness.keys import QuickVerifier
from memcon.witness.ledger import begin_ledger
from memcon.witness.process import run_witness
from memcon.witness.settings import init_home, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from memcon.clock import Clock
    from memcon.tlog.checkpoint import Checkpoint
    from memcon.tlog.note import Note, Signature, VerifierKey

OWN = ("lying", "rolled-back")
"""The attacks that put a witness back."""
MIRRORS = "press"
READY_SECONDS = 60
SETTLE_SECONDS = 20
FIRST = "one"
"""The directory of an attack's first stage: the log that the witnesses are told of."""


def pause(seconds: float) -> None:
    """Let real time pass."""
    threading.Event().wait(seconds)


def quiet_port() -> int:
    """A free port of loopback that the kernel gives to nobody's client before a process listens there."""
    while True:
        wanted = 10_000 + secrets.randbelow(20_000)
        if free_port(socket.SOCK_STREAM, wanted) == wanted:
            return wanted


class WitnessProcess:
    """One witness, as a process; `wall_ns` of `start` has it believe that it is always that time."""

    def __init__(self, home: Path, name: str, *, mirror: bool = False) -> None:
        self.home = home
        self.name = name
        self.port = quiet_port()
        listen = f"127.0.0.1:{self.port}"
        made = init_home(
            home, f"{name}.example", kinds=("ed25519",), listen=listen, policy=None, mirror=mirror
        )
        self.key: VerifierKey = made.cosigner().vkeys[0]
        self.url = f"http://{listen}/"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, wall_ns: int | None = None) -> None:
        command = [sys.executable, "-m", "memcon.witness.process", "--home", str(self.home)]
        if wall_ns is not None:
            command = [sys.executable, "-m", "memcon.service.live", str(self.home), str(wall_ns)]
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def ready(self) -> bool:
        """Whether it answers. Raises MachineError where it has ended."""
        if self._process is None or self._process.poll() is not None:
            said = (read_if_there(self.home / "log") or b"").decode(errors="replace").strip()
            raise MachineError(f"the witness {self.name} ended at once", cure=said or None)
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        return False

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal, where it runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def wait(self) -> None:
        """Until it has ended; one that does not is killed."""
        if self._process is not None:
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def put_back(self, wall_ns: int | None) -> None:
        """As from a copy made before it knew any log."""
        self.tell(signal.SIGKILL)
        self.wait()
        remove_tree(self.home / "ledger")
        begin_ledger(self.home / "ledger")  # as it was then; one that is gone is noticed
        self.start(wall_ns)
        wait_ready([self])

    def mirror_of(self, origin: str) -> Path:
        return load(self.home).mirror_of(origin)


def wait_ready(witnesses: Iterable[WitnessProcess]) -> None:
    """Wait until all of them answer; MachineError where one does not within a minute."""
    for witness in witnesses:
        wait_for(witness.ready, READY_SECONDS, f"the witness {witness.name} was not up", SystemClock())


class _Site(SimpleHTTPRequestHandler):
    """Serves the logs' directories as any web server does, without a word on standard error."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass


class Live:
    """The witnesses and the site of some attacks, by their names; a context manager."""

    def __init__(self, root: Path, attacks: Iterable[str], own: Iterable[str]) -> None:
        """`own`: the attacks that have witnesses of their own."""
        self.root = root
        sites = root / "sites"
        sites.mkdir()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Site, directory=str(sites)))
        self._server.daemon_threads = True
        self.common = {name: self._make(name) for name in NAMES}
        self._own = {attack: self._make_own(attack) for attack in own}
        for attack in attacks:
            keys = create_keys(Home(root / attack / FIRST).keys)
            url = f"http://127.0.0.1:{self._server.server_address[1]}/{attack}/"
            logs = "".join(f"log {key} {url}\n" for key in keys.vkeys(origin_of(attack)))
            for witness in {id(w): w for w in [*self.common.values(), *self.of(attack).values()]}.values():
                path = witness.home / "logs.policy"
                write_file(path, (read_if_there(path) or b"") + logs.encode(), 0o644)
        everyone = "".join(f"witness {w.name} {w.key} {w.url}\n" for w in self.common.values())
        everyone += f"group all-three 2 {' '.join(self.common)}\nquorum all-three\n"
        for witness in self._all():
            path = witness.home / "logs.policy"
            said = (read_if_there(path) or b"").replace(b"quorum none\n", b"")
            write_file(path, said + everyone.encode(), 0o644)

    def _make(self, name: str) -> WitnessProcess:
        return WitnessProcess(self.root / "witnesses" / name, name, mirror=name == MIRRORS)

    def _make_own(self, attack: str) -> dict[str, WitnessProcess]:
        return {name: self._make(f"{name}-{attack}") for name in NAMES if name != MIRRORS}

    def of(self, attack: str) -> dict[str, WitnessProcess]:
        """The witnesses of an attack's policy, by the names they have there."""
        return {**self.common, **self._own.get(attack, {})}

    def _all(self) -> list[WitnessProcess]:
        return [*self.common.values(), *(w for own in self._own.values() for w in own.values())]

    def __enter__(self) -> Live:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            for witness in self._all():
                witness.start()
            wait_ready(self._all())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for witness in self._all():
            witness.tell(signal.SIGTERM)
        for witness in self._all():
            witness.wait()
        self._server.shutdown()
        self._server.server_close()


def origin_of(attack: str) -> str:
    """The log of an attack: they are played side by side, so each has its own."""
    return f"{ORIGIN}-{attack}"


class LiveScene(Scene):
    """The place of one attack among others of a `Live`."""

    def __init__(self, live: Live, attack: str) -> None:
        super().__init__(live.root / attack)
        self.attack = attack
        self.live = live
        self._stages: list[LiveStage] = []

    def play(self, attack: Callable[[Scene], Shown]) -> Shown:
        try:
            return attack(self)
        finally:
            for stage in self._stages:
                stage.close()

    def stage(
        self,
        name: str = FIRST,
        *,
        origin: str | None = None,
        like: Stage | None = None,
        begun_ns: int | None = None,
    ) -> Stage:
        witnesses = self.live.of(self.attack)
        link = self.live.root / "sites" / self.attack if name == FIRST else None
        found = LiveStage(
            self.root / name, witnesses, link, origin=origin or origin_of(self.attack), like=like,
            begun_ns=begun_ns,
        )  # fmt: skip
        self._stages.append(found)
        found.show(served=True)
        return found


class LiveStage(Stage):
    """A stage on which time is waited for, and witnesses are asked over HTTP."""

    period = 2  # a beat must be seen within six seconds: a busy machine is no attack
    g = 3

    def __init__(
        self,
        root: Path,
        witnesses: dict[str, WitnessProcess],
        link: Path | None,
        *,
        origin: str,
        like: Stage | None,
        begun_ns: int | None,
    ) -> None:
        """`link`: what the site serves; None for a log that nobody mirrors."""
        self._processes = witnesses
        self._link = link
        self._clients = {
            name: WitnessClient(witness.url, [QuickVerifier(witness.key)])
            for name, witness in witnesses.items()
        }
        super().__init__(root, origin=origin, like=like, begun_ns=begun_ns)

    def close(self) -> None:
        """Close the connections to the witnesses."""
        for client in self._clients.values():
            client.close()

    def _own_clock(self) -> Clock:
        return SystemClock()

    def _set_up_witnesses(self) -> None:
        """They run already."""

    def _witness_keys(self) -> dict[str, VerifierKey]:
        return {name: witness.key for name, witness in self._processes.items()}

    def wait_until(self, slot: float) -> None:
        pause(max(0.0, (slot - self.now()) * self.period))

    def roll_back(self, name: str, wall_ns: int | None = None) -> None:
        self._processes[name].put_back(wall_ns)

    def _cosign(self, name: str, signed: Note, checkpoint: Checkpoint) -> list[Signature]:
        prove = self.store.reader().consistency_proof
        return list(self._clients[name].submit(signed, checkpoint, prove).signatures)

    def show(self, *, served: bool) -> None:
        if self._link is not None:
            self._link.unlink(missing_ok=True)
            if served:
                self._link.symlink_to(self.home.log)

    def mirrored(self) -> Path:
        """The mirror of this log, once it has all that is served; or after a while what it has."""
        mirror = self._processes[MIRRORS].mirror_of(self.origin)
        for _ in range(SETTLE_SECONDS * 10):
            if self._served() and _has(mirror, self.home.log):
                break
            pause(0.1)
        return mirror

    def _served(self) -> bool:
        return self._link is not None and self._link.exists()

    def read_from(self) -> Path:
        if self._link is None:
            return self.home.log
        return self.mirrored() if self._served() else self._processes[MIRRORS].mirror_of(self.origin)

    def ask(self, first: int, last: int, where: Path | None = None) -> Shown:
        policy = self.root / "policy"
        write_file(policy, self.policy, 0o644)
        asked = self.stretch(first, last)
        done = subprocess.run(
            [
                *verifier_command(), "was-it-on", str(where or self.read_from()), f"@{asked.since // 1000}",
                f"@{asked.until // 1000}", "--policy", str(policy), "--no-cache", "--json",
            ],
            capture_output=True, check=False, text=True,
        )  # fmt: skip
        if not done.stdout:
            return Shown(REFUSED, done.stderr.strip())
        said = json.loads(done.stdout)
        codes = tuple(sorted({finding["code"] for finding in said["findings"]}))
        return Shown(said["answer"], said["sentence"], codes)


def play(names: Iterable[str], root: Path) -> dict[str, Shown]:
    """Play attacks side by side, in some forty seconds of real time; what was shown of each, by name.

    Those inside a call have no witness to ask: time is told to them here too.
    """
    chosen = list(names)
    outside = [name for name in chosen if name not in INSIDE]
    own = [name for name in OWN if name in outside]
    with Live(root, outside, own) as live, ThreadPoolExecutor(len(chosen)) as pool:
        scenes = {name: LiveScene(live, name) if name in outside else Scene(root / name) for name in chosen}
        shown = pool.map(lambda name: scenes[name].play(ATTACKS[name].play), chosen)
        return dict(zip(chosen, shown, strict=True))


def _has(mirror: Path, log: Path) -> bool:
    """Whether a mirror has the leaves and the newest cosigned note that a log serves.

    The note by its bytes: of the same size there may be an older one, which says less.
    """
    newest = read_if_there(log / COSIGNED)
    if newest is not None and not (mirror / hashed_path("note", sha256(newest))).exists():
        return False
    return _size(mirror / CHECKPOINT) >= _size(log / CHECKPOINT)


def _size(note: Path) -> int:
    """The tree size that a note file says, 0 where there is none."""
    lines = (read_if_there(note) or b"").split(b"\n")
    return int(lines[1]) if len(lines) > 1 else 0


def main(argv: list[str] | None = None) -> int:
    """A witness that is made to lie: whatever time it is, it says the one that it was given."""
    parser = argparse.ArgumentParser(prog="memcon.service.live")
    parser.add_argument("home", type=Path)
    parser.add_argument("wall_ns", type=int)
    args = parser.parse_args(argv)

    def say(text: str) -> None:
        sys.stdout.write(f"{text}\n")

    run_witness(load(args.home), ManualClock(args.wall_ns), say)
    return 0


if __name__ == "__main__":
    sys.exit(main())
