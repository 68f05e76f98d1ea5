"""What a capturing process that died has left in the journal: its open calls, message by message.

Read as sealing reads it, but only so far back as the newest complete set of `carry` records: one
stands at the beginning of every instance that goes on with another's calls, and soon after the
beginning of every file, so that no more than two files are ever read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memcon.errors import FormatError
from memcon.record import journal
from memcon.store.journal_reader import JournalReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from memcon.store.journal_reader import InstanceJournal
    from memcon.store.paths import Home

_INVITE = re.compile(rb"(?im)^CSeq[ \t]*:[ \t]*[0-9]+[ \t]+INVITE")
_CARRIED = re.compile(rb'"type":"carried"')
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
FIRST_MESSAGES = 8
KEPT_MESSAGES = 400
"""Of a call: a session refreshed every minute for six hours. Beyond, the oldest after the first are dropped:
what they said of streams and parties stands in the record, and later ones say it again."""


@dataclass(frozen=True, slots=True)
class Said:
    """A SIP message of a call: `facts` has direction, transport, local, remote, wall, mono."""

    facts: dict[str, Any]
    raw: bytes

    @property
    def received(self) -> bool:
        return self.facts.get("direction") == "in"


@dataclass(slots=True)
class LeftCall:
    """A call that has not ended: `facts` as its `call` record has them, its INVITE, what followed."""

    facts: dict[str, Any]
    invite: bytes
    said: list[Said] = field(default_factory=list)
    answer: bytes = b""
    """The 200 to its INVITE."""
    hung_up: bool = False
    """Whether we have sent a BYE."""

    def say(self, said: Said) -> None:
        """Take in a message. Of what we sent, the answer to the INVITE and our BYE are kept."""
        if said.received:
            self.said.append(said)
        elif said.raw.startswith(b"BYE "):
            self.hung_up = True
            self.said.append(said)
        elif not self.answer and said.raw.startswith(b"SIP/2.0 200 ") and _INVITE.search(said.raw):
            self.answer = said.raw
            self.said.append(said)
        if len(self.said) > KEPT_MESSAGES:
            del self.said[FIRST_MESSAGES]

    def later(self) -> list[Said]:
        """What was received after the answer to the INVITE, to be served again."""
        answered = [i for i, said in enumerate(self.said) if said.raw == self.answer]
        return [said for said in self.said[answered[0] + 1 :] if said.received] if answered else []

    def carry(self) -> tuple[dict[str, Any], list[bytes]]:
        """The `carry` record and its attachments: everything above, under the key of this instance."""
        facts = self.facts | {"type": "carry", "messages": [said.facts for said in self.said]}
        return facts, [self.invite, *(said.raw for said in self.said)]


@dataclass(slots=True)
class Left:
    """What stands in the journal of an instance that went without a word.

    `wall`, `mono`: the last tick's watermark, up to which everything is known (ns). `boot` is the
    machine's boot id at its start: clocks and sockets are those of one boot.
    """

    instance: bytes
    wall: int
    mono: int
    boot: str = ""
    calls: dict[str, LeftCall] = field(default_factory=dict)
    """By handle (hex)."""


class _Reading:
    """Follows control records from instance to instance."""

    def __init__(self) -> None:
        self.calls: dict[str, LeftCall] = {}
        self.instance = b""
        """The latest that wrote anything."""
        self.boot = ""
        self.wall = self.mono = 0
        self._keys: dict[str, str] = {}

    def begin(self, started: int) -> None:
        """Keys have their meaning in one instance."""
        self._keys = {}
        self.wall = max(self.wall, started)

    def record(self, record: object) -> None:
        if isinstance(record, journal.Tick):
            self.wall, self.mono = record.watermark, record.watermark - record.wall + record.mono
        elif isinstance(record, journal.Stop):
            self.calls.clear()
        elif isinstance(record, journal.Control):
            self._control(record.facts, record.attachments)

    def _control(self, facts: dict[str, Any], attachments: tuple[bytes, ...]) -> None:
        kind, key = facts.get("type"), str(facts.get("key"))
        if kind == "start":
            self.boot = str(facts.get("boot", ""))
            if not facts.get("follows"):
                self.calls.clear()
        elif kind in ("call", "carry") and attachments:
            self._open(key, facts, attachments)
        call = self.calls.get(self._keys.get(key, ""))
        if call is None:
            return
        if kind == "sip":
            call.say(Said(facts, attachments[0] if attachments else b""))
        elif kind == "streams":
            lines = {s["stream"]: s for s in [*call.facts["streams"], *facts["streams"]]}
            call.facts = {**call.facts, "streams": [lines[n] for n in sorted(lines)]}
        elif kind == "end":
            del self.calls[self._keys.pop(key)]

    def _open(self, key: str, facts: dict[str, Any], attachments: tuple[bytes, ...]) -> None:
        handle = str(facts.get("handle"))
        self._keys[key] = handle
        call = self.calls[handle] = LeftCall(facts, attachments[0])
        for said, raw in zip(facts.get("messages", []), attachments[1:], strict=False):
            call.say(Said(said, raw))


def boot_id() -> str:
    """What tells this boot of the machine from any other; "" where it cannot be had."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def read_left(home: Home, alive: Callable[[], object] = bool) -> Left | None:
    """What is to be gone on with; None where the newest instance ended of itself or there is none. `alive`
    is called again and again meanwhile: on a busy machine it takes long, and whoever waits must not think
    that it hangs.

    Raises MachineError where the journal cannot be read. A damaged frame costs what it held.
    """
    reader = JournalReader(home)
    try:
        reader.scan()
        reading = _Reading()
        for position, file in reversed(_where_to_read(reader, alive)):
            reading.begin(reader.instances[position].started)
            for record in _records(reader, position, file, alive=alive):
                reading.record(record)
                reading.instance = reader.instances[position].instance
    finally:
        reader.close()
    if not reading.instance:
        return None
    return Left(reading.instance, reading.wall, reading.mono, reading.boot, reading.calls)


