"""One entry of a dossier on a page of its own: who wrote it and when, what seals it, how to cite it.

Every statement of a dossier rests on an entry; this is its permanent address, withdrawn or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from memcon.accounts.checks import names_of
from memcon.console import dossier_words as words
from memcon.console.citing import public_address
from memcon.console.dossier_view import AT, desk_of, find, may_write

if TYPE_CHECKING:
    from starlette.requests import Request

    from memcon.accounts.model import Dossier
    from memcon.console.render import Pages
    from memcon.store.dossiers import Kept

KINDS = {
    "dossier": "The call",
    "duration": "How long it lasted",
    "record": "A class of record",
    "source": "A source",
    "point": "A mark on a point",
    "overrule": "A word on a topic",
    "link": "Two points joined or parted",
    "claim": "A claim",
    "appearance": "A step of a claim",
    "derivation": "What joins two steps",
    "overtaken": "True when made, overtaken",
    "grade": "A grade",
    "decision": "A proposal decided on",
    "withdrawal": "A withdrawal",
    "event": "An event",
    "account": "An account of an event",
    "reading": "A reading of an act",
    "hypothesis": "A hypothesis",
    "study": "A study",
}
FOR_GOOD = ("dossier", "withdrawal")
"""Kinds that cannot be withdrawn: another one is written instead."""
_LONG = frozenset({"participants", "answer", "facts", "picture"})


@dataclass(frozen=True, slots=True)
class Line:
    """A field of an entry: its name, its value as text, and the entry that the value names."""

    name: str
    value: str
    entry: int | None = None


def lines_of(kept: Kept) -> list[Line]:
    """What the body says, without the fields that say nothing."""
    named = {key: n for key, n in names_of(kept.entry.body) if kept.entry.kind != "record" or key != "class"}
    found = []
    for key, value in kept.entry.body.items():
        if value in ("", None, [], {}) or key in _LONG:
            continue
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        found.append(
            Line(key.replace("_", " "), text if not isinstance(value, bool) else _yes(value), named.get(key))
        )
    return found


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"


def stands_at(dossier: Dossier, kept: Kept) -> str:
    """The page on which an entry shows, below the dossier's own."""
    kind, n, base = kept.entry.kind, kept.entry.n, f"/d/{dossier.id}"
    if kind == "source" and n in dossier.sources:
        return f"{base}/source/{n}"
    if kind == "point" and kept.entry.body.get("source") in dossier.sources:
        return f"{base}/source/{kept.entry.body['source']}#e{n}"
    page = {"event": "/events", "account": "/events", "reading": "/events"}.get(kind, "")
    page = {"hypothesis": "/coincidence", "study": "/coincidence"}.get(kind, page)
    return f"{base}{page}#e{n}"


def routes(pages: Pages) -> list[BaseRoute]:
    """`/d/{date}/{n}/entry/{entry}`: as a page, and byte for byte."""

    def one_of(request: Request) -> tuple[Dossier, Kept]:
        dossier = find(request, pages)
        n = request.path_params["entry"]
        if not 1 <= n <= dossier.version:
            raise HTTPException(404, f"Dossier {dossier.id} has no entry {n}")
        return dossier, dossier.kept[n - 1]

    def show(request: Request) -> Response:
        dossier, kept = one_of(request)
        desk = desk_of(pages)
        base = public_address(pages.deps.public_url, request.url)
        withdrawn = dossier.withdrawals.get(kept.entry.n)
        return pages.page(
            request,
            "entry.html",
            dossier=dossier,
            kept=kept,
            entry=kept.entry,
            kind=KINDS.get(kept.entry.kind, kept.entry.kind),
            lines=lines_of(kept),
            place=None if withdrawn else stands_at(dossier, kept),
            withdrawn=withdrawn,
            used=[
                k
                for k in dossier.kept
                if k.entry.n > kept.entry.n and kept.entry.n in {n for _, n in names_of(k.entry.body)}
            ],
            note=desk.index.sealed([kept.hash]).get(kept.hash),
            citation=words.entry_citation(dossier, kept, office=pages.deps.office, base=base),
            writes=may_write(request) and withdrawn is None and kept.entry.kind not in FOR_GOOD,
            kinds=KINDS,
        )

    def raw(request: Request) -> Response:
        """The bytes that are sealed, as a download."""
        dossier, kept = one_of(request)
        data = desk_of(pages).store.files(dossier.id)[kept.entry.n - 1]
        name = f"{dossier.id.replace('/', '-')}-{kept.entry.n:06d}-{kept.entry.kind}.json"
        headers = {
            "content-disposition": f'attachment; filename="{name}"',
            "x-content-type-options": "nosniff",
        }
        return Response(data, media_type="application/octet-stream", headers=headers)

    return [Route(AT + "/entry/{entry:int}", show), Route(AT + "/entry/{entry:int}/original", raw)]
