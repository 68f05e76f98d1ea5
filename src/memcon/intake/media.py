"""Sound in a file, decoded by FFmpeg (PyAV), a piece at a time: eight hours need no more memory than one.

Runs in the reading process alone (`memcon.intake.worker`). Channels are taken apart here and resampled
one by one: libswresample ends the process at more channels than it knows.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any, TypeAlias

import av
import numpy as np

from memcon import __version__
from memcon.intake.found import Found, Lane
from memcon.intake.refusals import RefusedError
from memcon.intake.shape import cut_short, has_frame_count, protected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from memcon.intake.limits import Limits
    from memcon.intake.sniff import Kind

Samples: TypeAlias = "NDArray[np.int16]"
"""(channels, samples)."""
_CODECS = ".".join(map(str, av.library_versions["libavcodec"]))
READER = f"memcon {__version__}, PyAV {av.__version__}, FFmpeg libavcodec {_CODECS}"
_SAYS = ("title", "artist", "comment", "description", "date", "creation_time", "originator",
         "originator_reference", "origination_date", "origination_time", "encoder", "encoded_by",
         "coding_history", "umid", "language")  # fmt: skip
_EXACT = frozenset({"wav", "flac"})
_OPENING = {"enable_drefs": "0", "err_detect": "crccheck"}
_STRICT = {"err_detect": "crccheck+bitstream+buffer"}


class Damage:
    """The first thing that could not be decoded, and how many there were."""

    def __init__(self) -> None:
        self.first = ""
        self.count = 0

    def add(self, text: str) -> None:
        """One more."""
        self.first = self.first or text
        self.count += 1


@contextmanager
def opened(path: Path, kind: Kind) -> Iterator[Any]:
    """The container, read through a file object: a demuxer that would open another file finds none."""
    with path.open("rb") as file:
        try:
            container = av.open(file, "r", format=kind.container, options=_OPENING)
        except av.error.FFmpegError as error:
            text = f"it begins like {kind.container} and cannot be opened: {error.strerror}"
            raise RefusedError("ingest-corrupt", text) from error
        with container:
            yield container


def pieces(container: Any, index: int, damage: Damage) -> Iterator[tuple[Samples, int]]:  # noqa: ANN401
    """The sound of one audio stream: (samples, rate in Hz) in order. What cannot be decoded is `damage`."""
    stream = container.streams.audio[index]
    stream.codec_context.thread_count = 1
    stream.codec_context.options = _STRICT
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.error.FFmpegError as error:
            damage.add(f"the file cannot be read on: {error.strerror}")
            return
        try:
            frames = packet.decode()
        except av.error.FFmpegError as error:
            damage.add(f"at {_place(packet)} s: {error.strerror}")
            continue
        for frame in frames:
            if frame.is_corrupt:
                damage.add(f"at {_place(packet)} s: a frame is corrupt")
            yield _int16(frame.to_ndarray(), len(frame.layout.channels)), frame.sample_rate


def _place(packet: Any) -> str:  # noqa: ANN401
    at = packet.pts if packet.pts is not None else packet.dts
    return "?" if at is None or packet.time_base is None else f"{float(at * packet.time_base):.2f}"


def _int16(data: NDArray[Any], channels: int) -> Samples:
    """Planar int16 from a frame's array: planar or interleaved, of any sample format."""
    planar: NDArray[Any] = data if data.shape[0] == channels else data.reshape(-1, channels).T
    if planar.dtype == np.int16:
        same: Samples = planar
        return same
    if planar.dtype == np.uint8:
        return (planar.astype(np.int16) - 128) << 8
    if planar.dtype.kind == "i":  # s32, s64
        return (planar >> (8 * planar.dtype.itemsize - 16)).astype(np.int16)
    whole = np.nan_to_num(planar.astype(np.float32)) * 32768.0
    clipped: Samples = np.clip(np.rint(whole), -32768, 32767).astype(np.int16)
    return clipped


def probe(path: Path, kind: Kind, limits: Limits, *, damaged: bool) -> Found:
    """Decode a file whole, and say what is in it; raises RefusedError unless `damaged` takes it as it is."""
    if kind.container == "mov" and protected(path):
        raise RefusedError("ingest-encrypted", "its sound is encrypted (rights management)")
    short = cut_short(path, kind)
    if short and not damaged:
        raise RefusedError("ingest-truncated", short)
    found = Found("media", kind.container, kind.media_type, READER)
    damage = Damage()
    with opened(path, kind) as container:
        streams = container.streams.audio
        if not streams:
            raise RefusedError("ingest-no-audio", f"it is {kind.container} without a sound track")
        if sum(_channels(stream) for stream in streams) > limits.channels:
            count = sum(_channels(stream) for stream in streams)
            raise RefusedError("ingest-limit", f"it has {count} channels, {limits.channels} are allowed")
        found.says = _says(container)
        declared = [_declared(stream, container, path, kind) for stream in streams]
        count = len(streams)
        if container.streams.video:
            found.remark("ingest-left-out", "its pictures are kept, and not shown")
            found.media_type = found.media_type.replace("audio/", "video/")
    for index in range(count):
        _read_stream(path, kind, index, declared[index], found, damage, limits, damaged=damaged)
    found.duration = max(lane.begins + lane.duration for lane in found.lanes)
    if not found.duration:
        raise RefusedError("ingest-no-audio", "its sound track has no sample")
    found.start = _day(found.says)
    if damage.first or short:
        found.remark(
            "ingest-damaged", short or f"{damage.count} places cannot be decoded, first {damage.first}"
        )
    return found


