"""Event files taken in: kept byte for byte, sealed, and indexed by columns, so that millions can be asked.

events/<SHA-256 of the file>/source        the file as it came
events/<SHA-256 of the file>/about.json    canonical JSON, sealed as a NOTE of type source
events/<SHA-256 of the file>/refused.json  the rows that could not be read, with the reason
events/<SHA-256 of the file>/columns/      the index (columns.py): made again from `source`
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from memcon.aftermath.batches import batches
from memcon.aftermath.columns import Columns, write_columns
from memcon.aftermath.layouts import LAYOUTS, NONE
from memcon.aftermath.reading import EventFile, Refused, decoded_fields, open_events
from memcon.aftermath.series import Series
from memcon.errors import FormatError, UsageError
from memcon.record import canonical
from memcon.store import durable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from memcon.aftermath.frame import Ints
    from memcon.aftermath.series import Selection

VERSION = "memcon/events/1"
NOTE_SOURCE = 2
_CHUNK = 1 << 22
_HASH = re.compile(r"[0-9a-f]{64}")
_PREFIX = re.compile(r"[0-9a-f]{6,64}")


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a set. `rows` were read, `bad` refused, `odd` hold damaged characters."""

    sha256: str
    name: str
    size: int
    layout: str
    encoding: str
    header: tuple[str, ...]
    rows: int
    bad: int
    odd: int
    first: str
    last: str
    by: str
    at: str

    @property
    def taken(self) -> int:
        """Rows in the index."""
        return self.rows - self.bad

    def encode(self) -> bytes:
        """The bytes of about.json."""
        own = {name: getattr(self, name) for name in self.__slots__}
        return canonical.dumps({"format": VERSION, **own, "header": list(self.header)}, "about.json")


def _about(data: bytes) -> About:
    keys: dict[str, type] = dict.fromkeys(About.__slots__, str) | {"format": str, "header": list}
    keys |= dict.fromkeys(("size", "rows", "bad", "odd"), int)
    facts = canonical.load_object(data, "about.json", keys)
    if facts.pop("format") != VERSION or facts["layout"] not in LAYOUTS:
        raise FormatError("about.json", "of another version")
    return About(**{**facts, "header": tuple(str(name) for name in facts["header"])})


@dataclass(frozen=True, slots=True)
class Query:
    """Which rows. Days as `date.toordinal`, both in it; a row whose span touches them is found."""

    since: int | None = None
    until: int | None = None
    kind: str = ""
    country: str = ""
    within: int | None = None


class EventSet:
    """One set: its rows by number, from 0, in the file's order."""

    def __init__(self, folder: Path, about: About) -> None:
        self._folder = folder
        self.about = about
        self.layout = LAYOUTS[about.layout]
        self.columns = Columns(folder / "columns", about.taken)

    def select(self, query: Query) -> Ints:
        """Numbers of the rows that fit, by their first day."""
        columns = self.columns
        fits = np.ones(self.about.taken, bool)
        if query.since is not None:
            fits &= columns["end"] >= query.since
        if query.until is not None:
            fits &= columns["start"] <= query.until
        if query.within is not None:
            fits &= columns["within"] <= query.within
        if query.kind:
            fits &= self._named("kind", columns.kinds, lambda word: word.startswith(query.kind))
        if query.country:
            fits &= self._named("country", columns.countries, lambda word: word == query.country)
        found = np.flatnonzero(fits)
        return found[np.argsort(columns["start"][found], kind="stable")].astype(np.int64)

    def _named(self, column: str, words: list[str], fits: Callable[[str], bool]) -> NDArray[np.bool_]:
        wanted = np.array([fits(word) for word in words], bool)
        if not wanted.size:
            return np.zeros(self.about.taken, bool)
        return np.asarray(wanted[self.columns[column]])

    def series(self, selection: Selection) -> Series:
        """The rows that fit as a series for a study; what is left out is said."""
        columns, name = self.columns, self.about.name
        chosen = self.select(Query(kind=selection.kind, country=selection.country))
        weights = np.ones(len(chosen), np.int64)
        if selection.measure != "events":
            weights = columns[selection.measure][chosen].astype(np.int64)
        bare = weights == NONE
        vague = ~bare & (columns["within"][chosen] > selection.within)
        kept = chosen[~bare & ~vague]
        counts = (
            (int(vague.sum()), f"not dated to within {selection.within} days"),
            (int(bare.sum()), f"no {selection.measure} figure"),
            (self.about.bad, "cannot be read"),
        )
        remarks = tuple(
            f"{n:,} row{' of' if n == 1 else 's of'} {name} {'is' if n == 1 else 'are'} left out: {why}."
            for n, why in counts
            if n
        )
        first, last = (columns[side][kept].astype(np.int64) for side in ("start", "end"))
        return Series(first, last, weights[~bare & ~vague], remarks)

    def row(self, number: int) -> dict[str, str]:
        """The fields of one row, by the names of their columns, from the file as it came."""
        if not 0 <= number < self.about.taken:
            raise UsageError(
                f"there is no row {number} in this set", cure=f"It has {self.about.taken:,}, from 0"
            )
        offset, length = int(self.columns["offset"][number]), int(self.columns["length"][number])
        path = self._folder / "source"
        with durable.machine_errors(path, "reading"), path.open("rb") as stream:
            stream.seek(offset)
            raw = stream.read(length)
        fields = decoded_fields(raw, self.layout, self.about.encoding)
        return dict(zip(self.about.header, fields, strict=False))

    def dates(self, number: int) -> tuple[date, date, int]:
        """(first day, last day, known to so many days) of a row."""
        first, last = (date.fromordinal(int(self.columns[side][number])) for side in ("start", "end"))
        return first, last, int(self.columns["within"][number])

    def refused(self) -> list[Refused]:
        """The rows that were not taken; of very many the first thousand."""
        data = durable.read_if_there(self._folder / "refused.json")
        return [Refused(*one) for one in json.loads(data)] if data else []


