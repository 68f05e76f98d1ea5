"""Words a call is found by: parts of names and addresses, numbers also by their ends."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SPLIT = re.compile(r"[\W_]+")
_SCHEMES = frozenset({"sip", "sips", "tel"})
SHORTEST_ENDING = 4


def fold(text: str) -> str:
    """Lower case without accents, so that `Müller` is found by `muller`."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in plain if not unicodedata.combining(char))


def split(text: str) -> list[str]:
    """The words of a text as they are indexed and asked for."""
    return [word for word in _SPLIT.split(fold(text)) if word]


def words_of(parties: Iterable[Mapping[str, Any]], line: str | None) -> set[str]:
    """All words of a call: its parties' names, addresses and roles, and its line."""
    found = set(split(line or ""))
    for party in parties:
        for key in ("name", "aor", "role"):
            found |= set(split(str(party.get(key) or "")))
    numbers = [word for word in found if word.isdecimal()]
    # Who looks for a telephone number often has its end alone.
    found |= {word[at:] for word in numbers for at in range(len(word) - SHORTEST_ENDING + 1)}
    return found - _SCHEMES
