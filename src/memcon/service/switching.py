"""Asking for the off switch and waiting for what comes of it: for the command line and the console."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.clock import NS
from memcon.errors import FormatError, UsageError
from memcon.record import beat as beats
from memcon.record import statement as statements
from memcon.record.hashing import ZERO32
from memcon.store import durable, switch
from memcon.store.switch import EXPLANATION, OFF, ON, Asked
from memcon.store.tiles import LogStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from memcon.clock import Clock
    from memcon.service.config import Config
    from memcon.store.paths import Home

STALE_NS = 10 * NS
LOOK_BACK = 64
"""Leaves in which a statement is looked for."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. `leaf`: the leaf that names the statement, None where none has yet."""

    asked: Asked
    leaf: int | None
    statement: str
    in_effect: bool
    witnessed: bool

    @property
    def sentence(self) -> str:
        """In words, true as it stands."""
        if self.leaf is None:
            return "Asked for. No leaf has named it yet, and it takes effect only then."
        place = f"It stands in leaf {self.leaf:,} of the log, statement {self.statement}."
        if self.asked.kind == EXPLANATION:
            return f"Kept beside the answers, which stay as they are. {place}"
        word = "Off" if self.asked.kind == OFF else "On"
        if self.in_effect:
            after = (
                "" if self.witnessed else " No witnesses are configured: nobody outside has seen it before."
            )
            return f"{word}. {place}{after}"
        return f"Announced; not {word.lower()} yet: no quorum of the witnesses has cosigned it. {place}"


class Switch:
    """The off switch of one home."""

    def __init__(self, home: Home, config: Config, clock: Clock) -> None:
        self._home = home
        self._config = config
        self._clock = clock
        self._begun: dict[Asked, int] = {}
        """How many leaves there were when it was asked for: the same words may stand in one of them."""

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines there are."""
        return tuple(line.name for line in self._config.lines)

    def now(self) -> switch.Switched:
        """What is off, and what was announced."""
        return switch.read(self._home)

    def running(self, role: str) -> bool:
        """Whether a process of the recorder has spoken of late."""
        said = durable.read_if_there(self._home.status(role))
        wall = int(json.loads(said).get("wall", 0)) if said else 0
        return self._clock.wall_ns() - wall < max(STALE_NS, 2 * self._config.period * NS)

    def ask(self, asked: Asked) -> None:
        """Ask; UsageError for a line that is not there, or where nothing would come of it."""
        unknown = [line for line in asked.lines if line not in self.lines]
        if unknown:
            raise UsageError(f"there is no line {unknown[0]!r}", cure=f"There are: {', '.join(self.lines)}")
        if asked.kind == OFF and not self.running("capture"):
            raise UsageError("the recorder is not running: there is nothing to switch off")
        if (
            asked.kind == ON
            and not any(map(self.now().off, asked.lines or ("",)))
            and not self.now().anything
            and self.now().announced is None
        ):
            raise UsageError("nothing is off")
        slot = self._clock.wall_ns() // (self._config.period * NS)
        if asked.kind == EXPLANATION and asked.last >= slot:
            raise UsageError(
                "what is not over cannot be explained afterwards", cure="Use memcon off beforehand"
            )
        self._begun.pop(asked, None)
        self._begun[asked] = LogStore(self._home.log).checkpoint().size
        for old in [*self._begun][:-LOOK_BACK]:
            del self._begun[old]
        switch.ask(self._home, asked)

    def outcome(self, asked: Asked) -> Outcome:
        """What came of it so far."""
        found = self._find(asked)
        now = self.now()
        off = [now.off(line) for line in asked.lines] or [now.whole]
        taken = asked.kind == EXPLANATION or (all(off) if asked.kind == OFF else not any(off))
        leaf, digest = found or (None, "")
        return Outcome(asked, leaf, digest, found is not None and taken, (self._home.log / "policy").exists())

    def _find(self, asked: Asked) -> tuple[int, str] | None:
        """The newest leaf that names a statement of these very words: (index, hash in hex)."""
        store = LogStore(self._home.log)
        size = store.checkpoint().size
        kinds = {OFF: statements.Off, ON: statements.On, EXPLANATION: statements.Explanation}
        first = max(1, size - LOOK_BACK, self._begun.get(asked, 0))
        for index, entry in reversed(list(enumerate(store.entries(first, size), first))):
            digest = beats.decode(entry).statement
            data = None if digest == ZERO32 else store.fetch(f"statement/{digest.hex()}")
            if data is None:
                continue
            try:
                said = statements.decode(data)
            except FormatError:
                continue
            if isinstance(said, statements.Genesis) or type(said) is not kinds[asked.kind]:
                continue
            if (said.by, said.how, said.reason) == (asked.by, asked.how, asked.reason):
                return self._first_naming(store, first, index, digest), digest.hex()
        return None

    @staticmethod
    def _first_naming(store: LogStore, first: int, index: int, digest: bytes) -> int:
        """The first leaf of the run that names it: an off in force is named again and again."""
        while index > first and beats.decode(next(store.entries(index - 1, index))).statement == digest:
            index -= 1
        return index

    def wait(self, asked: Asked, seconds: float, pause: Callable[[], None]) -> Outcome:
        """Wait until it has taken effect, or so long; `pause` lets a moment pass."""
        until = self._clock.monotonic_ns() + int(seconds * NS)
        while not (outcome := self.outcome(asked)).in_effect and self._clock.monotonic_ns() < until:
            pause()
        return outcome
