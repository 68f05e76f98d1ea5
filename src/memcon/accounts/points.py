"""A readout as points: each sentence is one, of one kind, with every topic it speaks of; none is dropped."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from memcon.accounts.lexicon import kinds
from memcon.accounts.sentences import sentences

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from memcon.accounts.lexicon import Lexicon, Mention
    from memcon.accounts.model import MarkedPoint
    from memcon.accounts.speakers import Speakers


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a source: characters [start, end) of its text.

    `topics` in order of mention, without the parties' own countries, which stand in `own`. `raised_by` a
    side, `both` or empty. `marked` is the entry of the person who set it, None where it was computed.
    """

    source: int
    number: int
    start: int
    end: int
    text: str
    kind: str
    topics: tuple[str, ...]
    own: tuple[str, ...] = ()
    raised_by: str = ""
    mentions: tuple[Mention, ...] = ()
    marked: int | None = None


def kind_of(text: str, topics: Iterable[str]) -> str:
    """Of a point: substance where it speaks of a topic, else what it says of the call and the relation."""
    if any(True for _ in topics):
        return "substance"
    found = {mention.topic for mention in kinds().find(text)}
    return next((kind for kind in ("courtesy", "tone", "logistics") if kind in found), "unclassified")


def points_of(
    source: int,
    text: str,
    lexicon: Lexicon,
    speakers: Speakers,
    *,
    own: frozenset[str] = frozenset(),
    marked: Iterable[MarkedPoint] = (),
) -> list[Point]:
    """Every point of a text, numbered from 1. `own`: countries that are not judged. What a person marked
    stands as it was marked; the rest of a sentence it cuts stays, each piece a point."""
    marks = _standing([m for m in marked if m.source == source])
    found = [_marked(text, mark) for mark in marks]
    for start, end in _between(list(sentences(text)), marks):
        found.append(_computed(source, start, end, text, lexicon, speakers, own))
    found.sort(key=lambda p: p.start)
    return [replace(point, number=n) for n, point in enumerate(found, 1)]


def _computed(
    source: int, start: int, end: int, text: str, lexicon: Lexicon, speakers: Speakers, own: frozenset[str]
) -> Point:
    words = text[start:end]
    mentions = lexicon.find(words)
    names = list(dict.fromkeys(m.topic for m in mentions))
    topics = tuple(n for n in names if n not in own)
    kind = kind_of(words, topics)
    return Point(
        source,
        0,
        start,
        end,
        words,
        kind,
        topics,
        tuple(n for n in names if n in own),
        speakers.raised(words),
        tuple(m for m in mentions if m.topic not in own),
    )


def _standing(marks: list[MarkedPoint]) -> list[MarkedPoint]:
    """The newest mark wins where two overlap."""
    kept: list[MarkedPoint] = []
    for mark in sorted(marks, key=lambda m: -m.n):
        if all(mark.end <= k.start or k.end <= mark.start for k in kept):
            kept.append(mark)
    return sorted(kept, key=lambda m: m.start)


def _marked(text: str, mark: MarkedPoint) -> Point:
    return Point(
        mark.source,
        0,
        mark.start,
        mark.end,
        text[mark.start : mark.end],
        mark.kind,
        mark.topics if mark.kind == "substance" else (),
        raised_by=mark.raised_by if mark.raised_by else "",
        marked=mark.n,
    )


def _between(spans: list[tuple[int, int]], marks: list[MarkedPoint]) -> Iterator[tuple[int, int]]:
    """The sentences without the stretches that a person marked."""
    for start, end in spans:
        at = start
        for mark in marks:
            if mark.end <= at or mark.start >= end:
                continue
            if mark.start > at:
                yield at, mark.start
            at = max(at, mark.end)
        if at < end:
            yield at, end
