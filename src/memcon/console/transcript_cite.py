"""Words of a transcript cited: who said what between two times, its address, its citation. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.console.transcript_html import seconds
from memcon.console.transcript_words import when
from memcon.console.words import at, clock_time
from memcon.record.transcript import UNKNOWN, text_of

if TYPE_CHECKING:
    from memcon.console.deps import CallRow
    from memcon.record.transcript import Transcript
    from memcon.store.transcripts import Kept

NS_PER_MS = 1_000_000
MOST_WORDS = 400
"""Words of a span that are quoted; of a longer one its beginning."""
_PLACE = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,2}):)?(\d{1,6})(?:\.(\d{1,3}))?\Z")


@dataclass(frozen=True, slots=True)
class Span:
    """A span of a transcript: `said` by speaker and text, `link` in this console, `address` for others."""

    since: str
    until: str
    said: tuple[tuple[str, str], ...]
    link: str
    address: str
    citation: str


def milliseconds(text: str) -> int | None:
    """`137`, `137.25`, `2:17`, `1:02:17.5` as ms; None for what is no time."""
    found = _PLACE.match(text.strip())
    if found is None or not text.isascii():
        return None
    hours, minutes, secs, part = found.groups()
    return ((int(hours or 0) * 60 + int(minutes or 0)) * 60 + int(secs)) * 1000 + int(
        (part or "0").ljust(3, "0")
    )


def said_between(it: Transcript, start: int, end: int) -> list[tuple[str, str]]:
    """Speaker and words of every utterance of which a word lies between two times, in their order."""
    found: list[tuple[int, str, str]] = []
    left = MOST_WORDS
    every = [(said, lane) for lane in it.lanes for said in lane.utterances]
    for said, spoken in sorted(every, key=lambda pair: pair[0].start):
        words = [word for word in said.words if word.end > start and word.start < end]
        if not words or left <= 0:
            continue
        language = said.language or spoken.language
        text = text_of(words[:left], "" if language == UNKNOWN else language)
        found.append((said.start, said.speaker or spoken.speaker or "Unknown speaker", text))
        if len(words) > left:
            found[-1] = (*found[-1][:2], f"{text} …")
        left -= len(words)
    return [(who, text) for _, who, text in found]


def span_of(row: CallRow, kept: Kept, start: int, end: int, *, cited: str, base: str, local: str) -> Span:
    """A span as it is cited. `cited` is the call's citation without its address, `base` the address of its
    page for others (empty: none), `local` inside this console."""
    it = kept.transcript
    tail = f"?version={it.version}#t={seconds(start)},{seconds(end)}"
    since, until = at(start // 1000), at(-(-end // 1000))
    moment = clock_time(row.began + start * NS_PER_MS)
    who = "by machine" if it.machine is not None else f"corrected by {it.by}"
    address = f"{base}{tail}" if base else ""
    citation = (
        f"{cited} At {since}–{until} ({moment} UTC). Transcript, version {it.version} of {when(it.at)}, "
        f"{who}, SHA-256 {kept.hash}. {address}"
    ).strip()
    return Span(since, until, tuple(said_between(it, start, end)), f"{local}{tail}", address, citation)
