"""Dossiers for other programs, judged by those programs' own libraries and by the vocabulary's ranges."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from memcon.accounts.exports import FORMATS
from memcon.accounts.ftm import plain_date

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.accounts.desk import AccountsDesk

WORK = {"CreativeWork", "ClaimReview"}
RANGES: dict[str, set[str]] = {
    # schema.org: the types that each property we use may have
    "about": {"Event"}, "appearance": WORK, "firstAppearance": WORK, "isBasedOn": WORK,
    "author": {"Thing"}, "attendee": {"Person"}, "itemReviewed": {"Claim"},
    "text": {"Text"}, "name": {"Text"}, "description": {"Text"}, "claimReviewed": {"Text"},
    "reviewBody": {"Text"}, "url": {"URL"}, "datePublished": {"Date"}, "startDate": {"Date"},
}  # fmt: skip
_OF_WORK = {"author", "datePublished", "text", "url", "isBasedOn"}
OF = {
    "Claim": {"text", "description", "about", "appearance", "firstAppearance", "author"},
    "CreativeWork": _OF_WORK,
    "ClaimReview": _OF_WORK | {"claimReviewed", "itemReviewed", "reviewBody"},
    "Event": {"name", "startDate", "attendee"},
    "Person": {"name"},
    "Thing": {"name"},
}


@pytest.fixture
def dossier(desk: AccountsDesk) -> str:
    """A dossier with everything that is awkward for others: intervals, doubt, hostile addresses, circles of
    nothing, outlets that are no persons."""
    people = [
        {"side": "A", "name": "Ada Adams", "office": "President", "country": "US"},
        {"side": "B", "name": "Boris Bell", "office": "", "country": ""},
    ]
    id_ = desk.open("P", {"start": "2017-01-28T17:00Z", "participants": people}).id
    desk.write(id_, "duration", "P", {"text": "about 1 h", "low": 3600})
    facts = {"address": "javascript:alert(1)", "issued": "2017-02-01/2017-02-03", "language": "tlh-x"}
    first = desk.add_source(id_, "P", b"He said so.", facts)[0].entry.n
    address = "https://a.example/\u00e4?b=c"
    facts = {"address": address, "issued": "2017-02~", "language": "en-GB", "title": "=1+1"}
    second = desk.add_source(id_, "P", b"He said so, again.", facts)[0].entry.n
    desk.add_source(id_, "P", b"He said so, thrice.", facts)
    claim = desk.write(id_, "claim", "P", {"text": 'It "was" so'}).entry.n
    said = [
        desk.write(id_, "appearance", "P", {"claim": claim} | body).entry.n
        for body in (
            {"who": "An author", "stance": "suggests", "origin": True, "when": "2017-02-01", "source": first},
            {"who": "An outlet and seven others", "stance": "asserts", "when": "2017-02-02/2017-02-03",
             "source": second},
            {"who": "A checker", "stance": "checks", "when": "", "note": "None was found"},
            {"who": "An author", "stance": "retracts", "when": "2017-02-XX"},
        )
    ]  # fmt: skip
    for from_, to, kind in ((0, 1, "quoted"), (1, 2, "checks"), (0, 3, "retracts")):
        desk.write(id_, "derivation", "P", {"from": said[from_], "to": said[to], "kind": kind})
    return id_


def check(node: Any, allowed: set[str] | None = None) -> None:
    """A node and all below it, by RANGES and OF."""
    if set(node) == {"@id"}:
        return
    kind = node["@type"]
    assert allowed is None or kind in allowed
    for name, values in node.items():
        if name.startswith("@"):
            continue
        assert name in OF[kind], f"{kind} has no {name}"
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, dict):
                check(value, RANGES[name])
            elif RANGES[name] == {"Date"}:
                assert re.fullmatch(r"\d{4}(-\d\d(-\d\d)?)?", value)
            elif RANGES[name] == {"URL"}:
                assert value.startswith("https://")
            else:
                assert RANGES[name] == {"Text"}, name


def test_schema_org_has_its_ranges(desk: AccountsDesk, dossier: str) -> None:
    made = json.loads(FORMATS["jsonld"][2](desk.read(dossier)))
    assert made["@context"] == "https://schema.org"
    for node in made["@graph"]:
        check(node)
    claim, review = made["@graph"]
    assert review["itemReviewed"]["@id"] == claim["@id"]
    assert claim["about"]["startDate"] == "2017-01-28"
    named = {work["@id"] for work in claim["appearance"]}
    assert {ref["@id"] for work in claim["appearance"] for ref in work.get("isBasedOn", ())} <= named
    assert claim["firstAppearance"]["@id"] in named


def test_prov_is_read_by_its_own_library(desk: AccountsDesk, dossier: str, tmp_path: Path) -> None:
    from prov.model import ProvAttribution, ProvDerivation, ProvDocument, ProvEntity  # slow to load

    found = desk.read(dossier)
    (tmp_path / "prov.json").write_text(FORMATS["prov"][2](found), encoding="utf-8")
    read = ProvDocument.deserialize(str(tmp_path / "prov.json"), format="json")
    assert len(list(read.get_records(ProvEntity))) == len(found.sources) + len(found.appearances)
    assert len(list(read.get_records(ProvAttribution))) == len(found.appearances)
    kinds = [str(next(iter(d.get_asserted_types()), "")) for d in read.get_records(ProvDerivation)]
    assert sorted(kinds) == ["prov:PrimarySource", "prov:PrimarySource", "prov:Quotation", "prov:Revision"]
    assert ProvDocument.deserialize(content=read.serialize(format="json"), format="json") == read


@pytest.mark.foreign
def test_follow_the_money_is_read_by_its_own_library(desk: AccountsDesk, dossier: str) -> None:
    ftm = pytest.importorskip("followthemoney", reason="300 MB: pip install followthemoney to check by it")
    for line in FORMATS["ftm"][2](desk.read(dossier)).splitlines():
        entity = json.loads(line)
        schema = ftm.model.get(entity["schema"])
        schema.validate(entity)
        assert ftm.model.get_proxy(entity).to_dict()["properties"] == entity["properties"]


def test_follow_the_money_is_told_only_what_it_can_hold(desk: AccountsDesk, dossier: str) -> None:
    lines = [json.loads(line) for line in FORMATS["ftm"][2](desk.read(dossier)).splitlines()]
    call, first, second = lines[0], lines[3], lines[4]
    assert call["properties"]["date"] == ["2017-01-28"]
    assert not {"sourceUrl", "date", "language"} & set(first["properties"])
    assert second["properties"]["language"] == ["eng"]
    assert second["properties"]["date"] == ["2017-02"]
    assert second["properties"]["sourceUrl"] == ["https://a.example/\u00e4?b=c"]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("2017-01-28T17:00Z", "2017-01-28"),
        ("2017-01~", "2017-01"),
        ("2017?", "2017"),
        ("2017-02-01/2017-02-03", ""),
        ("2017-02-XX", ""),
        ("../2017", ""),
        ("", ""),
    ],
)
def test_dates_for_others(text: str, plain: str) -> None:
    assert plain_date(text) == plain
