"""Where dossiers are written and read: every entry is checked, kept, handed in to be sealed, and indexed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memcon.accounts.bodies import FIELDS, complete
from memcon.accounts.checks import check
from memcon.accounts.intake import read_source
from memcon.accounts.reading import read_dossier
from memcon.accounts.summary import line_of
from memcon.errors import MemconError, UsageError
from memcon.record import edtf

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memcon.accounts.model import Dossier, Source
    from memcon.accounts.readings import Reading
    from memcon.catalogue.dossiers import DossierIndex
    from memcon.store.dossiers import DossierStore, Kept


class AccountsDesk:
    """The dossiers of one home."""

    def __init__(self, store: DossierStore, index: DossierIndex) -> None:
        self.store = store
        self.index = index

    # --- reading ---

    def read(self, dossier: str) -> Dossier:
        """A dossier whole. UsageError where there is none, FormatError where its files are damaged."""
        return read_dossier(self.store.read(dossier))

    def text(self, dossier: Dossier, source: int) -> str | None:
        """The text of a source that spans count in; None where none could be read from it."""
        digest = dossier.sources[source].text
        return None if digest is None else self.store.get(dossier.id, digest).decode("utf-8")

    def texts(self, dossier: Dossier) -> dict[int, str]:
        """Every text of a dossier, by the number of its source."""
        found = ((n, self.text(dossier, n)) for n in dossier.sources)
        return {n: text for n, text in found if text is not None}

    # --- writing ---

    def open(self, by: str, head: Mapping[str, Any]) -> Dossier:
        """A new dossier; its id is made of the day the call began."""
        body = complete("dossier", head)
        kept = self.store.create(_id_date(body["start"]), by, body)
        return self._indexed(kept.entry.dossier)

    def write(self, dossier: str, kind: str, by: str, body: Mapping[str, Any]) -> Kept:
        """One entry. FormatError for what is no body of its kind, UsageError for what does not fit."""
        if kind not in FIELDS:
            raise UsageError(f"{kind!r} is no kind of entry", cure=f"Kinds: {', '.join(FIELDS)}")
        if kind == "source":
            raise UsageError("a source is taken in with its bytes", cure="Use memcon dossier add")
        full = complete(kind, body)
        found = self.read(dossier)
        check(found, kind, full, lambda n: self.text(found, n))
        kept = self.store.append(dossier, kind, by, full)
        self._indexed(dossier)
        return kept

    def write_foreign(self, dossier: str, kind: str, by: str, body: Mapping[str, Any]) -> Kept:
        """An entry of a kind that another room knows and has checked."""
        if kind in FIELDS:
            raise UsageError(f"entries of kind {kind} are written by their own room")
        self.read(dossier)
        kept = self.store.append(dossier, kind, by, dict(body))
        self._indexed(dossier)
        return kept

    def add_source(
        self, dossier: str, by: str, data: bytes, facts: Mapping[str, Any], *, media_type: str = ""
    ) -> list[Kept]:
        """Take bytes in as they are, and the text read from them; a container (WARC, feed) gives several.

        `facts` are fields of the source entry, and win over what the bytes say of themselves.
        """
        found = self.read(dossier)
        made = []
        readings = read_source(data, str(facts.get("name") or ""), media_type)
        for reading in readings:
            made.append(self._keep(found, by, reading, _told(reading, facts, alone=len(readings) == 1)))
            found = self.read(dossier)
        self._indexed(dossier)
        return made

    def _keep(self, found: Dossier, by: str, reading: Reading, told: Mapping[str, Any]) -> Kept:
        body = complete(
            "source",
            {
                **told,
                "sha256": "0" * 64,
                "bytes": len(reading.data),
                "media_type": reading.media_type,
                "text": None,
                "reader": reading.reader,
                "remarks": list(reading.remarks),
            },
        )
        if body["version_of"] is None and body["address"]:
            body["version_of"] = _newest_of(found, body["address"])
        check(found, "source", body, lambda n: self.text(found, n))
        body["sha256"] = self.store.put(found.id, reading.data)
        if reading.text is not None:
            body["text"] = self.store.put(found.id, reading.text.encode("utf-8"))
        return self.store.append(found.id, "source", by, body)

    # --- the index ---

    def _indexed(self, dossier: str) -> Dossier:
        found = self.read(dossier)
        self.index.put(line_of(found, self.texts(found)))
        return found

    def index_all(self, *, only_changed: bool = False) -> list[str]:
        """Index every dossier again, or those with more entries than the index knows; what went wrong."""
        known = self.index.known() if only_changed else {}
        problems = []
        for dossier in self.store.ids():
            try:
                if not only_changed or known.get(dossier) != self.store.last(dossier):
                    self._indexed(dossier)
            except MemconError as error:
                problems.append(f"dossier {dossier}: {error}")
        return problems


def _told(reading: Reading, facts: Mapping[str, Any], *, alone: bool) -> dict[str, Any]:
    """What is entered of a reading: what its bytes say, and over that what a person said of them. Of many
    pages each has its own address, and an archive or a feed is nobody's readout."""
    given = {key: value for key, value in facts.items() if value not in ("", None)}
    if reading.holds_others:
        given = {key: given[key] for key in ("name", "publisher", "licence", "note", "seen") if key in given}
    elif not alone and "address" in reading.facts:
        given.pop("address", None)
    return reading.facts | given


def _id_date(start: str) -> str:
    """The day, month or year of an id, from the EDTF start of the call."""
    if not start:
        return "undated"
    date = edtf.parse(start)
    width = {"second": 10, "minute": 10, "day": 10, "interval": 10, "month": 7}.get(date.precision, 4)
    text = start[:width]
    if date.start is None or "X" in text or "/" in text:
        text = start[:4]
    return text if text.replace("-", "").isdigit() else "undated"


def _newest_of(found: Dossier, address: str) -> int | None:
    """The last source taken from this address: what is taken in now is a later version of it."""
    same: list[Source] = [s for s in found.sources.values() if s.address == address]
    return same[-1].n if same else None
