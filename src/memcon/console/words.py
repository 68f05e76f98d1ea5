"""Numbers, times and sentences, as the pages say them (UI.md §8). Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from memcon.clock import NS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NBSP = "\u00a0"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_WALL = -62_135_596_800 * NS  # 0001-01-01
_LAST_WALL = 253_402_300_799 * NS  # 9999-12-31: what a datetime can still hold


def _moment(wall_ns: int) -> datetime:
    return _EPOCH + timedelta(seconds=min(max(wall_ns, _FIRST_WALL), _LAST_WALL) // NS)


def day(wall_ns: int) -> str:
    """`24 November 2026`."""
    moment = _moment(wall_ns)
    return f"{moment.day} {moment:%B %Y}"


def weekday(wall_ns: int) -> str:
    """`Tuesday 24 November 2026`."""
    return f"{_moment(wall_ns):%A} {day(wall_ns)}"


def short_day(wall_ns: int) -> str:
    """`24 Nov 2026`."""
    moment = _moment(wall_ns)
    return f"{moment.day} {moment:%b %Y}"


def clock_time(wall_ns: int) -> str:
    """`09:14:07`, UTC."""
    return f"{_moment(wall_ns):%H:%M:%S}"


def iso(wall_ns: int) -> str:
    """`2026-11-24T09:14:07Z`."""
    moment = _moment(wall_ns)
    return f"{moment.year:04}-{moment:%m-%dT%H:%M:%SZ}"  # %Y gives the year 999 three digits


def day_start(text: str) -> int | None:
    """Nanoseconds at the start of an ISO day, None where the text is none."""
    try:
        moment = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int((moment - _EPOCH).total_seconds()) * NS


def number(value: int) -> str:
    """`2,288,408`."""
    return f"{value:,}"


def count(value: int, one: str, many: str | None = None) -> str:
    """`1 call`, `1,284 calls`; the space does not break."""
    return f"{value:,}{NBSP}{one if value == 1 else many or one + 's'}"


def length(duration_ns: int) -> str:
    """`48 s`, `5 min 48 s`, `1 h 02 min 03 s`; whole seconds, begun ones counted as the record does not."""
    seconds = max(0, duration_ns) // NS
    hours, rest = divmod(seconds, 3600)
    minutes, secs = divmod(rest, 60)
    if hours:
        return f"{hours:,}{NBSP}h{NBSP}{minutes:02d}{NBSP}min{NBSP}{secs:02d}{NBSP}s"
    if minutes:
        return f"{minutes}{NBSP}min{NBSP}{secs:02d}{NBSP}s"
    return f"{secs}{NBSP}s"


def at(second: int) -> str:
    """A place in a call: `4:21`, `1:02:03`."""
    hours, rest = divmod(max(0, second), 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{secs:02d}" if hours else f"{minutes}:{secs:02d}"


def lateness(ns: int) -> str:
    """How long after its slot's end a beat stood: `0.31 s`, `12 s`."""
    if ns < 0:
        return f"{ns / NS:.2f}{NBSP}s"
    return f"{ns / NS:.2f}{NBSP}s" if ns < 10 * NS else f"{ns // NS:,}{NBSP}s"


def size(octets: int) -> str:
    """`212 kB`, `5.9 MB`, in powers of 1000."""
    if octets < 1000:
        return f"{octets}{NBSP}B"
    value = float(octets)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.5:
            return f"{value:.0f}{NBSP}{unit}" if value >= 100 else f"{value:.1f}{NBSP}{unit}"
    return f"{value / 1000:,.1f}{NBSP}TB"


def listed(parts: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    items = list(parts)
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def between(parties: Sequence[str]) -> str:
    """A call's title: its people. Without any the signalling named nobody."""
    return listed(name if name.strip() else "not named" for name in parties) or "Parties not named"


def grouped(hexes: str) -> str:
    """A digest in groups of four, so that it can be read aloud and still be searched for."""
    return " ".join(hexes[i : i + 4] for i in range(0, len(hexes), 4))


def sentence(text: str) -> str:
    """With a capital first and one full stop at the end."""
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "?")) else ".") if text else ""


def whole(text: str | None) -> int | None:
    """A number from 1 on as an address names it, None where it is none."""
    plain = text is not None and text.isascii() and text.isdigit() and len(text) < 7
    return int(text) or None if plain and text is not None else None
