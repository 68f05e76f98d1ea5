"""The office process: indexes the feed, fills the vault, serves the pages. Nobody waits for it.

A thread each: uvicorn (this one), the indexer, the keeper, and what is made ahead of the first look while
the machine is idle. Each but the first says what it could not do and goes on; what one misses, the files
still have.
"""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import uvicorn

from memcon import __version__
from memcon.accounts.fetching import Fetcher
from memcon.catalogue.catalogue import Catalogue
from memcon.catalogue.feed import follow
from memcon.clock import NS
from memcon.console.app import create_app
from memcon.console.deps import ConsoleDeps
from memcon.console.from_catalogue import CatalogueRegister
from memcon.console.session import load_session_key
from memcon.console.users import Users
from memcon.errors import MemconError, UsageError
from memcon.service.archive import Archive
from memcon.service.dossier_bundle import dossier_bundle
from memcon.service.dossiers import catch_up, open_desk
from memcon.service.exporting import Exporting
from memcon.service.followed import open_sets
from memcon.service.idleness import idle
from memcon.service.intakes import Intakes
from memcon.service.listening_child import ListeningChild
from memcon.service.metrics import Metrics, serve_metrics
from memcon.service.searching import Searching, open_search
from memcon.service.structure import Feeds
from memcon.service.switching import Switch
from memcon.service.transcripts import hand_in_again, open_book, open_transcripts
from memcon.service.windows import CallWindows
from memcon.store.durable import machine_errors, read_bytes, write_file
from memcon.store.memory import one_arena
from memcon.store.paths import Home
from memcon.vault.keeper import Keeper

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from memcon.clock import Clock
    from memcon.console.deps import FileKind, Offer
    from memcon.service.config import Config
    from memcon.verify.findings import Report

INDEX_SECONDS = 0.2
KEEP_SECONDS = 0.5
FEED_SECONDS = 1.0
AHEAD_SECONDS = 1.0
AHEAD = 1000
"""Calls at most for which something is made ahead of the first look; what is left out is made at that."""
SEARCH_SECONDS = 2.0
WATCH_SECONDS = 2.0
SLOTS_NS = 600 * NS
VERIFIER_FILE = "memcon-verify.pyz"


@dataclass(frozen=True, slots=True)
class LogFiles:
    """The public files of a log directory, by the paths of tlog-tiles."""

    root: Path

    def path(self, name: str) -> Path | None:
        """A file below the log; None for what is not there or would leave it."""
        parts = name.split("/")
        if any(part in ("", ".", "..") or part.startswith(".") for part in parts):
            return None
        path = self.root.joinpath(*parts)
        return path if path.is_file() and path.resolve().is_relative_to(self.root.resolve()) else None


@dataclass(frozen=True, slots=True)
class Exports:
    """What the console offers to take away."""

    archive: Archive

    def offers(self, number: int) -> Sequence[Offer]:
        return self.archive.offers(number)

    def path(self, number: int, kind: FileKind) -> Path:
        return self.archive.export(number, kind)


