"""The bundle's container (FORMATS §14): a zip in one permitted form, and its manifest.

The directory at the end and the headers between the contents say the same things twice. When they
disagree, one of the two still tells where the contents stand: this reader goes on with it, so that
a damaged container never hides which second of the call was touched.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, TypeAlias

from memcon.errors import FormatError
from memcon.record import dossier_bundle, intake_bundle
from memcon.record.bundle import CALL, MANIFEST, Form, read_manifest

if TYPE_CHECKING:
    from memcon.verify.findings import Report

Buffer: TypeAlias = "bytes | bytearray | memoryview"

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_DATE = 33  # 1980-01-01
_VERSION = 20


@dataclass(frozen=True, slots=True)
class Entry:
    """A content and where it stands; `crc` is the CRC-32 the container states for it."""

    name: str
    content: memoryview
    offset: int
    crc: int


@dataclass(frozen=True, slots=True)
class Contents:
    """A bundle's entries, and its manifest's word: origin, call (or intake) or dossier, {name: (bytes,
    SHA-256)}."""

    entries: dict[str, Entry]
    origin: str | None
    call: int | None
    listed: dict[str, tuple[int, bytes]]
    dossier: str | None = None

    def get(self, name: str) -> memoryview | None:
        """An entry's content, or None."""
        entry = self.entries.get(name)
        return None if entry is None else entry.content

    def changed(self, name: str) -> bool:
        """Whether the manifest was read and names other bytes for this entry."""
        listed = self.listed.get(name)
        return listed is not None and listed[1] != sha256(self.entries[name].content).digest()


def _name(raw: bytes) -> str:
    return raw.decode("ascii", "backslashreplace")


def _by_directory(data: memoryview, form: Form) -> list[Entry] | None:
    """The entries as the directory tells them, or None if it cannot be right."""
    if len(data) < _END.size:
        return None
    *_, count, length, start, _ = _END.unpack_from(data, len(data) - _END.size)
    if start + length != len(data) - _END.size:
        return None
    entries, at, due = [], start, 0
    for _ in range(count):
        if at + _CENTRAL.size > start + length:
            return None
        fields = _CENTRAL.unpack_from(data, at)
        crc, size, name_length, offset = fields[7], fields[8], fields[10], fields[16]
        raw = bytes(data[at + _CENTRAL.size : at + _CENTRAL.size + name_length])
        begin = due + _LOCAL.size + name_length
        if offset != due or begin + size > start:
            return None
        due = begin + size
        at += _CENTRAL.size + name_length
        name = _name(raw)
        if not form.known(name):  # a changed letter: the header may still have it
            other = _name(bytes(data[begin - name_length : begin]))
            name = other if form.known(other) else name
        entries.append(Entry(name, data[begin:due], offset, crc))
    return entries if due == start and at == start + length else None


def _by_headers(data: memoryview) -> list[Entry]:
    """The entries as the headers in front of them tell, as far as they go."""
    entries, at = [], 0
    while at + _LOCAL.size <= len(data) and bytes(data[at : at + 4]) == b"PK\x03\x04":
        fields = _LOCAL.unpack_from(data, at)
        crc, size, name_length = fields[6], fields[7], fields[9]
        begin = at + _LOCAL.size + name_length
        if begin + size > len(data):
            break
        name = _name(bytes(data[begin - name_length : begin]))
        entries.append(Entry(name, data[begin : begin + size], at, crc))
        at = begin + size
    return entries


def _check_form(report: Report, data: memoryview, entries: list[Entry]) -> None:
    """Build every byte that is not content again, and compare."""
    directory = b""
    for entry in entries:
        raw, size, crc = entry.name.encode("ascii"), len(entry.content), zlib.crc32(entry.content)
        if entry.crc != crc:
            report.add(
                "container-crc", entry.name, f"has CRC {crc:08x}, the container states {entry.crc:08x}"
            )
        stated = (entry.crc, size, size, len(raw))
        header = _LOCAL.pack(b"PK\x03\x04", _VERSION, 0, 0, 0, _DATE, *stated, 0) + raw
        if data[entry.offset : entry.offset + len(header)] != header:
            report.add("container-form", entry.name, f"another header than the form, at byte {entry.offset}")
        made = (b"PK\x01\x02", _VERSION, _VERSION, 0, 0, 0, _DATE, *stated, 0, 0, 0, 0, 0, entry.offset)
        directory += _CENTRAL.pack(*made) + raw
    last = entries[-1]
    start = last.offset + _LOCAL.size + len(last.name.encode("ascii")) + len(last.content)
    count = len(entries)
    directory += _END.pack(b"PK\x05\x06", 0, 0, count, count, len(directory), start, 0)
    if data[start:] != directory:
        report.add("container-form", "directory", f"not the directory of these entries, at byte {start}")


def _check_names(report: Report, entries: list[Entry], form: Form) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for entry in entries:
        if not form.known(entry.name):
            report.add("container-entry", entry.name, "does not belong in a bundle")
        elif entry.name in found:
            report.add("container-entry", entry.name, "stands twice; the first was read")
        else:
            found[entry.name] = entry
    if list(found) != sorted(found, key=form.rank):
        report.add("container-form", "entries", "are out of order")
    for name in (name for name in form.order if name not in form.optional):
        if name not in found:
            report.add("container-entry", name, "is missing")
    return found


def _check_manifest(report: Report, found: dict[str, Entry], form: Form) -> Contents:
    if MANIFEST not in found:
        return Contents(found, None, None, {})
    data = bytes(found[MANIFEST].content)
    call: int | None = None
    dossier: str | None = None
    try:
        if form is CALL:
            origin, call, listed = read_manifest(data)
        elif form is intake_bundle.FORM:
            origin, call, listed = intake_bundle.read_manifest(data)
        else:
            origin, dossier, listed = dossier_bundle.read_manifest(data)
    except FormatError as error:
        report.add("manifest-form", MANIFEST, str(error))
        return Contents(found, None, None, {})
    for name, entry in found.items():
        if name == MANIFEST:
            continue
        if name not in listed:
            report.add("manifest-file", name, "is not in the manifest")
        elif listed[name] != (len(entry.content), sha256(entry.content).digest()):
            report.add("manifest-file", name, "has other bytes than the manifest says")
    for name in sorted(set(listed) - set(found)):
        report.add("manifest-file", name, "stands in the manifest, not in the bundle")
    return Contents(found, origin, call, listed, dossier)


def read(report: Report, data: Buffer, form: Form = CALL) -> Contents | None:
    """The contents of a bundle, with whatever is wrong in the report. None if there is nothing to read."""
    view = memoryview(data)
    entries = _by_directory(view, form) or _by_headers(view)
    if not any(form.known(entry.name) for entry in entries):
        report.add("container-form", "container", "no entry of a zip in the permitted form could be read")
        return None
    before = len(report.counts)
    _check_form(report, view, entries)
    contents = _check_manifest(report, _check_names(report, entries, form), form)
    if len(report.counts) == before:
        report.checked.append(
            f"The container of {len(entries)} entries has its one permitted form, byte for byte"
        )
        report.checked.append(f"{len(contents.listed)} of {len(contents.listed)} entries match the manifest")
    return contents
