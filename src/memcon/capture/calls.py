"""From the server core's events to journal and media: the calls that are being recorded.

One `Recorder` serves all transports. It allocates ports, makes handles and receipts, and turns each
event into a journal record; it never refuses a call for what it cannot read, and always one that it
could not record.
"""

from __future__ import annotations

import base64
import itertools
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from memcon.capture import facts as f
from memcon.capture.left import LeftCall, Said
from memcon.capture.media_loop import Add, MediaLoop, Mute, Muted, Owner, Release, Remove
from memcon.errors import MachineError
from memcon.record.beat import slot_of
from memcon.record.hashing import handle_hash, receipt_message, sha256
from memcon.store.switch import Switched
from memcon.wire import events as ev
from memcon.wire.srs import RecordingServer, ServerConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager

    from memcon.capture.again import Again
    from memcon.capture.journal import JournalWriter
    from memcon.capture.log import Log
    from memcon.capture.sockets import PortPair, PortPool
    from memcon.clock import Clock


@dataclass(frozen=True, slots=True)
class ReceiptKey:
    """Signs receipts: `public` 32 bytes of Ed25519, `sign` gives 64."""

    public: bytes
    sign: Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a recorder needs to know of its configuration."""

    origin: str
    period_ms: int
    media_address: str
    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """When something was received, by both clocks, ns."""

    wall: int
    mono: int


@dataclass(slots=True)
class _Recorded:
    """A call on its way: its key in the journal, its sockets, what was last said of its streams.

    `left` is what a successor of this process would need to go on with it.
    """

    key: str
    left: LeftCall = field(default_factory=lambda: LeftCall({}, b""))
    handles: dict[int, f.Handles] = field(default_factory=dict)
    pairs: list[PortPair] = field(default_factory=list)
    said: dict[int, dict[str, Any]] = field(default_factory=dict)
    parties: list[dict[str, str]] = field(default_factory=list)
    metadata: bytes = b""
    oddities: int = 0
    paused: set[int] = field(default_factory=set)
    line: str = ""
    off: bool = False
    flow: str = ""
    heard: int = 0
    """Messages received."""


@dataclass(slots=True)
class _Allocated:
    """Ports given out that no event has put to use yet; the media thread holds its watermark for them."""

    hold: int
    since_ns: int
    pairs: list[PortPair]


def receipt_header(settings: Settings, key: ReceiptKey, slot: int, handle: bytes, invite: bytes) -> str:
    """The value of `Memcon-Receipt` (FORMATS §4)."""
    signature = key.sign(receipt_message(settings.origin, slot, handle, invite))
    return (
        f'v=1;origin="{settings.origin}";slot={slot};handle={handle_hash(handle).hex()};'
        f"key={sha256(key.public)[:4].hex()};sig={base64.b64encode(signature).decode('ascii')}"
    )


class Recorder:
    """All calls being recorded. Used from one thread; media work goes to the media thread."""

    def __init__(
        self,
        settings: Settings,
        receipt_key: ReceiptKey,
        pool: PortPool,
        media: MediaLoop,
        journal: JournalWriter,
        clock: Clock,
        log: Log,
        *,
        host: str | None = None,
    ) -> None:
        self._settings = settings
        self._receipt_key = receipt_key
        self._pool = pool
        self._media: MediaLoop | Again = media
        self._loop = media
        self._journal: JournalWriter | Again = journal
        self._again: Again | None = None
        self._clock = clock
        self._log = log
        self._calls: dict[ev.DialogId, _Recorded] = {}
        self._allocated: dict[ev.DialogId, list[_Allocated]] = {}
        self._pending_handle: dict[ev.DialogId, bytes] = {}
        self._media_handles = itertools.count(1)
        self._keys = itertools.count(1)
        self._given_back: list[PortPair] = []
        self._no_port = ""
        self.stopping = False
        self.switched = Switched()
        self.refused = 0
        self.started = 0
        self.odd = 0  # messages outside any call that could not be read
        self.server = RecordingServer(
            self,
            lambda: secrets.token_hex(8),
            config=ServerConfig(host=host, media_address=settings.media_address, pairs=pool.pairs),
            receipt=self._receipt,
            new_key=secrets.token_bytes,
        )

    # --- what the server core asks ---

    def allocate(self, dialog: ev.DialogId, count: int) -> Sequence[int] | None:
        """Ports for `count` m-lines; None when none are left, or not even the call's messages could be kept.

        While only audio has to wait a call is answered all the same: what is lost of it is counted.
        """
        if self._again is not None:
            return self._allocate_again(dialog, self._again, count)
        if self.stopping or self._journal.exhausted:
            self._no_port = "stopping" if self.stopping else "the journal takes no more"
            return None
        self.settle()
        hold, since_ns = self._media.hold()
        allocated = _Allocated(hold, since_ns, [])
        try:
            while len(allocated.pairs) < count:
                allocated.pairs.append(self._pool.take())
        except MachineError as error:
            self._no_port = str(error)
            self._put_back(allocated, allocated.pairs)
            return None
        self._allocated.setdefault(dialog, []).append(allocated)
        return [pair.port for pair in allocated.pairs]

    def _put_back(self, allocated: _Allocated, pairs: Sequence[PortPair]) -> None:
        for pair in pairs:
            self._pool.give_back(pair)
        self._media.put(Release(allocated.hold))

    def _receipt(self, call: ev.Call) -> list[tuple[str, str]]:
        handle = secrets.token_bytes(32)
        self._pending_handle[call.dialog] = handle
        slot = slot_of(self._clock.wall_ns(), self._settings.period_ms)
        value = receipt_header(self._settings, self._receipt_key, slot, handle, call.invite)
        return [("Memcon-Receipt", value)]

    def settle(self) -> None:
        """Give back the ports that the media thread is done with."""
        while self._given_back:
            self._pool.give_back(self._given_back.pop())

    def together(self) -> AbstractContextManager[None]:
        """What is journalled within stands in the journal when it ends, in one frame."""
        return self._journal.together()

    def settle_message(self) -> None:
        """After all events of a message: ports that were given out for it and not used go back."""
        for unused in self._allocated.values():
            for allocated in unused:
                self._put_back(allocated, allocated.pairs)
        self._allocated.clear()
        self._pending_handle.clear()

    # --- what the server core says ---

    def take(self, output: ev.Event, at: Moment) -> None:
        """Journal one event that a message received at `at` has caused, and do what it asks."""
        now = f.stamp(at.wall, at.mono)
        match output:
            case ev.CallStarted(call):
                self._start(call, now)
            case ev.CallUpdated(dialog, _, call, _, metadata):
                self._update(dialog, call, now, metadata=metadata)
            case ev.CallEnded():
                self._end(output, now)
            case ev.MessageReceived(dialog, raw, transport):
                self._message(dialog, "in", raw, transport, now)
            case ev.MessageSent(dialog, raw, transport):
                self._message(dialog, "out", raw, transport, now)
            case ev.StreamPaused() | ev.StreamHeld() | ev.StreamResumed():
                self._stream_event(output, now)
            case ev.Oddity(dialog, text, raw):
                self.odd += dialog is None
                self._event(dialog, {"type": "oddity", "text": text}, now, raw)
            case ev.CallRefused(_, status, reason, transport):
                self._refuse(status, reason, transport)
            case _:
                pass  # CallAcked: the ACK itself stands in the journal as a message

    def _refuse(self, status: int, reason: str, transport: ev.Transport) -> None:
        self.refused += 1
        why = self._no_port if status == 503 and self._no_port else reason
        self._log.warning("call refused", status=status, why=why, remote=f.endpoint(transport.remote))

    def _stream_event(
        self, event: ev.StreamPaused | ev.StreamHeld | ev.StreamResumed, now: dict[str, str]
    ) -> None:
        recorded = self._calls.get(event.dialog)
        if recorded is None:
            return
        was_paused = event.index in recorded.paused
        recorded.paused.discard(event.index)
        match event:
            case ev.StreamPaused():
                recorded.paused.add(event.index)
                kind = "pause"
            case ev.StreamHeld():
                kind = "hold"
            case ev.StreamResumed():
                kind = "unpause" if was_paused else "resume"
        facts = {"type": kind, "stream": 2 * event.index, "label": event.label or ""}
        self._event(event.dialog, facts, now)

    def _event(
        self, dialog: ev.DialogId | None, facts: dict[str, Any], now: dict[str, str], raw: bytes = b""
    ) -> None:
        recorded = self._calls.get(dialog) if dialog else None
        if recorded is not None:
            self._journal.control({"type": "event", "key": recorded.key, "facts": facts} | now, [raw])

    def _message(
        self, dialog: ev.DialogId, direction: str, raw: bytes, transport: ev.Transport, now: dict[str, str]
    ) -> None:
        recorded = self._calls.get(dialog)
        if recorded is not None:
            recorded.flow = transport.flow
            said = {"direction": direction} | f.transport_facts(transport) | now
            self._journal.control({"type": "sip", "key": recorded.key} | said, [raw])
            recorded.left.say(Said(said, raw))
            recorded.heard += direction == "in"

    def _streams(self, recorded: _Recorded, call: ev.Call) -> list[dict[str, Any]]:
        return [
            f.stream_facts(call, s, recorded.handles[s.index])
            for s in call.streams
            if s.index in recorded.handles
        ]

    def _muted(self, recorded: _Recorded, index: int) -> Muted:
        handles = recorded.handles[index]
        facts = {"type": "off" if recorded.off else "on", "stream": 2 * index}
        if recorded.off:
            facts["statement"] = self.switched.statement
        return Muted((handles.rtp, handles.rtcp), recorded.key, facts)

    def switch(self, switched: Switched) -> None:
        """Follow the off switch: calls of lines that are off are answered and kept, without their audio."""
        at = f.stamp(self._clock.wall_ns(), self._clock.monotonic_ns())
        facts = {"type": "switch", "whole": switched.whole, "lines": list(switched.lines)}
        self._journal.control(facts | {"statement": switched.statement} | at)
        self.switched = switched
        for off in (True, False):
            changed = [c for c in self._calls.values() if c.off != off and switched.off(c.line) == off]
            for recorded in changed:
                recorded.off = off
            lines = tuple(self._muted(recorded, index) for recorded in changed for index in recorded.handles)
            if lines:
                self._media.put(Mute(off, lines))

    def _adopt(self, recorded: _Recorded, call: ev.Call) -> list[Add | Mute | Release]:
        """Give newly allocated ports their m-lines; what to tell the media thread."""
        work: list[Add | Mute | Release] = []
        lines = {stream.port: stream.index for stream in call.streams if stream.port}
        for allocated in self._allocated.pop(call.dialog, ()):
            for pair in allocated.pairs:
                index = lines.get(pair.port)
                if index is None:
                    self._pool.give_back(pair)
                    continue
                handles = f.Handles(next(self._media_handles), next(self._media_handles))
                recorded.handles[index] = handles
                recorded.pairs.append(pair)
                rtp, rtcp = Owner(recorded.key, 2 * index), Owner(recorded.key, 2 * index + 1)
                since = allocated.since_ns
                if recorded.off:
                    work.append(Mute(True, (self._muted(recorded, index),)))
                work.append(Add(handles.rtp, pair.rtp, rtp, since))
                work.append(Add(handles.rtcp, pair.rtcp, rtcp, since, quiet=True))
            work.append(Release(allocated.hold))
        return work

    def _start(self, call: ev.Call, now: dict[str, str]) -> None:
        recorded = _Recorded(f"{next(self._keys)}", metadata=call.metadata_raw, flow=call.transport.flow)
        recorded.line = f.line_of(call, self._settings.lines)
        recorded.off = self.switched.off(recorded.line)
        work = self._adopt(recorded, call)
        try:
            streams = self._journal_call(recorded, call, now)
            self._calls[call.dialog] = recorded
        finally:
            if call.dialog not in self._calls:
                for pair in recorded.pairs:
                    self._pool.give_back(pair)
                work = [item for item in work if isinstance(item, Release)]
            for item in work:  # only now: `call` stands in the journal before its media
                self._media.put(item)
        self.started += 1
        if call.metadata_raw or call.metadata is not None:
            self._event(call.dialog, f.metadata_facts(call), now, call.metadata_raw)
        self._log.info("call started", key=recorded.key, mode=call.kind, streams=len(streams))

    def _journal_call(self, recorded: _Recorded, call: ev.Call, now: dict[str, str]) -> list[dict[str, Any]]:
        streams = self._streams(recorded, call)
        recorded.said = {s["mline"]: s for s in streams}
        recorded.parties = f.parties(call)
        recorded.oddities = len(call.oddities)
        record = {
            "type": "call",
            "key": recorded.key,
            "handle": self._pending_handle.pop(call.dialog).hex(),
            "mode": call.kind,
            "line": recorded.line,
            "source_ids": f.source_ids(call),
            "parties": recorded.parties,
            "streams": streams,
            "oddities": list(call.oddities),
        }
        recorded.left = LeftCall(record | f.transport_facts(call.transport) | now, call.invite)
        self._journal.control(recorded.left.facts, [call.invite])
        return streams

    def _update(self, dialog: ev.DialogId, call: ev.Call, now: dict[str, str], *, metadata: bool) -> None:
        recorded = self._calls.get(dialog)
        if recorded is None:
            return
        work = self._adopt(recorded, call)
        try:
            self._journal_streams(recorded, call, now)
        finally:
            for item in work:
                self._media.put(item)
        if metadata:
            recorded.metadata = call.metadata_raw
            self._event(dialog, f.metadata_facts(call), now, call.metadata_raw)
        for text in call.oddities[recorded.oddities :]:
            self._event(dialog, {"type": "oddity", "text": text}, now)
        recorded.oddities = len(call.oddities)

    def _journal_streams(self, recorded: _Recorded, call: ev.Call, now: dict[str, str]) -> None:
        fresh = f.changed(recorded.said, self._streams(recorded, call))
        parties = f.parties(call)
        if fresh or parties != recorded.parties:
            recorded.said |= {s["mline"]: s for s in fresh}
            recorded.parties = parties
            record = {"type": "streams", "key": recorded.key, "streams": fresh, "parties": parties}
            self._journal.control(record | now)
            streams = [said for _, said in sorted(recorded.said.items())]
            recorded.left.facts = recorded.left.facts | {"streams": streams, "parties": parties}

    def _end(self, ended: ev.CallEnded, now: dict[str, str]) -> None:
        recorded = self._calls.get(ended.dialog)
        if recorded is None:
            return
        # A BYE may bring metadata too, and what was odd in it.
        told = ended.call.metadata_raw != recorded.metadata
        self._update(ended.dialog, ended.call, now, metadata=told)
        cause, who = f.end_numbers(ended.cause, ended.by, stopping=self.stopping)
        self._close(ended.dialog, cause, who, ended.bye, now)

    def _close(self, dialog: ev.DialogId, cause: int, who: int, bye: bytes, now: dict[str, str]) -> None:
        recorded = self._calls.pop(dialog)
        handles = tuple(h for pair in recorded.handles.values() for h in (pair.rtp, pair.rtcp))
        facts = {"type": "end", "key": recorded.key, "cause": cause, "who": who} | now
        pairs = recorded.pairs
        self._media.put(Remove(handles, facts, bye, lambda: self._given_back.extend(pairs)))

    # --- from instance to instance ---

    def carry(self, dialogs: Iterable[ev.DialogId]) -> None:
        """Journal what a successor needs to go on with these calls: a `carry` record each."""
        for dialog in dialogs:
            recorded = self._calls.get(dialog)
            if recorded is not None:
                self._journal.note(*recorded.left.carry())
        self._journal.commit()

    def take_up(self, left: LeftCall, again: Again) -> ev.DialogId:
        """Go on with a call of a former instance: its messages are served again, unheard and unwritten.

        Then its `carry` record and what `again` has to say stand in the journal, and only then its media.
        Raises FormatError for bytes that cannot be read again: the call is then none of ours.
        """
        recorded = _Recorded(f"{next(self._keys)}")
        quiet = self._journal, self._media
        self._journal = self._media = self._again = again
        try:
            dialog = self._serve_again(recorded, left, again)
        finally:
            self._journal, self._media = quiet
            self._again = None
        streams = [said for _, said in sorted(recorded.said.items())]
        facts = {"key": recorded.key, "streams": streams, "parties": recorded.parties}
        recorded.left = left
        left.facts = left.facts | facts | {"sockets": again.sockets}
        self._journal.note(*left.carry())
        for facts in again.facts():
            self._journal.note({"type": "event", "key": recorded.key, "facts": facts} | again.stamp, [b""])
        for item in again.work:
            self._media.put(item)
        return dialog

    def _serve_again(self, recorded: _Recorded, left: LeftCall, again: Again) -> ev.DialogId:
        call = self.server.restore(left.invite, left.answer, again.transport(left.facts), again.at.mono)
        recorded.line = f.line_of(call, self._settings.lines)
        recorded.off = self.switched.off(recorded.line)
        pairs = again.take([stream.port for stream in call.streams if stream.port])
        self._allocated[call.dialog] = [_Allocated(0, again.since_ns, pairs)]
        again.work += self._adopt(recorded, call)
        recorded.said = {s["mline"]: s for s in self._streams(recorded, call)}
        recorded.parties = f.parties(call)
        recorded.oddities = len(call.oddities)
        recorded.metadata, recorded.flow = call.metadata_raw, call.transport.flow
        self._calls[call.dialog] = recorded
        for said in left.later():
            for output in self.server.receive(said.raw, again.transport(said.facts), again.at.mono):
                if not isinstance(output, ev.Send):
                    self.take(output, again.at)
            self.settle_message()
        return call.dialog

    def _allocate_again(self, dialog: ev.DialogId, again: Again, count: int) -> Sequence[int] | None:
        pairs = again.take_next(count)
        self._allocated.setdefault(dialog, []).append(_Allocated(0, again.since_ns, pairs))
        return [pair.port for pair in pairs] if len(pairs) == count else None

    def heard(self, dialog: ev.DialogId) -> int | None:
        """Packets and messages that have come for a call in this instance; None once it is over."""
        recorded = self._calls.get(dialog)
        if recorded is None:
            return None
        handles = [h for pair in recorded.handles.values() for h in (pair.rtp, pair.rtcp)]
        return recorded.heard + self._loop.packets_of(handles)

    @property
    def dialogs(self) -> list[ev.DialogId]:
        """The open calls."""
        return list(self._calls)

    def end_left_over(self) -> None:
        """At a stop: end what the server core could not end with a BYE of its own."""
        now = f.stamp(self._clock.wall_ns(), self._clock.monotonic_ns())
        for dialog in list(self._calls):
            self._close(dialog, f.CAUSE_STOPPED, f.WHO_OPERATOR, b"", now)

    def failed(self, dialog: ev.DialogId, at: Moment, text: str) -> None:
        """A defect of ours in the middle of a call: its record says so, and goes on."""
        self._event(dialog, {"type": "oddity", "text": text}, f.stamp(at.wall, at.mono))

    def recording(self, dialog: ev.DialogId) -> bool:
        """Whether the journal holds this call, open."""
        return dialog in self._calls

    def flows(self) -> set[str]:
        """The stream connections that open calls use."""
        return {recorded.flow for recorded in self._calls.values()}

    @property
    def open_calls(self) -> int:
        """How many calls are being recorded now."""
        return len(self._calls)
