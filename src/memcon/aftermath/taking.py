"""A row of an event file as an event of a dossier, and as the data set's account of it.

The event has no figure; what the data set says, and who it says said so first, is one account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memcon.aftermath import cameo
from memcon.aftermath.layouts import NONE, NOWHERE

if TYPE_CHECKING:
    from memcon.aftermath.sets import EventSet

_DAMAGED = "The row holds characters that were damaged before it came here."
_LONGEST = {"article": 2000, "original": 500, "title": 500, "place": 500}


def event_of(found: EventSet, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the body of an event, that of an account of it, without its event's number)."""
    told = _told(found, number)
    columns = found.columns
    kind = columns.kinds[int(columns["kind"][number])]
    coded = found.layout.key in ("gdelt1", "gdelt2", "icews")
    what = cameo.words(kind) if coded else kind
    sides = " and ".join(told[side] for side in ("side a", "side b") if told.get(side))
    title = ": ".join(part for part in (sides, told.get("what", "") if not coded else what) if part)
    note = _DAMAGED if int(columns["odd"][number]) else ""
    event = {
        "title": _cut("title", title or what or "Event"),
        "when": when_of(found, number),
        "place": _cut("place", told.get("place", "")),
        "latitude": _degrees(int(columns["lat"][number])),
        "longitude": _degrees(int(columns["lon"][number])),
        "cameo": kind if coded and kind.isdigit() and 2 <= len(kind) <= 4 else "",
        "what": what[:500],
        "set": found.about.sha256,
        "row": int(columns["offset"][number]),
        "note": note,
    }
    figures = {
        f"killed_{which}": int(columns[which][number])
        for which in ("low", "best", "high")
        if int(columns[which][number]) != NONE
    }
    account = {
        "who": f"{found.layout.title}, {told['id']}" if told.get("id") else found.layout.title,
        "says": "" if figures else what[:500],
        "original": _cut("original", told.get("original", "")),
        "article": _cut("article", told.get("article", "")),
        "note": note,
        **figures,
    }
    return event, account


def _told(found: EventSet, number: int) -> dict[str, str]:
    fields = found.row(number)
    told = {}
    for what, names in found.layout.shows.items():
        value = next((fields[name].strip() for name in names if fields.get(name, "").strip()), "")
        told[what] = " ".join(value.split())
    return told


def when_of(found: EventSet, number: int) -> str:
    """As EDTF: a day, a span where the row gives one, about a day where it is only said to be near it."""
    first, last, within = found.dates(number)
    if last > first:
        return f"{first.isoformat()}/{last.isoformat()}"
    return f"{first.isoformat()}{'~' if within > 1 else ''}"


def _degrees(value: int) -> str:
    """Millionths of a degree as a text without needless noughts."""
    if value == NOWHERE:
        return ""
    sign, rest = "-" if value < 0 else "", abs(value)
    text = f"{sign}{rest // 1_000_000}.{rest % 1_000_000:06d}".rstrip("0")
    return text.rstrip(".")


def _cut(name: str, text: str) -> str:
    """Never longer than its field; that something is cut is shown."""
    most = _LONGEST[name]
    return text if len(text) <= most else f"{text[: most - 1]}…"
