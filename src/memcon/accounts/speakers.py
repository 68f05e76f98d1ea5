"""Who is said to have raised a point: a side, both, or nobody named. By names, offices and countries."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.accounts.lexicon import phrases

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memcon.accounts.lexicon import Lexicon, Mention
    from memcon.accounts.model import Participant

BOTH = "both"
_OFFICE = re.compile(
    r"\b(president|prime minister|chancellor|foreign minister|secretary of state|king|emir|chairman|"
    r"crown prince|president|minister)\b",
    re.I,
)
_AND = re.compile(r"\b(?:and|и|et|und|y)\b")
NEAR = 160
"""Characters from the start of a sentence in which its subject is looked for."""


@dataclass(frozen=True, slots=True)
class Speakers:
    """The sides of a call, by the words that name them."""

    names: tuple[tuple[str, re.Pattern[str]], ...]
    countries: dict[str, str]  # code: side
    lexicon: Lexicon

    def raised(self, sentence: str) -> str:
        """The side that the sentence makes its subject, `both`, or empty."""
        found: list[tuple[int, str]] = [
            (m.start(), side) for side, pattern in self.names for m in pattern.finditer(sentence[:NEAR])
        ]
        said = phrases("both", "offices").find(sentence[:NEAR])
        found += [(m.start, BOTH) for m in said if m.topic == "both"]
        found += self._by_office(sentence, [m for m in said if m.topic == "offices"])
        if not found:
            return ""
        first, side = min(found)
        # "Mr Putin and Mr Trump had a discussion": two subjects joined are both
        others = {s for at, s in found if s not in (side, BOTH) and _joined(sentence, first, at)}
        return BOTH if others else side

    def _by_office(self, sentence: str, offices: Sequence[Mention]) -> list[tuple[int, str]]:
        """The President of Russia, the Russian leader, the American side: an office beside a country."""
        places = []
        for mention in self.lexicon.find(sentence[:NEAR]):
            side = self.countries.get(mention.topic)
            near = any(0 < mention.start - o.end < 25 or 0 <= o.start - mention.end < 12 for o in offices)
            if side is not None and near:
                places.append((mention.start, side))
        return places


def _joined(sentence: str, first: int, second: int) -> bool:
    low, high = sorted((first, second))
    between = sentence[low:high]
    return len(between) < 60 and _AND.search(between) is not None and "," not in between


def speakers_of(people: Sequence[Participant], lexicon: Lexicon) -> Speakers:
    """From a dossier's participants."""
    names: list[tuple[str, re.Pattern[str]]] = []
    offices = [_office_of(p.office) for p in people]
    for person, office in zip(people, offices, strict=True):
        words = [re.escape(w) for w in re.findall(r"[^\W\d_][^\W_'’-]+", person.name) if len(w) > 2]
        alternatives = words[-1:]
        if office and offices.count(office) == 1:
            alternatives.append(rf"the {re.escape(office)}(?! of the (?!united)| of (?!the))")
        if alternatives:
            names.append((person.side, re.compile(rf"\b(?:{'|'.join(alternatives)})\b", re.I)))
    countries: dict[str, str] = {}
    for person in people:
        if person.country:
            countries.setdefault(person.country, person.side)
    return Speakers(tuple(names), countries, lexicon)


def _office_of(text: str) -> str:
    match = _OFFICE.search(text)
    return match[1].lower() if match else ""
