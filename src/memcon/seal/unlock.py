"""SRTP on its way into the blocks: a sweep's packets opened, and beside them what came, as it came.

The journal holds what arrived; it is opened here, where it is sealed, and never before. So the capturing
process keeps no state that a crash could lose: the rollover counters follow from the packets, and
whoever reads the journal again stands where we stood.

An SRTP stream is two: its own, of the packets that a key opened, and its wire side, under a number and
a media handle with the highest bit set, whose entries are the hash of each packet that was opened and
each other packet whole (FORMATS §6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from memcon.record.journal import Media
from memcon.record.segment import wire_entry, wire_hashes
from memcon.wire.srtp_batch import Opened, Run, open_runs

if TYPE_CHECKING:
    from memcon.wire.srtp import Guard

_HASHED = len(wire_entry(b"", opened=True)).to_bytes(2, "big")
WIRE_HANDLE = 1 << 31
WIRE_STREAM = 1 << 15


class Locks:
    """The media handles of one instance whose packets are SRTP."""

    def __init__(self) -> None:
        self._guards: dict[int, Guard] = {}

    def set(self, handle: int, guard: Guard) -> None:
        """Packets of this handle are opened by that guard."""
        self._guards[handle] = guard

    def forget(self, handle: int) -> None:
        """Packets of this handle are passed over from now on."""
        self._guards.pop(handle, None)

    def open(self, media: Media) -> Media:
        """A sweep with its SRTP opened; the same where there is none."""
        if not self._guards or not media.count:
            return media
        handles = np.frombuffer(media.streams, ">u4")
        starts = np.flatnonzero(np.diff(handles, prepend=np.uint32(~handles[0] & 0xFFFFFFFF)))
        named = handles[starts].tolist()
        if self._guards.keys().isdisjoint(named):
            return media
        return self._rebuilt(media, named, [*starts.tolist(), media.count])

    def _rebuilt(self, media: Media, named: list[int], bounds: list[int]) -> Media:
        offsets = np.zeros(media.count + 1, np.int64)
        np.cumsum(np.frombuffer(media.lengths, ">u2"), out=offsets[1:])
        ends = offsets.tolist()
        guards = self._guards
        runs = [(n, Run(bounds[n], bounds[n + 1], guards[h])) for n, h in enumerate(named) if h in guards]
        together = open_runs(media.packets, offsets, [run for _, run in runs])
        opened_runs = {runs[place][0]: opened for place, opened in together.items()}
        out = _Builder(media)
        for run, handle in enumerate(named):
            a, b = bounds[run], bounds[run + 1]
            guard = self._guards.get(handle)
            if guard is None:
                out.keep(a, b, ends)
                continue
            if run in opened_runs:
                out.opened(handle, a, b, ends, opened_runs[run])
                continue
            came = [bytes(media.packets[ends[i] : ends[i + 1]]) for i in range(a, b)]
            opened = guard.open(came)
            wire = [wire_entry(p, opened=o is not None) for p, o in zip(came, opened, strict=True)]
            out.add(handle | WIRE_HANDLE, list(range(a, b)), wire)
            which = [i for i, packet in enumerate(opened) if packet is not None]
            out.add(handle, [a + i for i in which], [packet for packet in opened if packet is not None])
        return out.media()


class _Builder:
    """A media record made anew, run by run."""

    def __init__(self, media: Media) -> None:
        self._media = media
        self._handles: list[bytes] = []
        self._arrivals: list[bytes | memoryview] = []
        self._lengths: list[bytes | memoryview] = []
        self._packets: list[bytes | memoryview] = []
        self._count = 0

    def keep(self, a: int, b: int, ends: list[int]) -> None:
        """Packets a to b as they are."""
        media = self._media
        self._handles.append(bytes(media.streams[4 * a : 4 * b]))
        self._arrivals.append(media.arrivals[8 * a : 8 * b])
        self._lengths.append(media.lengths[2 * a : 2 * b])
        self._packets.append(media.packets[ends[a] : ends[b]])
        self._count += b - a

    def add(self, handle: int, rows: list[int], packets: list[bytes]) -> None:
        """Other packets, which arrived when the packets of these rows did."""
        self._handles.append(handle.to_bytes(4, "big") * len(rows))
        self._arrivals += [self._media.arrivals[8 * i : 8 * i + 8] for i in rows]
        # the longest UDP payload has 65,527 bytes: an entry, one byte longer, fits its length too
        self._lengths += [len(packet).to_bytes(2, "big") for packet in packets]
        self._packets += packets
        self._count += len(rows)

    def opened(self, handle: int, a: int, b: int, ends: list[int], run: Opened) -> None:
        """Packets a to b, all of them opened: the hash of each as it came, then the packets."""
        media, count = self._media, b - a
        self._handles += (
            (handle | WIRE_HANDLE).to_bytes(4, "big") * count,
            handle.to_bytes(4, "big") * count,
        )
        self._arrivals += (media.arrivals[8 * a : 8 * b],) * 2
        self._lengths += (_HASHED * count, run.lengths)
        self._packets += (wire_hashes(media.packets, ends[a : b + 1]), run.packets)
        self._count += 2 * count

    def media(self) -> Media:
        media = self._media
        parts = [memoryview(b"".join(p)) for p in (self._handles, self._arrivals, self._lengths)]
        packets = memoryview(b"".join(self._packets))
        return Media(media.wall, media.mono, self._count, parts[0], parts[1], parts[2], packets)
