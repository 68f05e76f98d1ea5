"""From the server core's events to journal and media: the calls that are being recorded.

One `Recorder` serves all transports. It allocates ports, makes handles and receipts, and turns each
event into a journal record; it never refuses a call for what it cannot read.
"""

from __future__ import annotations

import base64
import itertools
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from memcon.capture import facts as f
from memcon.capture.media_loop import RTCP_EVERY, Add, MediaLoop, Owner, Remove
from memcon.errors import MachineError
from memcon.record.beat import slot_of
from memcon.record.hashing import handle_hash, receipt_message, sha256
from memcon.wire import events as ev
from memcon.wire.srs import RecordingServer, ServerConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from memcon.capture.journal import JournalWriter
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


@dataclass(slots=True)
class _Recorded:
    """A call on its way: its key in the journal, its sockets, what was last said of its streams."""

    key: str
    handles: dict[int, f.Handles] = field(default_factory=dict)
    pairs: list[PortPair] = field(default_factory=list)
    said: dict[int, dict[str, Any]] = field(default_factory=dict)
    parties: list[dict[str, str]] = field(default_factory=list)


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
    ) -> None:
        self._settings = settings
        self._receipt_key = receipt_key
        self._pool = pool
        self._media = media
        self._journal = journal
        self._clock = clock
        self._calls: dict[ev.DialogId, _Recorded] = {}
        self._allocated: dict[ev.DialogId, list[PortPair]] = {}
        self._pending_handle: dict[ev.DialogId, bytes] = {}
        self._media_handles = itertools.count(1)
        self._keys = itertools.count(1)
        self._given_back: list[PortPair] = []
        self.stopping = False
        self.refused = 0
        self.started = 0
        self.server = RecordingServer(
            self,
            lambda: secrets.token_hex(8),
            config=ServerConfig(media_address=settings.media_address),
            receipt=self._receipt,
        )

    # --- what the server core asks ---

    def allocate(self, dialog: ev.DialogId, count: int) -> Sequence[int] | None:
        """Ports for `count` m-lines, or None when the machine has none left."""
        self.settle()
        pairs: list[PortPair] = []
        try:
            while len(pairs) < count:
                pairs.append(self._pool.take())
        except MachineError:
            for pair in pairs:
                self._pool.give_back(pair)
            return None
        self._allocated.setdefault(dialog, []).extend(pairs)
        return [pair.port for pair in pairs]

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

    # --- what the server core says ---

    def take(self, output: ev.Event) -> None:
        """Journal one event and do what it asks."""
        now = f.stamp(self._clock.wall_ns(), self._clock.monotonic_ns())
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
            case ev.StreamPaused(dialog, index, label):
                self._event(dialog, {"type": "pause", "stream": 2 * index, "label": label or ""}, now)
            case ev.StreamHeld(dialog, index, label):
                self._event(dialog, {"type": "hold", "stream": 2 * index, "label": label or ""}, now)
            case ev.StreamResumed(dialog, index, label):
                self._event(dialog, {"type": "resume", "stream": 2 * index, "label": label or ""}, now)
            case ev.Oddity(dialog, text, raw) if dialog is not None:
                self._event(dialog, {"type": "oddity", "text": text}, now, raw)
            case ev.CallRefused():
                self.refused += 1
            case _:
                pass  # CallAcked, and oddities outside any call: nothing of a record

    def _event(
        self, dialog: ev.DialogId, facts: dict[str, Any], now: dict[str, str], raw: bytes = b""
    ) -> None:
        recorded = self._calls.get(dialog)
        if recorded is not None:
            self._journal.control({"type": "event", "key": recorded.key, "facts": facts} | now, [raw])

    def _message(
        self, dialog: ev.DialogId, direction: str, raw: bytes, transport: ev.Transport, now: dict[str, str]
    ) -> None:
        recorded = self._calls.get(dialog)
        if recorded is not None:
            record = {"type": "sip", "key": recorded.key, "direction": direction}
            self._journal.control(record | f.transport_facts(transport) | now, [raw])

    def _streams(self, recorded: _Recorded, call: ev.Call) -> list[dict[str, Any]]:
        return [
            f.stream_facts(call, s, recorded.handles[s.index])
            for s in call.streams
            if s.index in recorded.handles
        ]

    def _adopt(self, recorded: _Recorded, call: ev.Call) -> list[Add]:
        """Give newly allocated ports their m-lines; what to tell the media thread."""
        by_port = {pair.port: pair for pair in self._allocated.pop(call.dialog, [])}
        work = []
        for stream in call.streams:
            pair = by_port.pop(stream.port, None)
            if pair is None:
                continue
            handles = f.Handles(next(self._media_handles), next(self._media_handles))
            recorded.handles[stream.index] = handles
            recorded.pairs.append(pair)
            number = 2 * stream.index
            work.append(Add(handles.rtp, pair.rtp, Owner(recorded.key, number)))
            work.append(Add(handles.rtcp, pair.rtcp, Owner(recorded.key, number + 1), RTCP_EVERY))
        for pair in by_port.values():
            self._pool.give_back(pair)
        return work

    def _start(self, call: ev.Call, now: dict[str, str]) -> None:
        recorded = _Recorded(f"{next(self._keys)}")
        work = self._adopt(recorded, call)
        streams = self._streams(recorded, call)
        recorded.said = {s["mline"]: s for s in streams}
        recorded.parties = f.parties(call)
        handle = self._pending_handle.pop(call.dialog, None) or secrets.token_bytes(32)
        self._calls[call.dialog] = recorded
        self.started += 1
        record = {
            "type": "call",
            "key": recorded.key,
            "handle": handle.hex(),
            "mode": call.kind,
            "line": f.line_of(call, self._settings.lines),
            "source_ids": f.source_ids(call),
            "parties": recorded.parties,
            "streams": streams,
            "oddities": list(call.oddities),
        }
        self._journal.control(record | f.transport_facts(call.transport) | now, [call.invite])
        if call.metadata_raw:
            self._event(call.dialog, f.metadata_facts(call), now, call.metadata_raw)
        for item in work:
            self._media.put(item)

    def _update(self, dialog: ev.DialogId, call: ev.Call, now: dict[str, str], *, metadata: bool) -> None:
        recorded = self._calls.get(dialog)
        if recorded is None:
            return
        work = self._adopt(recorded, call)
        streams = self._streams(recorded, call)
        fresh = f.changed(recorded.said, streams)
        now_parties = f.parties(call)
        if fresh or now_parties != recorded.parties:
            recorded.said |= {s["mline"]: s for s in fresh}
            recorded.parties = now_parties
            record = {"type": "streams", "key": recorded.key, "streams": fresh, "parties": now_parties}
            self._journal.control(record | now)
        if metadata:
            self._event(dialog, f.metadata_facts(call), now, call.metadata_raw)
        for item in work:
            self._media.put(item)

    def _end(self, ended: ev.CallEnded, now: dict[str, str]) -> None:
        recorded = self._calls.pop(ended.dialog, None)
        if recorded is None:
            return
        cause, who = f.end_numbers(ended.cause, ended.by, stopping=self.stopping)
        handles = tuple(h for pair in recorded.handles.values() for h in (pair.rtp, pair.rtcp))
        facts = {"type": "end", "key": recorded.key, "cause": cause, "who": who} | now
        pairs = recorded.pairs
        self._media.put(Remove(handles, facts, ended.bye, lambda: self._given_back.extend(pairs)))

    def end_left_over(self) -> None:
        """At a stop: end whatever the server core could not end with a BYE of its own."""
        now = f.stamp(self._clock.wall_ns(), self._clock.monotonic_ns())
        for call in self.server.calls():
            if call.dialog in self._calls:
                self._end(ev.CallEnded(call.dialog, "recorder stopped", "recorder", b"", call), now)

    @property
    def open_calls(self) -> int:
        """How many calls are being recorded now."""
        return len(self._calls)
