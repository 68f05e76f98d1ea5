"""An imported set's index: one file a column, fixed width, as many entries as there are rows taken.

It is an index: `source` can be read again. Columns are little-endian integers, read as they stand.

| file | type | |
|---|---|---|
| start, end | i4 | first and last day, `date.toordinal` |
| within | i2 | known to so many days |
| low, best, high | i4 | deaths, -1 where not given |
| lat, lon | i4 | millionths of a degree, the smallest i4 where not given |
| kind, country | i4 | place in `words.json` |
| offset, length | i8, i4 | where the row's bytes stand in `source` |
| odd | u1 | 1: the row holds damaged characters |
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from memcon.errors import FormatError
from memcon.store import durable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from memcon.aftermath.batches import Batch

TYPES = {
    "start": "<i4",
    "end": "<i4",
    "within": "<i2",
    "low": "<i4",
    "best": "<i4",
    "high": "<i4",
    "lat": "<i4",
    "lon": "<i4",
    "kind": "<i4",
    "country": "<i4",
    "offset": "<i8",
    "length": "<i4",
    "odd": "<u1",
}


def write_columns(folder: Path, read: Iterable[Batch]) -> int:
    """Write every column below `folder`; returns how many rows there are. Nothing is synced."""
    durable.make_dirs(folder)
    kinds, countries = _Places(), _Places()
    total = 0
    for batch in read:
        found: dict[str, NDArray[Any]] = dict(batch.numbers)
        found["kind"] = np.fromiter(map(kinds.__getitem__, batch.kinds), np.int64, len(batch))
        found["country"] = np.fromiter(map(countries.__getitem__, batch.countries), np.int64, len(batch))
        found |= {"offset": batch.offsets, "length": batch.lengths, "odd": batch.odd}
        for name, kind in TYPES.items():
            durable.append(folder / f"{name}.col", found[name].astype(kind).tobytes())
        total += len(batch)
    words = {"kind": list(kinds), "country": list(countries)}
    durable.write_file(folder / "words.json", json.dumps(words, ensure_ascii=False).encode(), durable=False)
    return total


class _Places(dict[str, int]):
    """Each new word gets the next place."""

    def __missing__(self, word: str) -> int:
        place = self[word] = len(self)
        return place


class Columns:
    """The columns of one set, mapped into memory. Raises FormatError where they do not fit together."""

    def __init__(self, folder: Path, rows: int) -> None:
        self._folder = folder
        self.rows = rows
        words = durable.read_if_there(folder / "words.json")
        if words is None:
            raise _broken(folder)
        try:
            told = json.loads(words)
            self.kinds: list[str] = [str(word) for word in told["kind"]]
            self.countries: list[str] = [str(word) for word in told["country"]]
        except (ValueError, KeyError, TypeError) as error:
            raise _broken(folder) from error

    def __getitem__(self, name: str) -> NDArray[Any]:
        """One column."""
        path, kind = self._folder / f"{name}.col", np.dtype(TYPES[name])
        if not self.rows:
            return np.zeros(0, kind)
        try:
            size = path.stat().st_size
        except OSError as error:
            raise _broken(self._folder) from error
        if size != self.rows * kind.itemsize:
            raise _broken(self._folder)
        return np.memmap(path, kind, mode="r")


def _broken(folder: Path) -> FormatError:
    return FormatError(
        "event set",
        "its index is damaged",
        where=folder.parent.name[:12],
        cure="Run memcon events import again",
    )
