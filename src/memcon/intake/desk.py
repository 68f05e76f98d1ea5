"""Takes files in: looks at each, reads it in the reading process, and hands what holds to the shelf.

A file is first copied, so that what is read, hashed and kept are the same bytes whatever happens to the
file meanwhile. Whether its bytes are known already is asked before anything is decoded.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from memcon.errors import FormatError, MachineError, UsageError
from memcon.intake.found import Read
from memcon.intake.refusals import RefusedError
from memcon.intake.sniff import HEAD, Kind, misnamed, sniff
from memcon.record import edtf
from memcon.record.intake import ORIGINAL, Intake, TakenFile
from memcon.store import durable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from memcon.intake.limits import Limits

_CHUNK = 1 << 20


class Shelf(Protocol):
    """Where calls taken in are kept."""

    def add(
        self,
        by: str,
        name: str,
        files: Sequence[tuple[TakenFile, Path]],
        stated: Mapping[str, Any],
        found: Mapping[str, Any],
        *,
        still_new: Callable[[], int | None],
    ) -> tuple[Intake, str]: ...


class Index(Protocol):
    """What is known of calls taken in."""

    def find(self, sha256: str) -> int | None: ...
    def put(self, intake: Intake, hash_: str) -> None: ...


class Asks(Protocol):
    """The reading process."""

    limits: Limits

    def ask(self, question: Mapping[str, Any], seconds: float) -> dict[str, Any]: ...


class References(Protocol):
    """Recordings that a vCon names and does not hold."""

    def fetch(self, url: str, content_hash: str, to: Path) -> None:
        """Write the bytes to `to`; RefusedError where they may not or cannot be had, or are others."""
        ...


@dataclass(frozen=True, slots=True)
class Stated:
    """What whoever takes a file in says of the call. `start` is EDTF; `lanes` are the speakers' names in
    the order of the lanes."""

    start: str = ""
    title: str = ""
    note: str = ""
    parties: tuple[str, ...] = ()
    lanes: tuple[str, ...] = ()

    def check(self) -> None:
        """FormatError for a start that is no date."""
        if self.start:
            edtf.parse(self.start)


@dataclass(frozen=True, slots=True)
class Taken:
    """One file's end: taken in as `n`, or the same bytes were there as `n` (`twin`)."""

    n: int
    twin: bool
    intake: Intake | None = None
    peaks: tuple[bytes, ...] = ()


