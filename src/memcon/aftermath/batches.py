"""The same rows, many at once: a block of the file is split and each of its columns read as a whole.

A block in which anything is odd (a row that cannot be read, a NUL, bytes of another encoding) is read again
row by row, so that both ways give the same rows and the same refusals.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from memcon.aftermath.layouts import FIGURES, NOTHING, RowError
from memcon.aftermath.reading import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from memcon.aftermath.layouts import Word
    from memcon.aftermath.reading import EventFile, Placed

BLOCK = 1 << 21


@dataclass(frozen=True)
class Batch:
    """Rows by columns: `numbers` by the names of FIGURES, the words of kind and country, and their places."""

    numbers: dict[str, NDArray[np.int64]]
    kinds: Sequence[str]
    countries: Sequence[str]
    offsets: NDArray[np.int64]
    lengths: NDArray[np.int64]
    odd: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.offsets)


def batches(file: EventFile, size: int = BLOCK) -> Iterator[Batch]:
    """All rows of a file that can be read. What `EventFile` raises and counts is the same."""
    for offset, block in _blocks(file, size):
        batch = _whole(file, block, offset)
        yield batch if batch is not None else _one_by_one(file, block, offset)


def _blocks(file: EventFile, size: int) -> Iterator[tuple[int, bytes]]:
    """(offset, bytes), each ending where a record ends."""
    offset, rest = file.begin, b""
    while True:
        more = file.stream.read(size)
        block = rest + more
        if not more:
            break
        cut = _cut(block, quoted=file.quoted)
        if cut == 0 and len(block) > MOST_BYTES + size:
            break  # one record of more than it may be: the row reader says so
        if cut:
            yield offset, block[:cut]
        rest, offset = block[cut:], offset + cut
    if block:
        yield offset, block


def _cut(block: bytes, *, quoted: bool) -> int:
    """Where the last whole record ends; 0 for none."""
    cut = block.rfind(b"\n") + 1
    while cut and quoted and block.count(b'"', 0, cut) & 1:
        cut = block.rfind(b"\n", 0, cut - 1) + 1
    return cut


def _whole(file: EventFile, block: bytes, offset: int) -> Batch | None:
    """The rows of a block in which every one can be read; None where one cannot."""
    if b"\0" in block:
        return None
    try:
        text = block.decode(file.encoding)
    except UnicodeDecodeError:
        return None
    if "\ufffd" in text:
        return None
    try:
        return _columns(file, block, text, offset)
    except (RowError, csv.Error, IndexError):
        return None


def _columns(file: EventFile, block: bytes, text: str, offset: int) -> Batch | None:
    lines = _lines(text)
    if not all(lines) or "\r" in text:
        return None  # an empty line is no record; a file of another system's lines is read row by row
    sizes = map(len, lines if len(text) == len(block) else block.split(b"\n")[: len(lines)])
    begins = np.concatenate([[0], np.cumsum(np.fromiter(sizes, np.int64, len(lines)) + 1)])
    begins[-1] = len(block)
    found, first = _needed(file, lines, quoted=file.quoted and '"' in text)
    if not found:
        return None
    columns = dict(zip(file.plan.places, zip(*found, strict=True), strict=True))
    numbers = _numbers(file, columns, len(found))
    if bool((numbers["end"] < numbers["start"]).any()):
        return None
    kinds, countries = (_words(word, columns, len(found)) for word in (file.plan.kind, file.plan.country))
    file.rows += len(found)
    starts = begins[first]
    lengths = np.diff(np.append(starts, len(block)))
    return Batch(numbers, kinds, countries, starts + offset, lengths, np.zeros(len(found), bool))


def _lines(text: str) -> list[str]:
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return lines


def _needed(
    file: EventFile, lines: list[str], *, quoted: bool
) -> tuple[list[tuple[str, ...]], NDArray[np.int64]]:
    """(the fields that are read, of every record; the line each begins in). Empty: one cannot be read."""
    places, fits = file.plan.places, file.fits
    get = itemgetter(*places)
    if not quoted:
        delimiter = file.layout.delimiter
        widths = {n for n in range(1, len(file.header) + 8) if fits(n)}
        found = [get(f) for line in lines if len(f := line.split(delimiter)) in widths]
        if len(found) != len(lines):
            return [], np.zeros(0, np.int64)
        return found, np.arange(len(found), dtype=np.int64)
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=file.layout.delimiter, strict=True)
    found, first, begin = [], [], 0
    for fields in reader:
        if not fits(len(fields)):
            return [], np.zeros(0, np.int64)
        found.append(get(fields))
        first.append(begin)
        begin = reader.line_num
    quotes = np.cumsum(np.fromiter((line.count('"') for line in lines), np.int64, len(lines)))
    if not np.array_equal(np.flatnonzero(quotes & 1 == 0), np.array([*first[1:], len(lines)]) - 1):
        return [], np.zeros(0, np.int64)  # a quote where none may be: where a record ends is in doubt
    return found, np.array(first, np.int64)


def _numbers(file: EventFile, columns: dict[int, tuple[str, ...]], rows: int) -> dict[str, NDArray[np.int64]]:
    made: dict[int, NDArray[np.int64]] = {}
    numbers = {}
    for name in FIGURES:
        number = file.plan.numbers.get(name, NOTHING)
        if number.at is None or number.read is None:
            numbers[name] = np.full(rows, number.constant, np.int64)
            continue
        key = id(number.read)  # first and last day are often one column, read once
        if key not in made:
            made[key] = np.fromiter(map(number.read.__getitem__, columns[number.at]), np.int64, rows)
        numbers[name] = made[key]
    return numbers


def _words(word: Word, columns: dict[int, tuple[str, ...]], rows: int) -> Sequence[str]:
    if word.at is None:
        return [""] * rows
    return list(map(word.names.__getitem__, columns[word.at]))


def _one_by_one(file: EventFile, block: bytes, offset: int) -> Batch:
    placed = [p for at, raw in file.records_of(block, offset) if (p := file.placed(at, raw)) is not None]
    return batch_of(placed)


def batch_of(placed: Sequence[Placed]) -> Batch:
    """Rows that were read one by one."""

    def column(values: Any) -> NDArray[np.int64]:  # noqa: ANN401 # an iterable of whole numbers
        return np.fromiter(values, np.int64, len(placed))

    return Batch(
        {name: column(getattr(p.row, name) for p in placed) for name in FIGURES},
        [p.row.kind for p in placed],
        [p.row.country for p in placed],
        column(p.offset for p in placed),
        column(p.length for p in placed),
        np.fromiter((p.odd for p in placed), bool, len(placed)),
    )
