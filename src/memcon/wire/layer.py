"""The transaction layer: which request is new, what is said again, and when (RFC 3261 §17, RFC 6026)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from memcon.wire.build import build_response
from memcon.wire.events import DialogId, MessageReceived, MessageSent, Output, Send, Transport
from memcon.wire.transaction import (
    T1,
    T2,
    T4,
    TIMEOUT,
    ClientTransaction,
    Key,
    ServerEvent,
    ServerState,
    ServerTransaction,
    Timers,
    merge_key,
    server_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from memcon.wire.sip import Message


def reply_transport(message: Message, transport: Transport) -> Transport:
    """Where the response goes (§18.2.2, RFC 3581).

    The connection; by UDP the source address with the port of the top Via, or with the source port if
    the sender asked for that. A maddr parameter is not followed: it would point our answers at anyone.
    """
    if transport.reliable:
        return transport
    port = transport.remote[1] if message.via.wants_rport else message.via.port or 5060
    return dataclasses.replace(transport, remote=(transport.remote[0], port))


class TransactionLayer:
    """Server transactions, our own client transactions, and their timers; collects the outputs."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        self.now = 0
        self.out: list[Output] = []
        self.timers = Timers()
        self._new_id = new_id
        self._servers: dict[Key, ServerTransaction] = {}
        self._merged: dict[Key, Key] = {}
        self._clients: dict[str, ClientTransaction] = {}

    def take(self) -> list[Output]:
        """The outputs collected since the last time."""
        out, self.out = self.out, []
        return out

    def find(self, message: Message, method: str | None = None) -> ServerTransaction | None:
        """The transaction a request belongs to; with `method`, the one of that method it speaks of."""
        key = server_key(message)
        return self._servers.get((*key[:-1], method) if method else key)

    def open(self, message: Message, transport: Transport) -> ServerTransaction:
        """Begin a transaction for a new request."""
        tx = ServerTransaction(server_key(message), message, transport, reply_transport(message, transport))
        self._servers[tx.key] = tx
        self._merged.setdefault(merge_key(message), tx.key)
        return tx

    def is_merged(self, tx: ServerTransaction) -> bool:
        """Whether a copy of this request is already being served that came another way (§8.2.2.2)."""
        return self._merged.get(merge_key(tx.request), tx.key) != tx.key

    def again(self, tx: ServerTransaction, message: Message, transport: Transport) -> None:
        """A request came again: say the last response again."""
        if tx.dialog:
            self.out.append(MessageReceived(tx.dialog, message.raw, transport, retransmission=True))
        if tx.response:
            self.send(tx.response, tx.reply_to, tx.dialog, again=True)

    def send(
        self, data: bytes, transport: Transport, dialog: DialogId | None, *, again: bool = False
    ) -> None:
        """Put bytes on the wire, and on record if they belong to a call."""
        self.out.append(Send(data, transport))
        if dialog is not None:
            self.out.append(MessageSent(dialog, data, transport, retransmission=again))

    def respond(
        self,
        tx: ServerTransaction,
        status: int,
        *,
        fields: Iterable[tuple[str, str]] = (),
        to_tag: str = "",
        record_route: bool = False,
        content: str = "",
        body: bytes = b"",
    ) -> bytes:
        """Answer, and keep the answer for when the request comes again. Returns the bytes sent."""
        tag = to_tag or (self._new_id() if status > 100 else "")
        tx.response = build_response(
            tx.request.headers,
            status,
            source=tx.transport.remote,
            to_tag=tag,
            fields=fields,
            record_route=record_route,
            content=content,
            body=body,
        )
        tx.answered(status)
        self.send(tx.response, tx.reply_to, tx.dialog)
        if status >= 200:
            self._start_timers(tx)
        return tx.response

    def answered_before(self, tx: ServerTransaction, response: bytes) -> None:
        """Stand again where this 200 had been given: a request that comes again gets it again."""
        tx.response = response
        tx.answered(200)
        self._start_timers(tx)

    def _start_timers(self, tx: ServerTransaction) -> None:
        if tx.state is ServerState.ACCEPTED:
            self.timers.set("end", tx.key, self.now + TIMEOUT)  # timer L
        elif tx.is_invite:
            self.timers.set("end", tx.key, self.now + TIMEOUT)  # timer H
            if not tx.transport.reliable:
                self.timers.set("again", tx.key, self.now + T1)  # timer G
        elif tx.transport.reliable:
            self._forget(tx.key)  # timer J is 0
        else:
            self.timers.set("end", tx.key, self.now + TIMEOUT)  # timer J

    def acked(self, tx: ServerTransaction) -> None:
        """An ACK to our refusal of an INVITE."""
        if tx.state is ServerState.COMPLETED and tx.step(ServerEvent.ACK):
            self.timers.cancel("again", tx.key)
            if tx.transport.reliable:
                self._forget(tx.key)
            else:
                self.timers.set("end", tx.key, self.now + T4)  # timer I

    def _forget(self, key: Key) -> None:
        tx = self._servers.pop(key)
        tx.step(ServerEvent.EXPIRED)
        self.timers.cancel("again", key)
        self.timers.cancel("end", key)
        if self._merged.get(merge_key(tx.request)) == key:
            del self._merged[merge_key(tx.request)]

    def request(self, data: bytes, branch: str, method: str, transport: Transport, dialog: DialogId) -> None:
        """Send a request of our own, again over UDP until it is answered."""
        self._clients[branch] = ClientTransaction(branch, method, data, transport, dialog)
        self.send(data, transport, dialog)
        self.timers.set("give-up", branch, self.now + TIMEOUT)  # timer F
        if not transport.reliable:
            self.timers.set("repeat", branch, self.now + T1)  # timer E

    def answered(self, message: Message) -> ClientTransaction | None:
        """The request of ours that a response belongs to; it is over if the response is final."""
        tx = self._clients.get(message.via.branch or "")
        if tx is None or tx.method != message.cseq_method:
            return None
        if message.status < 200:
            tx.proceeding = True
        else:
            self._close_client(tx.branch)
        return tx

    def _close_client(self, branch: str) -> None:
        del self._clients[branch]
        self.timers.cancel("repeat", branch)
        self.timers.cancel("give-up", branch)

    def expired(self, kind: str, subject: object) -> ClientTransaction | None:
        """Serve one of the layer's own timers; the client transaction that was given up, if one was."""
        if kind == "end" and isinstance(subject, tuple):
            self._forget(subject)
        elif kind == "again" and isinstance(subject, tuple):
            tx = self._servers[subject]
            tx.interval = min(2 * tx.interval, T2)
            self.timers.set("again", subject, self.now + tx.interval)
            self.send(tx.response, tx.reply_to, tx.dialog, again=True)
        elif kind == "repeat" and isinstance(subject, str):
            client = self._clients[subject]
            self.timers.set("repeat", subject, self.now + client.next_interval())
            self.send(client.data, client.transport, client.dialog, again=True)
        elif kind == "give-up" and isinstance(subject, str):
            client = self._clients[subject]
            self._close_client(subject)
            return client
        return None
