"""The pages of what followed a call: its time line, the accounts in it, and the answer on coincidence."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from memcon.aftermath import timeline, timeline_svg
from memcon.aftermath.bodies import FIELDS, FIGURES
from memcon.aftermath.desk import FollowedDesk, Line, line_of
from memcon.console.dossier_view import desk_of, find, may_write, writer
from memcon.console.dossier_writing import not_written
from memcon.console.followed_study import StudyForms
from memcon.console.followed_words import studies_of
from memcon.console.guard import posted
from memcon.console.register_view import DAY_NS
from memcon.console.words import day_start
from memcon.errors import FormatError, UsageError

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request

    from memcon.accounts.model import Dossier
    from memcon.console.render import Pages

KINDS = {"event": "Events", "act": "Official acts", "statement": "Statements"}
WRITTEN = ("event", "account", "reading", "hypothesis")
_PLACES = frozenset(FIGURES) | {"event", "source", "start", "end", "row"}


@dataclass(frozen=True)
class Asked:
    """What a reader wants of the line, and what of it could not be read."""

    fields: dict[str, str]
    kinds: frozenset[str]
    shown: timeline.Filter
    problems: tuple[str, ...]


def asked_of(request: Request) -> Asked:
    """The filters of an address."""
    params = request.query_params
    fields = {key: params.get(key, "").strip()[:200] for key in ("q", "who", "from", "to")}
    kinds = frozenset(kind for kind in KINDS if kind in params.getlist("kind"))
    since, until = day_start(fields["from"]), day_start(fields["to"])
    problems = tuple(
        f"{fields[key]!r} is no day: write 2017-01-28"
        for key, read in (("from", since), ("to", until))
        if fields[key] and read is None
    )
    shown = timeline.Filter(
        frozenset() if len(kinds) == len(KINDS) else kinds,
        fields["q"],
        fields["who"],
        since,
        None if until is None else until + DAY_NS,
    )
    return Asked(fields, kinds, shown, problems)


def body_of(kind: str, form: FormData) -> dict[str, Any]:
    """A form's fields as a body; fields that were left empty are not given."""
    body: dict[str, Any] = {}
    for name in FIELDS[kind]:
        text = form.get(name)
        if not isinstance(text, str) or not text.strip():
            continue
        if name in _PLACES:
            if not text.strip().isascii() or not text.strip().isdigit() or len(text) > 15:
                raise FormatError("form", f"{text[:40]!r} is no number", where=name)
            body[name] = int(text)
        else:
            body[name] = text.strip().replace("\r\n", "\n")
    return body


def routes(pages: Pages) -> list[BaseRoute]:
    """What stands below `/d/{date}/{n}/` about before and after."""
    forms = StudyForms(pages)

    def line(request: Request) -> tuple[Line[Dossier], Asked, list[timeline.Item]]:
        found, asked = line_of(find(request, pages)), asked_of(request)
        return found, asked, [item for item in found.items if asked.shown.shows(item)]

    def show(request: Request) -> Response:
        found, asked, items = line(request)
        return pages.page(
            request,
            "followed.html",
            dossier=found.dossier,
            items=items,
            all_items=found.items,
            asked=asked,
            kinds=KINDS,
            svg=Markup(timeline_svg.drawn(items)),  # noqa: S704 # drawn here, texts escaped
            writes=may_write(request),
        )

    def svg(request: Request) -> Response:
        _, _, items = line(request)
        return Response(timeline_svg.alone(timeline_svg.drawn(items)), media_type="image/svg+xml")

    def as_json(request: Request) -> Response:
        found, _, items = line(request)
        told = timeline.timelinejs(items, str(request.url_for("dossier", **request.path_params)))
        name = f"timeline-{found.dossier.id.replace('/', '-')}.json"
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return Response(json.dumps(told, ensure_ascii=False), media_type="application/json", headers=headers)

    def coincidence(request: Request) -> Response:
        found = line_of(find(request, pages))
        return pages.page(
            request,
            "coincidence.html",
            dossier=found.dossier,
            studies=studies_of(found),
            hypotheses=list(found.followed.hypotheses.values()),
            sets=forms.sets(),
            writes=may_write(request),
            choice=forms.choice(found.dossier),
        )

    async def write(request: Request, form: FormData) -> Response:
        by, kind = writer(request), request.path_params["kind"]
        if kind not in WRITTEN and kind != "study":
            raise HTTPException(404, "There is no such form")
        dossier = await run_in_threadpool(find, request, pages)
        desk = FollowedDesk(desk_of(pages))
        try:
            body = await forms.study(dossier, form, by) if kind == "study" else body_of(kind, form)
            kept = await run_in_threadpool(desk.write, dossier.id, kind, by, body)
        except (FormatError, UsageError) as error:
            return not_written(pages, request, error)
        page = "coincidence" if kind in ("hypothesis", "study") else "events"
        return RedirectResponse(f"/d/{dossier.id}/{page}#e{kept.entry.n}", 303)

    at = "/d/{date}/{n:int}"
    return [
        Route(at + "/events", show),
        Route(at + "/events.svg", svg),
        Route(at + "/timeline.json", as_json),
        Route(at + "/coincidence", coincidence),
        Route(at + "/followed/{kind}", posted(pages, write, files=1), methods=["POST"]),
    ]
