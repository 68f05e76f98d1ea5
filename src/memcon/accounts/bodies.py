"""What the body of each kind of dossier entry must hold (FORMATS §18), checked when written and when read.

A body has the fields of its kind and no others. Kinds that are not listed here belong to other rooms
(events, what followed): they are kept and passed over.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from memcon.record import body as b
from memcon.record.body import LONG, SHORT, Field

if TYPE_CHECKING:
    from collections.abc import Mapping

SIDE = re.compile(r"[A-Z]")
_HASH = re.compile(r"[0-9a-f]{64}")
_COUNTRY = re.compile(r"[A-Z]{2}")

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


def _participant(value: object) -> str | None:
    fields = {"side": b.like(SIDE, "side"), "name": b.text(SHORT, empty=False), "office": b.text(SHORT)}
    fields["country"] = lambda v: None if v == "" else b.like(_COUNTRY, "country of two letters")(v)
    if not isinstance(value, dict) or set(value) != set(fields):
        return f"a participant has {', '.join(sorted(fields))}"
    return next((f"{key} {problem}" for key in fields if (problem := fields[key](value[key]))), None)


def _place(value: object) -> str | None:
    """A point: its source and where it starts."""
    if not isinstance(value, list) or len(value) != 2:
        return "is no point: its source and its start"
    return next((problem for part in value if (problem := b.number(part)) is not None), None)


_SHORT, _LONG, _NEEDED = Field(b.text(SHORT), ""), Field(b.text(LONG), ""), b.text(LONG, empty=False)
_WHEN = Field(b.date(), "")
_SOURCE = Field(b.maybe(b.number))
_SIDE = Field(lambda value: None if value == "" else b.like(SIDE, "side")(value), "")

FIELDS: Mapping[str, Mapping[str, Field]] = {
    "dossier": {
        "title": _SHORT,
        "participants": Field(b.list_of(_participant), []),
        "start": _WHEN,
        "channel": Field(b.one_of(CHANNELS), "telephone"),
        "call": Field(b.maybe(b.number)),
        "note": _LONG,
        "example": Field(b.flag, default=False),
    },
    "duration": {
        "text": Field(b.text(SHORT, empty=False), required=True),
        "low": Field(b.maybe(b.number)),
        "high": Field(b.maybe(b.number)),
        "who": _SHORT,
        "channel": _SHORT,
        "source": _SOURCE,
    },
    "record": {
        "class": Field(b.one_of(RECORD_CLASSES), required=True),
        "state": Field(b.one_of(RECORD_STATES), required=True),
        "side": _SIDE,
        "text": _LONG,
        "source": _SOURCE,
    },
    "source": {
        "sha256": Field(b.like(_HASH, "SHA-256 in hex"), required=True),
        "bytes": Field(b.number, required=True),
        "media_type": Field(b.text(SHORT, empty=False), required=True),
        "name": _SHORT,
        "text": Field(b.maybe(b.like(_HASH, "SHA-256 in hex"))),
        "reader": _SHORT,
        "remarks": Field(b.list_of(b.text(SHORT)), []),
        "title": _SHORT,
        "address": Field(b.text(2000), ""),
        "publisher": _SHORT,
        "author": _SHORT,
        "issued": _WHEN,
        "seen": _WHEN,
        "language": _SHORT,
        "translation_of": _SOURCE,
        "version_of": _SOURCE,
        "licence": _SHORT,
        "completeness": Field(b.one_of(COMPLETENESS), "unknown"),
        "side": _SIDE,
        "readout": Field(b.flag, default=False),
        "note": _LONG,
    },
    "point": {
        "source": Field(b.number, required=True),
        "start": Field(b.number, required=True),
        "end": Field(b.number, required=True),
        "kind": Field(b.one_of(POINT_KINDS), required=True),
        "topics": Field(b.list_of(b.text(SHORT, empty=False)), []),
        "raised_by": Field(b.text(SHORT), ""),
        "why": _LONG,
    },
    "overrule": {
        "topic": Field(b.text(SHORT, empty=False), required=True),
        "status": Field(b.one_of(STATUSES), required=True),
        "why": Field(_NEEDED, required=True),
    },
    "link": {
        "first": Field(_place, required=True),
        "second": Field(_place, required=True),
        "linked": Field(b.flag, default=True),
        "why": _LONG,
    },
    "claim": {
        "text": Field(_NEEDED, required=True),
        "about": _SHORT,
        "note": _LONG,
    },
    "appearance": {
        "claim": Field(b.number, required=True),
        "who": Field(b.text(SHORT, empty=False), required=True),
        "where": _SHORT,
        "when": _WHEN,
        "as_of": _WHEN,
        "stance": Field(b.one_of(STANCES), required=True),
        "words": _LONG,
        "source": _SOURCE,
        "start": Field(b.maybe(b.number)),
        "end": Field(b.maybe(b.number)),
        "origin": Field(b.flag, default=False),
        "conjecture": Field(b.flag, default=False),
        "count": Field(b.number, 1),
        "note": _LONG,
    },
    "derivation": {
        "from": Field(b.number, required=True),
        "to": Field(b.number, required=True),
        "kind": Field(b.one_of(DERIVATIONS), required=True),
        "note": _LONG,
    },
    "overtaken": {
        "appearance": Field(b.number, required=True),
        "when": _WHEN,
        "why": Field(_NEEDED, required=True),
        "source": _SOURCE,
    },
    "grade": {
        "appearance": Field(b.number, required=True),
        "reliability": Field(b.one_of(RELIABILITY), required=True),
        "credibility": Field(b.one_of(CREDIBILITY), required=True),
        "why": Field(_NEEDED, required=True),
    },
    "decision": {
        "source": Field(b.number, required=True),
        "start": Field(b.number, required=True),
        "end": Field(b.number, required=True),
        "accepted": Field(b.flag, required=True),
        "appearance": Field(b.maybe(b.number)),
        "why": _LONG,
    },
    "withdrawal": {
        "entry": Field(b.number, required=True),
        "why": Field(_NEEDED, required=True),
    },
}


def complete(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with what was not given at its default; raises FormatError for what is no body of `kind`."""
    return b.complete(kind, FIELDS[kind], body)
