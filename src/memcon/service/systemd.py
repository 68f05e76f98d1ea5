"""memcon under systemd: the unit, filled in, and what the supervisor tells its manager (sd_notify(3))."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from memcon.errors import UsageError

if TYPE_CHECKING:
    from memcon.clock import Clock
    from memcon.service.config import Config
    from memcon.store.paths import Home

_USER = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
_HIDDEN = (Path("/home"), Path("/root"), Path("/run/user"))


class Manager:
    """The service manager that started this process, if one did.

    Its address is taken out of the environment, so that no worker speaks in the supervisor's name.
    A message that cannot be delivered is no reason to stop recording: the watchdog will say so.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._address = os.environ.pop("NOTIFY_SOCKET", "")
        watchdog, pid = os.environ.pop("WATCHDOG_USEC", ""), os.environ.pop("WATCHDOG_PID", "")
        mine = not pid or pid == str(os.getpid())
        self._every_ns = int(watchdog) * 1000 // 3 if watchdog.isdigit() and mine else 0
        self._next = 0

    def ready(self) -> None:
        """Every worker is up."""
        self._tell("READY=1\nSTATUS=Recording")

    def alive(self) -> None:
        """To be said only while every worker is at work; a third of the watchdog's time apart."""
        now = self._clock.monotonic_ns()
        if self._every_ns and now >= self._next:
            self._next = now + self._every_ns
            self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        """A stop has begun."""
        self._tell("STOPPING=1\nSTATUS=Stopping")

    def _tell(self, text: str) -> None:
        if not self._address:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.sendto(text.encode(), address)


def _word(path: Path) -> str:
    """A path as one word of a unit (systemd.syntax(7), systemd.unit(5) on %)."""
    text = str(path)
    if not text.isprintable():
        raise UsageError(f"{text!r} cannot stand in a unit", cure="Move the home to a plain path")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return escaped if escaped == text and " " not in text else f'"{escaped}"'


def unit(home: Home, config: Config, *, user: str, memcon: Path) -> str:
    """`memcon.service` for one home. Raises UsageError for a user or path that a unit cannot name."""
    if not _USER.fullmatch(user):
        raise UsageError(f"{user!r} is no system user's name", cure="Make one: useradd --system memcon")
    more = (config.vault_path, config.vault_fallback, config.journal_fallback)
    outside = {path for path in more if path is not None and not path.is_relative_to(home.root)}
    writable = [home.root, *sorted(outside), Path("/dev/shm")]  # noqa: S108 - keys, see store.paths
    hidden = any(path.is_relative_to(place) for path in [*writable, memcon] for place in _HIDDEN)
    known = {
        "USER": user,
        "MEMCON": _word(memcon),
        "HOME": _word(home.root),
        "PROTECT_HOME": "read-only" if hidden else "yes",
        "WRITABLE": " ".join(map(_word, writable)),
    }
    text = files("memcon.service").joinpath("memcon.service").read_text(encoding="utf-8")
    return re.sub(r"@([A-Z_]+)@", lambda found: known[found[1]], text)
