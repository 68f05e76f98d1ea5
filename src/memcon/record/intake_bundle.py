"""A call taken in as one file that a stranger can check: its container and manifest (FORMATS §21)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.record import canonical
from memcon.record.bundle import MANIFEST, Form, listing, read_listing, write_zip
from memcon.record.dossier_bundle import SEALED
from memcon.record.intake import NAME, ORIGINAL
from memcon.record.layout import brief

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = "memcon/intake-bundle/1"
FORM = Form(
    (MANIFEST, "README.txt", "checkpoint", "policy", "beats.mcb", SEALED, NAME, ORIGINAL),
    frozenset(),
    re.compile(r"media/[0-9a-f]{64}|statement/[0-9a-f]{64}"),
)
KEPT = re.compile(rf"{re.escape(NAME)}|{re.escape(ORIGINAL)}|media/[0-9a-f]{{64}}")
"""The names of what the object in the vault has too."""


def write_bundle(origin: str, n: int, files: Mapping[str, bytes]) -> bytes:
    """The whole bundle: `files` without the manifest, which is made here."""
    facts = {"bundle": VERSION, "origin": origin, "intake": n, "files": listing(files)}
    return write_zip({MANIFEST: canonical.dumps(facts), **files}, FORM)


def read_manifest(data: bytes | memoryview) -> tuple[str, int, dict[str, tuple[int, bytes]]]:
    """(origin, number of the intake, {name: (bytes, SHA-256)}). Raises FormatError."""
    keys = {"bundle": str, "origin": str, "intake": int, "files": dict}
    value = canonical.load_object(data, MANIFEST, keys)
    if value["bundle"] != VERSION:
        raise FormatError(MANIFEST, f"version {brief(value['bundle'])} is unknown", where="bundle")
    if value["intake"] < 1:
        raise FormatError(MANIFEST, f"there is no intake {value['intake']}", where="intake")
    return value["origin"], value["intake"], read_listing(value["files"])


def begins(data: bytes) -> bool:
    """Whether a file that begins so is a bundle of a call taken in."""
    return data[:4] == b"PK\x03\x04" and f'{{"bundle":"{VERSION}"'.encode() in data[:200]
