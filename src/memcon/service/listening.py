"""The listening process: writes what is said in calls that go on, and afterwards all of it once more.

    python -m memcon.service.listening --home DIR

A child of the office, at low priority, with no part in recording: killed, stalled or hungry it costs text,
never audio. It reads the journal as packets arrive, where few calls go on, else sealed seconds as sealing
writes them; what is kept as a transcript is made of the sealed call when it is over. Calls that go on come
before calls that have ended; of what was said, what was said first; careful readings are done beside
(`transcribe.careful`). When there is more than it can decode it falls behind, says how far, and drops
nothing: sound waits in its files.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from memcon.catalogue.catalogue import Catalogue, Filter
from memcon.clock import NS, SystemClock, utc
from memcon.errors import MemconError, UsageError
from memcon.service import config as configuration
from memcon.service.ahead import Ahead
from memcon.service.archive import Archive
from memcon.service.intakes import Intakes
from memcon.service.live_call import LiveCall
from memcon.service.transcribing import WRITER, Transcriber, name_of, named
from memcon.service.transcripts import open_transcripts
from memcon.service.worker import alone
from memcon.store import durable
from memcon.store.paths import Home
from memcon.transcribe.careful import Careful

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from memcon.catalogue.rows import CallDetail
    from memcon.clock import Clock
    from memcon.record.transcript import Machine, Utterance
    from memcon.store.transcripts import TranscriptStore
    from memcon.transcribe.careful import Job
    from memcon.transcribe.lane import Wishes
    from memcon.transcribe.live import Due, LiveLane

LOOK_SECONDS = 0.05
NICE = 10
END_SECONDS = 1.0
LATELY = 100
"""Calls looked through, at the start, for those that nobody transcribed."""
FEW_CALLS = 16
"""With more calls than this text cannot be early, and the journal holds mostly what nobody decodes."""
PATIENCE = 600
"""Looks for a call's way into the vault, one a second, before it is left to `memcon transcribe`."""


class _EndedError(MemconError):
    """Told to end in the middle of a call: it is begun anew the next time."""


