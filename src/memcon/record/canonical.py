"""Canonical JSON: RFC 8785 restricted to what memcon needs (FORMATS, conventions).

Objects, arrays, strings, integers of magnitude under 2^53, true, false, null. A reader serialises
what it read and compares: two byte strings never mean the same thing.
"""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from memcon.errors import FormatError

Json: TypeAlias = Any
LIMIT = 1 << 53
MAX_DEPTH = 64  # deeper than anything we write; keeps a hostile document from the recursion limit


def _check(value: Json, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise FormatError("canonical JSON", f"nested deeper than {MAX_DEPTH}")
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, int):
        if not -LIMIT < value < LIMIT:
            raise FormatError("canonical JSON", "an integer of magnitude 2^53 or more")
    elif isinstance(value, str):
        if any("\ud800" <= c <= "\udfff" for c in value):
            raise FormatError("canonical JSON", "an unpaired surrogate")
    elif isinstance(value, list | tuple):
        for item in value:
            _check(item, depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise FormatError("canonical JSON", f"a key that is no string: {key!r}")
            _check(key, depth + 1)
            _check(item, depth + 1)
    else:
        raise FormatError("canonical JSON", f"a value of type {type(value).__name__}")


def dumps(value: Json) -> bytes:
    """The canonical bytes of `value`. Raises FormatError for what canonical JSON cannot say."""
    _check(value, 0)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def _no_float(text: str) -> None:
    raise FormatError("canonical JSON", f"a number that is no integer: {text[:32]}")


def _integer(text: str) -> int:
    if len(text) > 17:  # longer than any magnitude below 2^53 and its sign
        raise FormatError("canonical JSON", "an integer of magnitude 2^53 or more")
    return int(text)


def loads(data: bytes, what: str = "canonical JSON") -> Json:
    """Read canonical JSON; raises FormatError, naming `what`, for any other bytes."""
    try:
        value = json.loads(
            data.decode("utf-8"), parse_float=_no_float, parse_constant=_no_float, parse_int=_integer
        )
    except UnicodeDecodeError as error:
        raise FormatError(what, "not UTF-8", where=error.start) from error
    except json.JSONDecodeError as error:
        raise FormatError(what, error.msg, where=error.pos) from error
    except RecursionError as error:
        raise FormatError(what, f"nested deeper than {MAX_DEPTH}") from error
    if dumps(value) != data:
        raise FormatError(what, "valid JSON, but not in canonical form")
    return value


def load_object(data: bytes, what: str, keys: dict[str, type]) -> dict[str, Any]:
    """Read a canonical object that has exactly `keys`, each of its type."""
    value = loads(data, what)
    if not isinstance(value, dict):
        raise FormatError(what, "not an object")
    if set(value) != set(keys):
        raise FormatError(what, f"has keys {sorted(value)}, expected {sorted(keys)}")
    for key, kind in keys.items():
        if not isinstance(value[key], kind) or (kind is int and isinstance(value[key], bool)):
            raise FormatError(what, f"{key} is not of type {kind.__name__}", where=key)
    return value
