"""The public page of a log as files: read, judged, and written where any web server can serve it."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from memcon.console.log_page import Certificate, Read, page
from memcon.errors import FormatError
from memcon.record import evidence
from memcon.store.durable import make_dirs, write_file
from memcon.store.tiles import PUBLIC, PUBLIC_DIR
from memcon.verify.asking import Asker
from memcon.verify.cosigned import check_signature
from memcon.verify.findings import Report
from memcon.verify.silence import verify_silence
from memcon.verify.sources import open_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from memcon.tlog.policy import Policy
    from memcon.verify.cosigned import Check
    from memcon.verify.sources import Source

STATIC = ("memcon.css", "console.css", "fonts.css", "theme.js", "ask.js", "icon.svg")
NEWEST = 10


def write_page(
    where: str,
    to: Path,
    now: int,
    policy: bytes | None = None,
    *,
    cache: Path | None = None,
    check: Check = check_signature,
) -> Path:
    """Write the page of a log or mirror at `now` (POSIX seconds) and all it needs below `to`; its file.

    Raises FormatError, MachineError or UsageError where the log cannot be read or judged.
    """
    asker = Asker(where, policy, cache=cache, check=check)
    report = Report(where, "log")
    history = asker.sync(report, now, asker.known())
    certificates = dict(_certificates(open_source(where), asker.policy))
    read = Read(history, asker.policy, policy is not None, report, now, tuple(certificates))
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


def _certificates(source: Source, policy: Policy) -> Iterator[tuple[Certificate, bytes]]:
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
        report = verify_silence(data, policy, name)
        facts = report.facts
        if report.ok and "from" in facts:
            size = int(facts["tree size"])
            yield Certificate(name, facts["silent at"], size, facts["from"], facts["to"]), data