class Office:
    """Catalogue and vault of one home, kept up to date."""

    def __init__(
        self, home: Home, config: Config, clock: Clock, *, kept: Callable[[int], object] | None = None
    ) -> None:
        self._home = home
        self._clock = clock
        self._when_idle = kept  # called with each call that came into the vault, when there is time
        self._waiting: deque[int] = deque(maxlen=AHEAD)
        self.catalogue = Catalogue(home.catalogue)
        self._keeper = Keeper(home, config.origin, clock, config.vault_fallback)
        self._swept = False
        self._next_slots = 0
        self._troubles: dict[str, str] = {}
        self._kept = 0

    def index(self) -> int:
        """Apply what the feed has gained, and the leaves of calls that are sealed; returns how much."""
        follow(self._home.feed_before, self.catalogue)  # what it had not read when a new feed was begun
        followed = follow(self._home.feed, self.catalogue)
        for number in self.catalogue.unsettled():
            try:
                self.catalogue.settle(read_bytes(self._keeper.find(number)["leaves.mcl"]))
            except MemconError as error:
                self._troubles[f"call {number}"] = str(error)
            else:
                self._troubles.pop(f"call {number}", None)
        return followed.objects

    def keep(self, *, stopping: bool = False) -> None:
        """Put ended calls into the vault, and from time to time the slot records."""
        if not self._swept:  # not when this is made: a disk that refuses now is asked again
            self._keeper.sweep()
            self._swept = True
        outcome = self._keeper.keep_done()
        problems = list(outcome.problems)
        self._kept += len(outcome.kept)
        self._waiting.extend(outcome.kept)
        now = self._clock.monotonic_ns()
        if stopping or now >= self._next_slots:
            self._next_slots = now + SLOTS_NS
            problems += self._keeper.keep_slots(stopping=stopping).problems
        if problems:
            self._troubles["vault"] = "; ".join(problems)
        else:
            self._troubles.pop("vault", None)

    def ahead(self) -> None:
        """While the machine is idle, make what the first look at a call needs; the newest call first."""
        if self._when_idle is not None and self._waiting and idle(self._home, self._clock):
            self._when_idle(self._waiting.pop())

    def catch_up(self) -> None:
        """Dossiers and transcripts that were written while no office ran."""
        desk = open_desk(self._home, self._clock, self.catalogue)
        problems = catch_up(desk, self._home)
        if problems:
            self._troubles["dossiers"] = "; ".join(problems[:10])
        try:
            hand_in_again(open_transcripts(self._home, self._clock), self.catalogue, self._home)
        except MemconError as error:
            self._troubles["transcripts"] = str(error)

    def catch_up_intakes(self, intakes: Intakes) -> None:
        """Calls that were taken in while no office ran."""
        problems = intakes.catch_up().problems
        if problems:
            self._troubles["intakes"] = "; ".join(problems[:10])

    def find_words(self, searching: Searching) -> None:
        """What is new, into the search; word to who asked for it."""
        problems = searching.catch_up().problems
        if problems:
            self._troubles["search"] = "; ".join(problems[:10])
        else:
            self._troubles.pop("search", None)

    def say(self) -> None:
        """Leave the status in the run directory."""
        status = {
            "pid": os.getpid(),
            "wall": self._clock.wall_ns(),
            "kept": self._kept,
            "troubles": list(self._troubles.values()),
        }
        write_file(self._home.status("office"), json.dumps(status).encode(), durable=False)

    def loop(self, work: Callable[[], object], seconds: float, stop: threading.Event, name: str) -> None:
        """Run `work` again and again; what it raises is told and tried again."""
        while not stop.wait(seconds):
            try:
                with machine_errors(self._home.root, "working in"):
                    work()
            except MemconError as error:
                self._troubles[name] = str(error)
            else:
                self._troubles.pop(name, None)


def find_verifier() -> Path | None:
    """The stand-alone verifier as one file, if it was built: beside the package or in dist/."""
    package = Path(__file__).resolve().parent.parent
    for path in (package / VERIFIER_FILE, package.parent.parent / "dist" / VERIFIER_FILE):
        if path.is_file():
            return path
    return None


def _public_names(config: Config) -> list[str]:
    """The names that people outside know the console by."""
    known = urlsplit(config.console_url).hostname if config.console_url else None
    return [*([known] if known else []), *config.console_names]


@dataclass(frozen=True, slots=True)
class Checks:
    """Checks recorded calls by their bundles, and calls taken in (numbers below 0) by their objects."""

    archive: Archive
    intakes: Intakes

    def verify_call(self, number: int) -> Report:
        return self.intakes.verify(-number) if number < 0 else self.archive.verify_call(number)


