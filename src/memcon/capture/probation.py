"""Calls that may have ended while nobody listened: taken up, but on sockets that had to be bound again.

A call of which anything comes, a packet or a message, goes on. One that stays silent is asked with
OPTIONS inside its dialog, since a call on hold is silent too: its peer answers, and the answer is a
message. 481 ends it at once; where nothing comes at all it is sent a BYE, so that a peer that hears us
and cannot be heard does not go on believing that it is recorded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from memcon.clock import NS
from memcon.wire.calls import GONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from memcon.wire.events import DialogId

ASK_NS = 10 * NS
GIVE_UP_NS = 40 * NS  # a BYE in flight is said again for 32 s (RFC 3261, timer F)


class Sip(Protocol):
    """What asks and hangs up."""

    def probe(self, dialog: DialogId) -> None: ...

    def end_call(self, dialog: DialogId, reason: str) -> None: ...


@dataclass(slots=True)
class _Silent:
    heard: int
    asked: bool = False


class Probation:
    """Follows these calls from `began` (monotonic, ns).

    `heard` says how much has come for a call, None once it is over.
    """

    def __init__(
        self, dialogs: Iterable[DialogId], heard: Callable[[DialogId], int | None], sip: Sip, began: int
    ) -> None:
        self._heard = heard
        self._sip = sip
        self._began = began
        self._silent = {dialog: _Silent(heard(dialog) or 0) for dialog in dialogs}

    def __len__(self) -> int:
        return len(self._silent)

    def look(self, now: int) -> None:
        """About once a second: ask or end what has stayed silent too long."""
        for dialog, silent in list(self._silent.items()):
            heard = self._heard(dialog)
            if heard is None or heard > silent.heard:
                del self._silent[dialog]
            elif now - self._began > GIVE_UP_NS:
                del self._silent[dialog]
                self._sip.end_call(dialog, GONE)
            elif now - self._began > ASK_NS and not silent.asked:
                silent.asked = True
                self._sip.probe(dialog)
