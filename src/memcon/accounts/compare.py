"""Two readouts of one call, side by side: which topics stand in both, in one alone, or differ.

Counting words never says that a side left something out on purpose: *omitted* is said only where the
other text is complete, and what a named person overruled stands as that person said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.accounts.figures import Figure, conflicts, figures
from memcon.accounts.lexicon import own as own_lexicon
from memcon.accounts.lexicon import words
from memcon.accounts.points import Point, points_of
from memcon.accounts.speakers import speakers_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from memcon.accounts.lexicon import Lexicon
    from memcon.accounts.model import Dossier, Link, Overrule, Source

_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")


@dataclass(frozen=True, slots=True)
class Side:
    """One readout: its source, its points, and what can be counted of it."""

    letter: str
    source: Source
    text: str
    points: tuple[Point, ...]

    @property
    def complete(self) -> bool:
        return self.source.completeness == "complete"

    @property
    def words(self) -> int:
        return len(_WORD.findall(self.text))

    def on(self, topic: str) -> list[Point]:
        return [p for p in self.points if topic in p.topics]

    def order(self) -> dict[str, int]:
        """Each topic's place in the order of first mention, from 1."""
        names = dict.fromkeys(topic for p in self.points for topic in p.topics)
        return {topic: n for n, topic in enumerate(names, 1)}


@dataclass(frozen=True, slots=True)
class TopicRow:
    """A topic in both texts, in one, or with contrary figures. `computed` is what no person has overruled.

    `omitted_by`: the side whose text is complete and does not mention it. `why` it differs, in words.
    """

    topic: str
    label: str
    status: str
    computed: str
    first: tuple[Point, ...]
    second: tuple[Point, ...]
    omitted_by: str = ""
    order: tuple[int | None, int | None] = (None, None)
    words: tuple[int, int] = (0, 0)
    raised: tuple[str, str] = ("", "")
    why: tuple[str, ...] = ()
    overruled: Overrule | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """Points that speak of the same thing: one or more of the first text, and of the second; either may be
    empty. `only` are the words, folded, that stand on one side alone."""

    first: tuple[Point, ...]
    second: tuple[Point, ...]
    topics: tuple[str, ...]
    only: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())
    linked_by: Link | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two readouts have in common and what they do not."""

    first: Side
    second: Side
    topics: tuple[TopicRow, ...]
    pairs: tuple[Pair, ...]

    def count(self, *statuses: str) -> int:
        return sum(row.status in statuses for row in self.topics)

    @property
    def one_sided(self) -> int:
        """Topics that rest on one side's account alone."""
        return self.count(f"{self.first.letter} only", f"{self.second.letter} only")

    @property
    def known(self) -> int:
        """Topics that either text speaks of."""
        return len(self.topics) - self.count("neither")


def compare_sides(
    dossier: Dossier, texts: Mapping[int, str], first: Source, second: Source, lexicon: Lexicon | None = None
) -> Comparison:
    """Compare two readouts of a dossier; `texts` by source."""
    lexicon = lexicon or own_lexicon()
    people = dossier.head.participants
    speakers = speakers_of(people, lexicon)
    own = frozenset(p.country for p in people if p.country)
    sides = []
    for source in (first, second):
        text = texts.get(source.n, "")
        points = points_of(source.n, text, lexicon, speakers, own=own, marked=dossier.points)
        sides.append(Side(source.side, source, text, tuple(points)))
    a, b = sides
    overruled = {o.topic: o for o in dossier.overrules}
    topics = _topic_rows(a, b, overruled, lexicon)
    return Comparison(a, b, topics, tuple(_pairs(a, b, dossier.links)))


def compare(dossier: Dossier, texts: Mapping[int, str], lexicon: Lexicon | None = None) -> Comparison | None:
    """The readouts of the first two sides; None where two sides have none with a text."""
    chosen: dict[str, Source] = {}
    for source in dossier.readouts():
        if source.n in texts:
            chosen.setdefault(source.side, source)
    if len(chosen) < 2:
        return None
    first, second = (chosen[side] for side in sorted(chosen)[:2])
    return compare_sides(dossier, texts, first, second, lexicon)


def _topic_rows(
    a: Side, b: Side, overruled: Mapping[str, Overrule], lexicon: Lexicon
) -> tuple[TopicRow, ...]:
    orders = a.order(), b.order()
    names = [*orders[0], *(t for t in orders[1] if t not in orders[0])]
    names += [t for t in overruled if t not in names]
    rows = [_row(topic, a, b, orders, overruled.get(topic), lexicon) for topic in names]
    rank = {"both": 0, "differs": 1}
    return tuple(sorted(rows, key=lambda row: rank.get(row.status, 2)))


