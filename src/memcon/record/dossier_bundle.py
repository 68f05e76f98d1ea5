"""A dossier as one file that a stranger can check: its container, manifest and proofs (FORMATS §18)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.record import canonical
from memcon.record.bundle import MANIFEST, Form, listing, read_listing, write_zip
from memcon.record.entry import check_id
from memcon.record.layout import Layout, brief
from memcon.record.reader import Reader
from memcon.record.slottree import NOTE_SIZE, PATH_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

VERSION = "memcon/dossier-bundle/1"
SEALED = "sealed.mcn"
SEALED_MAGIC = b"mcseald\x01"
FORM = Form(
    (MANIFEST, "README.txt", "checkpoint", "policy", "beats.mcb", SEALED),
    frozenset(),
    re.compile(r"entries/[0-9]{6}-[a-z][a-z-]{0,31}\.json|files/[0-9a-f]{64}|statement/[0-9a-f]{64}"),
)
ENTRY = re.compile(r"entries/([0-9]{6})-([a-z-]+)\.json")
FILE_PREFIX = "files/"
_HEAD = Layout(SEALED, ">8s")
_NOTE = Layout(SEALED, f">{NOTE_SIZE}s32s{PATH_SIZE}s")


def entry_name(n: int, kind: str) -> str:
    """An entry's name in the bundle, as on the disk."""
    return f"entries/{n:06d}-{kind}.json"


@dataclass(frozen=True, slots=True)
class SealedNote:
    """A NOTE leaf (80 bytes), its lane's salt and its path to the slot root."""

    leaf: bytes
    salt: bytes
    path: bytes


def encode_sealed(notes: Iterable[SealedNote]) -> bytes:
    """`sealed.mcn`."""
    return _HEAD.pack(SEALED_MAGIC) + b"".join(_NOTE.pack(n.leaf, n.salt, n.path) for n in notes)


def read_sealed(data: bytes | memoryview) -> list[SealedNote]:
    """The NOTE leaves with their places. Raises FormatError."""
    r = Reader(data, SEALED)
    r.magic(SEALED_MAGIC)
    notes = []
    while r.left:
        notes.append(
            SealedNote(r.take(NOTE_SIZE, "leaf"), r.take(32, "lane salt"), r.take(PATH_SIZE, "path"))
        )
    return notes


def write_bundle(origin: str, dossier: str, files: Mapping[str, bytes]) -> bytes:
    """The whole bundle: `files` without the manifest, which is made here."""
    facts = {"bundle": VERSION, "origin": origin, "dossier": check_id(dossier), "files": listing(files)}
    return write_zip({MANIFEST: canonical.dumps(facts), **files}, FORM)


def read_manifest(data: bytes | memoryview) -> tuple[str, str, dict[str, tuple[int, bytes]]]:
    """(origin, dossier, {name: (bytes, SHA-256)}). Raises FormatError."""
    value = canonical.load_object(
        data, MANIFEST, {"bundle": str, "origin": str, "dossier": str, "files": dict}
    )
    if value["bundle"] != VERSION:
        raise FormatError(MANIFEST, f"version {brief(value['bundle'])} is unknown", where="bundle")
    return value["origin"], check_id(value["dossier"]), read_listing(value["files"])


def begins(data: bytes) -> bool:
    """Whether a file that begins so is a bundle of a dossier, and none of a call."""
    return data[:4] == b"PK\x03\x04" and f'{{"bundle":"{VERSION}"'.encode() in data[:200]
