"""Putting the question: source, policy, the private copy of what was read before, and the answer."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from memcon.clock import NS, SystemClock
from memcon.errors import FormatError, MachineError, UsageError
from memcon.record import evidence
from memcon.tlog.policy import Policy
from memcon.verify import remember
from memcon.verify.attest import Demand
from memcon.verify.cosigned import check_signature
from memcon.verify.findings import Report
from memcon.verify.sources import open_source
from memcon.verify.sync import Sync
from memcon.verify.was_it_on import Question, Reply, ask

if TYPE_CHECKING:
    from collections.abc import Callable

    from memcon.verify.cosigned import Check
    from memcon.verify.history import History
    from memcon.verify.sources import Source

CACHE_VARIABLE = "MEMCON_CACHE"


def cache_directory() -> Path:
    """`$MEMCON_CACHE`, or `memcon` below `$XDG_CACHE_HOME` or `~/.cache`."""
    named = os.environ.get(CACHE_VARIABLE)
    return (
        Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "memcon"
    )


def read_policy(source: Source, given: bytes | None) -> tuple[Policy, bytes, bool]:
    """The policy to judge by, its bytes, and whether the asker gave it; else the log's own, which informs.

    Raises UsageError where there is none, PolicyError for one whose quorums can be disjoint.
    """
    data = given if given is not None else source.fetch(evidence.POLICY)
    if data is None:
        raise UsageError(
            "nobody has named witnesses: the log serves no policy",
            cure="Give yours with --policy: the log's key, the witnesses you trust, and how many of them",
        )
    policy = Policy.parse(data)
    if not policy.logs:
        raise FormatError("policy", "names no log", cure="Add a line: log <vkey>")
    return policy, data, given is not None


class Asker:
    """One log or mirror, asked by one policy."""

    def __init__(
        self,
        where: str,
        policy: bytes | None = None,
        *,
        cache: Path | None = None,
        demand: Demand | None = None,
        check: Check = check_signature,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._where = where
        self._source = open_source(where)
        self.policy, data, self._own = read_policy(self._source, policy)
        self._demand = demand or Demand()
        self._check = check
        self._progress = progress
        place = where if "://" in where else str(Path(where).resolve())
        name = hashlib.sha256(repr((place, data, self._demand)).encode()).hexdigest()[:32]
        self._file = None if cache is None else cache / f"{name}.history"

    def known(self) -> History | None:
        """What was read before; None where there is nothing, or nothing that can be used."""
        try:
            data = None if self._file is None else self._file.read_bytes()
            return None if data is None else remember.from_bytes(data)
        except (OSError, FormatError):
            return None

    def sync(self, report: Report, now: int, known: History | None = None) -> History:
        """Read what is new. Raises FormatError, MachineError."""
        reading = Sync(
            self._source,
            self.policy,
            report,
            now,
            demand=self._demand,
            check=self._check,
            progress=self._progress,
        )
        history = reading.run(known)
        if self._file is not None:
            try:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                self._file.write_bytes(remember.to_bytes(history))  # cut short, it fails its digest
            except OSError as error:
                raise MachineError(
                    f"{self._file} cannot be written: {error.strerror}",
                    cure="Set MEMCON_CACHE, or --no-cache",
                ) from error
        return history

    def ask(self, question: Question, *, now: int | None = None, offline: bool = False) -> Reply:
        """Read what is new and answer; `offline`: from what was read before alone."""
        now = SystemClock().wall_ns() // NS if now is None else now
        report = Report(self._where, "log")
        known = self.known()
        if offline and known is None:
            raise UsageError(f"nothing of {self._where} was read before", cure="Ask once without --offline")
        if offline and known is not None:
            history = known
            for finding in known.found:
                report.add(*finding)
        else:
            history = self.sync(report, now, known)
        return ask(history, self.policy, question, now, report, own_policy=self._own)