class Listener:
    """All calls of a home that go on or have just ended. `look` again and again."""

    def __init__(
        self,
        home: Home,
        clock: Clock,
        catalogue: Catalogue,
        transcriber: Transcriber,
        store: TranscriptStore,
        ended: Callable[[], bool] = lambda: False,
        careful: Transcriber | None = None,
    ) -> None:
        """`careful`: a transcriber with an engine of its own, for what nobody waits for."""
        self._home = home
        self._clock = clock
        self._catalogue = catalogue
        self._transcriber = transcriber
        self._store = store
        self._live: dict[int, LiveCall] = {}
        self._ended: dict[int, int] = {}  # by number: looks left
        self._texts: dict[int, LiveCall] = {}  # ended, text so far still shown
        self._troubles: dict[int, str] = {}
        self._next_look = 0
        self._ask_again: dict[int, int] = {}  # by number: when the catalogue is asked
        self._told_to_end = ended
        self._taken = 0  # calls taken in that have been looked at
        self._ahead = Ahead(home)
        self._whole = careful or transcriber
        self._careful = Careful(lambda: self._whole.engine)
        self._at_work = 0  # the number of the call that is transcribed as a whole

    def begin(self) -> None:
        """Remember the newest calls that have ended and were never transcribed."""
        for row in self._catalogue.register(Filter(), size=LATELY).rows:
            heard = row.number > 0 and row.state in ("recorded", "partly")
            if heard and not self._store.versions(f"call-{row.number}"):
                self._ended[row.number] = PATIENCE

    def find_taken(self) -> None:
        """Remember calls that were taken in from files and were never transcribed."""
        last = self._catalogue.intakes.last()
        for n in range(self._taken + 1, last + 1):
            if not self._store.versions(f"intake-{n}"):
                self._ended[-n] = PATIENCE
        self._taken = last

    def look(self) -> bool:
        """One round over the calls that go on: take in what came, decode one thing. Whether there was one."""
        self._meet()
        if len(self._live) <= FEW_CALLS:  # also while none goes on: the next one is to be met at its start
            self._ahead.look()
        else:
            self._ahead.rest()
        did = self._careful.collect()
        found: list[tuple[LiveCall, LiveLane, Due]] = []
        for call in list(self._live.values()):
            call.advance(self._detail(call))
            due = call.due()
            found += [(call, *one) for one in due]
            if not due and call.over:
                self._over(call)
        for call, lane, due_ in found:
            if due_.settles:
                self._careful.soon(self._settling(call, lane, due_))
        now = min((one for one in found if not one[2].settles), key=lambda one: one[2].turn, default=None)
        if now is None:
            return did or bool(found)
        call, lane, what = now
        self._write(call, lane.hear(what, self._transcriber.engine, self._wishes(call)))
        return True

    def _detail(self, call: LiveCall) -> CallDetail | None:
        """What the catalogue knows of a call, asked once a second: it costs as much as all else of a look."""
        now = self._clock.monotonic_ns()
        if call.detail is None or now >= self._ask_again.get(call.number, 0):
            self._ask_again[call.number] = now + NS
            return self._catalogue.call(call.number)
        return None

    def _write(self, call: LiveCall, new: Sequence[Utterance]) -> None:
        if new and (call.number in self._live or call.number in self._texts):
            call.show(call.transcript(self._machine(call), WRITER, utc(self._clock.wall_ns())))

    def _machine(self, call: LiveCall) -> Machine:
        made = self._transcriber.engine.machine("live", self._wishes(call).hot_words)
        return replace(made, settings={**made.settings, "unsealed": True}) if call.unsealed else made

    def _settling(self, call: LiveCall, lane: LiveLane, due: Due) -> Job:
        wishes = self._wishes(call)

        def job() -> Callable[[], None]:
            engine = self._careful.engine
            heard, model = lane.decode(due, engine, wishes), engine.machine("live", ()).model
            return lambda: self._write(call, lane.take(due, heard, model))

        return job

    def after(self) -> bool:
        """See to it that ended calls are transcribed as a whole, one after the other, beside those that go
        on. Whether one was begun or concluded."""
        did = self._careful.collect()
        now = self._clock.monotonic_ns()
        if not self._ended or self._at_work or now < self._next_look:
            return did
        number = self._at_work = min(self._ended, key=lambda n: (n < 0, abs(n)))  # what was recorded first
        self._careful.later(lambda: self._transcribed(number))
        return True

    def _transcribed(self, number: int) -> Callable[[], None]:
        """Transcribe it, in the careful thread; what is to be done about it afterwards."""
        try:
            self._whole.transcribe(number, say=lambda *_: self._others())
        except _EndedError:
            return lambda: None
        except MemconError as error:
            return partial(self._failed, number, error)
        return partial(self._forget, number)

    def _others(self) -> None:
        if self._told_to_end():
            raise _EndedError("told to end")
        self._careful.others()

    def _failed(self, number: int, error: MemconError) -> None:
        if isinstance(error, UsageError):  # not in the vault yet, or nobody's key is here
            self._next_look = self._clock.monotonic_ns() + 1_000_000_000
            self._ended[number] -= 1
            if number > 0 and not self._home.local_custodian.exists():
                self._keep_live(number)
            elif self._ended[number]:
                self._at_work = 0
                return
            else:
                self._troubles[number] = str(error)
        else:
            self._troubles[number] = str(error)
        self._forget(number)

    def close(self) -> None:
        """Let go of what is being done."""
        self._told_to_end = lambda: True
        self._careful.end(END_SECONDS)
        self._ahead.rest()

    def status(self) -> dict[str, object]:
        """What is said of it: how many calls it hears, how far behind, what waits, what went wrong."""
        return {
            "pid": os.getpid(),
            "wall": self._clock.wall_ns(),
            "live": {str(n): call.behind for n, call in self._live.items()},
            "waiting": len(self._ended),
            "troubles": [f"call {named(n)}: {text}" for n, text in list(self._troubles.items())[-10:]],
        }

    def _meet(self) -> None:
        """Calls that have begun."""
        if not self._home.work_open.is_dir():
            return
        for path in self._home.work_open.iterdir():
            if not path.name.isdecimal() or int(path.name) in self._live:
                continue
            number = int(path.name)
            key = durable.read_if_there(self._home.call_key(number))
            if key is not None:
                self._live[number] = LiveCall(
                    self._home, number, key, self._transcriber.language, self._ahead.call
                )

    def _over(self, call: LiveCall) -> None:
        del self._live[call.number]
        self._ask_again.pop(call.number, None)
        if call.detail is not None:
            self._ahead.forget(call.detail.handle)
        self._texts[call.number] = call
        self._ended[call.number] = PATIENCE

    def _wishes(self, call: LiveCall) -> Wishes:
        parties = call.detail.parties if call.detail else ()
        return self._transcriber.wishes(name_of(party) for party in parties)

    def _keep_live(self, number: int) -> None:
        """Nobody here can open the call any more: what was written while it went on is its transcript."""
        call, detail = self._texts.get(number), self._catalogue.call(number)
        if call is None or detail is None or not detail.call_root or self._store.versions(f"call-{number}"):
            return
        text = call.transcript(self._machine(call), WRITER, "")
        duration = max(text.of.duration, -(-(detail.row.duration or 0) // 1_000_000))
        self._store.append(replace(text, of=replace(text.of, digest=detail.call_root, duration=duration)))

    def _forget(self, number: int) -> None:
        self._at_work = 0
        self._ended.pop(number, None)
        call = self._texts.pop(number, None)
        if call is not None:
            call.forget()


def run(home: Home, clock: Clock, stop: Callable[[float], bool]) -> None:
    """Listen until `stop`, which waits so many seconds, says so. What a round raises is told; it goes on."""
    config = configuration.load(home.config)
    home = Home(home.root, config.vault_path)
    store = open_transcripts(home, clock)
    catalogue = Catalogue(home.catalogue)
    intakes = Intakes(home, config, clock, catalogue)
    archive = Archive(home, config, clock)
    transcriber = Transcriber(archive, store, config.speech, intakes=intakes)
    careful = Transcriber(archive, store, config.speech, intakes=intakes)
    listener = Listener(home, clock, catalogue, transcriber, store, lambda: stop(0.0), careful)
    trouble = ""
    began = False
    next_word = 0
    while not stop(0.0):
        busy = False
        try:
            if not began:
                transcriber.engine  # noqa: B018  # loaded now, so that the first words need not wait for it
                listener.begin()
                began = True
            busy = listener.look()
            busy = listener.after() or busy
            trouble = ""
        except MemconError as error:
            trouble = str(error)
            stop(5.0)
        if clock.monotonic_ns() >= next_word:
            next_word = clock.monotonic_ns() + 1_000_000_000
            if began:
                listener.find_taken()
            said = listener.status() | ({"trouble": trouble} if trouble else {})
            durable.write_file(home.status("speech"), json.dumps(said).encode(), durable=False)
        if not busy:
            stop(LOOK_SECONDS)
    listener.close()
    intakes.close()
    catalogue.close()


def main(argv: list[str] | None = None) -> int:
    """Run until SIGTERM or until the parent is gone; returns the exit code."""
    parser = argparse.ArgumentParser(prog="memcon.service.listening")
    parser.add_argument("--home", type=Path, required=True)
    home = Home(parser.parse_args(argv).home)
    os.nice(NICE)
    parent, told = os.getppid(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())

    def stop(seconds: float) -> bool:
        return told.wait(seconds) or os.getppid() != parent

    try:
        with alone(home, "speech"):
            run(home, SystemClock(), stop)
    except MemconError as error:
        sys.stderr.write(f"memcon speech: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # the decoder's threads may keep an interpreter that shuts down from ending
