"""RTP payloads to samples: G.711 and L16 by table and byte order, exactly; the others through FFmpeg (PyAV).

What FFmpeg decodes is its reading of the codec; what this module decodes itself can be checked by
anyone with the ITU-T G.711 tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext

from memcon.errors import LocalError
from memcon.wire.g711 import ALAW, ULAW

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from memcon.wire.codec import Codec

Samples: TypeAlias = "NDArray[np.int16]"


class Decoder(Protocol):
    """Decodes the payloads of one run, in order; `rate` is that of its samples, in Hz."""

    rate: int

    def decode(self, payload: bytes) -> Samples:
        """Mono samples of one payload. Raises ValueError when the payload cannot be decoded."""
        ...


class TableDecoder:
    """G.711: one sample a byte."""

    def __init__(self, table: Samples, rate: int) -> None:
        self.rate = rate
        self._table = table

    def decode(self, payload: bytes) -> Samples:
        return self._table[np.frombuffer(payload, dtype=np.uint8)]


class LinearDecoder:
    """L16 (RFC 3551 §4.5.11): big-endian 16-bit samples; channels are averaged to one."""

    def __init__(self, rate: int, channels: int) -> None:
        self.rate = rate
        self._channels = channels

    def decode(self, payload: bytes) -> Samples:
        whole = len(payload) // (2 * self._channels) * self._channels
        samples = np.frombuffer(payload, dtype=">i2", count=whole).reshape(-1, self._channels)
        return _mono(samples.T.astype(np.int16))


class LibraryDecoder:
    """A codec of FFmpeg. Its state runs on over lost packets, as a receiver's would without concealment.

    `frame` is the size in bytes at which a payload is cut, `pause` that of a frame at its end that
    describes silence, of which no sound is made.
    """

    def __init__(self, name: str, rate: int, frame: int | None = None, pause: int | None = None) -> None:
        self.rate = rate
        self._frame = frame
        self._pause = pause
        codec = av.CodecContext.create(name, "r")
        if not isinstance(codec, AudioCodecContext):
            raise LocalError(f"{name} is no audio codec of this FFmpeg")
        self._codec = codec
        self._codec.layout = "mono"
        self._codec.sample_rate = rate

    def decode(self, payload: bytes) -> Samples:
        size = self._frame or max(len(payload), 1)
        if self._pause is not None and len(payload) % size == self._pause:
            payload = payload[: -self._pause]
        try:
            frames = [
                frame
                for at in range(0, len(payload), size)
                for frame in self._codec.decode(av.Packet(payload[at : at + size]))
            ]
        except av.error.FFmpegError as error:
            raise ValueError(f"{self._codec.name}: {error.strerror}") from error
        if not frames:
            return np.zeros(0, dtype=np.int16)
        return np.concatenate(
            [_mono(_int16(frame.to_ndarray(), len(frame.layout.channels))) for frame in frames]
        )


def _int16(data: NDArray[Any], channels: int) -> Samples:
    """(channels, samples) of int16 from a frame's array, planar or interleaved, int16 or float32."""
    planar = data if data.shape[0] == channels else data.reshape(-1, channels).T
    whole = planar if planar.dtype == np.int16 else np.clip(np.rint(planar * 32768.0), -32768, 32767)
    samples: Samples = whole.astype(np.int16)
    return samples


def _mono(data: Samples) -> Samples:
    """(channels, samples) averaged to one channel."""
    mean: Samples = np.rint(data.astype(np.int32).mean(axis=0)).astype(np.int16)
    return mean


_LIBRARY: dict[str, tuple[str, int, int | None, int | None]] = {
    "G722": ("g722", 16_000, None, None),
    "OPUS": ("opus", 48_000, None, None),
    "G729": ("g729", 8_000, 10, 2),  # Annex B ends a talk spurt with 2 bytes (RFC 3551 §4.5.6)
    "GSM": ("gsm", 8_000, 33, None),
}


def make_decoder(codec: Codec) -> Decoder | None:
    """A fresh decoder for a payload format, or None where memcon knows none."""
    if codec.name == "PCMU":
        return TableDecoder(ULAW, codec.clock_rate)
    if codec.name == "PCMA":
        return TableDecoder(ALAW, codec.clock_rate)
    if codec.name == "L16":
        return LinearDecoder(codec.clock_rate, codec.channels)
    if codec.name in _LIBRARY:
        return LibraryDecoder(*_LIBRARY[codec.name])
    return None


def resample(samples: Samples, rate: int, wanted: int) -> Samples:
    """Samples at another rate (Hz), the first staying the first; FFmpeg's default filter."""
    if rate == wanted or not len(samples):
        return samples
    resampler = av.AudioResampler(format="s16", layout="mono", rate=wanted)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None, :]), format="s16", layout="mono")
    frame.sample_rate = rate
    out = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([part.to_ndarray()[0] for part in out])
