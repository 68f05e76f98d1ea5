"""The inventory of an OCFL 1.1 object (OCFL 1.1 §3.5): which bytes stand where, in which version.

Inventories are written with SHA-512 and in one form (keys sorted, two spaces), so that the same
object always has the same inventory bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memcon.errors import FormatError, LocalError

if TYPE_CHECKING:
    from collections.abc import Mapping

TYPE = "https://ocfl.io/1.1/spec/#inventory"
DIGEST = "sha512"
NAME = "inventory.json"
SIDECAR = f"{NAME}.{DIGEST}"
_VERSION = re.compile(r"v[1-9][0-9]*")
_HEX = re.compile(r"[0-9a-f]{128}")


@dataclass(frozen=True, slots=True)
class User:
    """Who made a version: a name, and an address that is a URI."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Version:
    """One version: when (ISO 8601, UTC), why, by whom, and its state {logical path: SHA-512}."""

    created: str
    message: str
    user: User
    state: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Inventory:
    """An object's id, its versions from v1 on, and where content stands ({content path: SHA-512})."""

    id: str
    versions: tuple[Version, ...]
    manifest: Mapping[str, str]

    @property
    def head(self) -> str:
        """The newest version's name."""
        return f"v{len(self.versions)}"

    def version(self, name: str | None = None) -> Version:
        """A version by its name, or the newest; raises FormatError when there is none."""
        if name is None:
            return self.versions[-1]
        if not _VERSION.fullmatch(name) or int(name[1:]) > len(self.versions):
            raise FormatError(f"object {self.id}", f"has no version {name}")
        return self.versions[int(name[1:]) - 1]

    def content(self, logical: str, version: str | None = None) -> tuple[str, str]:
        """(content path below the object, SHA-512) of a logical path; raises FormatError."""
        digest = self.version(version).state.get(logical)
        if digest is None:
            raise FormatError(f"object {self.id}", f"has no file {logical!r} in {version or self.head}")
        path = next((path for path, stored in self.manifest.items() if stored == digest), None)
        if path is None:
            raise FormatError(f"object {self.id}", "the manifest lacks a digest of the state", where=logical)
        return path, digest

    def encode(self) -> bytes:
        """The bytes of `inventory.json`."""
        value = {
            "id": self.id,
            "type": TYPE,
            "digestAlgorithm": DIGEST,
            "head": self.head,
            "manifest": _by_digest(self.manifest),
            "versions": {f"v{n}": _version_json(v) for n, v in enumerate(self.versions, 1)},
        }
        return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()

    def sidecar(self) -> bytes:
        """The bytes of `inventory.json.sha512` beside it."""
        return sidecar(self.encode())


def sidecar(inventory: bytes) -> bytes:
    """Digest and name, as OCFL 1.1 §3.7 wants them."""
    return f"{hashlib.sha512(inventory).hexdigest()} {NAME}\n".encode()


def _by_digest(paths: Mapping[str, str]) -> dict[str, list[str]]:
    out: dict[str, list[str]] = {}
    for path, digest in sorted(paths.items()):
        out.setdefault(digest, []).append(path)
    return out


def _version_json(version: Version) -> dict[str, Any]:
    return {
        "created": version.created,
        "message": version.message,
        "user": {"name": version.user.name, "address": version.user.address},
        "state": _by_digest(version.state),
    }


def check_path(path: str) -> str:
    """A logical or content path that stays below its object; raises FormatError for any other."""
    if not path or path.startswith("/") or any(part in ("", ".", "..") for part in path.split("/")):
        raise FormatError("OCFL path", f"{path!r} does not stay within its object")
    return path


def _paths(value: object, what: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise FormatError(NAME, "is no object", where=what)
    out: dict[str, str] = {}
    for digest, paths in value.items():
        if not _HEX.fullmatch(digest.lower()):
            raise FormatError(NAME, f"{digest[:20]!r} is no SHA-512", where=what)
        if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
            raise FormatError(NAME, "a digest without a list of paths", where=what)
        for path in paths:
            if out.setdefault(check_path(path), digest.lower()) != digest.lower():
                raise FormatError(NAME, f"{path!r} has two digests", where=what)
    return out


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise FormatError(NAME, "is no text", where=where)
    return value


def _read_version(name: str, value: object) -> Version:
    if not isinstance(value, dict):
        raise FormatError(NAME, "is no object", where=name)
    user = value.get("user", {})
    if not isinstance(user, dict):
        raise FormatError(NAME, "is no object", where=f"{name}.user")
    return Version(
        _text(value.get("created"), f"{name}.created"),
        _text(value.get("message", ""), f"{name}.message"),
        User(
            _text(user.get("name", ""), f"{name}.user.name"), _text(user.get("address", ""), f"{name}.user")
        ),
        _paths(value.get("state"), f"{name}.state"),
    )


def decode(data: bytes) -> Inventory:
    """Read an `inventory.json` with SHA-512 and versions v1 to head; raises FormatError."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError(NAME, f"is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise FormatError(NAME, "is no object")
    if value.get("type") != TYPE or value.get("digestAlgorithm") != DIGEST:
        raise FormatError(NAME, "is no OCFL 1.1 inventory with SHA-512", where="type")
    if value.get("contentDirectory", "content") != "content":
        raise FormatError(NAME, "another content directory than `content`", where="contentDirectory")
    versions = value.get("versions")
    if not isinstance(versions, dict) or not versions:
        raise FormatError(NAME, "has no versions", where="versions")
    names = [f"v{n}" for n in range(1, len(versions) + 1)]
    if set(names) != set(versions) or value.get("head") != names[-1]:
        raise FormatError(NAME, "versions are not v1 to the head", where="versions")
    read = tuple(_read_version(name, versions[name]) for name in names)
    return Inventory(_text(value.get("id"), "id"), read, _paths(value.get("manifest"), "manifest"))


def next_version(
    before: Inventory | None, object_id: str, version: Version
) -> tuple[Inventory, dict[str, str]]:
    """The inventory with `version` added, and what is new: {logical path: content path} to be written.

    A file whose bytes an earlier version holds is not stored again (OCFL forward delta).
    """
    if before is not None and before.id != object_id:
        raise LocalError(f"inventory of {before.id} continued for {object_id}")
    manifest = dict(before.manifest) if before else {}
    versions = (*before.versions, version) if before else (version,)
    known = set(manifest.values())
    new: dict[str, str] = {}
    for logical, digest in sorted(version.state.items()):
        if digest not in known:
            known.add(digest)
            content = f"v{len(versions)}/content/{check_path(logical)}"
            manifest[content] = digest
            new[logical] = content
    return Inventory(object_id, versions, manifest), new
