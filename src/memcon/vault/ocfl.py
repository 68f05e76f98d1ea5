"""An OCFL 1.1 storage root: plain files that any OCFL tool can read without memcon.

    <root>/0=ocfl_1.1  ocfl_layout.json
    <root>/extensions/0003-hash-and-id-n-tuple-storage-layout/config.json
    <root>/<3 hex>/<3 hex>/<3 hex>/<object id, percent-encoded>/
        0=ocfl_object_1.1  inventory.json  inventory.json.sha512
        v1/inventory.json  v1/inventory.json.sha512  v1/content/<logical path>

Layout 0003 and not 0004: it spreads objects over directories just as evenly, keeps the object's id
readable in the path, and the independent checkers at hand know it.

**Commit order.** A new object or version is written whole in `extensions/memcon-staging/` of the same
root, synced, and moved into place by one rename. A new object then stands. A new version becomes the
head when the object's own inventory is replaced; `repair` finishes that after a crash, from the copy
in the version's directory. A staging directory left by a crash is removed by the next writer.
One writer at a time to a staging area; readers need no lock.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.errors import FormatError, MachineError, UsageError
from memcon.store import durable
from memcon.vault.inventory import (
    NAME,
    SIDECAR,
    Inventory,
    User,
    Version,
    check_path,
    decode,
    next_version,
    sidecar,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

ROOT_NAMASTE = "0=ocfl_1.1"
OBJECT_NAMASTE = "0=ocfl_object_1.1"
LAYOUT = "0003-hash-and-id-n-tuple-storage-layout"
_LAYOUT_TEXT = (
    "Hashed Truncated N-tuple Trees with Object ID Encapsulating Directory for OCFL Storage Hierarchies"
)
_CONFIG = {"extensionName": LAYOUT, "digestAlgorithm": "sha256", "tupleSize": 3, "numberOfTuples": 3}
_STAGING = "memcon-staging"
_CHUNK = 1 << 20
_SAFE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@dataclass(frozen=True, slots=True)
class Problem:
    """What a fixity check found: the object, the path below it, and what is wrong there."""

    object_id: str
    path: str
    text: str


def object_path(object_id: str) -> str:
    """Where layout 0003 puts an object, below the root."""
    digest = hashlib.sha256(object_id.encode()).hexdigest()
    name = "".join(
        char if char in _SAFE else "".join(f"%{byte:02x}" for byte in char.encode()) for char in object_id
    )
    if len(name) > 100:
        name = f"{name[:100]}-{digest}"
    return f"{digest[:3]}/{digest[3:6]}/{digest[6:9]}/{name}"


def _digest(source: Path) -> str:
    h = hashlib.sha512()
    with source.open("rb") as file:
        while chunk := file.read(_CHUNK):
            h.update(chunk)
    return h.hexdigest()


def _copy(source: Path | bytes, target: Path) -> None:
    """Copy; what is staged is synced all at once, before it gets its name."""
    durable.make_dirs(target.parent, durable=False)
    if isinstance(source, bytes):
        durable.write_file(target, source, durable=False)
        return
    durable.append(target)  # an empty file is a file too
    with source.open("rb") as file:
        while chunk := file.read(_CHUNK):
            durable.append(target, chunk)


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()


def _root_files() -> dict[str, bytes]:
    """What a root holds beside objects; the file that makes it one comes last."""
    return {
        f"extensions/{LAYOUT}/config.json": _json(_CONFIG),
        "ocfl_layout.json": _json({"extension": LAYOUT, "description": _LAYOUT_TEXT}),
        ROOT_NAMASTE: b"ocfl_1.1\n",
    }


class StorageRoot:
    """One OCFL storage root in a directory. Raises MachineError when the disk refuses."""

    def __init__(self, path: Path, *, staging: str = _STAGING) -> None:
        """`staging`: where this writer stages, below `extensions/`; two that write at once have their own."""
        self.path = path
        self._staging = staging

    @classmethod
    def create(cls, path: Path, *, staging: str = _STAGING) -> StorageRoot:
        """Open the root at `path`, making it if it is not there; safe to run again after a crash."""
        root = cls(path, staging=staging)
        if not (path / ROOT_NAMASTE).is_file():
            durable.make_dirs(path / "extensions" / LAYOUT)
            for name, content in _root_files().items():
                durable.write_file(path / name, content)
        return root

    def damaged(self) -> list[str]:
        """The root's own files that are not what `create` writes: names below the root."""
        wrong = []
        for name, content in _root_files().items():
            file = self.path / name
            with durable.machine_errors(file, "reading"):
                if not file.is_file() or file.read_bytes() != content:
                    wrong.append(name)
        return wrong

    def has(self, object_id: str) -> bool:
        """Whether the object stands here."""
        return (self._object(object_id) / OBJECT_NAMASTE).is_file()

    def inventory(self, object_id: str) -> Inventory:
        """The object's newest inventory, checked against its sidecar.

        Raises UsageError when there is no such object, FormatError when no inventory of it holds.
        """
        directory = self._object(object_id)
        if not (directory / OBJECT_NAMASTE).is_file():
            raise UsageError(f"the vault at {self.path} has no object {object_id}")
        inventory = self._newest(directory)
        if inventory.id != object_id:
            raise FormatError(str(directory / NAME), f"belongs to {inventory.id!r}", where="id")
        return inventory

    def files(self, object_id: str, version: str | None = None) -> dict[str, Path]:
        """{logical path: file} of a version, by default the newest."""
        inventory, directory = self.inventory(object_id), self._object(object_id)
        state = inventory.version(version).state
        return {logical: directory / inventory.content(logical, version)[0] for logical in sorted(state)}

    def read(self, object_id: str, logical: str, version: str | None = None) -> bytes:
        """One file's bytes, checked against its digest; raises FormatError when they differ."""
        path, digest = self.inventory(object_id).content(logical, version)
        data = durable.read_bytes(self._object(object_id) / path)
        if hashlib.sha512(data).hexdigest() != digest:
            raise FormatError(f"{object_id}: {path}", "differs from its digest in the inventory")
        return data

    def add_object(
        self, object_id: str, files: Mapping[str, Path | bytes], *, message: str, user: User, created: str
    ) -> Inventory:
        """Store a new object, version v1. Raises UsageError when it stands already."""
        if self.has(object_id):
            raise UsageError(f"the vault at {self.path} already has the object {object_id}")
        with durable.machine_errors(self.path, f"storing {object_id} in"):
            return self._add(None, object_id, files, message, user, created)

    def add_version(
        self, object_id: str, files: Mapping[str, Path | bytes], *, message: str, user: User, created: str
    ) -> Inventory:
        """Store a new version whose whole state is `files`; one that would change nothing is not made."""
        self.repair(object_id)
        before = self.inventory(object_id)
        with durable.machine_errors(self.path, f"storing {object_id} in"):
            return self._add(before, object_id, files, message, user, created)

    def _add(
        self,
        before: Inventory | None,
        object_id: str,
        files: Mapping[str, Path | bytes],
        message: str,
        user: User,
        created: str,
    ) -> Inventory:
        state = {
            check_path(logical): hashlib.sha512(source).hexdigest()
            if isinstance(source, bytes)
            else _digest(source)
            for logical, source in files.items()
        }
        if before is not None and before.versions[-1].state == state:
            return before
        inventory, new = next_version(before, object_id, Version(created, message, user, state))
        staging = self._stage(object_id)
        for logical, content in new.items():
            target = staging / content
            _copy(files[logical], target)
            if _digest(target) != state[logical]:  # the source changed under us, or the disk lies
                raise MachineError(f"{target}: the copy differs from its source {logical}")
        head = staging / inventory.head
        durable.make_dirs(head, durable=False)
        self._write_inventory(head, inventory.encode(), synced=False)
        if before is None:
            self._write_inventory(staging, inventory.encode(), synced=False)
            durable.write_file(staging / OBJECT_NAMASTE, b"ocfl_object_1.1\n", durable=False)
            durable.sync_deep(staging)
            durable.make_dirs(self._object(object_id).parent)
            durable.rename_dir(staging, self._object(object_id))
        else:
            durable.sync_deep(head)
            durable.rename_dir(head, self._object(object_id) / inventory.head)
            self._write_inventory(self._object(object_id), inventory.encode())
        self._unstage(staging)
        return inventory

    def repair(self, object_id: str) -> bool:
        """Make the newest whole version the object's head, as a crash may have left it; True if it had to."""
        directory = self._object(object_id)
        newest = self.inventory(object_id).encode()
        paths = (directory / NAME, newest), (directory / SIDECAR, sidecar(newest))
        if all(path.is_file() and path.read_bytes() == data for path, data in paths):
            return False
        self._write_inventory(directory, newest)
        return True

    def remove_object(self, object_id: str) -> None:
        """Take an object away whole, with the directories it leaves empty; for what stands elsewhere."""
        directory = self._object(object_id)
        staging = self._stage(object_id)
        durable.rename_dir(directory, staging / "removed")
        with durable.machine_errors(directory, "removing"):
            for parent in (directory.parent, directory.parent.parent, directory.parent.parent.parent):
                if any(parent.iterdir()):
                    break
                parent.rmdir()
        self._unstage(staging)

    def object_ids(self) -> Iterator[str]:
        """The ids of all objects, in the order of their paths."""
        for directory in self._objects():
            yield self._newest(directory).id

    def places(self) -> Iterator[Path]:
        """The directories of all objects, whatever their inventories say they are."""
        yield from self._objects()

    def check(self, object_id: str) -> list[Problem]:
        """Fixity: every stored byte against the inventory. An empty list means that all of it holds."""
        directory = self._object(object_id)
        try:
            inventory = self.inventory(object_id)
        except FormatError as error:
            return [Problem(object_id, NAME, str(error))]
        problems = []
        for path, digest in sorted(inventory.manifest.items()):
            file = directory / path
            if not file.is_file():
                problems.append(Problem(object_id, path, "is missing"))
            elif _digest(file) != digest:
                problems.append(Problem(object_id, path, "differs from its SHA-512 in the inventory"))
        return problems + self._strangers(directory, inventory)

    def _strangers(self, directory: Path, inventory: Inventory) -> list[Problem]:
        """Files that no inventory speaks of, and inventories that do not match their sidecar."""
        known = set(inventory.manifest) | {OBJECT_NAMASTE}
        for place in ("", *(f"v{n}/" for n in range(1, len(inventory.versions) + 1))):
            known |= {f"{place}{NAME}", f"{place}{SIDECAR}"}
        found = {p.relative_to(directory).as_posix() for p in directory.rglob("*") if p.is_file()}
        problems = [Problem(inventory.id, path, "is missing") for path in sorted(known - found)]
        problems += [Problem(inventory.id, path, "is not in the inventory") for path in sorted(found - known)]
        for path in sorted(p for p in found & known if p.endswith(NAME)):
            data = (directory / path).read_bytes()
            beside = directory / f"{path}.sha512"
            if not beside.is_file() or beside.read_bytes().split()[:1] != sidecar(data).split()[:1]:
                problems.append(Problem(inventory.id, path, "does not match its sidecar"))
        return [p for p in problems if p.path not in inventory.manifest]

    def _object(self, object_id: str) -> Path:
        return self.path / object_path(object_id)

    def _objects(self) -> Iterator[Path]:
        for directory in sorted(self.path.glob("[0-9a-f][0-9a-f][0-9a-f]/*/*/*/")):
            if (directory / OBJECT_NAMASTE).is_file():
                yield directory

    @staticmethod
    def _newest(directory: Path) -> Inventory:
        """The newest inventory that matches its sidecar: the object's own, or a version's that is newer."""
        found: list[Inventory] = []
        for place in (directory, *directory.glob("v*/")):
            try:
                data, beside = (place / NAME).read_bytes(), (place / SIDECAR).read_bytes()
            except OSError:
                continue
            if beside.split()[:1] == sidecar(data).split()[:1]:
                found.append(decode(data))
        if not found:
            raise FormatError(str(directory / NAME), "no inventory matches its sidecar")
        return max(found, key=lambda inventory: len(inventory.versions))

    @staticmethod
    def _write_inventory(directory: Path, data: bytes, *, synced: bool = True) -> None:
        durable.write_file(directory / NAME, data, durable=synced)
        durable.write_file(directory / SIDECAR, sidecar(data), durable=synced)

    def sweep(self) -> None:
        """Remove what a crash left in the staging area; nobody may be storing meanwhile."""
        durable.remove_tree(self.path / "extensions" / self._staging)

    def _stage(self, object_id: str) -> Path:
        """An empty staging directory of this object's own: several objects may be stored at once."""
        parent = self.path / "extensions" / self._staging
        staging = parent / hashlib.sha256(object_id.encode()).hexdigest()[:16]
        durable.remove_tree(staging)
        durable.make_dirs(staging, durable=False)
        return staging

    def _unstage(self, staging: Path) -> None:
        durable.remove_tree(staging)
        with contextlib.suppress(OSError):  # another object may be on its way
            staging.parent.rmdir()
