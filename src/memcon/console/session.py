"""Signed sessions, tokens against forged forms, and a brake on password tries.

A session is a cookie `name.stamp.born.nonce.mac`: it holds no secret and cannot be made without the key.
A forged form is refused because it cannot know HMAC(key, nonce of the session). A person who is not
signed in has a session too, without a name, so that the login form is guarded in the same way.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.clock import NS
from memcon.store import durable

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.clock import Clock

COOKIE = "memcon_session"
LIFE_NS = 12 * 3600 * NS
KEY_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Session:
    """A browser's session. `name` is empty until somebody signed in; `born` in ns."""

    name: str
    stamp: str
    born: int
    nonce: str


class Sessions:
    """Makes and reads session cookies with one key."""

    def __init__(self, key: bytes, clock: Clock) -> None:
        if len(key) != KEY_LENGTH:
            raise ValueError("a session key has 32 bytes")
        self._key = key
        self._clock = clock
        self._ended: dict[str, int] = {}

    def start(self, name: str = "", stamp: str = "") -> Session:
        """A new session, born now."""
        return Session(name, stamp, self._clock.wall_ns(), secrets.token_hex(16))

    def end(self, session: Session) -> None:
        """Refuse this session from now on, even if its cookie comes back."""
        now = self._clock.wall_ns()
        self._ended = {nonce: born for nonce, born in self._ended.items() if now - born < LIFE_NS}
        self._ended[session.nonce] = session.born

    def cookie(self, session: Session) -> str:
        """The session as a cookie's value."""
        name = base64.urlsafe_b64encode(session.name.encode()).decode().rstrip("=")
        body = f"{name}.{session.stamp}.{session.born}.{session.nonce}"
        return f"{body}.{self._mac('session', body)}"

    def read(self, value: str) -> Session | None:
        """The session of a cookie, None if it is forged, ended or over."""
        body, _, mac = value.rpartition(".")
        if not hmac.compare_digest(self._mac("session", body).encode(), mac.encode(errors="replace")):
            return None
        packed, stamp, born, nonce = body.split(".")
        name = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode()
        session = Session(name, stamp, int(born), nonce)
        age = self._clock.wall_ns() - session.born
        return None if nonce in self._ended or not 0 <= age < LIFE_NS else session

    def form_token(self, session: Session) -> str:
        """What every form of this session carries in its field `token`."""
        return self._mac("form", session.nonce)

    def form_ok(self, session: Session, token: str) -> bool:
        """Whether a form came from a page of this session."""
        return hmac.compare_digest(self.form_token(session).encode(), token.encode(errors="replace"))

    def _mac(self, what: str, text: str) -> str:
        message = f"memcon/{what}\0{text}".encode(errors="surrogateescape")
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()


class Brake:
    """At most `tries` failed tries for a key in `window_ns`; a success forgives them.

    Keys are bounded: past `most` the oldest is forgotten, so that an attacker cannot fill the memory.
    """

    def __init__(
        self, clock: Clock, *, tries: int = 5, window_ns: int = 5 * 60 * NS, most: int = 10_000
    ) -> None:
        self._clock = clock
        self._tries = tries
        self._window = window_ns
        self._most = most
        self._failed: dict[str, list[int]] = {}

    def wait_ns(self, key: str) -> int:
        """How long this key has to wait before the next try, 0 when it need not."""
        now = self._clock.monotonic_ns()
        recent = [then for then in self._failed.get(key, []) if now - then < self._window]
        if len(recent) < self._tries:
            return 0
        return self._window - (now - recent[-self._tries])

    def failed(self, key: str) -> None:
        """Count a failed try."""
        now = self._clock.monotonic_ns()
        recent = [then for then in self._failed.pop(key, []) if now - then < self._window]
        self._failed[key] = [*recent[-self._tries :], now]
        while len(self._failed) > self._most:
            del self._failed[next(iter(self._failed))]

    def forgive(self, key: str) -> None:
        """Forget the failed tries of a key."""
        self._failed.pop(key, None)


def new_session_key() -> bytes:
    """32 random bytes. All sessions end with the key."""
    return secrets.token_bytes(KEY_LENGTH)


def load_session_key(path: Path) -> bytes:
    """The key in the run directory, made when it is not there: sessions outlive a restart, not a reboot."""
    data = durable.read_if_there(path)
    if data is not None and len(data) == KEY_LENGTH:
        return data
    key = new_session_key()
    durable.make_dirs(path.parent)
    durable.write_file(path, key, 0o600, durable=False)
    return key
