"""What the search knows, kept up to date: transcripts, dossiers, and the parties and numbers of calls.

The files are the record; `search.sqlite` is an index over them, told apart by version, made again by
`memcon rebuild`. What people asked to be told of is looked for in each passage that is new.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.accounts.chain import chain_of
from memcon.catalogue.catalogue import Filter
from memcon.catalogue.numbers import display_number
from memcon.catalogue.passages import Said, of_text, of_transcript
from memcon.catalogue.search_answer import ask
from memcon.catalogue.search_index import Document, SearchIndex
from memcon.errors import MemconError
from memcon.record.hashing import sha256
from memcon.service.alerting import Alerts
from memcon.service.dossiers import open_desk
from memcon.service.transcripts import open_transcripts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memcon.accounts.desk import AccountsDesk
    from memcon.accounts.model import Dossier
    from memcon.catalogue.catalogue import Catalogue
    from memcon.catalogue.rows import CallRow
    from memcon.catalogue.search_answer import Answer
    from memcon.clock import Clock
    from memcon.service.config import Config
    from memcon.store.paths import Home
    from memcon.store.transcripts import TranscriptStore

BATCH = 50
"""Documents that are indexed in one transaction: the search answers in between."""
PAGE = 500


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """How many documents were indexed, and what went wrong in words."""

    documents: int
    problems: tuple[str, ...]


class Searching:
    """The search of one home. One of its processes indexes; any may ask."""

    def __init__(
        self,
        home: Home,
        config: Config,
        clock: Clock,
        catalogue: Catalogue,
        transcripts: TranscriptStore,
        dossiers: AccountsDesk,
    ) -> None:
        self.index = SearchIndex(home.search)
        self.alerts = Alerts(home, config.alerts, clock)
        self._catalogue = catalogue
        self._transcripts = transcripts
        self._dossiers = dossiers
        self._seen = ""
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the index."""
        self.index.close()

    def ask(self, question: str, *, page: int = 1, size: int = 20) -> Answer:
        """Answer a question; UsageError where it cannot be read."""
        return ask(self.index, question, page=page, size=size)

    def rebuild(self) -> CaughtUp:
        """Forget everything and index it again; nobody is told of what is only indexed again."""
        self.index.clear()
        self._seen = ""
        return self.catch_up(tell=False)

    def catch_up(self, *, tell: bool = True) -> CaughtUp:
        """Index what is new or changed; tell of what somebody asked to be told of."""
        with self._lock:
            known = self.index.known()
            problems: list[str] = []
            done = 0
            batch: list[Document] = []
            for document in self._changed(known, problems):
                batch.append(document)
                if len(batch) >= BATCH:
                    done += self._put(batch, problems, tell=tell)
                    batch = []
            done += self._put(batch, problems, tell=tell)
        return CaughtUp(done, tuple(problems))

    def _put(self, batch: list[Document], problems: list[str], *, tell: bool) -> int:
        if batch:
            first, last = self.index.put(batch)
            if tell and first <= last:
                problems += self.alerts.look(self.index, first)
        return len(batch)

    def _changed(self, known: dict[tuple[str, str, str], str], problems: list[str]) -> Iterator[Document]:
        for source in (self._calls, self._transcripts_changed, self._dossiers_changed):
            try:
                yield from source(known)
            except MemconError as error:
                problems.append(str(error))

    # --- calls: their parties and what is known of them ---

    def _calls(self, known: dict[tuple[str, str, str], str]) -> Iterator[Document]:
        state = self._catalogue.changes()
        if state == self._seen:
            return
        page = 1
        while True:
            found = self._catalogue.register(Filter(), page=page, size=PAGE)
            for row in reversed(found.rows):
                if row.state == "accounts":
                    continue  # found as a dossier
                document = _of_call(row)
                if known.get(("call", document.ref, "")) != document.hash:
                    yield document
            if page * PAGE >= found.total:
                break
            page += 1
        self._seen = state

    # --- transcripts ---

    def _transcripts_changed(self, known: dict[tuple[str, str, str], str]) -> Iterator[Document]:
        for key in self._transcripts.subjects():
            kind, _, id_ = key.partition("-")
            ref = id_ if kind == "call" else f"-{id_}"
            version = self._transcripts.current_version(key)
            if version is None or known.get(("transcript", ref, "")) == f"{key}:{version}":
                continue
            yield self._of_transcript(key, ref, version)

    def _of_transcript(self, key: str, ref: str, version: int) -> Document:
        transcript = self._transcripts.read(key, version).transcript
        speakers, said = of_transcript(transcript)
        row = self._catalogue.row(int(ref)) if ref.lstrip("-").isdecimal() else None
        languages = [lane.language for lane in transcript.lanes]
        return Document(
            "transcript", ref, "", f"{key}:{version}", _title(row, ref), said, speakers or [""],
            list(row.parties or ()) if row is not None else speakers,
            None if row is None else row.start_wall, version, languages[0] if languages else "und",
            transcript.kind == "corrected",
        )  # fmt: skip

    # --- dossiers ---

    def _dossiers_changed(self, known: dict[tuple[str, str, str], str]) -> Iterator[Document]:
        for id_ in self._dossiers.store.ids():
            state = f"{id_}:{self._dossiers.store.last(id_)}"
            if known.get(("dossier", id_, "")) == state:
                continue
            dossier = self._dossiers.read(id_)
            texts = self._dossiers.texts(dossier)
            for n, text in texts.items():
                source = dossier.sources[n]
                if ("dossier", id_, str(n)) not in known:
                    title = source.title or dossier.title
                    yield _of_dossier(
                        dossier, str(n), source.sha256, title, of_text(text, source.language or "en")
                    )
            yield _of_dossier(dossier, "", state, dossier.title, list(_written(dossier)))


