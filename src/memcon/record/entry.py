"""One entry of a dossier: what somebody wrote into it, once and for good (FORMATS §18).

A dossier is a chain of entries, numbered from 1 without a gap; each names the hash of the one before, so
that leaving one out shows. An entry is canonical JSON, sealed as a NOTE.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from memcon.errors import FormatError
from memcon.record import canonical
from memcon.record.hashing import sha256
from memcon.record.layout import brief

VERSION = "memcon/dossier/1"
NO_ENTRY = "0" * 64
"""What the first entry names as the one before."""
MAX_BYTES = 1 << 20
NOTE_SOURCE = 2
NOTE_ENTRY = 9
_ID = re.compile(r"(\d{4}(?:-\d{2}(?:-\d{2})?)?|undated)/([1-9]\d{0,5})")
_KIND = re.compile(r"[a-z][a-z-]{0,31}")
_HASH = re.compile(r"[0-9a-f]{64}")
_AT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
_KEYS = {
    "format": str,
    "dossier": str,
    "n": int,
    "previous": str,
    "kind": str,
    "by": str,
    "at": str,
    "body": dict,
}
WHAT = "dossier entry"


def check_id(text: str) -> str:
    """`2017-01-28/1` as it is; FormatError for what is no dossier's id."""
    if not _ID.fullmatch(text):
        raise FormatError("dossier id", f"{brief(text)} is none", cure="Write it as 2017-01-28/1")
    return text


@dataclass(frozen=True, slots=True)
class Entry:
    """What `by` wrote at `at` (UTC, whole seconds). `n` from 1; `previous` the hash of entry n - 1, hex.

    `body` is what its `kind` says (FORMATS §18); this room does not look into it.
    """

    dossier: str
    n: int
    previous: str
    kind: str
    by: str
    at: str
    body: dict[str, Any]

    @property
    def note_type(self) -> int:
        """The type of the NOTE that seals it."""
        return NOTE_SOURCE if self.kind == "source" else NOTE_ENTRY

    def encode(self) -> bytes:
        """The bytes that are kept and sealed. Raises FormatError for what could not be read back."""
        facts = {
            "format": VERSION,
            "dossier": self.dossier,
            "n": self.n,
            "previous": self.previous,
            "kind": self.kind,
            "by": self.by,
            "at": self.at,
            "body": self.body,
        }
        data = canonical.dumps(facts, WHAT)
        _check(self, len(data))
        return data


def decode(data: bytes) -> Entry:
    """Read an entry; raises FormatError."""
    if len(data) > MAX_BYTES:
        raise FormatError(WHAT, f"longer than {MAX_BYTES} bytes")
    facts = canonical.load_object(data, WHAT, _KEYS)
    if facts["format"] != VERSION:
        raise FormatError(WHAT, f"format {brief(facts['format'])} is not {VERSION}", where="format")
    entry = Entry(**{key: facts[key] for key in _KEYS if key != "format"})
    _check(entry, len(data))
    return entry


def _check(entry: Entry, size: int) -> None:
    check_id(entry.dossier)
    if entry.n < 1:
        raise FormatError(WHAT, f"{entry.n} is no number of an entry", where="n")
    if not _HASH.fullmatch(entry.previous) or (entry.n == 1) != (entry.previous == NO_ENTRY):
        raise FormatError(WHAT, "does not name the entry before it", where="previous")
    if not _KIND.fullmatch(entry.kind):
        raise FormatError(WHAT, f"{brief(entry.kind)} is no kind", where="kind")
    if not entry.by.strip() or len(entry.by) > 200:
        raise FormatError(WHAT, "says nobody's name", where="by", cure="Give the name of who writes it")
    if not _AT.fullmatch(entry.at):
        raise FormatError(WHAT, f"{brief(entry.at)} is no time in UTC", where="at")
    if size > MAX_BYTES:
        raise FormatError(WHAT, f"longer than {MAX_BYTES} bytes", where="body")


def hash_of(data: bytes) -> str:
    """What the next entry names and the NOTE seals: SHA-256 of the entry's bytes, hex."""
    return sha256(data).hex()


def read_chain(dossier: str, files: list[bytes]) -> list[Entry]:
    """The entries of a dossier in their order, from their files in that order; FormatError where one does not
    follow from the one before."""
    found: list[Entry] = []
    previous = NO_ENTRY
    for n, data in enumerate(files, 1):
        entry = decode(data)
        if (entry.dossier, entry.n, entry.previous) != (dossier, n, previous):
            raise FormatError(
                WHAT,
                "does not follow from the entry before",
                where=f"dossier {dossier}, entry {n}",
                cure="Restore the dossier from a copy: an entry was altered or left out",
            )
        previous = hash_of(data)
        found.append(entry)
    return found
