"""The capturing process whose journal is being read, and which of its times are believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.clock import NS
from memcon.errors import FormatError
from memcon.seal import controls

if TYPE_CHECKING:
    from memcon.record import journal
    from memcon.seal.segmenter import Segmenter

FAR_NS = 3600 * NS
"""Times in a record that lie further from the journal's ticks are not believed."""


@dataclass(slots=True)
class Instance:
    """One instance of capture. Times in ns."""

    id: bytes
    started: int
    segmenter: Segmenter
    tick: journal.Tick | None = None
    mono: int | None = None
    """The latest monotonic time that was believed."""
    stopped: bool = False
    stepped: bool = False
    """The clock was stepped, and no beat has said so yet."""
    trouble: bool = False
    """The machine refuses to keep what comes in, as capture says."""
    troubled: bool = False
    """It did so in the slot that closes next."""
    begun: bool = False
    """Whether a tick of it has come: the calls of the instance before are carried or over by then."""

    def believe(self, control: journal.Control, kind: str) -> None:
        """A time far from the journal's own would make a call of years: such a record is refused."""
        if "mono" not in control.facts or kind == "carry":  # which has its call's, of long ago
            return
        mono = controls.Fields(control.facts, f"{kind} record").time("mono")
        if self.mono is None:
            self.mono = mono
        elif abs(mono - self.mono) > FAR_NS:
            raise FormatError(f"{kind} record", "lies an hour or more from the journal's time", where="mono")

    def follow(self, before: Instance | None, follows: str) -> None:
        """Go on where the instance `follows` (hex) ended: same clocks, behind the same closed blocks."""
        if before is not None and before.id.hex() == follows:
            self.tick, self.mono, self.stepped = before.tick, before.mono, before.stepped
            self.segmenter.watermark_mono = before.segmenter.watermark_mono
