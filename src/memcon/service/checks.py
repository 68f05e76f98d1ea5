"""Verification for the command line: one target, or all that a recorder keeps."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import TYPE_CHECKING

from memcon.errors import UsageError
from memcon.seal.keys import load_keys
from memcon.vault.ocfl import StorageRoot, object_path
from memcon.verify.bundle import verify_bundle
from memcon.verify.findings import Report
from memcon.verify.keys import Trust
from memcon.verify.log import verify_log
from memcon.verify.main import guess
from memcon.verify.slots import verify_slots
from memcon.verify.vault import verify_object
from memcon.verify.words import count

if TYPE_CHECKING:
    from collections.abc import Callable

    from memcon.service.config import Config
    from memcon.store.paths import Home

    Progress = Callable[[int, int], None]


def check_target(
    target: str, trusted: Trust, *, audio_to: Path | None = None, progress: Progress | None = None
) -> Report:
    """Check a log (directory or address), a vault object's directory or a bundle, told from its look.

    Raises UsageError or MachineError when it cannot be read at all.
    """
    kind = guess(target)
    path = Path(target)
    if kind != "log" and not path.exists():
        raise UsageError(f"{target} is not there")
    if kind == "log":
        return verify_log(target, trusted, progress=progress)
    if kind == "object":
        return verify_object(path, trusted)
    if not path.stat().st_size:
        raise UsageError(f"{target} is empty")
    with path.open("rb") as file:
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    return verify_bundle(data, trusted, target=target, audio_to=audio_to, progress=progress)


def verify_home(home: Home, config: Config, trusted: Trust, progress: Progress | None = None) -> list[Report]:
    """Check the log with the slot records under it, then every object of the vault.

    Without keys of the checker's own, the home's keys are taken, and the reports say so: that the
    parts fit together, not whose they are.
    """
    own = not trusted.keys
    if own:
        trusted = Trust(load_keys(home.keys).vkeys(config.origin))
    slots = [home.slots] if home.slots.exists() else []
    log = (
        verify_slots(slots, home.log, trusted, load_keys(home.keys).structure)
        if slots
        else verify_log(home.log, trusted, progress=progress)
    )
    reports = [log, _verify_vault(home, config, trusted, progress)]
    for report in reports:
        if own:
            report.not_checked.append(
                "whose log this is: the keys were read from this home, not given by the checker"
            )
    return reports


def _verify_vault(home: Home, config: Config, trusted: Trust, progress: Progress | None) -> Report:
    """All objects as one report; each finding names its object."""
    total = Report(str(home.vault), "vault")
    roots = [path for path in (home.vault, config.vault_fallback) if path is not None and path.exists()]
    objects = [(root, id_) for path in roots for root in [StorageRoot(path)] for id_ in root.object_ids()]
    whole = 0
    for done, (root, id_) in enumerate(objects, 1):
        report = verify_object(root.path / object_path(id_), trusted)
        whole += report.ok
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
        if progress is not None:
            progress(done, len(objects))
    total.checked.append(f"{whole} of {count(len(objects), 'object')} of the vault hold what their seals say")
    total.headline = (
        f"The vault holds what was sealed: {count(len(objects), 'object')}."
        if total.ok
        else f"{len(objects) - whole} of {count(len(objects), 'object')} do not hold what was sealed."
    )
    return total