def console_deps(
    home: Home,
    config: Config,
    clock: Clock,
    catalogue: Catalogue,
    archive: Archive,
    intakes: Intakes,
    searching: Searching | None = None,
) -> ConsoleDeps:
    """The console's world over this home."""
    return ConsoleDeps(
        register=CatalogueRegister(catalogue, home, clock, archive.vkeys),
        transcripts=open_book(home, clock, catalogue),
        audio=archive,
        waveform=archive,
        verifier=Checks(archive, intakes),
        exporter=Exports(archive),
        users=Users(home.users, clock),
        log=LogFiles(home.log),
        clock=clock,
        session_key=load_session_key(home.run / "session.key"),
        hosts=(config.console_host, *_public_names(config)),
        version=__version__,
        verifier_file=find_verifier(),
        structure=home.structure if config.overseers else None,
        switch=Switch(home, config, clock),
        dossiers=open_desk(home, clock, catalogue),
        bundle_dossier=lambda dossier: dossier_bundle(
            open_desk(home, clock, catalogue), home, config.origin, dossier
        ),
        fetch_source=Fetcher(clock).fetch if config.console_fetch else None,
        event_sets=open_sets(home),
        intakes=intakes,
        windows=CallWindows(home, clock, config.stamp_roots),
        search=searching,
        word_files=Exporting(home, config, clock, catalogue, archive, intakes),
    )


def run_office(home: Home, config: Config, clock: Clock, alive: Callable[[], None] = lambda: None) -> None:
    """Serve until SIGTERM or SIGINT; then index and keep what is left. `alive` is called once a second."""
    one_arena()
    home = Home(home.root, config.vault_path)
    archive = Archive(home, config, clock)
    office = Office(home, config, clock, kept=archive.peaks)  # so that the first look at a page is quick
    feeds = Feeds(home, config)
    intakes = Intakes(home, config, clock, office.catalogue)
    listening = ListeningChild(home, config, clock)
    searching = open_search(home, config, clock, office.catalogue)
    stop = threading.Event()
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(console_deps(home, config, clock, office.catalogue, archive, intakes, searching)),
            host=config.console_host,
            port=config.console_port,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=3,
        )
    )
    threads = [
        threading.Thread(target=office.catch_up, daemon=True),
        threading.Thread(target=office.catch_up_intakes, args=(intakes,), daemon=True),
        threading.Thread(target=office.loop, args=(office.index, INDEX_SECONDS, stop, "index"), daemon=True),
        threading.Thread(target=office.loop, args=(office.keep, KEEP_SECONDS, stop, "vault"), daemon=True),
        threading.Thread(target=office.loop, args=(office.ahead, AHEAD_SECONDS, stop, "ahead"), daemon=True),
        threading.Thread(target=office.loop, args=(feeds.advance, FEED_SECONDS, stop, "feeds"), daemon=True),
        threading.Thread(target=office.loop, args=(listening.watch, 0.5, stop, "speech"), daemon=True),
        threading.Thread(
            target=office.loop,
            args=(lambda: office.find_words(searching), SEARCH_SECONDS, stop, "search index"),
            daemon=True,
        ),
        threading.Thread(target=office.loop, args=(office.say, 1.0, stop, "status"), daemon=True),
        threading.Thread(target=office.loop, args=(alive, 1.0, stop, "life"), daemon=True),
    ]
    if intakes.watcher is not None:
        look = (intakes.watcher.look, WATCH_SECONDS, stop, "intake")
        threads.append(threading.Thread(target=office.loop, args=look, daemon=True))
    for thread in threads:
        thread.start()
    metrics = Metrics(home, config, clock)
    try:
        with serve_metrics(metrics, config.metrics_listen):
            server.run()
    except SystemExit as error:  # uvicorn says why on standard error and exits, when a port is taken
        raise UsageError(
            f"the console cannot listen on {config.console_host}:{config.console_port}",
            cure="Change [console] listen in memcon.toml, or stop the program that holds the port",
        ) from error
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        listening.end()
        office.index()
        office.keep(stopping=True)
        office.index()
        intakes.close()
        searching.close()
        office.catalogue.close()