@dataclass(slots=True)
class IntakeDesk:
    """The desk of one home. `work` is where files are copied to first, on the vault's disk."""

    shelf: Shelf
    index: Index
    reader: Asks
    work: Path
    references: References
    when_taken: Callable[[Taken], None] = field(default=lambda taken: None)

    def take(self, path: Path, by: str, stated: Stated, *, name: str = "", damaged: bool = False) -> Taken:
        """Take one file in. RefusedError where it is not taken, MachineError where the disk refuses."""
        stated.check()
        folder = self.work / f"{os.getpid()}-{secrets.token_hex(6)}"
        durable.make_dirs(folder, durable=False)
        try:
            return self._take(path, name or path.name, by, stated, folder, damaged=damaged)
        finally:
            durable.remove_tree(folder)

    def _take(self, path: Path, name: str, by: str, stated: Stated, folder: Path, *, damaged: bool) -> Taken:
        copy = folder / "original"
        digest, size, kind = self._copy(path, copy)
        twin = self.index.find(digest)
        if twin is not None:
            return Taken(twin, twin=True)
        read, more = self._read(copy, kind, folder, damaged=damaged)
        remark = misnamed(name, kind)
        facts = dict(read.facts)
        if remark:
            facts["remarks"] = [*facts["remarks"], {"code": "ingest-misnamed", "text": remark}]
        said = _stated(stated, read, by)
        facts["lanes"] = _named(facts["lanes"], stated.lanes, said["parties"])
        original = TakenFile(ORIGINAL, digest, size, read.media_type)
        files = [(original, copy), *((file, folder / file.path) for file in more)]
        try:
            intake, hash_ = self.shelf.add(
                by, name[-255:], files, said, facts, still_new=lambda: self.index.find(digest)
            )
        except UsageError:
            twin = self.index.find(digest)
            if twin is None:
                raise
            return Taken(twin, twin=True)
        self.index.put(intake, hash_)
        taken = Taken(intake.n, twin=False, intake=intake, peaks=tuple(read.peaks))
        self.when_taken(taken)
        return taken

    def _copy(self, path: Path, to: Path) -> tuple[str, int, Kind]:
        """(SHA-256, size, kind) of the copy; nothing is written of a file that is no media by its head."""
        sha = hashlib.sha256()
        try:
            with path.open("rb") as source:
                before = os.fstat(source.fileno())
                if not Path(path).is_file():
                    raise RefusedError("ingest-unreadable", "it is no plain file")
                if before.st_size > self.reader.limits.octets:
                    most = self.reader.limits.octets
                    raise RefusedError(
                        "ingest-limit", f"it has {before.st_size:,} bytes, {most:,} are allowed"
                    )
                head = source.read(HEAD)
                kind = sniff(head, before.st_size)
                source.seek(0)
                size = 0
                durable.append(to)
                while chunk := source.read(_CHUNK):
                    sha.update(chunk)
                    size += len(chunk)
                    durable.append(to, chunk)
                after = os.fstat(source.fileno())
        except MachineError:
            raise
        except OSError as error:
            raise RefusedError("ingest-unreadable", error.strerror or str(error)) from error
        if (before.st_size, before.st_mtime_ns) != (
            after.st_size,
            after.st_mtime_ns,
        ) or size != after.st_size:
            raise RefusedError("ingest-changed", "it was written to while it was read")
        return sha.hexdigest(), size, kind

    def _read(self, copy: Path, kind: Kind, folder: Path, *, damaged: bool) -> tuple[Read, list[TakenFile]]:
        question: dict[str, Any] = {"task": f"probe {kind.form}", "path": str(copy), "damaged": damaged}
        more: list[TakenFile] = []
        if kind.form == "vcon":
            question["media"], more = self._referenced(copy, folder)
        size = copy.stat().st_size + sum(file.size for file in more)
        answer = self.reader.ask(question, self.reader.limits.seconds(size))
        try:
            return Read.from_json(answer), more
        except (KeyError, TypeError, ValueError) as error:
            raise RefusedError("ingest-crash", "the decoder's answer makes no sense") from error

    def _referenced(self, copy: Path, folder: Path) -> tuple[dict[str, str], list[TakenFile]]:
        """Recordings that a vCon names and does not hold: fetched, checked, and kept beside it."""
        limits = self.reader.limits
        wanted = self.reader.ask({"task": "references", "path": str(copy)}, limits.base)["references"]
        found: dict[str, str] = {}
        files: dict[str, TakenFile] = {}
        for one in wanted:
            to = folder / "fetched"
            self.references.fetch(one["url"], one["content_hash"], to)
            digest = hashlib.sha256(durable.read_bytes(to)).hexdigest()
            durable.make_dirs(folder / "media", durable=False)
            size = to.stat().st_size
            durable.set_aside(to, folder / "media" / digest)
            found[one["url"]] = str(folder / "media" / digest)
            files[digest] = TakenFile(f"media/{digest}", digest, size, str(one["media_type"])[:100])
        return found, list(files.values())


def _stated(stated: Stated, read: Read, by: str) -> dict[str, Any]:
    """What people and the file say of the call; each with who says so."""
    parties = [dict(one) for one in read.parties]
    known = len(parties)
    parties += [
        {"id": f"stated-{place + 1}", "name": name, "aor": "", "label": "", "role": "", "by": by}
        for place, name in enumerate(dict.fromkeys((*stated.parties, *stated.lanes)))
        if name not in [one["name"] for one in parties[:known]]
    ]
    start = stated.start or read.start
    who = by if stated.start else ("the file" if read.start else "")
    return {
        "start": start,
        "start_by": who,
        "title": stated.title,
        "note": stated.note,
        "parties": parties,
        "ids": read.ids,
    }


def _named(
    lanes: Sequence[dict[str, Any]], names: Sequence[str], parties: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The lanes with who speaks in each, where that was declared."""
    if len(names) > len(lanes):
        raise FormatError(
            "speakers",
            f"{len(names)} were named, and there are {len(lanes)} lanes",
            cure="Name one a lane, in order",
        )
    ids = {party["name"]: party["id"] for party in parties}
    named = [dict(lane) for lane in lanes]
    for lane, name in zip(named, names, strict=False):
        lane["party"] = ids[name]
    return named
