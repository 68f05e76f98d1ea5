"""The control records of the journal as values (docs/ARCHITECTURE.md), checked field by field.

Capture writes them and the frame is authenticated, yet a defect there must cost one record and not
the sealing: whatever does not fit raises FormatError, and the sealer notes it and goes on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memcon.errors import FormatError
from memcon.record import canonical
from memcon.record.call import CAUSES, WHO
from memcon.seal.unlock import WIRE_HANDLE, WIRE_STREAM
from memcon.wire import sdes

if TYPE_CHECKING:
    from memcon.record.journal import Control

U32 = (1 << 32) - 1
U64 = (1 << 63) - 1
MAX_STREAM = WIRE_STREAM - 2
MAX_HANDLE = WIRE_HANDLE - 1
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_HEX32 = re.compile(r"[0-9a-f]{64}")


class Fields:
    """Typed access to one JSON object of a control record."""

    def __init__(self, facts: dict[str, Any], what: str) -> None:
        self.facts = facts
        self.what = what

    def fail(self, key: str, problem: str) -> FormatError:
        return FormatError(self.what, problem, where=key)

    def text(self, key: str, default: str | None = None) -> str:
        value = self.facts.get(key, default)
        if not isinstance(value, str):
            raise self.fail(key, "is no text")
        return value

    def number(self, key: str, limit: int = U32, default: int | None = None) -> int:
        value = self.facts.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= limit:
            raise self.fail(key, f"is no number from 0 to {limit}")
        return value

    def flag(self, key: str) -> bool:
        value = self.facts.get(key)
        if not isinstance(value, bool):
            raise self.fail(key, "is neither true nor false")
        return value

    def time(self, key: str) -> int:
        """Nanoseconds as a decimal text."""
        value = self.facts.get(key)
        if not isinstance(value, str) or not _DECIMAL.fullmatch(value) or int(value) > U64:
            raise self.fail(key, "is no time in ns as a decimal text")
        return int(value)

    def list(self, key: str) -> list[Any]:
        value = self.facts.get(key, [])
        if not isinstance(value, list):
            raise self.fail(key, "is no list")
        return value

    def object(self, key: str) -> dict[str, Any]:
        value = self.facts.get(key, {})
        if not isinstance(value, dict):
            raise self.fail(key, "is no object")
        return value


def attachment(control: Control, number: int = 0) -> bytes:
    """An attachment, empty where there is none."""
    return control.attachments[number] if number < len(control.attachments) else b""


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """A media stream as signalled; `handle` and `rtcp_handle` name its sockets in the media records."""

    stream: int
    handle: int
    rtcp_handle: int | None
    port: int
    facts: dict[str, canonical.Json]
    key_line: str = ""

    def entry(self, number: int, stream: int, kind: int, port: int) -> dict[str, canonical.Json]:
        """The stream table entry (FORMATS §8)."""
        keys = ("label", "mline", "codecs", "direction", "participant")
        shown = {key: self.facts.get(key) for key in keys}
        entry = {"entry": number, "stream": stream, "kind": kind, "port": port, **shown}
        if self.key_line:
            entry["crypto"] = sdes.parse(self.key_line).suite.name
        return entry

    def public(self) -> dict[str, canonical.Json]:
        """As the feed shows it: without the handles and without the key."""
        return {k: v for k, v in self.facts.items() if k not in ("handle", "rtcp_handle", "key_line")}


def read_streams(value: list[Any]) -> tuple[StreamFacts, ...]:
    """The `streams` of a `call` or `streams` record."""
    return tuple(_stream(item, f"stream {n}") for n, item in enumerate(value))


def _stream(item: canonical.Json, what: str) -> StreamFacts:
    if not isinstance(item, dict):
        raise FormatError("control record", "is no object", where=what)
    f = Fields(item, what)
    number = f.number("stream", MAX_STREAM)
    if number % 2:
        raise f.fail("stream", "is odd: RTP streams have even numbers")
    rtcp = None if item.get("rtcp_handle") is None else f.number("rtcp_handle", MAX_HANDLE)
    key_line = f.text("key_line", "")
    if key_line:
        sdes.parse(key_line)
    port = f.number("port", 0xFFFF, 0)
    return StreamFacts(number, f.number("handle", MAX_HANDLE), rtcp, port, item, key_line)


@dataclass(frozen=True, slots=True)
class CallFacts:
    """A `call` record. `wall` and `mono` in ns; `handle` 32 bytes."""

    key: str
    handle: bytes
    wall: int
    mono: int
    mode: str
    line: str
    transport: str
    local: str
    remote: str
    source_ids: dict[str, canonical.Json]
    parties: list[canonical.Json]
    streams: tuple[StreamFacts, ...]
    oddities: tuple[str, ...]
    invite: bytes
    new_sockets: bool = False
    """Of a `carry` record: whether its sockets had to be bound again, so that their counters began anew."""


def read_call(control: Control) -> CallFacts:
    """Read a `call` or `carry` record; raises FormatError."""
    f = Fields(control.facts, "call record")
    handle = f.text("handle")
    if not _HEX32.fullmatch(handle):
        raise f.fail("handle", "is not 32 bytes in hex")
    return CallFacts(
        key=f.text("key"),
        handle=bytes.fromhex(handle),
        wall=f.time("wall"),
        mono=f.time("mono"),
        mode=f.text("mode", ""),
        line=f.text("line", ""),
        transport=f.text("transport", ""),
        local=f.text("local", ""),
        remote=f.text("remote", ""),
        source_ids=f.object("source_ids"),
        parties=f.list("parties"),
        streams=read_streams(f.list("streams")),
        oddities=tuple(str(o) for o in f.list("oddities")),
        invite=attachment(control),
        new_sockets=f.text("sockets", "") == "new",
    )


@dataclass(frozen=True, slots=True)
class EndFacts:
    """An `end` record."""

    wall: int
    mono: int
    cause: int
    who: int
    drops: dict[int, int]
    message: bytes


def read_end(control: Control) -> EndFacts:
    """Read an `end` record; raises FormatError."""
    f = Fields(control.facts, "end record")
    cause, who = f.number("cause"), f.number("who", default=0)
    if cause not in CAUSES or who not in WHO:
        raise f.fail("cause", f"cause {cause}, ended by {who}")
    return EndFacts(
        f.time("wall"), f.time("mono"), cause, who, read_drops(f.object("drops")), attachment(control)
    )


def read_drops(value: dict[str, canonical.Json]) -> dict[int, int]:
    """Media handle -> cumulative kernel drops."""
    f = Fields(value, "drops")
    found = {}
    for key in value:
        if not _DECIMAL.fullmatch(key):
            raise f.fail(key, "is no media handle")
        found[int(key)] = f.number(key, 1 << 53)
    return found


def read_config(control: Control) -> dict[str, bytes]:
    """The configuration parts of a `start` record: name -> canonical JSON."""
    f = Fields(control.facts, "start record")
    parts = f.object("config")
    found = {}
    for name in parts:
        text = Fields(parts, "configuration part").text(name).encode("utf-8")
        canonical.loads(text, f"configuration part {name}")
        found[name] = text
    return found
