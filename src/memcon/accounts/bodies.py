"""What the body of each kind of dossier entry must hold (FORMATS §18), checked when written and when read.

A body has the fields of its kind and no others. Kinds that are not listed here belong to other rooms
(events, what followed): they are kept and passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memcon.errors import FormatError
from memcon.record import edtf
from memcon.record.layout import brief

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Check = Callable[[object], str | None]

LONG = 20_000
SHORT = 500
MOST_ITEMS = 200
SIDE = re.compile(r"[A-Z]")
_HASH = re.compile(r"[0-9a-f]{64}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")

RECORD_CLASSES = {
    "recording": "Recording",
    "verbatim": "Verbatim transcript",
    "telcon": "Memorandum of telephone conversation (telcon)",
    "readout": "Readout",
    "pre-drafted": "Readout drafted before the call",
    "none-known": "None known",
}
RECORD_STATES = ("held", "held in part", "exists", "said to exist", "none known", "denied")
COMPLETENESS = ("complete", "excerpt", "assembled", "unknown")
STANCES = ("asserts", "quotes", "suggests", "denies", "retracts", "checks")
DERIVATIONS = ("quoted", "derived", "revision", "primary", "retracts", "checks")
POINT_KINDS = ("substance", "courtesy", "tone", "logistics", "unclassified")
STATUSES = ("both", "A only", "B only", "differs", "neither")
RELIABILITY = "ABCDEF"
CREDIBILITY = "123456"
CHANNELS = ("telephone", "secure telephone", "video", "in person", "letter", "message", "unknown")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a body: what it may be, and what it is where nobody gave it."""

    check: Check
    default: Any = None
    required: bool = False


def _text(most: int, *, empty: bool = True) -> Check:
    def check(value: object) -> str | None:
        if not isinstance(value, str):
            return "is no text"
        if len(value) > most:
            return f"is longer than {most} characters"
        if _CONTROL.search(value):
            return "holds a control character"
        return None if empty or value.strip() else "is empty"

    return check


def _number(value: object) -> str | None:
    whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53
    return None if whole else f"{brief(value)} is no number from 0"


def _flag(value: object) -> str | None:
    return None if isinstance(value, bool) else "is neither true nor false"


def _one_of(words: tuple[str, ...] | Mapping[str, str] | str) -> Check:
    return lambda value: (
        None if isinstance(value, str) and value in tuple(words) else f"is none of {', '.join(words)}"
    )


def _like(pattern: re.Pattern[str], what: str) -> Check:
    return lambda value: (
        None if isinstance(value, str) and pattern.fullmatch(value) else f"{brief(value)} is no {what}"
    )


