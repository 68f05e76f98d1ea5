"""Turns values into pages: the template environment and what every page has around its content."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import jinja2
from starlette.responses import HTMLResponse

from memcon.clock import NS
from memcon.console import strip, words
from memcon.console.transcript_words import INSTALL

if TYPE_CHECKING:
    from markupsafe import Markup
    from starlette.requests import Request

    from memcon.console.deps import ConsoleDeps, RecorderStatus
    from memcon.console.session import Session, Sessions

PULSE_SLOTS = 60
STATE_WORDS = {
    "live": "Live",
    "recorded": "Recorded",
    "partly": "Partly recorded",
    "taken": "Taken in",
    "none": "Unrecorded",
    "accounts": "Accounts only",
}
SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
        "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


@dataclass(frozen=True, slots=True)
class Pulse:
    """The recorder's last beats, as the masthead shows them. It never shows a beat that has not come."""

    name: str
    last: str
    sentence: str
    picture: Markup


def pulse_of(status: RecorderStatus, now_ns: int) -> Pulse:
    """The last 60 slots and the newest beat, by the operator's clock."""
    first = now_ns // status.period_ns - PULSE_SLOTS
    states = strip.slot_states(
        status.beats, first, now_ns=now_ns, period_ns=status.period_ns, genesis_slot=status.genesis_slot
    )
    span = words.length(PULSE_SLOTS * status.period_ns)
    picture = strip.beats_strip(states, f"Last {span}", height=18)
    beats = [beat for beat in status.beats if beat.index > 0]
    if not beats:
        return Pulse(status.name, "no beat yet", f"Recorder {status.name}: no beat yet", picture)
    made = words.clock_time((beats[-1].slot + 1) * status.period_ns)
    silent = states.count("silent")
    tail = f", silent for {words.length(silent * status.period_ns)} of the last {span}" if silent else ""
    return Pulse(
        status.name, f"beat {made}", f"Recorder {status.name}: last beat {made} UTC{tail}. Status", picture
    )


def environment(**more: object) -> jinja2.Environment:
    """The templates with the filters and words that all pages share."""
    root = resources.files("memcon.console") / "templates"
    env = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (root / name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(
        day=words.day,
        weekday=words.weekday,
        short_day=words.short_day,
        clock=words.clock_time,
        iso=words.iso,
        number=words.number,
        length=words.length,
        at=words.at,
        lateness=words.lateness,
        octets=words.size,
        grouped=words.grouped,
        full_stop=words.sentence,
    )
    env.globals.update(
        state_words=STATE_WORDS,
        between=words.between,
        count=words.count,
        listed=words.listed,
        register_strip=strip.register_strip,
        install=INSTALL,
        NS=NS,
        **more,
    )
    return env


class Pages:
    """Renders templates with what all of them share."""

    def __init__(self, deps: ConsoleDeps, sessions: Sessions) -> None:
        self.deps = deps
        self.sessions = sessions
        self._env = environment(office=deps.office, version=deps.version)

    def warm(self) -> None:
        """Compile every template now: the first reader after a start does not wait for it."""
        for file in (resources.files("memcon.console") / "templates").iterdir():
            self._env.get_template(file.name)

    def page(
        self,
        request: Request,
        template: str,
        *,
        status_code: int = 200,
        recorder: RecorderStatus | None = None,
        **context: object,
    ) -> HTMLResponse:
        """A page. `recorder` is given by a page that has asked for it already."""
        session: Session | None = getattr(request.state, "session", None)
        user = getattr(request.state, "user", None)
        pulse = None
        if user is not None:
            recorder = recorder or self.deps.register.status(PULSE_SLOTS)
            pulse = pulse_of(recorder, self.deps.clock.wall_ns())
        html = self._env.get_template(template).render(
            pulse=pulse,
            origin=recorder.origin if recorder else "",
            live_calls=recorder.live_calls if recorder else 0,
            every=max(1, recorder.period_ns // NS) if recorder else 10,
            user=user,
            token=self.sessions.form_token(session) if session else "",
            path=request.url.path,
            **context,
        )
        return HTMLResponse(html, status_code, headers={"cache-control": "no-store"})

    def error(self, request: Request, status_code: int, title: str, *lines: str) -> HTMLResponse:
        """An error in words: what happened, what was kept, what to do. Asks nothing of the catalogue."""
        html = self._env.get_template("error.html").render(
            pulse=None,
            origin="",
            every=10,
            user=None,
            token="",
            path=request.url.path,
            status_code=status_code,
            title=title,
            lines=lines,
        )
        return HTMLResponse(html, status_code, headers={"cache-control": "no-store", **SECURITY_HEADERS})
