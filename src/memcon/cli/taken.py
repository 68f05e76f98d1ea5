"""What `memcon show` says of a call that was taken in from a file."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from memcon.catalogue.catalogue import Catalogue
from memcon.cli.common import clock_text, load_config
from memcon.clock import SystemClock
from memcon.errors import UsageError
from memcon.service.archive import Archive
from memcon.service.exporting import Exporting
from memcon.service.intakes import Intakes, letter
from memcon.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memcon.catalogue.intakes import IntakeLine
    from memcon.record.intake import Intake


@contextmanager
def intakes_of(home: Home) -> Iterator[Intakes]:
    """What was taken in of a recorder's home, closed again; UsageError where there is no recorder."""
    config = load_config(home)
    home = Home(home.root, config.vault_path)
    catalogue = Catalogue(home.catalogue)
    intakes = Intakes(home, config, SystemClock(), catalogue)
    try:
        yield intakes
    finally:
        intakes.close()
        catalogue.close()


@contextmanager
def exporting_of(home: Home, office: str = "") -> Iterator[Exporting]:
    """What can be taken away in words, of a recorder's home; UsageError where there is no recorder."""
    config = load_config(home)
    home = Home(home.root, config.vault_path)
    clock = SystemClock()
    catalogue = Catalogue(home.catalogue)
    intakes = Intakes(home, config, clock, catalogue)
    try:
        archive = Archive(home, config, clock)
        yield Exporting(home, config, clock, catalogue, archive, intakes, office)
    finally:
        intakes.close()
        catalogue.close()


def find(intakes: Intakes, n: int) -> tuple[Intake, IntakeLine]:
    """A call taken in; UsageError where there is none."""
    intake, line = intakes.intake(n), intakes.line(n)
    if line is None:
        intakes.catch_up()
        line = intakes.line(n)
    if line is None:
        raise UsageError(f"T{n:03d} is not indexed", cure="Run memcon rebuild")
    return intake, line


def taken_json(intake: Intake, line: IntakeLine) -> dict[str, Any]:
    """A call taken in as `show --json` gives it."""
    return {
        "number": -intake.n,
        "call": f"T{intake.n:03d}",
        "state": "taken",
        "taken_in": {"at": intake.at, "by": intake.by, "file": intake.name, "sha256": line.hash},
        "proves": "what stood here when it was sealed; nothing before the intake",
        "files": [
            {"path": f.path, "sha256": f.sha256, "bytes": f.size, "media_type": f.media_type}
            for f in intake.files
        ],
        "stated": intake.stated,
        "found": intake.found,
        "sealed": None if line.beat is None else {"index": line.beat, "slot": line.slot},
    }


def describe_taken(intake: Intake, line: IntakeLine) -> list[str]:
    """The same in lines of text."""
    found, stated, original = intake.found, intake.stated, intake.files[0]
    names = ", ".join(str(party.get("name") or party.get("aor")) for party in stated["parties"]) or "unknown"
    start = f"{stated['start']}, by the word of {stated['start_by']}" if stated.get("start") else "unknown"
    lines = [
        f"Call T{intake.n:03d}: Taken in on {intake.at} by {intake.by}; nothing before that is proved",
        f"  {names}",
        f"  began: {start}; length {clock_text(int(found['duration_ms']) * 1_000_000)}",
        f"  file {intake.name}: {original.media_type}, {original.size:,} bytes",
        f"  SHA-256 {original.sha256}",
    ]
    for place, lane in enumerate(found["lanes"]):
        lost = max(0, lane["expected"] - lane["received"])
        tail = f"; {lane['received']:,} packets, {lost:,} missing" if lane["expected"] else ""
        lines.append(f"  lane {letter(place)}: {lane['name']}, {lane['codec']}, {lane['rate']:,} Hz{tail}")
    lines += [f"  {remark['text']} ({remark['code']})" for remark in found["remarks"]]
    lines.append(
        "  not yet sealed: a running memcon serve seals it"
        if line.beat is None
        else f"  sealed by leaf {line.beat} of the log"
    )
    return lines