def _where_to_read(reader: JournalReader, alive: Callable[[], object]) -> list[tuple[int, int]]:
    """(position of the instance, file) to read from, newest first: back to one that stands by itself."""
    found = []
    for position in range(len(reader.instances) - 1, -1, -1):
        instance = reader.instances[position]
        if instance.key is None or not instance.files:
            break
        file = _newest_set(reader, position, instance, alive)
        if file is not None:
            found.append((position, file))
            break
        found.append((position, min(instance.files)))
        if not _follows(reader, position, instance):
            break
    return found


def _newest_set(
    reader: JournalReader, position: int, instance: InstanceJournal, alive: Callable[[], object]
) -> int | None:
    """The file in which the newest complete set of `carry` records begins."""
    for file in sorted(instance.files, reverse=True):
        begun = None
        for record in _records(reader, position, file, alone=True, holding=_CARRIED, alive=alive):
            if isinstance(record, journal.Control) and record.facts["type"] == "carried":
                begun = record.facts.get("file")
        if isinstance(begun, int) and begun in instance.files:
            return begun
    return None


def _follows(reader: JournalReader, position: int, instance: InstanceJournal) -> bool:
    """Whether it goes on with another's calls; so does one that died before it could write a record."""
    first = next(_records(reader, position, min(instance.files)), None)
    return first is None or (isinstance(first, journal.Control) and bool(first.facts.get("follows")))


def _records(
    reader: JournalReader,
    position: int,
    file: int,
    *,
    alone: bool = False,
    holding: re.Pattern[bytes] | None = None,
    alive: Callable[[], object] = bool,
) -> Iterator[journal.Control | journal.Media | journal.Tick | journal.Stop]:
    """The records of an instance from the beginning of a file on, or of that file `alone`; where only some
    are looked for, of the frames that may be `holding` them: most of what is read are packets."""
    reader.seek(position, file)
    while (frame := reader.read()) is not None:
        alive()
        if alone and frame.file_number != file:
            return
        if holding is not None and holding.search(frame.plaintext) is None:
            continue
        try:
            yield from journal.decode_records(frame.plaintext)
        except FormatError:
            continue
