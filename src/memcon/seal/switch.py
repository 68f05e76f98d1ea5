"""The off switch, as the sealing process works it: from what people asked for to statements in the log.

    asked      work/switch/…, by the command line or the console
    announced  an off statement is named by the next leaf, which is still in the state before
    off        a quorum of witnesses has cosigned that leaf (at once where there are none):
               switch.json says so, capture stops recording, and leaves are in state 3 or 4
    on         switch.json says so at once; the next leaf names the on statement. What was announced and has
               not taken effect is withdrawn by it

Which state a leaf is in follows from the journal alone, where capture writes what it does: `States`.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import replace
from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.record.beat import State
from memcon.record.hashing import ZERO32, line_pseudonym
from memcon.record.statement import Explanation, Off, On
from memcon.seal.controls import Fields
from memcon.store import durable, switch
from memcon.store.switch import EXPLANATION, OFF, ON, Announced, Asked, Switched
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.note import Note

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from memcon.record.journal import Control
    from memcon.store.paths import Home

COSIGNED = "cosigned"
POLICY = "policy"


class Switchboard:
    """Takes up what people ask for, one thing a leaf. `keep` stores a statement and gives its hash."""

    def __init__(self, home: Home, origin: str, structure_key: bytes, keep: Callable[[bytes], bytes]) -> None:
        self._home = home
        self._origin = origin
        self._key = structure_key
        self._keep = keep
        self.switched = switch.read(home)
        self.states = States(self.switched)
        self._named: tuple[Path, Asked, bytes] | None = None

    def told(self, control: Control) -> None:
        """A record of capture: it has stopped recording something, or begun again. Raises FormatError."""
        f = Fields(control.facts, "switch record")
        self.states.change(f.time("wall"), whole=f.flag("whole"), some=bool(f.list("lines")))

    def status(self) -> dict[str, object]:
        """What is off, for `seal.json`."""
        return {"whole": self.switched.whole, "lines": list(self.switched.lines)}

    @property
    def witnessed(self) -> bool:
        """Whether the log is submitted to witnesses."""
        return (self._home.log / POLICY).exists()

    def statement_for(self, slot: int) -> bytes:
        """What the leaf of this slot, which is being made, names: something new, else the off in force."""
        self._named = None
        for path, asked in switch.waiting(self._home):
            if asked is None or (asked.kind == EXPLANATION and asked.last >= slot):
                durable.remove_file(path)  # nobody can act on it; whoever asked sees no effect
                continue
            if asked.kind == OFF and self.switched.announced is not None:
                continue
            digest = self._keep(self._statement(asked, slot))
            self._named = path, asked, digest
            return digest
        return self._in_force(slot)

    def _in_force(self, slot: int) -> bytes:
        if not self.switched.anything:
            return ZERO32
        if not self.switched.statement:  # some lines are on again: what is left is said anew
            s = self.switched
            said = Off(self._origin, slot, s.by, s.how, s.reason, () if s.whole else self._public(s.lines))
            self.switched = replace(s, statement=self._keep(said.encode()).hex())
            switch.write(self._home, self.switched)
        return bytes.fromhex(self.switched.statement)

    def _statement(self, asked: Asked, slot: int) -> bytes:
        who = asked.by, asked.how, asked.reason
        if asked.kind == EXPLANATION:
            return Explanation(self._origin, asked.first, asked.last, *who).encode()
        if asked.kind == ON:
            return On(self._origin, slot, *who, self._public(asked.lines)).encode()
        whole = self.switched.whole or not asked.lines
        lines = () if whole else tuple(dict.fromkeys([*self.switched.lines, *asked.lines]))
        return Off(self._origin, slot, *who, self._public(lines)).encode()

    def _public(self, lines: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(line_pseudonym(self._key, line) for line in lines)

    def published(self, index: int) -> None:
        """The leaf that was asked about stands in the log, at this index."""
        if self._named is None:
            return
        path, asked, digest = self._named
        self._named = None
        if asked.kind == OFF:
            self.switched = replace(self.switched, announced=Announced(digest.hex(), index, asked))
            switch.write(self._home, self.switched)
        elif asked.kind == ON:  # a busy process may not have looked since it was asked for
            self.switched = self._on(asked)
            switch.write(self._home, self.switched)
        durable.remove_file(path)
        self.look()

    def look(self) -> bool:
        """Let take effect what may; False where nothing changed."""
        before = self.switched
        announced = self.switched.announced
        if announced is not None and (not self.witnessed or self._cosigned() > announced.index):
            self.switched = self.switched.with_off(announced.asked, announced.statement)
        for _, asked in switch.waiting(self._home):
            if asked is not None and asked.kind == ON:
                self.switched = self._on(asked)
        if self.switched == before:
            return False
        switch.write(self._home, self.switched)
        return True

    def _on(self, asked: Asked) -> Switched:
        """Applied again for as long as no leaf has named it, which changes nothing."""
        s = self.switched.without(asked.lines)
        if not s.anything or (asked.lines and not set(asked.lines) & set(s.lines)):
            return s
        return s.with_on(asked.lines)

    def _cosigned(self) -> int:
        """The size of the newest checkpoint that a quorum has cosigned."""
        data = durable.read_if_there(self._home.log / COSIGNED)
        try:
            return 0 if data is None else Checkpoint.parse(Note.parse(data).text).size
        except FormatError:
            return 0


class States:
    """Since when what was off, by the journal: the state that a slot's leaf must at least be in."""

    def __init__(self, switched: Switched) -> None:
        """What is off already when sealing starts: the journal may not reach back to when it was told."""
        self._changes: list[tuple[int, State]] = []
        if switched.anything:
            self.change(0, whole=switched.whole, some=True)

    def change(self, wall: int, *, whole: bool, some: bool) -> None:
        """From this wall time (ns) on the whole recorder is off, or some lines are, or nothing."""
        insort(self._changes, (wall, State.OFF if whole else State.PARTLY_OFF if some else State.RECORDING))

    def during(self, start: int, end: int) -> State:
        """The worst state in [start, end); what lies before is forgotten."""
        before = [n for n, (wall, _) in enumerate(self._changes) if wall <= start]
        if before:
            del self._changes[: before[-1]]
        found = [state for wall, state in self._changes if wall < end]
        return max(found, default=State.RECORDING)
