"""Audio as files: WAV (16-bit PCM) and FLAC, whole in memory."""

from __future__ import annotations

import io
import wave
from typing import TYPE_CHECKING

import av
import numpy as np

from memcon.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memcon.release.decode import Samples

FLAC_CHANNELS = 8
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
_CHUNK = 1 << 16
WAV_LIMIT = (1 << 32) - 64
"""A WAV's sizes have 32 bits."""


def wav(channels: Sequence[Samples], rate: int) -> bytes:
    """A WAV of equally long channels at `rate` Hz. Raises UsageError past 4 GiB."""
    _check(channels)
    if sum(channel.nbytes for channel in channels) > WAV_LIMIT:
        raise UsageError(
            "this call does not fit a WAV (4 GiB)", cure="Take FLAC, or one participant at a time"
        )
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(rate)
        for start in range(0, len(channels[0]), _CHUNK):
            frames = np.stack([channel[start : start + _CHUNK] for channel in channels], axis=1)
            file.writeframesraw(frames.astype("<i2").tobytes())
    return out.getvalue()


def flac(channels: Sequence[Samples], rate: int) -> bytes:
    """The same as FLAC, up to eight channels; raises UsageError for more."""
    _check(channels)
    if len(channels) > FLAC_CHANNELS:
        raise UsageError(
            f"FLAC holds {FLAC_CHANNELS} channels, this call has {len(channels)}",
            cure="Take one participant at a time, or WAV",
        )
    out = io.BytesIO()
    layout = _LAYOUTS[len(channels)]
    with av.open(out, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=rate, layout=layout, format="s16")
        for start in range(0, len(channels[0]), _CHUNK):
            frames = np.stack([channel[start : start + _CHUNK] for channel in channels], axis=1)
            frame = av.AudioFrame.from_ndarray(frames.reshape(1, -1), format="s16", layout=layout)
            frame.sample_rate = rate
            frame.pts = start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


def _check(channels: Sequence[Samples]) -> None:
    if not channels:
        raise UsageError("this call has no stream, so there is nothing to hear")
