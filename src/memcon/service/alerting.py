"""Searches that people keep, and word to them when something new fits one.

`searches.json` holds the searches, `alerts.jsonl` what was told, a line each; both are written by people and
programs of this home alone, and are no part of the record. Word goes where [alerts] says: a webhook, e-mail,
syslog, as a witness gives word of silence. A search is told of a call once, not at every new version.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from memcon.catalogue.numbers import display_number
from memcon.catalogue.search_answer import ask
from memcon.catalogue.search_query import parse
from memcon.clock import utc
from memcon.errors import FormatError, UsageError
from memcon.store import durable
from memcon.witness.notify import Notifier

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from memcon.catalogue.search_answer import Hit
    from memcon.catalogue.search_index import SearchIndex
    from memcon.clock import Clock
    from memcon.store.paths import Home
    from memcon.witness.settings import Notify

MOST_SEARCHES = 200
MOST_ALERTS = 5
"""Calls told of at once for one search and batch; the rest is counted."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}")


@dataclass(frozen=True, slots=True)
class Saved:
    """A search that somebody keeps."""

    name: str
    query: str
    by: str
    at: str


class Alerts:
    """The kept searches of one home."""

    def __init__(self, home: Home, where: Notify, clock: Clock) -> None:
        self._home = home
        self._clock = clock
        self._notifier = Notifier(where, "memcon")

    def saved(self) -> list[Saved]:
        """All of them, by name. FormatError where the file cannot be read."""
        data = durable.read_if_there(self._home.searches)
        if data is None:
            return []
        try:
            return sorted((Saved(**one) for one in json.loads(data)), key=lambda one: one.name)
        except (ValueError, TypeError) as error:
            raise FormatError(
                str(self._home.searches),
                f"{error}",
                cure="Repair it, or remove it and keep searches anew",
            ) from error

    def save(self, name: str, query: str, by: str) -> Saved:
        """Keep a search, in place of the one of that name. UsageError where it cannot be read."""
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name!r} is no name for a search", cure="Use letters, digits, blanks, . _ -")
        parse(query)
        with self._locked():
            others = [one for one in self.saved() if one.name != name]
            if len(others) >= MOST_SEARCHES:
                raise UsageError(f"{MOST_SEARCHES} searches are kept already", cure="Forget one of them")
            made = Saved(name, query, by, utc(self._clock.wall_ns()))
            self._write([*others, made])
        return made

    def forget(self, name: str) -> None:
        """Keep it no more; UsageError where there is none."""
        with self._locked():
            all_ = self.saved()
            if name not in [one.name for one in all_]:
                raise UsageError(f"no search is kept as {name!r}", cure="memcon search saved lists them")
            self._write([one for one in all_ if one.name != name])

    def told(self, count: int = 100) -> list[dict[str, Any]]:
        """The newest alerts, newest first."""
        data = durable.read_if_there(self._home.alerts) or b""
        found = []
        for line in reversed(data.splitlines()):
            try:
                found.append(json.loads(line))
            except ValueError:  # the line that a crash tore
                continue
            if len(found) == count:
                break
        return found

    def look(self, index: SearchIndex, first: int) -> list[str]:
        """Look for every kept search in passages from `first` on; what went wrong, in words."""
        problems: list[str] = []
        searches = self.saved()
        if not searches:
            return []
        before = {(one.get("search"), one.get("ref")) for one in self.told(1_000_000)}
        for search in searches:
            try:
                hits = ask(index, search.query, size=200, above=first - 1).hits
            except UsageError as error:  # of an older version, or too broad
                problems.append(f"search {search.name!r}: {error}")
                continue
            fresh = {hit.ref: hit for hit in reversed(hits) if (search.name, hit.ref) not in before}
            for hit in list(fresh.values())[:MOST_ALERTS]:
                problems += self._tell(search, hit, len(fresh))
        return problems

    def _tell(self, search: Saved, hit: Hit, count: int) -> list[str]:
        where = f"call {display_number(int(hit.ref), hit.wall or 0)}" if hit.kind != "dossier" else hit.ref
        more = f" ({count} in all)" if count > MOST_ALERTS else ""
        second = None if hit.at is None else hit.at // 1000
        event = {
            "at": utc(self._clock.wall_ns()),
            "search": search.name,
            "query": search.query,
            "kind": hit.kind,
            "ref": hit.ref,
            "title": hit.title,
            "second": second,
            "snippet": hit.text,
            "text": f"{search.name}: {where}, {hit.title}{more}: {hit.text}",
        }
        durable.append(self._home.alerts, json.dumps(event, ensure_ascii=False).encode() + b"\n")
        return self._notifier.send(f"memcon: {search.name} was found", event)

    def _write(self, searches: list[Saved]) -> None:
        data = json.dumps([asdict(one) for one in searches], indent=1, ensure_ascii=False)
        durable.write_file(self._home.searches, data.encode())

    def _locked(self) -> AbstractContextManager[None]:
        return durable.locked(self._home.searches.with_name(".searches.lock"))
