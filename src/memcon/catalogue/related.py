"""Recordings of the same call: parallel and failed-over recorders, one voice a call, a dialog a party change.

They are kept apart and shown together. What joins them are names that their senders gave the call
(`wire.vendors.links`); a sender may use a name again, so only recordings of about the same time count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from memcon.catalogue.numbers import display_number
from memcon.catalogue.schema import calls, links
from memcon.clock import NS

if TYPE_CHECKING:
    from sqlalchemy import Connection

SPAN_NS = 24 * 3600 * NS
MOST = 50


@dataclass(frozen=True, slots=True)
class Related:
    """Another recording that bears a name of the same call: `links` are the names they share."""

    number: int
    display: str
    start_wall: int
    links: tuple[str, ...]


def related_to(db: Connection, number: int, start_wall: int) -> tuple[Related, ...]:
    """The recordings that share a name with this one, in order of their numbers."""
    mine = select(links.c.link).where(links.c.call == number)
    near = calls.c.start_wall.between(start_wall - SPAN_NS, start_wall + SPAN_NS)
    asked = (
        select(links.c.call, links.c.link, calls.c.start_wall)
        .join(calls, calls.c.number == links.c.call)
        .where(links.c.link.in_(mine), links.c.call != number, near)
        .order_by(links.c.call, links.c.link)
    )
    found: dict[int, tuple[int, list[str]]] = {}
    for other, link, began in db.execute(asked):
        found.setdefault(other, (began, []))[1].append(link)
    return tuple(
        Related(other, display_number(other, began), began, tuple(shared))
        for other, (began, shared) in list(found.items())[:MOST]
    )
