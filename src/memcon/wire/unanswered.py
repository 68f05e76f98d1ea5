"""Calls whose 200 nobody has acknowledged: how many of them there may be before a source is refused.

Whoever sends INVITEs and never an ACK makes calls of 32 s (64*T1), each with ports, a place in the record and
a number in the log. A recording client acknowledges within a round trip, so few of its calls wait at any
time. Nobody who records calls is meant by the limits, so a source that has acknowledged a call before
has a wide one, and strangers have one of their own, which they cannot take away from the others; those who
send datagrams, whose address may be invented, not even from those who come by a connection.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from memcon.wire.events import DialogId, Transport

_Source: TypeAlias = tuple[bool, str]
"""Whether it came by a connection, and the peer's address: proven by a handshake, or what a datagram says."""

MAX_OF_STRANGER = 64
"""Of one source that has never acknowledged a call: a client's first calls, before its first round trip."""
MAX_OF_STRANGERS = 256
"""Of all such sources together, and no more than a quarter of the port pairs there are: a datagram's sender
can be invented. Connections count by themselves, as much again."""
MAX_OF_KNOWN = 1000
"""Of one source that has: 50 calls a second, the answers of which were held up for 20 s."""
MAX_KNOWN = 10_000
"""Sources that are remembered; the one that has acknowledged nothing for longest is forgotten."""


class Unanswered:
    """The calls that wait for their first ACK, by the address it came from, and how."""

    def __init__(self, pairs: int = 0) -> None:
        """`pairs` of media ports there are in all; 0 where that is not known."""
        self._most = min(MAX_OF_STRANGERS, max(1, pairs // 4)) if pairs else MAX_OF_STRANGERS
        self._waiting: dict[DialogId, _Source] = {}
        self._counts: Counter[_Source] = Counter()
        self._strangers: Counter[bool] = Counter()  # by whether they come by a connection
        self._known: OrderedDict[_Source, None] = OrderedDict()

    def refusal(self, transport: Transport) -> str:
        """Why a new call from there is not taken now; "" where it is."""
        source = _source(transport)
        mine, strangers = self._counts[source], self._strangers[source[0]]
        if source in self._known:
            too_many = mine >= MAX_OF_KNOWN
        else:
            too_many = mine >= MAX_OF_STRANGER or strangers >= self._most
        return f"{mine or strangers} calls wait for their ACK" if too_many else ""

    def begin(self, dialog: DialogId, transport: Transport) -> None:
        """A call was answered."""
        source = _source(transport)
        self._waiting[dialog] = source
        self._counts[source] += 1
        self._strangers[source[0]] += source not in self._known

    def acknowledged(self, dialog: DialogId) -> None:
        """Its ACK has come; its source is known from now on."""
        source = self._waiting.get(dialog)
        if source is None:
            return
        self.over(dialog)
        if source not in self._known:
            self._strangers[source[0]] -= self._counts[source]
        self._known[source] = None
        self._known.move_to_end(source)
        if len(self._known) > MAX_KNOWN:
            forgotten, _ = self._known.popitem(last=False)
            self._strangers[forgotten[0]] += self._counts[forgotten]

    def over(self, dialog: DialogId) -> None:
        """The call has ended, or does not wait any more."""
        source = self._waiting.pop(dialog, None)
        if source is None:
            return
        self._strangers[source[0]] -= source not in self._known
        self._counts[source] -= 1
        if not self._counts[source]:
            del self._counts[source]


def _source(transport: Transport) -> _Source:
    return bool(transport.flow), transport.remote[0]
