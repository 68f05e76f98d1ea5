"""The number a call is cited by: `2026-11-19/0007`, the UTC day of its start and its dense number.

A call that was taken in from a file is `T061`; inside the house its number is -61.
"""

from __future__ import annotations

import re

from memcon.clock import utc

_TAKEN = re.compile(r"[Tt]0*([1-9][0-9]{0,14})", re.ASCII)
_DISPLAY = re.compile(r"(?:([0-9]{4}-[0-9]{2}-[0-9]{2})/)?0*([0-9]{1,18})", re.ASCII)


def display_number(number: int, start_wall: int) -> str:
    """`YYYY-MM-DD/NNNN`, at least four digits; the number alone is unique in a log. `T061` for -61."""
    if number < 0:
        return f"T{-number:03d}"
    return f"{utc(start_wall)[:10]}/{number:04d}"


def parse_display(text: str) -> tuple[str | None, int] | None:
    """(day or None, call number) of a display number or a bare number; None for any other text."""
    taken = _TAKEN.fullmatch(text.strip())
    if taken is not None:
        return None, -int(taken[1])
    match = _DISPLAY.fullmatch(text.strip())
    if match is None or int(match[2]) == 0:
        return None
    return match[1], int(match[2])
