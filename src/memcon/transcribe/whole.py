"""All channels of one call, or of what was taken in, as a draft of a transcript's next version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.record.transcript import Transcript
from memcon.transcribe.lane import transcribe_lane

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from memcon.record.transcript import Lane, Subject
    from memcon.transcribe.engine import Engine
    from memcon.transcribe.lane import Channel, Wishes


def transcribe(
    of: Subject,
    channels: Sequence[Channel],
    engine: Engine,
    wishes: Wishes,
    by: str,
    say: Callable[[int, int], object] = lambda *_: None,
) -> Transcript:
    """Decode every channel. `say` hears how many ms of sound are done, of how many in all; it is called
    between two decodes, and may do something else meanwhile."""
    lanes: list[Lane] = []

    def said(done: int, _length: int) -> None:
        say(len(lanes) * of.duration + done, len(channels) * of.duration)

    for channel in channels:
        lanes.append(transcribe_lane(channel, engine, wishes, said))  # noqa: PERF401  # `said` counts them
    return Transcript(of, by, tuple(lanes), engine.machine("whole", wishes.hot_words))
