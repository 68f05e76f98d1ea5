"""The hot path: a sweep's packets into the open blocks of their streams, array by array.

A media record holds the packets of many streams, each stream's in a run. Whatever can be said of
all packets at once (time since the call's start, block, RTP header, whether a sequence number
follows the one before) is computed by numpy over the whole record; Python walks runs, not packets.
Only a run that is not perfectly consecutive is walked packet by packet.

A packet is taken for RTP where it has at least 12 bytes and version 2, and its second byte is not
192 to 223, which RFC 5761 section 4 keeps for RTCP on the same port. The least and greatest RTP
timestamp of a block are those of its RTP packets, in serial arithmetic from the first of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
_HEADER = np.arange(RTP_HEADER)


class OpenBlock:
    """A block that still grows. RTP timestamps are kept as distances from `origin`, that of the first.

    `pieces`: of each run of packets the arrivals, the lengths (big-endian arrays) and the packets.
    """

    __slots__ = ("greatest", "least", "origin", "pieces")

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.origin = -1
        self.least = 0
        self.greatest = 0

    def timestamp(self, timestamp: int) -> None:
        """Take notice of one RTP timestamp."""
        if self.origin < 0:
            self.origin = timestamp
        distance = ((timestamp - self.origin + _HALF) & _MASK) - _HALF
        self.least = min(self.least, distance)
        self.greatest = max(self.greatest, distance)

    def latest(self) -> int:
        """The latest arrival in it, `since`."""
        return int(np.frombuffer(b"".join(self.pieces[::3]), ">u8").max())

    def range(self) -> tuple[int, int]:
        """Least and greatest RTP timestamp, 0 and 0 where no packet was RTP."""
        if self.origin < 0:
            return 0, 0
        return (self.origin + self.least) & _MASK, (self.origin + self.greatest) & _MASK


class Stream:
    """One media stream of an open call: its blocks by block number since the call's start, its counts."""

    __slots__ = ("account", "blocks", "kind", "number", "reports", "start_mono")

    def __init__(self, number: int, kind: int, start_mono: int, reports: StreamAccount | None = None) -> None:
        self.number = number
        self.kind = kind
        self.start_mono = start_mono
        self.blocks: dict[int, OpenBlock] = {}
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
        lengths = np.frombuffer(media.lengths, ">u2").astype(np.int64)
        ends = np.cumsum(lengths)
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
        base = np.repeat(np.array(bases, np.int64), sizes)
        since, block = self._place(media, base)
        split = change.copy()
        split[1:] |= block[1:] != block[:-1]
        runs = np.flatnonzero(split)
        owners = np.repeat(np.arange(len(streams)), sizes)[runs].tolist()
        header = _Headers(media.packets, ends - lengths, lengths, split, runs)
        self._walk(media, [streams[o] for o in owners], runs, block[runs].tolist(), since, ends, header)

    def _place(self, media: Media, base: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(since, block number) of each packet, given each call's start on the monotonic clock."""
        arrivals = np.frombuffer(media.arrivals, ">u8").astype(np.int64)
        since = arrivals + (media.mono - media.wall) - base
        np.minimum(since, media.mono - base, out=since)  # none arrives after the sweep that read it
        np.maximum(since, 0, out=since)
        closed = np.maximum((self.watermark_mono - base) // BLOCK_NS, 0)
        return since, np.maximum(since // BLOCK_NS, closed)

    def _walk(
        self,
        media: Media,
        streams: list[Stream | None],
        runs: NDArray[np.int64],
        blocks: list[int],
        since: NDArray[np.int64],
        ends: NDArray[np.int64],
        header: _Headers,
    ) -> None:
        arrivals = since.astype(">u8").tobytes()
        lengths, packets = bytes(media.lengths), bytes(media.packets)
        starts = runs.tolist()
        stops = ends[[*(runs[1:] - 1), -1]].tolist()
        columns = streams, blocks, starts, [*starts[1:], media.count], [0, *stops[:-1]], stops
        fields = zip(*columns, *header.of_runs(), strict=True)
        for stream, number, a, b, cut, end, good, sequence, ssrc, first_ts, last_ts in fields:
            if stream is None:
                continue
            block = stream.blocks.get(number)
            if block is None:
                block = stream.blocks[number] = OpenBlock()
            block.pieces += (arrivals[8 * a : 8 * b], lengths[2 * a : 2 * b], packets[cut:end])
            account = stream.account
            account.received += b - a
            if good and stream.kind == KIND_RTP:
                account.run(ssrc, sequence, b - a)
                if block.origin < 0:
                    block.origin = first_ts
                ahead = last_ts - block.origin & _MASK
                if ahead < _HALF and first_ts - block.origin & _MASK <= ahead:  # as nearly always
                    if ahead > block.greatest:
                        block.greatest = ahead
                else:
                    block.timestamp(first_ts)
                    block.timestamp(last_ts)
            elif stream.kind == KIND_RTCP:
                _reports(stream.reports, packets, header.offsets[a:b], header.lengths[a:b])
            else:
                header.walk(a, b, account, block, packets)


def _reports(
    account: StreamAccount, packets: bytes, offsets: NDArray[np.int64], lengths: NDArray[np.int64]
) -> None:
    for offset, length in zip(offsets.tolist(), lengths.tolist(), strict=True):
        account.rtcp(packets[offset : offset + length])


class _Headers:
    """The RTP headers of a record's packets, and which runs are perfectly consecutive."""

    __slots__ = ("lengths", "offsets", "rtp", "runs", "sequence", "split", "ssrc", "timestamp")

    def __init__(
        self,
        packets: memoryview,
        offsets: NDArray[np.int64],
        lengths: NDArray[np.int64],
        split: NDArray[np.bool_],
        runs: NDArray[np.int64],
    ) -> None:
        self.offsets, self.lengths, self.split, self.runs = offsets, lengths, split, runs
        data = np.frombuffer(packets, np.uint8)
        if len(data) < RTP_HEADER:
            data = np.zeros(RTP_HEADER, np.uint8)
        at = np.minimum(offsets, len(data) - RTP_HEADER)
        head = data[at[:, None] + _HEADER]
        second = head[:, 1]
        self.rtp = (lengths >= RTP_HEADER) & (head[:, 0] >> 6 == 2) & ~((second >= 192) & (second <= 223))
        self.sequence = head[:, 2:4].copy().view(">u2")[:, 0].astype(np.int64)
        self.timestamp = head[:, 4:8].copy().view(">u4")[:, 0].astype(np.int64)
        self.ssrc = head[:, 8:12].copy().view(">u4")[:, 0].astype(np.int64)

    def of_runs(self) -> tuple[list[bool], list[int], list[int], list[int], list[int]]:
        """Per run: consecutive RTP of one source with timestamps that do not fall; the values at its ends."""
        follows = np.zeros(len(self.rtp), bool)
        follows[1:] = (
            (self.sequence[1:] - self.sequence[:-1] & 0xFFFF == 1)
            & (self.ssrc[1:] == self.ssrc[:-1])
            & (self.timestamp[1:] - self.timestamp[:-1] & _MASK < _STEP)
        )
        good = np.logical_and.reduceat(self.rtp & (follows | self.split), self.runs)
        last = np.append(self.runs[1:], len(self.rtp)) - 1
        good &= last - self.runs < _LONG
        return (
            good.tolist(),
            self.sequence[self.runs].tolist(),
            self.ssrc[self.runs].tolist(),
            self.timestamp[self.runs].tolist(),
            self.timestamp[last].tolist(),
        )

    def walk(self, a: int, b: int, account: StreamAccount, block: OpenBlock, packets: bytes) -> None:
        """Packet by packet, for a run that is not consecutive."""
        for i in range(a, b):
            if self.rtp[i]:
                account.packet(int(self.ssrc[i]), int(self.sequence[i]))
                block.timestamp(int(self.timestamp[i]))
            else:
                offset = int(self.offsets[i])
                account.rtcp(packets[offset : offset + int(self.lengths[i])])
