"""Whether all is well, by what each process last said: one place for `memcon status` and /healthz."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memcon.console.recorder import STALE_NS, read_said

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memcon.store.paths import Home

OK, DEGRADED, FAILED = "ok", "degraded", "failed"
Words = dict[str, dict[str, Any]]


def read_words(home: Home, roles: Iterable[str], period_ns: int, now: int) -> Words:
    """By role, what it last said; `running` asks for word within 10 s or two beats."""
    found: Words = {}
    for role in roles:
        said = read_said(home, role)
        wall = said.get("wall")
        running = isinstance(wall, int) and now - wall < max(STALE_NS, 2 * period_ns)
        found[role] = {"running": running, **said}
    return found


def alarms(words: Words) -> list[str]:
    """What somebody has to do something about, a sentence each."""
    found = [f"{role}: {said['trouble']}" for role, said in words.items() if said.get("trouble")]
    found += [f"office: {text}" for text in words["office"].get("troubles", [])]
    if words["capture"].get("journal_full"):
        found.append("capture: the journal takes no more audio: what is lost of it is counted and declared")
    locked = words["seal"].get("locked", [])
    if locked:
        names = ", ".join(str(number) for number in locked[:10])
        found.append(
            f"seal: {len(locked)} calls wait for a custodian since a reboot ({names}): memcon unlock"
        )
    return found


@dataclass(frozen=True, slots=True)
class Health:
    """`status` ok, degraded or failed, and why."""

    status: str
    reasons: tuple[str, ...]


def judge(words: Words) -> Health:
    """Failed: a process is not at work, or audio or beats are being lost. Degraded: any other alarm."""
    down = [f"{role}: not running" for role, said in words.items() if not said["running"]]
    other = alarms(words)
    witness = words.get("witness", {})
    if witness.get("running") and not witness.get("quorum"):
        other.append("witness: no quorum of witnesses has cosigned of late")
    if down or words["capture"].get("journal_full") or words["seal"].get("trouble"):
        return Health(FAILED, (*down, *other))
    return Health(DEGRADED if other else OK, tuple(other))
