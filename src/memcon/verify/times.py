"""Times as people give them, in any zone, and as a report gives them back."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from memcon.clock import SystemClock
from memcon.errors import UsageError

_SECONDS = re.compile(r"@([0-9]{1,12})(?:\.([0-9]{1,3}))?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AGO = re.compile(r"([0-9]{1,7}) ?(s|min|h|d) ago")
_CLOCK = re.compile(r"[0-2][0-9]:[0-5][0-9](:[0-5][0-9])?")
_AGO_MS = {"s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
FORMS = (
    "Write 2026-11-24T09:00:00Z, 2026-11-24T10:00+01:00, 09:00 (of today), a date, today, yesterday, "
    "now, 90 min ago, or @ and POSIX seconds"
)


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


def parse(text: str, assumed: tzinfo = UTC, now: int | None = None) -> int:
    """A time in ms since 1970; one without an offset is read in the zone `assumed`.

    `now`, in ms too, is what `now`, `90 min ago`, `today` and an hour without a date are of; by default this
    machine's clock. Raises UsageError for what is no time, and for a local time that there was twice or not
    at all.
    """
    now = SystemClock().wall_ns() // 1_000_000 if now is None else now
    ago = _AGO.fullmatch(text)
    if ago is not None and int(ago[1]) * _AGO_MS[ago[2]] <= now:
        return now - int(ago[1]) * _AGO_MS[ago[2]]
    if text == "now":
        return now
    seconds = _SECONDS.fullmatch(text)
    if seconds is not None:
        return int(seconds[1]) * 1000 + int((seconds[2] or "0").ljust(3, "0"))
    try:
        when = datetime.fromisoformat(
            _dated(text, (_EPOCH + timedelta(milliseconds=now)).astimezone(assumed))
        )
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


def _dated(text: str, today: datetime) -> str:
    """The date of `today`, `yesterday` and of an hour that has none; every other text as it is."""
    if text == "yesterday":
        return (today.date() - timedelta(days=1)).isoformat()
    if text == "today":
        return today.date().isoformat()
    return f"{today.date().isoformat()}T{text}" if _CLOCK.fullmatch(text) else text


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
