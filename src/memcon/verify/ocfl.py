"""An OCFL 1.1 object: inventories, sidecars, and every file against its SHA-512.

https://ocfl.io/1.1/spec/ section 3. Only what memcon's vault writes is accepted: SHA-512, and a sidecar
that is the digest, one space and the name. What the inventory says of a file's path is never
followed out of the object.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from memcon.errors import MachineError
from memcon.verify.words import count

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.verify.findings import Report

NAMASTE = "0=ocfl_object_1.1"
_TYPE = "https://ocfl.io/1.1/spec/#inventory"
_INVENTORY = "inventory.json"
_SIDECAR = "inventory.json.sha512"
_CONTENT = re.compile(r"(v[1-9][0-9]*)/content/.+")
_DIGEST = re.compile(r"[0-9a-f]{128}")
_MAX_INVENTORY = 64 << 20


@dataclass(slots=True)
class Object:
    """What an inventory says: id, head, {content path: digest}, {version: {logical path: digest}}."""

    identity: str
    head: str
    manifest: dict[str, str]
    versions: dict[str, dict[str, str]]
    bad: set[str] = field(default_factory=set)

    def logical(self) -> dict[str, str]:
        """{logical path: content path} of the head."""
        places = {digest: path for path, digest in sorted(self.manifest.items(), reverse=True)}
        return {name: places[digest] for name, digest in self.versions[self.head].items() if digest in places}


class _BadError(Exception):
    """What an inventory must not say."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object in which no key stands twice: two readers would take two different values."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _BadError("a key stands twice in one object")
    return found


def _no_number(text: str) -> None:
    raise _BadError(f"{text} is no JSON")


def _inner(path: str) -> bool:
    return all(part not in ("", ".", "..") for part in path.split("/")) and "\\" not in path


def _paths(block: Any, what: str) -> dict[str, str]:  # noqa: ANN401 - whatever the JSON held
    """{path: digest} from OCFL's {digest: [paths]}."""
    if not isinstance(block, dict):
        raise _BadError(f"{what} is no object")
    found: dict[str, str] = {}
    for digest, paths in block.items():
        if _DIGEST.fullmatch(digest) is None or not isinstance(paths, list) or not paths:
            raise _BadError(f"{what} has an entry that is no SHA-512 with paths")
        for path in paths:
            if not isinstance(path, str) or not _inner(path) or path in found:
                raise _BadError(f"{what} has a path that cannot be: {path!r}")
            found[path] = digest
    return found


def parse_inventory(data: bytes) -> Object:
    """Read an inventory; raises ValueError or `_BadError` with what is wrong."""
    value = json.loads(data, object_pairs_hook=_once, parse_constant=_no_number)
    if not isinstance(value, dict) or value.get("type") != _TYPE or value.get("digestAlgorithm") != "sha512":
        raise _BadError("is no OCFL 1.1 inventory with SHA-512")
    versions, head, identity = value.get("versions"), value.get("head"), value.get("id")
    if not isinstance(versions, dict) or not isinstance(identity, str) or head not in versions:
        raise _BadError("has no id, no versions, or a head that is none of them")
    if set(versions) != {f"v{n}" for n in range(1, len(versions) + 1)} or head != f"v{len(versions)}":
        raise _BadError("its versions are not v1 to its head")
    states = {}
    for name, version in versions.items():
        state = version.get("state") if isinstance(version, dict) else None
        states[name] = _paths(state, f"the state of {name}")
    manifest = _paths(value.get("manifest"), "the manifest")
    for path in manifest:
        match = _CONTENT.fullmatch(path)
        if match is None or match[1] not in versions:
            raise _BadError(f"the manifest has a path outside of its versions' content: {path!r}")
    unknown = {digest for state in states.values() for digest in state.values()} - set(manifest.values())
    if unknown:
        raise _BadError("a state names a digest that the manifest does not have")
    return Object(identity, head, manifest, states)


def _bytes(path: Path) -> bytes | None:
    if not path.is_file():
        return None
    if path.stat().st_size > _MAX_INVENTORY:
        raise MachineError(f"{path} is too large for what it should be")
    return path.read_bytes()


def _inventory(report: Report, root: Path, prefix: str) -> tuple[bytes, Object] | None:
    """An inventory and its sidecar."""
    name = prefix + _INVENTORY
    data, sidecar = _bytes(root / name), _bytes(root / (prefix + _SIDECAR))
    if data is None or sidecar is None:
        report.add("ocfl-missing", name, "the inventory or its sidecar is not there")
    if data is None:
        return None
    due = f"{hashlib.sha512(data).hexdigest()} {_INVENTORY}\n".encode()
    if sidecar is not None and sidecar != due:
        report.add("ocfl-digest", name, "does not match its sidecar")
    try:
        return data, parse_inventory(data)
    except (ValueError, RecursionError, _BadError) as error:
        report.add("ocfl-form", name, str(error))
        return None


def read_object(report: Report, root: Path) -> Object | None:
    """Check the object below `root`; None if no inventory could be read. Raises OSError, MachineError."""
    if _bytes(root / NAMASTE) != b"ocfl_object_1.1\n":
        report.add("ocfl-form", NAMASTE, "is missing or says something else")
    read = _inventory(report, root, "")
    if read is None:
        return None
    data, found = read
    report.facts["object"] = found.identity
    report.facts["versions"] = len(found.versions)
    for version in found.versions:
        _check_version(report, root, version, data, found)
    good = 0
    for path, digest in sorted(found.manifest.items()):
        if _check_file(report, root, path, digest):
            good += 1
        else:
            found.bad.add(path)
    report.checked.append(
        f"{good} of {count(len(found.manifest), 'file')} match their SHA-512 in the inventory"
    )
    _check_strays(report, root, found)
    return found


def _check_version(report: Report, root: Path, version: str, newest: bytes, found: Object) -> None:
    read = _inventory(report, root, f"{version}/")
    if read is None:
        return
    data, old = read
    if version == found.head:
        if data != newest:
            report.add("ocfl-form", f"{version}/{_INVENTORY}", "is not the object's own inventory")
        return
    same = all(found.versions.get(name) == state for name, state in old.versions.items())
    if old.identity != found.identity or old.head != version or not same:
        report.add("ocfl-form", f"{version}/{_INVENTORY}", "contradicts the object's inventory")


def _check_file(report: Report, root: Path, path: str, digest: str) -> bool:
    file = root / path
    if not file.is_file() or _linked(root, path):
        report.add("ocfl-missing", path, "is not there as a plain file")
        return False
    with file.open("rb") as content:
        made = hashlib.file_digest(content, "sha512").hexdigest()
    if made != digest:
        report.add("ocfl-digest", path, "differs from its SHA-512 in the inventory")
        return False
    return True


def _linked(root: Path, path: str) -> bool:
    """Whether any part of the path below `root` is a symbolic link: it may show another file tomorrow."""
    parts = path.split("/")
    return any(root.joinpath(*parts[: n + 1]).is_symlink() for n in range(len(parts)))


def _check_strays(report: Report, root: Path, found: Object) -> None:
    known = {NAMASTE, _INVENTORY, _SIDECAR, *found.manifest}
    known |= {f"{version}/{name}" for version in found.versions for name in (_INVENTORY, _SIDECAR)}
    for file in sorted(root.rglob("*")):
        path = file.relative_to(root).as_posix()
        folder = file.is_dir() and not file.is_symlink()
        if not folder and path not in known and not path.startswith(("logs/", "extensions/")):
            report.add("ocfl-stray", path, "no inventory names it")
