"""The demonstration's overseers: three witnesses in processes of their own, and the two answers they allow.

Two of three are a quorum; the third also mirrors and watches. The recorder is switched off by its
switch, then killed: a third party who has only the mirror's files and the policy is told which was which.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from datetime import UTC
from typing import IO, TYPE_CHECKING

from memcon.clock import NS
from memcon.errors import MachineError
from memcon.seal.keys import load_keys
from memcon.service.demo import free_port, wait_for
from memcon.service.switching import Switch
from memcon.store.durable import read_bytes, write_file
from memcon.store.switch import OFF, ON, Asked
from memcon.store.tiles import LogStore
from memcon.verify.asking import Asker
from memcon.verify.was_it_on import Question, sentence
from memcon.witness.archive import Archive
from memcon.witness.settings import init_home, load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from memcon.clock import Clock
    from memcon.service.config import Config
    from memcon.service.supervisor import Supervisor
    from memcon.store.paths import Home

    Say = Callable[[str], None]

POLICY = "witnesses.policy"
COUNT = 3
AWAY_SECONDS = 6.0
READY_SECONDS = 60
PERSON = "J. Ruiz, duty officer"


def make_overseers(home: Home, config: Config) -> None:
    """Make three witnesses beside a new recorder, and name them in its memcon.toml."""
    address = f"http://{config.console_host}:{config.console_port}/log/"
    lines = [f"log {key} {address}\n" for key in load_keys(home.keys).vkeys(config.origin)]
    roots = [home.root / f"witness-{n}" for n in range(1, COUNT + 1)]
    for n, root in enumerate(roots, 1):
        listen = f"127.0.0.1:{free_port(socket.SOCK_STREAM)}"
        last = n == COUNT
        made = init_home(
            root, f"witness-{n}.example", kinds=("ed25519",), listen=listen, policy=None, mirror=last
        )
        lines.append(f"witness w{n} {made.cosigner().vkeys[0]} http://{listen}/\n")
    lines.append("group two-of-three 2 w1 w2 w3\nquorum two-of-three\n")
    text = "".join(lines).encode()
    for root in roots:
        write_file(root / "logs.policy", text, 0o644)
    write_file(home.root / POLICY, text, 0o644)
    said = read_bytes(home.config) + f'\n[witness]\npolicy = "{POLICY}"\n'.encode()
    write_file(home.config, said, 0o644)


class Overseers:
    """The three witnesses, running; `show` is their part of the demonstration."""

    def __init__(self, home: Home, config: Config, clock: Clock, say: Say, log: IO[bytes]) -> None:
        say("Three witnesses, each with its own key, cosign every checkpoint; two are a quorum.")
        self._about = home, config, clock, say
        self._roots = [home.root / f"witness-{n}" for n in range(1, COUNT + 1)]
        self.mirror: Path = load(self._roots[-1]).mirror_of(config.origin)
        command = [sys.executable, "-m", "memcon.witness.process", "--home"]
        self._processes = [
            subprocess.Popen([*command, str(root)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            for root in self._roots
        ]
        try:
            wait_for(self._listening, READY_SECONDS, "the witnesses were not up", clock)
        except BaseException:
            self.stop()
            raise

    def _listening(self) -> bool:
        """Whether all of them answer. A recorder that starts before has no quorum: its beats are *late*.

        Raises MachineError where one has ended.
        """
        for process, root in zip(self._processes, self._roots, strict=True):
            if process.poll() is not None:
                raise MachineError(f"the witness in {root} ended at once", cure="witnesses.log says why")
            settings = load(root)
            try:
                socket.create_connection((settings.host, settings.port), timeout=1).close()
            except OSError:
                return False
        return True

    def show(self, supervisor: Supervisor) -> None:
        """The two ways of not recording. Raises MachineError where an answer is not the one it must be."""
        home, config, clock, say = self._about
        Answers(home, config, supervisor, self, clock, say).show()

    def stop(self) -> None:
        """End them; one that does not end is killed."""
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Answers:
    """Shows the two ways of not recording, and what a third party is told of each."""

    def __init__(
        self, home: Home, config: Config, supervisor: Supervisor, overseers: Overseers, clock: Clock, say: Say
    ) -> None:
        self._home = home
        self._config = config
        self._supervisor = supervisor
        self._mirror = overseers.mirror
        self._clock = clock
        self._say = say

    def show(self) -> None:
        """Raises MachineError where an answer is not the one it must be."""
        off = self._switched()
        killed = self._killed()
        self._wait(lambda: self._size(self._mirror) == self._size(self._home.log), "the mirror was behind")
        self._say("A third party has nothing but the mirror's files and the policy, and asks: was it on?")
        self._ask(off, "Declared off")
        self._ask(killed, "Silent")

    def _switched(self) -> tuple[int, int]:
        """Off by the switch for a few seconds; a stretch within it, in ms."""
        self._say(f"The recorder is switched off by its switch, by {PERSON}: monthly test.")
        switch = Switch(self._home, self._config, self._clock)
        asked = Asked(OFF, PERSON, "demonstration", "monthly test of the switch", ())
        switch.ask(asked)
        outcome = switch.wait(asked, 30, lambda: self._pause(0.1))
        self._say(f"  {outcome.sentence}")
        since = self._clock.wall_ns()
        self._pause(4)
        until = self._clock.wall_ns()
        asked = Asked(ON, PERSON, "demonstration", "the test is over", ())
        switch.ask(asked)
        self._say(f"  {switch.wait(asked, 30, lambda: self._pause(0.1)).sentence}")
        self._pause(3)
        return (since + 2 * NS) // 1_000_000, until // 1_000_000 - 1000

    def _killed(self) -> tuple[int, int]:
        """Every process of the recorder killed; the stretch without beats, in ms."""
        self._wait(lambda: self._size(self._mirror) == self._size(self._home.log), "the mirror was behind")
        self._say(f"Every process of the recorder is killed, and stays dead for {AWAY_SECONDS:.0f} s.")
        before = len(list(Archive(self._mirror).certificates()))
        for pid in self._supervisor.pids().values():
            os.kill(pid, signal.SIGKILL)
        size = self._size(self._home.log)
        self._pause(AWAY_SECONDS)
        made = list(Archive(self._mirror).certificates())[before:]
        self._say(f"  The watching witness has made {len(made)} silence certificates by itself.")

        def again() -> bool:
            self._supervisor.watch()
            return self._size(self._home.log) >= size + 4

        self._wait(again, "the recorder did not come back")
        store = LogStore(self._home.log)
        period = self._config.period * 1000
        slots = [int.from_bytes(entry[24:32], "big") for entry in store.entries(size - 1, size + 1)]
        return (slots[0] + 1) * period, slots[1] * period

    def _ask(self, stretch: tuple[int, int], due: str) -> None:
        asker = Asker(str(self._mirror), read_bytes(self._home.root / POLICY))
        said = sentence(asker.ask(Question(*stretch)), UTC)
        self._say(f"  {said}")
        if due not in said:
            raise MachineError(f"the answer should have been {due!r}")

    @staticmethod
    def _size(log: Path) -> int:
        return LogStore(log).checkpoint().size

    @staticmethod
    def _pause(seconds: float) -> None:
        threading.Event().wait(seconds)

    def _wait(self, done: Callable[[], bool], what: str) -> None:
        wait_for(done, 60, what, self._clock)
