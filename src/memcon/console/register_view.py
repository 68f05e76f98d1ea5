"""The register of calls: search, filters, pages, and the live calls that grow at its top."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args
from urllib.parse import urlencode

from starlette.routing import BaseRoute, Route

from memcon.clock import NS
from memcon.console.deps import CallState, Query, RegisterPage
from memcon.console.words import count, day, day_start

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from memcon.console.deps import CallRow
    from memcon.console.render import Pages

DAY_NS = 86_400 * NS
STATES: tuple[CallState, ...] = get_args(CallState)
_MOST_TEXT = 200
_MOST_PAGE = 1_000_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A query as it stood in the address: what was understood, and what was not, in words."""

    query: Query
    fields: dict[str, str]
    not_understood: tuple[str, ...]

    @property
    def narrowed(self) -> bool:
        """Whether anything but the page was asked."""
        query = self.query
        return bool(
            query.text
            or query.since is not None
            or query.until is not None
            or query.states
            or query.party
            or query.line
        )

    def address(self, page: int) -> str:
        """The address of another page of the same question."""
        pairs = [(name, value) for name, value in self.fields.items() if value]
        pairs += [("state", state) for state in sorted(self.query.states)]
        if page > 1:
            pairs.append(("page", str(page)))
        return f"/?{urlencode(pairs)}" if pairs else "/"


def asked(request: Request) -> Asked:
    """Read the question from the address. What cannot be read is said, never guessed."""
    params = request.query_params
    problems: list[str] = []
    fields = {
        name: params.get(name, "").strip()[:_MOST_TEXT] for name in ("q", "from", "to", "party", "line")
    }
    since, until = day_start(fields["from"]), day_start(fields["to"])
    for name, value in (("From", since), ("To", until)):
        if fields[name.lower()] and value is None:
            problems.append(f"{name} was not understood: write a day as 2026-11-24. It was left out.")
    states = frozenset(state for state in STATES if state in params.getlist("state"))
    raw = params.get("page", "1")
    page = int(raw) if raw.isascii() and raw.isdigit() and len(raw) < 8 else 1
    query = Query(
        text=fields["q"],
        since=since,
        until=None if until is None else until + DAY_NS,
        states=frozenset() if len(states) == len(STATES) else states,
        party=fields["party"],
        line=fields["line"],
        page=min(max(page, 1), _MOST_PAGE),
    )
    return Asked(query, fields, tuple(problems))


def title(found: RegisterPage) -> str:
    """`1,284 calls since 2 March 2026`."""
    if not found.all_calls or found.first_began is None:
        return "No call yet"
    return f"{count(found.all_calls, 'call')} since {day(found.first_began)}"


def shown_rows(found: RegisterPage, question: Asked) -> tuple[CallRow, ...]:
    """The rows below the live ones: on an unasked first page a live call stands at the top, once."""
    if question.narrowed or question.query.page > 1:
        return found.rows
    live = {row.number for row in found.live}
    return tuple(row for row in found.rows if row.number not in live)


def routes(pages: Pages) -> list[BaseRoute]:
    """`/` and the fragment that grows it."""
    deps = pages.deps

    def register(request: Request) -> Response:
        question = asked(request)
        found = deps.register.search(question.query)
        plain = not question.narrowed and question.query.page == 1
        last_page = max(1, -(-found.total // question.query.size))
        return pages.page(
            request,
            "register.html",
            question=question,
            found=found,
            title=title(found),
            live=found.live if plain else (),
            rows=shown_rows(found, question),
            last_page=last_page,
            states=STATES,
            lines=deps.register.lines(),
            grow="/fragments/register" if plain else "/fragments/pulse",
        )

    def fragment(request: Request) -> Response:
        return pages.page(request, "fragment_register.html", live=deps.register.live())

    def pulse(request: Request) -> Response:
        return pages.page(request, "fragment_pulse.html")

    return [
        Route("/", register, name="register"),
        Route("/fragments/register", fragment),
        Route("/fragments/pulse", pulse),
    ]
