"""Where the next journal file goes: the journal's own folder, or the fallback while that refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.clock import NS
from memcon.store.durable import room

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.capture.journal_file import JournalFile
    from memcon.clock import Clock
    from memcon.store.paths import Home

AWAY_NS = 10 * NS
"""After a refusal the fallback has the journal for so long at least: a disk that flaps costs few files."""
RETURN_BYTES = 8 << 20
"""Room that the journal's own folder must have before it is tried again."""


class Places:
    """Remembers when the journal's own folder last refused. Without a fallback it is always the choice."""

    def __init__(self, home: Home, clock: Clock) -> None:
        self._own = home.journal
        self._fallback = home.journal_fallback
        self._clock = clock
        self._away_until = 0

    def _away(self) -> bool:
        return self._clock.monotonic_ns() < self._away_until

    def choose(self) -> Path:
        """The folder for the next file."""
        return self._fallback if self._fallback is not None and self._away() else self._own

    def refused(self, folder: Path) -> None:
        """A folder did not take what it was given; when it is the fallback, the other is tried at once."""
        self._away_until = self._clock.monotonic_ns() + AWAY_NS if folder == self._own else 0

    def other_than(self, folder: Path) -> bool:
        """Whether there is another folder to go to."""
        return self._fallback is not None and self.choose() != folder

    def at_home(self, file: JournalFile) -> bool:
        return file.folder == self._own

    def may_return(self, file: JournalFile) -> bool:
        """Whether a file in the fallback can be followed by one in the journal's own folder again."""
        return not self.at_home(file) and not self._away() and room(self._own) > RETURN_BYTES
