"""The paths of a home and its run directory (docs/ARCHITECTURE.md), named in one place."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

RUN_VARIABLE = "MEMCON_RUN"
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a tmpfs: keys must not outlive a reboot


def run_directory(root: Path, shared: Path = SHARED_MEMORY) -> Path:
    """Where the processes of the home at `root` keep keys and notices: forgotten by a reboot, on purpose.

    `$MEMCON_RUN`; or a directory of this user and home below `shared`, where that can be written;
    or `<home>/run`. Nothing is created here.
    """
    named = os.environ.get(RUN_VARIABLE)
    if named:
        return Path(named)
    if shared.is_dir() and os.access(shared, os.W_OK | os.X_OK):
        home = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:16]
        return shared / f"memcon-{os.getuid()}-{home}"
    return root / "run"


@dataclass(frozen=True, slots=True)
class Home:
    """Every path of one recorder's home; `vault_path` where the vault is, if not in `root`.

    `journal_fallback`: where journal files go while `journal` cannot be written.
    """

    root: Path
    vault_path: Path | None = None
    journal_fallback: Path | None = None

    @property
    def config(self) -> Path:
        return self.root / "memcon.toml"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def custody(self) -> Path:
        return self.root / "custody"

    @property
    def custodians(self) -> Path:
        return self.custody / "custodians.json"

    @property
    def local_custodian(self) -> Path:
        """The embedded custodian's private key."""
        return self.custody / "local.key"

    @property
    def log(self) -> Path:
        """The public log: any web server may serve it."""
        return self.root / "log"

    @property
    def checkpoint(self) -> Path:
        return self.log / "checkpoint"

    @property
    def journal(self) -> Path:
        return self.root / "journal"

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def work_open(self) -> Path:
        return self.work / "open"

    @property
    def work_starts(self) -> Path:
        """How open calls began: the wraps of their keys, many to a file."""
        return self.root / "work" / "starts"

    @property
    def work_done(self) -> Path:
        return self.work / "done"

    @property
    def notes(self) -> Path:
        """NOTEs that wait for their slot, `<type>-<hex of the object's hash>`, empty files."""
        return self.work / "notes"

    @property
    def config_parts(self) -> Path:
        """The configurations under recording, `<hex of SHA-256>.json`, as their NOTEs name them."""
        return self.work / "config"

    @property
    def intake_work(self) -> Path:
        """Copies of files that are being taken in; what stands here after a crash is of no use."""
        return self.work / "intake"

    @property
    def slots(self) -> Path:
        return self.root / "slots"

    @property
    def structure(self) -> Path:
        """One directory for each overseer's feed (FORMATS §19)."""
        return self.root / "structure"

    @property
    def vault(self) -> Path:
        return self.vault_path or self.root / "vault"

    @property
    def dossiers(self) -> Path:
        """What was written of calls, recorded or not: entries and sources (FORMATS §18)."""
        return self.root / "dossiers"

    @property
    def transcripts(self) -> Path:
        """The versions of each transcript (FORMATS §20)."""
        return self.root / "transcripts"

    @property
    def events(self) -> Path:
        """Event files taken in, with their indexes (FORMATS §18)."""
        return self.root / "events"

    @property
    def derived(self) -> Path:
        return self.root / "derived"

    @property
    def catalogue(self) -> Path:
        return self.root / "catalogue.sqlite"

    @property
    def search(self) -> Path:
        """The index over every word: transcripts, dossiers, parties."""
        return self.root / "search.sqlite"

    @property
    def searches(self) -> Path:
        """Searches that people keep, and when each was last told of something."""
        return self.root / "searches.json"

    @property
    def alerts(self) -> Path:
        """What kept searches found, a line of JSON each."""
        return self.root / "alerts.jsonl"

    @property
    def users(self) -> Path:
        return self.root / "users.json"

    @property
    def state(self) -> Path:
        return self.root / "state.json"

    @property
    def switch(self) -> Path:
        """What is switched off."""
        return self.root / "switch.json"

    @property
    def switch_asked(self) -> Path:
        """What people asked the off switch for, and no leaf has named yet."""
        return self.work / "switch"

    @property
    def run(self) -> Path:
        return run_directory(self.root)

    @property
    def feed(self) -> Path:
        return self.run / "feed.jsonl"

    @property
    def feed_before(self) -> Path:
        """The feed that was full, until the next one is."""
        return self.run / "feed.1.jsonl"

    @property
    def serve_pid(self) -> Path:
        return self.run / "serve.pid"

    def journal_key(self, instance: bytes) -> Path:
        """The key of one instance's journal files, 32 bytes."""
        return self.run / f"journal-{instance.hex()}.key"

    def journal_wraps(self, instance: bytes) -> Path:
        """That key wrapped to the custodians: what a reboot leaves of it."""
        return self.journal / f"{instance.hex()}.wraps.json"

    def journal_file(self, instance: bytes, number: int, folder: Path | None = None) -> Path:
        return (folder or self.journal) / f"{instance.hex()}-{number:08d}.mcj"

    @property
    def journal_folders(self) -> tuple[Path, ...]:
        """Where journal files may stand."""
        return (self.journal, self.journal_fallback) if self.journal_fallback else (self.journal,)

    def call_key(self, number: int) -> Path:
        """The key of an open call, 32 bytes; gone when the call is sealed."""
        return self.run / f"call-{number}.key"

    @property
    def newest_note(self) -> Path:
        """Word of the newest quorum-cosigned note, for the next beat."""
        return self.run / "newest-note.json"

    @property
    def newest_round(self) -> Path:
        """Word of drand's newest round, for the next beat."""
        return self.run / "newest-round.json"

    @property
    def live_transcripts(self) -> Path:
        """What is being said in calls that go on, `<number>.json`: for looking at, no record."""
        return self.run / "live"

    @property
    def unlocked(self) -> Path:
        """Stands while the sealing process has not seen yet that keys have come."""
        return self.run / "unlocked"

    def status(self, process: str) -> Path:
        """What `capture`, `seal`, `office` or `witness` last said of itself, JSON."""
        return self.run / f"{process}.json"
