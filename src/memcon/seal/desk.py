"""Opens and closes calls: numbers, keys, work directories, and what a control record does to a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.record import call as record_call
from memcon.record import canonical, hashing
from memcon.seal import controls, custody
from memcon.seal.call_state import CAUSE_FAILED, CUSTODIANS, WHO_RECORDER, WRAPS, Call, Custody, Ending
from memcon.seal.finisher import Finisher
from memcon.seal.keys import read_secret
from memcon.seal.starts import Starts
from memcon.seal.unlock import WIRE_HANDLE
from memcon.store import durable
from memcon.store.journal_reader import Finding
from memcon.wire.sdes import conceal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from memcon.record.journal import Control
    from memcon.seal.feed import Feed
    from memcon.seal.segmenter import Segmenter
    from memcon.seal.slots_file import Known
    from memcon.seal.streams import Streams
    from memcon.seal.waiting import Waiting
    from memcon.store.paths import Home


LINE = 200
"""Characters of a message's first line that its event repeats in words."""


def first_line(message: bytes) -> str:
    """The first line of a SIP message, for people: what cannot be printed is replaced."""
    line = message.lstrip(b"\r\n").split(b"\n", 1)[0][: 4 * LINE]
    text = line.decode("utf-8", "replace").strip()
    return "".join(char if char.isprintable() else "\ufffd" for char in text)[:LINE]


