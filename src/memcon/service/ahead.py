"""Calls heard as they arrive: the packets of a few open calls, from the journal, before they are sealed.

A sealed second is up to a second old when it closes, and text is wanted sooner. The journal has a packet a
tenth of a second after it came, so that the listening process reads what comes there too, beside sealing and
without a part in it. What is sealed later is made of the same bytes. Of calls that began before it did, of
too many calls at once, and where the journal is odd, sealed seconds are read instead.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from memcon.errors import FormatError, MachineError
from memcon.record import journal
from memcon.release.following import Gathered
from memcon.seal import controls
from memcon.seal.unlock import Locks
from memcon.store.journal_reader import JournalReader
from memcon.wire import sdes
from memcon.wire.srtp import Guard

if TYPE_CHECKING:
    from memcon.seal.controls import StreamFacts
    from memcon.store.paths import Home

MOST_CALLS = 16
"""Calls read ahead of their sealing: more than a machine transcribes at once."""
PAUSE_LOOKS = 200
"""Looks that pass after something odd, ten seconds or more: what is damaged stays so until the next file."""
MOST_BYTES = 16 << 20
"""Packets of one call kept at most, some fifteen minutes: what nobody takes is read from its file later."""


@dataclass(slots=True)
class Arriving:
    """A call as it arrives. `start` on the monotonic clock; `until`: all that arrived before it is here (ns
    since the start); `ended`: that was the end; `lost`: read its sealed seconds."""

    start: int
    gathered: Gathered = field(default_factory=Gathered)
    until: int = 0
    ended: bool = False
    lost: bool = False
    _end: int | None = None
    _guards: dict[int, tuple[str, Guard]] = field(default_factory=dict)

    def guard(self, facts: StreamFacts) -> Guard | None:
        """What opens the packets of a stream; its counters go on where only the key changes."""
        if not facts.key_line:
            return None
        line, guard = self._guards.get(facts.stream, ("", None))
        if guard is None:
            guard = Guard(sdes.parse(facts.key_line))
        elif line != facts.key_line:
            guard.rekey(sdes.parse(facts.key_line))
        self._guards[facts.stream] = facts.key_line, guard
        return guard

    def reached(self, mono: int) -> None:
        """All that arrived before this moment has been read."""
        if self._end is not None and mono >= self._end:
            self.until, self.ended = self._end - self.start, True
        elif not self.ended:
            self.until = max(self.until, mono - self.start)

    def end(self, mono: int) -> None:
        """The call ends at that moment."""
        self._end = max(mono, self.start)


class Ahead:
    """Follows the journal of a home. `look` reads what has come; `call` gives a call by its handle."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._reader: JournalReader | None = None
        self._calls: dict[str, Arriving] = {}
        self._pause = 0
        self._from_start = False  # of a journal that was not there yet
        self._forget_instance()

    def _forget_instance(self) -> None:
        """Keys and media handles have their meaning in one instance of capture alone."""
        self._keys: dict[str, Arriving] = {}
        self._handles: dict[int, tuple[Arriving, int]] = {}
        self._locks = Locks()

    def call(self, handle: str) -> Arriving | None:
        """A call by its handle in hex, if it has been here from its start."""
        return self._calls.get(handle)

    def forget(self, handle: str) -> None:
        """A call that is over."""
        self._calls.pop(handle, None)

    def rest(self) -> None:
        """Read no more: there are too many calls, or something is odd. A later `look` begins anew."""
        if self._reader is not None:
            self._reader.close()
        self._reader = None
        for call in self._calls.values():
            call.lost = True
            call.gathered = Gathered()
        self._calls.clear()
        self._forget_instance()

    def look(self) -> None:
        """Read what the journal has got since."""
        if self._pause:
            self._pause -= 1
            return
        try:
            reader = self._reader or self._begin()
            if reader is None:
                return
            self._read(reader)
            odd = bool(reader.findings)
        except (FormatError, MachineError):
            odd = True
        if odd:
            self.rest()
            self._pause = PAUSE_LOOKS

    def _begin(self) -> JournalReader | None:
        """Where nothing has been read yet: the end of the newest file of the newest instance."""
        reader = JournalReader(self._home)
        reader.scan()
        if not reader.instances:
            reader.close()
            self._from_start = True
            return None
        reader.seek(len(reader.instances) - 1, max(reader.instances[-1].files))
        if not self._from_start and reader.read() is not None:
            reader.pass_over()
        self._from_start = False
        reader.findings.clear()  # of files that are not read here
        self._reader = reader
        return reader

    def _read(self, reader: JournalReader) -> None:
        scanned = False
        while True:
            frame = reader.read()
            if frame is not None:
                for record in journal.decode_records(frame.plaintext):
                    self._take(record)
            elif not scanned:
                reader.scan()
                scanned = True
            elif reader.superseded:
                reader.next_instance()
                self._forget_instance()
            else:
                return

    def _take(self, record: journal.Media | journal.Control | journal.Tick | journal.Stop) -> None:
        if isinstance(record, journal.Media):
            self._media(record)
        elif isinstance(record, journal.Tick):
            mono = record.watermark + record.mono - record.wall
            for call in self._keys.values():
                call.reached(mono)
        elif isinstance(record, journal.Control):
            self._control(record)

    def _control(self, control: journal.Control) -> None:
        kind, key = str(control.facts["type"]), str(control.facts.get("key"))
        if kind in ("call", "carry"):
            facts = controls.read_call(control)
            handle = facts.handle.hex()
            call = self._calls.get(handle)
            if call is None and kind == "call":
                call = self._admit(handle, facts.mono)
            if call is not None:
                self._keys[facts.key] = call
                self._follow(call, facts.streams)
        elif key in self._keys:
            if kind == "streams":
                fields = controls.Fields(control.facts, "streams record")
                self._follow(self._keys[key], controls.read_streams(fields.list("streams")))
            elif kind == "end":
                self._keys[key].end(controls.read_end(control).mono)

    def _admit(self, handle: str, mono: int) -> Arriving | None:
        if len(self._calls) >= MOST_CALLS:  # those that are over, nobody asked for
            self._calls = {name: call for name, call in self._calls.items() if not call.ended}
        if len(self._calls) >= MOST_CALLS:
            return None
        self._calls[handle] = Arriving(mono)
        return self._calls[handle]

    def _follow(self, call: Arriving, streams: tuple[StreamFacts, ...]) -> None:
        for facts in streams:
            self._handles[facts.handle] = call, facts.stream
            guard = call.guard(facts)
            if guard is None:
                self._locks.forget(facts.handle)
            else:
                self._locks.set(facts.handle, guard)

    def _media(self, media: journal.Media) -> None:
        """Take the packets of calls that are read ahead; where each belongs is reckoned as sealing does."""
        if not media.count or not self._handles:
            return
        media = self._locks.open(media)
        handles = np.frombuffer(media.streams, ">u4")
        edges = np.flatnonzero(np.diff(handles)) + 1
        lengths = np.frombuffer(media.lengths, ">u2").astype(np.int64)
        ends = np.cumsum(lengths)
        arrivals = np.frombuffer(media.arrivals, ">u8").astype(np.int64) + (media.mono - media.wall)
        for first, last in zip([0, *edges.tolist()], [*edges.tolist(), media.count], strict=True):
            found = self._handles.get(int(handles[first]))
            if found is None:
                continue
            call, stream = found
            if call.lost:
                continue
            for n in range(first, last):
                since = max(0, min(int(arrivals[n]), media.mono) - call.start)
                call.gathered.add(stream, since, media.packets[int(ends[n] - lengths[n]) : int(ends[n])])
            if call.gathered.size > MOST_BYTES:
                call.lost, call.gathered = True, Gathered()
