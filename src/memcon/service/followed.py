"""What followed a call, wired: the event files of a home, and the desk of its dossiers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.aftermath.desk import FollowedDesk as FollowedDesk
from memcon.aftermath.desk import line_of as line_of
from memcon.aftermath.sets import EventSets
from memcon.seal.notes import submit_note

if TYPE_CHECKING:
    from memcon.store.paths import Home


def open_sets(home: Home) -> EventSets:
    """The event files of a home; what is taken in is sealed by the next beat."""
    return EventSets(home.events, lambda type_, digest: submit_note(home, type_, digest))