class Desk:
    """The calls of all instances being sealed. `open`: number -> call, in order of their numbers."""

    def __init__(
        self,
        home: Home,
        known: Known,
        feed: Feed,
        findings: list[Finding],
        streams: Streams,
        waiting: Waiting,
    ) -> None:
        self._home = home
        self._known = known
        self._feed = feed
        self._findings = findings
        self._streams = streams
        self._waiting = waiting
        self.custodians, self._custodians_bytes = custody.load_custodians(home.custodians)
        self.open: dict[int, Call] = {}
        durable.make_dirs(home.work_open)
        self._starts = Starts(home.work_starts, self._may_go_on)
        self._restore_wraps()
        self._finisher = Finisher()
        self.next_call = known.last.next_call if known.last else 1
        self._keys: dict[str, Call | None] = {}
        self._named: dict[int, str] = {}
        self.partial = False
        self._handles: dict[int, Call] = {}
        self._uncarried: set[int] = set()
        self._segmenter: Segmenter | None = None

    def begin_instance(self, segmenter: Segmenter, *, partial: bool) -> None:
        """An instance starts: keys and media handles have their meaning in it alone.

        Calls that are open now wait to be carried by it; `end_uncarried` ends the others.
        `partial`: its first files are gone, so that records of sealed calls may name unknown keys.
        """
        self._keys, self._named = {}, {}
        self._handles = {}
        self._uncarried = {c.number for c in self.open.values() if c.ending is None}
        self._segmenter = segmenter
        self.partial = partial

    # ------------------------------------------------------------------ records

    def control(self, kind: str, control: Control) -> Call | None:
        """Apply a control record that speaks of a call; returns one that is new here. Raises FormatError."""
        if kind == "call":
            return self._new_call(controls.read_call(control))
        if kind == "carry":
            return self._carry(controls.read_call(control))
        if kind == "drops":
            self._drops(control)
            return None
        found = self._find(control, kind)
        if found is None:
            return None
        if kind == "sip":
            self._sip(found, control)
        elif kind == "streams":
            self._changed_streams(found, control)
        elif kind == "event":
            self._event(found, control)
        elif kind == "end":
            self._end(found, controls.read_end(control))
        else:
            raise FormatError("control record", f"type {kind!r} is unknown", where="type")
        return None

    def named(self, kind: str, control: Control) -> tuple[str, int, list[int]] | None:
        """(key, number, media handles) of the open call that a record names, or gives other handles."""
        key = control.facts.get("key") if kind in ("call", "carry", "streams") else None
        found = self._keys.get(key) if isinstance(key, str) else None
        if found is None:
            return None
        return str(key), found.number, [handle for handle in found.handles if handle < WIRE_HANDLE]

    def note_oddity(self, control: Control, text: str) -> None:
        """Seal what was odd in a record with its call, where it names one."""
        key = control.facts.get("key")
        found = self._keys.get(key) if isinstance(key, str) else None
        if found is None or found.complete:
            return
        found.oddities.append(text)
        since = found.summaries[-1].since if found.summaries else 0
        wall = found.summaries[-1].wall if found.summaries else found.facts.wall
        self._tell(found, since, wall, {"type": "oddity", "text": text})

    def _find(self, control: Control, kind: str) -> Call | None:
        key = controls.Fields(control.facts, f"{kind} record").text("key")
        if key not in self._keys:
            if self.partial:
                return None
            raise FormatError(f"{kind} record", f"names the unknown call {key!r}", where="key")
        found = self._keys[key]
        late = kind not in ("sip", "event")  # a message may still follow the end
        if found is not None and (found.complete or (found.ending is not None and late)):
            raise FormatError(f"{kind} record", f"call {found.number} has ended", where="key")
        return found

    def _tell(
        self, call: Call, since: int, wall: int, facts: dict[str, canonical.Json], raw: bytes = b""
    ) -> None:
        # Keys are an event of their own, so that a message can be shown without them.
        shown, keys = conceal(raw)
        self._tell_one(call, since, wall, facts, shown)
        if keys:
            self._tell_one(call, since, wall, {"type": "keys", "lines": len(keys)}, b"\n".join(keys))

    def _tell_one(
        self, call: Call, since: int, wall: int, facts: dict[str, canonical.Json], raw: bytes
    ) -> None:
        event = call.add_event(since, wall, facts, raw)
        self._feed.tell(
            "event", number=call.number, n=event.number, since=event.since, wall=wall, facts=facts
        )

    def tell_refused(self, wall: int, mono: int) -> None:
        """Declare the SRTP packets that no key has opened, of all calls."""
        for call in self.open.values():
            if call.guards and call.ending is None:
                self._tell_refused(call, wall, mono - call.facts.mono)

    def _tell_refused(self, call: Call, wall: int, since: int) -> None:
        for stream, count in call.refused():
            facts: dict[str, canonical.Json] = {"type": "loss", "stream": stream, "layer": "srtp"}
            self._tell(call, since, wall, {**facts, "count": count})

    def _new_call(self, facts: controls.CallFacts) -> Call | None:
        if facts.key in self._keys:
            raise FormatError("call record", f"key {facts.key!r} is taken", where="key")
        number = self._known.numbers.get(facts.handle)
        if number is not None and number in self._known.ended and not self._directory(number).is_dir():
            self._ignore(facts)
            return None
        taken = self._known_custody(facts, number) if number is not None else None
        if number is not None and taken is None:
            self._findings.append(Finding(f"call {number}", "its key is lost: it cannot be sealed further"))
            self._ignore(facts)
            return None
        if number is None or taken is None:
            number, self.next_call = self.next_call, self.next_call + 1
            taken = self._new_custody(facts, number)
        call = Call(number, facts, taken, self._directory(number), self._streams)
        self.open[number] = call
        self._keys[facts.key], self._named[number] = call, facts.key
        self._register(call)
        call.flush()
        self._announce(call)
        return call

    def _carry(self, facts: controls.CallFacts) -> Call | None:
        """A call of an earlier instance goes on in this one; in the middle of an instance: as before.

        Where its beginning is not in any journal any more, it is taken up from here.
        """
        if facts.key in self._keys:
            return None
        found = next((c for c in self.open.values() if c.facts.handle == facts.handle), None)
        if found is None:
            return self._new_call(facts)
        if found.ending is not None:
            self._ignore(facts)
            return None
        self._keys[facts.key], self._named[found.number] = found, facts.key
        self._uncarried.discard(found.number)
        found.carry(facts)
        self._register(found)
        return found

    def _announce(self, call: Call) -> None:
        facts = call.facts
        self._feed.tell(
            "call",
            number=call.number,
            handle=facts.handle.hex(),
            wall=facts.wall,
            mode=facts.mode,
            line=facts.line,
            parties=facts.parties,
            source_ids=facts.source_ids,
            streams=[s.public() for s in facts.streams],
            oddities=list(facts.oddities),
        )

    def _ignore(self, facts: controls.CallFacts) -> None:
        """A call that is sealed already: its records and packets mean nothing any more."""
        self._keys[facts.key] = None
        segmenter = self._segmenter
        if segmenter is not None:
            for stream in facts.streams:
                segmenter.ignore(stream.handle, stream.rtcp_handle)

    def _register(self, call: Call) -> None:
        for handle, stream in call.handles.items():
            owner = self._handles.get(handle)
            if owner is not None and owner is not call:
                problem = f"media handle {handle} belongs to call {owner.number}"
                raise FormatError("stream", problem, where="handle")
            self._handles[handle] = call
            if self._segmenter is not None:
                self._segmenter.follow(handle, stream)
                guard = call.lock(stream.number)
                if guard is not None:
                    self._segmenter.locks.set(handle, guard)
                else:
                    self._segmenter.locks.forget(handle)

    def _sip(self, call: Call, control: Control) -> None:
        f = controls.Fields(control.facts, "sip record")
        wall, since = f.time("wall"), f.time("mono") - call.facts.mono
        keys = ("direction", "transport", "local", "remote")
        message = controls.attachment(control)
        facts: dict[str, canonical.Json] = {"type": "sip", **{key: f.text(key, "") for key in keys}}
        self._tell(call, since, wall, {**facts, "line": first_line(message)}, message)

    def _changed_streams(self, call: Call, control: Control) -> None:
        f = controls.Fields(control.facts, "streams record")
        streams = controls.read_streams(f.list("streams"))
        call.add_streams(streams)
        self._register(call)
        if "parties" in control.facts:
            call.parties = f.list("parties")
        shown = [s.public() for s in streams]
        self._feed.tell("streams", number=call.number, streams=shown, parties=call.parties)

    def _event(self, call: Call, control: Control) -> None:
        f = controls.Fields(control.facts, "event record")
        facts = f.object("facts")
        kind = controls.Fields(facts, "event facts").text("type")
        if kind == "oddity":
            call.oddities.append(str(facts.get("text", "")))
        since = f.time("mono") - call.facts.mono
        self._tell(call, since, f.time("wall"), facts, controls.attachment(control))

    def _drops(self, control: Control) -> None:
        f = controls.Fields(control.facts, "drops record")
        wall, mono, drops = f.time("wall"), f.time("mono"), controls.read_drops(f.object("drops"))
        for handle, count in sorted(drops.items()):
            call = self._handles.get(handle)
            if call is not None and call.ending is None:
                self._count_drops(call, handle, count, wall, mono)

    def _count_drops(self, call: Call, handle: int, count: int, wall: int, mono: int) -> None:
        new = call.set_drops(handle, count)
        if new:
            number = call.handles[handle].number
            facts = {"type": "loss", "stream": number, "layer": "kernel", "count": new}
            self._tell(call, mono - call.facts.mono, wall, facts)

    def _end(self, call: Call, end: controls.EndFacts) -> None:
        for handle, count in sorted(end.drops.items()):
            if handle in call.handles:
                self._count_drops(call, handle, count, end.wall, end.mono)
        since = end.mono - call.facts.mono
        self.end(call, Ending(end.cause, end.who, end.wall, since, end.message))

    def end(self, call: Call, ending: Ending) -> None:
        """End a call: the event, its last segments; its streams take no more packets."""
        self._tell_refused(call, ending.wall, ending.duration)
        facts = {"type": "end", "cause": ending.cause, "who": ending.who}
        self._tell(call, ending.duration, ending.wall, facts)
        call.end(ending, self._waiting)
        for handle in call.handles:
            if self._segmenter is not None and self._handles.get(handle) is call:
                self._segmenter.ignore(handle)

    def end_all(self, cause: int, who: int, wall: int, mono: int) -> None:
        """End every call that has not ended: the recorder stopped at that time."""
        self._end_these(self.open, cause, who, wall, mono)

    def end_uncarried(self, wall: int, mono: int) -> None:
        """Calls of the instance before that this one has not taken up have ended with its journal."""
        uncarried, self._uncarried = sorted(self._uncarried), set()
        for number in uncarried:
            self.open[number].recovered = True
        self._end_these(uncarried, CAUSE_FAILED, WHO_RECORDER, wall, mono)

    def _end_these(self, numbers: Iterable[int], cause: int, who: int, wall: int, mono: int) -> None:
        for call in [self.open[number] for number in numbers]:
            if call.ending is None:
                since = max(0, mono - call.facts.mono)
                self.end(call, Ending(cause, who, max(wall, call.facts.wall), since))

    # ------------------------------------------------------------------ keys and directories

    def _directory(self, number: int) -> Path:
        return self._home.work_open / str(number)

    def _new_custody(self, facts: controls.CallFacts, number: int) -> Custody:
        """A fresh key, wrapped. Nothing is synced yet: `sync_starts` does it before the first leaf."""
        directory = self._directory(number)
        durable.remove_tree(directory)
        key = custody.new_call_key(self._home, number)
        wraps = custody.wrap(key, facts.handle, self.custodians)
        self._starts.add(number, wraps, self._custodians_bytes)
        self._begin_directory(directory, wraps, self._custodians_bytes)
        return Custody(key, self._custodians_bytes, wraps)

    @staticmethod
    def _begin_directory(directory: Path, wraps: bytes, custodians: bytes) -> None:
        durable.make_dirs(directory, durable=False)
        durable.write_file(directory / WRAPS, wraps, durable=False)
        durable.write_file(directory / CUSTODIANS, custodians, durable=False)

    def _restore_wraps(self) -> None:
        """Where a power cut took the unsynced copy in a work directory: who unlocks looks for it there."""
        for number, wraps, custodians in self._starts.latest():
            directory = self._directory(number)
            if not durable.read_if_there(directory / WRAPS):
                self._begin_directory(directory, wraps, custodians)

    def _may_go_on(self, number: int) -> bool:
        """Whether a call with a leaf in the log is not handed over: only then can its wraps be asked for."""
        return self._directory(number).is_dir()

    def sync_starts(self) -> None:
        """Before first leaves become public: the wraps they name, and the work directories' names."""
        self._starts.sync()
        durable.fsync_dir(self._home.work_open)

    def _known_custody(self, facts: controls.CallFacts, number: int) -> Custody | None:
        """Key and wraps of a call whose first leaf is in the log, checked against that leaf."""
        first = record_call.decode(self._known.firsts[number]).first
        directory = self._directory(number)
        found = None if first is None else self._starts.find(number, first.wraps)
        if first is None or found is None:
            return None
        wraps, custodians = found
        key = custody.kept_call_key(self._home, number) or self._unlock(wraps, facts.handle)
        if key is None or hashing.call_key_hash(key) != first.call_key_hash:
            return None
        if custody.kept_call_key(self._home, number) != key:
            durable.write_file(self._home.call_key(number), key, durable=False)
        durable.remove_tree(directory)  # the journal gives the rest again
        self._begin_directory(directory, wraps, custodians)
        return Custody(key, custodians, wraps)

    def _unlock(self, wraps: bytes, handle: bytes) -> bytes | None:
        """The key by the local custodian, after a reboot has emptied the run directory."""
        if not self._home.local_custodian.exists():
            return None
        seed = read_secret(self._home.local_custodian)
        for id_ in custody.decode_wraps(wraps):
            try:
                return custody.unwrap(wraps, handle, id_, seed)
            except FormatError:
                continue  # another custodian's
        return None

    def finish(self, call: Call, extra: dict[str, canonical.Json]) -> None:
        """After a call's last leaf is in the log: its directory is handed over, beside the sealing."""
        del self.open[call.number]
        self._forget(call)
        call.forget(self._waiting)
        target = self._home.work_done / str(call.number)
        self._finisher.submit(call.number, lambda: call.finish(target, extra))

    def _forget(self, call: Call) -> None:
        """An instance may run for years: of a call that is over it keeps nothing in memory."""
        self._keys.pop(self._named.pop(call.number, ""), None)
        for handle in call.handles:
            if self._handles.get(handle) is call:
                del self._handles[handle]
                if self._segmenter is not None:
                    self._segmenter.forget(handle)

    @property
    def finishing(self) -> bool:
        """Whether calls are being handed over."""
        return self._finisher.busy

    def collect(self, *, idle: bool = False) -> list[int]:
        """Calls that were handed over since: their keys are erased. `idle`: wait a moment for one."""
        return self._done(self._finisher.collect(idle=idle))

    def close(self) -> list[int]:
        """Wait for what is being handed over; the numbers that were not collected."""
        numbers = self._done(self._finisher.close())
        self._starts.close()
        return numbers

    def _done(self, numbers: list[int]) -> list[int]:
        for number in numbers:
            custody.erase_call_key(self._home, number)
            self._starts.forget(number)
            self._feed.tell("done", number=number)
        return numbers

    def forget_orphans(self) -> None:
        """Erase keys of calls that are handed over or never came to a work directory."""
        if not self._home.run.is_dir():
            return
        for path in self._home.run.glob("call-*.key"):
            number = path.stem.removeprefix("call-")
            if number.isdecimal() and not self._directory(int(number)).is_dir():
                custody.erase_call_key(self._home, int(number))
