"""Public leaves and the statements they name (FORMATS §2 and §10)."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.record import beat as records
from memcon.record import statement as statements
from memcon.record.beat import Beat, Kind, State
from memcon.record.hashing import ZERO32
from memcon.verify.words import count

if TYPE_CHECKING:
    from collections.abc import Callable

    from memcon.verify.findings import Report

MAX_LISTED = 100


@dataclass(slots=True)
class BeatCheck:
    """Takes leaves in the order of the log; keeps what they say as facts."""

    report: Report
    origin: str
    genesis: Beat | None = None
    last: Beat | None = None
    leaves: int = 0
    restarts: int = 0
    missing: int = 0
    gaps: list[tuple[int, int]] = field(default_factory=list)
    configurations: int = 0
    states: dict[str, int] = field(default_factory=dict)
    named: dict[bytes, Beat] = field(default_factory=dict)

    def take(self, position: int, data: bytes) -> Beat | None:
        """Check the leaf at `position`; None if it cannot be read."""
        where = f"leaf {position}"
        try:
            leaf = records.decode(data)
        except FormatError as error:
            self.report.add("beat-form", where, str(error))
            return None
        self.leaves += 1
        if leaf.index != position:
            self.report.add("beat-index", where, f"says it is leaf {leaf.index}")
        if position == 0:
            self._first(leaf, where)
        elif leaf.kind is Kind.GENESIS:
            self.report.add("genesis-again", where, "is a genesis leaf; a log has one, at its beginning")
        self._reference(leaf, where)
        if self.last is not None:
            self._follow(self.last, leaf, where)
        if self.genesis is not None and leaf.period_ms != self.genesis.period_ms:
            self.report.add(
                "beat-period", where, f"a period of {leaf.period_ms} ms, {self.genesis.period_ms} at genesis"
            )
        if leaf.statement != ZERO32:
            self.named.setdefault(leaf.statement, leaf)
        if leaf.kind is not Kind.GENESIS:
            name = leaf.state.name.lower().replace("_", " ")
            self.states[name] = self.states.get(name, 0) + 1
        self.last = leaf
        return leaf

    def _first(self, leaf: Beat, where: str) -> None:
        if leaf.kind is not Kind.GENESIS:
            self.report.add("genesis-missing", where, f"is of kind {leaf.kind.name.lower()}")
            return
        self.genesis = leaf
        if leaf.flags:  # its state, instance and statement were settled when it was read
            self.report.add("genesis-form", where, f"has flags {leaf.flags:#06x}")

    def _reference(self, leaf: Beat, where: str) -> None:
        if (leaf.note_hash == ZERO32) != (leaf.note_size == 0) or leaf.note_size > leaf.index:
            self.report.add("beat-reference", where, f"names a note of {leaf.note_size} leaves")
        if (leaf.drand_hash == ZERO32) != (leaf.drand_round == 0):
            self.report.add(
                "beat-reference", where, f"names drand round {leaf.drand_round} without its value"
            )

    def _follow(self, before: Beat, leaf: Beat, where: str) -> None:
        if leaf.slot <= before.slot:
            self.report.add("beat-slot", where, f"slot {leaf.slot} after slot {before.slot}")
        if before.kind is Kind.TOMBSTONE:
            self.report.add("beat-end", where, f"leaf {before.index} has ended the log")
        if leaf.index != before.index + 1:
            return  # a bundle leaps from genesis to its call: what lies between is not told here
        if leaf.config_root != before.config_root:
            self.configurations += 1
        if before.kind is not Kind.BEAT:
            return
        if leaf.instance != before.instance:
            self.restarts += 1
        gap = leaf.slot - before.slot - 1
        if gap > 0:
            self.missing += gap
            if len(self.gaps) < MAX_LISTED:
                self.gaps.append((before.slot + 1, leaf.slot - 1))

    def facts(self) -> None:
        """Put what the leaves say into the report."""
        facts = self.report.facts
        if self.genesis is not None:
            facts["period (ms)"] = self.genesis.period_ms
        facts["beats by state, the operator's word"] = self.states
        facts["restarts"] = self.restarts
        facts["changes of configuration"] = self.configurations
        facts["slots without a beat"] = self.missing
        facts["gaps (first and last slot)"] = [list(gap) for gap in self.gaps]

    def check_statements(self, fetch: Callable[[str], bytes | None]) -> statements.Genesis | None:
        """Check every statement that a leaf names; the genesis statement, if it was read."""
        genesis, good = None, 0
        for digest, leaf in self.named.items():
            read = self._statement(digest, leaf, fetch(f"statement/{digest.hex()}"))
            good += read is not None
            if isinstance(read, statements.Genesis):
                genesis = read
            elif isinstance(read, statements.Off | statements.On):
                text = f"from slot {read.slot}, by {read.by}: {read.reason}"
                self.report.facts.setdefault(f"declared {read.KIND}", []).append(text)
            elif isinstance(read, statements.Explanation):
                text = f"of slots {read.first} to {read.last}, by {read.by}: {read.reason}"
                self.report.facts.setdefault("explained afterwards", []).append(text)
        self.report.checked.append(f"{good} of {count(len(self.named), 'statement')} were read and fit")
        if genesis is not None:
            self.report.facts["log begun"] = genesis.created
            self.report.facts["predecessor"] = genesis.predecessor
        return genesis

    def _statement(self, digest: bytes, leaf: Beat, data: bytes | None) -> statements.Statement | None:
        where = f"statement/{digest.hex()}"
        if data is None:
            self.report.add("statement-missing", where, f"leaf {leaf.index} names it")
            return None
        if sha256(data).digest() != digest:
            self.report.add("statement-hash", where, f"has hash {sha256(data).hexdigest()}")
        try:
            read = statements.decode(data)
        except FormatError as error:
            code = "genesis-statement" if leaf.kind is Kind.GENESIS else "statement-form"
            self.report.add(code, where, str(error))
            return None
        problem = self._misfit(read, leaf)
        if problem:
            code = "genesis-statement" if leaf.kind is Kind.GENESIS else "statement-fit"
            self.report.add(code, where, problem)
            return None
        return read if sha256(data).digest() == digest else None

    def _misfit(self, read: statements.Statement, leaf: Beat) -> str | None:
        if read.origin != self.origin:
            return f"is of {read.origin!r}, not of {self.origin!r}"
        if isinstance(read, statements.Genesis) != (leaf.kind is Kind.GENESIS):
            return f"is no statement for a {leaf.kind.name.lower()} leaf"
        if isinstance(read, statements.Genesis) and read.period_ms != leaf.period_ms:
            return f"a period of {read.period_ms} ms, the leaf says {leaf.period_ms}"
        if isinstance(read, statements.Off) and leaf.state is State.OFF and read.slot > leaf.slot:
            return f"is for slot {read.slot} on, the leaf is of slot {leaf.slot}"
        if isinstance(read, statements.Explanation) and read.last >= leaf.slot:
            return f"explains slot {read.last}, which was not over in slot {leaf.slot}"
        return None
