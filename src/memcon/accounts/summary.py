"""A dossier in one line of the register, and the words it is found by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.accounts.bodies import RECORD_CLASSES
from memcon.accounts.compare import compare
from memcon.accounts.lexicon import own
from memcon.catalogue.dossiers import DossierLine

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from memcon.accounts.compare import Comparison
    from memcon.accounts.model import Dossier

MOST_TEXT = 200_000
"""Characters of one source that are searched."""


def line_of(dossier: Dossier, texts: Mapping[int, str]) -> DossierLine:
    """The line; `texts` by source."""
    date = dossier.head.date
    compared = compare(dossier, texts)
    people = dossier.head.participants
    return DossierLine(
        id=dossier.id,
        title=dossier.title,
        date=dossier.head.start,
        start=None if date is None else date.start,
        end=None if date is None else date.end,
        record=best_record(dossier),
        call=dossier.head.call,
        entries=dossier.version,
        sources=len(dossier.sources),
        readouts=len(dossier.readouts()),
        claims=len(dossier.claims),
        topics=compared.known if compared else None,
        one_sided=compared.one_sided if compared else None,
        parties=tuple(p.name for p in people),
        countries=tuple(dict.fromkeys(p.country for p in people if p.country)),
        places=tuple(own().label(p.country) for p in people if p.country) + tuple(p.office for p in people),
        changed=dossier.kept[-1].entry.at,
        words=" ".join([*_words(dossier), *_labels(compared), *_texts(dossier, texts)]),
    )


def best_record(dossier: Dossier) -> str:
    """The best class of record that is known to exist; `none-known` where nobody speaks of one."""
    if dossier.head.call is not None:
        return "recording"
    exists = {r.class_ for r in dossier.records if r.state in ("held", "held in part", "exists")}
    if dossier.readouts():
        exists.add("readout")
    return next((name for name in RECORD_CLASSES if name in exists), "none-known")


def _labels(compared: Comparison | None) -> Iterator[str]:
    """The topics of both readouts by their names: a text in Russian is found by *North Korea*."""
    if compared is not None:
        yield from (row.label for row in compared.topics)


def _texts(dossier: Dossier, texts: Mapping[int, str]) -> Iterator[str]:
    """The texts, last: a huge one must not crowd out what people wrote."""
    yield from (texts.get(n, "")[:MOST_TEXT] for n in dossier.sources)


def _words(dossier: Dossier) -> Iterator[str]:
    yield dossier.head.note
    for person in dossier.head.participants:
        yield person.office
    for source in dossier.sources.values():
        yield f"{source.title} {source.publisher} {source.author} {source.address} {source.note}"
    for record in dossier.records:
        yield record.text
    for duration in dossier.durations:
        yield f"{duration.text} {duration.who} {duration.channel}"
    reasons = [(one.by, one.why) for one in dossier.points]
    reasons += [(one.by, one.why) for one in dossier.overrules]
    reasons += [(one.by, one.why) for one in dossier.links]
    reasons += [(one.by, one.why) for one in dossier.grades]
    reasons += [(one.by, one.why) for one in dossier.overtaken]
    for by, why in reasons:
        yield f"{by} {why}"
    for claim in dossier.claims.values():
        yield f"{claim.text} {claim.about} {claim.note}"
    for one in dossier.appearances.values():
        yield f"{one.who} {one.where} {one.words} {one.note}"
    for kept in dossier.others:
        yield from _texts_in(kept.entry.body, 3)


def _texts_in(value: object, depth: int) -> Iterator[str]:
    """Texts of an entry that another room knows: it is found by its words all the same."""
    if isinstance(value, str):
        yield value
    elif depth and isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts_in(item, depth - 1)
