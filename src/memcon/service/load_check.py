"""After a load: is every packet that was sent in a recording or in a declared loss, and does all verify?"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from memcon.clock import NS
from memcon.service.losses import ACCOUNTS, loss_of
from memcon.verify.findings import CODES, NOTE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from memcon.client.load_plan import CallSent
    from memcon.clock import Clock
    from memcon.service.archive import Archive
    from memcon.service.losses import CallLoss

KEPT_SECONDS = 60.0


@dataclass(slots=True)
class LoadCheck:
    """What became of the calls that were taken: each one's account, those `lost`, what verifying found."""

    losses: list[CallLoss] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    @property
    def accounts(self) -> Counter[str]:
        """Lost packets by account, of all calls."""
        return sum((loss.accounts for loss in self.losses), Counter())

    @property
    def undeclared(self) -> int:
        """Packets that nothing accounts for."""
        return sum(loss.undeclared for loss in self.losses)

    @property
    def strange(self) -> int:
        """Packets in the recordings that nobody sent."""
        return sum(stream.strange for loss in self.losses for stream in loss.streams)

    @property
    def good(self) -> bool:
        """Whether every packet is in a recording or in a declared loss, every call is there, all verifies."""
        return not (self.undeclared or self.strange or self.lost or self.findings)

    def to_json(self) -> dict[str, Any]:
        """As `memcon load check --json` says it (docs/CLI.md)."""
        sent, kept = (sum(getattr(loss, name) for loss in self.losses) for name in ("sent", "kept"))
        return {
            "calls": [loss.to_json() for loss in self.losses],
            "lost_calls": self.lost,
            "sent": sent,
            "kept": kept,
            "missing": sent - kept,
            "accounts": {name: count for name in ACCOUNTS if (count := self.accounts[name])},
            "undeclared": self.undeclared,
            "strange": self.strange,
            "findings": self.findings,
            "good": self.good,
        }

    def words(self) -> str:
        """The same in lines."""
        told = self.to_json()
        lines = [
            f"{len(self.losses)} calls kept, {len(self.lost)} not there; {told['sent']} packets sent, "
            f"{told['kept']} in the recordings, {told['missing']} missing, {self.strange} that nobody sent"
        ]
        lines += [f"  declared, {account}: {count}" for account, count in told["accounts"].items()]
        lines.append(f"declared nowhere: {self.undeclared}")
        for loss in self.losses:
            if loss.undeclared:
                lines.append(f"  call {loss.number}: {loss.undeclared} of {loss.sent}")
        lines += [f"  not there: {call_id}" for call_id in self.lost]
        lines += [f"  found: {text}" for text in self.findings]
        lines.append(f"Verified: {len(self.losses)} calls, {len(self.findings)} findings.")
        return "\n".join(lines)


def check_load(
    archive: Archive,
    calls: Iterable[CallSent],
    clock: Clock,
    *,
    wait_s: float = KEPT_SECONDS,
    progress: Callable[[int, int], None] | None = None,
) -> LoadCheck:
    """Find each call that was taken, account for its packets and verify it.

    Waits for calls that are still on their way to the vault: as long as some come within `wait_s`.
    Raises UsageError where the calls cannot be opened here, FormatError for one that does not open.
    """
    wanted = {call.call_id: call for call in calls if call.status == 200}
    total, found, seen = len(wanted), LoadCheck(), set[int]()
    pause, until = threading.Event(), clock.monotonic_ns() + round(wait_s * NS)
    while wanted and clock.monotonic_ns() < until:
        new = sorted(set(archive.numbers()) - seen, reverse=True)
        for number in new:
            seen.add(number)
            if _check_one(archive, number, wanted, found) and progress is not None:
                progress(total - len(wanted), total)
            if not wanted:
                break
            until = clock.monotonic_ns() + round(wait_s * NS)
        if not new:
            pause.wait(0.2)
    found.lost = sorted(wanted)
    found.losses.sort(key=lambda loss: loss.number)
    return found


def _check_one(archive: Archive, number: int, wanted: dict[str, CallSent], found: LoadCheck) -> bool:
    opened = archive.open(number)
    ids: Any = opened.record()["source_ids"]
    sent = wanted.pop(str(ids["call_id"]), None)
    if sent is None:
        return False
    found.losses.append(loss_of(opened, sent))
    checked = archive.verify_call(number)
    wrong = [f for f in checked.findings if CODES[f.code].severity != NOTE]
    found.findings += [f"call {number}: {f.code}: {f.text}" for f in wrong]
    return True
