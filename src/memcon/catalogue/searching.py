"""The question of a reader as conditions on `calls`, such that a page comes quickly however many calls fit.

A word that few calls have is looked up first and gives their numbers. A word that most have would give
more numbers than a page can wait for: then calls are walked newest first and asked one by one whether
they have it, and only as many are counted as can be counted at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import exists, func, select, union_all

from memcon.catalogue.numbers import UNDATED, in_column, number_of, parse_display
from memcon.catalogue.schema import calls, dossier_calls, dossier_words, words
from memcon.catalogue.words import split

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

LAST = "\U0010ffff"
MANY = 10_000
"""A word of more calls than this is common; a question of common words alone is counted up to here."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What is asked of the register. `since` and `until` bound the start (wall ns, until exclusive).

    `party` has words of people, offices, addresses and countries alone; `text` those of accounts as well.
    """

    text: str = ""
    states: frozenset[str] = frozenset()
    line: str | None = None
    since: int | None = None
    until: int | None = None
    party: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A filter as conditions; `narrow` when what fits can be counted whole in no time."""

    conditions: tuple[ColumnElement[bool], ...]
    narrow: bool = True

    def of_states(self, states: frozenset[str]) -> tuple[ColumnElement[bool], ...]:
        """The conditions with those states only; none named are all."""
        return (*self.conditions, calls.c.state.in_(sorted(states))) if states else self.conditions


def question_of(db: Connection, asked: Filter) -> Question:
    """Everything of the filter but its states. Looks at how common its words are."""
    found: list[ColumnElement[bool]] = []
    if asked.line is not None:
        found.append(calls.c.line == asked.line)
    if asked.since is not None:
        # a date of accounts may be a whole month: what may have been later than `since` is shown
        spans = (calls.c.state == "accounts") & (calls.c.end_wall > in_column(asked.since))
        found.append((calls.c.start_wall >= in_column(asked.since)) | spans)
    if asked.until is not None:
        found.append((calls.c.start_wall < in_column(asked.until)) & (calls.c.start_wall > UNDATED))
    elif asked.since is not None:
        found.append(calls.c.start_wall > UNDATED)
    found += [calls.c.number.in_(select(words.c.call).where(_begins(word))) for word in split(asked.party)]
    number = parse_display(asked.text)
    if number is not None and (number[0] is not None or number[1] < 0):
        named = (number[1], number_of(asked.text) or 0)  # a dossier of that day has the same look
        return Question((*found, calls.c.number.in_(named)))
    wanted = split(asked.text)
    common = {word: _is_common(db, word) for word in wanted}
    found += [_has(word, common=common[word]) for word in wanted]
    return Question(tuple(found), narrow=not wanted or not all(common.values()))


def _begins(word: str) -> ColumnElement[bool]:
    return words.c.word.between(word, word + LAST)


def _is_common(db: Connection, word: str) -> bool:
    some = select(words.c.call).where(_begins(word)).limit(MANY + 1).subquery()
    return db.execute(select(func.count()).select_from(some)).scalar_one() > MANY


def _has(word: str, *, common: bool) -> ColumnElement[bool]:
    told = (
        select(dossier_calls.c.number)
        .join(dossier_words, dossier_words.c.dossier == dossier_calls.c.dossier)
        .where(dossier_words.c.word.between(word, word + LAST))
    )
    match: ColumnElement[bool]
    if common:
        match = exists().where(words.c.call == calls.c.number, _begins(word)) | calls.c.number.in_(told)
    else:
        match = calls.c.number.in_(union_all(select(words.c.call).where(_begins(word)), told))
    named = int(word) if word.isdecimal() and len(word) < 19 else None
    return match if named is None else match | (calls.c.number == named)
