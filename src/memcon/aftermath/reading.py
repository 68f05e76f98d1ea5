"""Reads an event file row by row, whatever its size: bytes in, rows out, and what is wrong with the others.

A row that cannot be read is reported with its number, its place and the reason; none is left out in
silence. A file with other columns is refused before its first row.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from memcon.aftermath.layouts import LAYOUTS, RowError
from memcon.errors import FormatError, UsageError
from memcon.record.layout import brief

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    from memcon.aftermath.layouts import Layout, Plan, Row

MOST_BYTES = 1 << 20
"""The longest row there may be."""
_BOM = b"\xef\xbb\xbf"
_HOPELESS = 100
ENCODINGS = ("utf-8", "windows-1252", "windows-1251", "iso-8859-1", "utf-16")


class Placed(NamedTuple):
    """A row, and where its bytes stand in the file. `odd`: it holds bytes or characters that are damaged."""

    row: Row
    offset: int
    length: int
    odd: bool


class Refused(NamedTuple):
    """A row that was not taken. `number` counts records from 1, without the header."""

    number: int
    offset: int
    reason: str


@dataclass
class EventFile:
    """One file being read. `refused` is called with each row that is not taken."""

    stream: BinaryIO
    name: str
    layout: Layout
    header: tuple[str, ...]
    encoding: str = "utf-8"
    rows: int = 0
    bad: int = 0
    odd: int = 0
    refused: list[Refused] = field(default_factory=list)
    keep_refused: int = 1000
    begin: int = 0

    def __iter__(self) -> Iterator[Placed]:
        """Every readable row, in the file's order."""
        for offset, raw in self._records(self.stream, self.begin):
            placed = self.placed(offset, raw)
            if placed is not None:
                yield placed

    @cached_property
    def plan(self) -> Plan:
        """How its rows are read."""
        return self.layout.plan({name: i for i, name in enumerate(self.header)})

    def fits(self, columns: int) -> bool:
        """Whether a row may have so many columns."""
        return columns == len(self.header) or columns in self.layout.widths

    def placed(self, offset: int, raw: bytes) -> Placed | None:
        """One record read; None where it is empty or was refused."""
        if not raw.strip():
            return None
        self.rows += 1
        try:
            text, odd = self._decoded(raw)
            fields = split_row(text, self.layout)
            if not self.fits(len(fields)):
                raise RowError(f"{len(fields)} columns instead of {len(self.header)}")
            row = self.plan.row(fields)
        except RowError as error:
            self._refuse(offset, str(error))
            return None
        self.odd += odd
        return Placed(row, offset, len(raw), odd)

    def records_of(self, block: bytes, offset: int) -> Iterator[tuple[int, bytes]]:
        """(offset, bytes) of each record of a block that ends where a record ends."""
        return self._records(io.BytesIO(block), offset)

    def _records(self, stream: BinaryIO, offset: int) -> Iterator[tuple[int, bytes]]:
        """(offset, bytes) of each record: a quoted field may run over lines."""
        while line := stream.readline(MOST_BYTES):
            if self.quoted and line.count(b'"') & 1:
                line = self._to_the_end(stream, line, offset)
            elif len(line) == MOST_BYTES:
                raise self.wrong(offset, f"a row of more than {MOST_BYTES:,} bytes")
            yield offset, line
            offset += len(line)

    @property
    def quoted(self) -> bool:
        """Whether its fields may stand in quotes."""
        return self.layout.delimiter == ","

    def _to_the_end(self, stream: BinaryIO, line: bytes, offset: int) -> bytes:
        """A record whose quotes are still open at the end of its line."""
        parts, size, marks = [line], len(line), line.count(b'"')
        while marks & 1:
            more = stream.readline(MOST_BYTES)
            size += len(more)
            if not more or size > MOST_BYTES:
                raise self.wrong(offset, "a quote that is opened and not closed")
            parts.append(more)
            marks += more.count(b'"')
        return b"".join(parts)

    def wrong(self, offset: int, problem: str) -> FormatError:
        return FormatError(
            self.name,
            f"row {self.rows + 1}: {problem}",
            where=offset,
            cure="Mend the file, or ask for it again: nothing of it was taken",
        )

    def _decoded(self, raw: bytes) -> tuple[str, bool]:
        """(text, damaged): a row of another encoding keeps its figures, its words show as damaged."""
        if b"\0" in raw:
            raise RowError("it holds a NUL byte")
        if raw.isascii():
            return raw.decode("ascii"), False
        try:
            text = raw.decode(self.encoding)
        except UnicodeDecodeError:
            return raw.decode(self.encoding, "replace"), True
        return text, "\ufffd" in text

    def _refuse(self, offset: int, reason: str) -> None:
        self.bad += 1
        if len(self.refused) < self.keep_refused:
            self.refused.append(Refused(self.rows, offset, reason))
        if self.bad == self.rows == _HOPELESS:
            raise FormatError(
                self.name,
                f"none of the first {_HOPELESS} rows can be read as {self.layout.title}; the first: "
                f"{self.refused[0].reason}",
                where=self.refused[0].offset,
                cure="Name its layout by --as, or its encoding by --encoding",
            )


