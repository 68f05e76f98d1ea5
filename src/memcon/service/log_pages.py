"""The public page of a log as files: read, judged, and written where any web server can serve it."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from memcon.clock import NS
from memcon.console.log_page import Certificate, Read, page
from memcon.errors import FormatError, MemconError, UsageError
from memcon.record import evidence
from memcon.store.durable import make_dirs, write_file
from memcon.store.tiles import CHECKPOINT, PUBLIC, PUBLIC_DIR
from memcon.verify.asking import Asker
from memcon.verify.cosigned import check_signature
from memcon.verify.findings import Report
from memcon.verify.silence import verify_silence
from memcon.verify.sources import open_source
from memcon.witness.keys import check_quickly

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from memcon.clock import Clock
    from memcon.tlog.policy import Policy
    from memcon.verify.cosigned import Check
    from memcon.verify.sources import Source
    from memcon.witness.settings import Settings

STATIC = ("memcon.css", "console.css", "fonts.css", "theme.js", "ask.js", "icon.svg")
NEWEST = 10
RENEW_SECONDS = 60.0


def write_page(
    where: str,
    to: Path,
    now: int,
    policy: bytes | None = None,
    *,
    cache: Path | None = None,
    check: Check = check_signature,
    renewed: int | None = None,
) -> Path:
    """Write the page of a log or mirror at `now` (POSIX seconds) and all it needs below `to`; its file.

    `renewed`: how often it is written anew, seconds, where it is.

    Raises FormatError, MachineError or UsageError where the log cannot be read or judged.
    """
    asker = Asker(where, policy, cache=cache, check=check)
    report = Report(where, "log")
    history = asker.sync(report, now, asker.known())
    certificates = dict(_certificates(open_source(where), asker.policy, now))
    read = Read(history, asker.policy, policy is not None, report, now, tuple(certificates), renewed)
    make_dirs(to / "silence", PUBLIC_DIR)
    make_dirs(to / "static" / "fonts", PUBLIC_DIR)
    for certificate, data in certificates.items():
        write_file(to / "silence" / certificate.digest, data, PUBLIC, durable=False)
    static = resources.files("memcon.console") / "static"
    fonts = [f"fonts/{font.name}" for font in (static / "fonts").iterdir()]
    for name in (*STATIC, *fonts):
        write_file(to / "static" / name, (static / name).read_bytes(), PUBLIC, durable=False)
    write_file(to / "index.html", page(read).encode(), PUBLIC, durable=False)
    return to / "index.html"


class PageKeeper:
    """Writes the pages of all logs that a witness mirrors, again and again: `to/<hex>/index.html`."""

    def __init__(
        self,
        settings: Settings,
        to: Path,
        clock: Clock,
        say: Callable[[str], object],
        seconds: float = RENEW_SECONDS,
    ) -> None:
        """Raises UsageError where the witness keeps no mirror, FormatError for its policy."""
        if not settings.mirror:
            raise UsageError("a page is made of a mirror", cure="Set mirror = true in witness.toml")
        policy = settings.policy()
        self._mirrors = [settings.mirror_of(log.key.name) for log in policy.logs if log.url is not None]
        self._policy = settings.logs.read_bytes() if policy.quorum is not None else None
        self._to = to
        self._clock = clock
        self._say = say
        self._seconds = seconds
        self._cache = settings.home / "cache"
        self._said: dict[Path, str] = {}

    def run(self, stop: threading.Event) -> None:
        """Until `stop`: at once, then once a minute."""
        self.step()
        while not stop.wait(self._seconds):
            self.step()

    def step(self) -> None:
        """Write each page; what goes wrong is said once, and the page then says that it is old."""
        for mirror in dict.fromkeys(self._mirrors):
            if not (mirror / CHECKPOINT).exists():
                continue
            now = self._clock.wall_ns() // NS
            try:
                write_page(
                    str(mirror), self._to / mirror.name, now, self._policy, cache=self._cache,
                    check=check_quickly, renewed=max(1, int(self._seconds)),
                )  # fmt: skip
            except MemconError as error:
                if self._said.get(mirror) != str(error):
                    self._say(f"the page of {mirror.name}: {error}")
                self._said[mirror] = str(error)
            else:
                self._said.pop(mirror, None)


def _certificates(source: Source, policy: Policy, now: int) -> Iterator[tuple[Certificate, bytes]]:
    """The newest that hold by the policy, newest first."""
    try:
        entries = list(evidence.read_entries(source.fetch(evidence.SILENCE_INDEX) or b""))
    except FormatError:
        return  # the history's reading has told it
    for entry in reversed(entries[-NEWEST:]):
        name = entry.digest.hex()
        data = source.fetch(evidence.hashed_path("silence", entry.digest))
        if data is None:
            continue
        report = verify_silence(data, policy, name, now)
        facts = report.facts
        if report.ok and "from" in facts:
            size = int(facts["tree size"])
            yield Certificate(name, facts["silent at"], size, facts["from"], facts["to"]), data
