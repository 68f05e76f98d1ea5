"""After a stop that was declared: the first beat that is not off names an *on* statement.

A stop puts an *off* into the log, by the system's user; whoever starts the recorder again ends it, and the
record says so. What the off switch has switched off is ended by the switch alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.record.beat import Kind, State
from memcon.record.hashing import ZERO32
from memcon.record.statement import On
from memcon.seal.controls import Fields

if TYPE_CHECKING:
    from memcon.record.journal import Control
    from memcon.seal.sequencer import Sequencer
    from memcon.seal.switch import Switchboard

MOST_BACK = 1000
"""Beats of a log that is off which are looked back over for the stop."""
REASON = "memcon serve was started"


class Reopening:
    """Follows the starts that the journal tells of."""

    def __init__(self, sequencer: Sequencer, switch: Switchboard) -> None:
        self._sequencer = sequencer
        self._switch = switch
        self._who: tuple[str, str] | None = None

    def started(self, control: Control) -> None:
        """A recorder begins. Raises FormatError for a record that names nobody as it should."""
        f = Fields(control.facts, "start record")
        by, how = f.text("by", ""), f.text("how", "")
        self._who = (by, how) if by and self._stopped() else None

    def _stopped(self) -> bool:
        """Whether the log's end is off by a recorder's stop, and not by the switch or from its beginning."""
        switched = self._switch.switched
        if switched.anything or switched.announced is not None:
            return False
        last = self._sequencer.last
        for _ in range(MOST_BACK):
            if last.kind is not Kind.BEAT or last.state is not State.OFF:
                return False
            if any(last.instance):
                return True
            last = self._sequencer.beat_at(last.index - 1)
        return False

    def statement(self, slot: int, state: State, other: bytes) -> bytes:
        """What the beat of a slot names: `other` where there is one, else the on, once."""
        if self._who is None or state is State.OFF:
            return other
        who, self._who = self._who, None
        if other != ZERO32:  # somebody switches off at once: their statement ends nothing
            return other
        return self._sequencer.store.add_statement(
            On(self._sequencer.origin, slot, *who, REASON, ()).encode()
        )
