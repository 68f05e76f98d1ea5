"""Public statements: canonical JSON named by a beat (FORMATS §10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from memcon.errors import FormatError
from memcon.record import canonical
from memcon.record.hashing import text_field
from memcon.record.layout import brief

MAX_PERIOD_MS = 60_000
MIN_PERIOD_MS = 1_000
MAX_B = 6
MAX_G = 3


@dataclass(frozen=True, slots=True)
class Genesis:
    """What the log promises at its start: cadence, freshness bound B and grace G in periods, keys."""

    origin: str
    period_ms: int
    b: int
    g: int
    created: str
    keys: tuple[str, ...]
    predecessor: str | None = None

    def encode(self) -> bytes:
        return canonical.dumps(
            {
                "kind": "genesis",
                "origin": self.origin,
                "period_ms": self.period_ms,
                "b": self.b,
                "g": self.g,
                "created": self.created,
                "keys": list(self.keys),
                "predecessor": self.predecessor,
            }
        )


@dataclass(frozen=True, slots=True)
class Switch:
    """Who switched what, how, why, from which slot on.

    `lines` are pseudonyms; none: the whole recorder.
    """

    origin: str
    slot: int
    by: str
    how: str
    reason: str
    lines: tuple[str, ...]

    KIND: ClassVar[str]

    def encode(self) -> bytes:
        return canonical.dumps(
            {
                "kind": self.KIND,
                "origin": self.origin,
                "slot": self.slot,
                "by": self.by,
                "how": self.how,
                "reason": self.reason,
                "lines": list(self.lines),
            }
        )


class Off(Switch):
    """Switched off. `lines`: all that are off from then on, not only those that this switch added."""

    __slots__ = ()
    KIND = "off"


class On(Switch):
    """Switched on again. `lines`: those that are on again; none: nothing is off any more."""

    __slots__ = ()
    KIND = "on"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What somebody says afterwards of the slots `first` to `last`: their word, never the answer."""

    origin: str
    first: int
    last: int
    by: str
    how: str
    reason: str

    def encode(self) -> bytes:
        return canonical.dumps(
            {
                "kind": "explanation",
                "origin": self.origin,
                "first": self.first,
                "last": self.last,
                "by": self.by,
                "how": self.how,
                "reason": self.reason,
            }
        )


Statement = Genesis | Off | On | Explanation


def _strings(value: object, what: str, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise FormatError(what, "is no list of strings", where=where)
    return tuple(value)


def _genesis(data: bytes) -> Genesis:
    what = "genesis statement"
    keys = {"kind": str, "origin": str, "period_ms": int, "b": int, "g": int, "created": str, "keys": list,
            "predecessor": object}  # fmt: skip
    value = canonical.load_object(data, what, keys)
    text_field(value["origin"], f"{what}'s origin")
    if not MIN_PERIOD_MS <= value["period_ms"] <= MAX_PERIOD_MS:
        raise FormatError(what, f"a period of {value['period_ms']} ms, not 1 to 60 s", where="period_ms")
    for name, most in (("b", MAX_B), ("g", MAX_G)):
        if not 1 <= value[name] <= most:
            raise FormatError(what, f"{value[name]} periods, not 1 to {most}", where=name)
    if not isinstance(value["predecessor"], str | None):
        raise FormatError(what, "is neither text nor null", where="predecessor")
    return Genesis(
        value["origin"],
        value["period_ms"],
        value["b"],
        value["g"],
        value["created"],
        _strings(value["keys"], what, "keys"),
        value["predecessor"],
    )


_TEXTS = {"kind": str, "origin": str, "by": str, "how": str, "reason": str}


def _switch(data: bytes, made: type[Off] | type[On]) -> Off | On:
    what = f"{made.KIND} statement"
    v = canonical.load_object(data, what, _TEXTS | {"slot": int, "lines": list})
    text_field(v["origin"], f"{what}'s origin")
    if v["slot"] < 0:
        raise FormatError(what, f"slot {v['slot']}", where="slot")
    return made(v["origin"], v["slot"], v["by"], v["how"], v["reason"], _strings(v["lines"], what, "lines"))


def _explanation(data: bytes) -> Explanation:
    what = "explanation"
    v = canonical.load_object(data, what, _TEXTS | {"first": int, "last": int})
    text_field(v["origin"], f"{what}'s origin")
    if not 0 <= v["first"] <= v["last"]:
        raise FormatError(what, f"slots {v['first']} to {v['last']}", where="first")
    return Explanation(v["origin"], v["first"], v["last"], v["by"], v["how"], v["reason"])


def decode(data: bytes) -> Statement:
    """Read a public statement; raises FormatError."""
    value = canonical.loads(data, "statement")
    kind = value.get("kind") if isinstance(value, dict) else None
    if kind == "genesis":
        return _genesis(data)
    if kind == "off":
        return _switch(data, Off)
    if kind == "on":
        return _switch(data, On)
    if kind == "explanation":
        return _explanation(data)
    raise FormatError("statement", f"kind {brief(kind)} is unknown", where="kind")
