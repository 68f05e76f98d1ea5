"""Figures and lengths in a text: what two accounts of the same thing can contradict each other in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NUMBERS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50,
    "один": 1, "два": 2, "три": 3, "четыре": 4, "пять": 5, "десять": 10, "пятнадцать": 15, "сорок": 40,
}  # fmt: skip
_FIGURE = re.compile(
    r"(?P<number>\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?)\s*"
    r"(?P<unit>percent|per cent|%|killed|dead|wounded|injured|soldiers|troops|people|civilians|refugees|"
    r"billion|million|barrels|tons|tonnes|prisoners|detainees|days|weeks|months|years|kilomet\w+|km|missiles|"
    r"warheads|aircraft|paragraphs?|процент\w*|миллиард\w*|миллион\w*|человек|убит\w+|ранен\w+|дней|лет|"
    r"недел\w+|месяц\w+)(?!\w)",
    re.I,
)
_LENGTH = re.compile(
    r"\b(?:(?P<hedge>about|approximately|around|nearly|almost|more than|over|just over|some|roughly|около|"
    r"примерно|более)\s+)?"
    r"(?P<number>\d+(?:\.\d+)?|an?|one|two|three|five|ten|fifteen|twenty|thirty|forty|fifty)[\s-]*"
    r"(?P<half>and a half[\s-]*)?(?P<unit>hours?|minutes?|mins?|час\w*|минут\w*)(?:-long)?\b",
    re.I,
)
_CALL_WORDS = re.compile(
    r"\b(?:call|conversation|spoke|talk\w*|lasted|phone|разговор\w*|беседа|длил\w+)\b", re.I
)
_SAME_UNIT = {"per cent": "%", "percent": "%", "dead": "killed", "injured": "wounded"}


@dataclass(frozen=True, slots=True)
class Length:
    """How long a call lasted by the words of a text: `low` to `high` s, at characters [start, end)."""

    text: str
    low: int
    high: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its unit, and where it stands."""

    number: str
    unit: str
    at: int


def lengths(text: str) -> list[Length]:
    """Lengths that stand in a sentence about the call itself."""
    return [_length(m) for m in _LENGTH.finditer(text) if _CALL_WORDS.search(_sentence(text, m))]


def _sentence(text: str, match: re.Match[str]) -> str:
    end = text.find(".", match.end())
    return text[text.rfind(".", 0, match.start()) + 1 : end + 1 if end >= 0 else len(text)]


def _length(match: re.Match[str]) -> Length:
    word = match["number"].lower()
    number = (_NUMBERS[word] if word in _NUMBERS else float(word)) + (0.5 if match["half"] else 0)
    seconds = round(number * (3600 if match["unit"].lower().startswith(("h", "час")) else 60))
    slack = seconds // 10 if match["hedge"] else 0
    return Length(match[0], seconds - slack, seconds + slack, match.start(), match.end())


def conflicts(first: Iterable[Figure], second: Iterable[Figure]) -> Iterator[str]:
    """In words: figures of the same unit of which the two texts have none in common."""
    one, other = _by_unit(first), _by_unit(second)
    for unit in one:
        if unit in other and not one[unit] & other[unit]:
            left, right = (" and ".join(sorted(found[unit])) for found in (one, other))
            yield f"{left} against {right} {unit}"


def figures(text: str) -> list[Figure]:
    """Every figure of a text that has a unit."""
    found = []
    for match in _FIGURE.finditer(text):
        unit = _SAME_UNIT.get(match["unit"].lower(), match["unit"].lower())
        found.append(Figure(match["number"].replace(",", ""), unit, match.start()))
    return found


def _by_unit(found: Iterable[Figure]) -> dict[str, set[str]]:
    grouped: dict[str, set[str]] = {}
    for figure in found:
        grouped.setdefault(figure.unit, set()).add(figure.number)
    return grouped
