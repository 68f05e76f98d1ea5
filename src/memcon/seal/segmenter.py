"""The hot path: a sweep's packets into the open blocks of their streams, array by array.

A media record holds the packets of many streams, each stream's in a run. Whatever can be said of
all packets at once (time since the call's start, block, RTP header, whether a sequence number
follows the one before) is computed by numpy over the whole record; Python walks runs, not packets,
and does of each run only what cannot wait: it cuts the pieces out and counts. Only a run that is
not perfectly consecutive is walked packet by packet.

A packet is taken for RTP where it has at least 12 bytes and version 2, and its second byte is not
192 to 223, which RFC 5761 section 4 keeps for RTCP on the same port. The least and greatest RTP
timestamp of a block are those of its RTP packets, in serial arithmetic from the first of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from memcon.record.segment import BLOCK_NS, KIND_RTCP, KIND_RTP
from memcon.seal.accounting import StreamAccount

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from memcon.record.journal import Media

RTP_HEADER = 12
_HALF = 1 << 31
_STEP = 1 << 23
_LONG = 255  # a run of as many steps cannot go half around the timestamps
_MASK = (1 << 32) - 1
_HEAD = np.dtype(
    [("first", "u1"), ("second", "u1"), ("sequence", ">u2"), ("timestamp", ">u4"), ("ssrc", ">u4")]
)


Run: TypeAlias = "tuple[bytes, bytes, bytes, int, int]"
"""Packets of one stream and block that came together: their arrivals and lengths (big-endian arrays),
their bytes, and the first and last RTP timestamp, between which all lie; -1 where they are no RTP."""


def latest(block: list[Run]) -> int:
    """The latest arrival in a block, `since`."""
    return int(np.frombuffer(b"".join([run[0] for run in block]), ">u8").max())


def timestamps(firsts: tuple[int, ...], lasts: tuple[int, ...]) -> tuple[int, int]:
    """Least and greatest RTP timestamp of a block's runs, 0 and 0 where no packet was RTP."""
    stamps = firsts + lasts
    least, greatest = min(stamps), max(stamps)
    if least >= 0 and greatest < least + _HALF:  # nothing wraps, nor inside a run
        return least, greatest
    stamps = tuple([stamp for pair in zip(firsts, lasts, strict=True) for stamp in pair if stamp >= 0])
    if not stamps:
        return 0, 0
    distances = [(stamp - stamps[0] + _HALF & _MASK) - _HALF for stamp in stamps]
    return stamps[0] + min(distances) & _MASK, stamps[0] + max(distances) & _MASK


class Stream:
    """One media stream of an open call: its open blocks by number since the call's start, its counts."""

    __slots__ = ("account", "blocks", "kind", "number", "reports", "start_mono")

    def __init__(self, number: int, kind: int, start_mono: int, reports: StreamAccount | None = None) -> None:
        self.number = number
        self.kind = kind
        self.start_mono = start_mono
        self.blocks: dict[int, list[Run]] = {}
        self.account = StreamAccount()
        self.reports = reports or self.account
        """Whose sender count an RTCP report here gives: that of the RTP stream beside it."""


