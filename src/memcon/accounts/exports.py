"""Dossiers for other programs: schema.org Claim and ClaimReview, W3C PROV-JSON, FollowTheMoney, CSV."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from typing import TYPE_CHECKING, Any

from memcon.accounts.chain import FLOWS, chain_of

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
        "about": dossier.title,
        "appearance": works,
    }
    if chain.origins:
        first = next(s for s in chain.steps if s.appearance.n == chain.origins[0].n)
        made["firstAppearance"] = {"@id": _work(dossier, first)["@id"]}
        made["author"] = [{"@type": "Person", "name": name} for name in chain.originators]
    return made


def _work(dossier: Dossier, step: Step) -> dict[str, Any]:
    one = step.appearance
    made: dict[str, Any] = {"@type": "CreativeWork", "@id": _name(dossier, one.n), "author": one.who}
    source = dossier.sources.get(one.source) if one.source is not None else None
    if one.when:
        made["datePublished"] = one.when
    if one.words:
        made["text"] = one.words
    if source is not None and source.address:
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


# --- FollowTheMoney ---


def to_ftm(dossier: Dossier) -> str:
    """FollowTheMoney entities, a JSON object a line: the call, its people, the sources, what was said."""
    lines = [_ftm(dossier, "call", "Call", **_call(dossier))]
    for nth, person in enumerate(dossier.head.participants):
        facts = {"name": person.name, "position": person.office, "country": person.country.lower()}
        lines.append(_ftm(dossier, f"person{nth}", "Person", **facts))
    for source in dossier.sources.values():
        facts = {
            "title": source.title or source.label,
            "author": source.author,
            "publisher": source.publisher,
            "date": source.issued if source.issued and "/" not in source.issued else "",
            "sourceUrl": source.address,
            "contentHash": source.sha256,
            "language": source.language,
        }
        lines.append(_ftm(dossier, str(source.n), "Document", **facts))
    for one in dossier.appearances.values():
        text = f"{one.who} {one.stance}: {one.words or dossier.claims[one.claim].text}"
        facts = {
            "name": dossier.claims[one.claim].text,
            "description": text,
            "entity": _ftm_id(dossier, "call"),
        }
        lines.append(_ftm(dossier, str(one.n), "Note", **facts))
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def _call(dossier: Dossier) -> dict[str, str]:
    people = len(dossier.head.participants)
    start = dossier.head.start if "/" not in dossier.head.start else ""
    return {
        "date": start.rstrip("?~%"),
        "caller": _ftm_id(dossier, "person0") if people else "",
        "receiver": _ftm_id(dossier, "person1") if people > 1 else "",
        "summary": dossier.title,
        "duration": next((str(d.low) for d in dossier.durations if d.low is not None), ""),
    }


def _ftm_id(dossier: Dossier, part: str) -> str:
    return "memcon-" + hashlib.sha256(f"{dossier.id}#{part}".encode()).hexdigest()[:20]


def _ftm(dossier: Dossier, part: str, schema: str, **facts: str) -> dict[str, Any]:
    properties = {key: [value] for key, value in facts.items() if value}
    return {"id": _ftm_id(dossier, part), "schema": schema, "properties": properties}


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
