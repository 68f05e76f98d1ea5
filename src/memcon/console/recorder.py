"""The recorder as its own files show it: the log's beginning, what its processes said, the disk."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memcon.clock import NS
from memcon.console.deps import Disk, Process, Quorum, WitnessRow
from memcon.console.event_words import text_of
from memcon.console.words import count, listed, number
from memcon.errors import MachineError
from memcon.record.beat import decode
from memcon.store import durable
from memcon.store.tiles import LogStore

if TYPE_CHECKING:
    from memcon.store.paths import Home

PROCESSES = ("capture", "seal", "office")
NS_PER_MS = 1_000_000
STALE_NS = 10 * NS


@dataclass(frozen=True, slots=True)
class Beginning:
    """What leaf 0 fixed for the life of the log."""

    period_ns: int
    slot: int


@dataclass(frozen=True, slots=True)
class Head:
    """The published tree."""

    origin: str
    size: int

    @property
    def name(self) -> str:
        """The last part of the origin: how people call this recorder."""
        return self.origin.rstrip("/").rpartition("/")[2]


def read_beginning(home: Home) -> Beginning:
    """Leaf 0 of the log; UsageError where there is no log."""
    first = decode(next(iter(LogStore(home.log).entries(0, 1))))
    return Beginning(first.period_ms * NS_PER_MS, first.slot)


def read_head(home: Home) -> Head:
    """The log's newest checkpoint; UsageError where there is no log."""
    checkpoint = LogStore(home.log).checkpoint()
    return Head(checkpoint.origin, checkpoint.size)


def read_said(home: Home, process: str) -> dict[str, Any]:
    """What a process last said of itself; empty when it said nothing that can be read."""
    try:
        data = durable.read_if_there(home.status(process))
        said = json.loads(data) if data is not None else {}
    except (MachineError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def processes(said: dict[str, dict[str, Any]]) -> tuple[Process, ...]:
    """The three processes in words; `running` of each is what `health.read_words` found."""
    words = {"capture": _capture, "seal": _seal, "office": _office}
    return tuple(
        Process(
            name,
            words[name](said[name]) if "pid" in said[name] else "has said nothing since the machine started",
            _whole(said[name].get("wall")),
            running=bool(said[name]["running"]),
        )
        for name in PROCESSES
    )


def _capture(said: dict[str, Any]) -> str:
    listens = said.get("listen")
    where = listed(text_of(one) for one in listens) if isinstance(listens, list) and listens else "nowhere"
    text = f"{count(_whole(said.get('calls')) or 0, 'call')} open, listens on {where}"
    trouble = said.get("trouble")
    return f"{text}. Trouble: {text_of(trouble)}" if trouble else text


def _seal(said: dict[str, Any]) -> str:
    leaf, calls = _whole(said.get("index")) or 0, _whole(said.get("open")) or 0
    text = f"last leaf {number(leaf)}, {count(calls, 'call')} open"
    if said.get("trouble"):
        return f"makes no beat now. Trouble: {text_of(said.get('trouble'))}"
    locked = said.get("locked")
    if isinstance(locked, list) and locked:
        text += f". {count(len(locked), 'call')} waiting for a custodian to unlock since a reboot"
    findings = said.get("findings")
    odd = [one for one in findings if isinstance(one, dict)] if isinstance(findings, list) else []
    if odd:
        text += f". Found: {text_of(odd[-1].get('text'))}"
    return text


def _office(said: dict[str, Any]) -> str:
    text = f"{count(_whole(said.get('kept')) or 0, 'call')} put into the vault since it started"
    troubles = said.get("troubles")
    if isinstance(troubles, list) and troubles:
        text += f". Trouble: {text_of(troubles[-1])}"
    return text


def quorum(said: dict[str, Any], size: int) -> Quorum | None:
    """What the submitting process says of the witnesses; None where it has said nothing.

    `size` is that of the published tree: a witness behind it is told how far. Where the process does not
    run there is no quorum.
    """
    told = said.get("witnesses")
    if not isinstance(told, list):
        return None
    rows = tuple(_witness(one, size) for one in told if isinstance(one, dict))
    time = _whole(said.get("quorum_time"))
    there = bool(said.get("quorum")) and bool(said["running"])
    return Quorum(there, _whole(said.get("size")) or 0, time * NS if time else None, rows)


def _witness(said: dict[str, Any], size: int) -> WitnessRow:
    names = said.get("names")
    name = ", ".join(text_of(one) for one in names) if isinstance(names, list) else "?"
    has, time, problem = _whole(said.get("size")) or 0, _whole(said.get("time")), said.get("problem")
    behind = size - has
    says = "agrees" if behind <= 1 else f"agrees, {count(behind, 'beat')} behind"
    return WitnessRow(
        name, time * NS if time else None, has, text_of(problem) if problem else says, well=not problem
    )


def losses(said: dict[str, dict[str, Any]]) -> tuple[tuple[str, str], ...]:
    """What this machine lost since capture started, and how far behind the journal is."""
    capture = said["capture"]
    told = capture.get("losses")
    if not isinstance(told, dict):
        return ()
    packets = _whole(capture.get("packets")) or 0
    rows = [
        ("Packets since the recorder started", number(packets)),
        ("Dropped by this machine", number(_whole(told.get("kernel_drops")) or 0)),
    ]
    for key, words in (("truncated", "Cut short"), ("sockets_broken", "Sockets broken")):
        if _whole(told.get(key)):
            rows.append((words, number(_whole(told.get(key)) or 0)))
    lag = capture.get("journal_lag_s")
    if isinstance(lag, int | float):
        rows.append(("Journal behind by", f"{lag:.2f} s"))
    if capture.get("journal_full"):
        rows.append(("Journal", "full: audio is being lost and declared"))
    return tuple(rows)


def read_disk(home: Home) -> Disk | None:
    """Room on the home's disk."""
    try:
        usage = shutil.disk_usage(home.root)
    except OSError:
        return None
    return Disk(str(home.root), usage.free, usage.total)


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None
