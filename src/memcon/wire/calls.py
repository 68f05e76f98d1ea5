"""What the recording server does with calls: take, change and end them (RFC 7866 §6, RFC 3261 §13-15).

`srs` reads requests and decides which of these it is; here it is done.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Protocol

from memcon.errors import FormatError
from memcon.wire import multipart, sdes, sdp, session_timer, vendors
from memcon.wire.dialog import (
    Action,
    CallEvent,
    Dialog,
    Unacked,
    is_recording_session,
    stream_events,
)
from memcon.wire.events import (
    Call,
    CallAcked,
    CallEnded,
    CallRefused,
    CallStarted,
    CallUpdated,
    DialogId,
    MessageReceived,
    Party,
    Transport,
)
from memcon.wire.outgoing import bracketed, contact_of, in_dialog
from memcon.wire.transaction import T1, T2, TIMEOUT
from memcon.wire.unanswered import Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from memcon.wire.layer import TransactionLayer
    from memcon.wire.recording import Recording
    from memcon.wire.session_timer import SessionTimer
    from memcon.wire.sip import Message
    from memcon.wire.transaction import ServerTransaction

NTP_OFFSET = 2_208_988_800
ALLOW = "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO, PRACK"
ACCEPT = "application/sdp, application/rs-metadata+xml, application/rs-metadata, multipart/mixed"


MAX_OWN_REQUESTS = 100_000
"""In one call: a refresh every half minute for a month. An answer that counts further is not believed."""
NO_ACK = "no ACK came"
EXPIRED = "the session timer ran out"
GONE = "the call had ended while the recorder was not there"
"""Causes of an end that the recorder made, as `CallEnded.cause` has them."""


class MediaPorts(Protocol):
    """Where the owner gives out its media ports."""

    def allocate(self, dialog: DialogId, count: int) -> Sequence[int] | None:
        """`count` ports, ready to receive; None if too few are left. The owner frees them at CallEnded."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class ServerConfig:
    """`media_address` stands in c= lines, `host` in Contact; None takes the address the request came to.

    `pairs` of media ports there are in all, 0 where that is not known.
    """

    user: str = "memcon"
    agent: str = "memcon"
    host: str | None = None
    media_address: str | None = None
    pairs: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Content:
    """What a message brings for a call: an offer or answer, a metadata document or what headers say
    instead of one, and what was odd."""

    description: sdp.Sdp | None
    raw: bytes
    metadata: bytes | None
    oddities: tuple[str, ...]
    headers: Recording | None = None

    @property
    def told(self) -> bool:
        """Whether it says who takes part."""
        return self.metadata is not None or self.headers is not None


def read_content(message: Message) -> Content:
    """Read a message's bodies. Raises FormatError when a body that is declared as SDP holds none."""
    disposition = message.headers.get("content-disposition") or ""
    bodies = multipart.parse(message.content_type, message.body, disposition=disposition)
    raw = bodies.sdp.content() if bodies.sdp else b""
    metadata = bodies.metadata.content() if bodies.metadata else None
    oddities = (*message.oddities, *bodies.oddities)
    headers = vendors.recording_of(message) if metadata is None else None
    description = sdp.parse(raw) if bodies.sdp else None
    if description is not None and not _keys_can_be_kept_apart(message, description):
        oddities += ("keys in an encoded body are not taken",)
        description = description.without_keys()
    return Content(description, raw, metadata, oddities, headers)


def _keys_can_be_kept_apart(message: Message, description: sdp.Sdp) -> bool:
    """Whether every key line of the description stands in the message as text, where it can be blanked."""
    lines = sum(len(media.crypto) for media in description.media)
    return not lines or len(sdes.conceal(message.raw)[1]) >= lines