def _maybe(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def _date(value: object) -> str | None:
    if not isinstance(value, str):
        return "is no text"
    if not value:
        return None
    try:
        edtf.parse(value)
    except FormatError as error:
        return error.problem + (f". {error.cure}" if error.cure else "")
    return None


def _list_of(check: Check) -> Check:
    def all_of(value: object) -> str | None:
        if not isinstance(value, list) or len(value) > MOST_ITEMS:
            return f"is no list of at most {MOST_ITEMS}"
        return next((problem for item in value if (problem := check(item)) is not None), None)

    return all_of


def _participant(value: object) -> str | None:
    fields = {"side": _like(SIDE, "side"), "name": _text(SHORT, empty=False), "office": _text(SHORT)}
    fields["country"] = lambda v: None if v == "" else _like(_COUNTRY, "country of two letters")(v)
    if not isinstance(value, dict) or set(value) != set(fields):
        return f"a participant has {', '.join(sorted(fields))}"
    return next((f"{key} {problem}" for key in fields if (problem := fields[key](value[key]))), None)


def _place(value: object) -> str | None:
    """A point: its source and where it starts."""
    if not isinstance(value, list) or len(value) != 2:
        return "is no point: its source and its start"
    return next((problem for part in value if (problem := _number(part)) is not None), None)


_SHORT, _LONG, _NEEDED = Field(_text(SHORT), ""), Field(_text(LONG), ""), _text(LONG, empty=False)
_WHEN = Field(_date, "")
_SOURCE = Field(_maybe(_number))
_SIDE = Field(lambda value: None if value == "" else _like(SIDE, "side")(value), "")

FIELDS: Mapping[str, Mapping[str, Field]] = {
    "dossier": {
        "title": _SHORT,
        "participants": Field(_list_of(_participant), []),
        "start": _WHEN,
        "channel": Field(_one_of(CHANNELS), "telephone"),
        "call": Field(_maybe(_number)),
        "note": _LONG,
        "example": Field(_flag, default=False),
    },
    "duration": {
        "text": Field(_text(SHORT, empty=False), required=True),
        "low": Field(_maybe(_number)),
        "high": Field(_maybe(_number)),
        "who": _SHORT,
        "channel": _SHORT,
        "source": _SOURCE,
    },
    "record": {
        "class": Field(_one_of(RECORD_CLASSES), required=True),
        "state": Field(_one_of(RECORD_STATES), required=True),
        "side": _SIDE,
        "text": _LONG,
        "source": _SOURCE,
    },
    "source": {
        "sha256": Field(_like(_HASH, "SHA-256 in hex"), required=True),
        "bytes": Field(_number, required=True),
        "media_type": Field(_text(SHORT, empty=False), required=True),
        "name": _SHORT,
        "text": Field(_maybe(_like(_HASH, "SHA-256 in hex"))),
        "reader": _SHORT,
        "remarks": Field(_list_of(_text(SHORT)), []),
        "title": _SHORT,
        "address": Field(_text(2000), ""),
        "publisher": _SHORT,
        "author": _SHORT,
        "issued": _WHEN,
        "seen": _WHEN,
        "language": _SHORT,
        "translation_of": _SOURCE,
        "version_of": _SOURCE,
        "licence": _SHORT,
        "completeness": Field(_one_of(COMPLETENESS), "unknown"),
        "side": _SIDE,
        "readout": Field(_flag, default=False),
        "note": _LONG,
    },
    "point": {
        "source": Field(_number, required=True),
        "start": Field(_number, required=True),
        "end": Field(_number, required=True),
        "kind": Field(_one_of(POINT_KINDS), required=True),
        "topics": Field(_list_of(_text(SHORT, empty=False)), []),
        "raised_by": Field(_text(SHORT), ""),
        "why": _LONG,
    },
    "overrule": {
        "topic": Field(_text(SHORT, empty=False), required=True),
        "status": Field(_one_of(STATUSES), required=True),
        "why": Field(_NEEDED, required=True),
    },
    "link": {
        "first": Field(_place, required=True),
        "second": Field(_place, required=True),
        "linked": Field(_flag, default=True),
        "why": _LONG,
    },
    "claim": {
        "text": Field(_NEEDED, required=True),
        "about": _SHORT,
        "note": _LONG,
    },
    "appearance": {
        "claim": Field(_number, required=True),
        "who": Field(_text(SHORT, empty=False), required=True),
        "where": _SHORT,
        "when": _WHEN,
        "as_of": _WHEN,
        "stance": Field(_one_of(STANCES), required=True),
        "words": _LONG,
        "source": _SOURCE,
        "start": Field(_maybe(_number)),
        "end": Field(_maybe(_number)),
        "origin": Field(_flag, default=False),
        "conjecture": Field(_flag, default=False),
        "count": Field(_number, 1),
        "note": _LONG,
    },
    "derivation": {
        "from": Field(_number, required=True),
        "to": Field(_number, required=True),
        "kind": Field(_one_of(DERIVATIONS), required=True),
        "note": _LONG,
    },
    "overtaken": {
        "appearance": Field(_number, required=True),
        "when": _WHEN,
        "why": Field(_NEEDED, required=True),
        "source": _SOURCE,
    },
    "grade": {
        "appearance": Field(_number, required=True),
        "reliability": Field(_one_of(RELIABILITY), required=True),
        "credibility": Field(_one_of(CREDIBILITY), required=True),
        "why": Field(_NEEDED, required=True),
    },
    "decision": {
        "source": Field(_number, required=True),
        "start": Field(_number, required=True),
        "end": Field(_number, required=True),
        "accepted": Field(_flag, required=True),
        "appearance": Field(_maybe(_number)),
        "why": _LONG,
    },
    "withdrawal": {
        "entry": Field(_number, required=True),
        "why": Field(_NEEDED, required=True),
    },
}


def complete(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with what was not given at its default; raises FormatError for what is no body of `kind`."""
    fields = FIELDS[kind]
    what = f"{kind} entry"
    for key in body:
        if key not in fields:
            raise FormatError(what, "there is no such field", where=brief(key))
    full: dict[str, Any] = {}
    for key, field in fields.items():
        if key not in body:
            if field.required:
                raise FormatError(what, "is missing", where=key)
            full[key] = list(field.default) if isinstance(field.default, list) else field.default
            continue
        problem = field.check(body[key])
        if problem is not None:
            raise FormatError(what, problem, where=key)
        full[key] = body[key]
    return full
