"""What the body of an entry about what followed must hold (FORMATS §18), checked when written and when read.

event        what happened, or an official act: when (EDTF), where, of which kind. Carries no figure
account      who says what of an event, with what figures; several stand side by side
reading      who calls an act or an event what
hypothesis   what is to be tested: sealed before the events are seen, it shows that it was there first
study        a coincidence study that was carried out
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

from memcon.errors import FormatError
from memcon.record import edtf
from memcon.record.layout import brief

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

Check: TypeAlias = "Callable[[object], str | None]"
NATURES = ("event", "act", "statement")
FIGURES = ("killed_low", "killed_best", "killed_high", "wounded_low", "wounded_best", "wounded_high")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_CAMEO = re.compile(r"[0-9]{2,4}")
_DEGREES = re.compile(r"-?[0-9]{1,3}(\.[0-9]{1,7})?")
_REQUIRED = object()


def _text(most: int) -> Check:
    def check(value: object) -> str | None:
        if not isinstance(value, str):
            return "is no text"
        if len(value) > most:
            return f"is longer than {most:,} characters"
        return "holds a control character" if _CONTROL.search(value) else None

    return check


def _said(value: object) -> str | None:
    return _text(5000)(value) or (None if str(value).strip() else "is empty")


def _date(value: object) -> str | None:
    if not isinstance(value, str):
        return "is no text"
    if not value:
        return None
    try:
        edtf.parse(value)
    except FormatError as error:
        return f"is no EDTF date: {error.problem}"
    return None


def _dated(value: object) -> str | None:
    return _date(value) or (None if value else "is empty")


def _number(value: object) -> str | None:
    whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53
    return None if whole else f"{brief(value)} is no number from 0"


def _maybe(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def _one_of(words: Collection[str]) -> Check:
    return lambda v: None if v in words else f"{brief(v)} is none of {', '.join(words)}"


def _like(pattern: re.Pattern[str], what: str) -> Check:
    def check(value: object) -> str | None:
        fits = isinstance(value, str) and (not value or pattern.fullmatch(value))
        return None if fits else f"{brief(value)} is no {what}"

    return check


def _object(value: object) -> str | None:
    return None if isinstance(value, dict) else "is no object"


def _answer(value: object) -> str | None:
    """The words of a study: a sentence, two lists, how we know."""
    if not isinstance(value, dict) or set(value) != {"sentence", "seen", "not_concluded", "how"}:
        return "is no answer: sentence, seen, not_concluded, how"
    lists = [value["seen"], value["not_concluded"]]
    if not all(isinstance(one, list) and all(isinstance(text, str) for text in one) for one in lists):
        return "seen and not_concluded are no lists of texts"
    return _said(value["sentence"]) or _text(20_000)(value["how"])


_SHORT, _LONG = _text(500), _text(20_000)
_ORIGIN: dict[str, tuple[Check, Any]] = {
    # where the words are: a source of this dossier and a span of its text; who said it first, apart from
    # the article that it was read in
    "source": (_maybe(_number), None),
    "start": (_maybe(_number), None),
    "end": (_maybe(_number), None),
    "original": (_SHORT, ""),
    "article": (_text(2000), ""),
    "note": (_LONG, ""),
}
FIELDS: Mapping[str, Mapping[str, tuple[Check, Any]]] = {
    "event": {
        "title": (_said, _REQUIRED),
        "when": (_dated, _REQUIRED),
        "nature": (_one_of(NATURES), "event"),
        "place": (_SHORT, ""),
        "latitude": (_like(_DEGREES, "coordinate"), ""),
        "longitude": (_like(_DEGREES, "coordinate"), ""),
        "cameo": (_like(_CAMEO, "CAMEO code"), ""),
        "what": (_SHORT, ""),
        "set": (_SHORT, ""),
        "row": (_maybe(_number), None),
        "note": (_LONG, ""),
    },
    "account": {
        "event": (_number, _REQUIRED),
        "who": (_said, _REQUIRED),
        "says": (_LONG, ""),
        "when": (_date, ""),
        **dict.fromkeys(FIGURES, (_maybe(_number), None)),
        **_ORIGIN,
    },
    "reading": {
        "event": (_number, _REQUIRED),
        "who": (_said, _REQUIRED),
        "calls_it": (_said, _REQUIRED),
        "when": (_date, ""),
        **_ORIGIN,
    },
    "hypothesis": {
        "text": (_said, _REQUIRED),
        "events": (_LONG, ""),
        "calls": (_LONG, ""),
        "windows": (_SHORT, ""),
        "chosen": (_one_of(("before", "after", "unknown")), "unknown"),
        "note": (_LONG, ""),
    },
    "study": {
        "answer": (_answer, _REQUIRED),
        "facts": (_object, _REQUIRED),
        "picture": (_maybe(_object), None),
        "note": (_LONG, ""),
    },
}


def complete(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with its defaults; raises FormatError for a field that is unknown, missing or wrong."""
    fields = FIELDS[kind]
    what = f"entry of kind {kind}"
    unknown = sorted(set(body) - set(fields))
    if unknown:
        raise FormatError(
            what, "there is no such field", where=unknown[0], cure=f"Fields: {', '.join(fields)}"
        )
    full = {}
    for name, (check, default) in fields.items():
        value = body.get(name, default)
        if value is _REQUIRED:
            raise FormatError(what, "is missing", where=name)
        problem = check(value)
        if problem:
            raise FormatError(what, problem, where=name)
        full[name] = value
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
