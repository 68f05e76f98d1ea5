"""The number a call is cited by: `2026-11-19/0007`, the UTC day of its start and its dense number.

A call that was taken in from a file is `T061`; inside the house its number is -61. A call that is known
only from accounts is cited as its dossier, `2017-01-28/1`; its number is made from that, below `ACCOUNTS`.
"""

from __future__ import annotations

import re

from memcon.clock import utc

_TAKEN = re.compile(r"[Tt]0*([1-9][0-9]{0,14})", re.ASCII)
_DOSSIER = re.compile(r"(?:([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?|undated)/([1-9][0-9]{0,5})", re.ASCII)
ACCOUNTS = -(10**15)
"""Numbers of calls known only from accounts are below this, those of calls taken in above it."""
_DISPLAY = re.compile(r"(?:([0-9]{4}-[0-9]{2}-[0-9]{2})/)?0*([0-9]{1,18})", re.ASCII)


UNDATED = -(2**63) + 1
"""Where a call stands of which nobody knows when it was: below all others."""


def in_column(wall_ns: int) -> int:
    """A time as a column can hold it: years before 1678 and after 2261 as the nearest that fits."""
    return min(max(wall_ns, UNDATED + 1), 2**63 - 1)


def display_number(number: int, start_wall: int) -> str:
    """`YYYY-MM-DD/NNNN`, at least four digits; the number alone is unique in a log. `T061` for -61, and a
    dossier's id for the number made of it."""
    if number < ACCOUNTS:
        return dossier_of(number)
    if number < 0:
        return f"T{-number:03d}"
    return f"{utc(start_wall)[:10]}/{number:04d}"


def number_of(dossier: str) -> int | None:
    """The number under which a dossier stands in the register, from its id; None for any other text."""
    match = _DOSSIER.fullmatch(dossier.strip())
    if match is None:
        return None
    year, month, day, n = (int(part or 0) for part in match.groups())
    return ACCOUNTS - (((year * 100 + month) * 100 + day) * 10**6 + n)


def dossier_of(number: int) -> str:
    """The id of the dossier behind a number of `number_of`."""
    date, n = divmod(ACCOUNTS - number, 10**6)
    year, month, day = date // 10_000, date // 100 % 100, date % 100
    parts = [f"{year:04d}", *(f"{part:02d}" for part in (month, day) if part)]
    return f"{'-'.join(parts) if date else 'undated'}/{n}"


def parse_display(text: str) -> tuple[str | None, int] | None:
    """(day or None, call number) of a display number or a bare number; None for any other text."""
    taken = _TAKEN.fullmatch(text.strip())
    if taken is not None:
        return None, -int(taken[1])
    match = _DISPLAY.fullmatch(text.strip())
    if match is None or int(match[2]) == 0:
        return None
    return match[1], int(match[2])
