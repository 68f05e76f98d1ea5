"""The bundle's container and manifest (FORMATS §14): one byte string for one content."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from memcon.errors import FormatError, LocalError
from memcon.record import canonical
from memcon.record.hashing import sha256
from memcon.record.layout import brief
from memcon.record.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

VERSION = "memcon/1"
MANIFEST = "manifest.json"
ORDER = (
    MANIFEST,
    "README.txt",
    "checkpoint",
    "policy",
    "beats.mcb",
    "leaves.mcl",
    "media.mcb",
    "events.mcb",
    "streams.mcb",
    "openings.mcb",
    "config.mcb",
    "notes.mcb",
)
OPTIONAL = frozenset({"notes.mcb"})
STATEMENT_PREFIX = "statement/"
_STATEMENT = re.compile(r"statement/[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Form:
    """A kind of bundle: its entries in their order, those that may be missing, and the names of those that
    stand after them, sorted."""

    order: tuple[str, ...]
    optional: frozenset[str]
    others: re.Pattern[str]

    def rank(self, name: str) -> tuple[int, str]:
        """Sorts names into the order of this form."""
        return (self.order.index(name) if name in self.order else len(self.order)), name

    def known(self, name: str) -> bool:
        """Whether an entry may have this name."""
        return name in self.order or self.others.fullmatch(name) is not None


CALL = Form(ORDER, OPTIONAL, _STATEMENT)
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_LOCAL_MAGIC = b"PK\x03\x04"
_DATE = 33  # 1980-01-01
_VERSION = 20
LIMIT = 0xFFFFFFFF  # no zip64: about 60 hours of one G.711 call; longer calls want several bundles
_MOST_ENTRIES = 0xFFFF
_WHAT = "bundle container"

_Entry: TypeAlias = tuple[bytes, int, int]
"""Name, CRC and size: all that differs between the headers of two entries."""


def _sorted_names(names: Iterable[str], form: Form) -> list[str]:
    listed = list(names)
    for name in listed:
        if not form.known(name):
            raise FormatError("bundle", f"an entry that does not belong: {brief(name)}")
    return sorted(listed, key=form.rank)


def _local_header(entry: _Entry) -> bytes:
    name, crc, size = entry
    return _LOCAL.pack(_LOCAL_MAGIC, _VERSION, 0, 0, 0, _DATE, crc, size, size, len(name), 0) + name


def _directory(entries: Sequence[_Entry]) -> bytes:
    """The central directory and its end. Raises FormatError for what a zip without zip64 cannot hold."""
    at = 0
    parts: list[bytes] = []
    for name, crc, size in entries:
        fields = (b"PK\x01\x02", _VERSION, _VERSION, 0, 0, 0, _DATE, crc, size, size, len(name))
        if at + size >= LIMIT:
            break
        parts += (_CENTRAL.pack(*fields, 0, 0, 0, 0, 0, at), name)
        at += _LOCAL.size + len(name) + size
    central = b"".join(parts)
    n = len(entries)
    if len(parts) != 2 * n or n >= _MOST_ENTRIES or at + len(central) >= LIMIT:
        raise FormatError("bundle", f"{n} entries or more than 4 GiB", cure="Make several bundles")
    return central + _END.pack(b"PK\x05\x06", 0, 0, n, n, len(central), at, 0)


def write_zip(files: Mapping[str, bytes], form: Form = CALL) -> bytes:
    """The container, in the one form a reader accepts. Raises FormatError past 4 GiB."""
    names = _sorted_names(files, form)
    entries = [(name.encode("ascii"), zlib.crc32(files[name]), len(files[name])) for name in names]
    directory = _directory(entries)
    out: list[bytes] = []
    for name, entry in zip(names, entries, strict=True):
        out += (_local_header(entry), files[name])
    return b"".join([*out, directory])


def read_zip(data: bytes | memoryview, form: Form = CALL) -> dict[str, memoryview]:
    """Names and contents (views into `data`). Raises FormatError for any byte out of the one form."""
    files: dict[str, memoryview] = {}
    entries: list[_Entry] = []
    r = Reader(data, _WHAT)
    while r.data[r.at : r.at + 4] == _LOCAL_MAGIC:
        name, entry, content = _read_entry(r)
        if name in files:
            raise FormatError(_WHAT, f"entry {brief(name)} stands twice")
        files[name] = content
        entries.append(entry)
    if list(files) != _sorted_names(files, form):
        raise FormatError(_WHAT, "entries are out of order")
    at, directory = r.at, _directory(entries)
    if r.left != len(directory) or r.view(r.left, "directory") != directory:
        raise FormatError(_WHAT, "the directory is not the one of these entries", where=at)
    return files


def _read_entry(r: Reader) -> tuple[str, _Entry, memoryview]:
    at = r.at
    head = r.view(_LOCAL.size, "entry header")
    fields = _LOCAL.unpack(head)
    crc, size, name_length = fields[6], fields[7], fields[9]
    raw = r.take(name_length, "entry name")
    try:
        name = raw.decode("ascii")
    except UnicodeDecodeError as error:
        raise FormatError(_WHAT, "an entry name is not ASCII", where=at) from error
    entry = (raw, crc, size)
    if _local_header(entry) != r.data[at : r.at]:
        raise FormatError(_WHAT, f"entry {brief(name)} has another header than the form", where=at)
    content = r.view(size, f"entry {brief(name)}")
    if zlib.crc32(content) != crc:
        raise FormatError(_WHAT, f"entry {brief(name)} does not match its CRC", where=at)
    return name, entry, content


def make_manifest(origin: str, call: int, files: Mapping[str, bytes]) -> bytes:
    """`manifest.json` over every other entry."""
    return canonical.dumps({"bundle": VERSION, "origin": origin, "call": call, "files": listing(files)})


def listing(files: Mapping[str, bytes]) -> dict[str, dict[str, int | str]]:
    """Every entry's length and SHA-256, as a manifest has them."""
    return {name: {"bytes": len(data), "sha256": sha256(data).hex()} for name, data in files.items()}


