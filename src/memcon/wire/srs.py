"""The session recording server: takes calls, answers at once, keeps everything (RFC 7866 §6, RFC 3261).

Sans-IO: messages and the time go in, bytes to send and events come out. One core for UDP and
streams; the owner says by its callbacks which ports are free and what receipt goes into the answer.

Decisions a peer may notice:
- an INVITE is answered 200 in the same call; so CANCEL always comes too late and is only confirmed, and
  there is no provisional answer to send reliably (100rel is understood and asks nothing of us);
- a session timer is kept: a call that nobody refreshes ends when it runs out, and its record says so;
- a plain call (sendrecv) is answered recvonly and recorded as a direct line;
- an offer without readable lines is still answered; only a body declared as SDP that holds no SDP
  line at all gets 488, because an answer would have to match an offer nobody can read;
- unknown bodies are ignored, an encoded body (gzip) gets 415, no port left gets 503;
- a request for a call we do not know gets 481, so that the client starts a new recording session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.errors import FormatError, LocalError
from memcon.wire.address import parse_uri
from memcon.wire.build import REASONS, build_response
from memcon.wire.calls import ACCEPT, ALLOW, Calls, MediaPorts, ServerConfig, read_content
from memcon.wire.dialog import CallEvent
from memcon.wire.events import (
    Call,
    DialogId,
    MessageReceived,
    Oddity,
    Output,
    Send,
    Transport,
)
from memcon.wire.framing import Ping
from memcon.wire.layer import TransactionLayer
from memcon.wire.sip import Message, SipError, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from memcon.wire.dialog import Dialog
    from memcon.wire.transaction import ClientTransaction, ServerTransaction

__all__ = ["MediaPorts", "RecordingServer", "ServerConfig"]

UNDERSTOOD = frozenset({"siprec", "record-aware", "100rel", "timer"})
"""Option tags that may stand in Require. 100rel asks nothing of a server whose only provisional answer is
100 (RFC 3262 §3); timer is `session_timer`."""


class RecordingServer:
    """All calls of one recorder. Every method returns what to do, in order.

    `new_id` gives unguessable tokens for tags and branches; `receipt` gives header fields for the
    200 to a new call; `new_key` gives so many random bytes for our side of an SRTP line, without it SRTP is
    refused; `now_ns` is a clock that never steps.
    """

    def __init__(
        self,
        ports: MediaPorts,
        new_id: Callable[[], str],
        *,
        config: ServerConfig | None = None,
        receipt: Callable[[Call], Iterable[tuple[str, str]]] | None = None,
        new_key: Callable[[int], bytes] | None = None,
    ) -> None:
        self._new_id = new_id
        self._layer = TransactionLayer(new_id)
        self._calls = Calls(self._layer, ports, new_id, config or ServerConfig(), receipt, new_key)

    # --- what the owner calls ---

    def receive(
        self, data: bytes | Message | Ping | SipError, transport: Transport, now_ns: int
    ) -> list[Output]:
        """Take a datagram, or an item a `StreamParser` gave. Never raises for what a peer sent."""
        self._layer.now = now_ns
        if isinstance(data, bytes):
            if not data.strip(b"\r\n\0 "):
                return []  # a keep-alive datagram wants no answer
            try:
                data = parse(data)
            except SipError as error:
                data = error
        if isinstance(data, Ping):
            self._layer.out.append(Send(b"\r\n", transport))
        elif isinstance(data, SipError):
            self._malformed(data, transport)
        elif data.is_request:
            self._request(data, transport)
        else:
            self._response(data, transport)
        return self._layer.take()

    def timer(self, now_ns: int) -> list[Output]:
        """Do what is due at `now_ns`."""
        self._layer.now = now_ns
        while (due := self._layer.timers.due(now_ns)) is not None:
            kind, subject = due
            if kind in ("200", "unacked") and isinstance(subject, tuple):
                self._calls.expired(kind, *subject)
            elif kind in ("session", "refresh") and isinstance(subject, DialogId):
                self._calls.timed(kind, subject)
            elif (client := self._layer.expired(kind, subject)) is not None:
                self._own_done(client, None)
        return self._layer.take()

    def next_deadline(self) -> int | None:
        """When `timer` is to be called next, None if nothing waits."""
        return self._layer.timers.next()

    def end_call(self, dialog: DialogId, reason: str, now_ns: int) -> list[Output]:
        """Hang up: BYE now, or as soon as the ACK has come. Raises LocalError for an unknown call."""
        self._layer.now = now_ns
        held = self._calls.dialogs.get(dialog)
        if held is None:
            raise LocalError(f"no call {dialog}")
        self._calls.act(held, CallEvent.HANG_UP, reason, "recorder")
        return self._layer.take()

    def probe(self, dialog: DialogId, now_ns: int) -> list[Output]:
        """Ask the peer whether it still knows the call, if that is open: one that says no has ended."""
        self._layer.now = now_ns
        held = self._calls.dialogs.get(dialog)
        if held is not None and held.open:
            self._calls.probe(held)
        return self._layer.take()

    def restore(self, invite: bytes, response: bytes, transport: Transport, now_ns: int) -> Call:
        """Take up a call again after a restart, from the bytes of its INVITE and of the 200 it got.

        It waits for its ACK. What came after the 200 is then to be fed again, the ACK too, with the
        outputs dropped. Raises FormatError when the bytes are not what was once recorded.
        """
        self._layer.now = now_ns
        return self._calls.restore(parse(invite), parse(response), transport)

    def calls(self) -> list[Call]:
        """The calls that are open."""
        return [held.call for held in self._calls.dialogs.values() if held.open]

    def call(self, dialog: DialogId) -> Call | None:
        """A call as it stands; None once it is over and forgotten."""
        held = self._calls.dialogs.get(dialog)
        return held.call if held else None

    # --- requests ---

    def _malformed(self, error: SipError, transport: Transport) -> None:
        self._layer.out.append(Oddity(None, f"from {transport.remote[0]}: {error}"))
        if error.status is None:
            return
        # Without a Via we trust there is only one place to answer to: where it came from.
        fields = [self._calls.warning(error.problem)]
        data = build_response(
            error.headers, error.status, source=transport.remote, to_tag=self._new_id(), fields=fields
        )
        self._layer.send(data, transport, None)

    def _request(self, message: Message, transport: Transport) -> None:
        if message.method == "ACK":
            self._ack(message, transport)
            return
        known = self._layer.find(message)
        if known is not None:
            self._layer.again(known, message, transport)
            return
        tx = self._layer.open(message, transport)
        if message.method == "CANCEL":
            self._cancel(tx)
        elif message.to.tag is not None:
            self._in_dialog(tx)
        else:
            self._out_of_dialog(tx)

    def _ack(self, message: Message, transport: Transport) -> None:
        held = self._calls.dialogs.get(_dialog_of(message))
        if held is not None:
            self._calls.ack(held, message, transport)
            return
        refused = self._layer.find(message)
        if refused is not None:
            self._layer.acked(refused)
        # an ACK for nothing we know is dropped: an ACK is never answered

    def _cancel(self, tx: ServerTransaction) -> None:
        # Our final answer has always gone out already, so a CANCEL has no effect (§9.2); the client ends
        # the call with BYE once it has our 200.
        invite = self._layer.find(tx.request, "INVITE")
        if invite is None:
            self._layer.respond(tx, 481)
            return
        tx.dialog = invite.dialog
        self._calls.record(tx)
        self._layer.respond(tx, 200, to_tag=invite.dialog.local_tag if invite.dialog else "")

    def _out_of_dialog(self, tx: ServerTransaction) -> None:
        method = tx.request.method
        if self._layer.is_merged(tx):
            self._layer.respond(tx, 482)
        elif method in ("BYE", "UPDATE", "INFO", "PRACK", "NOTIFY"):
            self._layer.respond(tx, 481)
        elif method not in ("INVITE", "OPTIONS"):
            self._layer.respond(tx, 405, fields=[("Allow", ALLOW)])
        elif not self._acceptable(tx):
            return
        elif method == "OPTIONS":
            self._options(tx)
        else:
            self._with_content(tx, None)

    def _options(self, tx: ServerTransaction) -> None:
        self._layer.respond(tx, 200, fields=[*self._calls.identity(tx), ("Accept", ACCEPT)])

    def _acceptable(self, tx: ServerTransaction) -> bool:
        """Header inspection (§8.2.2): answers and returns False if the request cannot be served."""
        message = tx.request
        unknown = message.headers.tokens("require") - UNDERSTOOD
        encoding = message.headers.get("content-encoding") or "identity"
        status = 0
        fields: list[tuple[str, str]] = []
        try:
            if parse_uri(message.uri).scheme not in ("sip", "sips", "tel"):
                status = 416
        except FormatError:
            status = 400
        if status:
            pass
        elif unknown:
            status, fields = 420, [("Unsupported", ", ".join(sorted(unknown)))]
        elif message.body and encoding.lower() != "identity":
            status, fields = 415, [("Accept-Encoding", "identity"), ("Accept", ACCEPT)]
        if status:
            self._calls.refuse(tx, status, REASONS[status], fields)
        return not status

    def _with_content(self, tx: ServerTransaction, held: Dialog | None) -> None:
        """Begin (`held` None) or change a call with what the request carries."""
        try:
            content = read_content(tx.request)
        except FormatError as error:
            self._calls.refuse(tx, 488, str(error))
            return
        if held is None:
            self._calls.start(tx, content)
        elif held.offer_pending and (content.description is not None or tx.request.method == "INVITE"):
            # our own offer has not been answered yet (RFC 3261 §14.2, RFC 3311 §5.2)
            self._layer.respond(tx, 491)
        else:
            self._calls.change(tx, held, content)

    # --- inside a call ---

    def _in_dialog(self, tx: ServerTransaction) -> None:
        message = tx.request
        held = self._calls.dialogs.get(_dialog_of(message))
        if held is None:
            self._layer.respond(tx, 481)
            return
        tx.dialog = held.id
        self._calls.record(tx)
        if message.method == "BYE":
            self._calls.bye(tx, held)
        elif not held.open:
            self._layer.respond(tx, 481)
        elif message.cseq <= held.remote_cseq:
            # out of order (§12.2.2): answered with 500, and the call goes on
            self._layer.out.append(
                Oddity(held.id, f"CSeq {message.cseq} after {held.remote_cseq}", message.raw)
            )
            self._layer.respond(tx, 500)
        else:
            held.remote_cseq, held.transport = message.cseq, tx.transport
            self._serve(tx, held)

    def _serve(self, tx: ServerTransaction, held: Dialog) -> None:
        method = tx.request.method
        if method == "NOTIFY":
            self._layer.respond(tx, 481)  # there is no subscription
        elif method == "PRACK":
            # We send no reliable provisional answer, so this one was made by somebody in between. RFC 3262 §3
            # wants 481, but a client may take that as the end of the whole call (RFC 5057 §5.1).
            self._layer.out.append(Oddity(held.id, "PRACK for an answer we never gave", tx.request.raw))
            self._layer.respond(tx, 200)
        elif method not in ("INVITE", "UPDATE", "INFO", "OPTIONS"):
            self._layer.respond(tx, 405, fields=[("Allow", ALLOW)])
        elif not self._acceptable(tx):
            return
        elif method == "OPTIONS":
            self._options(tx)
        else:
            self._with_content(tx, held)

    # --- responses ---

    def _response(self, message: Message, transport: Transport) -> None:
        client = self._layer.answered(message)
        if client is None:
            self._calls.answered_before(message)  # not ours, answered already, or sent before a restart
            return
        self._layer.out.append(MessageReceived(client.dialog, message.raw, transport))
        if message.status >= 200:
            self._own_done(client, message)

    def _own_done(self, client: ClientTransaction, response: Message | None) -> None:
        """A request of ours is answered, or was given up."""
        held = self._calls.dialogs.get(client.dialog)
        if client.method == "UPDATE":
            self._calls.refreshed(client.dialog, response)
        elif client.method == "OPTIONS":
            self._calls.probed(client.dialog, response)
        elif held is not None:
            self._calls.act(held, CallEvent.BYE_DONE)


def _dialog_of(message: Message) -> DialogId:
    return DialogId(message.call_id, message.to.tag or "", message.from_.tag or "")
