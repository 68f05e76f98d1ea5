"""The off switch on the disk: what people have asked for, and what is off.

    work/switch/<16 hex>.json     what somebody asked for: off, on, an explanation; whoever asks writes
    switch.json                   what is off, and by which statement; the sealing process alone writes

Both outlive every process: what was switched off stays off over a restart, until somebody switches it
on. Capture follows `switch.json`; the sealing process puts statements into the log.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import secrets
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from memcon.errors import FormatError, UsageError
from memcon.store import durable

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.store.paths import Home

OFF, ON, EXPLANATION = "off", "on", "explanation"
KINDS = (OFF, ON, EXPLANATION)
MAX_TEXT = 500
_NAME = re.compile(r"[0-9a-f]{16}\.json")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a named person asked for. `lines`: names; none: the whole recorder. `first`, `last`: slots."""

    kind: str
    by: str
    how: str
    reason: str
    lines: tuple[str, ...] = ()
    first: int = 0
    last: int = 0

    def __post_init__(self) -> None:
        for name in ("by", "reason"):
            text = getattr(self, name)
            if not text.strip():
                cure = "Say who and why: it goes on the record, in public"
                raise UsageError(f"no {'person' if name == 'by' else 'reason'} is named", cure=cure)
            if len(text) > MAX_TEXT or not text.isprintable():
                raise UsageError(f"a {name} of one line, at most {MAX_TEXT} characters, is needed")
        if len(self.how) > MAX_TEXT or not self.how.isprintable():
            raise UsageError("the way it came is no single line")


@dataclass(frozen=True, slots=True)
class Announced:
    """A statement that stands in a leaf and has not taken effect. `statement`: its hash in hex."""

    statement: str
    index: int
    asked: Asked


@dataclass(frozen=True, slots=True)
class Switched:
    """What is off. `whole`: the whole recorder; `lines`: names; `statement` the one in force, in hex."""

    whole: bool = False
    lines: tuple[str, ...] = ()
    statement: str = ""
    by: str = ""
    how: str = ""
    reason: str = ""
    announced: Announced | None = field(default=None)

    @property
    def anything(self) -> bool:
        return self.whole or bool(self.lines)

    def off(self, line: str) -> bool:
        """Whether calls of this line are not to be recorded."""
        return self.whole or line in self.lines

    def with_off(self, asked: Asked, statement: str) -> Switched:
        """After an off has taken effect."""
        lines = tuple(dict.fromkeys([*self.lines, *asked.lines]))
        return Switched(self.whole or not asked.lines, lines, statement, asked.by, asked.how, asked.reason)

    def without(self, lines: tuple[str, ...]) -> Switched:
        """After these lines (none: everything) were switched on before an announced off took effect."""
        if self.announced is None:
            return self
        asked = self.announced.asked
        left = tuple(line for line in asked.lines if line not in lines)
        if not lines or (asked.lines and not left):
            return replace(self, announced=None)
        if left == asked.lines:
            return self
        # What takes effect is less than the statement says: it is said anew then.
        return replace(
            self, announced=replace(self.announced, statement="", asked=replace(asked, lines=left))
        )

    def with_on(self, lines: tuple[str, ...]) -> Switched:
        """After these lines (none: everything) were switched on. What is left is off as before."""
        if not lines:
            return Switched(announced=self.announced)
        left = tuple(line for line in self.lines if line not in lines)
        return (
            replace(self, lines=left, statement="")
            if left or self.whole
            else Switched(announced=self.announced)
        )


def system_user() -> str:
    """The system user behind this process, seen through sudo.

    It goes on the record: a name is believed only where the system has it, and none is taken from the
    environment but the one that sudo leaves there.
    """
    try:
        return pwd.getpwnam(os.environ.get("SUDO_USER", "")).pw_name
    except (KeyError, ValueError):
        pass
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"number {os.getuid()}"


def ask(home: Home, asked: Asked) -> Path:
    """Ask for it; the sealing process takes it up at the next beat. Returns the file that says so."""
    if asked.kind not in KINDS:
        raise UsageError(f"{asked.kind!r} is none of {', '.join(KINDS)}")
    durable.make_dirs(home.switch_asked)
    path = home.switch_asked / f"{secrets.token_hex(8)}.json"
    durable.write_file(path, json.dumps(asdict(asked)).encode())
    return path


def waiting(home: Home) -> list[tuple[Path, Asked | None]]:
    """What was asked for and not taken up, oldest first; None where a file cannot be read."""
    if not home.switch_asked.is_dir():
        return []
    paths = [p for p in home.switch_asked.iterdir() if _NAME.fullmatch(p.name)]
    found: list[tuple[Path, Asked | None]] = []
    for path in sorted(paths, key=lambda p: (p.stat().st_mtime_ns, p.name)):
        try:
            found.append((path, _asked(json.loads(durable.read_bytes(path)))))
        except (ValueError, TypeError, KeyError, UsageError):
            found.append((path, None))
    return found


def _asked(value: dict[str, Any]) -> Asked:
    return Asked(**{**value, "lines": tuple(map(str, value["lines"]))})


def read(home: Home) -> Switched:
    """What is off; nothing where nobody has switched. Raises FormatError for a damaged file."""
    data = durable.read_if_there(home.switch)
    if data is None:
        return Switched()
    try:
        value = json.loads(data)
        told = value.pop("announced")
        announced = (
            None if told is None else Announced(told["statement"], told["index"], _asked(told["asked"]))
        )
        return Switched(**{**value, "lines": tuple(value["lines"])}, announced=announced)
    except (ValueError, TypeError, KeyError, AttributeError, UsageError) as error:
        raise FormatError(
            str(home.switch), "cannot be read", cure="Put back what it said, or remove it: then all is on"
        ) from error


def write(home: Home, switched: Switched) -> None:
    """Keep what is off; durable before anybody acts on it."""
    durable.write_file(home.switch, json.dumps(asdict(switched)).encode())
