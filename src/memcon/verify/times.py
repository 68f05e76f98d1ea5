"""Times as people give them, in any zone, and as a report gives them back."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from memcon.errors import UsageError

_SECONDS = re.compile(r"@([0-9]{1,12})(?:\.([0-9]{1,3}))?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FORMS = "Write 2026-11-24T09:00:00Z, 2026-11-24T10:00+01:00, a date, or @ and POSIX seconds"


def zone(name: str) -> tzinfo:
    """A time zone by its IANA name; raises UsageError."""
    if name.upper() in ("UTC", "Z"):
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # unknown, or no name at all, or a directory
        raise UsageError(
            f"there is no time zone {name!r} here", cure="Write UTC, or Europe/Vienna"
        ) from error


def parse(text: str, assumed: tzinfo = UTC) -> int:
    """A time in ms since 1970; one without an offset is read in the zone `assumed`.

    Raises UsageError for what is no time, and for a local time that there was twice or not at all.
    """
    seconds = _SECONDS.fullmatch(text)
    if seconds is not None:
        return int(seconds[1]) * 1000 + int((seconds[2] or "0").ljust(3, "0"))
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is no time", cure=FORMS) from None
    if when.tzinfo is None:
        when = when.replace(tzinfo=assumed)
        again = when.replace(fold=1)
        if again.utcoffset() != when.utcoffset():
            raise UsageError(
                f"{text} was twice or never in {assumed}, when the clocks changed",
                cure="Give it with its offset, as 2026-10-25T02:30+01:00",
            )
    since = when - _EPOCH
    if since < timedelta(0):
        raise UsageError(f"{text!r} is before 1970", cure=FORMS)
    return since // timedelta(milliseconds=1)


def show(ms: int, where: tzinfo = UTC) -> str:
    """ISO 8601 with the offset, to the second, or to the ms where there are any."""
    try:
        when = (_EPOCH + timedelta(milliseconds=ms)).astimezone(where)
    except OverflowError:
        return f"{ms} ms after 1970"
    text = when.isoformat(timespec="milliseconds" if ms % 1000 else "seconds")
    return text.replace("+00:00", "Z") if where is UTC else text


def length(ms: int) -> str:
    """A length of time in its two largest units: `40 s`, `2 min 5 s`, `3 d 4 h`."""
    units = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"))
    parts = []
    for size, unit in units:
        whole, ms = divmod(ms, size)
        if whole:
            parts.append(f"{whole} {unit}")
    if ms and not parts:
        return f"{ms} ms"
    return " ".join(parts[:2]) or "0 s"