def _row(
    topic: str,
    a: Side,
    b: Side,
    orders: tuple[dict[str, int], dict[str, int]],
    overrule: Overrule | None,
    lexicon: Lexicon,
) -> TopicRow:
    first, second = a.on(topic), b.on(topic)
    why = tuple(conflicts(_figures_on(topic, first), _figures_on(topic, second)))
    computed = _status(a, b, bool(first), bool(second), differs=bool(why))
    status = overrule.status if overrule else computed
    omitted = ""
    if status == f"{a.letter} only" and b.complete:
        omitted = b.letter
    elif status == f"{b.letter} only" and a.complete:
        omitted = a.letter
    return TopicRow(
        topic,
        lexicon.label(topic),
        status,
        computed,
        tuple(first),
        tuple(second),
        omitted,
        (orders[0].get(topic), orders[1].get(topic)),
        (_word_count(first), _word_count(second)),
        (_raised(first), _raised(second)),
        why,
        overrule,
    )


def _figures_on(topic: str, points: Iterable[Point]) -> list[Figure]:
    """Figures that stand nearer to a mention of this topic than to one of another."""
    found: list[Figure] = []
    for point in points:
        for figure in figures(point.text):
            away = [(min(abs(m.start - figure.at), abs(m.end - figure.at)), m.topic) for m in point.mentions]
            nearest = min(away, default=(0, topic))[1]
            if nearest == topic:
                found.append(figure)
    return found


def _status(a: Side, b: Side, first: bool, second: bool, *, differs: bool) -> str:
    if first and second:
        return "differs" if differs else "both"
    if first or second:
        return f"{a.letter if first else b.letter} only"
    return "neither"


def _word_count(points: Iterable[Point]) -> int:
    return sum(len(_WORD.findall(p.text)) for p in points)


def _raised(points: Sequence[Point]) -> str:
    return next((p.raised_by for p in points if p.raised_by), "")


# --- alignment ---


def folded_words(text: str) -> frozenset[str]:
    """The words of a text that carry meaning, folded."""
    plain = words("plain")
    return frozenset(w for w in (m.casefold() for m in _WORD.findall(text)) if w not in plain and len(w) > 1)


def likeness(a: Point, b: Point) -> float:
    """0 to 1: topics in common, then words in common. Orders what stands beside what; decides nothing."""
    topics = len(set(a.topics) & set(b.topics)) / max(1, len(set(a.topics) | set(b.topics)))
    one, other = folded_words(a.text), folded_words(b.text)
    words = len(one & other) / max(1, min(len(one), len(other)))
    return 0.7 * topics + 0.3 * words


def _related(a: Point, b: Point) -> bool:
    if a.topics or b.topics:
        return bool(set(a.topics) & set(b.topics))
    return (
        a.kind == b.kind and a.kind != "unclassified" and len(folded_words(a.text) & folded_words(b.text)) > 0
    )


def _pairs(a: Side, b: Side, links: Sequence[Link]) -> list[Pair]:
    """Every point of both texts exactly once, beside what it is most like; a person's link comes first."""
    made: list[Pair] = []
    left, right = list(a.points), list(b.points)
    parted = {(x.first, x.second) for x in links if not x.linked} | {
        (x.second, x.first) for x in links if not x.linked
    }
    for link in links:
        one, other = _named(left, right, link)
        if link.linked and one and other:
            left.remove(one)
            right.remove(other)
            made.append(_pair((one,), (other,), link))
    matches: dict[int, list[Point]] = {}
    for point in right:
        wanted = [
            p
            for p in left
            if _related(p, point) and ((p.source, p.start), (point.source, point.start)) not in parted
        ]
        if wanted:
            best = max(wanted, key=lambda p: (likeness(p, point), -p.start))
            matches.setdefault(best.number, []).append(point)
    made += [_pair((point,), tuple(matches.get(point.number, ()))) for point in left]
    alone = {p.number for found in matches.values() for p in found}
    made += [_pair((), (point,)) for point in right if point.number not in alone]
    return sorted(made, key=_place)


def _place(pair: Pair) -> tuple[int, int]:
    """In the order of the first text; what the second alone has comes after, in its own order."""
    first = pair.first[0].start if pair.first else 1 << 60
    return first, pair.second[0].start if pair.second else 0


def _named(left: list[Point], right: list[Point], link: Link) -> tuple[Point | None, Point | None]:
    places = {link.first, link.second}
    one = next((p for p in left if (p.source, p.start) in places), None)
    other = next((p for p in right if (p.source, p.start) in places), None)
    return one, other


def _pair(first: tuple[Point, ...], second: tuple[Point, ...], link: Link | None = None) -> Pair:
    one = frozenset[str]().union(*(folded_words(p.text) for p in first))
    other = frozenset[str]().union(*(folded_words(p.text) for p in second))
    topics = dict.fromkeys(t for p in (*first, *second) for t in p.topics)
    only = (one - other, other - one) if first and second else (frozenset[str](), frozenset[str]())
    return Pair(first, second, tuple(topics), only, link)
