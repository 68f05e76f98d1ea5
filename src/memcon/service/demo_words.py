"""What is said in the demonstration's call, as it is written: utterance by utterance, and how late."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memcon.clock import NS
from memcon.record.transcript import decode, text_of
from memcon.service.transcripts import open_transcripts
from memcon.store.durable import read_if_there
from memcon.transcribe.models import INSTALL, installed

if TYPE_CHECKING:
    from collections.abc import Callable

    from memcon.clock import Clock
    from memcon.store.paths import Home

CALL = 1
LOAD_SECONDS = 60


@dataclass
class Words:
    """Follows the text of the call; `began` is when it did, ms since 1970."""

    home: Home
    clock: Clock
    say: Callable[[str], None]
    began: int = 0
    _text: bytes = b""
    _told: set[tuple[str, int]] = field(default_factory=set)

    def expect(self, seconds: float = LOAD_SECONDS) -> None:
        """Say what is going to be seen, when it can be, or what to install to see it."""
        if not installed():
            self.say(
                f"Speech recognition is not installed, so that nothing is written of what is said. {INSTALL}"
            )
            return
        self.say("The recogniser is being loaded, once for as long as the office runs.")
        until, pause = self.clock.monotonic_ns() + int(seconds * NS), threading.Event()
        while not self.home.status("speech").exists():
            if self.clock.monotonic_ns() > until:
                self.say("It is not there yet: the first words will be late.")
                return
            pause.wait(0.1)

    def look(self) -> None:
        """Say what was written since the last look."""
        data = read_if_there(self.home.live_transcripts / f"{CALL}.json")
        if data is None or data == self._text:
            return
        self._text = data
        now = self.clock.wall_ns() // 1_000_000 - self.began
        for lane in decode(data).lanes:
            for one in lane.utterances:
                if (lane.name, one.end) not in self._told:
                    self._told.add((lane.name, one.end))
                    late, said = (now - one.end) / 1000, text_of(one.words, lane.language)
                    self.say(f"       {lane.speaker or lane.name}, {late:.1f} s after it: {said}")

    def kept(self) -> bool:
        """Whether the whole call's transcript is kept, or never will be."""
        return not installed() or bool(open_transcripts(self.home, self.clock).versions(f"call-{CALL}"))

    def wait(self, seconds: float) -> None:
        """Until the whole call's transcript is kept; a machine with much other work is not waited for."""
        until, pause = self.clock.monotonic_ns() + int(seconds * NS), threading.Event()
        while not self.kept():
            if self.clock.monotonic_ns() > until:
                self.say(
                    f"The call is still being transcribed after {seconds:.0f} s: its page has it in a while."
                )
                return
            pause.wait(0.1)

    def conclude(self) -> None:
        """Say what the record says of the whole call."""
        kept = open_transcripts(self.home, self.clock).current(f"call-{CALL}")
        if kept is None or kept.transcript.machine is None:
            return
        made, machine = kept.transcript, kept.transcript.machine
        self.say(
            f"The whole call was transcribed once more: version {made.version}, {made.count()} words, by "
            f"{machine.engine} {machine.model} ({machine.model_digest[:16]}…). The next beat seals it."
        )
