"""The office's side of the listening process: started where it can work, started again when it ends."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from memcon.clock import NS
from memcon.transcribe.models import installed

if TYPE_CHECKING:
    from memcon.clock import Clock
    from memcon.service.config import Config
    from memcon.store.paths import Home

AGAIN_NS = 10 * NS
END_SECONDS = 5


class ListeningChild:
    """`watch` it a few times a second; `end` it last."""

    def __init__(self, home: Home, config: Config, clock: Clock) -> None:
        self._home = home
        self._clock = clock
        self._wanted = config.speech.live and bool(config.sip_listen) and installed()
        self._process: subprocess.Popen[bytes] | None = None
        self._due = 0

    def watch(self) -> None:
        """Start it, or start it again ten seconds after the last time."""
        now = self._clock.monotonic_ns()
        if not self._wanted or now < self._due or (self._process and self._process.poll() is None):
            return
        self._due = now + AGAIN_NS
        self._home.status("speech").unlink(missing_ok=True)
        command = [sys.executable, "-m", "memcon.service.listening", "--home", str(self._home.root)]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def end(self) -> None:
        """Have it end; what it had not written is written from the kept call the next time."""
        self._wanted = False
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
