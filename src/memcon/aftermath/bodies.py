"""What the body of an entry about what followed must hold (FORMATS §18), checked when written and when read.

event        what happened, or an official act: when (EDTF), where, of which kind. Carries no figure
account      who says what of an event, with what figures; several stand side by side
reading      who calls an act or an event what
hypothesis   what is to be tested: sealed before the events are seen, it shows that it was there first
study        a coincidence study that was carried out
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from memcon.errors import FormatError
from memcon.record import body as b
from memcon.record.body import LONG, SHORT, Field

if TYPE_CHECKING:
    from collections.abc import Mapping

NATURES = ("event", "act", "statement")
FIGURES = ("killed_low", "killed_best", "killed_high", "wounded_low", "wounded_best", "wounded_high")
_CAMEO = re.compile(r"[0-9]{2,4}")
_DEGREES = re.compile(r"-?[0-9]{1,3}(\.[0-9]{1,7})?")


_said = b.text(5000, empty=False)


def _answer(value: object) -> str | None:
    """The words of a study: a sentence, two lists, how we know."""
    if not isinstance(value, dict) or set(value) != {"sentence", "seen", "not_concluded", "how"}:
        return "is no answer: sentence, seen, not_concluded, how"
    lists = [value["seen"], value["not_concluded"]]
    if not all(isinstance(one, list) and all(isinstance(text, str) for text in one) for one in lists):
        return "seen and not_concluded are no lists of texts"
    return _said(value["sentence"]) or b.text(LONG)(value["how"])


_SHORT, _LONG = Field(b.text(SHORT), ""), Field(b.text(LONG), "")
_NUMBER, _EVENT = Field(b.maybe(b.number)), Field(b.number, required=True)
_NEEDED = Field(_said, required=True)
_WHEN = Field(b.date(), "")
_ORIGIN: dict[str, Field] = {
    # where the words are: a source of this dossier and a span of its text; who said it first, apart from
    # the article that it was read in
    "source": _NUMBER,
    "start": _NUMBER,
    "end": _NUMBER,
    "original": _SHORT,
    "article": Field(b.text(2000), ""),
    "note": _LONG,
}
FIELDS: Mapping[str, Mapping[str, Field]] = {
    "event": {
        "title": _NEEDED,
        "when": Field(b.date(empty=False), required=True),
        "nature": Field(b.one_of(NATURES), "event"),
        "place": _SHORT,
        "latitude": Field(b.like(_DEGREES, "coordinate", empty=True), ""),
        "longitude": Field(b.like(_DEGREES, "coordinate", empty=True), ""),
        "cameo": Field(b.like(_CAMEO, "CAMEO code", empty=True), ""),
        "what": _SHORT,
        "set": _SHORT,
        "row": _NUMBER,
        "note": _LONG,
    },
    "account": {
        "event": _EVENT,
        "who": _NEEDED,
        "says": _LONG,
        "when": _WHEN,
        **dict.fromkeys(FIGURES, _NUMBER),
        **_ORIGIN,
    },
    "reading": {
        "event": _EVENT,
        "who": _NEEDED,
        "calls_it": _NEEDED,
        "when": _WHEN,
        **_ORIGIN,
    },
    "hypothesis": {
        "text": _NEEDED,
        "events": _LONG,
        "calls": _LONG,
        "windows": _SHORT,
        "chosen": Field(b.one_of(("before", "after", "unknown")), "unknown"),
        "note": _LONG,
    },
    "study": {
        "answer": Field(_answer, required=True),
        "facts": Field(b.mapping, required=True),
        "picture": Field(b.maybe(b.mapping)),
        "note": _LONG,
    },
}


def complete(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with its defaults; raises FormatError for a field that is unknown, missing or wrong."""
    full = b.complete(kind, FIELDS[kind], body)
    what = f"{kind} entry"
    _figures_in_order(full, what)
    _span(full, what)
    return full


def _figures_in_order(body: Mapping[str, Any], what: str) -> None:
    for of in ("killed", "wounded"):
        known = [body.get(f"{of}_{which}") for which in ("low", "best", "high")]
        given = [n for n in known if n is not None]
        if given != sorted(given):
            raise FormatError(what, "low, best and high are not in order", where=of)


def _span(body: Mapping[str, Any], what: str) -> None:
    start, end = body.get("start"), body.get("end")
    if start is None and end is None:
        return
    if start is None or end is None or end <= start or body.get("source") is None:
        raise FormatError(what, "is no span of a source's text", where="start")