def write_bundle(origin: str, call: int, files: Mapping[str, bytes]) -> bytes:
    """The whole bundle: `files` without the manifest, which is made here."""
    if MANIFEST in files:
        raise LocalError("a bundle's manifest is made, not given")
    return write_zip({MANIFEST: make_manifest(origin, call, files), **files})


def read_manifest(data: bytes | memoryview) -> tuple[str, int, dict[str, tuple[int, bytes]]]:
    """(origin, call number, {name: (bytes, SHA-256)}). Raises FormatError."""
    value = canonical.load_object(data, MANIFEST, {"bundle": str, "origin": str, "call": int, "files": dict})
    if value["bundle"] != VERSION:
        raise FormatError(MANIFEST, f"version {brief(value['bundle'])} is unknown", where="bundle")
    if value["call"] < 1:
        raise FormatError(MANIFEST, f"call number {value['call']}", where="call")
    return value["origin"], value["call"], read_listing(value["files"])


def read_listing(listed: Mapping[str, object]) -> dict[str, tuple[int, bytes]]:
    """{name: (bytes, SHA-256)} of a manifest's `files`. Raises FormatError."""
    files: dict[str, tuple[int, bytes]] = {}
    for name, entry in listed.items():
        if not isinstance(entry, dict) or set(entry) != {"bytes", "sha256"}:
            raise FormatError(MANIFEST, "an entry without bytes and sha256", where=brief(name))
        size, digest = entry["bytes"], entry["sha256"]
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise FormatError(MANIFEST, "bytes is no count", where=brief(name))
        if not isinstance(digest, str) or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise FormatError(MANIFEST, "sha256 is no digest", where=brief(name))
        files[name] = (size, bytes.fromhex(digest))
    return files