@lru_cache(maxsize=16)
def _splitter(delimiter: str) -> Splitter:
    """How one record's text becomes its fields. Raises RowError for quotes that cannot be read."""
    quoted = delimiter == ","

    def split(text: str) -> Sequence[str]:
        text = text.rstrip("\r\n")
        if not quoted or '"' not in text:
            return text.split(delimiter)
        try:
            found = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
        except csv.Error as error:
            raise RowError(f"its quotes cannot be read: {error}") from None
        if len(found) != 1:
            raise RowError("its quotes cannot be read: one stands where none may")
        return found[0]

    return split


def split_row(text: str, layout: Layout) -> Sequence[str]:
    """The fields of one record's text. RowError."""
    return _splitter(layout.delimiter)(text)


def decoded_fields(raw: bytes, layout: Layout, encoding: str) -> Sequence[str]:
    """The fields of one record that was read before."""
    try:
        return split_row(raw.decode(encoding, "replace"), layout)
    except RowError as error:
        raise FormatError("event file", str(error)) from None


def open_events(stream: BinaryIO, name: str, layout: str = "", encoding: str = "utf-8") -> EventFile:
    """Read the head of an event file. `layout` is one of LAYOUTS, found out by the columns where empty.

    Raises FormatError for other columns, for a file that is none and for an encoding that cannot be.
    """
    if layout and layout not in LAYOUTS:
        raise UsageError(f"{layout!r} is no layout", cure=f"Give one of {', '.join(LAYOUTS)}")
    if encoding not in ENCODINGS or encoding == "utf-16":
        raise UsageError(
            f"{encoding!r} is no encoding of event files", cure="Convert the file to UTF-8 first"
        )
    first = stream.readline(MOST_BYTES)
    if first.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FormatError(
            name, "it is UTF-16", where=0, cure="Convert it to UTF-8 first: iconv -f UTF-16 -t UTF-8"
        )
    if first.startswith((b"PK\x03\x04", b"\x1f\x8b")):
        raise FormatError(name, "it is compressed", where=0, cure="Unpack it first")
    if not first.strip():
        raise FormatError(name, "it has no first line", where=0)
    begin = len(_BOM) if first.startswith(_BOM) else 0
    line = first[begin:]
    if b"\0" in line:
        raise FormatError(name, "its first line holds a NUL byte", where=begin + line.index(b"\0"))
    text = line.decode(encoding, "replace").rstrip("\r\n")
    bare = _headless(text, layout)
    if bare is not None:
        header = bare.columns[: text.count("\t") + 1]
        stream.seek(begin)
        return EventFile(stream, name, bare, header, encoding, begin=begin)
    found, header = _headed(text, name, layout)
    return EventFile(stream, name, found, header, encoding, begin=begin + len(line))


def _headless(text: str, layout: str) -> Layout | None:
    """The layout of a file without a header, by the number of its columns and its first two fields."""
    fields = text.split("\t")
    for one in LAYOUTS.values():
        if (
            layout in ("", one.key)
            and len(fields) in one.widths
            and fields[0].isdigit()
            and fields[1].isdigit()
        ):
            return one
    return None


def _names(text: str, delimiter: str) -> tuple[str, ...]:
    try:
        return tuple(name.strip() for name in next(csv.reader([text], delimiter=delimiter), []))
    except csv.Error:  # a lone carriage return, a field without end: the names of no columns
        return (text[:40],)


def _headed(text: str, name: str, layout: str) -> tuple[Layout, tuple[str, ...]]:
    wanted = [LAYOUTS[layout]] if layout else list(LAYOUTS.values())
    headers = {}
    for one in wanted:
        header = _names(text, one.delimiter)
        headers[one.key] = header
        if one.fits(header):
            double = next((f for f in header if f and header.count(f) > 1), None)
            if double is not None:
                raise FormatError(name, f"two columns are named {brief(double)}", where="its first line")
            return one, header
    if layout:
        lacks = ", ".join(wanted[0].missing(headers[layout]))
        raise FormatError(
            name,
            f"it lacks {lacks}",
            where="its first line",
            cure=f"{wanted[0].title} has these columns; name another layout by --as",
        )
    seen = max(headers.values(), key=len)
    raise FormatError(
        name,
        f"its columns are of no event file known here: {', '.join(seen)[:120]}",
        where="its first line",
        cure=f"Give a file of {', '.join(one.title for one in wanted)}",
    )


if TYPE_CHECKING:
    from collections.abc import Callable

    Splitter = Callable[[str], Sequence[str]]
