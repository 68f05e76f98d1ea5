"""One recorded call as the server holds it: state, media lines, metadata (RFC 3261 §12, RFC 3264, RFC 7866).

The table says what may follow what; the functions work out what a description or a metadata
document changes. Nothing here sends.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.wire import sdes, sdp, siprec
from memcon.wire.address import parse_address
from memcon.wire.events import (
    Call,
    CallStream,
    DialogId,
    StreamHeld,
    StreamPaused,
    StreamResumed,
    StreamState,
    Transport,
)
from memcon.wire.recording import merge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from memcon.wire.recording import Recording
    from memcon.wire.session_timer import SessionTimer
    from memcon.wire.sip import Message

MAX_ODDITIES = 200


class CallState(Enum):
    """ANSWERED waits for the ACK; CLOSING too, but is over for us; ENDING waits for the answer to our BYE."""

    ANSWERED = auto()
    CONFIRMED = auto()
    CLOSING = auto()
    ENDING = auto()
    ENDED = auto()


class CallEvent(Enum):
    """What happens to a call."""

    ACK = auto()
    ANSWER = auto()
    BYE = auto()
    HANG_UP = auto()
    NO_ACK = auto()
    BYE_DONE = auto()


class Action(Enum):
    """What the server then does."""

    SEND_BYE = auto()
    REPORT_END = auto()
    FORGET = auto()


_S, _E, _A = CallState, CallEvent, Action
Step = tuple[CallState, tuple[Action, ...]]

# We may not send BYE before the ACK has come or was given up (RFC 3261 §15): hence CLOSING.
CALL: dict[CallState, dict[CallEvent, Step]] = {
    _S.ANSWERED: {
        _E.ACK: (_S.CONFIRMED, ()),
        _E.ANSWER: (_S.ANSWERED, ()),
        _E.BYE: (_S.ENDED, (_A.REPORT_END, _A.FORGET)),
        _E.HANG_UP: (_S.CLOSING, (_A.REPORT_END,)),
        _E.NO_ACK: (_S.ENDING, (_A.SEND_BYE, _A.REPORT_END)),
    },
    _S.CONFIRMED: {
        _E.ANSWER: (_S.ANSWERED, ()),
        _E.BYE: (_S.ENDED, (_A.REPORT_END, _A.FORGET)),
        _E.HANG_UP: (_S.ENDING, (_A.SEND_BYE, _A.REPORT_END)),
    },
    _S.CLOSING: {
        _E.ACK: (_S.ENDING, (_A.SEND_BYE,)),
        _E.NO_ACK: (_S.ENDING, (_A.SEND_BYE,)),
        _E.BYE: (_S.ENDED, (_A.FORGET,)),
    },
    _S.ENDING: {
        _E.BYE: (_S.ENDED, (_A.FORGET,)),
        _E.BYE_DONE: (_S.ENDED, (_A.FORGET,)),
    },
    _S.ENDED: {},
}

StreamEvent = StreamPaused | StreamHeld | StreamResumed


@dataclass(slots=True)
class Unacked:
    """A 200 to an INVITE that waits for its ACK; `offer` when the answer to our own offer comes with it."""

    response: bytes
    transport: Transport
    interval: int
    offer: bool


@dataclass(frozen=True, slots=True)
class OwnLine:
    """The a=crypto that an m-line was answered with, and the offered one it answers."""

    offered: str
    text: str


@dataclass(slots=True)
class Dialog:
    """The mutable side of a call; `call` is the value shown to the owner."""

    id: DialogId
    call: Call
    local: bytes
    remote: bytes
    remote_target: str
    routes: tuple[str, ...]
    transport: Transport
    remote_cseq: int
    sdp_session: int
    address: str
    local_cseq: int = 0
    sdp_version: int = 0
    state: CallState = CallState.ANSWERED
    ports: dict[int, int] = field(default_factory=dict)
    unacked: dict[int, Unacked] = field(default_factory=dict)
    sent_labels: frozenset[str] = frozenset()
    timer: SessionTimer | None = None
    new_key: Callable[[int], bytes] | None = field(default=None, repr=False)
    own_lines: dict[int, OwnLine] = field(default_factory=dict, repr=False)

    @property
    def open(self) -> bool:
        """Whether requests of the peer are still served."""
        return self.state in (CallState.ANSWERED, CallState.CONFIRMED)

    @property
    def offer_pending(self) -> bool:
        """Whether an offer of ours waits for its answer: no other may be made meanwhile (RFC 3264 §4)."""
        return any(waiting.offer for waiting in self.unacked.values())

    def step(self, event: CallEvent) -> tuple[Action, ...]:
        """Take an event; what to do about it, nothing if the state has no use for it."""
        following, actions = CALL[self.state].get(event, (self.state, ()))
        self.state = following
        return actions

    def note(self, oddities: Sequence[str]) -> None:
        """Add to the call's oddities, each once."""
        new = [text for text in dict.fromkeys(oddities) if text not in self.call.oddities]
        self.change(oddities=(*self.call.oddities, *new)[:MAX_ODDITIES])

    def change(self, **fields: object) -> None:
        """Replace fields of the call value."""
        self.call = dataclasses.replace(self.call, **fields)  # type: ignore[arg-type]  # checked by the callers

    def take_target(self, message: Message) -> None:
        """Target refresh: later requests of ours go to the newest Contact (§12.2.1.1)."""
        contact = message.contact
        if (
            contact is not None
            and contact.uri is not None
            and contact.uri_text.isprintable()
            and " " not in contact.uri_text
        ):
            self.remote_target = contact.uri_text

    def next_hop(self) -> Transport:
        """Where our own request goes.

        Over a stream: back into the connection. Over UDP: to the first route or the Contact when that is a
        literal address not hidden by NAT, otherwise where the peer last sent from.
        """
        if self.transport.reliable:
            return self.transport
        try:
            address = parse_address(self.routes[0] if self.routes else f"<{self.remote_target}>")
        except FormatError:
            return self.transport
        uri = address.uri
        if uri is None or uri.scheme not in ("sip", "sips"):
            return self.transport
        try:
            there = ipaddress.ip_address(uri.host)
            source = ipaddress.ip_address(self.transport.remote[0])
        except ValueError:
            return self.transport  # a name: the core resolves none
        if there != source and there.is_private and not self.routes:
            return self.transport
        return dataclasses.replace(self.transport, remote=(uri.host, uri.port or 5060))

    def accept_offer(
        self, offer: sdp.Sdp, raw: bytes, allocate: Callable[[int], Sequence[int] | None]
    ) -> bool:
        """Answer an offer: keep the ports of known lines, allocate for new ones. False if no port is left.

        Sets `call.answer` and the streams. Inside a call a new line without a port is refused alone.
        """
        wanted = [m.index for m in offer.media if self._acceptable(m)]
        new = [index for index in wanted if index not in self.ports]
        oddities = list(offer.oddities)
        oddities += [
            f"m-line {m.index + 1} ({m.protocol}) cannot be recorded"
            for m in offer.media
            if m.port and m.index not in wanted
        ]
        if new:
            ports = allocate(len(new))
            if ports is None and not self.ports:
                return False
            if ports is None:
                oddities.append(f"no port for {len(new)} new m-lines")
            self.ports.update(zip(new, ports or (), strict=False))
        lines = [
            sdp.Accept(self.ports.get(m.index, 0), self._own_crypto(m))
            if m.index in wanted
            else sdp.Accept(0)
            for m in offer.media
        ]
        self.set_streams(offer, {m.index: line.port for m, line in zip(offer.media, lines, strict=True)})
        self.change(
            offer=raw,
            answer=self._versioned(
                lambda version: sdp.answer(
                    offer, lines, address=self.address, session_id=self.sdp_session, version=version
                )
            ),
        )
        self.note(oddities)
        return True

    def _acceptable(self, media: sdp.Media) -> bool:
        if media.protocol in sdp.RTP_SRTP:
            keyed = self.new_key is not None and sdes.choose(media.crypto) is not None
            return bool(media.port) and keyed
        return bool(media.port) and media.protocol in sdp.RTP_PLAIN

    def _accept(self, media: sdp.Media) -> sdp.Accept:
        return sdp.Accept(self.ports.get(media.index, 0), self._own_crypto(media))

    def _own_crypto(self, media: sdp.Media) -> tuple[str, ...]:
        """Our a=crypto for an SRTP line: for the same offer the same, so that a refresh changes none."""
        chosen = sdes.choose(media.crypto) if media.protocol in sdp.RTP_SRTP else None
        if chosen is None or self.new_key is None:
            return ()
        offered, line = chosen
        own = self.own_lines.get(media.index)
        if own is None or own.offered != offered:
            text = sdes.answer(line, self.new_key(line.suite.key + line.suite.salt))
            own = self.own_lines[media.index] = OwnLine(offered, text)
        return (own.text,)

    def restore_lines(self, theirs: sdp.Sdp, ours: sdp.Sdp) -> None:
        """Take up again the keys that SRTP lines were answered with."""
        for offered, answered in zip(theirs.media, ours.media, strict=False):
            chosen = sdes.choose(offered.crypto) if offered.protocol in sdp.RTP_SRTP else None
            if chosen is not None and answered.crypto:
                self.own_lines[offered.index] = OwnLine(chosen[0], answered.crypto[0])

    def make_offer(self, count: int, allocate: Callable[[int], Sequence[int] | None]) -> bool:
        """Offer `count` receive-only lines, or again those the call has; False if no port is left."""
        missing = max(0, count - len(self.ports)) if not self.call.streams else 0
        if missing:
            ports = allocate(missing)
            if ports is None:
                return False
            self.ports.update(zip(range(missing), ports, strict=False))
            self.change(streams=tuple(_blank(i, port) for i, port in sorted(self.ports.items())))
        if self.call.offer:
            body = self._versioned(self._offer_again)
        else:
            lines = [sdp.Offer(s.port, s.label) for s in self.call.streams]
            body = self._versioned(
                lambda v: sdp.offer(lines, address=self.address, session_id=self.sdp_session, version=v)
            )
        self.change(answer=body)
        return True

    def restore_offer(self, ours: bytes) -> None:
        """Stand again where our late offer had gone out: its lines, with the ports already known."""
        self.change(streams=tuple(_blank(i, port) for i, port in sorted(self.ports.items())), answer=ours)

    def _offer_again(self, version: int) -> bytes:
        """Our last answer as an offer: the same lines, all open to receive again."""
        offer = sdp.parse(self.call.offer)
        open_again = [dataclasses.replace(m, direction="sendonly", address="") for m in offer.media]
        own = self.own_lines
        lines = [
            sdp.Accept(s.port, (own[s.index].text,) if s.index in own else ()) for s in self.call.streams
        ]
        return sdp.answer(
            dataclasses.replace(offer, media=tuple(open_again)),
            lines,
            address=self.address,
            session_id=self.sdp_session,
            version=version,
        )

    def take_answer(self, answer: sdp.Sdp, raw: bytes) -> None:
        """The peer's answer to our offer, from an ACK."""
        ports = {stream.index: stream.port for stream in self.call.streams}
        self.note(answer.oddities)
        if len(answer.media) != len(ports):
            self.note([f"the answer has {len(answer.media)} m-lines, the offer {len(ports)}"])
        self.set_streams(answer, ports)
        self.change(offer=raw)

    def _versioned(self, build: Callable[[int], bytes]) -> bytes:
        """A description with the version raised only if it says something new (RFC 3264 §8)."""
        same = build(self.sdp_version)
        if same == self.call.answer:
            return same
        self.sdp_version += 1
        return build(self.sdp_version)

    def set_streams(self, theirs: sdp.Sdp, ports: dict[int, int]) -> None:
        """Build the streams from the peer's description and our ports."""
        streams = []
        for media in theirs.media:
            port = ports.get(media.index, 0) if media.port else 0
            state: StreamState = "refused" if not port else "paused" if media.paused else "active"
            streams.append(
                CallStream(
                    media.index,
                    media.media,
                    media.label,
                    port,
                    media.protocol,
                    media.codecs,
                    media.direction,
                    state,
                    (media.address, media.port),
                    media.rtcp_mux,
                    media.rtcp_port,
                    media.crypto,
                    media.ptime,
                    _key_line(media) if port else "",
                )
            )
        self.change(streams=tuple(streams))
        self.mark_held()

    def take_metadata(self, raw: bytes) -> bool:
        """Add a metadata document; False if it could not be read (it is kept raw and noted)."""
        self.change(metadata_raw=raw)
        try:
            document = siprec.parse(raw)
        except FormatError as error:
            self.note([f"unreadable metadata: {error}"])
            return False
        self.change(metadata=merge(self.call.metadata, document))
        self.note(document.oddities)
        self.mark_held()
        return True

    def take_headers(self, said: Recording) -> None:
        """Add what headers say of the parties, where no metadata does."""
        self.change(metadata=merge(self.call.metadata, said))

    def mark_held(self) -> None:
        """Hold is a sender that was named and no longer is; a document that never named any says nothing."""
        now = self.call.metadata.labels_with_sender() if self.call.metadata else frozenset()
        self.sent_labels |= now
        streams = []
        for stream in self.call.streams:
            held = stream.label in self.sent_labels and stream.label not in now
            if stream.state in ("active", "held"):
                stream = dataclasses.replace(stream, state="held" if held else "active")
            streams.append(stream)
        self.change(streams=tuple(streams))


