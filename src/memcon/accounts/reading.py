"""Entries into a `Dossier`: each kind has its own few lines here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memcon.accounts import model as m
from memcon.accounts.bodies import FIELDS, complete
from memcon.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from memcon.record.entry import Entry
    from memcon.store.dossiers import Kept

    Take = Callable[[m.Dossier, Entry, dict[str, Any]], None]


def read_dossier(kept: Sequence[Kept]) -> m.Dossier:
    """The dossier that these entries make; raises FormatError for an entry that is none of its kind.

    What was withdrawn is left out, and its withdrawal stands in `withdrawals`.
    """
    if not kept or kept[0].entry.kind != "dossier":
        raise FormatError("dossier", "does not begin with an entry of kind dossier", where="entry 1")
    bodies = [complete(k.entry.kind, k.entry.body) if k.entry.kind in FIELDS else None for k in kept]
    found = m.Dossier(kept[0].entry.dossier, _head(bodies[0] or {}), list(kept))
    for one, body in zip(kept, bodies, strict=True):
        if body is not None and one.entry.kind == "withdrawal":
            _withdrawal(found, one.entry, body)
    for one, body in zip(kept, bodies, strict=True):
        if one.entry.n in found.withdrawals:
            continue
        if body is None:
            found.others.append(one)
        else:
            _TAKE[one.entry.kind](found, one.entry, body)
    return found


def _head(body: dict[str, Any]) -> m.Head:
    people = tuple(m.Participant(**one) for one in body["participants"])
    rest = {key: body[key] for key in ("title", "start", "channel", "call", "note", "example")}
    return m.Head(participants=people, **rest)


def _take_head(found: m.Dossier, _entry: Entry, body: dict[str, Any]) -> None:
    found.head = _head(body)


def _duration(found: m.Dossier, entry: Entry, body: dict[str, Any]) -> None:
    found.durations.append(m.Duration(entry.n, **body))


def _record(found: m.Dossier, entry: Entry, body: dict[str, Any]) -> None:
    body["class_"] = body.pop("class")
    found.records.append(m.RecordKnown(entry.n, **body))


def _source(found: m.Dossier, entry: Entry, body: dict[str, Any]) -> None:
    body["size"] = body.pop("bytes")
    body["remarks"] = tuple(body["remarks"])
    found.sources[entry.n] = m.Source(n=entry.n, by=entry.by, at=entry.at, **body)


def _point(found: m.Dossier, entry: Entry, body: dict[str, Any]) -> None:
    body["topics"] = tuple(body["topics"])
    found.points.append(m.MarkedPoint(entry.n, entry.by, entry.at, **body))


def _overrule(found: m.Dossier, entry: Entry, body: dict[str, Any]) -> None:
    found.overrules.append(m.Overrule(entry.n, entry.by, entry.at, **body))


def _link(found: m.Dossier, entry: Entry, body: dict[str, Any]) -> None:
    body["first"], body["second"] = tuple(body["first"]), tuple(body["second"])
    found.links.append(m.Link(entry.n, entry.by, entry.at, **body))


def _claim(found: m.Dossier, entry: Entry, body: dict[str, Any]) -> None:
    found.claims[entry.n] = m.Claim(entry.n, entry.by, entry.at, **body)


def _appearance(found: m.Dossier, entry: Entry, body: dict[str, Any]) -> None:
    found.appearances[entry.n] = m.Appearance(entry.n, entry.by, **body)


def _derivation(found: m.Dossier, entry: Entry, body: dict[str, Any]) -> None:
    body["from_"] = body.pop("from")
    found.derivations.append(m.Derivation(entry.n, entry.by, **body))


def _grade(found: m.Dossier, entry: Entry, body: dict[str, Any]) -> None:
    found.grades.append(m.Grade(entry.n, entry.by, entry.at, **body))


def _overtaken(found: m.Dossier, entry: Entry, body: dict[str, Any]) -> None:
    found.overtaken.append(m.Overtaken(entry.n, entry.by, **body))


def _decision(found: m.Dossier, entry: Entry, body: dict[str, Any]) -> None:
    found.decisions.append(m.Decision(entry.n, entry.by, **body))


def _withdrawal(found: m.Dossier, entry: Entry, body: dict[str, Any]) -> None:
    if not 1 < body["entry"] < entry.n:
        raise FormatError("withdrawal entry", "names no entry that can be withdrawn", where="entry")
    found.withdrawals[body["entry"]] = m.Withdrawal(entry.n, entry.by, entry.at, **body)


def _nothing(_found: m.Dossier, _entry: Entry, _body: dict[str, Any]) -> None:
    """A withdrawal was taken before all others."""


_TAKE: dict[str, Take] = {
    "dossier": _take_head,
    "duration": _duration,
    "record": _record,
    "source": _source,
    "point": _point,
    "overrule": _overrule,
    "link": _link,
    "claim": _claim,
    "appearance": _appearance,
    "derivation": _derivation,
    "grade": _grade,
    "overtaken": _overtaken,
    "decision": _decision,
    "withdrawal": _nothing,
}
