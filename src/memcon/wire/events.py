"""What the recording server says to its owner: bytes to send, and what happened to which call.

All are values: an event holds what was known when it was made.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from memcon.wire import vendors

if TYPE_CHECKING:
    from memcon.wire.address import Address
    from memcon.wire.codec import Codec
    from memcon.wire.recording import Recording
    from memcon.wire.sdp import Direction

Kind = Literal["siprec", "direct"]
"""A recording session of a recording client, or a plain telephone call to the recorder."""

StreamState = Literal["active", "paused", "held", "refused"]
"""paused: by the SDP (a=inactive, address zero); held: nobody sends it, by the metadata; refused: port 0."""

Party = Literal["peer", "recorder"]


@dataclass(frozen=True, slots=True)
class Transport:
    """Where a message came from or goes to. `flow` names the connection of a stream transport, "" for UDP."""

    protocol: Literal["udp", "tcp", "tls"]
    local: tuple[str, int]
    remote: tuple[str, int]
    flow: str = ""

    @property
    def reliable(self) -> bool:
        """A stream transport: no retransmission of requests and responses."""
        return self.protocol != "udp"


@dataclass(frozen=True, slots=True, order=True)
class DialogId:
    """A dialog, and so a call: Call-ID, our tag, the peer's tag (RFC 3261 §12)."""

    call_id: str
    local_tag: str
    remote_tag: str


@dataclass(frozen=True, slots=True)
class CallStream:
    """One media line of a call: `port` is ours, 0 when refused; `remote` is what the peer's SDP names."""

    index: int
    media: str
    label: str | None
    port: int
    protocol: str
    codecs: tuple[Codec, ...]
    direction: Direction
    state: StreamState
    remote: tuple[str, int] = ("", 0)
    rtcp_mux: bool = False
    rtcp_port: int | None = None
    crypto: tuple[str, ...] = field(default=(), repr=False)
    ptime: int | None = None
    key_line: str = field(default="", repr=False)
    """Of an SRTP line: the a=crypto value that was accepted, whose keys the peer sends under."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it stands. Raw bytes are as received or sent; `offer` and `answer` are the last descriptions
    exchanged, b"" where there was none; `metadata` is what all documents so far say together, and
    `metadata_raw` the last one as it came, readable or not."""

    dialog: DialogId
    kind: Kind
    transport: Transport
    from_: Address
    to: Address
    request_uri: str
    invite: bytes
    started_ns: int
    streams: tuple[CallStream, ...] = ()
    offer: bytes = b""
    answer: bytes = b""
    metadata: Recording | None = None
    metadata_raw: bytes = b""
    oddities: tuple[str, ...] = ()
    header_links: tuple[str, ...] = ()

    @property
    def links(self) -> tuple[str, ...]:
        """Every name of the call that is recorded: how one that came twice is recognised."""
        return vendors.links(self.header_links, self.metadata)

    @property
    def session_ids(self) -> tuple[str, ...]:
        """Ids of the communication sessions in the metadata: how a call that came twice is recognised."""
        return tuple(s.id for s in self.metadata.sessions if s.id) if self.metadata else ()

    @property
    def group_ids(self) -> tuple[str, ...]:
        """Ids of the communication session groups in the metadata."""
        return tuple(g.id for g in self.metadata.groups if g.id) if self.metadata else ()


@dataclass(frozen=True, slots=True)
class Send:
    """Put these bytes on the wire: to `transport.remote` by UDP, or into the connection `transport.flow`."""

    data: bytes
    transport: Transport


@dataclass(frozen=True, slots=True)
class CallStarted:
    """A call was taken: media may arrive from now on. Precedes the answer in the list of outputs."""

    call: Call


@dataclass(frozen=True, slots=True)
class CallUpdated:
    """A request inside the dialog changed the call, or its late answer arrived in an ACK."""

    dialog: DialogId
    method: str
    call: Call
    sdp: bool
    metadata: bool
    raw: bytes


@dataclass(frozen=True, slots=True)
class CallAcked:
    """The peer has our answer."""

    dialog: DialogId


@dataclass(frozen=True, slots=True)
class StreamPaused:
    """The peer says that it sends nothing on this line now. Not silence: a pause is part of the record."""

    dialog: DialogId
    index: int
    label: str | None


@dataclass(frozen=True, slots=True)
class StreamHeld:
    """The metadata no longer names anyone who sends this stream."""

    dialog: DialogId
    index: int
    label: str | None


@dataclass(frozen=True, slots=True)
class StreamResumed:
    """A paused or held stream goes on."""

    dialog: DialogId
    index: int
    label: str | None


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The call is over for the record. `bye` is the raw BYE, b"" if none was exchanged (no ACK ever came)."""

    dialog: DialogId
    cause: str
    by: Party
    bye: bytes
    call: Call


@dataclass(frozen=True, slots=True)
class CallRefused:
    """An INVITE was not taken: a call that is not recorded, to be counted as such."""

    invite: bytes
    status: int
    reason: str
    transport: Transport


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A message of a dialog, as it came."""

    dialog: DialogId
    raw: bytes
    transport: Transport
    retransmission: bool = False


@dataclass(frozen=True, slots=True)
class MessageSent:
    """A message of a dialog, as it was sent."""

    dialog: DialogId
    raw: bytes
    transport: Transport
    retransmission: bool = False


@dataclass(frozen=True, slots=True)
class Oddity:
    """Something was not as it should be and was dealt with; `dialog` is None outside a call."""

    dialog: DialogId | None
    text: str
    raw: bytes = field(default=b"", repr=False)


Event = (
    CallStarted
    | CallUpdated
    | CallAcked
    | StreamPaused
    | StreamHeld
    | StreamResumed
    | CallEnded
    | CallRefused
    | MessageReceived
    | MessageSent
    | Oddity
)
Output = Send | Event