class Calls:
    """The open calls, by dialog."""

    def __init__(
        self,
        layer: TransactionLayer,
        ports: MediaPorts,
        new_id: Callable[[], str],
        config: ServerConfig,
        receipt: Callable[[Call], Iterable[tuple[str, str]]] | None,
        new_key: Callable[[int], bytes] | None = None,
    ) -> None:
        self._new_key = new_key
        self._layer = layer
        self._ports = ports
        self._new_id = new_id
        self._config = config
        self._receipt = receipt
        self.dialogs: dict[DialogId, Dialog] = {}
        self._unanswered = Unanswered(config.pairs)

    # --- what every answer says ---

    def identity(self, tx: ServerTransaction) -> list[tuple[str, str]]:
        """Contact with the feature tag of a recording server, and what we can do."""
        secure = tx.request.uri[:5].lower() == "sips:"
        host = self._config.host or tx.transport.local[0]
        return [
            ("Contact", contact_of(self._config.user, host, tx.transport, secure=secure)),
            ("Allow", ALLOW),
            ("Supported", "siprec, timer"),
            ("Server", self._config.agent),
        ]

    def warning(self, text: str) -> tuple[str, str]:
        """A Warning header that says why (RFC 3261 §20.43)."""
        return ("Warning", f'399 {self._config.agent} "{quotable(text)}"')

    def refuse(
        self, tx: ServerTransaction, status: int, reason: str, fields: Iterable[tuple[str, str]] = ()
    ) -> None:
        """Refuse a request; a call refused so is reported, since it is one that is not recorded."""
        self._layer.respond(tx, status, fields=[*fields, self.warning(reason)])
        if tx.request.method == "INVITE" and tx.dialog is None:
            self._layer.out.append(CallRefused(tx.request.raw, status, reason, tx.transport))

    def record(self, tx: ServerTransaction) -> None:
        """Report a request that belongs to a call."""
        if tx.dialog is not None:
            self._layer.out.append(MessageReceived(tx.dialog, tx.request.raw, tx.transport))

    # --- the beginning ---

    def start(self, tx: ServerTransaction, content: Content) -> None:
        """Take a new call: ports, answer, receipt; 503 when no port is left, or nobody acknowledges calls."""
        if why := self._unanswered.refusal(tx.transport):
            self.refuse(tx, 503, why, [("Retry-After", str(TIMEOUT // 1_000_000_000))])
            return
        held = self._new_dialog(tx.request, tx.transport, content, self._new_id())
        if content.description is not None:
            taken = held.accept_offer(content.description, content.raw, self._allocator(held))
        else:
            # A late offer: a recording client has two parties to send, a telephone one.
            taken = held.make_offer(2 if held.call.kind == "siprec" else 1, self._allocator(held))
        if not taken:
            self.refuse(tx, 503, "no media port is left", [("Retry-After", "1")])
            return
        self._describe(held, content)
        self.dialogs[held.id] = held
        self._unanswered.begin(held.id, tx.transport)
        tx.dialog = held.id
        # The owner learns of the call before the answer goes out, so that its receipt can be in it.
        receipt = list(self._receipt(held.call)) if self._receipt else []
        self._layer.out.append(CallStarted(held.call))
        self.record(tx)
        self._layer.respond(tx, 100)
        self._answer_invite(tx, held, late=content.description is None, extra=receipt)
        self._layer.out += stream_events(held.id, (), held.call.streams)

    def restore(self, invite: Message, response: Message, transport: Transport) -> Call:
        """Take up a call again from its INVITE and the 200 it got, where it waits for the ACK."""
        content = read_content(invite)
        held = self._new_dialog(invite, transport, content, response.to.tag or "")
        ours = sdp.parse(response.body)
        held.ports = {m.index: m.port for m in ours.media if m.port}
        if content.description is not None:
            held.set_streams(content.description, held.ports)
            held.restore_lines(content.description, ours)
            held.change(offer=content.raw, answer=response.body)
        else:
            held.restore_offer(response.body)
        words = ours.origin.split()
        if len(words) > 2 and words[1].isdigit() and words[2].isdigit():
            held.sdp_session, held.sdp_version = int(words[1]), int(words[2])
        self._describe(held, content)
        self.dialogs[held.id] = held
        self._unanswered.begin(held.id, transport)
        tx = self._layer.open(invite, transport)
        tx.dialog = held.id
        self._layer.answered_before(tx, response.raw)
        self._await_ack(tx, held, response.raw, late=content.description is None)
        self._keep_time(held, session_timer.granted(response))
        return held.call

    def _new_dialog(self, message: Message, transport: Transport, content: Content, tag: str) -> Dialog:
        dialog = DialogId(message.call_id, tag, message.from_.tag or "")
        siprec = is_recording_session(message, content.told)
        call = Call(
            dialog=dialog,
            kind="siprec" if siprec else "direct",
            transport=transport,
            from_=message.from_,
            to=message.to,
            request_uri=message.uri,
            invite=message.raw,
            started_ns=self._layer.now,
            header_links=vendors.links_of(message),
        )
        held = Dialog(
            id=dialog,
            call=call,
            local=message.headers.raw("to")[0] + b";tag=" + tag.encode(),
            remote=message.headers.raw("from")[0],
            remote_target=f"sip:{bracketed(transport.remote[0])}:{transport.remote[1]}",
            routes=tuple(message.headers.members("record-route")),
            transport=transport,
            remote_cseq=message.cseq,
            sdp_session=NTP_OFFSET + self._layer.now // 1_000_000_000,
            address=self._config.media_address or transport.local[0],
            new_key=self._new_key,
        )
        held.take_target(message)
        if message.from_.tag is None:
            held.note(["From has no tag"])
        return held

    def _allocator(self, held: Dialog) -> Callable[[int], Sequence[int] | None]:
        return lambda count: self._ports.allocate(held.id, count)

    def _describe(self, held: Dialog, content: Content) -> None:
        held.note(content.oddities)
        if content.metadata is not None:
            held.take_metadata(content.metadata)
        elif content.headers is not None:
            held.take_headers(content.headers)
        elif held.call.kind == "siprec" and held.call.metadata is None:
            held.note(["a recording session without metadata"])

    def _answer_invite(
        self, tx: ServerTransaction, held: Dialog, *, late: bool, extra: Iterable[tuple[str, str]] = ()
    ) -> None:
        """200 with our description, said again until the ACK comes, over any transport (§13.3.1.4)."""
        data = self._layer.respond(
            tx,
            200,
            fields=[*self.identity(tx), *self._time(held, tx.request), *extra],
            to_tag=held.id.local_tag,
            record_route=True,
            content=multipart.SDP,
            body=held.call.answer,
        )
        self.act(held, CallEvent.ANSWER)
        self._await_ack(tx, held, data, late=late)

    def _await_ack(self, tx: ServerTransaction, held: Dialog, data: bytes, *, late: bool) -> None:
        cseq = tx.request.cseq
        held.unacked[cseq] = Unacked(data, tx.reply_to, T1, late)
        self._layer.timers.set("200", (held.id, cseq), self._layer.now + T1)
        self._layer.timers.set("unacked", (held.id, cseq), self._layer.now + TIMEOUT)

    def expired(self, kind: str, dialog: DialogId, cseq: int) -> None:
        """No ACK yet: say the 200 again; or, after 64*T1, give the call up with a BYE."""
        held = self.dialogs[dialog]
        if kind == "unacked":
            self._settle(held, cseq)
            self.act(held, CallEvent.NO_ACK, NO_ACK, "recorder")
            return
        waiting = held.unacked[cseq]
        waiting.interval = min(2 * waiting.interval, T2)
        self._layer.timers.set("200", (dialog, cseq), self._layer.now + waiting.interval)
        self._layer.send(waiting.response, waiting.transport, dialog, again=True)

    def _settle(self, held: Dialog, cseq: int) -> Unacked | None:
        """Stop saying a 200 again."""
        self._layer.timers.cancel("200", (held.id, cseq))
        self._layer.timers.cancel("unacked", (held.id, cseq))
        return held.unacked.pop(cseq, None)

    def ack(self, held: Dialog, message: Message, transport: Transport) -> None:
        """The ACK to one of our 200s, or the same once more."""
        waiting = self._settle(held, message.cseq)
        again = waiting is None
        self._layer.out.append(MessageReceived(held.id, message.raw, transport, retransmission=again))
        if waiting is None:
            return
        self._unanswered.acknowledged(held.id)
        self._layer.out.append(CallAcked(held.id))
        if waiting.offer and held.open:
            self._late_answer(held, message)
        if not held.unacked:
            self.act(held, CallEvent.ACK, "recorder hung up", "recorder")

    def _late_answer(self, held: Dialog, message: Message) -> None:
        before = held.call
        try:
            content = read_content(message)
        except FormatError as error:
            held.note([f"unreadable answer in the ACK: {error}"])
            return
        if content.description is None:
            held.note(["the ACK has no answer to our offer"])
            return
        held.take_answer(content.description, content.raw)
        if content.metadata is not None:
            held.take_metadata(content.metadata)
        self._updated(held, message, before, content)

    # --- inside the call ---

    def change(self, tx: ServerTransaction, held: Dialog, content: Content) -> None:
        """re-INVITE, UPDATE or INFO: with a description, with metadata, with both or neither (a refresh)."""
        message, before = tx.request, held.call
        held.take_target(message)
        if content.description is not None and message.method != "INFO":
            held.accept_offer(content.description, content.raw, self._allocator(held))
        elif message.method == "INVITE":
            held.make_offer(0, self._allocator(held))
        self._describe(held, content)
        self._updated(held, message, before, content)
        if message.method == "INVITE":
            self._layer.respond(tx, 100)
            self._answer_invite(tx, held, late=content.description is None)
            return
        body = held.call.answer if content.description is not None and message.method == "UPDATE" else b""
        fields = [*self.identity(tx)]
        if message.method == "UPDATE":
            fields += self._time(held, message)
        self._layer.respond(tx, 200, fields=fields, content=multipart.SDP, body=body)

    def _updated(self, held: Dialog, message: Message, before: Call, content: Content) -> None:
        described, told = content.description is not None, content.told
        self._layer.out.append(CallUpdated(held.id, message.method, held.call, described, told, message.raw))
        self._layer.out += stream_events(held.id, before.streams, held.call.streams)

    # --- the end ---

    def bye(self, tx: ServerTransaction, held: Dialog) -> None:
        """The peer hangs up. Taken whatever its CSeq and Require say: the call is over either way."""
        try:
            content = read_content(tx.request)
        except FormatError as error:
            held.note([f"in the BYE: {error}"])
        else:
            held.note(content.oddities)
            if content.metadata is not None:
                held.take_metadata(content.metadata)
        self._layer.respond(tx, 200, fields=[("Server", self._config.agent)])
        self.act(held, CallEvent.BYE, tx.request.headers.get("reason") or "BYE", "peer", tx.request.raw)

    def act(
        self, held: Dialog, event: CallEvent, cause: str = "", by: Party = "peer", bye: bytes = b""
    ) -> None:
        """Step the call's table and do what it says."""
        for action in held.step(event):
            if action is Action.SEND_BYE:
                bye = self._send_bye(held, cause)
            elif action is Action.REPORT_END:
                self._keep_time(held, None)
                self._unanswered.over(held.id)
                self._layer.out.append(CallEnded(held.id, cause, by, bye, held.call))
            else:
                for cseq in list(held.unacked):
                    self._settle(held, cseq)
                del self.dialogs[held.id]

    def _send_bye(self, held: Dialog, reason: str) -> bytes:
        why = ("Reason", f'SIP;cause=200;text="{quotable(reason)}"')
        return self._send_own("BYE", held, [("User-Agent", self._config.agent), why])

    def _send_own(self, method: str, held: Dialog, more: Iterable[tuple[str, str | bytes]]) -> bytes:
        branch, hop = "z9hG4bK" + self._new_id(), held.next_hop()
        data = in_dialog(method, held, hop, branch, self._config.host, more)
        self._layer.request(data, branch, method, hop, held.id)
        return data

    # --- the session timer ---

    def _time(self, held: Dialog, message: Message) -> list[tuple[str, str]]:
        """Agree on a session timer, anew at every INVITE and UPDATE; what the 2xx says of it."""
        timer = session_timer.negotiate(message)
        self._keep_time(held, timer)
        return timer.fields(session_timer.tokens(message)) if timer else []

    def _keep_time(self, held: Dialog, timer: SessionTimer | None) -> None:
        held.timer = timer
        self._layer.timers.cancel("session", held.id)
        self._layer.timers.cancel("refresh", held.id)
        if timer is not None:
            self._layer.timers.set("session", held.id, self._layer.now + timer.interval)
            if timer.ours:
                self._layer.timers.set("refresh", held.id, self._layer.now + timer.interval // 2)

    def timed(self, kind: str, dialog: DialogId) -> None:
        """Half the interval is over and the refresh is ours; or nobody has refreshed: the call is over."""
        held = self.dialogs[dialog]
        if kind == "session":
            self.act(held, CallEvent.HANG_UP, EXPIRED, "recorder")
            return
        fields: list[tuple[str, str | bytes]] = [
            (
                "Contact",
                contact_of(self._config.user, self._config.host or held.transport.local[0], held.transport),
            ),
            ("Supported", "siprec, timer"),
            ("User-Agent", self._config.agent),
        ]
        if held.timer is not None:
            # the refresher of an UPDATE of ours is us: we are its UAC
            fields.append(("Session-Expires", f"{held.timer.seconds};refresher=uac"))
        self._send_own("UPDATE", held, fields)

    def answered_before(self, response: Message) -> None:
        """An answer to a request of ours from before a restart: our next one counts on from there."""
        dialog = DialogId(response.call_id, response.from_.tag or "", response.to.tag or "")
        held = self.dialogs.get(dialog)
        if held is None or not 0 < response.cseq - held.local_cseq < MAX_OWN_REQUESTS:
            return
        held.local_cseq = response.cseq
        if response.cseq_method == "UPDATE" and 200 <= response.status < 300:
            self._keep_time(held, held.timer)

    def probe(self, held: Dialog) -> None:
        """Ask whether the peer still knows the call: if not, it answers with 481 (§12.2.2)."""
        self._send_own("OPTIONS", held, [("User-Agent", self._config.agent)])

    def probed(self, dialog: DialogId, response: Message | None) -> None:
        """The answer. None, a timeout of its own or a refusal of OPTIONS say nothing of the call."""
        held = self.dialogs.get(dialog)
        if held is not None and response is not None and response.status == 481:
            self.act(held, CallEvent.HANG_UP, GONE, "recorder")

    def refreshed(self, dialog: DialogId, response: Message | None) -> None:
        """The answer to our refresh, None if none came: a call whose peer does not know it is over."""
        held = self.dialogs.get(dialog)
        if held is None or held.timer is None:
            return
        if response is None or response.status in (408, 481):
            self.act(held, CallEvent.HANG_UP, EXPIRED, "recorder")
        elif response.status < 300:
            self._keep_time(held, held.timer)


def quotable(text: str) -> str:
    """Text fit for a quoted-string in a header, 200 characters at most."""
    return "".join(c if c.isprintable() and c not in '"\\' else " " for c in text)[:200]