class EventSets:
    """All sets of a home. `seal` is told (NOTE type, hash) of each that is taken in."""

    def __init__(self, root: Path, seal: Callable[[int, bytes], object]) -> None:
        self._root = root
        self._seal = seal

    def ids(self) -> list[str]:
        """SHA-256 of every set."""
        if not self._root.is_dir():
            return []
        return sorted(p.name for p in self._root.iterdir() if _HASH.fullmatch(p.name))

    def open(self, name: str) -> EventSet:
        """A set by its SHA-256 or the beginning of it."""
        found = [one for one in self.ids() if one.startswith(name)] if _PREFIX.fullmatch(name) else []
        if len(found) != 1:
            raise UsageError(
                f"{name!r} names {'several sets' if found else 'no set'}",
                cure="memcon events sets lists them all",
            )
        folder = self._root / found[0]
        about = _about(durable.read_bytes(folder / "about.json"))
        if not (folder / "columns" / "words.json").exists():
            self._index(folder, about.name, about.layout, about.encoding)
        return EventSet(folder, about)

    def take_in(self, path: Path, *, by: str, at: str, layout: str = "", encoding: str = "utf-8") -> About:
        """Keep, index and seal a file. One that is there already is not taken in twice. FormatError."""
        with durable.machine_errors(path, "reading"), path.open("rb") as stream:
            open_events(stream, path.name, layout, encoding)  # refused before a copy is made
        incoming = self._root / f".incoming-{os.getpid()}"
        durable.remove_tree(incoming)
        durable.make_dirs(incoming)
        try:
            digest, size = self._copied(path, incoming / "source")
            if digest in self.ids():
                return self.open(digest).about
            file, taken = self._index(incoming, path.name, layout, encoding)
            about = self._described(incoming, file, taken, digest, size, by, at)
            durable.sync_tree(incoming / "columns")
            durable.sync_tree(incoming)
            durable.rename_dir(incoming, self._root / digest)
        finally:
            durable.remove_tree(incoming)
        self._seal(NOTE_SOURCE, hashlib.sha256(about.encode()).digest())
        return about

    def _copied(self, path: Path, target: Path) -> tuple[str, int]:
        seen = hashlib.sha256()
        with durable.machine_errors(path, "copying"), path.open("rb") as stream:
            for chunk in iter(lambda: stream.read(_CHUNK), b""):
                seen.update(chunk)
                durable.append(target, chunk)
        return seen.hexdigest(), target.stat().st_size if target.exists() else 0

    def _index(self, folder: Path, name: str, layout: str, encoding: str) -> tuple[EventFile, int]:
        durable.remove_tree(folder / "columns")
        source = folder / "source"
        with durable.machine_errors(source, "reading"), source.open("rb") as stream:
            file = open_events(stream, name, layout, encoding)
            return file, write_columns(folder / "columns", batches(file))

    def _described(
        self, folder: Path, file: EventFile, taken: int, digest: str, size: int, by: str, at: str
    ) -> About:
        columns = Columns(folder / "columns", taken)
        days = (int(columns["start"].min()), int(columns["end"].max())) if taken else None
        first, last = (date.fromordinal(d).isoformat() for d in days) if days else ("", "")
        about = About(digest, file.name, size, file.layout.key, file.encoding, file.header, file.rows,
                      file.bad, file.odd, first, last, by, at)  # fmt: skip
        durable.write_file(folder / "about.json", about.encode())
        durable.write_file(folder / "refused.json", json.dumps(file.refused).encode())
        return about

    def check(self) -> Iterator[tuple[str, str]]:
        """(set, what is wrong with it): sources that are not the bytes that were sealed."""
        for name in self.ids():
            path, seen = self._root / name / "source", hashlib.sha256()
            with durable.machine_errors(path, "reading"), path.open("rb") as stream:
                for chunk in iter(lambda: stream.read(_CHUNK), b""):
                    seen.update(chunk)
            if seen.hexdigest() != name:
                yield name, "its file is not what was sealed"
