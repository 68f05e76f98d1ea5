"""What the body of a dossier's entry may hold (FORMATS §18): fields by name, each with its check and default.

The kinds themselves belong to the rooms that write and read them; what a text, a number or a date is, and
that a body has the fields of its kind and no others, is said once, here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from memcon.errors import FormatError
from memcon.record import edtf
from memcon.record.layout import brief

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

Check: TypeAlias = "Callable[[object], str | None]"
"""What is wrong with a value, in words, or None."""

SHORT = 500
LONG = 20_000
MOST_ITEMS = 200
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a body: what it may be, and what it is where nobody gave it."""

    check: Check
    default: Any = None
    required: bool = False


def text(most: int, *, empty: bool = True) -> Check:
    """A text of at most so many characters, without control characters but tab and line ends."""

    def check(value: object) -> str | None:
        if not isinstance(value, str):
            return "is no text"
        if len(value) > most:
            return f"is longer than {most:,} characters"
        if _CONTROL.search(value):
            return "holds a control character"
        return None if empty or value.strip() else "is empty"

    return check


def number(value: object) -> str | None:
    """A whole number from 0, under 2^53."""
    whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53
    return None if whole else f"{brief(value)} is no number from 0"


def flag(value: object) -> str | None:
    """True or false."""
    return None if isinstance(value, bool) else "is neither true nor false"


def mapping(value: object) -> str | None:
    """An object of whatever fields."""
    return None if isinstance(value, dict) else "is no object"


def one_of(words: Collection[str]) -> Check:
    """One of these words; of a text, one of its letters."""
    allowed = tuple(words)
    return lambda value: None if value in allowed else f"{brief(value)} is none of {', '.join(allowed)}"


def like(pattern: re.Pattern[str], what: str, *, empty: bool = False) -> Check:
    """A text that is `what`, as a whole; with `empty`, or nothing."""

    def check(value: object) -> str | None:
        fits = isinstance(value, str) and (pattern.fullmatch(value) or (empty and not value))
        return None if fits else f"{brief(value)} is no {what}"

    return check


def maybe(check: Check) -> Check:
    """That, or null."""
    return lambda value: None if value is None else check(value)


def date(*, empty: bool = True) -> Check:
    """An EDTF date; with `empty`, or nothing."""

    def check(value: object) -> str | None:
        if not isinstance(value, str):
            return "is no text"
        if not value:
            return None if empty else "is empty"
        try:
            edtf.parse(value)
        except FormatError as error:
            return f"is no EDTF date: {error.problem}" + (f". {error.cure}" if error.cure else "")
        return None

    return check


def list_of(check: Check) -> Check:
    """A list of such values, at most `MOST_ITEMS`."""

    def all_of(value: object) -> str | None:
        if not isinstance(value, list) or len(value) > MOST_ITEMS:
            return f"is no list of at most {MOST_ITEMS}"
        return next((problem for item in value if (problem := check(item)) is not None), None)

    return all_of


def complete(kind: str, fields: Mapping[str, Field], body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with what was not given at its default; raises FormatError for what is no body of `kind`."""
    what = f"{kind} entry"
    for key in body:
        if key not in fields:
            cure = f"Fields: {', '.join(fields)}"
            raise FormatError(what, "there is no such field", where=brief(key), cure=cure)
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
