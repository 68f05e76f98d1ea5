"""Calls taken in of one home, wired: shelf, sealing, index, reading process; and what is made of them."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from memcon.console.deps import Offer
from memcon.errors import MemconError, UsageError
from memcon.intake.desk import IntakeDesk, Stated, Taken
from memcon.intake.reader import Reader
from memcon.record import canonical
from memcon.record.intake import ORIGINAL, hash_of
from memcon.record.intake import decode as decode_intake
from memcon.seal.notes import submit_note
from memcon.service.dossiers import notes_of
from memcon.service.fetching import Fetcher
from memcon.service.intake_bundle import intake_bundle
from memcon.service.watching import Watched, Watcher
from memcon.store import durable
from memcon.vault.intakes import IntakeShelf, intake_id
from memcon.vault.ocfl import StorageRoot, object_path
from memcon.verify.vault import verify_object

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.catalogue.catalogue import Catalogue
    from memcon.catalogue.intakes import IntakeLine, RefusedFile
    from memcon.clock import Clock
    from memcon.console.deps import FileKind
    from memcon.record.intake import Intake
    from memcon.service.config import Config
    from memcon.store.paths import Home
    from memcon.verify.findings import Report

WORKER = "memcon.service.media_worker"
PEAKS = "waveform.json"
RENDER_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Caught:
    """What `catch_up` did: calls indexed, NOTEs handed in again, and what went wrong in words."""

    indexed: int
    handed_in: int
    problems: tuple[str, ...]


class Intakes:
    """What was taken in of one home. Safe to use from several threads."""

    def __init__(self, home: Home, config: Config, clock: Clock, catalogue: Catalogue) -> None:
        self._home = home
        self._config = config
        self.index = catalogue.intakes
        self._catalogue = catalogue
        self.shelf = IntakeShelf(
            home, config.origin, clock, lambda type_, digest: submit_note(home, type_, digest)
        )
        self.reader = Reader(WORKER, config.intake.limits)
        self._taking = Reader(WORKER, config.intake.limits)  # nobody who listens waits for it
        watch = config.intake.watch
        self.watcher = Watcher(watch, self, clock) if watch is not None else None

    def desk(self) -> IntakeDesk:
        """A desk to take files in at, with this home's reading process."""
        fetcher = Fetcher(self._config.intake.fetch, self._config.intake.limits.octets)
        return IntakeDesk(
            self.shelf, self.index, self._taking, self._home.intake_work, fetcher, self.keep_peaks
        )

    def close(self) -> None:
        """End the reading processes."""
        self.reader.close()
        self._taking.close()

    def catch_up(self) -> Caught:
        """Index what stands on the shelf and is not indexed; hand in what no NOTE is known of."""
        self._clean()
        problems: list[str] = []
        indexed = 0
        for n in range(self.index.last() + 1, self.shelf.last() + 1):
            try:
                data = self.shelf.statement(n)
                self.index.put(decode_intake(data), hash_of(data))
                indexed += 1
            except MemconError as error:
                problems.append(f"T{n}: {error}")
        handed = 0
        if self.index.unsealed():
            self._catalogue.dossiers.put_notes(notes_of(self._home))
        for n in self.index.unsealed():
            self.shelf.hand_in(n)
            handed += 1
        return Caught(indexed, handed, tuple(problems))

    def _clean(self) -> None:
        """Remove what was being taken in by processes that are gone."""
        self.shelf.sweep()
        work = self._home.intake_work
        for folder in work.iterdir() if work.is_dir() else ():
            pid = folder.name.partition("-")[0]
            if pid.isdecimal() and not _alive(int(pid)):
                durable.remove_tree(folder)

    def keep_peaks(self, taken: Taken) -> None:
        """The loudness that was measured while the file was read."""
        path = self._derived(taken.n) / PEAKS
        durable.make_dirs(path.parent)
        durable.write_file(path, canonical.dumps([one.hex() for one in taken.peaks]), durable=False)

    # --- what is made of one ---

    def intake(self, n: int) -> Intake:
        """Its statement; UsageError where there is none."""
        return self.shelf.read(n)

    def original(self, n: int) -> Path:
        """The file that was taken in, byte for byte."""
        return self.shelf.files(n)[ORIGINAL]

    def peaks(self, n: int) -> dict[str, bytes]:
        """By lane letter one value of 0 to 100 a second; measured again where they are not there."""
        intake = self.intake(n)
        path = self._derived(n) / PEAKS
        if not path.is_file():
            self._measure(n, intake)
        values = canonical.loads(durable.read_bytes(path), PEAKS)
        return {letter(i): bytes.fromhex(one) for i, one in enumerate(values)}

    def _measure(self, n: int, intake: Intake) -> None:
        question = {"task": f"probe {intake.found['form']}", "damaged": True, **self._paths(n, intake)}
        answer = self.reader.ask(question, self.reader.limits.seconds(intake.files[0].size))
        peaks = tuple(bytes.fromhex(one) for one in answer["peaks"])
        self.keep_peaks(Taken(n, twin=False, peaks=peaks))

    def audio(self, n: int, which: str, kind: Literal["wav", "flac"]) -> Path:
        """The sound of one lane ("A", "B", …) or of `all`; UsageError where there is no such lane."""
        intake = self.intake(n)
        lanes = intake.found["lanes"]
        names = [letter(place) for place in range(len(lanes))]
        if which != "all" and which not in names:
            raise UsageError(f"there is no lane {which!r}")
        path = self._derived(n) / f"audio{'' if which == 'all' else f'-{which}'}.{kind}"
        if path.is_file():
            return path
        durable.make_dirs(path.parent)
        unfinished = path.with_name(f".{path.name}.new")
        question = {
            "task": f"render {intake.found['form']}",
            "container": intake.found["container"],
            "lanes": lanes,
            "which": None if which == "all" else names.index(which),
            "as": kind,
            "to": str(unfinished),
            **self._paths(n, intake),
        }
        self.reader.ask(question, RENDER_SECONDS + self.reader.limits.seconds(intake.files[0].size))
        durable.set_aside(unfinished, path)
        return path

    def _paths(self, n: int, intake: Intake) -> dict[str, Any]:
        files = self.shelf.files(n)
        by_digest = {path.removeprefix("media/"): str(file) for path, file in files.items()}
        named = intake.found.get("referenced") or {}
        return {
            "path": str(files[ORIGINAL]),
            "media": {url: by_digest[digest] for url, digest in named.items() if digest in by_digest},
        }

    def line(self, n: int) -> IntakeLine | None:
        """What the index says of it, and where its NOTE stands."""
        return self.index.line(n)

    def newest(self, count: int) -> list[IntakeLine]:
        """What was taken in last, newest first."""
        return self.index.newest(count)

    def refusals(self, count: int) -> list[RefusedFile]:
        """What was not taken in of the watched folder."""
        return self.index.refusals(count)

    def watched(self) -> Watched | None:
        """How far the watched folder is; None where none is watched."""
        return None if self.watcher is None else self.watcher.state

    def take_upload(self, file: BinaryIO, name: str, by: str, stated: Stated, *, damaged: bool) -> Taken:
        """Take in what came over a page. RefusedError for a file that is not taken."""
        folder = self._home.intake_work / f"{os.getpid()}-{secrets.token_hex(6)}"
        durable.make_dirs(folder, durable=False)
        try:
            path = folder / "upload"
            durable.append(path)
            while chunk := file.read(1 << 20):
                durable.append(path, chunk)
            return self.desk().take(path, by, stated, name=name, damaged=damaged)
        finally:
            durable.remove_tree(folder)

    def offers(self, n: int) -> list[Offer]:
        """What can be taken away."""
        intake = self.intake(n)
        kept = Offer("original", intake.files[0].size)
        return [kept, Offer("bundle", None), Offer("flac", None), Offer("wav", None)]

    def export(self, n: int, kind: FileKind) -> Path:
        """A file of it, made if need be."""
        if kind == "original":
            return self.original(n)
        if kind in ("wav", "flac"):
            return self.audio(n, "all", kind)
        if kind == "bundle":
            return self._bundle(n)
        raise UsageError(f"T{n:03d} was taken in from a file: there is no {kind} of it")

    def _bundle(self, n: int) -> Path:
        """Made anew each time: the log has grown, and may have sealed it meanwhile."""
        path = self._derived(n) / "intake.bundle.zip"
        durable.make_dirs(path.parent)
        data = intake_bundle(self._home, self._config.origin, self._catalogue, self.shelf, n)
        durable.write_file(path, data, durable=False)
        return path

    def verify(self, n: int) -> Report:
        """The object checked as `memcon verify` checks it, and its place in the log."""
        self.shelf.statement(n)
        place = object_path(intake_id(self._config.origin, n))
        report = verify_object(StorageRoot(self._home.vault).path / place)
        line = self.index.line(n)
        if line is None or line.beat is None:
            report.add("intake-unsealed", f"intake {n}", "no beat of the log names it yet")
        else:
            report.checked.append(
                f"Beat {line.beat} of the log commits to it, by this machine's slot records"
            )
        return report

    def _derived(self, n: int) -> Path:
        return self._home.derived / f"T{n}"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def letter(place: int) -> str:
    """A to Z, AA to ZZ: the lane at a place from 0 on."""
    first, last = divmod(place, 26)
    return (chr(ord("A") + first - 1) if first else "") + chr(ord("A") + last)
