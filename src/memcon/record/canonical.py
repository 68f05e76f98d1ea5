"""Canonical JSON: RFC 8785 restricted to what memcon needs (FORMATS, conventions).

Objects, arrays, strings, integers of magnitude under 2^53, true, false, null. A reader serialises
what it read and compares: two byte strings never mean the same thing.
"""

from __future__ import annotations

import json
import re
from typing import Any, TypeAlias

from memcon.errors import FormatError
from memcon.record.layout import brief

Json: TypeAlias = Any
LIMIT = 1 << 53
_MANY_DIGITS = re.compile('(?<![0-9A-Za-z"])[0-9]{16}')  # not the digest that a string begins with
MAX_DEPTH = 64  # deeper than anything we write; keeps a hostile document from the recursion limit


def _check(value: Json, depth: int, what: str) -> None:
    if depth > MAX_DEPTH:
        raise FormatError(what, f"nested deeper than {MAX_DEPTH}")
    if isinstance(value, str | bool) or value is None:
        return
    if isinstance(value, int):
        if not -LIMIT < value < LIMIT:
            raise FormatError(what, "an integer of magnitude 2^53 or more")
    elif isinstance(value, list | tuple):
        for item in value:
            _check(item, depth + 1, what)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise FormatError(what, f"a key that is no string: {brief(key)}")
            _check(item, depth + 1, what)
    else:
        raise FormatError(what, f"a value of type {type(value).__name__}")


def dumps(value: Json, what: str = "canonical JSON") -> bytes:
    """The canonical bytes of `value`. Raises FormatError for what canonical JSON cannot say."""
    _check(value, 0, what)
    return _encode(value, what)


def _encode(value: Json, what: str) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise FormatError(what, "an unpaired surrogate") from error


class _NumberError(Exception):
    """A number that canonical JSON does not have; `loads` says where it came from."""


def _no_float(text: str) -> None:
    raise _NumberError(f"a number that is no integer: {text[:32]}")


def _integer(text: str) -> int:
    if len(text) > 17:  # longer than any magnitude below 2^53 and its sign
        raise _NumberError("an integer of magnitude 2^53 or more")
    number = int(text)
    if not -LIMIT < number < LIMIT:
        raise _NumberError("an integer of magnitude 2^53 or more")
    return number


def _check_depth(value: Json, depth: int, what: str) -> None:
    """All that is left to check of what `json` read, for which a transcript of hours is too long for more."""
    if value and depth == MAX_DEPTH:
        raise FormatError(what, f"nested deeper than {MAX_DEPTH}")
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, list | dict):
            _check_depth(item, depth + 1, what)


def loads(data: bytes | memoryview, what: str = "canonical JSON") -> Json:
    """Read canonical JSON; raises FormatError, naming `what`, for any other bytes."""
    try:
        text = bytes(data).decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(what, "not UTF-8", where=error.start) from error
    # Without a run of so many digits no integer is too large, and `json` reads them much faster by itself.
    integer = _integer if _MANY_DIGITS.search(text) else None
    try:
        value = json.loads(text, parse_float=_no_float, parse_constant=_no_float, parse_int=integer)
    except json.JSONDecodeError as error:
        raise FormatError(what, error.msg, where=len(text[: error.pos].encode("utf-8"))) from error
    except _NumberError as error:
        raise FormatError(what, str(error)) from error
    except RecursionError as error:
        raise FormatError(what, f"nested deeper than {MAX_DEPTH}") from error
    if isinstance(value, list | dict):
        _check_depth(value, 0, what)
    if _encode(value, what) != data:
        raise FormatError(what, "valid JSON, but not in canonical form")
    return value


def load_object(data: bytes | memoryview, what: str, keys: dict[str, type]) -> dict[str, Any]:
    """Read a canonical object that has exactly `keys`, each of its type."""
    value = loads(data, what)
    if not isinstance(value, dict):
        raise FormatError(what, "not an object")
    if set(value) != set(keys):
        raise FormatError(what, f"has keys {brief(sorted(value))}, expected {sorted(keys)}")
    for key, kind in keys.items():
        if not isinstance(value[key], kind) or (kind is int and isinstance(value[key], bool)):
            raise FormatError(what, f"{key} is not of type {kind.__name__}", where=key)
    return value
