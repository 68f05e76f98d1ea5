"""Peaks for the strip and the player: the greatest magnitude in each cell of a call, per channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from memcon.errors import LocalError
from memcon.release.audio import CELL_NS
from memcon.release.timeline import NS

if TYPE_CHECKING:
    from memcon.record.canonical import Json
    from memcon.release.audio import Audio, Channel

CELLS_A_SECOND = NS // CELL_NS
FULL = 32768


def peaks(audio: Audio, per_second: int) -> list[list[int | None]]:
    """Per channel, one value from 0 to 32768 a cell; None where no audio stands in it, which is not silence.

    `per_second` must divide 50 (cells of 20 ms).
    """
    if per_second < 1 or CELLS_A_SECOND % per_second:
        raise LocalError(f"{per_second} peaks a second: it must divide {CELLS_A_SECOND}")
    count = -(-audio.duration * per_second // NS)
    return [_channel(channel, audio.rate, per_second, count) for channel in audio.channels]


def _channel(channel: Channel, rate: int, per_second: int, count: int) -> list[int | None]:
    bounds = np.minimum(np.arange(count, dtype=np.int64) * rate // per_second, len(channel.samples) - 1)
    magnitude = np.maximum.reduceat(np.abs(channel.samples.astype(np.int32)), bounds)
    group = CELLS_A_SECOND // per_second
    heard = np.zeros(count * group, dtype=np.bool_)
    heard[: len(channel.heard)] = channel.heard[: count * group]
    some: list[bool] = np.logical_or.reduce(heard.reshape(count, group), axis=1).tolist()
    return [int(m) if h else None for m, h in zip(magnitude, some, strict=True)]


def describe(audio: Audio, per_second: int) -> Json:
    """The peaks with what a page needs to draw them: names, scale, length."""
    return {
        "per_second": per_second,
        "full": FULL,
        "duration": str(audio.duration),
        "channels": [
            {"name": channel.name, "participant": channel.participant, "peaks": values}
            for channel, values in zip(audio.channels, peaks(audio, per_second), strict=True)
        ],
    }
