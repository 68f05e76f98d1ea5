"""What followed a call, wired: entries of its dossier that the room `aftermath` knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memcon.aftermath.followed import Followed, check, read_followed
from memcon.aftermath.timeline import Item, items_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memcon.accounts.desk import AccountsDesk
    from memcon.accounts.model import Dossier
    from memcon.store.dossiers import Kept


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


def line_of(dossier: Dossier) -> Line:
    """The time line of a dossier that was read already."""
    followed = read_followed(kept.entry for kept in dossier.others)
    return Line(dossier, followed, tuple(items_of(dossier.title, dossier.head.date, followed)))