def _channels(stream: Any) -> int:  # noqa: ANN401
    return len(stream.codec_context.layout.channels) or 1


def _read_stream(
    path: Path,
    kind: Kind,
    index: int,
    declared: float,
    found: Found,
    damage: Damage,
    limits: Limits,
    *,
    damaged: bool,
) -> None:
    with opened(path, kind) as container:
        stream = container.streams.audio[index]
        codec, begins = stream.codec_context.name, _begins(stream)
        meter: Meter | None = None
        for samples, rate in pieces(container, index, damage):
            if damage.count and not damaged:
                raise RefusedError("ingest-corrupt", damage.first)
            meter = meter or Meter(len(samples), rate)
            if (len(samples), rate) != (meter.channels, meter.rate):
                raise RefusedError(
                    "ingest-corrupt", f"its channels or rate change after {meter.seconds:.1f} s"
                )
            meter.take(samples)
            if meter.seconds > limits.hours * 3600:
                raise RefusedError("ingest-limit", f"it is longer than {limits.hours} hours")
    if damage.count and not damaged:
        raise RefusedError("ingest-corrupt", damage.first)
    if meter is None:
        raise RefusedError("ingest-corrupt", "nothing of its sound can be decoded")
    tolerance = 0.01 if kind.container in _EXACT else 0.5
    if declared - meter.seconds > tolerance:
        text = f"it says that it lasts {declared:.2f} s, and {meter.seconds:.2f} s are there"
        if not damaged:
            raise RefusedError("ingest-truncated", text)
        damage.add(text)
    for channel in range(meter.channels):
        name = f"channel {channel + 1}" if meter.channels > 1 else "channel 1"
        lane = Lane(name, codec, meter.rate, {"stream": index, "channel": channel})
        lane.begins, lane.duration = begins, round(meter.seconds * 1000)
        found.lanes.append(lane)
        found.peaks.append(bytes(-(-begins // 1000)) + meter.peaks(channel))


def _begins(stream: Any) -> int:  # noqa: ANN401
    """When a stream begins, ms; one that begins before the file (a codec's lead-in) begins with it."""
    if stream.start_time is None or stream.time_base is None:
        return 0
    return max(0, round(float(stream.start_time * stream.time_base) * 1000))


def _declared(stream: Any, container: Any, path: Path, kind: Kind) -> float:  # noqa: ANN401
    """How long the file says that a stream is, s; 0 where it does not say."""
    if kind.container in ("mp3", "aac", "amr") and not (kind.container == "mp3" and has_frame_count(path)):
        return 0.0
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    video = bool(container.streams.video)  # then the file's length may be that of its pictures
    return 0.0 if container.duration is None or video else container.duration / av.time_base


def _says(container: Any) -> dict[str, str]:  # noqa: ANN401
    found: dict[str, str] = {}
    for said in (container.metadata, *(stream.metadata for stream in container.streams)):
        for key, value in said.items():
            if key.lower() in _SAYS and str(value).strip():
                found.setdefault(key.lower(), " ".join(str(value).split()))
    return found


def _day(says: dict[str, str]) -> str:
    """The day that a file says of itself, as EDTF; of the clock time nobody knows whether it is UTC."""
    for key in ("origination_date", "creation_time", "date"):
        text = says.get(key, "")[:10].replace(":", "-")
        try:
            if len(text) == len("2017-01-28"):
                return date.fromisoformat(text).isoformat()
        except ValueError:
            continue
    return ""


class Meter:
    """Counts samples, and keeps the loudest of each second and channel."""

    def __init__(self, channels: int, rate: int) -> None:
        self.channels = channels
        self.rate = max(rate, 1)
        self._count = 0
        self._done: list[NDArray[np.int32]] = []
        self._now = np.zeros(channels, dtype=np.int32)

    @property
    def seconds(self) -> float:
        """How much was counted."""
        return self._count / self.rate

    def take(self, samples: Samples) -> None:
        """The next samples, all channels."""
        at = 0
        while at < samples.shape[1]:
            room = self.rate - self._count % self.rate
            part = samples[:, at : at + room]
            np.maximum(self._now, np.abs(part.astype(np.int32)).max(axis=1), out=self._now)
            self._count += part.shape[1]
            at += part.shape[1]
            if self._count % self.rate == 0:
                self._done.append(self._now)
                self._now = np.zeros(self.channels, dtype=np.int32)

    def peaks(self, channel: int) -> bytes:
        """0 to 100 a second."""
        rest = [self._now] if self._count % self.rate else []
        return bytes(min(100, round(int(one[channel]) * 100 / 32768)) for one in [*self._done, *rest])
