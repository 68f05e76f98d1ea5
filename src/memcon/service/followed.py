"""What followed a call, wired: entries of its dossier that the room `aftermath` knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memcon.aftermath.bodies import complete
from memcon.aftermath.followed import Followed, check, read_followed
from memcon.aftermath.sets import EventSets
from memcon.aftermath.timeline import Item, items_of
from memcon.seal.notes import submit_note

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memcon.accounts.desk import AccountsDesk
    from memcon.accounts.model import Dossier
    from memcon.store.dossiers import Kept
    from memcon.store.paths import Home


@dataclass(frozen=True, slots=True)
class Line:
    """A dossier and its time line, all items, in order."""

    dossier: Dossier
    followed: Followed
    items: tuple[Item, ...]


class FollowedDesk:
    """Reads and writes what followed, in the dossiers of a desk."""

    def __init__(self, desk: AccountsDesk) -> None:
        self.desk = desk

    def line(self, dossier: str) -> Line:
        """UsageError where there is no such dossier, FormatError where its entries are damaged."""
        return line_of(self.desk.read(dossier))

    def write(self, dossier: str, kind: str, by: str, body: Mapping[str, Any]) -> Kept:
        """One entry, checked. FormatError for a wrong body, UsageError for what it names and is not there."""
        found = self.line(dossier)
        full = check(kind, body, found.followed, found.dossier.sources)
        return self.desk.write_foreign(dossier, kind, by, full)

    def take(
        self, dossier: str, by: str, rows: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]
    ) -> list[int]:
        """Write events, each with one account of it; their numbers. All are checked before one is written."""
        for event, account in rows:
            complete("event", event)
            complete("account", {**account, "event": 1})
        written = []
        for event, account in rows:
            n = self.write(dossier, "event", by, event).entry.n
            self.write(dossier, "account", by, {**account, "event": n})
            written.append(n)
        return written


def open_sets(home: Home) -> EventSets:
    """The event files of a home; what is taken in is sealed by the next beat."""
    return EventSets(home.events, lambda type_, digest: submit_note(home, type_, digest))


def line_of(dossier: Dossier) -> Line:
    """The time line of a dossier that was read already."""
    followed = read_followed(kept.entry for kept in dossier.others)
    return Line(dossier, followed, tuple(items_of(dossier.title, dossier.head.date, followed)))
