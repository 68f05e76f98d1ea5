"""The pages of dossiers as a reader sees them: the register, a dossier, a source, what can be taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from memcon.accounts.attribution import proposals
from memcon.accounts.bodies import CHANNELS, COMPLETENESS, POINT_KINDS, STANCES, STATUSES
from memcon.accounts.chain import grade_warnings
from memcon.accounts.compare import compare
from memcon.accounts.exports import FORMATS, chains_of
from memcon.accounts.lexicon import own
from memcon.accounts.points import points_of
from memcon.accounts.similar import alike, changes
from memcon.accounts.speakers import speakers_of
from memcon.aftermath.desk import line_of
from memcon.catalogue.dossiers import DossierQuery
from memcon.console import dossier_words as words
from memcon.console.citing import public_address
from memcon.console.followed_words import studies_of
from memcon.console.log_keys import dossier_command
from memcon.console.register_view import DAY_NS
from memcon.console.words import day_start
from memcon.errors import FormatError, UsageError

if TYPE_CHECKING:
    from starlette.requests import Request

    from memcon.accounts.desk import AccountsDesk
    from memcon.accounts.model import Dossier, Source
    from memcon.accounts.points import Point
    from memcon.console.render import Pages

SIZE = 25
MOST_PROPOSALS = 200
MOST_CHANGES = 100
AT = "/d/{date}/{n:int}"
"""Where a dossier stands."""


def desk_of(pages: Pages) -> AccountsDesk:
    """The desk, or 404 where this console keeps no dossiers."""
    if pages.deps.dossiers is None:
        raise HTTPException(404, "This console keeps no dossiers")
    return pages.deps.dossiers


def find(request: Request, pages: Pages) -> Dossier:
    """The dossier that the address names."""
    id_ = f"{request.path_params['date']}/{request.path_params['n']}"
    try:
        return desk_of(pages).read(id_)
    except UsageError as error:
        raise HTTPException(404, f"There is no dossier {id_}") from error
    except FormatError as error:
        if error.what == "dossier id":
            raise HTTPException(404, f"There is no dossier {id_}") from error
        raise


def may_write(request: Request) -> bool:
    """Readers read; every other role writes."""
    return request.state.user is not None and request.state.user.role != "reader"


def writer(request: Request) -> str:
    """The name of whoever writes; HTTPException(403) for a user who may only read."""
    if not may_write(request):
        raise HTTPException(403)
    return str(request.state.user.name)


def source_points(dossier: Dossier, source: Source, text: str) -> list[Point]:
    """The points of any source, as its page shows them."""
    people = dossier.head.participants
    countries = frozenset(p.country for p in people if p.country)
    speakers = speakers_of(people, own())
    return points_of(source.n, text, own(), speakers, own=countries, marked=dossier.points)


def source_of(request: Request, dossier: Dossier) -> Source:
    """The source an address names, or HTTPException 404."""
    one = dossier.sources.get(request.path_params["source"])
    if one is None:
        raise HTTPException(404, f"Dossier {dossier.id} has no such source")
    return one


def page_of(request: Request) -> int:
    """The page of a list that an address names; the first, if it names none."""
    raw = request.query_params.get("page", "1")
    return max(1, int(raw)) if raw.isascii() and raw.isdigit() and len(raw) < 7 else 1


def bundle_name(dossier: Dossier) -> str:
    """What its bundle is saved as."""
    return f"dossier-{dossier.id.replace('/', '-')}.zip"


def query_of(asked: dict[str, str]) -> DossierQuery:
    """What the register's form asks for."""
    since, until = day_start(asked["from"]), day_start(asked["to"])
    end = None if until is None else until + DAY_NS
    return DossierQuery(asked["q"], since, end, asked["record"], asked["has"])


def routes(pages: Pages) -> list[BaseRoute]:
    """`/dossiers`, `/d/{date}/{n}` and what stands below it."""
    return [*_dossiers(pages), *_sources(pages)]


