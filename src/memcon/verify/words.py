"""The report in plain words: what was checked, what was found, and last what was not checked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from memcon import __version__
from memcon.verify.findings import CODES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memcon.verify.findings import Finding, Report

MAX_VALUE = 200  # an ML-DSA-44 key alone has 1,800
MAX_SPANS = 24
MAX_ITEMS = 24


def count(n: int, one: str, many: str | None = None) -> str:
    """`1 second`, `1,204 seconds`."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def utc(wall_ns: int) -> str:
    """ISO 8601 in UTC to the second, or the plain number where no calendar reaches."""
    try:
        return datetime.fromtimestamp(wall_ns // 1_000_000_000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"{wall_ns} ns after 1970"


def span(first: int, last: int) -> str:
    """`second 4`, `seconds 4 to 9`."""
    return f"second {first}" if first == last else f"seconds {first} to {last}"


def plain(text: str) -> str:
    """Text of others as one line that shows every character it has.

    A name may hold what moves the cursor, reverses the line or begins a new one: it must never be able
    to write the report. Whatever does not print, the space apart, is written as its escape.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def to_text(report: Report) -> str:
    """The report for a reader, ending in a newline."""
    lines = [f"memcon-verify {__version__}: {report.kind} {plain(report.target)}", "", plain(report.headline)]
    lines += _section("Checked", report.checked)
    lines += _section("Found", [_finding(one) for one in report.findings] + _more(report) or ["Nothing."])
    lines += _section("Stated by the log", _facts(report.facts))
    lines += _section("Sealed", _spans(report.seconds))
    lines += _section("Limits of this check", report.limits)
    lines += _section("Not checked, and not proved by this", report.not_checked)
    return "\n".join(lines) + "\n"


def _section(title: str, items: Sequence[str]) -> list[str]:
    return ["", title, *(f"  - {plain(item)}" for item in items)] if items else []


def _facts(facts: Mapping[str, Any]) -> list[str]:
    """A line for each; of several texts a line each, so that none can pass for two."""
    lines: list[str] = []
    for key, value in facts.items():
        texts = isinstance(value, list) and len(value) > 1 and not all(isinstance(v, int) for v in value)
        if not texts:
            lines.append(f"{key}: {_value(value)}")
            continue
        lines += [f"{key}, {n}: {_value(item)}" for n, item in enumerate(value[:MAX_ITEMS], 1)]
        if len(value) > MAX_ITEMS:
            lines.append(f"{key}: {len(value) - MAX_ITEMS:,} more (--json shows them)")
    return lines


def _finding(one: Finding) -> str:
    place = [one.where]
    if one.second is not None:
        place.append(span(one.second, one.second if one.through is None else one.through))
    if one.stream is not None:
        place.append(f"stream {one.stream}")
    return f"{one.severity} [{one.code}] {', '.join(place)}: {one.text}"


def _more(report: Report) -> list[str]:
    return [
        f"{CODES[code].severity} [{code}]: {n:,} more like these" for code, n in sorted(report.more.items())
    ]


def _value(value: object) -> str:
    if isinstance(value, list):
        return "; ".join(_value(item) for item in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_value(item)}" for key, item in value.items()) or "none"
    if value is None:
        return "none known"
    text = str(value)
    return text if len(text) <= MAX_VALUE else f"{text[:64]}… ({len(text):,} characters; --json shows them)"


def _window(s: dict[str, Any]) -> str:
    before, after = s.get("not_before"), s.get("not_after")
    parts = [f"not before {before}"] if before else []
    parts += [f"a quorum had seen it by {after}"] if after else []
    return f"; sealed {', '.join(parts)}" if parts else ""


def _spans(seconds: Sequence[dict[str, Any]]) -> list[str]:
    lines = [
        f"{span(s['first'], s['last'])} by beat {s['beat']}, slot from {s['slot_start']} to {s['slot_end']} "
        f"({s['clock']}): {s['state']}{_window(s)}"
        for s in seconds[:MAX_SPANS]
    ]
    if len(seconds) > MAX_SPANS:
        lines.append(f"and {len(seconds) - MAX_SPANS} more spans (--json shows them all)")
    return lines
