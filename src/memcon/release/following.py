"""A call heard while it goes on: its sealed seconds as they are written, and sound made of the newest.

What is heard here is as sealed as anything, but not checked against the log: the call's leaves may stand
there only at the end of the slot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.record.segment import KIND_RTP, MEDIA_MAGIC, decode_block, encode_sealed_head, read_whole
from memcon.release.audio import mixed
from memcon.release.media import open_segment
from memcon.release.timeline import NS, PacketStore
from memcon.store import durable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from memcon.release.audio import Channel, Speaker
    from memcon.wire.codec import Codec

HEAD = len(encode_sealed_head(MEDIA_MAGIC, 0))
BEFORE_NS = 6 * NS
"""Packets from before what is asked for are looked at too: their arrivals tell where the others belong."""


class Gathered:
    """The newest packets of one call's streams, whoever read them. `size`: their bytes."""

    def __init__(self) -> None:
        self._stores: dict[int, PacketStore] = {}

    @property
    def size(self) -> int:
        return sum(len(store.data) for store in self._stores.values())

    def add(self, stream: int, since: int, packet: memoryview | bytes) -> None:
        """One more packet of a stream; `since` in ns since the call's start."""
        self._stores.setdefault(stream, PacketStore()).add(since, packet)

    def sound(
        self, who: Sequence[Speaker], codecs: Mapping[int, Mapping[int, Codec]], start: int, end: int
    ) -> tuple[tuple[Channel, ...], int]:
        """The channels of the speakers from `start` to `end` (ns since the call's start), their `lost` spans
        counted from `start`, and their rate in Hz. What is older is forgotten."""
        first = max(0, start - BEFORE_NS)
        self._stores = {stream: store.since(first) for stream, store in self._stores.items()}
        streams = {
            stream: (store.moved(-start), codecs.get(stream, {})) for stream, store in self._stores.items()
        }
        return mixed(who, streams, end - start, [])


class Following:
    """The media file of an open call: `gathered` from its sealed seconds, so many `seconds`."""

    def __init__(self, path: Path, call_key: bytes) -> None:
        self._path = path
        self._key = call_key
        self._offset = HEAD
        self.gathered = Gathered()
        self.seconds = 0

    def read(self) -> int:
        """Read the seconds that have come since; how many. Raises FormatError for what does not open."""
        data = durable.read_from(self._path, self._offset)
        found, size = read_whole(data, self.seconds)
        for sealed in found:
            for raw in open_segment(self._key, sealed).blocks:
                block = decode_block(raw.data)
                if block.kind == KIND_RTP:
                    for since, packet in zip(block.arrivals, block.packets, strict=True):
                        self.gathered.add(block.stream, since, packet)
        self._offset += size
        self.seconds += len(found)
        return len(found)

    def moved(self, path: Path) -> None:
        """The file has another name now; what was read of it is the same."""
        self._path = path
