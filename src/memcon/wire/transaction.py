"""SIP transactions as tables: who may say what when, and which timer runs (RFC 3261 §17, RFC 6026).

States and timers only; building messages and deciding answers is the server's or the client's part.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

    from memcon.wire.events import DialogId, Transport
    from memcon.wire.sip import Message

MS = 1_000_000
T1 = 500 * MS
"""Round-trip estimate, ns (RFC 3261 §17.1.1.1)."""
T2 = 4_000 * MS
"""Longest gap between retransmissions, ns."""
T4 = 5_000 * MS
"""How long a message may linger in the network, ns."""
TIMEOUT = 64 * T1
IDLE_TIMERS = 64  # deadlines that mean nothing any more, beside as many as are wanted
"""Timers B, F, H, J, L, ns."""


class ServerState(Enum):
    """States of both server transactions; ACCEPTED is RFC 6026's."""

    TRYING = auto()
    PROCEEDING = auto()
    COMPLETED = auto()
    CONFIRMED = auto()
    ACCEPTED = auto()
    TERMINATED = auto()


class ServerEvent(Enum):
    """What happens to a server transaction."""

    PROVISIONAL = auto()
    SUCCESS = auto()
    FAILURE = auto()
    ACK = auto()
    EXPIRED = auto()


_S, _E = ServerState, ServerEvent

# Figure 7 of RFC 3261 with the Accepted state of RFC 6026 figure 3.
INVITE_SERVER: dict[ServerState, dict[ServerEvent, ServerState]] = {
    _S.TRYING: {_E.PROVISIONAL: _S.PROCEEDING, _E.SUCCESS: _S.ACCEPTED, _E.FAILURE: _S.COMPLETED},
    _S.PROCEEDING: {_E.PROVISIONAL: _S.PROCEEDING, _E.SUCCESS: _S.ACCEPTED, _E.FAILURE: _S.COMPLETED},
    _S.COMPLETED: {_E.ACK: _S.CONFIRMED, _E.EXPIRED: _S.TERMINATED},
    _S.CONFIRMED: {_E.ACK: _S.CONFIRMED, _E.EXPIRED: _S.TERMINATED},
    _S.ACCEPTED: {_E.ACK: _S.ACCEPTED, _E.EXPIRED: _S.TERMINATED},
    _S.TERMINATED: {},
}

# Figure 8 of RFC 3261.
OTHER_SERVER: dict[ServerState, dict[ServerEvent, ServerState]] = {
    _S.TRYING: {_E.PROVISIONAL: _S.PROCEEDING, _E.SUCCESS: _S.COMPLETED, _E.FAILURE: _S.COMPLETED},
    _S.PROCEEDING: {_E.PROVISIONAL: _S.PROCEEDING, _E.SUCCESS: _S.COMPLETED, _E.FAILURE: _S.COMPLETED},
    _S.COMPLETED: {_E.EXPIRED: _S.TERMINATED},
    _S.TERMINATED: {},
}

Key = tuple[str, ...]


def server_key(message: Message) -> Key:
    """What makes two requests the same transaction (§17.2.3); an ACK to a failure matches its INVITE."""
    method = "INVITE" if message.method == "ACK" else message.method
    branch = message.via.branch
    if branch is not None and branch.startswith("z9hG4bK"):
        return (branch, message.via.host, str(message.via.port), method)
    # RFC 2543 senders and those who leave the branch out
    return (message.call_id, message.from_.tag or "", str(message.cseq), message.via.raw, method)


def merge_key(message: Message) -> Key:
    """What makes two requests copies of one that took different ways (§8.2.2.2)."""
    return (message.call_id, message.from_.tag or "", str(message.cseq), message.method)


@dataclass(slots=True)
class ServerTransaction:
    """One request being answered: the last response is kept for its retransmissions."""

    key: Key
    request: Message
    transport: Transport
    reply_to: Transport
    dialog: DialogId | None = None
    state: ServerState = ServerState.TRYING
    response: bytes = b""
    interval: int = T1

    @property
    def is_invite(self) -> bool:
        """Whether the INVITE table holds."""
        return self.request.method == "INVITE"

    def step(self, event: ServerEvent) -> bool:
        """Take an event; False if it means nothing in this state."""
        table = INVITE_SERVER if self.is_invite else OTHER_SERVER
        following = table[self.state].get(event)
        if following is None:
            return False
        self.state = following
        return True

    def answered(self, status: int) -> None:
        """Note a response of that status."""
        if status < 200:
            self.step(ServerEvent.PROVISIONAL)
        else:
            self.step(ServerEvent.SUCCESS if status < 300 else ServerEvent.FAILURE)


@dataclass(slots=True)
class ClientTransaction:
    """A request of ours other than INVITE, sent again over UDP until answered (§17.1.2)."""

    branch: str
    method: str
    data: bytes
    transport: Transport
    dialog: DialogId
    interval: int = T1
    proceeding: bool = False

    def next_interval(self) -> int:
        """Timer E: double up to T2, and T2 once a provisional response has come."""
        self.interval = T2 if self.proceeding else min(2 * self.interval, T2)
        return self.interval


TimerKey = tuple[str, "Hashable"]
"""What a deadline is for, and whose it is."""


@dataclass(slots=True)
class Timers:
    """Deadlines by key, in ns of the caller's clock; setting one again moves it."""

    _when: dict[TimerKey, int] = field(default_factory=dict)
    _heap: list[tuple[int, int, TimerKey]] = field(default_factory=list)
    _count: int = 0

    def set(self, kind: str, subject: Hashable, when: int) -> None:
        """Let it come due at `when`."""
        self._when[kind, subject] = when
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, (kind, subject)))
        self._tidy()

    def cancel(self, kind: str, subject: Hashable) -> None:
        """Forget a deadline, if it is set."""
        self._when.pop((kind, subject), None)
        self._tidy()

    def _tidy(self) -> None:
        """What was cancelled lies in the heap until its time comes, half an hour for a session: where most of
        it is such, only what is wanted stays."""
        if len(self._heap) > 2 * len(self._when) + IDLE_TIMERS:
            self._heap = [entry for entry in self._heap if self._when.get(entry[2]) == entry[0]]
            heapq.heapify(self._heap)

    def next(self) -> int | None:
        """The earliest deadline, None if there is none."""
        while self._heap and self._when.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now: int) -> TimerKey | None:
        """Take one key that is due, None if none is."""
        when = self.next()
        if when is None or when > now:
            return None
        key = heapq.heappop(self._heap)[2]
        del self._when[key]
        return key
