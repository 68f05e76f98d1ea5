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
_ON = (State.RECORDING, State.DEGRADED)


@dataclass(frozen=True, slots=True)
class Naming:
    """A leaf that names a statement.

    `before` is the leaf before it where it is the first of the log to name it; `over` that the statement
    was in force before and had come to its end.
    """

    leaf: Beat
    before: Beat | None
    over: bool


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
    named: dict[bytes, list[Naming]] = field(default_factory=dict)
    dark: int | None = None
    """The last slot of those since the beginning that were off and said nothing."""
    _whole: bool = True
    """Whether no leaf since the beginning was left out: a bundle leaps."""
    _turns: list[tuple[Beat, Beat, tuple[bytes, ...]]] = field(default_factory=list)
    _pending: dict[bytes, None] = field(default_factory=dict)
    _in_force: set[bytes] = field(default_factory=set)
    _over: set[bytes] = field(default_factory=set)

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
        self._name(leaf)
        if leaf.kind is Kind.BEAT:
            self._states(leaf, where)
        if leaf.kind is not Kind.GENESIS:
            name = _word(leaf)
            self.states[name] = self.states.get(name, 0) + 1
        self.last = leaf
        return leaf

    def _name(self, leaf: Beat) -> None:
        """Keep who names a statement, and when a statement that was in force came to its end."""
        if leaf.kind is Kind.BEAT and leaf.state in _ON and self._in_force:
            self._over |= self._in_force
            self._in_force.clear()
            self._pending.clear()
        if leaf.statement == ZERO32:
            return
        first = leaf.statement not in self.named
        namings = self.named.setdefault(leaf.statement, [])
        if len(namings) < MAX_LISTED:
            before = self.last if first and self._whole else None
            namings.append(Naming(leaf, before, self._whole and leaf.statement in self._over))
        if leaf.statement not in self._in_force:
            self._pending.pop(leaf.statement, None)
            self._pending[leaf.statement] = None
        if leaf.kind is Kind.BEAT and leaf.state not in _ON:
            self._in_force.add(leaf.statement)

    def _states(self, leaf: Beat, where: str) -> None:
        """Who goes off says so: a turn needs a statement, in its leaf or in one before it."""
        if leaf.state is State.RECORDING and not any(leaf.instance):
            self.report.add("beat-instance", where, "says that it recorded, and names no instance")
        before = self.last
        if before is None or not self._whole:
            return
        if before.kind is Kind.GENESIS or (before.slot, before.state) == (self.dark, State.OFF):
            self.dark = leaf.slot if leaf.state is State.OFF and leaf.statement == ZERO32 else self.dark
        turns = before.kind is Kind.BEAT and before.state.value < leaf.state.value
        if turns and leaf.state not in _ON:
            if len(self._turns) < MAX_LISTED:
                self._turns.append((before, leaf, tuple(self._pending)))
            here = [digest for digest in self._pending if digest == leaf.statement]
            self._in_force.update(self._pending)
            # What has served for one turn does not serve for the next. One named by this very leaf may be
            # for the next: whether it has served shows when the statements are read.
            self._pending = dict.fromkeys(here)

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
            self._whole = False
            return  # a bundle leaps from genesis to its call: what lies between is not told here
        if leaf.config_root != before.config_root:
            self.configurations += 1
        if before.kind is Kind.BEAT and leaf.instance != before.instance:
            self.restarts += 1
            self._replaced(before, leaf, where)
        gap = leaf.slot - before.slot - 1
        if gap > 0:
            self.missing += gap
            if len(self.gaps) < MAX_LISTED:
                self.gaps.append((before.slot + 1, leaf.slot - 1))

    def _replaced(self, before: Beat, leaf: Beat, where: str) -> None:
        """A slot in which one instance followed another cannot have been recorded from its start."""
        whole = before.state is State.RECORDING and leaf.state is State.RECORDING
        whole = whole and any(leaf.instance) and any(before.instance)
        stepped = (leaf.flags | before.flags) & records.FLAG_CLOCK_STEP
        if whole and leaf.slot == before.slot + 1 and not stepped:
            self.report.add(
                "beat-replaced", where, "another instance than in the slot before, and neither is degraded"
            )

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
        if self.dark is not None and self.genesis is not None:
            facts["off since the beginning, without a statement (last slot)"] = self.dark

    def check_statements(self, fetch: Callable[[str], bytes | None]) -> statements.Genesis | None:
        """Check every statement that a leaf names; the genesis statement, if it was read."""
        genesis, good = None, 0
        kinds: dict[bytes, type[statements.Statement] | None] = {}
        for digest, namings in self.named.items():
            data = fetch(f"statement/{digest.hex()}")
            fitting = [self._statement(digest, naming, data) for naming in namings]
            read = fitting[0]
            kinds[digest] = None if read is None else type(read)
            good += None not in fitting
            if isinstance(read, statements.Genesis):
                genesis = read
            elif isinstance(read, statements.Off | statements.On):
                text = f"from slot {read.slot}, by {read.by}: {read.reason}"
                self.report.facts.setdefault(f"declared {read.KIND}", []).append(text)
            elif isinstance(read, statements.Explanation):
                text = f"of slots {read.first} to {read.last}, by {read.by}: {read.reason}"
                self.report.facts.setdefault("explained afterwards", []).append(text)
        self._check_turns(kinds)
        self.report.checked.append(f"{good} of {count(len(self.named), 'statement')} were read and fit")
        if genesis is not None:
            self.report.facts["log begun"] = genesis.created
            self.report.facts["predecessor"] = genesis.predecessor
        return genesis

    def _check_turns(self, kinds: dict[bytes, type[statements.Statement] | None]) -> None:
        """The last switch named before a turn to off must be to off; one that was not read is reported.

        An *on* that the turning leaf is the first to name comes after the turn, and is none before it.
        """
        served: set[bytes] = set()
        for before, leaf, named in self._turns:
            if before.state in _ON:
                served.clear()
            switches = [
                (digest, kinds.get(digest))
                for digest in named
                if digest not in served and kinds.get(digest) in (statements.Off, statements.On, None)
            ]
            if switches and switches[-1] == (leaf.statement, statements.On) and self._first_named_by(leaf):
                switches.pop()  # off and on again within the slot: the leaf names what ended it
            if not switches or switches[-1][1] is statements.On:
                text = f"is {_word(leaf)} after a leaf that is {_word(before)}, and no statement says so"
                self.report.add("off-undeclared", f"leaf {leaf.index}", text)
            offs = {digest for digest, kind in switches if kind is not statements.On}
            if offs == {leaf.statement}:  # beside another off, it is the other that has served
                served.add(leaf.statement)

    def _first_named_by(self, leaf: Beat) -> bool:
        return self.named[leaf.statement][0].leaf is leaf

    def _statement(self, digest: bytes, naming: Naming, data: bytes | None) -> statements.Statement | None:
        leaf = naming.leaf
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
        problem = self._misfit(read, naming)
        if problem:
            code = "genesis-statement" if leaf.kind is Kind.GENESIS else "statement-fit"
            self.report.add(code, where, problem)
            return None
        return read if sha256(data).digest() == digest else None

    def _misfit(self, read: statements.Statement, naming: Naming) -> str | None:
        leaf, before = naming.leaf, naming.before
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
        if isinstance(read, statements.Off) and naming.over:
            return f"had come to its end before leaf {leaf.index}: each off needs its own"
        if isinstance(read, statements.Off) and _was_on(before, read.slot):
            return f"is for slot {read.slot} on; leaf {leaf.index - 1} of that slot or later was not off"
        return None


def _was_on(before: Beat | None, slot: int) -> bool:
    """Whether the leaf just before contradicts an off that begins with `slot`."""
    return before is not None and before.kind is Kind.BEAT and before.state in _ON and before.slot >= slot


def _word(leaf: Beat) -> str:
    return leaf.state.name.lower().replace("_", " ")
