"""An object of the vault: a call as it is kept, sealed, without any key of the operator's.

Ciphertexts lead to segment and event hashes, these to the roots in the call's leaves, the leaves by
their paths to the beats, and the beats to the checkpoint. The plaintext roots are taken as they
stand: that they are those of what the ciphertexts hold, only a custodian's key can show.
"""

from __future__ import annotations

import mmap
import re
from hashlib import sha256
from typing import TYPE_CHECKING

from memcon.errors import FormatError, UsageError
from memcon.record import intake
from memcon.record.segment import EVENTS_MAGIC, MEDIA_MAGIC, decode_record_file, read_sealed
from memcon.verify.bundle import headline
from memcon.verify.calls import read_beats, read_leaves
from memcon.verify.findings import Report
from memcon.verify.intake import check_intake
from memcon.verify.keys import Trust, read_checkpoint
from memcon.verify.ocfl import read_object
from memcon.verify.openings import check_event_roots
from memcon.verify.seconds import check_call_root, report_states, seal_states
from memcon.verify.slots import SLOT_FILES, read_records
from memcon.verify.words import count

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.verify.calls import Call

_IDENTITY = re.compile(r"urn:memcon:([0-9a-f]{16}):call:([1-9][0-9]{0,19})")
FILES = (
    "checkpoint",
    "beats.mcb",
    "leaves.mcl",
    "media.mcs",
    "events.mce",
    "wraps.json",
    "custodians.json",
    "record.mcr",
)


def verify_object(path: Path, trusted: Trust | None = None) -> Report:
    """Check an object of the vault in a directory: a call's, one taken in, or a day of slot records.

    Raises UsageError if there is no such directory, OSError or MachineError if it cannot be read.
    """
    if not path.is_dir():
        raise UsageError(f"{path} is no directory")
    report = Report(str(path), "object")
    found = read_object(report, path)
    if found is None:
        report.headline = "There is no inventory that can be read: nothing of this object was checked."
        return report
    files = {
        name: _map(path / content) for name, content in found.logical().items() if (path / content).is_file()
    }
    if "leaves.mcl" in files:
        _check_call(report, files, trusted or Trust(), found.identity)
    elif intake.NAME in files:
        check_intake(report, files, found.identity)
    else:
        _check_slots(report, files)
    return report


def _map(path: Path) -> memoryview:
    """A file's bytes without reading it whole."""
    with path.open("rb") as file:
        if not path.stat().st_size:
            return memoryview(b"")
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _check_identity(report: Report, identity: str, origin: str | None, call: Call) -> None:
    """`urn:memcon:<first 16 hex digits of H(origin)>:call:<number>`, as the vault names calls."""
    named = _IDENTITY.fullmatch(identity)
    if named is None:
        report.add("object-id", "inventory.json", f"{identity!r} is no id of a call")
    elif int(named[2]) != call.number:
        report.add("object-id", "inventory.json", f"names call {named[2]}; here is call {call.number}")
    elif origin is not None and named[1] != sha256(origin.encode()).hexdigest()[:16]:
        report.add("object-id", "inventory.json", f"names another log than {origin!r}")


def _check_call(report: Report, files: dict[str, memoryview], trusted: Trust, identity: str) -> None:
    for name in FILES:
        if name not in files:
            report.add("object-file", name, "a call's object must have it")
    raw = {name: bytes(files[name]) for name in ("checkpoint", "beats.mcb") if name in files}
    signed = read_checkpoint(report, raw.get("checkpoint"), trusted)
    checkpoint = None if signed is None else signed.checkpoint
    beats = read_beats(report, raw.get("beats.mcb"), checkpoint)
    beats.check.facts()
    size = None if checkpoint is None else checkpoint.size
    call = read_leaves(report, files["leaves.mcl"], beats, None, size)
    _check_identity(report, identity, None if checkpoint is None else checkpoint.origin, call)
    _check_media(report, files.get("media.mcs"), call)
    _check_events(report, files.get("events.mce"), call)
    _check_wraps(report, files, call)
    if "record.mcr" in files:
        _check_record(report, files["record.mcr"])
    report.not_checked += [
        "What the ciphertexts hold: that takes a custodian's key",
        "record.mcr, the call in words: the inventory alone binds it",
        "That what reached the recorder was genuine, and calls that never reached it",
    ]
    report.headline = headline(report, call)


def _check_media(report: Report, data: memoryview | None, call: Call) -> None:
    hashes = _hashes(report, "media.mcs", data, MEDIA_MAGIC, call)
    report_states(report, call, seal_states(call, hashes), len(hashes), "media.mcs")
    check_call_root(report, call, hashes, "media.mcs")


def _check_events(report: Report, data: memoryview | None, call: Call) -> None:
    hashes = _hashes(report, "events.mce", data, EVENTS_MAGIC, call)
    good = check_event_roots(report, call, hashes)
    report.checked.append(f"{good:,} of {count(len(hashes), 'event')} match their seals")


def _hashes(report: Report, name: str, data: memoryview | None, magic: bytes, call: Call) -> list[bytes]:
    hashes: list[bytes] = []
    try:
        hashes.extend(item.hash(magic) for item in read_sealed(data or b"", magic, call.number))
    except FormatError as error:
        text = f"{error}; {len(hashes)} items before it were read"
        report.add("sealed-form", name, text, second=len(hashes) if magic == MEDIA_MAGIC else None)
    return hashes


def _check_wraps(report: Report, files: dict[str, memoryview], call: Call) -> None:
    if call.first is None:
        return
    for name, due in (("wraps.json", call.first.wraps), ("custodians.json", call.first.custodians)):
        if name in files and sha256(files[name]).digest() != due:
            report.add("object-wraps", name, "is not what the call's first leaf names")


def _check_record(report: Report, data: memoryview) -> None:
    try:
        decode_record_file(data)
    except FormatError as error:
        report.add("sealed-form", "record.mcr", str(error))


def _check_slots(report: Report, files: dict[str, memoryview]) -> None:
    """Slot records by themselves: whole and readable. What they lead to, `slots` checks."""
    total = 0
    for name, data in sorted(files.items()):
        if name.endswith(SLOT_FILES):
            total += len(read_records(report, name, bytes(data)))
    report.checked.append(f"{count(total, 'slot record')} were read")
    report.not_checked.append("Whether slot records lead to their beats: `memcon-verify slots` does that")
    report.headline = (
        f"The object is as its inventory says, in {count(len(files), 'file')}."
        if report.ok
        else f"The object has {count(sum(report.counts.values()), 'finding')}."
    )
