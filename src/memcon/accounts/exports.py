"""Dossiers for other programs: schema.org Claim and ClaimReview, W3C PROV-JSON, FollowTheMoney, CSV."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from typing import TYPE_CHECKING, Any

from memcon.accounts.chain import FLOWS, chain_of
from memcon.accounts.ftm import plain_date, to_ftm

if TYPE_CHECKING:
    from collections.abc import Callable

    from memcon.accounts.chain import Chain, Step
    from memcon.accounts.model import Dossier, Source

_PROV = {
    "quoted": "prov:Quotation",
    "revision": "prov:Revision",
    "primary": "prov:PrimarySource",
    "derived": "",
}
_CSV = [
    "claim",
    "claim_text",
    "step",
    "entry",
    "who",
    "where",
    "when",
    "stance",
    "words",
    "origin",
    "conjecture",
    "came_from",
    "takes_back",
    "looks_into",
    "change",
    "reached",
    "source",
    "address",
    "by",
]


def _name(dossier: Dossier, n: int) -> str:
    return f"urn:memcon:dossier:{dossier.id}#{n}"


def chains_of(dossier: Dossier) -> list[Chain]:
    """Every claim of the dossier as a chain."""
    return [chain_of(dossier, n) for n in dossier.claims]


# --- schema.org ---


def to_jsonld(dossier: Dossier) -> str:
    """schema.org Claim with its appearances, and a ClaimReview for each step that looks into it."""
    graph: list[dict[str, Any]] = []
    for chain in chains_of(dossier):
        graph.append(_claim(dossier, chain))
        graph += [
            _review(dossier, chain, s) for s in chain.steps if s.appearance.stance in ("denies", "checks")
        ]
    return json.dumps({"@context": "https://schema.org", "@graph": graph}, indent=2, ensure_ascii=False)


def _claim(dossier: Dossier, chain: Chain) -> dict[str, Any]:
    works = [_work(dossier, s) for s in chain.steps if s.appearance.stance not in ("denies", "checks")]
    made: dict[str, Any] = {
        "@type": "Claim",
        "@id": _name(dossier, chain.claim.n),
        "text": chain.claim.text,
        "description": chain.sentence,
        "about": _event(dossier),
        "appearance": works,
    }
    if chain.origins:
        first = next(s for s in chain.steps if s.appearance.n == chain.origins[0].n)
        made["firstAppearance"] = {"@id": _work(dossier, first)["@id"]}
        made["author"] = [_who(name) for name in chain.originators]
    return made


def _event(dossier: Dossier) -> dict[str, Any]:
    """The call, as what the claim is about."""
    made: dict[str, Any] = {
        "@type": "Event",
        "@id": f"urn:memcon:dossier:{dossier.id}",
        "name": dossier.title,
    }
    if start := plain_date(dossier.head.start):
        made["startDate"] = start
    made["attendee"] = [{"@type": "Person", "name": p.name} for p in dossier.head.participants]
    return {key: value for key, value in made.items() if value}


def _who(name: str) -> dict[str, str]:
    """Somebody who says something: whether a person or an outlet is not entered, so that neither is said."""
    return {"@type": "Thing", "name": name}


def _work(dossier: Dossier, step: Step) -> dict[str, Any]:
    one = step.appearance
    made: dict[str, Any] = {"@type": "CreativeWork", "@id": _name(dossier, one.n), "author": _who(one.who)}
    source = dossier.sources.get(one.source) if one.source is not None else None
    if when := plain_date(one.when):
        made["datePublished"] = when
    if one.words:
        made["text"] = one.words
    if source is not None and source.address.startswith(("http://", "https://")):
        made["url"] = source.address
    if step.came_from:
        made["isBasedOn"] = [{"@id": _name(dossier, n)} for n in step.came_from]
    return made


def _review(dossier: Dossier, chain: Chain, step: Step) -> dict[str, Any]:
    made = _work(dossier, step)
    made["@type"] = "ClaimReview"
    made["claimReviewed"] = chain.claim.text
    made["itemReviewed"] = {"@id": _name(dossier, chain.claim.n)}
    if step.appearance.note:
        made["reviewBody"] = step.appearance.note
    return made


# --- W3C PROV ---


def to_prov(dossier: Dossier) -> str:
    """PROV-JSON: appearances and sources as entities, who said them as agents, derivations between them."""
    entity: dict[str, Any] = {}
    agent: dict[str, Any] = {}
    attributed: dict[str, Any] = {}
    derived: dict[str, Any] = {}
    influenced: dict[str, Any] = {}
    for source in dossier.sources.values():
        entity[f"m:{source.n}"] = _source_entity(source)
        if source.version_of is not None:
            derived[f"_:v{source.n}"] = _derivation(source.version_of, source.n, "prov:Revision")
    for one in dossier.appearances.values():
        label = one.words or dossier.claims[one.claim].text
        facts = {"prov:label": label, "m:stance": one.stance, "m:when": one.when}
        entity[f"m:{one.n}"] = {key: value for key, value in facts.items() if value}
        who = _agent_id(one.who)
        agent[who] = {"prov:label": one.who}
        attributed[f"_:a{one.n}"] = {"prov:entity": f"m:{one.n}", "prov:agent": who}
        if one.source is not None:
            derived[f"_:s{one.n}"] = _derivation(one.source, one.n, "prov:PrimarySource")
    for link in dossier.derivations:
        if link.kind in FLOWS:
            derived[f"_:d{link.n}"] = _derivation(link.from_, link.to, _PROV[link.kind])
        else:
            influenced[f"_:i{link.n}"] = {
                "prov:influencer": f"m:{link.from_}",
                "prov:influencee": f"m:{link.to}",
                "prov:type": f"m:{link.kind}",
            }
    document = {
        "prefix": {"m": f"urn:memcon:dossier:{dossier.id}#", "prov": "http://www.w3.org/ns/prov#"},
        "entity": entity,
        "agent": agent,
        "wasAttributedTo": attributed,
        "wasDerivedFrom": derived,
        "wasInfluencedBy": influenced,
    }
    return json.dumps({k: v for k, v in document.items() if v}, indent=2, ensure_ascii=False)


def _source_entity(source: Source) -> dict[str, Any]:
    facts = {"prov:label": source.label, "prov:location": source.address, "m:sha256": source.sha256}
    return {key: value for key, value in facts.items() if value}


def _derivation(used: int, made: int, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = {"prov:generatedEntity": f"m:{made}", "prov:usedEntity": f"m:{used}"}
    return found | ({"prov:type": {"$": kind, "type": "prov:QUALIFIED_NAME"}} if kind else {})


def _agent_id(name: str) -> str:
    return "m:agent-" + hashlib.sha256(name.encode("utf-8")).hexdigest()[:12]


# --- CSV ---


def to_csv(dossier: Dossier) -> str:
    """One row a step of a chain; what a spreadsheet would take for a formula begins with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_CSV)
    for chain in chains_of(dossier):
        for step in chain.steps:
            writer.writerow([_cell(value) for value in _row(dossier, chain, step)])
    return out.getvalue()


def _row(dossier: Dossier, chain: Chain, step: Step) -> list[object]:
    one = step.appearance
    source = dossier.sources.get(one.source) if one.source is not None else None
    reached = "" if step.reached is None else str(step.reached).lower()
    return [
        chain.claim.n, chain.claim.text, step.nth, one.n, one.who, one.where, one.when, one.stance, one.words,
        str(one.origin).lower(), str(one.conjecture).lower(), _numbers(step.came_from),
        _numbers(step.takes_back), _numbers(step.looks_into), step.change, reached, one.source or "",
        source.address if source else "", one.by,
    ]  # fmt: skip


def _numbers(found: tuple[int, ...]) -> str:
    return " ".join(str(n) for n in found)


def _cell(value: object) -> str:
    text = str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


FORMATS: dict[str, tuple[str, str, Callable[[Dossier], str]]] = {
    "jsonld": ("claims.jsonld", "application/ld+json", to_jsonld),
    "prov": ("prov.json", "application/json", to_prov),
    "ftm": ("ftm.jsonl", "application/x-ndjson", to_ftm),
    "csv": ("claims.csv", "text/csv", to_csv),
}
"""By name: file name, media type, maker."""
