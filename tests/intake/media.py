"""Small media files of every kind, made here; and a reading process that is none, for most tests."""

from __future__ import annotations

import json
import wave
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from memcon.errors import UsageError
from memcon.intake.limits import Limits
from memcon.intake.refusals import RefusedError
from memcon.intake.worker import answer
from memcon.service.media_worker import TASKS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray


def tone(seconds: float, rate: int, channels: int) -> NDArray[np.int16]:
    """(samples, channels), each channel another pitch and loudness."""
    t = np.arange(int(seconds * rate)) / rate
    made = [4000 * (c % 7 + 1) * np.sin(2 * np.pi * (200 + 70 * c) * t) for c in range(channels)]
    return np.stack(made, axis=1).astype("<i2")


def write_wav(path: Path, seconds: float = 2.0, rate: int = 8000, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(tone(seconds, rate, channels).tobytes())
    return path


ENCODED = {
    "a.flac": ("flac", "flac"),
    "a.mp3": ("libmp3lame", "mp3"),
    "a.m4a": ("aac", "ipod"),
    "a.opus": ("libopus", "ogg"),
    "a.ogg": ("flac", "ogg"),
    "a.aac": ("aac", "adts"),
    "a.webm": ("libopus", "webm"),
    "a.mp4": ("aac", "mp4"),
}


def encode(
    path: Path, codec: str, form: str, *, seconds: float = 2.0, pictures: bool = False, **says: str
) -> Path:
    """A stereo file of FFmpeg's making, 48 kHz."""
    rate = 48_000
    with av.open(str(path), "w", format=form) as container:
        container.metadata.update(says)
        stream: Any = container.add_stream(codec, rate=rate, layout="stereo")
        video: Any = None
        if pictures:
            video = container.add_stream("mpeg4", rate=10)
            video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        sound = tone(seconds, rate, 2)
        for at in range(0, len(sound), 1024):
            part = np.ascontiguousarray(sound[at : at + 1024]).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(part, format="s16", layout="stereo")
            frame.sample_rate, frame.pts = rate, at
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        for n in range(int(seconds * 10) if video is not None else 0):
            picture = av.VideoFrame.from_ndarray(np.full((32, 32, 3), n, np.uint8), format="rgb24")
            picture.pts = n
            container.mux(video.encode(picture))
        if video is not None:
            container.mux(video.encode(None))
    return path


class InProcess:
    """Answers as the reading process does, in this one."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.asked: list[str] = []

    def ask(self, question: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        assert seconds > 0
        self.asked.append(str(question["task"]))
        told = json.loads(json.dumps(answer(TASKS, json.dumps(question), self.limits)))
        if told["ok"]:
            return dict(told)
        if told["code"]:
            raise RefusedError(told["code"], told["text"])
        raise UsageError(told["text"], cure=told["cure"])
