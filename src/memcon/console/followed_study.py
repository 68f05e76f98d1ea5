"""The form of a coincidence study: what is asked on the page, carried out and kept."""

from __future__ import annotations

import io
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from memcon.aftermath.keeping import study_body
from memcon.aftermath.reading import open_events
from memcon.aftermath.series import Request, Selection, read_series, study_of, tick_of
from memcon.aftermath.study import CHOSEN, Hypothesis, Naming
from memcon.catalogue.dossiers import DossierQuery
from memcon.clock import utc
from memcon.errors import FormatError, UsageError

if TYPE_CHECKING:
    from starlette.datastructures import FormData

    from memcon.accounts.model import Dossier
    from memcon.aftermath.sets import About, EventSet, EventSets
    from memcon.aftermath.study import Chosen
    from memcon.console.render import Pages

MOST_BYTES = 64 << 20
"""The largest event file taken in by a page; larger ones by `memcon events import`."""
WINDOWS = "3, 1, 2, 7"
_FIGURES = ("ucdp", "acled")
_MOST_CALLS = 10_000


class StudyForms:
    """Fills the form of a study and reads it."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def _kept(self) -> EventSets:
        if self._pages.deps.event_sets is None:
            raise UsageError("this console keeps no event files")
        return self._pages.deps.event_sets

    def sets(self) -> list[About]:
        """The event files that can be asked."""
        kept = self._pages.deps.event_sets
        return [] if kept is None else [kept.open(name).about for name in kept.ids()]

    def choice(self, dossier: Dossier) -> dict[str, str]:
        """What stands in the form at first: the calls of the register between the same countries."""
        desk = self._pages.deps.dossiers
        countries = {p.country for p in dossier.head.participants if p.country}
        dates = {dossier.head.start} if dossier.head.start else set()
        if desk is not None and countries:
            found = desk.index.search(DossierQuery(" ".join(sorted(countries))), size=500).rows
            dates |= {row.date for row in found if set(row.countries) == countries and row.date}
        return {"calls": "\n".join(sorted(dates)), "windows": WINDOWS}

    async def study(self, dossier: Dossier, form: FormData, by: str) -> dict[str, Any]:
        """The body of a `study` entry. FormatError, UsageError for what cannot be asked."""
        upload = form.get("file")
        data = b""
        if isinstance(upload, UploadFile) and upload.filename:
            data = await upload.read(MOST_BYTES + 1)
        name = upload.filename[-100:] if isinstance(upload, UploadFile) and upload.filename else ""
        asked = {key: str(value).strip() for key, value in form.items() if isinstance(value, str)}
        return await run_in_threadpool(self._carried_out, dossier, asked, data, name, by)

    def _carried_out(
        self, dossier: Dossier, asked: dict[str, str], data: bytes, name: str, by: str
    ) -> dict[str, Any]:
        if asked.get("chosen") not in CHOSEN:
            raise UsageError(
                "it is not said whether the hypothesis was written down before the events were seen",
                cure="Choose before, after or not known: it is kept and printed",
            )
        found = self._taken_in(data, name, by) if data else self._kept().open(asked.get("set", ""))
        figures = found.layout.key in _FIGURES
        happened = found.series(Selection("best" if figures else "events"))
        request = Request(
            _windows(asked.get("windows") or WINDOWS),
            span=(_day(asked.get("from", "")), _day(asked.get("to", ""))),
            call=tick_of(dossier.head.start, "day", what="call") if dossier.head.start else None,
        )
        chosen = cast("Chosen", asked["chosen"])
        hypothesis = Hypothesis(asked.get("text", ""), chosen, by, "", asked.get("evidence", ""))
        naming = Naming(
            "deaths" if figures else "events",
            events_from=f"{found.layout.title}, file {found.about.name}, set {found.about.sha256[:12]}",
            calls_from="as listed in this study",
        )
        listed = io.BytesIO(f"date\n{_lines(asked.get('calls', ''))}\n".encode())
        calls = read_series(open_events(listed, "the list of calls", "plain"), Selection(within=1))
        return study_body(study_of(happened, calls, request, hypothesis, naming), asked.get("note", ""))

    def _taken_in(self, data: bytes, name: str, by: str) -> EventSet:
        if len(data) > MOST_BYTES:
            raise UsageError(
                f"{name} is larger than {MOST_BYTES >> 20} MiB", cure="Take it in with memcon events import"
            )
        at = utc(self._pages.deps.clock.wall_ns())
        clean = re.sub(r"[^\w.() -]", "_", name) or "events"
        with tempfile.TemporaryDirectory(prefix="memcon-") as folder:
            path = Path(folder) / clean
            path.write_bytes(data)
            about = self._kept().take_in(path, by=by, at=at)
        return self._kept().open(about.sha256)


def _windows(text: str) -> tuple[int, ...]:
    parts = [part for part in re.split(r"[,\s]+", text) if part]
    if not 0 < len(parts) <= 12 or not all(
        part.isascii() and part.isdigit() and len(part) < 5 for part in parts
    ):
        raise FormatError("form", "write lengths in days, such as 3, 1, 2, 7", where="windows")
    return tuple(dict.fromkeys(int(part) for part in parts))


def _day(text: str) -> int | None:
    return tick_of(text, "day") if text else None


def _lines(text: str) -> str:
    """The days; of lines pasted from a table, the first column."""
    days = (line.partition(",")[0].strip(' "\t') for line in text.splitlines())
    lines = [day for day in days if day and day != "date"]
    if len(lines) > _MOST_CALLS:
        raise UsageError(
            f"{len(lines):,} calls", cure=f"Give at most {_MOST_CALLS:,}, or use the command line"
        )
    return "\n".join(lines)
