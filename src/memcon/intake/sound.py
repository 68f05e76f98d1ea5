"""Sound to hear, made of a file that was taken in: one lane, or all; written a piece at a time.

Derived, never the record. Of more than two lanes `all` is their mean, since a browser plays no more.
"""

from __future__ import annotations

import wave
from typing import TYPE_CHECKING, Any, TypeAlias

import av
import numpy as np

from memcon.errors import UsageError
from memcon.intake.media import Damage, opened, pieces

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from memcon.intake.sniff import Kind

Samples: TypeAlias = "NDArray[np.int16]"
Files: TypeAlias = "Mapping[int, tuple[Path, Kind]]"
MOST_RATE = 48_000
STEREO = 2
_WAV_LIMIT = (1 << 32) - 64
_LAYOUTS = {1: "mono", 2: "stereo"}


def lane_pieces(files: Files, lanes: Sequence[dict[str, Any]], rate: int) -> Iterator[Samples]:
    """(lanes, samples) at `rate` Hz of lanes, each from its own beginning on."""
    by_stream: dict[tuple[int, int, int], list[int]] = {}
    for place, lane in enumerate(lanes):
        source = lane["source"]
        key = int(source.get("dialog", 0)), int(source["stream"]), int(lane["begins_ms"])
        by_stream.setdefault(key, []).append(place)
    readers = [
        _Reader(*files[file], index, [(place, lanes[place]) for place in places], rate)
        for (file, index, _), places in by_stream.items()
    ]
    if len(readers) == 1:
        yield from readers[0].run()
        return
    yield from _together(readers, len(lanes))


class _Reader:
    """The lanes of one stream."""

    def __init__(
        self, path: Path, kind: Kind, index: int, lanes: Sequence[tuple[int, dict[str, Any]]], rate: int
    ) -> None:
        self.places = [place for place, _ in lanes]
        self._channels = [int(lane["source"]["channel"]) for _, lane in lanes]
        self._lead = int(lanes[0][1]["begins_ms"]) * rate // 1000
        self._path, self._kind, self._index, self._rate = path, kind, index, rate

    def run(self) -> Iterator[Samples]:
        """(lanes of this stream, samples)."""
        if self._lead:
            yield np.zeros((len(self._channels), self._lead), dtype=np.int16)
        tools: list[Any] = []
        with opened(self._path, self._kind) as container:
            for samples, rate in pieces(container, self._index, Damage()):
                chosen = samples[self._channels]
                if rate == self._rate:
                    yield chosen
                    continue
                if not tools:
                    tools = [av.AudioResampler("s16", "mono", self._rate) for _ in self._channels]
                out = [_resampled(tool, one, rate) for tool, one in zip(tools, chosen, strict=True)]
                if out[0].size:
                    yield np.stack(out)
        if tools:
            rest = [_drained(tool) for tool in tools]
            if rest[0].size:
                yield np.stack(rest)


def _resampled(tool: Any, samples: Samples, rate: int) -> Samples:  # noqa: ANN401
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None, :]), format="s16", layout="mono")
    frame.sample_rate = rate
    return _joined(tool.resample(frame))


def _drained(tool: Any) -> Samples:  # noqa: ANN401
    return _joined(tool.resample(None))


def _joined(frames: Sequence[Any]) -> Samples:
    parts = [frame.to_ndarray()[0] for frame in frames]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int16)


def _together(readers: Sequence[_Reader], count: int) -> Iterator[Samples]:
    """Several streams side by side; one that ends first goes on as silence."""
    sources = [reader.run() for reader in readers]
    rests = [np.zeros((len(reader.places), 0), dtype=np.int16) for reader in readers]
    over = [False] * len(readers)
    while True:
        for n, source in enumerate(sources):
            while not over[n] and not rests[n].shape[1]:
                piece = next(source, None)
                over[n] = piece is None
                rests[n] = rests[n] if piece is None else piece
        lengths = [rest.shape[1] for rest in rests if rest.shape[1]]
        if not lengths:
            return
        size = min(lengths)
        out = np.zeros((count, size), dtype=np.int16)
        for n, reader in enumerate(readers):
            if rests[n].shape[1]:
                out[reader.places] = rests[n][:, :size]
                rests[n] = rests[n][:, size:]
        yield out


def render(
    path: Path, kind: Kind, lanes: Sequence[dict[str, Any]], which: int | None, form: str, to: Path
) -> None:
    """Write a WAV or FLAC of one lane, or of all (None). UsageError where a WAV cannot hold it."""
    render_files({0: (path, kind)}, lanes, which, form, to)


def render_files(
    files: Files, lanes: Sequence[dict[str, Any]], which: int | None, form: str, to: Path
) -> None:
    """The same of lanes in several files: `files` by the number that a lane's source has as `dialog`."""
    chosen = list(lanes) if which is None else [lanes[which]]
    rate = min(MOST_RATE, max(int(lane["rate"]) for lane in chosen))
    sound = lane_pieces(files, chosen, rate)
    if len(chosen) > STEREO:
        sound = (_mean(piece) for piece in sound)
    write_sound(sound, len(chosen) if len(chosen) <= STEREO else 1, rate, form, to)


def _mean(piece: Samples) -> Samples:
    out: Samples = np.rint(piece.astype(np.int32).mean(axis=0, keepdims=True)).astype(np.int16)
    return out


def write_sound(sound: Iterator[Samples], channels: int, rate: int, form: str, to: Path) -> None:
    """Pieces of (channels, samples) as a file, one or two channels."""
    if form == "wav":
        _write_wav(sound, channels, rate, to)
        return
    layout = _LAYOUTS[channels]
    with av.open(str(to), "w", format="flac") as container:
        stream = container.add_stream("flac", rate=rate, layout=layout, format="s16")
        at = 0
        for piece in sound:
            flat = np.ascontiguousarray(piece.T).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(flat, format="s16", layout=layout)
            frame.sample_rate, frame.pts = rate, at
            at += piece.shape[1]
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _write_wav(sound: Iterator[Samples], channels: int, rate: int, to: Path) -> None:
    size = 0
    with wave.open(str(to), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        for piece in sound:
            size += piece.nbytes
            if size > _WAV_LIMIT:
                raise UsageError(
                    "this call does not fit a WAV (4 GiB)", cure="Take FLAC, or one lane at a time"
                )
            file.writeframesraw(np.ascontiguousarray(piece.T).astype("<i2").tobytes())
