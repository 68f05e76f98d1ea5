"""Session timers: whether a call's other end is still there (RFC 4028).

A recording client whose network died sends no BYE; with a session timer its silence ends the call. The
refresher renews the session by a re-INVITE or UPDATE about half-way; what renews nothing ends when
the interval has passed. RFC 4028 §10 lets the other side hang up up to 32 s earlier; a recorder waits
to the end, since a refresh that comes late costs nothing and audio that is cut off is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from memcon.wire.address import param, parse_params

if TYPE_CHECKING:
    from memcon.wire.sip import Message

MAX_SECONDS = 1 << 31
NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class SessionTimer:
    """What was agreed: `seconds` after the last refresh the session is over; who has to refresh it."""

    seconds: int
    refresher: Literal["uac", "uas"]

    @property
    def ours(self) -> bool:
        """Whether the recorder has to refresh: it is the UAS of every session."""
        return self.refresher == "uas"

    @property
    def interval(self) -> int:
        """The whole interval, ns."""
        return self.seconds * NS

    def fields(self, tokens: set[str]) -> list[tuple[str, str]]:
        """Header fields of the 2xx; a client that knows the extension is told to use it (§9)."""
        found = [("Session-Expires", f"{self.seconds};refresher={self.refresher}")]
        return [*found, ("Require", "timer")] if "timer" in tokens else found


def negotiate(message: Message) -> SessionTimer | None:
    """The timer that an INVITE or UPDATE asks for, None where it asks for none that we can keep.

    A client that does not know timers cannot refresh: a proxy put the header in, and looks after itself
    (§8). A client that wants us to refresh must allow UPDATE, the one request we refresh with.
    """
    # Session-Expires = ( "Session-Expires" / "x" ) HCOLON delta-seconds *( SEMI se-params )
    seconds, refresher = read(message)
    if not seconds or "timer" not in tokens(message):
        return None
    if refresher == "uas":
        return SessionTimer(seconds, "uas") if "update" in message.headers.tokens("allow") else None
    return SessionTimer(seconds, "uac")


def tokens(message: Message) -> set[str]:
    """The extensions that the sender supports or requires."""
    return message.headers.tokens("supported") | message.headers.tokens("require")


def read(message: Message) -> tuple[int, str]:
    """Session-Expires as (seconds, refresher); 0 where there is none that can be read."""
    value = message.headers.get("session-expires") or ""
    text, _, rest = value.partition(";")
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and 0 < int(text) <= MAX_SECONDS):
        return 0, ""
    return int(text), (param(parse_params(rest), "refresher") or "").lower()


def granted(response: Message) -> SessionTimer | None:
    """The timer that a 2xx names, ours or the peer's: what holds after a restart, or after our refresh."""
    seconds, refresher = read(response)
    if not seconds:
        return None
    return SessionTimer(seconds, "uas" if refresher == "uas" else "uac")
