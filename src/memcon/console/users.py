"""Local users of the console: names, roles, argon2 hashes and one-time login links, in one file.

The file is written whole and atomically (store.durable); what is secret in it is only there as a hash.
A link's token is 32 random bytes: SHA-256 is enough for it, unlike for a password.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import threading
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from memcon.clock import NS, Clock, SystemClock
from memcon.errors import FormatError, UsageError
from memcon.store import durable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROLES = ("reader", "operator", "overseer", "custodian")
HEARING = frozenset({"reader", "operator", "custodian"})
"""Who may hear a call and take it away. An overseer sees structure, seals and verdicts, no content."""

CORRECTING = frozenset({"operator", "custodian"})
"""Who may correct a transcript: whoever hears calls and may write."""

LINK_LIFE_NS = 15 * 60 * NS
PASSWORD_LEAST = 10
_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}\Z")


@dataclass(frozen=True, slots=True)
class User:
    """A user. `stamp` changes with the password or the role: sessions of an older stamp end."""

    name: str
    role: str
    stamp: str
    password: str = ""

    @property
    def may_hear(self) -> bool:
        """Whether audio and files of a call are open to this role."""
        return self.role in HEARING

    @property
    def may_correct(self) -> bool:
        """Whether this role may write a version of a transcript."""
        return self.role in CORRECTING


@dataclass(frozen=True, slots=True)
class _Link:
    user: str
    expires: int


class Users:
    """The users of one home. Reads the file again when it changed: the command line may have written it.

    UsageError for what a person got wrong (a name that exists, a role that does not), FormatError for a
    file that is none of ours.
    """

    def __init__(self, path: Path, clock: Clock | None = None, hasher: PasswordHasher | None = None) -> None:
        self._path = path
        self._clock = clock or SystemClock()
        self._hasher = hasher or PasswordHasher()
        self._nobody = ""
        self._seen: tuple[tuple[int, int, int], dict[str, User], dict[str, _Link]] | None = None
        self._mutex = threading.Lock()

    def names(self) -> list[User]:
        """All users by name."""
        users, _ = self._read()
        return [users[name] for name in sorted(users)]

    def get(self, name: str) -> User | None:
        """One user, None when there is none of that name."""
        return self._read()[0].get(name)

    def add(self, name: str, role: str, password: str | None = None) -> User:
        """A new user; without a password they come in by a link only."""
        if not _NAME.match(name):
            raise UsageError(
                f"{name!r} cannot be a user's name",
                cure="Use lower-case letters, digits, dots, hyphens, underscores or @, at most 64",
            )
        self._known_role(role)
        with self._alone():
            users, links = self._read()
            if name in users:
                raise UsageError(
                    f"there is a user {name} already", cure="Choose another name, or set the password"
                )
            users[name] = User(name, role, secrets.token_hex(8), self._hashed(password))
            self._write(users, links)
            return users[name]

    def remove(self, name: str) -> None:
        """Remove a user, their sessions and links."""
        with self._alone():
            users, links = self._read()
            self._existing(users, name)
            del users[name]
            self._write(users, {token: link for token, link in links.items() if link.user != name})

    def set_password(self, name: str, password: str) -> None:
        """A new password; all sessions of the user end."""
        with self._alone():
            users, links = self._read()
            user = self._existing(users, name)
            users[name] = replace(user, password=self._hashed(password), stamp=secrets.token_hex(8))
            self._write(users, links)

    def set_role(self, name: str, role: str) -> None:
        """Another role; all sessions of the user end."""
        self._known_role(role)
        with self._alone():
            users, links = self._read()
            user = self._existing(users, name)
            users[name] = replace(user, role=role, stamp=secrets.token_hex(8))
            self._write(users, links)

    def verify(self, name: str, password: str) -> User | None:
        """The user, if that is their password. Takes as long for a name that does not exist."""
        user = self.get(name)
        if user is None or not user.password:
            self._burn(password)
            return None
        try:
            self._hasher.verify(user.password, password)
        except (VerificationError, InvalidHashError):
            return None
        return user

    def new_link(self, name: str) -> str:
        """A token that signs this user in once, within 15 minutes. Only its hash is kept."""
        token = secrets.token_urlsafe(32)
        with self._alone():
            users, links = self._read()
            self._existing(users, name)
            links = self._fresh(links)
            links[_digest(token)] = _Link(name, self._clock.wall_ns() + LINK_LIFE_NS)
            self._write(users, links)
        return token

    def use_link(self, token: str) -> User | None:
        """The user of a link that is still good; it is good no longer after this."""
        with self._alone():
            users, links = self._read()
            link = self._fresh(links).get(_digest(token))
            if link is None:
                return None
            del links[_digest(token)]
            self._write(users, self._fresh(links))
            return users.get(link.user)

    def _fresh(self, links: dict[str, _Link]) -> dict[str, _Link]:
        now = self._clock.wall_ns()
        return {token: link for token, link in links.items() if now < link.expires}

    def _hashed(self, password: str | None) -> str:
        if password is None:
            return ""
        if len(password) < PASSWORD_LEAST:
            raise UsageError(
                "the password is too short",
                cure=f"Use at least {PASSWORD_LEAST} characters; four words are easy",
            )
        return self._hasher.hash(password)

    def _burn(self, password: str) -> None:
        """Spend the time of a real check, so that the answer does not tell which names exist."""
        if not self._nobody:
            self._nobody = self._hasher.hash(secrets.token_hex(16))
        try:
            self._hasher.verify(self._nobody, password)
        except VerificationError:
            return

    @staticmethod
    def _known_role(role: str) -> None:
        if role not in ROLES:
            raise UsageError(f"{role!r} is no role", cure=f"Use one of {', '.join(ROLES)}")

    @staticmethod
    def _existing(users: dict[str, User], name: str) -> User:
        user = users.get(name)
        if user is None:
            raise UsageError(f"there is no user {name}", cure="See `memcon user list`")
        return user

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer at a time, of all threads and processes: the command line makes links meanwhile."""
        with self._mutex, durable.locked(self._path.with_name(self._path.name + ".lock")):
            yield

    def _read(self) -> tuple[dict[str, User], dict[str, _Link]]:
        """Users and links, copies of what the file says; it is parsed again only when it changed."""
        with durable.machine_errors(self._path, "reading"):
            try:
                stat = self._path.stat()
            except FileNotFoundError:
                return {}, {}
        signature = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        seen = self._seen
        if seen is None or seen[0] != signature:
            seen = (signature, *self._parsed(durable.read_bytes(self._path)))
            self._seen = seen
        return dict(seen[1]), dict(seen[2])

    def _parsed(self, data: bytes) -> tuple[dict[str, User], dict[str, _Link]]:
        try:
            content = json.loads(data)
            users = {str(one["name"]): User(**_texts(one)) for one in content["users"]}
            links = {str(k): _Link(str(v["user"]), int(v["expires"])) for k, v in content["links"].items()}
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise FormatError(
                str(self._path),
                f"not a file of users ({error})",
                cure="Move it away and add the users again with `memcon user add`",
            ) from error
        return users, links

    def _write(self, users: dict[str, User], links: dict[str, _Link]) -> None:
        content = {
            "users": [asdict(users[name]) for name in sorted(users)],
            "links": {token: asdict(link) for token, link in sorted(links.items())},
        }
        durable.write_file(self._path, json.dumps(content, indent=1).encode() + b"\n", 0o600)


def _texts(one: dict[str, Any]) -> dict[str, str]:
    if not all(isinstance(value, str) for value in one.values()):
        raise TypeError("a user's values must be texts")
    return {key: value for key, value in one.items()}


def _digest(token: str) -> str:
    return hashlib.sha256(b"memcon/login-link\0" + token.encode(errors="surrogatepass")).hexdigest()