def _key_line(media: sdp.Media) -> str:
    chosen = sdes.choose(media.crypto) if media.protocol in sdp.RTP_SRTP else None
    return chosen[0] if chosen else ""


def _blank(index: int, port: int) -> CallStream:
    return CallStream(index, "audio", str(index + 1), port, "RTP/AVP", sdp.LATE_CODECS, "sendonly", "active")


def stream_events(
    dialog: DialogId, before: tuple[CallStream, ...], after: tuple[CallStream, ...]
) -> list[StreamEvent]:
    """Pauses, holds and resumptions between two states of a call."""
    old = {stream.index: stream.state for stream in before}
    events: list[StreamEvent] = []
    for stream in after:
        was = old.get(stream.index, "active")
        if stream.state == was:
            continue
        if stream.state == "paused":
            events.append(StreamPaused(dialog, stream.index, stream.label))
        elif stream.state == "held":
            events.append(StreamHeld(dialog, stream.index, stream.label))
        elif stream.state == "active" and was != "refused":
            events.append(StreamResumed(dialog, stream.index, stream.label))
    return events


def is_recording_session(message: Message, has_metadata: bool) -> bool:
    """Whether an INVITE comes from a recording client: by Require, Supported, Contact, metadata, or
    headers that say as much."""
    # RFC 7866 asks for Require: siprec and +sip.src; AudioCodes and BroadWorks write ";src" only.
    contact = message.contact
    return (
        has_metadata
        or "siprec" in message.headers.tokens("require") | message.headers.tokens("supported")
        or (contact is not None and (contact.has("+sip.src") or contact.has("src")))
    )
