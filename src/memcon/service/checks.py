"""Verification for the command line: one target, or all that a recorder keeps."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import TYPE_CHECKING

from memcon.clock import NS, SystemClock
from memcon.errors import UsageError
from memcon.seal.keys import load_keys
from memcon.vault.ocfl import StorageRoot, object_path
from memcon.verify.bundle import verify_bundle
from memcon.verify.dossier import verify_dossier
from memcon.verify.findings import Report
from memcon.verify.intake import Found, check_chain, found_in
from memcon.verify.keys import Trust
from memcon.verify.log import verify_log
from memcon.verify.main import guess
from memcon.verify.seen import Seen
from memcon.verify.silence import verify_silence
from memcon.verify.slots import verify_slots
from memcon.verify.vault import verify_object
from memcon.verify.words import count

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from memcon.service.config import Config
    from memcon.store.paths import Home
    from memcon.verify.seen import Kept

    Progress = Callable[[int, int], None]


def check_target(
    target: str,
    trusted: Trust,
    *,
    seen: Sequence[Kept] = (),
    audio_to: Path | None = None,
    progress: Progress | None = None,
    roots: bytes | None = None,
) -> Report:
    """Check a log (directory or address), a vault object's directory, a bundle or a silence certificate,
    told from its look.

    Raises UsageError or MachineError when it cannot be read at all.
    """
    kind = guess(target)
    path = Path(target)
    if kind != "log" and not path.exists():
        raise UsageError(f"{target} is not there")
    if kind == "silence":
        if trusted.policy is None:
            raise UsageError(
                f"{target} is a silence certificate or a conflict: whose word counts is for you to say",
                cure=f"Give --policy FILE with a quorum, or use: memcon silence check {target} --policy FILE",
            )
        return verify_silence(path.read_bytes(), trusted.policy, target, SystemClock().wall_ns() // NS)
    if kind == "structure":
        raise UsageError(
            f"{target} is a file of a structure feed",
            cure=f"Use: memcon structure check {target} --log LOG",
        )
    if kind == "log":
        return verify_log(target, trusted, seen=seen, progress=progress, roots=roots)
    if kind == "object":
        return verify_object(path, trusted)
    if not path.stat().st_size:
        raise UsageError(f"{target} is empty")
    with path.open("rb") as file:
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    if kind == "dossier":
        return verify_dossier(data, trusted, target=target)
    return verify_bundle(data, trusted, target=target, audio_to=audio_to, progress=progress)


def verify_home(
    home: Home,
    config: Config,
    trusted: Trust,
    progress: Progress | None = None,
    *,
    seen: Sequence[Kept] = (),
) -> list[Report]:
    """Check the log with the slot records under it, and every object of the vault, against each other.

    Every object's checkpoint must be of the log's own past, and every call that ended must be kept.

    Without keys of the checker's own, the home's keys are taken, and the reports say so: that the
    parts fit together, not whose they are.
    """
    own = not trusted.keys
    if own:
        trusted = Trust(load_keys(home.keys).vkeys(config.origin))
    vault, kept, numbers, intakes = _verify_vault(home, config, trusted, progress)
    kept += seen
    ended: set[int] = set()
    taken: set[str] = set()
    structure = load_keys(home.keys).structure
    log = (
        verify_slots([home.slots], home.log, trusted, structure, seen=kept, ended=ended, taken=taken)
        if home.slots.exists()
        else verify_log(home.log, trusted, seen=kept, progress=progress)
    )
    if home.work_done.is_dir():
        numbers |= {int(path.name) for path in home.work_done.iterdir() if path.name.isdecimal()}
    for number in sorted(ended - numbers):
        vault.add("object-missing", f"call {number}", "it was sealed to its end, and nothing of it is kept")
    check_chain(vault, intakes, taken)
    vault.headline = _vault_headline(vault)
    reports = [log, vault]
    for report in reports:
        if own:
            report.not_checked.append(
                "whose log this is: the keys were read from this home, not given by the checker"
            )
    return reports


def _verify_vault(
    home: Home, config: Config, trusted: Trust, progress: Progress | None
) -> tuple[Report, list[Kept], set[int], list[Found]]:
    """All objects as one report; the checkpoints in them, the numbers of the calls they hold, and what was
    taken in."""
    total = Report(str(home.vault), "vault")
    roots = [path for path in (home.vault, config.vault_fallback) if path is not None and path.exists()]
    objects = [(root, place) for path in roots for root in [StorageRoot(path)] for place in root.places()]
    for root in map(StorageRoot, roots):
        for name in root.damaged():
            total.add("ocfl-form", name, "is not there, or not as it was written when the vault was made")
    kept: list[Kept] = []
    numbers: set[int] = set()
    intakes: list[Found] = []
    whole = 0
    for done, (root, place) in enumerate(objects, 1):
        report = verify_object(place, trusted)
        facts = report.facts
        id_ = str(facts.get("object", place.name))
        if "object" in facts and root.path / object_path(id_) != place:
            report.add("object-id", str(place.relative_to(root.path)), "is no place for an object of this id")
        if {"origin", "tree size", "root"} <= facts.keys():
            kept.append(Seen(id_, facts["origin"], facts["tree size"], bytes.fromhex(facts["root"])))
        if "call" in facts:
            numbers.add(facts["call"])
        taken = found_in(report)
        intakes += [taken] if taken is not None else []
        whole += report.ok
        _take(total, report, id_)
        if progress is not None:
            progress(done, len(objects))
    total.checked.append(f"{whole} of {count(len(objects), 'object')} of the vault hold what their seals say")
    total.facts["objects"], total.facts["objects without a finding"] = len(objects), whole
    return total, kept, numbers, intakes


def _take(total: Report, report: Report, id_: str) -> None:
    """Put an object's report into that of the vault; each finding names its object."""
    for finding in report.findings:
        total.add(
            finding.code,
            f"{id_}: {finding.where}",
            finding.text,
            second=finding.second,
            through=finding.through,
            stream=finding.stream,
        )
    total.not_checked += [line for line in report.not_checked if line not in total.not_checked]
    total.limits += [line for line in report.limits if line not in total.limits]


def _vault_headline(total: Report) -> str:
    objects, whole = total.facts["objects"], total.facts["objects without a finding"]
    missing = total.counts.get("object-missing", 0)
    if total.ok:
        return f"The vault holds what was sealed: {count(objects, 'object')}."
    lost = f" {count(missing, 'call')} that was sealed is not in it." if missing == 1 else ""
    lost = f" {count(missing, 'call')} that were sealed are not in it." if missing > 1 else lost
    return f"{objects - whole} of {count(objects, 'object')} do not hold what was sealed.{lost}"
