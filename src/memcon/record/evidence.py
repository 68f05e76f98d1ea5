"""What lies beside a log's tiles: indexes of notes, cosignatures, conflicts (FORMATS §15 and §17)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.record.layout import Layout
from memcon.tlog.encoding import MAX_INTEGER, from_base64, text_of, to_base64
from memcon.tlog.note import MAX_NOTE_SIZE, Note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COSIGNED = "cosigned"
"""The newest quorum-cosigned note."""
SILENCE_INDEX = "silence/index"
STAMP_INDEX = "timestamp/index"
POLICY = "policy"
ENTRY_SIZE = 48
CONFLICT_HEADER = "memcon/conflict/v1"
CONFLICTS = ("fork", "withheld")
MAX_CONFLICT = 3 * MAX_NOTE_SIZE
DAY = 86_400
LATER = 16
"""Leaves behind a beat whose notes may date it too: a quorum may come with a later one."""

_EPOCH = date(1970, 1, 1).toordinal()
_ENTRY = Layout("index entry", ">QQ32s")
_PATH = re.compile(r"(?P<kind>note|silence|conflict|timestamp|statement)/(?P<hex>[0-9a-f]{64})")
_DAYS = re.compile(r"(?:note/index-|cosignature/|drand/)[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Entry:
    """A note or certificate that there is: tree size, time (POSIX seconds), H of the file."""

    size: int
    time: int
    digest: bytes

    def encode(self) -> bytes:
        return _ENTRY.pack(self.size, self.time, self.digest)


def read_entries(data: bytes, start: int = 0) -> Iterator[Entry]:
    """The entries of an index file from the byte `start` on; an incomplete last one is ignored.

    Raises FormatError for a size or time no log can have.
    """
    for at in range(start, len(data) - ENTRY_SIZE + 1, ENTRY_SIZE):
        size, time, digest = _ENTRY.unpack(data[at : at + ENTRY_SIZE])
        if size > MAX_INTEGER or time > MAX_INTEGER:
            raise FormatError("index", f"an entry of size {size} and time {time}", where=at)
        yield Entry(size, time, digest)


def day_of(time: int) -> str:
    """The UTC day of a POSIX time, `YYYY-MM-DD`; times after the year 9999 fall into its last day."""
    return date.fromordinal(min(_EPOCH + time // DAY, date.max.toordinal())).isoformat()


def index_path(time: int) -> str:
    """The index that a note of this quorum time stands in."""
    return f"note/index-{day_of(time)}"


def days(since: int, until: int) -> range:
    """A POSIX time in each UTC day from one time to another."""
    return range(since - since % DAY, until + 1, DAY)


def dating(
    fetch: Callable[[str], bytes | None], since: int, until: int, first: int, last: int
) -> Iterator[bytes]:
    """Hashes of the notes whose trees hold the leaf `first` and end not far behind the leaf `last`.

    Looked for in the indexes of the days from `since` to a day after `until` (POSIX seconds).
    """
    for time in days(since, until + DAY):
        for entry in read_entries(fetch(index_path(time)) or b""):
            if first < entry.size <= last + 1 + LATER:
                yield entry.digest


def cosignature_path(time: int) -> str:
    """The file of the loose cosignatures of this time's day."""
    return f"cosignature/{day_of(time)}"


def hashed_path(kind: str, digest: bytes) -> str:
    """The path of a note, certificate, conflict or statement."""
    return f"{kind}/{digest.hex()}"


def hash_in(path: str) -> bytes | None:
    """The hash that a path promises of its file, None where it promises none."""
    match = _PATH.fullmatch(path)
    return None if match is None else bytes.fromhex(match["hex"])


def is_evidence(path: str) -> bool:
    """Whether a path is one of FORMATS §15 that is no tile, checkpoint or statement."""
    match = _PATH.fullmatch(path)
    if match is not None:
        return match["kind"] != "statement"
    return path in (COSIGNED, SILENCE_INDEX, STAMP_INDEX, POLICY) or _DAYS.fullmatch(path) is not None


def encode_cosignatures(note: Note) -> bytes:
    """A record of a cosignature file."""
    data = note.to_bytes()
    return len(data).to_bytes(4, "big") + data


def read_cosignatures(data: bytes, start: int = 0) -> Iterator[tuple[Note, int]]:
    """The notes of a cosignature file from the byte `start` on, each with the byte after it.

    An incomplete last record is ignored; a length that no note has, or bytes that are none, raise
    FormatError.
    """
    at = start
    while at + 4 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if length > MAX_NOTE_SIZE:
            raise FormatError("cosignature file", f"a note of {length} bytes", where=at)
        end = at + 4 + length
        if end > len(data):
            return
        yield Note.parse(data[at + 4 : end]), end
        at = end


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two notes that cannot both be honest; `kind` is `fork` or `withheld`."""

    kind: str
    first: Note
    second: Note

    def encode(self) -> bytes:
        notes = (to_base64(note.to_bytes()) for note in (self.first, self.second))
        return "".join(f"{line}\n" for line in (CONFLICT_HEADER, self.kind, *notes)).encode()


def read_conflict(data: bytes) -> Conflict:
    """Read a conflict; raises FormatError. Whether it shows what it says is for `verify` to tell."""
    what = "conflict"
    if len(data) > MAX_CONFLICT:
        raise FormatError(what, f"longer than {MAX_CONFLICT} bytes", where="length")
    lines = text_of(data, what).split("\n")
    if len(lines) != 5 or lines[4] or lines[0] != CONFLICT_HEADER or lines[1] not in CONFLICTS:
        raise FormatError(what, "not a header, a kind and two notes")
    first, second = (Note.parse(from_base64(line, what, f"line {n}")) for n, line in enumerate(lines[2:4], 3))
    return Conflict(lines[1], first, second)
