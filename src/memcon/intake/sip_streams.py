"""SIP over TCP in a capture: segments put in order by their sequence numbers, and cut into messages.

Each direction of a connection is a flow. One is followed from its SYN, or, where the capture began later,
from a segment that begins as SIP does; whose first bytes are something else (TLS, other programs) is left
alone. What comes early waits for what is missing; where that never comes the flow is taken up again at the
next segment that begins a message, and what lay between is lost to the reader, as it is to the capture.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memcon.wire.framing import StreamParser
from memcon.wire.sip import Message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memcon.intake.capture_file import Segment

METHODS = (b"SIP/2.0 ", b"INVITE ", b"ACK ", b"BYE ", b"CANCEL ", b"OPTIONS ", b"UPDATE ", b"INFO ",
           b"PRACK ", b"REGISTER ", b"REFER ", b"NOTIFY ", b"SUBSCRIBE ", b"MESSAGE ")  # fmt: skip
MOST_FLOWS = 512
"""The one that was heard longest ago is forgotten: a scan of ports makes flows of one packet each."""
MOST_AHEAD = 1 << 18
"""Bytes of a flow that wait for what is missing: beyond, it counts as lost. A SIP message has 64 KiB."""
_SYN, _END = 2, 5  # FIN or RST
_RING = 1 << 32


def looks_like_sip(data: bytes) -> bool:
    """Whether bytes begin as a SIP message does."""
    return data.lstrip(b"\r\n").startswith(METHODS)


@dataclass(slots=True)
class _Flow:
    """One direction: the number of the byte that comes next, and what came too early."""

    due: int
    parser: StreamParser = field(default_factory=StreamParser)
    begun: bool = False
    ahead: dict[int, bytes] = field(default_factory=dict)

    def again(self, due: int) -> None:
        self.due, self.parser, self.begun, self.ahead = due, StreamParser(), False, {}


class SipStreams:
    """Feed it a capture's segments in their order; it gives SIP messages as they end."""

    def __init__(self) -> None:
        self._flows: dict[tuple[bytes, int, bytes, int], _Flow] = {}

    def feed(self, segment: Segment) -> list[bytes]:
        """The messages that a segment completes, byte for byte."""
        key = (segment.source, segment.source_port, segment.target, segment.target_port)
        flow = self._flows.pop(key, None)
        if segment.flags & _SYN:
            flow = _Flow((segment.sequence + 1) % _RING)
        elif flow is None and looks_like_sip(segment.payload):
            flow = _Flow(segment.sequence)
        if flow is None:
            return []
        found = list(self._take(flow, segment))
        if not flow.parser.closed and not segment.flags & _END:
            self._flows[key] = flow  # at the end: the newest
            if len(self._flows) > MOST_FLOWS:
                del self._flows[next(iter(self._flows))]
        return found

    def _take(self, flow: _Flow, segment: Segment) -> Iterator[bytes]:
        if not segment.payload:
            return
        number = (segment.sequence + bool(segment.flags & _SYN)) % _RING
        if len(flow.ahead.get(number, b"")) < len(segment.payload):
            flow.ahead[number] = segment.payload
        yield from self._in_order(flow)
        if sum(map(len, flow.ahead.values())) > MOST_AHEAD:
            # taken up again with this one, if a message begins here; otherwise with the next that does
            flow.again(number)
            if looks_like_sip(segment.payload):
                flow.ahead[number] = segment.payload
                yield from self._in_order(flow)
            else:
                flow.parser.closed = True

    def _in_order(self, flow: _Flow) -> Iterator[bytes]:
        """All that can be taken without a hole; what was said twice is taken once."""
        while flow.ahead:
            behind = {number: (flow.due - number) % _RING for number in flow.ahead}
            number = next((n for n, past in behind.items() if past < _RING // 2), None)
            if number is None:
                return
            payload = flow.ahead.pop(number)[behind[number] :]
            flow.due = (flow.due + len(payload)) % _RING
            if not flow.begun:
                head = (flow.parser.rest + payload).lstrip(b"\r\n")
                flow.begun = looks_like_sip(head)
                # of a beginning that is cut short more comes; keep-alives may stand before it
                flow.parser.closed = not flow.begun and not any(m.startswith(head) for m in METHODS)
            yield from (item.raw for item in flow.parser.feed(payload) if isinstance(item, Message))
            if flow.parser.closed:
                flow.ahead.clear()
