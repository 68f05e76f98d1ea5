"""Reads and writes what followed, in the dossiers of a desk that another room keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from memcon.aftermath.bodies import complete
from memcon.aftermath.followed import Followed, check, read_followed
from memcon.aftermath.timeline import Item, items_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from memcon.record.edtf import Edtf
    from memcon.store.dossiers import Kept


class Head(Protocol):
    """When the call was."""

    @property
    def date(self) -> Edtf | None: ...


class Book(Protocol):
    """A dossier, as this room needs it: `others` are the entries that count and are of other rooms' kinds."""

    @property
    def id(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def head(self) -> Head: ...
    @property
    def others(self) -> Sequence[Kept]: ...
    @property
    def sources(self) -> Collection[int]: ...


B_co = TypeVar("B_co", bound=Book, covariant=True)


class Desk(Protocol[B_co]):
    """Where dossiers are read and written."""

    def read(self, dossier: str) -> B_co: ...
    def write_foreign(self, dossier: str, kind: str, by: str, body: Mapping[str, Any]) -> Kept: ...


@dataclass(frozen=True)
class Line(Generic[B_co]):
    """A dossier and its time line, all items, in order."""

    dossier: B_co
    followed: Followed
    items: tuple[Item, ...]


class FollowedDesk(Generic[B_co]):
    """What followed, in the dossiers of a desk."""

    def __init__(self, desk: Desk[B_co]) -> None:
        self.desk = desk

    def line(self, dossier: str) -> Line[B_co]:
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


def line_of(dossier: B_co) -> Line[B_co]:  # type: ignore[misc] # it is read here, and given back as it came
    """The time line of a dossier that was read already."""
    followed = read_followed(kept.entry for kept in dossier.others)
    return Line(dossier, followed, tuple(items_of(dossier.title, dossier.head.date, followed)))
