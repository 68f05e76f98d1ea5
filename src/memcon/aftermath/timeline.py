"""The time line of a call: what was before and after, each item with its doubt and the way to its sources."""

from __future__ import annotations

import html
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memcon.aftermath.followed import Event, Followed
    from memcon.record import edtf

CALL = "call"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NS = 1_000_000_000
_DAY_NS = 86_400 * _NS


@dataclass(frozen=True, slots=True)
class Item:
    """One thing on the line. `date` None: not dated; `kind`: call, event, act or statement."""

    key: str
    kind: str
    title: str
    date: edtf.Edtf | None
    place: str = ""
    event: Event | None = None

    @property
    def when(self) -> str:
        """As it is written: EDTF in words where it is uncertain."""
        return date_words(self.date)

    @property
    def uncertain(self) -> bool:
        """Whether it is drawn as a span: not known to the day, or doubted."""
        return self.date is not None and not self.date.exact

    @property
    def sources(self) -> tuple[int, ...]:
        """Entries of the sources that its accounts stand in."""
        if self.event is None:
            return ()
        told = (*self.event.accounts, *self.event.readings)
        return tuple(dict.fromkeys(a.source for a in told if a.source is not None))


@dataclass(frozen=True, slots=True)
class Filter:
    """What is shown: kinds (none: all), words in title, place and accounts, whose account, a span of days."""

    kinds: frozenset[str] = frozenset()
    text: str = ""
    who: str = ""
    since: int | None = None
    until: int | None = None

    def shows(self, item: Item) -> bool:
        """The call itself is always shown: everything is before or after it."""
        if item.kind == CALL:
            return True
        if self.kinds and item.kind not in self.kinds:
            return False
        told = () if item.event is None else (*item.event.accounts, *item.event.readings)
        if self.who and all(self.who.casefold() not in a.who.casefold() for a in told):
            return False
        words = " ".join(
            [item.title, item.place, *(f"{a.who} {a.says} {a.calls_it} {a.original}" for a in told)]
        )
        if any(word not in words.casefold() for word in self.text.casefold().split()):
            return False
        return _within(item.date, self.since, self.until)


def _within(date: edtf.Edtf | None, since: int | None, until: int | None) -> bool:
    """An uncertain item is shown wherever it may have been."""
    if date is None:
        return since is None and until is None
    starts = since is None or date.end is None or date.end > since
    return starts and (until is None or date.start is None or date.start < until)


def items_of(title: str, start: edtf.Edtf | None, found: Followed) -> list[Item]:
    """The call and everything else, in order of time; what is not dated comes last."""
    items = [Item("call", CALL, title, start)]
    items += [
        Item(f"e{event.n}", event.nature, event.title, event.date, event.place, event)
        for event in found.events.values()
    ]
    return sorted(items, key=_order)


def _order(item: Item) -> tuple[bool, int, int, bool]:
    date = item.date
    if date is None:
        return True, 0, 0, False
    return False, date.sort_key, date.end if date.end is not None else date.sort_key, item.kind != CALL


def date_words(date: edtf.Edtf | None) -> str:
    """`2017-01-29`, `about 2017-01-29`, `some time in 2017-01`, `2017-01-27 to 2017-01-28`."""
    if date is None:
        return "not dated"
    text = date.text.rstrip("?~%")
    if date.precision == "interval":
        first, _, last = date.text.partition("/")
        clean = [part.rstrip("?~%") for part in (first, last)]
        text = f"{clean[0] or 'not known'} to {clean[1] or 'not known'}"
        text = text.replace(".. to ", "until ").replace(" to ..", " on")
    elif "X" in text or date.precision in ("month", "season", "year", "decade", "century"):
        text = f"some time in {text.replace('-XX', '')}"
    about = "about " if date.approximate else ""
    return f"{about}{text}{' (uncertain)' if date.uncertain else ''}"


def _moment(ns: int) -> datetime:
    return _EPOCH + timedelta(seconds=min(max(ns // _NS, -62_135_596_800), 253_402_300_799))


def _js_date(ns: int, text: str) -> dict[str, Any]:
    """A date of TimelineJS: it knows years to seconds, and a `display_date` for what they cannot say."""
    at = _moment(ns)
    return {"year": at.year, "month": at.month, "day": at.day, "display_date": text}


def timelinejs(items: Sequence[Item], address: str) -> dict[str, Any]:
    """The time line as TimelineJS reads it. Uncertain dates become spans and are shown in words.

    `address` is the dossier's: each item links to its place there. Texts are escaped: that program takes
    them as HTML.
    """
    dated = [item for item in items if item.date is not None]
    return {
        "title": next(
            (
                {"text": {"headline": _html(i.title), "text": _html(f"Dossier {address}")}}
                for i in items
                if i.kind == CALL
            ),
            None,
        ),
        "events": [_js_event(item, address) for item in dated],
    }


def _js_event(item: Item, address: str) -> dict[str, Any]:
    date = item.date
    assert date is not None  # noqa: S101 - the caller has left the others out
    words = item.when
    begin = date.start if date.start is not None else (date.end or 0) - _DAY_NS
    event: dict[str, Any] = {
        "start_date": _js_date(begin, words),
        "text": {"headline": _html(item.title), "text": "".join(_js_accounts(item, address))},
        "group": item.kind,
        "unique_id": item.key,
    }
    if item.uncertain and date.end is not None:
        event["end_date"] = _js_date(date.end - 1, words)
    return event


def _js_accounts(item: Item, address: str) -> list[str]:
    told = () if item.event is None else (*item.event.accounts, *item.event.readings)
    lines = [f"<p><b>{_html(a.words)}</b> {_html(_by(a.who, a.original, a.article))}</p>" for a in told]
    return [*lines, f'<p><a href="{_html(address)}#{item.key}">Sources</a></p>']


def _by(who: str, original: str, article: str) -> str:
    return ", ".join(part for part in (who, original and f"first said by {original}", article) if part)


def _html(text: str) -> str:
    return html.escape(text, quote=True)


def facts(items: Sequence[Item]) -> list[Mapping[str, Any]]:
    """The items as JSON: every account with its figures and its place in its source."""
    return [
        {
            "key": item.key,
            "kind": item.kind,
            "title": item.title,
            "date": item.date.text if item.date else "",
            "words": item.when,
            "from_ns": item.date.start if item.date else None,
            "to_ns": item.date.end if item.date else None,
            "uncertain": item.uncertain,
            "place": item.place,
            "accounts": [] if item.event is None else [_told(a) for a in item.event.accounts],
            "readings": [] if item.event is None else [_told(a) for a in item.event.readings],
        }
        for item in items
    ]


def _told(account: Any) -> Mapping[str, Any]:  # noqa: ANN401 # an Account: imported for types only
    return {
        "entry": account.n,
        "who": account.who,
        "says": account.says,
        "calls_it": account.calls_it,
        "figures": dict(account.figures),
        "original": account.original,
        "article": account.article,
        "source": account.source,
        "span": [account.start, account.end] if account.start is not None else None,
    }