def _dossiers(pages: Pages) -> list[BaseRoute]:
    """The register, and a dossier: its page, its exports, the form of a new one."""

    def register(request: Request) -> Response:
        params = request.query_params
        asked = {key: params.get(key, "").strip()[:200] for key in ("q", "from", "to", "record", "has")}
        page = page_of(request)
        found = desk_of(pages).index.search(query_of(asked), page=page, size=SIZE)
        kept = {key: value for key, value in asked.items() if value}
        return pages.page(
            request,
            "dossiers.html",
            found=found,
            asked=asked,
            page=page,
            last_page=max(1, -(-found.total // SIZE)),
            link=lambda number: f"/dossiers?{urlencode(kept | {'page': number})}",
            narrowed=bool(kept),
            records=words.RECORD_WORDS,
            date_words=words.date_words,
            writes=may_write(request),
        )

    def show(request: Request) -> Response:
        desk, dossier = desk_of(pages), find(request, pages)
        texts = desk.texts(dossier)
        found = compare(dossier, texts)
        followed = line_of(dossier)
        hashes = [kept.hash for kept in dossier.kept]
        base = public_address(pages.deps.public_url, request.url)
        return pages.page(
            request,
            "dossier.html",
            dossier=dossier,
            words=words,
            comparison=found,
            lexicon=own(),
            chains=chains_of(dossier),
            warnings=grade_warnings,
            copies=alike(texts),
            sealed=words.sealed_words(desk.index.sealed(hashes), hashes),
            citation=words.citation(
                dossier, office=pages.deps.office, address=f"{base}/d/{dossier.id}" if base else ""
            ),
            formats=FORMATS,
            bundle=None
            if pages.deps.bundle_dossier is None
            else dossier_command(
                pages.deps.register.status(1).vkeys,
                bundle_name(dossier),
                packed=pages.deps.verifier_file is not None,
            ),
            writes=may_write(request),
            fetches=pages.deps.fetch_source is not None,
            followed=followed,
            studies=studies_of(followed),
            choices={"stances": STANCES, "statuses": STATUSES, "completeness": COMPLETENESS},
        )

    def export(request: Request) -> Response:
        dossier = find(request, pages)
        kind = request.path_params["kind"]
        if kind not in FORMATS:
            raise HTTPException(404, "There is no such export")
        name, media_type, make = FORMATS[kind]
        headers = {"content-disposition": f'attachment; filename="{dossier.id.replace("/", "-")}-{name}"'}
        return Response(make(dossier), media_type=media_type, headers=headers)

    def bundle(request: Request) -> Response:
        dossier = find(request, pages)
        if pages.deps.bundle_dossier is None:
            raise HTTPException(404, "This console makes no bundles of dossiers")
        headers = {"content-disposition": f'attachment; filename="{bundle_name(dossier)}"'}
        return Response(pages.deps.bundle_dossier(dossier.id), media_type="application/zip", headers=headers)

    def blank(request: Request) -> Response:
        writer(request)
        given = {key: request.query_params.get(key, "")[:100] for key in ("call", "start")}
        return pages.page(request, "dossier_new.html", problem="", given=given, channels=CHANNELS)

    return [
        Route("/dossiers", register, name="dossiers"),
        Route("/dossiers/new", blank, methods=["GET"]),
        Route(AT, show, name="dossier"),
        Route(AT + "/export/{kind}", export),
        Route(AT + "/bundle", bundle),
    ]


def _sources(pages: Pages) -> list[BaseRoute]:
    """A source of a dossier, as a page and as it came."""

    def source(request: Request) -> Response:
        desk, dossier = desk_of(pages), find(request, pages)
        one = source_of(request, dossier)
        text, kept = desk.text(dossier, one.n), dossier.kept[one.n - 1]
        base = public_address(pages.deps.public_url, request.url)
        earlier = desk.text(dossier, one.version_of) if one.version_of in dossier.sources else None
        decided = {(d.source, d.start, d.end) for d in dossier.decisions}
        offered = [p for p in proposals(one.n, text or "") if (p.source, p.start, p.end) not in decided]
        return pages.page(
            request,
            "source.html",
            dossier=dossier,
            source=one,
            citation=words.source_citation(dossier, one, office=pages.deps.office, base=base),
            note=desk.index.sealed([kept.hash]).get(kept.hash),
            facts=words.source_facts(one),
            text=text,
            points=source_points(dossier, one, text) if text else [],
            lexicon=own(),
            changes=changes(earlier, text)[:MOST_CHANGES] if earlier and text else [],
            offered=offered[:MOST_PROPOSALS],
            writes=may_write(request),
            choices={"kinds": POINT_KINDS, "stances": STANCES},
            words=words,
        )

    def original(request: Request) -> Response:
        """The bytes as they came, never as a page: a download that no browser opens here."""
        desk, dossier = desk_of(pages), find(request, pages)
        one = source_of(request, dossier)
        name = f"source-{dossier.id.replace('/', '-')}-{one.n}.bin"
        headers = {
            "content-disposition": f'attachment; filename="{name}"',
            "x-content-type-options": "nosniff",
        }
        return Response(
            desk.store.get(dossier.id, one.sha256), media_type="application/octet-stream", headers=headers
        )

    return [
        Route(AT + "/source/{source:int}", source),
        Route(AT + "/source/{source:int}/original", original),
    ]
