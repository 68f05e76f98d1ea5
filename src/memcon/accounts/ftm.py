"""A dossier as FollowTheMoney entities: the call, its people, its sources, what was said of it.

The library refuses values that are none of a property's type, so that a value is left out which cannot be
told in them: an interval, an address that is none of the web, a SHA-256 (its checksums are SHA-1).
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memcon.accounts.model import Dossier

_DATE = re.compile(r"\d{4}(?:-\d{2}(?:-\d{2})?)?")
_LANGUAGES = {
    "en": "eng", "ru": "rus", "fr": "fra", "de": "deu", "es": "spa", "it": "ita", "pt": "por", "zh": "zho",
    "uk": "ukr", "ar": "ara", "tr": "tur", "pl": "pol", "ja": "jpn", "fa": "fas", "he": "heb", "ko": "kor",
    "hi": "hin", "be": "bel", "kk": "kaz", "ka": "kat", "hy": "hye", "az": "aze", "nl": "nld", "sv": "swe",
    "fi": "fin", "da": "dan", "no": "nor", "cs": "ces", "sk": "slk", "hu": "hun", "ro": "ron", "bg": "bul",
    "sr": "srp", "hr": "hrv", "el": "ell", "et": "est", "lv": "lav", "lt": "lit", "vi": "vie", "id": "ind",
}  # fmt: skip
"""ISO 639-1 to 639-3, which the library speaks."""


def plain_date(text: str) -> str:
    """An EDTF date as a year, a month or a day without its doubt; empty where it is an interval or open."""
    found = _DATE.match(text)
    return found[0] if found and not re.search(r"[/X]|\.\.", text) else ""


def to_ftm(dossier: Dossier) -> str:
    """FollowTheMoney entities, a JSON object a line: the call, its people, the sources, what was said."""
    lines = [_ftm(dossier, "call", "Call", **_call(dossier))]
    for nth, person in enumerate(dossier.head.participants):
        facts = {"name": person.name, "position": person.office, "country": person.country.lower()}
        lines.append(_ftm(dossier, f"person{nth}", "Person", **facts))
    for source in dossier.sources.values():
        web = source.address.startswith(("http://", "https://"))
        language = source.language.lower().partition("-")[0]
        facts = {
            "title": source.title or source.label,
            "author": source.author,
            "publisher": source.publisher,
            "date": plain_date(source.issued),
            "sourceUrl": source.address if web else "",
            "language": _LANGUAGES.get(language, language if language in _LANGUAGES.values() else ""),
            "notes": f"SHA-256 {source.sha256}",
        }
        lines.append(_ftm(dossier, str(source.n), "Document", **facts))
    for one in dossier.appearances.values():
        text = f"{one.who} {one.stance}: {one.words or dossier.claims[one.claim].text}"
        facts = {
            "name": dossier.claims[one.claim].text,
            "description": text,
            "entity": _id(dossier, "call"),
        }
        lines.append(_ftm(dossier, str(one.n), "Note", **facts))
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def _call(dossier: Dossier) -> dict[str, str]:
    people = len(dossier.head.participants)
    return {
        "date": plain_date(dossier.head.start),
        "caller": _id(dossier, "person0") if people else "",
        "receiver": _id(dossier, "person1") if people > 1 else "",
        "summary": dossier.title,
        "duration": next((str(d.low) for d in dossier.durations if d.low is not None), ""),
    }


def _id(dossier: Dossier, part: str) -> str:
    return "memcon-" + hashlib.sha256(f"{dossier.id}#{part}".encode()).hexdigest()[:20]


def _ftm(dossier: Dossier, part: str, schema: str, **facts: str) -> dict[str, Any]:
    properties = {key: [value] for key, value in facts.items() if value}
    return {"id": _id(dossier, part), "schema": schema, "properties": properties}
