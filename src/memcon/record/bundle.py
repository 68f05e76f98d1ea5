"""The bundle's container and manifest (FORMATS §14): one byte string for one content."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any

from memcon.errors import FormatError
from memcon.record import canonical
from memcon.record.hashing import sha256
from memcon.record.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Mapping

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
)
STATEMENT_PREFIX = "statement/"
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_DATE = 33  # 1980-01-01
_VERSION = 20
LIMIT = 0xFFFFFFFF  # no zip64: about 60 hours of one G.711 call; longer calls want several bundles


def _sorted_names(names: Mapping[str, Any]) -> list[str]:
    rank = {name: i for i, name in enumerate(ORDER)}
    unknown = [n for n in names if n not in rank and not n.startswith(STATEMENT_PREFIX)]
    if unknown:
        raise FormatError("bundle", f"an entry that does not belong: {unknown[0]!r}")
    return sorted(names, key=lambda n: (rank.get(n, len(rank)), n))


def _local_header(name: bytes, crc: int, size: int) -> bytes:
    return _LOCAL.pack(b"PK\x03\x04", _VERSION, 0, 0, 0, _DATE, crc, size, size, len(name), 0) + name


def write_zip(files: Mapping[str, bytes]) -> bytes:
    """The container, in the one form a reader accepts. Raises FormatError past 4 GiB."""
    out: list[bytes] = []
    central: list[bytes] = []
    at = 0
    for name in _sorted_names(files):
        data, raw = files[name], name.encode("ascii")
        if at + len(data) > LIMIT:
            raise FormatError("bundle", "is larger than 4 GiB")
        crc = zlib.crc32(data)
        header = _local_header(raw, crc, len(data))
        out += (header, data)
        fields = (b"PK\x01\x02", _VERSION, _VERSION, 0, 0, 0, _DATE, crc, len(data), len(data), len(raw))
        central.append(_CENTRAL.pack(*fields, 0, 0, 0, 0, 0, at) + raw)
        at += len(header) + len(data)
    directory = b"".join(central)
    end = _END.pack(b"PK\x05\x06", 0, 0, len(central), len(central), len(directory), at, 0)
    return b"".join([*out, directory, end])


def read_zip(data: bytes) -> dict[str, memoryview]:
    """Names and contents (views into `data`). Raises FormatError for any byte out of the one form."""
    files: dict[str, memoryview] = {}
    r = Reader(data, "bundle container")
    while r.left >= 4 and bytes(r.data[r.at : r.at + 4]) == b"PK\x03\x04":
        at = r.at
        fields = _LOCAL.unpack(r.view(_LOCAL.size, "entry header"))
        crc, size, name_length = fields[6], fields[7], fields[9]
        raw = r.take(name_length, "entry name")
        try:
            name = raw.decode("ascii")
        except UnicodeDecodeError as error:
            raise FormatError("bundle container", "an entry name is not ASCII", where=at) from error
        content = r.view(size, f"entry {name!r}")
        if zlib.crc32(content) != crc:
            raise FormatError("bundle container", f"entry {name!r} does not match its CRC", where=at)
        if name in files:
            raise FormatError("bundle container", f"entry {name!r} stands twice", where=at)
        if _local_header(raw, crc, size) != bytes(r.data[at : at + _LOCAL.size + name_length]):
            raise FormatError(
                "bundle container", f"entry {name!r} has another header than the form", where=at
            )
        files[name] = content
    tail = r.take(r.left, "directory")
    if list(files) != _sorted_names(files):
        raise FormatError("bundle container", "entries are out of order")
    if tail != _directory(files):
        raise FormatError(
            "bundle container", "the directory is not the one of these entries", where=len(data) - len(tail)
        )
    return files


def _directory(files: Mapping[str, memoryview]) -> bytes:
    at = 0
    central = b""
    for name, content in files.items():
        raw, size, crc = name.encode("ascii"), len(content), zlib.crc32(content)
        fields = (b"PK\x01\x02", _VERSION, _VERSION, 0, 0, 0, _DATE, crc, size, size, len(raw))
        central += _CENTRAL.pack(*fields, 0, 0, 0, 0, 0, at) + raw
        at += _LOCAL.size + len(raw) + size
    n = len(files)
    return central + _END.pack(b"PK\x05\x06", 0, 0, n, n, len(central), at, 0)


def make_manifest(origin: str, call: int, files: Mapping[str, bytes]) -> bytes:
    """`manifest.json` over every other entry."""
    listed = {name: {"bytes": len(data), "sha256": sha256(data).hex()} for name, data in files.items()}
    return canonical.dumps({"bundle": VERSION, "origin": origin, "call": call, "files": listed})


def write_bundle(origin: str, call: int, files: Mapping[str, bytes]) -> bytes:
    """The whole bundle: `files` without the manifest, which is made here."""
    return write_zip({MANIFEST: make_manifest(origin, call, files), **files})


def read_manifest(data: bytes) -> tuple[str, int, dict[str, tuple[int, bytes]]]:
    """(origin, call number, {name: (bytes, SHA-256)}). Raises FormatError."""
    value = canonical.load_object(data, MANIFEST, {"bundle": str, "origin": str, "call": int, "files": dict})
    if value["bundle"] != VERSION:
        raise FormatError(MANIFEST, f"version {value['bundle']!r} is unknown", where="bundle")
    files: dict[str, tuple[int, bytes]] = {}
    for name, entry in value["files"].items():
        if not isinstance(entry, dict) or set(entry) != {"bytes", "sha256"}:
            raise FormatError(MANIFEST, "an entry without bytes and sha256", where=name)
        size, digest = entry["bytes"], entry["sha256"]
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise FormatError(MANIFEST, "bytes is no count", where=name)
        if not isinstance(digest, str) or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise FormatError(MANIFEST, "sha256 is no digest", where=name)
        files[name] = (size, bytes.fromhex(digest))
    return value["origin"], value["call"], files