def open_search(home: Home, config: Config, clock: Clock, catalogue: Catalogue) -> Searching:
    """The search of this home."""
    desk, transcripts = open_desk(home, clock, catalogue), open_transcripts(home, clock)
    return Searching(home, config, clock, catalogue, transcripts, desk)


def _title(row: CallRow | None, ref: str) -> str:
    if row is None:
        return display_number(int(ref), 0) if ref.startswith("-") else f"call {ref}"
    return ", ".join(row.parties or ()) or row.display


def _of_call(row: CallRow) -> Document:
    words = [*(row.parties or ()), row.display, row.line or ""]
    said = [Said(0, "und", tuple(" ".join(words).split()))]
    digest = sha256(json.dumps([words, row.start_wall, row.state], ensure_ascii=False).encode()).hex()
    title, people = _title(row, str(row.number)), list(row.parties or ())
    return Document("call", str(row.number), "", digest, title, said, ("",), people, row.start_wall)


def _of_dossier(dossier: Dossier, part: str, hash_: str, title: str, said: list[Said]) -> Document:
    date = dossier.head.date
    people = [person.name for person in dossier.head.participants]
    start = None if date is None or date.start is None or date.start < 0 else date.start
    return Document("dossier", dossier.id, part, hash_, title, said, ("",), people, start, 1, "en")


def _written(dossier: Dossier) -> Iterator[Said]:
    """What people wrote in a dossier themselves: the head, claims, who said what.

    A claim never stands alone as if it were so: its state is part of the passage, as on its page.
    """
    yield from of_text(dossier.title, "en")
    yield from of_text(dossier.head.note, "en")
    for person in dossier.head.participants:
        yield from of_text(f"{person.name} {person.office}", "en")
    for claim in dossier.claims.values():
        state = chain_of(dossier, claim.n).sentence
        yield from of_text(f"A claim: “{claim.text}” {state} {claim.about} {claim.note}", "en")
    for one in dossier.appearances.values():
        yield from of_text(f"{one.who} {one.stance}: {one.words} {one.where} {one.note}", "en")
