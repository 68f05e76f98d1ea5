"""Dates that are not known to the second: Extended Date/Time Format, levels 0 and 1 (ISO 8601-2).

    date        YYYY | YYYY-MM | YYYY-MM-DD        level 0
    time        YYYY-MM-DDThh:mm:ss[Z|+hh:mm]      level 0
    interval    date/date                          level 0
    season      YYYY-21 .. YYYY-24                 level 1: spring, summer, autumn, winter
    unspecified YYYX YYXX YYYY-XX YYYY-XX-XX YYYY-MM-XX
    qualified   date ? uncertain, ~ approximate, % both
    open        date/.. ../date, unknown: date/ /date

Beyond the standard, as sources write them: hh:mm without seconds. Years 1 to 9999. A time without a zone
is taken as UTC and says so by `zoned` False. A season is of the northern half of the earth.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from memcon.errors import FormatError
from memcon.record.layout import brief

WHAT = "EDTF date"
_CURE = "Write 2017-01-28, 2017-01, 2017, 2017-01-28T17:00Z, 2017-01-28~, 2017-01-XX or 2017-01-28/2017-01-29"
_DATE = re.compile(r"(\d{4}|\d{3}X|\d{2}XX)(?:-(\d{2}|XX))?(?:-(\d{2}|XX))?([?~%]?)", re.A)
_TIME = re.compile(r"(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2})(?::(\d{2}))?(Z|[+-]\d{2}:\d{2})?([?~%]?)", re.A)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NS = 1_000_000_000
_DAY_NS = 86_400 * _NS
_SEASONS = {21: 3, 22: 6, 23: 9, 24: 12}  # the month each begins with
OPEN = ".."


@dataclass(frozen=True, slots=True)
class Edtf:
    """A date: somewhere in [start, end), ns since 1970; None where it is open or unknown on that side.

    `precision`: second, minute, day, month, season, year, decade, century or interval.
    """

    text: str
    start: int | None
    end: int | None
    precision: str
    uncertain: bool = False
    approximate: bool = False
    zoned: bool = True

    @property
    def exact(self) -> bool:
        """Known to the day or better, and without doubt."""
        return self.precision in ("second", "minute", "day") and not (self.uncertain or self.approximate)

    @property
    def sort_key(self) -> int:
        """Where it stands in a list by time: its beginning, else its end."""
        return self.start if self.start is not None else self.end if self.end is not None else 0


def parse(text: str) -> Edtf:
    """Read an EDTF date; raises FormatError for what is none, or can be no day."""
    if len(text) > 100:
        raise _wrong(text, "is too long")
    if "/" in text:
        return _interval(text)
    return _time(text) if "T" in text else _date(text)


def _wrong(text: str, problem: str) -> FormatError:
    return FormatError(WHAT, f"{brief(text)} {problem}", cure=_CURE)


def _ns(moment: datetime) -> int:
    passed = moment - _EPOCH
    return passed.days * _DAY_NS + passed.seconds * _NS


def _start(text: str, year: int, month: int = 1, day: int = 1) -> int:
    """The first ns of a day, month or year; the year 10000 is where 9999 ends."""
    try:
        if year == 10_000:
            return _ns(datetime(9999, 12, 31, tzinfo=UTC)) + _DAY_NS
        return _ns(datetime(year, month, day, tzinfo=UTC))
    except ValueError as error:
        raise _wrong(text, "is no day there can be") from error


def _interval(text: str) -> Edtf:
    first, _, last = text.partition("/")
    if "/" in last:
        raise _wrong(text, "has more than one /")
    begin = _end_of_interval(first, text)
    end = _end_of_interval(last, text)
    if begin is None and end is None:
        raise _wrong(text, "names no date")
    start = None if begin is None else begin.start
    stop = None if end is None else end.end
    if start is not None and stop is not None and stop <= start:
        raise _wrong(text, "ends before it begins")
    known = [one for one in (begin, end) if one is not None]
    return Edtf(
        text,
        start,
        stop,
        "interval",
        any(one.uncertain for one in known),
        any(one.approximate for one in known),
        all(one.zoned for one in known),
    )


def _end_of_interval(part: str, text: str) -> Edtf | None:
    if part in ("", OPEN):
        return None
    try:
        return _time(part) if "T" in part else _date(part)
    except FormatError as error:
        raise _wrong(text, "is no interval of dates") from error


def _time(text: str) -> Edtf:
    match = _TIME.fullmatch(text)
    if match is None:
        raise _wrong(text, "is no date and time")
    year, month, day, hour, minute = (int(part) for part in match.groups()[:5])
    second = int(match[6] or 0)
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC) - _offset(match[7])
    except (ValueError, OverflowError) as error:
        raise _wrong(text, "is no time there can be") from error
    start = _ns(moment)
    precision = "minute" if match[6] is None else "second"
    length = 60 * _NS if match[6] is None else _NS
    mark = match[8]
    return Edtf(
        text, start, start + length, precision, mark in ("?", "%"), mark in ("~", "%"), match[7] is not None
    )


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone == "Z":
        return timedelta()
    hours, minutes = int(zone[1:3]), int(zone[4:])
    if hours > 14 or minutes > 59:
        raise ValueError(zone)
    size = timedelta(hours=hours, minutes=minutes)
    return size if zone[0] == "+" else -size


def _date(text: str) -> Edtf:
    match = _DATE.fullmatch(text)
    if match is None or ("X" in match[1] and match[2] not in (None, "XX")):
        raise _wrong(text, "is no date")
    start, end, precision = _span(text, *match.groups()[:3])
    mark = match[4]
    return Edtf(text, start, end, precision, mark in ("?", "%"), mark in ("~", "%"))


def _span(text: str, year: str, month: str | None, day: str | None) -> tuple[int, int, str]:
    if "X" in year:
        width = 10 ** year.count("X")
        first = int(year.replace("X", "0"))
        name = "decade" if width == 10 else "century"
        return _start(text, max(first, 1)), _start(text, first + width), name
    number = int(year)
    if month is None or month == "XX":
        if day not in (None, "XX"):
            raise _wrong(text, "names a day of no month")
        return _start(text, number), _start(text, number + 1), "year"
    if int(month) in _SEASONS:
        if day is not None:
            raise _wrong(text, "names a day of a season")
        return *_months(text, number, _SEASONS[int(month)], 3), "season"
    begin, end = _months(text, number, int(month), 1)
    if day is None or day == "XX":
        return begin, end, "month"
    if int(day) > calendar.monthrange(number, int(month))[1]:
        raise _wrong(text, "is no day there can be")
    begin = _start(text, number, int(month), int(day))
    return begin, begin + _DAY_NS, "day"


def _months(text: str, year: int, month: int, count: int) -> tuple[int, int]:
    begin = _start(text, year, month)
    later, rest = divmod(month - 1 + count, 12)
    return begin, _start(text, year + later, rest + 1)
