"""What is sealed of a call that was taken in from a file (FORMATS §21): a statement, and the file's digest.

It is never a recording: the seal says what was taken in, by whom and when, and that it has not changed
since. Statements of one log are numbered from 1 without a gap, each naming the one before, so that
leaving one out shows. `stated` and `found` are not looked into here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from memcon.errors import FormatError
from memcon.record import canonical
from memcon.record.entry import NO_ENTRY
from memcon.record.hashing import sha256
from memcon.record.layout import brief

VERSION = "memcon/intake/1"
NAME = "intake.json"
ORIGINAL = "original"
"""Where the file that was taken in stands in its object, whatever it was called."""
NOTE_INTAKE = 10
MAX_BYTES = 4 << 20
MAX_SIZE = 1 << 53
WHAT = "intake"
_HASH = re.compile(r"[0-9a-f]{64}")
_PATH = re.compile(r"original|media/[0-9a-f]{64}")
_AT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
_KEYS = {
    "format": str,
    "n": int,
    "previous": str,
    "by": str,
    "at": str,
    "name": str,
    "files": list,
    "stated": dict,
    "found": dict,
}
_FILE_KEYS = {"path": str, "sha256": str, "bytes": int, "media_type": str}


@dataclass(frozen=True, slots=True)
class TakenFile:
    """A file of the object: `path` is `original` or `media/<SHA-256>`; `size` in bytes."""

    path: str
    sha256: str
    size: int
    media_type: str


@dataclass(frozen=True, slots=True)
class Intake:
    """What `by` took in at `at` (UTC, whole seconds). `n` from 1; `previous`: hash of statement n - 1, hex.

    `name` is what the file was called; `files` begins with the original. `stated` is what people or the
    file say of the call, `found` what a program read in it: both JSON objects (FORMATS §21).
    """

    n: int
    previous: str
    by: str
    at: str
    name: str
    files: tuple[TakenFile, ...]
    stated: dict[str, Any]
    found: dict[str, Any]

    def encode(self) -> bytes:
        """The bytes that are kept and sealed. Raises FormatError for what could not be read back."""
        facts = {
            "format": VERSION,
            "n": self.n,
            "previous": self.previous,
            "by": self.by,
            "at": self.at,
            "name": self.name,
            "files": [
                {"path": f.path, "sha256": f.sha256, "bytes": f.size, "media_type": f.media_type}
                for f in self.files
            ],
            "stated": self.stated,
            "found": self.found,
        }
        data = canonical.dumps(facts, WHAT)
        _check(self, len(data))
        return data


def decode(data: bytes | memoryview) -> Intake:
    """Read a statement; raises FormatError."""
    if len(data) > MAX_BYTES:
        raise FormatError(WHAT, f"longer than {MAX_BYTES} bytes")
    facts = canonical.load_object(data, WHAT, _KEYS)
    if facts["format"] != VERSION:
        raise FormatError(WHAT, f"format {brief(facts['format'])} is not {VERSION}", where="format")
    rest = {key: facts[key] for key in _KEYS if key not in ("format", "files")}
    intake = Intake(files=tuple(map(_file, facts["files"])), **rest)
    _check(intake, len(data))
    return intake


def _file(facts: Any) -> TakenFile:  # noqa: ANN401 - whatever the JSON held
    if not isinstance(facts, dict) or set(facts) != set(_FILE_KEYS):
        raise FormatError(WHAT, f"{brief(facts)} is no file", where="files")
    if any(type(facts[key]) is not kind for key, kind in _FILE_KEYS.items()):
        raise FormatError(WHAT, f"{brief(facts)} is no file", where="files")
    return TakenFile(facts["path"], facts["sha256"], facts["bytes"], facts["media_type"])


def _check(intake: Intake, size: int) -> None:
    if intake.n < 1:
        raise FormatError(WHAT, f"{intake.n} is no number of an intake", where="n")
    if not _HASH.fullmatch(intake.previous) or (intake.n == 1) != (intake.previous == NO_ENTRY):
        raise FormatError(WHAT, "does not name the intake before it", where="previous")
    if not intake.by.strip() or len(intake.by) > 200:
        raise FormatError(WHAT, "says nobody's name", where="by", cure="Give the name of who takes it in")
    if not _AT.fullmatch(intake.at):
        raise FormatError(WHAT, f"{brief(intake.at)} is no time in UTC", where="at")
    if not intake.name or len(intake.name) > 255:
        raise FormatError(WHAT, "the file's name has 1 to 255 characters", where="name")
    paths = [file.path for file in intake.files]
    if paths[:1] != [ORIGINAL] or len(set(paths)) != len(paths):
        raise FormatError(
            WHAT, "its files do not begin with the original, or one stands twice", where="files"
        )
    for file in intake.files:
        named = file.path.removeprefix("media/")
        if not _PATH.fullmatch(file.path) or not _HASH.fullmatch(file.sha256):
            raise FormatError(WHAT, f"{brief(file.path)} is no file of it", where="files")
        if file.path != ORIGINAL and named != file.sha256:
            raise FormatError(WHAT, f"{brief(file.path)} is not named by its digest", where="files")
        if not 0 <= file.size < MAX_SIZE:
            raise FormatError(WHAT, f"{file.size} is no length", where="files")
    if size > MAX_BYTES:
        raise FormatError(WHAT, f"longer than {MAX_BYTES} bytes", where="found")


def hash_of(data: bytes | memoryview) -> str:
    """What the next intake names and the NOTE seals: SHA-256 of the statement's bytes, hex."""
    return sha256(bytes(data)).hex()