class Segmenter:
    """Sorts the packets of one instance's sweeps into blocks. `streams`: media handle -> stream."""

    def __init__(self) -> None:
        self.streams: dict[int, Stream | None] = {}
        self.watermark_mono = 0
        """Every packet that arrived before it has been read: blocks that end by then are closed."""
        self.strangers: set[int] = set()
        """Handles of packets that no call has named."""

    def ignore(self, *handles: int | None) -> None:
        """Take no more packets of these handles: their call has ended or is sealed already."""
        for handle in handles:
            if handle is not None:
                self.streams[handle] = None

    def feed(self, media: Media) -> None:
        """Put each packet of a sweep into the block of its arrival, or the open one where that is closed.

        `memcon.record.journal` has checked that the lengths add up to the packets.
        """
        count = media.count
        if not count:
            return
        handles = np.frombuffer(media.streams, ">u4")
        change = np.empty(count, bool)
        change[0] = True
        np.not_equal(handles[1:], handles[:-1], out=change[1:])
        starts = np.flatnonzero(change)
        get = self.streams.get
        named = handles[starts].tolist()
        streams = [get(handle) for handle in named]
        if None in streams:
            self.strangers.update(handle for handle in named if handle not in self.streams)
        bases = [self.watermark_mono if s is None else s.start_mono for s in streams]
        sizes = np.diff(starts, append=count)
        since, block = self._place(media, np.repeat(np.array(bases, np.int64), sizes))
        split = change.copy()
        split[1:] |= block[1:] != block[:-1]
        runs = np.flatnonzero(split)
        if len(runs) > len(streams):
            streams = [streams[i] for i in (np.cumsum(change)[runs] - 1).tolist()]
        self._walk(streams, block[runs].tolist(), since, _Packets(media, split, runs))

    def _place(self, media: Media, base: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(since, block number) of each packet, given each call's start on the monotonic clock."""
        arrivals = np.frombuffer(media.arrivals, ">u8").astype(np.int64)
        since = arrivals + (media.mono - media.wall) - base
        np.minimum(since, media.mono - base, out=since)  # none arrives after the sweep that read it
        np.maximum(since, 0, out=since)
        closed = np.maximum((self.watermark_mono - base) // BLOCK_NS, 0)
        return since, np.maximum(since // BLOCK_NS, closed)

    @staticmethod
    def _walk(
        streams: list[Stream | None], blocks: list[int], since: NDArray[np.int64], found: _Packets
    ) -> None:
        arrivals, lengths, packets = since.astype(">u8").tobytes(), found.lengths, found.packets
        a = cut = 0
        columns = zip(streams, blocks, *found.stops(), *found.heads(), strict=True)
        for stream, number, b, end, good, sequence, ssrc, first, last in columns:
            if stream is not None:
                block = stream.blocks.get(number)
                if block is None:
                    block = stream.blocks[number] = []
                if good and stream.kind == KIND_RTP:
                    stream.account.run(ssrc, sequence, b - a)
                    block.append(
                        (arrivals[8 * a : 8 * b], lengths[2 * a : 2 * b], packets[cut:end], first, last)
                    )
                else:
                    for i in range(a, b):
                        stamp, packet = found.take(i, stream)
                        block.append(
                            (arrivals[8 * i : 8 * i + 8], lengths[2 * i : 2 * i + 2], packet, stamp, stamp)
                        )
            a, cut = b, end


class _Packets:
    """A record's packets, their RTP headers, and which runs are perfectly consecutive."""

    __slots__ = ("ends", "head", "lengths", "packets", "rtp", "runs", "sizes", "split")

    def __init__(self, media: Media, split: NDArray[np.bool_], runs: NDArray[np.int64]) -> None:
        self.lengths, self.packets, self.split, self.runs = (
            bytes(media.lengths),
            bytes(media.packets),
            split,
            runs,
        )
        self.sizes = np.frombuffer(self.lengths, ">u2").astype(np.int64)
        self.ends = np.cumsum(self.sizes)
        data = self.packets if len(self.packets) >= RTP_HEADER else bytes(RTP_HEADER)
        # every twelve bytes of the record as one item, so that taking the headers out is one copy
        items = np.ndarray(len(data) - RTP_HEADER + 1, f"V{RTP_HEADER}", data, 0, (1,))
        self.head = items[np.minimum(self.ends - self.sizes, len(items) - 1)].view(_HEAD)
        second = self.head["second"]
        self.rtp = (self.sizes >= RTP_HEADER) & (self.head["first"] >> 6 == 2)
        self.rtp &= (second < 192) | (second > 223)

    def stops(self) -> tuple[list[int], list[int]]:
        """Per run: the packet and the byte where it ends."""
        stops = np.append(self.runs[1:], len(self.sizes))
        return stops.tolist(), self.ends[stops - 1].tolist()

    def heads(self) -> tuple[list[bool], list[int], list[int], list[int], list[int]]:
        """Per run: consecutive RTP of one source with timestamps that do not fall; the values at its ends."""
        sequence, stamp = self.head["sequence"].astype(np.uint16), self.head["timestamp"].astype(np.uint32)
        ssrc = self.head["ssrc"].astype(np.uint32)
        follows = self.split.copy()  # the differences wrap as the fields do
        follows[1:] |= (
            (sequence[1:] - sequence[:-1] == 1) & (ssrc[1:] == ssrc[:-1]) & (stamp[1:] - stamp[:-1] < _STEP)
        )
        good = np.logical_and.reduceat(self.rtp & follows, self.runs)
        last = np.append(self.runs[1:], len(stamp)) - 1
        good &= last - self.runs < _LONG
        runs = self.runs
        return (
            good.tolist(),
            sequence[runs].tolist(),
            ssrc[runs].tolist(),
            stamp[runs].tolist(),
            stamp[last].tolist(),
        )

    def take(self, i: int, stream: Stream) -> tuple[int, bytes]:
        """(RTP timestamp or -1, packet) of one packet of a run that is not consecutive, counted."""
        end = int(self.ends[i])
        packet = self.packets[end - int(self.sizes[i]) : end]
        stream.account.received += 1
        if stream.kind == KIND_RTCP:
            stream.reports.rtcp(packet)
        elif not self.rtp[i]:
            stream.account.rtcp(packet)
        else:
            head = self.head[i]
            stream.account.packet(int(head["ssrc"]), int(head["sequence"]))
            return int(head["timestamp"]), packet
        return -1, packet
